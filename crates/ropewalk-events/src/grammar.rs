mod body;

use std::collections::HashSet;

use body::{fate, run_of, status_fits, written_by};
use ropewalk_types::{MessageId, RunId, RunStatus, RunStepId};

use crate::Event;

/// The legal order of the events of one stream, as a small machine that accepts them one by one.
///
/// It holds a server to its promises, and a client can tell with it a stream that was cut from one that ended.
/// Unknown events are legal anywhere before the end. Beside the order it checks that ids fit and that a body has the
/// status that its event tells of.
///
/// # Source
///
/// `sequences` and `ordering_invariants` of the contract.
#[derive(Debug, Clone)]
pub struct Grammar {
    stage: Stage,
    /// The stream goes on where others end: behind a wait for outputs, and where another process took the run over.
    whole: bool,
    cancelling: bool,
    run: Option<RunId>,
    step: Option<Open<RunStepId>>,
    /// The message that the open step writes, or calls of tools.
    writes: Option<MessageId>,
    message: Option<Open<MessageId>>,
    /// How the last step ended, if its run has to end the same way.
    fate: Option<RunStatus>,
    used: HashSet<String>,
}

/// Where the run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// A thread is to be made.
    NoThread,
    /// A run is to be made.
    NoRun,
    /// The step that waited for outputs is to end.
    LeftOpen,
    /// That step has ended.
    Resumed,
    /// The run was made.
    Created,
    Queued,
    Working,
    /// The last run event has come, `done` has not.
    Over,
    /// An error has come; `done` may follow.
    Broken,
    Done,
}

/// A step or message between its first and its last event.
#[derive(Debug, Clone)]
struct Open<T> {
    id: T,
    in_progress: bool,
}

/// An event that must not come where it came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{event}` must not come here: {rule}")]
#[non_exhaustive]
pub struct IllegalEvent {
    /// The event's name.
    pub event: String,
    /// The rule that it breaks.
    pub rule: &'static str,
}

type Legal = Result<(), &'static str>;

const CUT_OFF: &str = "only a run at work completes what it writes";

impl Grammar {
    /// The stream of a new run on a thread.
    pub fn create_run() -> Self {
        Self::at(Stage::NoRun)
    }

    /// The stream of a new run on a new thread.
    pub fn create_thread_and_run() -> Self {
        Self::at(Stage::NoThread)
    }

    /// The stream that goes on with a run that waited for tool outputs.
    pub fn submit_tool_outputs() -> Self {
        Self::at(Stage::LeftOpen)
    }

    /// All events of a run from its first to its last, as whoever resumes its stream reads them. If a process died, the step
    /// that it left open fails, and the run goes on with another.
    pub fn whole_run() -> Self {
        Self { whole: true, ..Self::at(Stage::NoRun) }
    }

    /// Whether the stream may end here: behind `done`, or behind an error.
    pub fn is_finished(&self) -> bool {
        matches!(self.stage, Stage::Broken | Stage::Done)
    }

    /// Takes the next event.
    ///
    /// # Errors
    ///
    /// [`IllegalEvent`] names the rule that the event breaks; the machine stays where it was.
    pub fn accept(&mut self, event: &Event) -> Result<(), IllegalEvent> {
        self.judge(event).map_err(|rule| IllegalEvent { event: event.name().to_owned(), rule })
    }

    fn at(stage: Stage) -> Self {
        Self {
            stage,
            whole: false,
            cancelling: false,
            run: None,
            step: None,
            writes: None,
            message: None,
            fate: None,
            used: HashSet::new(),
        }
    }

    fn judge(&mut self, event: &Event) -> Legal {
        let run = run_of(event);
        need(self.run.is_none() || run.is_none() || run == self.run.as_ref(), "a stream tells of one run")?;
        need(status_fits(event), "the body has another status than the event tells of")?;
        self.run_event(event)?;
        if self.run.is_none() {
            self.run = run.cloned();
        }
        Ok(())
    }

