//! One turn of the model: text and tool calls as they come, into steps, messages and deltas.

use std::collections::HashMap;

use ropewalk_events::Event;
use ropewalk_model::{FinishReason, ModelEvent, ToolCallPart};
use ropewalk_types::{
    AnnotationDelta, CodeOutput, ContentDelta, FileId, FunctionCall, FunctionCallRecord, FunctionDelta,
    FunctionWord, Id, ImageDetail, ImageFile, Message, MessageContent, MessageCreation, MessageDelta,
    MessageDeltaBody, MessageDeltaWord, MessageId, RunIncompleteReason, RunStep, RunStepDelta,
    RunStepDeltaBody, RunStepDeltaWord, RunStepId, RunStepKind, RunStepStatus, StepDetails, StepDetailsDelta,
    Text, TextDelta, ToolCall, ToolCallDelta, ToolCallId, ToolCallRecord, UnixSeconds, Update, Usage,
};

use super::{Change, Context, Effects, Machine, ending::Ending};
use crate::{citation::Annotator, code_input::CodeReader, file_path::PathFinder, server_tool::BuiltInTool};

/// Room for an answer from the start, in bytes: most fit, and many that grow at once do not riddle the heap with what they
/// outgrew.
const USUAL_ANSWER: usize = 4096;

/// What the current turn has brought so far besides text.
#[derive(Debug, Clone, Default)]
pub(super) struct Turn {
    /// The upstream's index of each call, in order of first appearance: ours are dense.
    calls: Vec<u32>,
    /// Readers of the code that calls bring, by their place in the step.
    pub(super) code: HashMap<usize, CodeReader>,
    /// How many messages the model was shown.
    pub(super) prompted: u64,
    pub(super) usage: Option<Usage>,
    pub(super) finish: Option<FinishReason>,
    /// Which limit the model reaches if it stops because it may write no more.
    pub(super) cap: Option<RunIncompleteReason>,
}

impl Turn {
    pub(super) fn has_calls(&self) -> bool {
        !self.calls.is_empty()
    }
}

/// The calls of a step that the caller answers, as `required_action` lists them.
pub(super) fn calls_of(step: &RunStep) -> Vec<ToolCall> {
    let StepDetails::ToolCalls { tool_calls } = &step.step_details else { return Vec::new() };
    let call = |record: &ToolCallRecord| match record {
        ToolCallRecord::Function { id, function } => Some(ToolCall {
            id: id.clone(),
            kind: FunctionWord::Word,
            function: FunctionCall { name: function.name.clone(), arguments: function.arguments.clone() },
        }),
        _ => None,
    };
    tool_calls.iter().filter_map(call).collect()
}

impl Machine {
    pub(super) fn model_said(&mut self, event: ModelEvent, context: &Context<'_>, effects: &mut Effects) {
        match event {
            ModelEvent::Text(text) if text.is_empty() => {}
            // A step with calls stays open until they are answered, and only one step may be open.
            ModelEvent::Text(text) | ModelEvent::Refusal(text) if self.turn.has_calls() => {
                self.state.late_text.push_str(&text);
            }
            ModelEvent::Text(text) => self.add_text(text, context, effects),
            ModelEvent::Refusal(text) => self.add_refusal(text, context, effects),
            ModelEvent::ToolCall(part) => self.add_call_part(part, context, effects),
            ModelEvent::Usage(usage) => self.turn.usage = Some(usage),
            ModelEvent::Finish(reason) => self.turn.finish = Some(reason),
            _ => {}
        }
    }

    pub(super) fn add_text(&mut self, text: String, context: &Context<'_>, effects: &mut Effects) {
        self.ensure_message(context, effects);
        let Self { message, annotator, paths, server_calls, steps, .. } = self;
        let Some(message) = message else { return };
        let first = !matches!(message.content.last(), Some(MessageContent::Text { .. }));
        if first {
            let mut text = Text::default();
            text.value.reserve(USUAL_ANSWER);
            message.content.push(MessageContent::Text { text });
            *annotator = Annotator::default();
            *paths = PathFinder::new(server_calls.written(steps));
        }
        let index = message.content.len() as u64 - 1;
        let Some(MessageContent::Text { text: whole }) = message.content.last_mut() else { return };
        whole.value.push_str(&text);
        let known = whole.annotations.len();
        if !server_calls.is_empty() {
            let found = annotator.read(&text, |marker| server_calls.cited(marker, steps));
            whole.annotations.extend(found);
            whole.annotations.extend(paths.read(&text));
        }
        let new = whole.annotations.iter().enumerate().skip(known);
        let new: Vec<_> = new.map(|(at, whole)| AnnotationDelta::whole(at as u64, whole)).collect();
        let annotations = (first || !new.is_empty()).then_some(new);
        let part = ContentDelta::Text { index, text: Some(TextDelta { value: Some(text), annotations }) };
        effects.events.push(message_delta(message.id.clone(), part));
    }

