//! Any interleaving of inputs leaves the machine in a legal state, with a legal sequence of events.

use std::{
    collections::{BTreeMap, HashMap},
    sync::atomic::{AtomicU64, Ordering},
};

use proptest::{collection::vec, prelude::*};
use ropewalk_events::{Grammar, Snapshot};
use ropewalk_model::ToolCallPart;
use ropewalk_types::{IdSource, MessageContent, MessageId, RunStepId, ToolOutput, UnixSeconds, Usage};

use super::*;

/// Ids in order, so that a failing schedule reads well.
#[derive(Default)]
struct Counter(AtomicU64);

impl IdSource for Counter {
    fn body(&self) -> String {
        format!("{:024}", self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// One thing that the world may do to a run, at any moment.
#[derive(Debug, Clone)]
enum Act {
    Claim,
    Say(ModelEvent),
    EndTurn,
    FailModel,
    SubmitAll { stream: bool },
    SubmitWrong,
    RequestCancel,
    DeliverCancel,
    PassDeadline,
    Crash,
}

fn model_event() -> impl Strategy<Value = ModelEvent> {
    let part = (
        0..3_u32,
        proptest::option::of(0..3_u8),
        proptest::option::of("f|g|code_interpreter"),
        "[{}a\"]{0,3}",
    )
        .prop_map(|(index, id, name, arguments)| {
            ModelEvent::ToolCall(ToolCallPart {
                index,
                id: id.map(|id| format!("call_{id}")),
                name,
                arguments,
            })
        });
    let finish = prop_oneof![
        6 => Just(FinishReason::Stop),
        2 => Just(FinishReason::ToolCalls),
        1 => Just(FinishReason::Length),
        1 => Just(FinishReason::ContentFilter),
    ];
    let usage = (1..50_u64, 1..50_u64).prop_map(|(prompt_tokens, completion_tokens)| {
        let total_tokens = prompt_tokens + completion_tokens;
        ModelEvent::Usage(Usage { prompt_tokens, completion_tokens, total_tokens })
    });
    prop_oneof![
        6 => "[a-zé ]{0,5}".prop_map(ModelEvent::Text),
        1 => "no".prop_map(ModelEvent::Refusal),
        5 => part,
        2 => finish.prop_map(ModelEvent::Finish),
        2 => usage,
    ]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => Just(Act::Claim),
        20 => model_event().prop_map(Act::Say),
        5 => Just(Act::EndTurn),
        1 => Just(Act::FailModel),
        5 => any::<bool>().prop_map(|stream| Act::SubmitAll { stream }),
        1 => Just(Act::SubmitWrong),
        1 => Just(Act::RequestCancel),
        2 => Just(Act::DeliverCancel),
        1 => Just(Act::PassDeadline),
        1 => Just(Act::Crash),
    ]
}

/// A store and a reader, both as strict as they can be.
struct World {
    ids: Counter,
    now: UnixSeconds,
    machine: Machine,
    run: Run,
    steps: BTreeMap<RunStepId, RunStep>,
    messages: HashMap<MessageId, Message>,
    /// The stream of the current round, if its reader is still there.
    reader: Option<(Grammar, Snapshot)>,
    /// A cancel is committed but not yet delivered.
    cancelling: bool,
    /// What model calls reported, ended turns only.
    usage: Usage,
    turn_usage: Option<Usage>,
}

impl World {
    fn new() -> Self {
        let now = UnixSeconds(1000);
        let ids = Counter::default();
        let mut run =
            Run::new("run_1".into(), "thread_1".into(), "asst_1".into(), "m".into(), now, now.plus(600));
        run.tools = vec![ropewalk_types::Tool::CodeInterpreter];
        let mut world = Self {
            ids,
            now,
            machine: Machine::new(run.clone()),
            run,
            steps: BTreeMap::new(),
            messages: HashMap::new(),
            reader: Some((Grammar::create_run(), Snapshot::new())),
            cancelling: false,
            usage: Usage::default(),
            turn_usage: None,
        };
        world.input(Input::Created);
        world
    }

    fn input(&mut self, input: Input) {
        let mut effects = Effects::default();
        let context = Context { now: self.now, ids: &self.ids };
        self.machine.handle(input, &context, &mut effects);
        self.settle(effects);
    }

    /// Stores, then tells.
    fn settle(&mut self, mut effects: Effects) {
        if effects.has_changes() && std::mem::take(&mut self.cancelling) {
            let context = Context { now: self.now, ids: &self.ids };
            self.machine.overtaken_by_cancel(&context, &mut effects);
        }
        let over = self.run.status.is_terminal();
        assert!(!(over && effects.has_changes()), "something was stored after the end");
        if effects.run_changed {
            self.run = self.machine.run().clone();
        }
        for change in effects.changes {
            match change {
                Change::Step(step) => drop(self.steps.insert(step.id.clone(), step)),
                Change::Message(message) => drop(self.messages.insert(message.id.clone(), message)),
            }
        }
        for event in &effects.events {
            self.told(event);
        }
        let ends = matches!(effects.next, Next::Park | Next::End);
        if ends && let Some((mut grammar, snapshot)) = self.reader.take() {
            grammar.accept(&Event::Done).unwrap();
            assert!(grammar.is_finished());
            self.snapshot_is_what_is_stored(&snapshot);
        }
        self.invariants();
    }

    /// What a client is told is what is stored.
    fn told(&mut self, event: &Event) {
        if let Some(step) = event.as_step() {
            assert!(self.steps.contains_key(&step.id), "told of a step that is not stored");
        }
        if let Some(message) = event.as_message() {
            assert!(self.messages.contains_key(&message.id), "told of a message that is not stored");
        }
        if let Some((grammar, snapshot)) = &mut self.reader {
            grammar.accept(event).unwrap();
            snapshot.apply(event).unwrap();
        }
    }

    /// The deltas of a stream add up to the objects that were committed.
    fn snapshot_is_what_is_stored(&self, snapshot: &Snapshot) {
        assert_eq!(snapshot.run().unwrap(), &self.run);
        for message in snapshot.messages() {
            assert_eq!(message, &self.messages[&message.id]);
        }
        for step in snapshot.steps() {
            assert_eq!(step, &self.steps[&step.id]);
        }
    }

    fn invariants(&self) {
        let open = self.steps.values().filter(|step| step.status == RunStepStatus::InProgress).count();
        let writing =
            self.messages.values().filter(|message| message.status == MessageStatus::InProgress).count();
        assert!(open <= 1 && writing <= open, "{open} steps and {writing} messages are open");
        let waits = self.run.status == RunStatus::RequiresAction;
        assert_eq!(self.run.required_action.is_some(), waits);
        if waits {
            assert_eq!(open, 1);
            let wanted = &self.run.required_action.as_ref().unwrap().submit_tool_outputs.tool_calls;
            assert!(!wanted.is_empty());
        }
        if self.run.status.is_terminal() {
            assert_eq!((open, writing), (0, 0), "a run is over but its objects are not");
            let mut usage = self.usage;
            usage += self.turn_usage.unwrap_or_default();
            assert_eq!(self.run.usage, Some(usage));
            assert_eq!(self.run.expires_at, None);
        }
        assert_eq!(self.run.status == RunStatus::Failed, self.run.last_error.is_some());
        assert_eq!(self.run.status == RunStatus::Incomplete, self.run.incomplete_details.is_some());
    }

    fn act(&mut self, act: Act) {
        let working = self.machine.run().status == RunStatus::InProgress;
        match act {
            Act::Claim => self.input(Input::Claimed),
            Act::Say(event) => {
                if let ModelEvent::Usage(usage) = &event
                    && working
                {
                    self.turn_usage = Some(*usage);
                }
                self.input(Input::Model(event));
            }
            Act::EndTurn => {
                if working {
                    self.usage += self.turn_usage.take().unwrap_or_default();
                }
                self.input(Input::ModelEnded);
            }
            Act::FailModel => self.input(Input::ModelFailed(Failure::server("broken"))),
            Act::SubmitAll { stream } => self.submit(stream),
            Act::SubmitWrong => {
                let before = self.machine.run().clone();
                let wrong = [ToolOutput::new("call_nobody", "1")];
                let mut effects = Effects::default();
                let context = Context { now: self.now, ids: &self.ids };
                assert!(self.machine.submit(&wrong, &context, &mut effects).is_err());
                assert!(!effects.has_changes() && effects.events.is_empty());
                assert_eq!(self.machine.run(), &before);
            }
            Act::RequestCancel => {
                // Another process: it sees only what is stored.
                let mut other = Machine::new(self.run.clone());
                if self.run.status == RunStatus::RequiresAction {
                    // Nobody drives a run that waits: the next worker ends it.
                    if other.request_cancel(&mut Effects::default()).is_ok() {
                        self.run = other.run().clone();
                        self.crash();
                    }
                    return;
                }
                if other.request_cancel(&mut Effects::default()).is_ok() {
                    self.run = other.run().clone();
                    self.cancelling = true;
                }
            }
            Act::DeliverCancel if self.cancelling => {
                self.cancelling = false;
                self.input(Input::Cancelled);
            }
            Act::DeliverCancel => {}
            Act::PassDeadline => self.input(Input::DeadlinePassed),
            Act::Crash => self.crash(),
        }
    }

    fn submit(&mut self, stream: bool) {
        if self.run.status != RunStatus::RequiresAction {
            return;
        }
        let ids: Vec<String> = self.machine.waiting_for().map(str::to_owned).collect();
        let outputs: Vec<ToolOutput> =
            ids.iter().rev().map(|id| ToolOutput::new(id.as_str(), format!("out of {id}"))).collect();
        let mut effects = Effects::default();
        let context = Context { now: self.now, ids: &self.ids };
        self.machine.submit(&outputs, &context, &mut effects).unwrap();
        if stream {
            // The reader saw the step in the stream before.
            let mut snapshot = Snapshot::new();
            snapshot.apply(&Event::of_run(self.run.clone())).unwrap();
            self.reader = Some((Grammar::submit_tool_outputs(), snapshot));
            self.machine.handle(Input::Claimed, &context, &mut effects);
        }
        self.turn_usage = None;
        self.settle(effects);
        for step in self.steps.values() {
            let StepDetails::ToolCalls { tool_calls } = &step.step_details else { continue };
            for call in tool_calls {
                if let ToolCallRecord::Function { id, function } = call
                    && ids.iter().any(|wanted| wanted == id.as_str())
                    && step.status == RunStepStatus::Completed
                {
                    assert!(function.output.is_some(), "an acknowledged output was lost");
                }
            }
        }
    }

    /// The process dies: what was not stored is gone, the reader too, and another worker goes on.
    fn crash(&mut self) {
        self.reader = None;
        if !self.run.status.is_terminal() {
            self.turn_usage = None;
        }
        self.cancelling = false;
        let steps: Vec<RunStep> = self.steps.values().cloned().collect();
        let open =
            self.messages.values().find(|message| message.status == MessageStatus::InProgress).cloned();
        let state = serde_json::to_vec(self.machine.state()).unwrap();
        let state = serde_json::from_slice(&state).unwrap();
        self.machine = Machine::restore(self.run.clone(), steps, open, state);
        self.input(Input::Recovered);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    /// Whatever happens in whatever order: legal states, legal events, and an end that can always be reached.
    #[test]
    fn every_schedule_is_legal(acts in vec(act(), 0..60)) {
        let mut world = World::new();
        for act in acts {
            world.act(act);
        }
        world.act(Act::PassDeadline);
        prop_assert!(world.run.status.is_terminal());
    }

    /// However an answer is cut into deltas, the committed message is the whole of it.
    #[test]
    fn deltas_add_up(pieces in vec("[a-zé ]{1,6}", 1..40)) {
        let mut world = World::new();
        world.act(Act::Claim);
        for piece in &pieces {
            world.act(Act::Say(ModelEvent::Text(piece.clone())));
        }
        world.act(Act::EndTurn);
        prop_assert_eq!(&world.run.status, &RunStatus::Completed);
        let message = world.messages.values().next().unwrap();
        prop_assert_eq!(message.text(), pieces.concat());
    }
}

fn part(index: u32, name: &str, arguments: &str) -> Act {
    let id = Some(format!("call_{index}"));
    Act::Say(ModelEvent::ToolCall(ToolCallPart {
        index,
        id,
        name: Some(name.to_owned()),
        arguments: arguments.to_owned(),
    }))
}

fn say(text: &str) -> Act {
    Act::Say(ModelEvent::Text(text.to_owned()))
}

#[test]
fn text_behind_tool_calls_becomes_a_message_once_they_are_answered() {
    let mut world = World::new();
    for act in [Act::Claim, part(0, "f", "{}"), say("By the way."), Act::EndTurn] {
        world.act(act);
    }
    assert_eq!(world.run.status, RunStatus::RequiresAction);
    world.act(Act::SubmitAll { stream: true });
    let texts: Vec<String> = world.messages.values().map(Message::text).collect();
    assert_eq!(texts, ["By the way."]);
    assert_eq!(world.run.status, RunStatus::InProgress);
}

#[test]
fn a_run_fails_clearly_when_the_model_calls_a_tool_that_is_not_there() {
    let mut world = World::new();
    for act in [Act::Claim, say("Let me compute."), part(0, "code_interpreter", "{}")] {
        world.act(act);
    }
    assert_eq!(world.run.status, RunStatus::Failed);
    let message = &world.run.last_error.as_ref().unwrap().message;
    assert!(message.contains("`code_interpreter`"), "{message}");
}

#[test]
fn an_interrupted_answer_is_closed_and_written_anew() {
    let mut world = World::new();
    for act in [Act::Claim, say("Half an ans"), Act::Crash, say("A whole answer."), Act::EndTurn] {
        world.act(act);
    }
    assert_eq!(world.run.status, RunStatus::Completed);
    let mut texts: Vec<(MessageStatus, usize)> =
        world.messages.values().map(|message| (message.status.clone(), message.content.len())).collect();
    texts.sort_by_key(|(_, parts)| *parts);
    // What was streamed but not committed is lost with the process; the empty message stays, marked.
    assert_eq!(texts, [(MessageStatus::Incomplete, 0), (MessageStatus::Completed, 1)]);
}

#[test]
fn calls_without_an_id_or_with_a_repeated_one_get_ids_of_their_own() {
    let call = |index, id: Option<&str>| {
        Act::Say(ModelEvent::ToolCall(ToolCallPart {
            index,
            id: id.map(str::to_owned),
            name: Some("f".to_owned()),
            arguments: "{}".to_owned(),
        }))
    };
    let mut world = World::new();
    for act in [Act::Claim, call(0, None), call(1, Some("call_x")), call(2, Some("call_x")), Act::EndTurn] {
        world.act(act);
    }
    let mut ids: Vec<&str> = world.machine.waiting_for().collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 3);
}

#[test]
fn a_refusal_is_a_part_of_its_own() {
    let mut world = World::new();
    for act in [Act::Claim, Act::Say(ModelEvent::Refusal("I can't.".to_owned())), Act::EndTurn] {
        world.act(act);
    }
    let message = world.messages.values().next().unwrap();
    assert_eq!(message.content, [MessageContent::Refusal { refusal: "I can't.".to_owned() }]);
}
