use ropewalk_store::Batch;
use ropewalk_types::{Budget, Message, Run, RunStepInclude, Thread};

use crate::{BusyPolicy, RunStream, TraceParent};

/// A run to make.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// The run, `queued`.
    pub run: Run,
    /// Its thread, if that is to be made with it.
    pub thread: Option<Thread>,
    /// Messages to add to the thread first, in order.
    pub messages: Vec<Message>,
    /// Whether somebody will read its events.
    pub stream: bool,
    /// What its events tell of steps besides the usual.
    pub include: Vec<RunStepInclude>,
    /// Names the key that it is made with, for the [`Meter`](crate::Meter).
    pub key: Option<String>,
    /// What all runs made with that key may use together.
    pub key_budget: Option<Budget>,
    /// The trace that it is asked for in: all spans of it are part of that, whoever drives it when.
    pub traceparent: Option<TraceParent>,
    /// What else is to be stored with it.
    pub also: Batch,
    /// What happens if its thread is busy; it is refused unless told.
    pub busy: BusyPolicy,
}

impl NewRun {
    /// `run` on its thread as it is, without a reader.
    pub fn new(run: Run) -> Self {
        Self {
            run,
            thread: None,
            messages: Vec::new(),
            stream: false,
            include: Vec::new(),
            key: None,
            key_budget: None,
            traceparent: None,
            also: Batch::new(),
            busy: BusyPolicy::Reject,
        }
    }
}

/// A run that was started, or goes on.
#[derive(Debug)]
pub struct Started {
    /// As it was committed.
    pub run: Run,
    /// Its events, if asked for.
    pub stream: Option<RunStream>,
}
