//! What a client writes, each once: if the answer is lost, it looks whether it was done.

use std::time::Duration;

use anyhow::ensure;
use ropewalk_client::{ClientError, ReplyStream};
use ropewalk_events::Event;
use ropewalk_types::{
    CreateRun, ListQuery, Message, Metadata, ModifyRun, RequiredAction, Run, RunId, RunStatus,
    SubmitToolOutputs, ToolOutput,
};
use tokio::time::sleep;

use super::Conversation;
use crate::{answer, caller::Caller};

/// How often a cancelled run is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// A run that was just made.
pub(super) struct Begun {
    pub(super) run: RunId,
    pub(super) stream: Option<ReplyStream<Event>>,
    pub(super) first: Option<(u64, Event)>,
}

/// What became of tool outputs.
pub(super) enum Submitted {
    Taken(Option<ReplyStream<Event>>),
    TooLate,
}

impl Conversation {
    pub(super) async fn find_message(
        &self,
        caller: &Caller,
        mark: &str,
    ) -> Result<Option<Message>, ClientError> {
        let page = caller.client.messages().list(self.thread.clone(), ListQuery::new().limit(100)).await?;
        Ok(page.data.into_iter().find(|message| has_mark(message.metadata.as_ref(), mark)))
    }

    pub(super) async fn find_run(&self, caller: &Caller, mark: &str) -> Result<Option<Begun>, ClientError> {
        let page = caller.client.runs().list(self.thread.clone(), ListQuery::new().limit(100)).await?;
        let run = page.data.into_iter().find(|run| has_mark(run.metadata.as_ref(), mark));
        Ok(run.map(|run| Begun { run: run.id, stream: None, first: None }))
    }

    pub(super) async fn create_run(
        &self,
        caller: &Caller,
        body: &CreateRun,
        streamed: bool,
    ) -> Result<Begun, ClientError> {
        let runs = caller.client.runs();
        if !streamed {
            let run = runs.create(self.thread.clone(), body.clone()).await?.id;
            return Ok(Begun { run, stream: None, first: None });
        }
        let mut stream = runs.create_stream(self.thread.clone(), body.clone()).await?;
        // Until an event has come, not even the client knows which run to ask for.
        let first = stream.next().await.ok_or(ClientError::CutOff)??;
        let run = first.as_run().ok_or(ClientError::CutOff)?.id.clone();
        let number = stream.last_event().ok_or(ClientError::CutOff)?;
        Ok(Begun { run, stream: Some(stream), first: Some((number, first)) })
    }

    pub(super) async fn submit(
        &self,
        caller: &Caller,
        run: &RunId,
        outputs: &[ToolOutput],
        streamed: bool,
    ) -> anyhow::Result<Submitted> {
        let submit = async || {
            let body = SubmitToolOutputs::new(outputs.iter().cloned());
            let (runs, path) = (caller.client.runs(), (self.thread.clone(), run.clone()));
            let submitted = match streamed {
                true => runs.submit_tool_outputs_stream(path.0, path.1, body).await.map(Some),
                false => runs.submit_tool_outputs(path.0, path.1, body).await.map(|_| None),
            };
            match submitted {
                Err(error) if error.status() == Some(400) => Ok(Submitted::TooLate),
                submitted => submitted.map(Submitted::Taken),
            }
        };
        let look = async || {
            let run = caller.client.runs().get(self.thread.clone(), run.clone()).await?;
            let same = run.required_action.as_ref().is_some_and(|action| self::outputs(action) == outputs);
            Ok(match run.status {
                RunStatus::RequiresAction if same => None,
                RunStatus::Cancelling | RunStatus::Cancelled => Some(Submitted::TooLate),
                _ => Some(Submitted::Taken(None)),
            })
        };
        caller.write(submit, look).await
    }

    /// Whether a cancel was acknowledged.
    pub(super) async fn cancel(&self, caller: &Caller, run: &RunId) -> anyhow::Result<bool> {
        let cancel = async || match caller.client.runs().cancel(self.thread.clone(), run.clone()).await {
            Err(error) if error.status() == Some(400) => Ok(false),
            cancelled => cancelled.map(|_| true),
        };
        let look = async || {
            let status = caller.client.runs().get(self.thread.clone(), run.clone()).await?.status;
            let cancelled = matches!(status, RunStatus::Cancelling | RunStatus::Cancelled);
            Ok((cancelled || status.is_terminal()).then_some(cancelled))
        };
        caller.write(cancel, look).await
    }

    /// A run that is to be cancelled does nothing else until it is over.
    pub(super) async fn stays_cancelled(&self, caller: &Caller, run: &RunId) -> anyhow::Result<()> {
        loop {
            let get = async || caller.client.runs().get(self.thread.clone(), run.clone()).await;
            let status = caller.read(get).await?.status;
            if status.is_terminal() {
                return Ok(());
            }
            ensure!(status == RunStatus::Cancelling, "{run} was cancelled, and is {status}");
            sleep(LOOK_AGAIN).await;
        }
    }

    pub(super) async fn annotate(
        &self,
        caller: &Caller,
        run: &RunId,
        notes: &Metadata,
    ) -> anyhow::Result<Run> {
        let runs = caller.client.runs();
        let modify =
            async || runs.modify(self.thread.clone(), run.clone(), ModifyRun::new(notes.clone())).await;
        let look = async || {
            let run = runs.get(self.thread.clone(), run.clone()).await?;
            Ok(Some(run).filter(|run| run.metadata.as_ref() == Some(notes)))
        };
        caller.write(modify, look).await
    }
}

pub(super) fn outputs(action: &RequiredAction) -> Vec<ToolOutput> {
    let calls = action.submit_tool_outputs.tool_calls.iter();
    calls.map(|call| ToolOutput::new(call.id.clone(), answer::output(call.id.as_str()))).collect()
}

fn has_mark(notes: Option<&Metadata>, mark: &str) -> bool {
    notes.and_then(|notes| notes.get("mark")).is_some_and(|found| found == mark)
}
