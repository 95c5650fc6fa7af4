use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Waker};
use std::time::Duration;

use http::uri::Authority;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::{Body, BoxError, TransportError, TransportErrorKind};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// One connection together with what moves its bytes. Whoever holds it drives it; dropping it closes it.
pub(super) struct Connection {
    sender: SendRequest<Body>,
    driver: http1::Connection<TokioIo<TcpStream>, Body>,
    closed: bool,
}

/// A request without a response.
pub(super) struct Lost {
    pub(super) error: TransportError,
    /// The request itself, if nothing of it was sent.
    pub(super) request: Option<Box<Request<Body>>>,
}

impl Connection {
    pub(super) async fn open(host: &Authority) -> Result<Box<Self>, TransportError> {
        let connect = async {
            let name = host.host().trim_start_matches('[').trim_end_matches(']');
            let socket = TcpStream::connect((name, host.port_u16().unwrap_or(80))).await?;
            socket.set_nodelay(true)?;
            let (sender, driver) = http1::handshake(TokioIo::new(socket)).await?;
            Ok::<_, BoxError>(Box::new(Self { sender, driver, closed: false }))
        };
        let failed = |source| TransportError::new(TransportErrorKind::Connect).with_source(source);
        timeout(CONNECT_TIMEOUT, connect).await.map_err(|elapsed| failed(elapsed.into()))?.map_err(failed)
    }

    /// Sends a request and waits for the headers of its response.
    pub(super) async fn exchange(&mut self, request: Request<Body>) -> Result<Response<Incoming>, Lost> {
        let mut response = pin!(self.sender.try_send_request(request));
        let response = poll_fn(|cx| {
            self.drive(cx);
            response.as_mut().poll(cx)
        });
        response.await.map_err(|mut lost| {
            let request = lost.take_message().map(Box::new);
            let error = lost.into_error();
            let invalid = error.is_user();
            let kind = if invalid { TransportErrorKind::InvalidRequest } else { TransportErrorKind::Closed };
            let error = TransportError::new(kind).with_source(error);
            Lost { error: if request.is_some() { error.unsent() } else { error }, request }
        })
    }

    /// Moves what can be moved. How it ended, the request or the body learns.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) {
        if !self.closed {
            self.closed = Pin::new(&mut self.driver).poll(cx).is_ready();
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether it is open and free for a request, as far as this side can know.
    pub(super) fn is_idle(&mut self) -> bool {
        self.drive(&mut Context::from_waker(Waker::noop()));
        !self.closed && self.sender.is_ready()
    }

    /// Whether not one byte of a response was left unread by a failed exchange.
    pub(super) fn is_unanswered(self: Box<Self>) -> bool {
        self.driver.into_parts().read_buf.is_empty()
    }
}