    /// Tells of a path that the text of the open message ends with.
    pub(super) fn end_text(&mut self, effects: &mut Effects) {
        let Some(message) = &mut self.message else { return };
        let index = message.content.len().saturating_sub(1) as u64;
        let Some(MessageContent::Text { text }) = message.content.last_mut() else { return };
        let Some(annotation) = self.paths.end() else { return };
        let delta = AnnotationDelta::whole(text.annotations.len() as u64, &annotation);
        text.annotations.push(annotation);
        let text = Some(TextDelta { value: None, annotations: Some(vec![delta]) });
        effects.events.push(message_delta(message.id.clone(), ContentDelta::Text { index, text }));
    }

    /// Makes a message of what the model wrote behind calls that are answered now.
    pub(super) fn say_late_text(&mut self, context: &Context<'_>, effects: &mut Effects) {
        let text = std::mem::take(&mut self.state.late_text);
        if !text.is_empty() {
            self.add_text(text, context, effects);
            self.close_message(None, context, effects);
            self.close_step(RunStepStatus::Completed, None, None, context, effects);
        }
    }

    fn add_refusal(&mut self, text: String, context: &Context<'_>, effects: &mut Effects) {
        self.ensure_message(context, effects);
        let Some(message) = &mut self.message else { return };
        match message.content.last_mut() {
            Some(MessageContent::Refusal { refusal }) => refusal.push_str(&text),
            _ => message.content.push(MessageContent::Refusal { refusal: text.clone() }),
        }
        let index = message.content.len() as u64 - 1;
        let part = ContentDelta::Refusal { index, refusal: Some(text) };
        effects.events.push(message_delta(message.id.clone(), part));
    }

    fn ensure_message(&mut self, context: &Context<'_>, effects: &mut Effects) {
        if self.open_message().is_some() {
            return;
        }
        let id = MessageId::mint(context.ids);
        let details =
            StepDetails::MessageCreation { message_creation: MessageCreation { message_id: id.clone() } };
        self.begin_step(details, context, effects);
        let run = &self.run;
        let message = Message::begun_by(
            run.id.clone(),
            run.assistant_id.clone(),
            id,
            run.thread_id.clone(),
            self.next_begins_at(context),
        );
        effects.changes.push(Change::Message(message.clone()));
        effects.events.push(Event::MessageCreated(Box::new(message.clone())));
        effects.events.push(Event::MessageInProgress(Box::new(message.clone())));
        let figures =
            self.figures().map(|file_id| ImageFile { file_id, detail: Some(ImageDetail::Auto) }).collect();
        self.message = Some(message);
        self.show(figures, effects);
    }

    /// Puts figures before the text of a new message (contract: BEHAVIOUR 9).
    fn show(&mut self, figures: Vec<ImageFile>, effects: &mut Effects) {
        let Some(message) = &mut self.message else { return };
        for image_file in figures {
            let index = message.content.len() as u64;
            let part = ContentDelta::ImageFile { index, image_file: Some(image_file.clone()) };
            effects.events.push(message_delta(message.id.clone(), part));
            message.content.push(MessageContent::ImageFile { image_file });
        }
    }

    /// What calls drew since the last message that came to its end.
    fn figures(&self) -> impl Iterator<Item = FileId> {
        let is_said = |step: &&RunStep| {
            step.kind == RunStepKind::MessageCreation && step.status == RunStepStatus::Completed
        };
        let said = self.steps.iter().rposition(|step| is_said(&step)).map_or(0, |said| said + 1);
        let outputs = self.steps[said..].iter().flat_map(|step| match &step.step_details {
            StepDetails::ToolCalls { tool_calls } => tool_calls.as_slice(),
            _ => &[],
        });
        let outputs = outputs.flat_map(|record| match record {
            ToolCallRecord::CodeInterpreter { code_interpreter, .. } => code_interpreter.outputs.as_slice(),
            _ => &[],
        });
        outputs.filter_map(|output| match output {
            CodeOutput::Image { image } => Some(image.file_id.clone()),
            _ => None,
        })
    }

