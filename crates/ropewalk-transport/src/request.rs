use http::header::HOST;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, HeaderValue, Request, Uri, Version};

use crate::{Body, TransportError};

/// The same request once more, if its body is in memory.
pub(crate) fn copy(request: &Request<Body>) -> Option<Request<Body>> {
    let mut copy = Request::new(request.body().copy()?);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    *copy.extensions_mut() = request.extensions().clone();
    Some(copy)
}

/// Turns an absolute URL into what HTTP/1 sends to the server itself: a path, and a `Host` header.
/// Returns whom the URL named, if anyone.
pub(crate) fn origin_form(request: &mut Request<Body>) -> Result<Option<Authority>, TransportError> {
    let authority = request.uri().authority().cloned();
    if let Some(authority) = &authority
        && !request.headers().contains_key(HOST)
    {
        // A name and password in the URL are no part of the host, and are not sent.
        let host = authority.as_str().rsplit('@').next().unwrap_or_default();
        let host = HeaderValue::from_str(host).map_err(TransportError::invalid)?;
        request.headers_mut().insert(HOST, host);
    }
    let path = request.uri().path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from(path);
    *request.version_mut() = Version::HTTP_11;
    Ok(authority)
}

/// What the server calls the request.
pub(crate) fn request_id(headers: &HeaderMap) -> Option<&HeaderValue> {
    headers.get("x-request-id")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_goes_out_in_origin_form_without_credentials() {
        for (url, host, path) in [
            ("http://example.com:8080/v1/models?limit=2", Some("example.com:8080"), "/v1/models?limit=2"),
            ("http://user:word@example.com", Some("example.com"), "/"),
            ("http://[::1]:80?x=1", Some("[::1]:80"), "/?x=1"),
            ("/v1/models", None, "/v1/models"),
        ] {
            let mut request = Request::get(url).body(Body::empty()).unwrap();
            origin_form(&mut request).unwrap();
            assert_eq!(request.headers().get(HOST).map(|host| host.to_str().unwrap()), host);
            assert_eq!(request.uri().to_string(), path);
        }
    }
}
