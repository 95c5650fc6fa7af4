// Written by `cargo xtask codegen`; do not edit.

use ropewalk_events::Event;
use ropewalk_types::{self as types, endpoint};

use crate::{Client, ClientError, ReplyStream, rows::rows};

/// What [`Client::runs`] offers.
///
/// Each method is one request and fails as [`Client::call`] does.
#[derive(Debug, Clone, Copy)]
pub struct Runs<'a>(pub(crate) &'a Client);

impl Client {
    /// The endpoints of runs.
    pub fn runs(&self) -> Runs<'_> {
        Runs(self)
    }
}

impl Runs<'_> {
    /// Lists the runs of a thread.
    ///
    /// `GET /threads/{thread_id}/runs`
    pub async fn list(
        self,
        thread_id: impl Into<types::ThreadId>,
        query: impl Into<types::ListQuery>,
    ) -> Result<types::Page<types::Run>, ClientError> {
        let path = (thread_id.into(),);
        self.0.call::<endpoint::ListRuns>(path, query.into(), ()).await
    }

    /// All rows of [`list`](Self::list), page after page; `limit` is that of a page.
    pub fn all(
        self,
        thread_id: impl Into<types::ThreadId>,
        query: impl Into<types::ListQuery>,
    ) -> ReplyStream<types::Run> {
        let path = (thread_id.into(),);
        rows::<endpoint::ListRuns, _>(self.0, path, query.into())
    }

    /// Runs an assistant on a thread.
    ///
    /// `POST /threads/{thread_id}/runs`
    pub async fn create(
        self,
        thread_id: impl Into<types::ThreadId>,
        mut body: types::CreateRun,
    ) -> Result<types::Run, ClientError> {
        body.stream = None;
        let path = (thread_id.into(),);
        self.0.call::<endpoint::CreateRun>(path, Default::default(), body).await
    }

    /// As [`create`](Self::create), with the run's events as they happen.
    pub async fn create_stream(
        self,
        thread_id: impl Into<types::ThreadId>,
        mut body: types::CreateRun,
    ) -> Result<ReplyStream<Event>, ClientError> {
        body.stream = Some(true);
        let path = (thread_id.into(),);
        self.0.stream::<endpoint::CreateRun>(path, Default::default(), body).await
    }

    /// Gets a run.
    ///
    /// `GET /threads/{thread_id}/runs/{run_id}`
    pub async fn get(
        self,
        thread_id: impl Into<types::ThreadId>,
        run_id: impl Into<types::RunId>,
    ) -> Result<types::Run, ClientError> {
        let path = (thread_id.into(), run_id.into());
        self.0.call::<endpoint::GetRun>(path, (), ()).await
    }

    /// Changes the notes on a run.
    ///
    /// `POST /threads/{thread_id}/runs/{run_id}`
    pub async fn modify(
        self,
        thread_id: impl Into<types::ThreadId>,
        run_id: impl Into<types::RunId>,
        body: types::ModifyRun,
    ) -> Result<types::Run, ClientError> {
        let path = (thread_id.into(), run_id.into());
        self.0.call::<endpoint::ModifyRun>(path, (), body).await
    }

    /// Asks a run to stop.
    ///
    /// `POST /threads/{thread_id}/runs/{run_id}/cancel`
    pub async fn cancel(
        self,
        thread_id: impl Into<types::ThreadId>,
        run_id: impl Into<types::RunId>,
    ) -> Result<types::Run, ClientError> {
        let path = (thread_id.into(), run_id.into());
        self.0.call::<endpoint::CancelRun>(path, (), ()).await
    }

    /// Answers all calls that a run waits for, so that it goes on.
    ///
    /// `POST /threads/{thread_id}/runs/{run_id}/submit_tool_outputs`
    pub async fn submit_tool_outputs(
        self,
        thread_id: impl Into<types::ThreadId>,
        run_id: impl Into<types::RunId>,
        mut body: types::SubmitToolOutputs,
    ) -> Result<types::Run, ClientError> {
        body.stream = None;
        let path = (thread_id.into(), run_id.into());
        self.0.call::<endpoint::SubmitToolOutputs>(path, (), body).await
    }

    /// As [`submit_tool_outputs`](Self::submit_tool_outputs), with the run's events as they happen.
    pub async fn submit_tool_outputs_stream(
        self,
        thread_id: impl Into<types::ThreadId>,
        run_id: impl Into<types::RunId>,
        mut body: types::SubmitToolOutputs,
    ) -> Result<ReplyStream<Event>, ClientError> {
        body.stream = Some(true);
        let path = (thread_id.into(), run_id.into());
        self.0.stream::<endpoint::SubmitToolOutputs>(path, (), body).await
    }
}
