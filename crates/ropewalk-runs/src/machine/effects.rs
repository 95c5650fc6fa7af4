use ropewalk_events::Event;
use ropewalk_types::{IdSource, Message, MessageStatus, RunStep, RunStepStatus, UnixSeconds};

use crate::{budget::Spent, server_tool::BuiltInTool};

/// What the machine may know of the world: the time, names for new objects, and which tools the server has.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The present.
    pub now: UnixSeconds,
    /// Where new ids come from.
    pub ids: &'a dyn IdSource,
    /// The tools that this server answers calls of.
    pub offered: &'a [BuiltInTool],
}

impl<'a> Context<'a> {
    /// This time and these names, on a server without tools.
    pub fn new(now: UnixSeconds, ids: &'a dyn IdSource) -> Self {
        Self { now, ids, offered: &[] }
    }

    /// On a server with these tools.
    #[must_use]
    pub fn offering(mut self, tools: &'a [BuiltInTool]) -> Self {
        self.offered = tools;
        self
    }
}

/// What one or more inputs ask for, in this order: store, tell, do.
#[derive(Debug, Default)]
pub struct Effects {
    /// Whether the run itself, or its state, has to be stored.
    pub run_changed: bool,
    /// Objects to store, oldest first; a later one replaces an earlier one with the same id.
    pub changes: Vec<Change>,
    /// Events to send once everything is stored.
    pub events: Vec<Event>,
    /// What to do then.
    pub next: Next,
    /// What a model call used that ended with this: to be counted when it is stored.
    pub(crate) spent: Option<Spent>,
    /// A model call is counted for the run's key as it begins: with this if nothing was spent yet, else before.
    pub(crate) prepaid: bool,
}

impl Effects {
    /// Whether there is anything to store.
    pub fn has_changes(&self) -> bool {
        self.run_changed || !self.changes.is_empty()
    }

    /// Takes over the metadata that somebody else gave to a message which waits to be stored.
    pub(crate) fn set_message_metadata(&mut self, stored: &Message) {
        for change in &mut self.changes {
            if let Change::Message(message) = change
                && message.id == stored.id
            {
                message.metadata.clone_from(&stored.metadata);
            }
        }
    }
}

/// An object as it has to be stored.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A run step.
    Step(RunStep),
    /// A message.
    Message(Message),
}

impl Change {
    /// Whether the object is closed with it.
    pub(crate) fn is_over(&self) -> bool {
        match self {
            Self::Step(step) => step.status != RunStepStatus::InProgress,
            Self::Message(message) => message.status != MessageStatus::InProgress,
        }
    }

    /// The object's id.
    pub fn id(&self) -> &str {
        match self {
            Self::Step(step) => step.id.as_str(),
            Self::Message(message) => message.id.as_str(),
        }
    }
}

/// What to do after storing and telling.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Next {
    /// Go on with what is under way.
    #[default]
    Continue,
    /// Call the model with the conversation as it now stands.
    CallModel,
    /// Have tools of the server answer [`Machine::unanswered`](super::Machine::unanswered).
    CallTools,
    /// Nothing, until outputs, a cancel or the deadline come.
    Park,
    /// Nothing ever: the run is over.
    End,
}
