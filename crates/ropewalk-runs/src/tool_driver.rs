use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};
use ropewalk_events::Event;
use ropewalk_tools::{Registry, ToolContext};
use ropewalk_types::{Run, RunId, RunStatus, SubmitToolOutputs, ThreadId, ToolOutput};

/// What the driver needs of a client.
#[cfg_attr(feature = "testing", mockall::automock(type Error = std::io::Error;))]
#[async_trait]
pub trait RunApi: Send + Sync {
    /// Why a request failed.
    type Error: Send;

    /// Gets a run.
    async fn get_run(&self, thread: &ThreadId, run: &RunId) -> Result<Run, Self::Error>;

    /// Answers the calls that a run waits for.
    async fn submit_tool_outputs(
        &self,
        thread: &ThreadId,
        run: &RunId,
        outputs: SubmitToolOutputs,
    ) -> Result<Run, Self::Error>;

    /// Answers the calls that a run waits for, and follows the run.
    async fn submit_tool_outputs_stream(
        &self,
        thread: &ThreadId,
        run: &RunId,
        outputs: SubmitToolOutputs,
    ) -> Result<BoxStream<'static, Result<Event, Self::Error>>, Self::Error>;
}

/// Answers `requires_action` from a registry of tools, round after round, until a run is over.
#[derive(Debug, Clone)]
pub struct ToolDriver {
    registry: Arc<Registry>,
    poll_every: Duration,
}

impl ToolDriver {
    /// A driver that answers from `registry` and looks at a run every half second when it polls.
    pub fn new(registry: impl Into<Arc<Registry>>) -> Self {
        Self { registry: registry.into(), poll_every: Duration::from_millis(500) }
    }

    /// Looks at a run this often when it polls.
    #[must_use]
    pub fn poll_every(mut self, interval: Duration) -> Self {
        self.poll_every = interval;
        self
    }

    /// The outputs for the calls that `run` waits for, all run side by side. What goes wrong with a call
    /// becomes its output, for the model to see.
    pub async fn answer(&self, run: &Run) -> Vec<ToolOutput> {
        let Some(action) = &run.required_action else { return Vec::new() };
        let calls = &action.submit_tool_outputs.tool_calls;
        self.registry.call_all(calls, &ToolContext::new(run.thread_id.clone(), run.id.clone())).await
    }

    /// Polls `run` and answers its calls until it is over; gives it back as it ended.
    ///
    /// # Errors
    ///
    /// The client's own, for the first request that fails.
    pub async fn run_to_end<A: RunApi>(&self, api: &A, mut run: Run) -> Result<Run, A::Error> {
        loop {
            run = match run.status {
                RunStatus::RequiresAction => {
                    let outputs = SubmitToolOutputs::new(self.answer(&run).await);
                    api.submit_tool_outputs(&run.thread_id, &run.id, outputs).await?
                }
                _ if run.status.is_terminal() => return Ok(run),
                _ => {
                    tokio::time::sleep(self.poll_every).await;
                    api.get_run(&run.thread_id, &run.id).await?
                }
            };
        }
    }

    /// Joins the streams of all rounds into one: when `events` ends because the run waits for outputs, they are
    /// worked out, submitted, and the stream goes on. Only the last round's [`Event::Done`] comes through.
    pub fn follow<A: RunApi + 'static>(
        &self,
        api: A,
        events: BoxStream<'static, Result<Event, A::Error>>,
    ) -> BoxStream<'static, Result<Event, A::Error>> {
        let round = Round { driver: self.clone(), api, events, waiting: None };
        stream::unfold(Some(round), |round| async move {
            let mut round = round?;
            match round.next().await {
                Some(Ok(event)) => Some((Ok(event), Some(round))),
                Some(Err(error)) => Some((Err(error), None)),
                None => None,
            }
        })
        .boxed()
    }
}

/// Where a followed run stands.
struct Round<A: RunApi> {
    driver: ToolDriver,
    api: A,
    events: BoxStream<'static, Result<Event, A::Error>>,
    /// The run, once it waits for outputs.
    waiting: Option<Run>,
}

impl<A: RunApi> Round<A> {
    async fn next(&mut self) -> Option<Result<Event, A::Error>> {
        loop {
            match self.events.next().await {
                Some(Ok(Event::RunRequiresAction(run))) => {
                    self.waiting = Some((*run).clone());
                    return Some(Ok(Event::RunRequiresAction(run)));
                }
                // The stream of a waiting run is done; the run is not.
                Some(Ok(Event::Done)) | None if self.waiting.is_some() => {
                    let run = self.waiting.take()?;
                    let outputs = SubmitToolOutputs::new(self.driver.answer(&run).await);
                    match self.api.submit_tool_outputs_stream(&run.thread_id, &run.id, outputs).await {
                        Ok(events) => self.events = events,
                        Err(error) => return Some(Err(error)),
                    }
                }
                event => return event,
            }
        }
    }
}
