use std::mem::take;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::uri::Authority;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;

use super::connection::Connection;
use super::pool::Pool;
use crate::{TransportError, TransportErrorKind};

/// A response body that drives its connection whenever it is polled.
///
/// `incoming` fills only while `connection` is driven, which nobody does but this body; so `incoming` needs no
/// waker of its own, and gets one that does nothing. Otherwise each piece of the body would wake the very task that
/// is reading it.
pub(super) struct DirectBody {
    incoming: Incoming,
    connection: Option<Box<Connection>>,
    host: Authority,
    pool: Arc<Pool>,
    /// The last poll found nothing, so this one was caused by something new.
    was_pending: bool,
}

impl DirectBody {
    pub(super) fn new(
        incoming: Incoming,
        connection: Box<Connection>,
        host: Authority,
        pool: Arc<Pool>,
    ) -> Self {
        let mut body = Self { incoming, connection: Some(connection), host, pool, was_pending: false };
        if http_body::Body::is_end_stream(&body.incoming) {
            body.finish();
        }
        body
    }

    /// Takes what the connection has delivered.
    fn pull(&mut self) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let quiet = &mut Context::from_waker(Waker::noop());
        http_body::Body::poll_frame(Pin::new(&mut self.incoming), quiet)
    }

    /// Drives the connection on behalf of `cx`, then takes what came.
    fn advance(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, TransportError>>> {
        if let Some(connection) = &mut self.connection {
            connection.drive(cx);
        }
        match self.pull() {
            Poll::Ready(Some(Ok(frame))) => {
                if http_body::Body::is_end_stream(&self.incoming) {
                    self.finish();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                self.connection = None;
                Poll::Ready(Some(
                    Err(TransportError::new(TransportErrorKind::Interrupted).with_source(error)),
                ))
            }
            Poll::Ready(None) => {
                self.finish();
                Poll::Ready(None)
            }
            Poll::Pending if self.connection.as_ref().is_none_or(|connection| connection.is_closed()) => {
                self.connection = None;
                Poll::Ready(Some(Err(TransportError::new(TransportErrorKind::Interrupted))))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    /// The body has come to its end: its connection is free for the next request, unless the server closes it.
    fn finish(&mut self) {
        if let Some(mut connection) = self.connection.take()
            && connection.is_idle()
        {
            self.pool.put(self.host.clone(), connection);
        }
    }
}

impl http_body::Body for DirectBody {
    type Data = Bytes;
    type Error = TransportError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, TransportError>>> {
        // After a wake-up something has probably come, and hyper is told so without leaving our waker behind: it
        // would be woken when the piece is taken. Right after a piece there is probably no other, so it is not.
        if take(&mut self.was_pending)
            && let Poll::Ready(frame) = self.advance(&mut Context::from_waker(Waker::noop()))
        {
            return Poll::Ready(frame);
        }
        let frame = self.advance(cx);
        self.was_pending = frame.is_pending();
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.connection.is_none() && http_body::Body::is_end_stream(&self.incoming)
    }

    fn size_hint(&self) -> SizeHint {
        http_body::Body::size_hint(&self.incoming)
    }
}