    fn add_call_part(&mut self, part: ToolCallPart, context: &Context<'_>, effects: &mut Effects) {
        let position = self.turn.calls.iter().position(|index| *index == part.index);
        let index = match position {
            Some(position) => position,
            None => match self.begin_call(&part, context, effects) {
                Some(position) => position,
                None => return,
            },
        };
        if position.is_some() && part.arguments.is_empty() {
            return;
        }
        let Some(step) = self.steps.last_mut() else { return };
        let StepDetails::ToolCalls { tool_calls } = &mut step.step_details else { return };
        let (id, function) = match tool_calls.get_mut(index) {
            Some(ToolCallRecord::Function { id, function }) => (id, function),
            Some(_) => return self.add_server_arguments(index, &part.arguments, effects),
            None => return,
        };
        function.arguments.push_str(&part.arguments);
        let first = position.is_none();
        let delta = FunctionDelta {
            name: first.then(|| function.name.clone()),
            arguments: Some(part.arguments),
            output: if first { Update::Clear } else { Update::Keep },
        };
        let call = ToolCallDelta::Function {
            index: index as u64,
            id: first.then(|| id.clone()),
            function: Some(delta),
        };
        effects.events.push(step_delta(step.id.clone(), call));
    }

    /// Begins the call that `part` is the first of; gives its index in the step, or ends the run if the call
    /// is of a tool that is not there.
    fn begin_call(
        &mut self,
        part: &ToolCallPart,
        context: &Context<'_>,
        effects: &mut Effects,
    ) -> Option<usize> {
        let name = part.name.clone().unwrap_or_default();
        let tool = BuiltInTool::called(&self.run, &name);
        if let Some(tool) = tool.filter(|tool| !context.offered.contains(tool)) {
            self.end(Ending::Failed(tool.missing()), context, effects);
            return None;
        }
        if self.turn.calls.is_empty() {
            self.close_message(None, context, effects);
            self.close_step(RunStepStatus::Completed, None, None, context, effects);
            self.begin_step(StepDetails::ToolCalls { tool_calls: Vec::new() }, context, effects);
        }
        self.turn.calls.push(part.index);
        let step = self.steps.last_mut()?;
        let StepDetails::ToolCalls { tool_calls } = &mut step.step_details else { return None };
        let taken =
            |wanted: &str| tool_calls.iter().any(|call| call.id().is_some_and(|id| id.as_str() == wanted));
        // Some servers send no id, or the same one twice; outputs must name their call.
        let id = match &part.id {
            Some(id) if !id.is_empty() && !taken(id) => ToolCallId::new(id.as_str()),
            _ => ToolCallId::mint(context.ids),
        };
        let index = tool_calls.len();
        match tool {
            Some(tool) => self.begin_server_call(id, tool, effects),
            None => {
                let function = FunctionCallRecord { name, arguments: String::new(), output: None };
                tool_calls.push(ToolCallRecord::Function { id, function });
            }
        }
        Some(index)
    }

    /// When the next step begins: not before the last, even if the clock was set back since. Lists are ordered by it.
    fn next_begins_at(&self, context: &Context<'_>) -> UnixSeconds {
        self.steps.last().map_or(context.now, |last| last.created_at.max(context.now))
    }

    fn begin_step(&mut self, details: StepDetails, context: &Context<'_>, effects: &mut Effects) {
        let run = &self.run;
        let step = RunStep::new(
            RunStepId::mint(context.ids),
            run.id.clone(),
            run.thread_id.clone(),
            run.assistant_id.clone(),
            self.next_begins_at(context),
            details,
        );
        effects.changes.push(Change::Step(step.clone()));
        effects.events.push(Event::RunStepCreated(Box::new(step.clone())));
        effects.events.push(Event::RunStepInProgress(Box::new(step.clone())));
        self.steps.push(step);
    }
}

fn message_delta(id: MessageId, part: ContentDelta) -> Event {
    let delta = MessageDeltaBody { role: None, content: vec![part] };
    Event::MessageDelta(MessageDelta { id, object: MessageDeltaWord::Word, delta })
}

pub(super) fn step_delta(id: RunStepId, call: ToolCallDelta) -> Event {
    let details = StepDetailsDelta::ToolCalls { tool_calls: vec![call] };
    let delta = RunStepDeltaBody { step_details: Some(details) };
    Event::RunStepDelta(RunStepDelta { id, object: RunStepDeltaWord::Word, delta })
}
