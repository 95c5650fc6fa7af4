//! One try of a delivery: a request, and what its answer means.

use std::{
    sync::OnceLock,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE};
use reqwest::{Client, Url};

use crate::{
    endpoint::target,
    schedule::retry_after,
    wall::{Refused, Wall},
};

/// Idle connections to a host that are kept for what comes next, and for how long.
const IDLE_CONNECTIONS: usize = 2;
const IDLE: Duration = Duration::from_secs(15);

/// What a try came to.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It was taken.
    Delivered,
    /// The receiver wants nothing more, ever.
    Gone,
    /// It may be tried again, no sooner than in so long.
    Failed(Failure, Option<Duration>),
}

/// Why a try failed. It never says where to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("the receiver answered {0}")]
    Status(StatusCode),
    #[error("the address is refused")]
    Refused(#[from] Refused),
    #[error("the URL cannot be used: {0}")]
    Url(&'static str),
    #[error("the headers cannot be sent")]
    Header(#[from] http::header::InvalidHeaderValue),
    #[error("there was no answer")]
    NoAnswer(#[source] reqwest::Error),
    #[error("TLS cannot be set up")]
    Setup(#[source] reqwest::Error),
}

/// Sends requests through the [`Wall`].
#[derive(Debug)]
pub(crate) struct Post {
    wall: Wall,
    timeout: Duration,
    /// Made when the first is sent: a system without root certificates can do everything else.
    client: OnceLock<Client>,
}

/// The headers of the standard.
pub(crate) struct Signature<'a> {
    pub(crate) id: &'a str,
    pub(crate) timestamp: i64,
    pub(crate) signature: String,
}

impl Post {
    pub(crate) fn new(wall: Wall, timeout: Duration) -> Self {
        Self { wall, timeout, client: OnceLock::new() }
    }

    /// Sends `body` once. Of the answer only the head counts: a body is not read.
    pub(crate) async fn send(&self, url: &str, signature: &Signature<'_>, body: Bytes) -> Outcome {
        let answer = match self.request(url, signature, body).await {
            Ok(answer) => answer,
            Err(failure) => return Outcome::Failed(failure, None),
        };
        match answer.status() {
            status if status.is_success() => Outcome::Delivered,
            StatusCode::GONE => Outcome::Gone,
            // A redirect is a failure, as the standard has it: nobody checked where it leads.
            status => {
                Outcome::Failed(Failure::Status(status), retry_after(answer.headers(), SystemTime::now()))
            }
        }
    }

    async fn request(
        &self,
        url: &str,
        signature: &Signature<'_>,
        body: Bytes,
    ) -> Result<reqwest::Response, Failure> {
        let url: Url = target(url).map_err(Failure::Url)?;
        self.wall.check(&url)?;
        let headers = headers(signature)?;
        let request = self.client()?.post(url).headers(headers).body(body);
        request.send().await.map_err(|error| Failure::NoAnswer(error.without_url()))
    }

    fn client(&self) -> Result<&Client, Failure> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        // It fails when the program has chosen a provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(concat!("ropewalk-webhooks/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(self.wall.clone())
            // A proxy would resolve the name itself.
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .timeout(self.timeout)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .pool_idle_timeout(IDLE)
            .build()
            .map_err(Failure::Setup)?;
        Ok(self.client.get_or_init(|| client))
    }
}

fn headers(signature: &Signature<'_>) -> Result<HeaderMap, Failure> {
    let signed = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (HeaderName::from_static("webhook-id"), signature.id.parse()?),
        (HeaderName::from_static("webhook-timestamp"), signature.timestamp.into()),
        (HeaderName::from_static("webhook-signature"), signature.signature.parse()?),
    ];
    Ok(HeaderMap::from_iter(signed))
}
