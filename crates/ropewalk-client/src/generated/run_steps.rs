// Written by `cargo xtask codegen`; do not edit.

use ropewalk_types::{self as types, endpoint};

use crate::{Client, ClientError, ReplyStream, rows::rows};

/// What [`Client::run_steps`] offers.
///
/// Each method is one request and fails as [`Client::call`] does.
#[derive(Debug, Clone, Copy)]
pub struct RunSteps<'a>(pub(crate) &'a Client);

impl Client {
    /// The endpoints of run steps.
    pub fn run_steps(&self) -> RunSteps<'_> {
        RunSteps(self)
    }
}

impl RunSteps<'_> {
    /// Lists the steps of a run.
    ///
    /// `GET /threads/{thread_id}/runs/{run_id}/steps`
    pub async fn list(
        self,
        thread_id: impl Into<types::ThreadId>,
        run_id: impl Into<types::RunId>,
        query: impl Into<types::RunStepsQuery>,
    ) -> Result<types::Page<types::RunStep>, ClientError> {
        let path = (thread_id.into(), run_id.into());
        self.0.call::<endpoint::ListRunSteps>(path, query.into(), ()).await
    }

    /// All rows of [`list`](Self::list), page after page; `limit` is that of a page.
    pub fn all(
        self,
        thread_id: impl Into<types::ThreadId>,
        run_id: impl Into<types::RunId>,
        query: impl Into<types::RunStepsQuery>,
    ) -> ReplyStream<types::RunStep> {
        let path = (thread_id.into(), run_id.into());
        rows::<endpoint::ListRunSteps, _>(self.0, path, query.into())
    }

    /// Gets a step of a run.
    ///
    /// `GET /threads/{thread_id}/runs/{run_id}/steps/{step_id}`
    pub async fn get(
        self,
        thread_id: impl Into<types::ThreadId>,
        run_id: impl Into<types::RunId>,
        step_id: impl Into<types::RunStepId>,
    ) -> Result<types::RunStep, ClientError> {
        let path = (thread_id.into(), run_id.into(), step_id.into());
        self.0.call::<endpoint::GetRunStep>(path, Default::default(), ()).await
    }
}
