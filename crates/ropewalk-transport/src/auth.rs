use std::fmt;
use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use tower::{Layer, ServiceExt};

use crate::layered::Around;
use crate::{Body, HttpService, Layered, Secret, TransportError};

/// Adds an API key and other default headers. A header that the request has already stays as it is.
///
/// Every value is marked sensitive, so that no `Debug` output of a request shows it.
#[derive(Clone, Default)]
pub struct AuthLayer {
    headers: HeaderMap,
}

impl AuthLayer {
    /// Adds nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends `Authorization: Bearer` and the key.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::TransportErrorKind::InvalidRequest) if the key cannot stand in a header, say
    /// because it ends in a line break.
    pub fn bearer(self, key: &Secret) -> Result<Self, TransportError> {
        self.text(AUTHORIZATION, &format!("Bearer {}", key.expose()))
    }

    /// Sends `OpenAI-Organization`.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::TransportErrorKind::InvalidRequest) if the id cannot stand in a header.
    pub fn organization(self, id: &str) -> Result<Self, TransportError> {
        self.text(HeaderName::from_static("openai-organization"), id)
    }

    /// Sends `OpenAI-Project`.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::TransportErrorKind::InvalidRequest) if the id cannot stand in a header.
    pub fn project(self, id: &str) -> Result<Self, TransportError> {
        self.text(HeaderName::from_static("openai-project"), id)
    }

    /// Sends this header with every request that has none of this name.
    #[must_use]
    pub fn header(mut self, name: HeaderName, mut value: HeaderValue) -> Self {
        value.set_sensitive(true);
        self.headers.insert(name, value);
        self
    }

    fn text(self, name: HeaderName, value: &str) -> Result<Self, TransportError> {
        let value = HeaderValue::from_str(value).map_err(TransportError::invalid)?;
        Ok(self.header(name, value))
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = Layered<Self, S>;

    fn layer(&self, next: S) -> Self::Service {
        Layered::new(self.clone(), next)
    }
}

impl Around for AuthLayer {
    async fn around<S: HttpService>(
        self: Arc<Self>,
        next: S,
        mut request: Request<Body>,
    ) -> Result<Response<Body>, TransportError> {
        for (name, value) in &self.headers {
            request.headers_mut().entry(name).or_insert_with(|| value.clone());
        }
        next.oneshot(request).await
    }
}

/// Shows which headers are sent, never what is in them.
impl fmt::Debug for AuthLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AuthLayer").field(&self.headers.keys().collect::<Vec<_>>()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Transport, TransportErrorKind};

    /// Answers with the headers of the request, and with their `Debug` form as the body.
    fn mirror() -> impl HttpService {
        tower::service_fn(|request: Request<Body>| async move {
            let shown = format!("{:?}", request.headers());
            let mut response = Response::new(Body::from(shown));
            *response.headers_mut() = request.into_parts().0.headers;
            Ok(response)
        })
    }

    #[tokio::test]
    async fn a_key_is_sent_and_shown_nowhere() {
        let auth = AuthLayer::new().bearer(&"sk-hidden".into()).unwrap().organization("org_1").unwrap();
        assert_eq!(format!("{auth:?}"), r#"AuthLayer(["authorization", "openai-organization"])"#);

        let transport = Transport::new(auth.layer(mirror()));
        let request = Request::get("http://host/").body(Body::empty()).unwrap();
        let response = transport.send(request).await.unwrap();
        assert_eq!(response.headers()["authorization"], "Bearer sk-hidden");
        assert_eq!(response.headers()["openai-organization"], "org_1");
        assert!(response.headers()["authorization"].is_sensitive());

        let shown = response.into_body().collect(1000).await.unwrap();
        assert!(!String::from_utf8_lossy(&shown).contains("sk-hidden"), "{shown:?}");
    }

    #[tokio::test]
    async fn a_header_of_the_request_wins_over_the_default() {
        let auth = AuthLayer::new().bearer(&"sk-default".into()).unwrap();
        let request = Request::get("/").header("authorization", "Bearer sk-own").body(Body::empty()).unwrap();
        let response = Transport::new(auth.layer(mirror())).send(request).await.unwrap();
        assert_eq!(response.headers().get_all("authorization").iter().collect::<Vec<_>>(), ["Bearer sk-own"]);
    }

    #[test]
    fn a_key_with_a_line_break_is_refused_without_being_shown() {
        let error = AuthLayer::new().bearer(&"sk-hidden\n".into()).unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::InvalidRequest);
        assert!(!format!("{error:?}").contains("sk-hidden"));
    }
}