    fn run_event(&mut self, event: &Event) -> Legal {
        use Stage::{Broken, Created, Done, LeftOpen, NoRun, NoThread, Over, Queued, Resumed, Working};
        let stage = self.stage;
        let going = !self.cancelling && self.fate.is_none();
        let may_stop = matches!(stage, Resumed | Queued | Working);
        self.stage = match event {
            Event::ThreadCreated(_) => {
                need(
                    stage == NoThread || (self.whole && stage == NoRun),
                    "a thread is made first, by a request that also makes the run",
                )?;
                NoRun
            }
            Event::RunCreated(_) => {
                need(stage == NoRun, "a run is made once, behind its thread")?;
                Created
            }
            Event::RunQueued(_) => {
                need(
                    matches!(stage, Created | Resumed) && going,
                    "a run is queued once, when it is made or resumed",
                )?;
                Queued
            }
            Event::RunInProgress(_) => {
                let taken_up = stage == Queued && going && self.step.is_none();
                need(taken_up, "a run is taken up once, behind the queue")?;
                Working
            }
            Event::RunCancelling(_) => {
                need(
                    (may_stop || stage == LeftOpen) && !self.cancelling,
                    "only an active run is cancelled, and once",
                )?;
                self.cancelling = true;
                stage
            }
            Event::RunRequiresAction(_) => {
                need(stage == Working && going, "only a run at work asks for outputs")?;
                need(
                    self.step.as_ref().is_some_and(|step| step.in_progress),
                    "outputs are for an open step",
                )?;
                need(self.writes.is_none(), "outputs are for a step of tool calls")?;
                if self.whole { LeftOpen } else { Over }
            }
            Event::RunCompleted(_) | Event::RunIncomplete(_) => {
                need(stage == Working, "only a run at work is done")?;
                self.all_closed(event)?;
                Over
            }
            Event::RunFailed(_) | Event::RunExpired(_) | Event::RunCancelled(_) => {
                need(may_stop, "only an active run stops")?;
                need(
                    self.cancelling || !matches!(event, Event::RunCancelled(_)),
                    "a run is cancelling first",
                )?;
                self.all_closed(event)?;
                Over
            }
            Event::Error(_) => {
                need(
                    !matches!(stage, Over | Broken | Done),
                    "an error stands in place of the last run event",
                )?;
                Broken
            }
            Event::Done => {
                need(matches!(stage, Over | Broken), "`done` comes last, behind the last run event")?;
                Done
            }
            Event::Unknown { .. } => {
                need(stage != Done, "nothing comes behind `done`")?;
                stage
            }
            _ if stage == LeftOpen => {
                self.end_step_left_open(event)?;
                Resumed
            }
            _ => {
                // Text that came behind calls has its own step, cut off, if the run ends before it works again.
                let cut_off = stage == Resumed && self.fate.is_some();
                let resumed = stage == Queued && !self.used.is_empty();
                need(stage == Working || cut_off || resumed, "steps and messages belong to a run at work")?;
                self.step_event(event)?;
                let calls = self.step.is_some() && self.writes.is_none();
                need(stage == Working || !calls, "only a run at work calls tools")?;
                stage
            }
        };
        Ok(())
    }

    fn all_closed(&self, event: &Event) -> Legal {
        need(self.step.is_none() && self.message.is_none(), "all that is open ends before its run")?;
        let status = event.as_run().map(|run| &run.status);
        need(self.fate.is_none() || self.fate.as_ref() == status, "a run ends as its last step did")
    }

    /// The step that the stream before left open, as its run waited for outputs.
    fn end_step_left_open(&mut self, event: &Event) -> Legal {
        let ended = !matches!(event, Event::RunStepCreated(_) | Event::RunStepInProgress(_));
        let step = event.as_step().filter(|_| ended).ok_or("the step that waited for outputs ends first")?;
        if let Some(open) = self.step.take() {
            need(open.id == step.id, "the step that waited for outputs ends first")?;
        }
        self.used.insert(step.id.as_str().to_owned());
        self.fate = fate(step);
        Ok(())
    }

    fn step_event(&mut self, event: &Event) -> Legal {
        match event {
            Event::RunStepCreated(step) => {
                need(self.step.is_none(), "one step is open at a time")?;
                self.writes = written_by(step)?;
                self.step = Some(self.open(&step.id, step.id.as_str())?);
                Ok(())
            }
            Event::RunStepInProgress(step) => begin(&mut self.step, &step.id),
            Event::RunStepDelta(delta) => in_progress(&self.step, &delta.id),
            Event::MessageCreated(message) => {
                need(
                    self.step.as_ref().is_some_and(|step| step.in_progress),
                    "a message is written in an open step",
                )?;
                need(self.writes.as_ref() == Some(&message.id), "a step writes the message that it names")?;
                self.message = Some(self.open(&message.id, message.id.as_str())?);
                Ok(())
            }
            Event::MessageInProgress(message) => begin(&mut self.message, &message.id),
            Event::MessageDelta(delta) => in_progress(&self.message, &delta.id),
            Event::MessageCompleted(message) | Event::MessageIncomplete(message) => {
                let cut_off = matches!(event, Event::MessageIncomplete(_));
                need(self.stage == Stage::Working || cut_off, CUT_OFF)?;
                in_progress(&self.message, &message.id)?;
                self.message = None;
                Ok(())
            }
            _ => {
                let step = event.as_step().ok_or("no rule allows it")?;
                in_progress(&self.step, &step.id)?;
                need(self.message.is_none(), "a message ends before its step")?;
                need(self.stage == Stage::Working || fate(step).is_some(), CUT_OFF)?;
                let fate = fate(step).filter(|fate| !self.whole || *fate != RunStatus::Failed);
                // Text that came behind calls which were cut off is told of in a step of its own, cut off too.
                need(self.fate.is_none() || self.fate == fate, "a step ends as one that ended its run")?;
                (self.step, self.fate) = (None, fate);
                Ok(())
            }
        }
    }

    fn open<T: Clone>(&mut self, id: &T, text: &str) -> Result<Open<T>, &'static str> {
        need(self.used.insert(text.to_owned()), "an id is used once")?;
        Ok(Open { id: id.clone(), in_progress: false })
    }
}

fn need(holds: bool, rule: &'static str) -> Legal {
    if holds { Ok(()) } else { Err(rule) }
}

fn begin<T: PartialEq>(open: &mut Option<Open<T>>, id: &T) -> Legal {
    match open {
        Some(open) if open.id == *id && !open.in_progress => open.in_progress = true,
        _ => return Err("an object is in progress once, when it was just created"),
    }
    Ok(())
}

fn in_progress<T: PartialEq>(open: &Option<Open<T>>, id: &T) -> Legal {
    let named = open.as_ref().is_some_and(|open| open.id == *id && open.in_progress);
    need(named, "a part or an end belongs to the object that is open and in progress")
}
