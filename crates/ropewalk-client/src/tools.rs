//! Runs whose tool calls are answered on the way.

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use ropewalk_events::Event;
use ropewalk_runs::{RunApi, ToolDriver};
use ropewalk_types::{CreateRun, Run, RunId, SubmitToolOutputs, ThreadId};

use crate::{Client, ClientError, ReplyStream, Runs};

#[async_trait]
impl RunApi for Client {
    type Error = ClientError;

    async fn get_run(&self, thread: &ThreadId, run: &RunId) -> Result<Run, ClientError> {
        self.runs().get(thread, run).await
    }

    async fn submit_tool_outputs(
        &self,
        thread: &ThreadId,
        run: &RunId,
        outputs: SubmitToolOutputs,
    ) -> Result<Run, ClientError> {
        self.runs().submit_tool_outputs(thread, run, outputs).await
    }

    async fn submit_tool_outputs_stream(
        &self,
        thread: &ThreadId,
        run: &RunId,
        outputs: SubmitToolOutputs,
    ) -> Result<BoxStream<'static, Result<Event, ClientError>>, ClientError> {
        self.runs().submit_tool_outputs_stream(thread, run, outputs).await.map(|events| events.items)
    }
}

impl Runs<'_> {
    /// Runs an assistant on a thread to the end, with `tools` to answer its calls; gives the run back as it ended.
    ///
    /// # Errors
    ///
    /// The first call that fails, as [`Client::call`] does. A tool that fails is told to the model.
    pub async fn create_with_tools(
        self,
        thread_id: impl Into<ThreadId>,
        body: CreateRun,
        tools: &ToolDriver,
    ) -> Result<Run, ClientError> {
        let run = self.create(thread_id, body).await?;
        tools.run_to_end(self.0, run).await
    }

    /// Runs an assistant on a thread, with `tools` to answer its calls; all rounds are one stream of events.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`]. What fails later is an item of the stream.
    pub async fn stream_with_tools(
        self,
        thread_id: impl Into<ThreadId>,
        body: CreateRun,
        tools: &ToolDriver,
    ) -> Result<ReplyStream<Event>, ClientError> {
        Ok(self.create_stream(thread_id, body).await?.with_tools(self.0, tools))
    }
}

impl ReplyStream<Event> {
    /// The same events, but where the run waits for outputs, `tools` work them out and the stream goes on.
    #[must_use]
    pub fn with_tools(self, client: &Client, tools: &ToolDriver) -> Self {
        Self::new(tools.follow(client.clone(), self.items))
    }
}
