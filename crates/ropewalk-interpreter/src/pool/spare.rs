//! A session that begins before anybody asks for it.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio_util::task::AbortOnDropHandle;

use crate::{Backend, Error, Interpreter};

type Begun = Result<Box<dyn Interpreter>, Error>;

/// Begins sessions, one of them ahead of time if there is to be a spare one.
pub(super) struct Spare {
    backend: Arc<dyn Backend>,
    next: Mutex<Next>,
}

enum Next {
    Unwanted,
    None,
    Begins(AbortOnDropHandle<Begun>),
}

impl Spare {
    pub(super) fn new(backend: Arc<dyn Backend>, is_wanted: bool) -> Self {
        Self { backend, next: Mutex::new(if is_wanted { Next::None } else { Next::Unwanted }) }
    }

    /// Begins the spare one, unless there is one, or none is wanted.
    pub(super) fn prepare(&self) {
        let mut next = self.next.lock();
        if matches!(*next, Next::None) {
            let backend = self.backend.clone();
            let begin = async move {
                let begun = backend.begin().await;
                begun.inspect_err(|error| tracing::warn!(%error, "no session could be begun ahead of time"))
            };
            *next = Next::Begins(AbortOnDropHandle::new(tokio::spawn(begin)));
        }
    }

    /// The spare session if there is one that lives, else a new one; prepares another one.
    pub(super) async fn begin(&self) -> Begun {
        let ready = match self.take() {
            Some(ready) => ready.await.ok().and_then(Result::ok),
            None => None,
        };
        let session = match ready.filter(|session| session.is_alive()) {
            Some(session) => session,
            // One that could not begin says why to whoever wants it now.
            None => self.backend.begin().await?,
        };
        self.prepare();
        Ok(session)
    }

    /// Ends the spare one; there will be none any more.
    pub(super) fn close(&self) {
        *self.next.lock() = Next::Unwanted;
    }

    fn take(&self) -> Option<AbortOnDropHandle<Begun>> {
        let mut next = self.next.lock();
        match std::mem::replace(&mut *next, Next::None) {
            Next::Begins(ready) => Some(ready),
            Next::Unwanted => {
                *next = Next::Unwanted;
                None
            }
            Next::None => None,
        }
    }
}
