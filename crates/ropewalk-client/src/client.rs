use std::{fmt, sync::Arc};

use http::{
    HeaderMap, Request, Response,
    header::{ACCEPT, CONTENT_TYPE, USER_AGENT},
};
use ropewalk_events::Event;
use ropewalk_transport::{
    Body, HttpService, InProcess, RetryPolicy, Transport, TransportError, TransportErrorKind,
};
use ropewalk_types::{Endpoint, PathParams};

use crate::{
    ClientBuilder, ClientError, ReplyStream,
    builder::checked,
    query::query_string,
    resume::{Resume, usual_policy},
};

/// Most bytes of a JSON reply; a page of 100 long messages fits.
const MAX_REPLY_BYTES: usize = 64 << 20;
/// Names this client to servers.
const AGENT: &str = concat!("ropewalk/", env!("CARGO_PKG_VERSION"));
/// Where a server in this process is said to be.
const EMBEDDED_URL: &str = "http://embedded/v1";

/// A client of one server, far away or in this process. Cheap to clone; clones share their connections.
///
/// Each endpoint is a method of its group: `client.threads().create(…)`, `client.runs().get(…)`. Dropping a call's
/// future gives the call up.
#[derive(Clone)]
pub struct Client {
    pub(crate) transport: Transport,
    /// When to go on with a run's stream that broke off.
    pub(crate) resume: RetryPolicy,
    /// Without a slash at its end.
    base_url: Arc<str>,
}

impl Client {
    /// Settings for a client over HTTP, none set yet.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    /// A client with the settings of the environment, as [`ClientBuilder::from_env`] reads them.
    ///
    /// # Errors
    ///
    /// Those of [`ClientBuilder::from_env`] and [`ClientBuilder::build`].
    pub fn from_env() -> Result<Self, ClientError> {
        ClientBuilder::from_env()?.build()
    }

    /// A client of a runtime in this process: any tower service that answers as the API does, such as an axum
    /// `Router`, or `Embedded` of the facade. There is no socket in between.
    pub fn embedded<S>(service: S) -> Self
    where
        InProcess<S>: HttpService,
    {
        let transport =
            Transport::builder(InProcess::new(service)).trace().retry(RetryPolicy::default()).build();
        Self { transport, resume: usual_policy(), base_url: EMBEDDED_URL.into() }
    }

    /// A client that sends over a transport of your own.
    ///
    /// # Errors
    ///
    /// [`ClientError::Settings`] if `base_url` is no plain http or https URL.
    pub fn with_transport(transport: Transport, base_url: &str) -> Result<Self, ClientError> {
        checked(base_url)?;
        let base_url = base_url.trim_end_matches('/').into();
        Ok(Self { transport, resume: usual_policy(), base_url })
    }

    /// Says when to go on with a run's stream whose connection breaks, as [`ClientBuilder::resume`] does.
    #[must_use]
    pub fn with_resume(mut self, policy: RetryPolicy) -> Self {
        self.resume = policy;
        self
    }

    /// Makes one request to an endpoint; the methods of the groups do nothing else.
    ///
    /// # Errors
    ///
    /// [`ClientError::Api`] if the server refuses, [`ClientError::Transport`] if no complete reply comes,
    /// [`ClientError::Reply`] if it cannot be read.
    pub async fn call<E: Endpoint>(
        &self,
        path: E::Path,
        query: E::Query,
        body: E::Body,
    ) -> Result<E::Response, ClientError> {
        let response = self.send::<E>(path, query, body).await?;
        read::<E>(response).await.map(|(reply, _)| reply)
    }

    /// Makes one request whose body says `stream: true`; its events come as they happen.
    ///
    /// If the connection breaks, the stream goes on over another where the server numbers its events, as a Ropewalk
    /// does: no event is missing, none comes twice. [`ClientBuilder::resume`] says how long that is tried.
    ///
    /// # Errors
    ///
    /// As for [`call`](Self::call). What fails later is an item of the stream.
    pub async fn stream<E: Endpoint>(
        &self,
        path: E::Path,
        query: E::Query,
        body: E::Body,
    ) -> Result<ReplyStream<Event>, ClientError> {
        let response = self.send::<E>(path, query, body).await?;
        Ok(ReplyStream::of_run(Resume::new(self.clone(), response.into_body(), E::INFO.events)))
    }

    /// The reply, once its status says that the server did what it was asked.
    pub(crate) async fn send<E: Endpoint>(
        &self,
        path: E::Path,
        query: E::Query,
        body: E::Body,
    ) -> Result<Response<Body>, ClientError> {
        let request = self.head::<E>(&path, &query)?;
        let request = match E::INFO.body {
            "()" => request.body(Body::empty()),
            _ => request.header(CONTENT_TYPE, "application/json").body(Body::json(&body)?),
        };
        self.exchange(request.map_err(invalid)?).await
    }

    /// The reply to a request, once its status says that the server did what it was asked.
    pub(crate) async fn exchange(&self, request: Request<Body>) -> Result<Response<Body>, ClientError> {
        let response = self.transport.send(request).await?;
        if response.status().is_success() { Ok(response) } else { Err(ClientError::refused(response).await) }
    }

    /// All of a request but its body.
    pub(crate) fn head<E: Endpoint>(
        &self,
        path: &E::Path,
        query: &E::Query,
    ) -> Result<http::request::Builder, TransportError> {
        let mut url = format!("{}{}", self.base_url, path.fill(E::INFO.path));
        let query = query_string(query).map_err(invalid)?;
        if !query.is_empty() {
            url.push('?');
            url.push_str(&query);
        }
        let mut request = Request::builder()
            .method(E::INFO.method.as_str())
            .uri(url)
            .header(ACCEPT, "application/json, text/event-stream")
            .header(USER_AGENT, AGENT);
        if E::INFO.beta {
            request = request.header("openai-beta", "assistants=v2");
        }
        Ok(request)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

/// The JSON of a reply, and its headers.
pub(crate) async fn read<E: Endpoint>(
    response: Response<Body>,
) -> Result<(E::Response, HeaderMap), ClientError> {
    let (parts, body) = response.into_parts();
    let json = body.collect(MAX_REPLY_BYTES).await?;
    match serde_json::from_slice(&json) {
        Ok(reply) => Ok((reply, parts.headers)),
        Err(source) => Err(ClientError::unreadable(E::INFO.operation_id, &parts.headers, source)),
    }
}

pub(crate) fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> TransportError {
    TransportError::new(TransportErrorKind::InvalidRequest).with_source(error)
}
