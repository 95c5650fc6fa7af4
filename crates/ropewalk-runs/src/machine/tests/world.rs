//! A store and a reader that hold the machine to its promises, and what may happen to a run.

use std::{
    collections::{BTreeMap, HashMap},
    sync::atomic::{AtomicU64, Ordering},
};

use proptest::prelude::*;
use ropewalk_events::{Grammar, Snapshot};
use ropewalk_model::ToolCallPart;
use ropewalk_types::{
    Annotation, FileId, FileSearchCall, FileSearchResult, Id, IdSource, MessageContent, MessageId, RunStepId,
    TextContent, Tool, ToolOutput, UnixSeconds, Usage,
};

use super::super::*;
use crate::{
    file_path::WrittenFile,
    server_tool::{BuiltInTool, ToolRecord},
};

/// The tools of a server without `code_interpreter`.
const SEARCH_ALONE: &[BuiltInTool] = &[BuiltInTool::FileSearch];

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
pub(super) enum Act {
    Claim,
    Say(ModelEvent),
    EndTurn,
    FailModel,
    /// A tool of the server answers the nth call that waits, with results or without.
    Answer {
        nth: usize,
        found: bool,
    },
    /// The nth call that waits prints or draws, if it is one of code.
    Progress {
        nth: usize,
        draws: bool,
    },
    /// An answer to a call that does not wait.
    AnswerWrong,
    FailTool,
    SubmitAll {
        stream: bool,
    },
    SubmitWrong,
    RequestCancel,
    DeliverCancel,
    PassDeadline,
    ReachLimit,
    Crash,
}

fn model_event() -> impl Strategy<Value = ModelEvent> {
    let name = prop_oneof![8 => "f|g", 8 => Just("file_search".to_owned()), 3 => Just("code_interpreter".to_owned())];
    let part = (
        0..3_u32,
        proptest::option::of(0..3_u8),
        proptest::option::weighted(0.9, name),
        "[{}a\"]{0,3}|\\{\"code\":\"|é\\\\n",
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
        6 => "[a-zé ]{0,5}|【[0-3]:0†a.txt】|【[0-3]:0|†a.txt】|sandbox:/mnt/data/a.csv|sandbox:/mnt/|data/a.csv".prop_map(ModelEvent::Text),
        1 => "no".prop_map(ModelEvent::Refusal),
        5 => part,
        2 => finish.prop_map(ModelEvent::Finish),
        2 => usage,
    ]
}

pub(super) fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => Just(Act::Claim),
        20 => model_event().prop_map(Act::Say),
        5 => Just(Act::EndTurn),
        1 => Just(Act::FailModel),
        6 => (0..3_usize, any::<bool>()).prop_map(|(nth, found)| Act::Answer { nth, found }),
        4 => (0..3_usize, any::<bool>()).prop_map(|(nth, draws)| Act::Progress { nth, draws }),
        1 => Just(Act::AnswerWrong),
        1 => Just(Act::FailTool),
        5 => any::<bool>().prop_map(|stream| Act::SubmitAll { stream }),
        1 => Just(Act::SubmitWrong),
        1 => Just(Act::RequestCancel),
        2 => Just(Act::DeliverCancel),
        1 => Just(Act::PassDeadline),
        1 => Just(Act::ReachLimit),
        1 => Just(Act::Crash),
    ]
}

/// A store and a reader, both as strict as they can be.
pub(super) struct World {
    ids: Counter,
    now: UnixSeconds,
    offered: &'static [BuiltInTool],
    pub(super) machine: Machine,
    pub(super) run: Run,
    state: RunState,
    pub(super) steps: BTreeMap<RunStepId, RunStep>,
    server_calls: ServerCalls,
    pub(super) messages: HashMap<MessageId, Message>,
    /// What tools of the server said, by step and call, once it was stored.
    answers: BTreeMap<(RunStepId, ToolCallId), String>,
    /// The stream of the current round, if its reader is still there.
    reader: Option<(Grammar, Snapshot)>,
    /// A cancel is committed but not yet delivered.
    cancelling: bool,
    /// What model calls reported, ended turns only.
    usage: Usage,
    turn_usage: Option<Usage>,
}

impl World {
    pub(super) fn new() -> Self {
        Self::offering(SEARCH_ALONE)
    }

