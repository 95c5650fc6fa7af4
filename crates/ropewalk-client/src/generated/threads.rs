// Written by `cargo xtask codegen`; do not edit.

use ropewalk_events::Event;
use ropewalk_types::{self as types, endpoint};

use crate::{Client, ClientError, ReplyStream, rows::rows};

/// What [`Client::threads`] offers.
///
/// Each method is one request and fails as [`Client::call`] does.
#[derive(Debug, Clone, Copy)]
pub struct Threads<'a>(pub(crate) &'a Client);

impl Client {
    /// The endpoints of threads.
    pub fn threads(&self) -> Threads<'_> {
        Threads(self)
    }
}

impl Threads<'_> {
    /// Lists threads, by notes, assistant and age. Beyond the original.
    ///
    /// `GET /threads`
    pub async fn list(
        self,
        query: impl Into<types::ListThreadsQuery>,
    ) -> Result<types::Page<types::Thread>, ClientError> {
        self.0.call::<endpoint::ListThreads>((), query.into(), ()).await
    }

    /// All rows of [`list`](Self::list), page after page; `limit` is that of a page.
    pub fn all(self, query: impl Into<types::ListThreadsQuery>) -> ReplyStream<types::Thread> {
        rows::<endpoint::ListThreads, _>(self.0, (), query.into())
    }

    /// Deletes all threads that match a filter, up to 1,000 at once. Beyond the original.
    ///
    /// `DELETE /threads`
    pub async fn delete_many(
        self,
        query: impl Into<types::DeleteThreadsQuery>,
    ) -> Result<types::ThreadsDeleted, ClientError> {
        self.0.call::<endpoint::DeleteThreads>((), query.into(), ()).await
    }

    /// Makes a thread.
    ///
    /// `POST /threads`
    pub async fn create(self, body: types::CreateThread) -> Result<types::Thread, ClientError> {
        self.0.call::<endpoint::CreateThread>((), (), body).await
    }

    /// Makes a thread and runs an assistant on it.
    ///
    /// `POST /threads/runs`
    pub async fn create_and_run(
        self,
        mut body: types::CreateThreadAndRun,
    ) -> Result<types::Run, ClientError> {
        body.stream = None;
        self.0.call::<endpoint::CreateThreadAndRun>((), (), body).await
    }

    /// As [`create_and_run`](Self::create_and_run), with the run's events as they happen.
    pub async fn create_and_run_stream(
        self,
        mut body: types::CreateThreadAndRun,
    ) -> Result<ReplyStream<Event>, ClientError> {
        body.stream = Some(true);
        self.0.stream::<endpoint::CreateThreadAndRun>((), (), body).await
    }

    /// Gets a thread.
    ///
    /// `GET /threads/{thread_id}`
    pub async fn get(self, thread_id: impl Into<types::ThreadId>) -> Result<types::Thread, ClientError> {
        let path = (thread_id.into(),);
        self.0.call::<endpoint::GetThread>(path, (), ()).await
    }

    /// Changes the given fields of a thread.
    ///
    /// `POST /threads/{thread_id}`
    pub async fn modify(
        self,
        thread_id: impl Into<types::ThreadId>,
        body: types::ModifyThread,
    ) -> Result<types::Thread, ClientError> {
        let path = (thread_id.into(),);
        self.0.call::<endpoint::ModifyThread>(path, (), body).await
    }

    /// Deletes a thread with its messages and runs; an active run is stopped.
    ///
    /// `DELETE /threads/{thread_id}`
    pub async fn delete(
        self,
        thread_id: impl Into<types::ThreadId>,
    ) -> Result<types::Deleted<types::ThreadId>, ClientError> {
        let path = (thread_id.into(),);
        self.0.call::<endpoint::DeleteThread>(path, (), ()).await
    }
}
