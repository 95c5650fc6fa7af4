use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use opentelemetry_http::{HttpClient, HttpError};
use ropewalk_transport::{Body, SchemeLeaf, Transport};
use tokio::{runtime::Handle, time::timeout};

/// How long a collector may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most bytes of an answer.
const MAX_BYTES: usize = 64 << 10;

/// Sends by our own transport, with its one TLS stack. The exporter's thread knows no tokio, so that a task of the
/// runtime does it.
#[derive(Debug)]
pub(super) struct Client {
    transport: Transport,
    runtime: Handle,
}

impl Client {
    pub(super) fn new(runtime: Handle) -> Self {
        Self { transport: Transport::builder(SchemeLeaf::new()).build(), runtime }
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let transport = self.transport.clone();
        let send = async move {
            let (parts, body) = transport.send(request.map(Body::from)).await?.into_parts();
            Ok(Response::from_parts(parts, body.collect(MAX_BYTES).await?))
        };
        // The clock of the timeout is the runtime's, too.
        let sent = self.runtime.spawn(async { timeout(PATIENCE, send).await });
        sent.await??
    }
}