    pub(super) fn offering(offered: &'static [BuiltInTool]) -> Self {
        let now = UnixSeconds(1000);
        let ids = Counter::default();
        let mut run =
            Run::new("run_1".into(), "thread_1".into(), "asst_1".into(), "m".into(), now, now.plus(600));
        run.tools = vec![Tool::CodeInterpreter, Tool::FileSearch { file_search: None }];
        let mut world = Self {
            ids,
            now,
            offered,
            machine: Machine::new(run.clone()),
            run,
            state: RunState::default(),
            steps: BTreeMap::new(),
            server_calls: ServerCalls::new(),
            messages: HashMap::new(),
            answers: BTreeMap::new(),
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
        let context = Context::new(self.now, &self.ids).offering(self.offered);
        self.machine.handle(input, &context, &mut effects);
        self.settle(effects);
    }

    /// Stores, then tells.
    fn settle(&mut self, mut effects: Effects) {
        if effects.has_changes() && std::mem::take(&mut self.cancelling) {
            let context = Context::new(self.now, &self.ids).offering(self.offered);
            self.machine.overtaken_by_cancel(&context, &mut effects);
        }
        let over = self.run.status.is_terminal();
        assert!(!(over && effects.has_changes()), "something was stored after the end");
        if effects.run_changed {
            self.run = self.machine.run().clone();
            self.state = self.machine.state().clone();
        }
        for change in effects.changes {
            match change {
                Change::Step(step) => {
                    let calls = self.machine.server_calls().of(&step.id);
                    self.server_calls.insert(step.id.clone(), calls.to_vec());
                    self.steps.insert(step.id.clone(), step);
                }
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
            let mut stored = self.steps[&step.id].clone();
            if stored.status == RunStepStatus::InProgress {
                // What a search found is told when its step is over.
                forget_results(&mut stored);
            }
            assert_eq!(step, &stored);
        }
    }

    fn invariants(&self) {
        let open = self.steps.values().filter(|step| step.status == RunStepStatus::InProgress).count();
        let writing =
            self.messages.values().filter(|message| message.status == MessageStatus::InProgress).count();
        assert!(open <= 1 && writing <= open, "{open} steps and {writing} messages are open");
        let waits = self.run.status == RunStatus::RequiresAction;
        assert_eq!(self.run.required_action.is_some(), waits);
        let unanswered = self.machine.unanswered().count();
        assert_eq!(self.machine.state().answering, unanswered > 0);
        assert!(
            unanswered == 0 || !waits && open == 1,
            "calls wait for tools of the server, and {open} steps are open"
        );
        self.answers_are_kept();
        self.citations_are_true();
        self.figures_are_shown_once();
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

    /// What was answered and stored is neither lost nor asked again, and no two answers stand at one place.
    fn answers_are_kept(&self) {
        let mut positions = Vec::new();
        for step in self.steps.values() {
            for call in self.machine.server_calls().of(&step.id) {
                let answer = self.answers.get(&(step.id.clone(), call.id.clone()));
                assert!(answer.is_none() || call.output.as_ref() == answer, "an answer was lost");
                if call.output.is_some() {
                    positions.push(call.position);
                }
            }
        }
        let all = positions.len();
        positions.sort_unstable();
        positions.dedup();
        assert_eq!(positions.len(), all, "two answers stand at one place");
    }

    /// Every annotation is the text at its place, and cites what a search found.
    fn citations_are_true(&self) {
        for message in self.messages.values() {
            for part in &message.content {
                let MessageContent::Text { text } = part else { continue };
                for annotation in &text.annotations {
                    let (marker, start_index, end_index, file, of) = match annotation {
                        Annotation::FileCitation { text, start_index, end_index, file_citation } => {
                            (text, start_index, end_index, file_citation, "file-a")
                        }
                        Annotation::FilePath { text, start_index, end_index, file_path } => {
                            (text, start_index, end_index, file_path, "file-w")
                        }
                        other => panic!("{other:?}"),
                    };
                    let (start, end) = (*start_index as usize, *end_index as usize);
                    let place: String = text.value.chars().skip(start).take(end - start).collect();
                    assert_eq!(&place, marker);
                    assert_eq!(file.file_id.as_str(), of);
                    assert!(
                        self.answers.values().any(|answer| answer.contains(marker)),
                        "{marker} was never shown"
                    );
                }
            }
        }
    }

    /// No figure stands in two messages that came to their end.
    fn figures_are_shown_once(&self) {
        let whole = self.messages.values().filter(|message| message.status == MessageStatus::Completed);
        let figures = whole.flat_map(|message| &message.content).filter_map(|part| match part {
            MessageContent::ImageFile { image_file } => Some(&image_file.file_id),
            _ => None,
        });
        let mut figures: Vec<_> = figures.collect();
        let all = figures.len();
        figures.sort_unstable();
        figures.dedup();
        assert_eq!(figures.len(), all, "a figure is shown twice");
    }

    fn progress(&mut self, nth: usize, draws: bool) {
        let waiting: Vec<ServerCall> = self.machine.unanswered().cloned().collect();
        let Some(call) = waiting.get(nth % waiting.len().max(1)) else { return };
        let progress = match draws {
            true => ToolProgress::Image(FileId::mint(&self.ids)),
            false => ToolProgress::Logs("printed".to_owned()),
        };
        self.input(Input::Progressed { call: call.id.clone(), progress });
    }

    fn answer(&mut self, nth: usize, found: bool) {
        let waiting: Vec<ServerCall> = self.machine.unanswered().cloned().collect();
        if waiting.is_empty() {
            return;
        }
        let call = &waiting[nth % waiting.len()];
        let search = FileSearchCall {
            ranking_options: None,
            results: Some(vec![FileSearchResult {
                file_id: "file-a".into(),
                file_name: "a.txt".to_owned(),
                score: 0.5,
                content: Some(vec![TextContent::Text { text: "A passage.".to_owned() }]),
            }]),
        };
        let answer = if call.tool == BuiltInTool::CodeInterpreter {
            let written = WrittenFile { path: "a.csv".to_owned(), file_id: "file-w".into() };
            ToolAnswer { files: vec![written], ..ToolAnswer::text("sandbox:/mnt/data/a.csv") }
        } else if found {
            let output = crate::citation::shown(call.position, &search);
            ToolAnswer { record: Some(ToolRecord::FileSearch(search)), output, files: Vec::new() }
        } else {
            ToolAnswer::text("The search failed.")
        };
        let step = self.machine.open_step().unwrap().id.clone();
        // An answer that a cancel overtook is stored with the step that it ended in; text that waited for it is committed
        // beside it.
        self.answers.insert((step, call.id.clone()), answer.output.clone());
        self.input(Input::Answered { call: call.id.clone(), answer });
    }

    pub(super) fn act(&mut self, act: Act) {
        let working = self.machine.is_models_turn();
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
            Act::Answer { nth, found } => self.answer(nth, found),
            Act::Progress { nth, draws } => self.progress(nth, draws),
            Act::AnswerWrong => {
                let before = (self.machine.run().clone(), self.machine.steps().to_vec());
                let (call, answer) = ("call_nobody".into(), ToolAnswer::text("?"));
                self.input(Input::Answered { call, answer });
                assert_eq!((self.machine.run().clone(), self.machine.steps().to_vec()), before);
            }
            Act::FailTool if self.machine.unanswered().next().is_some() => {
                self.input(Input::ToolFailed(Failure::server("expired")));
            }
            Act::FailTool => {}
            Act::SubmitAll { stream } => self.submit(stream),
            Act::SubmitWrong => {
                let before = self.machine.run().clone();
                let wrong = [ToolOutput::new("call_nobody", "1")];
                let mut effects = Effects::default();
                let context = Context::new(self.now, &self.ids).offering(self.offered);
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
            Act::ReachLimit => self.input(Input::LimitReached(RunIncompleteReason::MaxSeconds)),
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
        let context = Context::new(self.now, &self.ids).offering(self.offered);
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
        let state = serde_json::from_slice(&serde_json::to_vec(&self.state).unwrap()).unwrap();
        self.machine = Machine::restore(self.run.clone(), steps, self.server_calls.clone(), open, state);
        self.input(Input::Recovered);
    }
}

fn forget_results(step: &mut RunStep) {
    if let StepDetails::ToolCalls { tool_calls } = &mut step.step_details {
        for call in tool_calls {
            if let ToolCallRecord::FileSearch { file_search, .. } = call {
                *file_search = FileSearchCall::default();
            }
        }
    }
}
