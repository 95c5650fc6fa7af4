//! What the model is asked, what a tool is asked, and what it costs.

use ropewalk_model::{ChatMessage, ModelRequest};
use ropewalk_types::{
    IncompleteReason, MessageStatus, Run, RunStatus, RunStepStatus, StepDetails, ToolCallId, Usage,
};

use super::{Ledger, Writer, writes::outputs};
use crate::process::Process;

/// One call of the model.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) run: String,
    pub(crate) process: usize,
    /// What the model says that it cost, once it has said so.
    pub(crate) usage: Option<Usage>,
    /// When its stream was dropped.
    pub(crate) closed_ms: Option<u64>,
}

/// The number of the call that `text` was said in.
pub(crate) fn said_by(text: &str) -> Option<usize> {
    let digits = text.strip_prefix('c')?;
    let end = digits.find(|character: char| !character.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

impl Ledger {
    /// The calls of functions that a run made last, whether it waits for their outputs or is past that.
    pub(crate) fn calls_to_answer(&self, run: &str) -> Vec<ToolCallId> {
        let steps = self.runs.get(run).into_iter().flat_map(|facts| facts.steps.iter().rev());
        let mut calls = steps.filter_map(|step| self.steps.get(step)).map(|facts| outputs(&facts.step));
        let calls = calls.find_map(|calls| {
            Some(calls.map(|(id, _)| id.into()).collect()).filter(|ids: &Vec<_>| !ids.is_empty())
        });
        calls.unwrap_or_default()
    }

    /// The model is called; gives the number of the call.
    pub(crate) fn model_called(&mut self, process: &Process, request: &ModelRequest) -> usize {
        let number = self.calls.len();
        // The name of the model is that of the run, which the model has no other way to know.
        let name = request.model.as_str();
        let run = self
            .runs
            .values()
            .find(|facts| facts.run.model.as_str() == name)
            .map(|facts| facts.run.id.as_str());
        let run = run.unwrap_or_default().to_owned();
        if !self.is_zombie(process, &run) {
            self.judge_request(process, &run, request);
        }
        let call = Call { run, process: process.number, usage: None, closed_ms: None };
        self.calls.push(call);
        number
    }

    /// How many calls this one's run made before it.
    pub(crate) fn calls_before(&self, number: usize) -> usize {
        let run = self.calls.get(number).map(|call| call.run.as_str());
        self.calls.iter().take(number).filter(|call| Some(call.run.as_str()) == run).count()
    }

    pub(crate) fn call_mut(&mut self, number: usize) -> Option<&mut Call> {
        self.calls.get_mut(number)
    }

    /// The model is shown all that its run committed, once, and nothing that was cut off.
    fn judge_request(&self, process: &Process, run: &str, request: &ModelRequest) {
        let Some(facts) = self.runs.get(run) else { return };
        let world = &process.world;
        if facts.run.status.is_terminal() {
            world.broken(format!("the model is called for {run}, which is {}", facts.run.status));
        }
        let (mut texts, mut answers) = (Vec::new(), Vec::new());
        let steps = facts.steps.iter().filter_map(|step| self.steps.get(step));
        for facts in steps.filter(|facts| facts.step.status == RunStepStatus::Completed) {
            match &facts.step.step_details {
                StepDetails::MessageCreation { message_creation } => {
                    let message = self.messages.get(message_creation.message_id.as_str());
                    let shown = message.filter(|message| match message.status {
                        MessageStatus::Completed => true,
                        _ => message
                            .incomplete_details
                            .as_ref()
                            .is_some_and(|details| details.reason == IncompleteReason::MaxTokens),
                    });
                    texts.extend(shown.map(|message| message.text()));
                }
                _ => {
                    let own = outputs(&facts.step).map(|(id, output)| (id, output.unwrap_or_default()));
                    let servers = facts.server_calls.iter();
                    let servers =
                        servers.map(|call| (call.id.as_str(), call.output.as_deref().unwrap_or_default()));
                    answers.extend(own.chain(servers).map(|(id, output)| (id.to_owned(), output.to_owned())));
                }
            }
        }
        let of_run = |text: &str| {
            said_by(text).and_then(|number| self.calls.get(number)).is_some_and(|call| call.run == run)
        };
        let (mut shown_texts, mut shown_answers) = (Vec::new(), Vec::new());
        for message in &request.messages {
            match message {
                ChatMessage::Assistant { text: Some(text), .. } if of_run(text) => {
                    shown_texts.push(text.clone())
                }
                ChatMessage::Tool { call, output } => {
                    shown_answers.push((call.as_str().to_owned(), output.clone()));
                }
                _ => {}
            }
        }
        texts.retain(|text| of_run(text));
        answers.sort();
        shown_answers.sort();
        if texts != shown_texts {
            world.broken(format!("{run} has said {texts:?}, and its model is shown {shown_texts:?}"));
        }
        if answers != shown_answers {
            world.broken(format!(
                "{run} has the answers {answers:?}, and its model is shown {shown_answers:?}"
            ));
        }
    }

    /// A tool of the server is called.
    pub(crate) fn tool_called(&self, process: &Process, run: &Run, call: &str) {
        if self.is_zombie(process, run.id.as_str()) {
            return;
        }
        let world = &process.world;
        let status = self.status(run.id.as_str());
        if status.as_ref().is_some_and(RunStatus::is_terminal) {
            world.broken(format!("{call} of {} is made after the end of the run", run.id));
        }
        let steps = self.steps.values().filter(|facts| facts.step.run_id == run.id);
        let stored = steps.flat_map(|facts| &facts.server_calls).find(|stored| stored.id.as_str() == call);
        if stored.is_some_and(|stored| stored.output.is_some()) {
            world.broken(format!("{call} of {} is made again, though its answer was stored", run.id));
        }
    }

    /// The usage of a run grew: by that of one of its calls, which was not counted yet.
    pub(super) fn count_usage(&mut self, writer: Writer<'_>, run: &str, before: Usage, now: Usage) {
        if before == now {
            return;
        }
        let Some(facts) = self.runs.get_mut(run) else { return };
        let grown = Usage {
            prompt_tokens: now.prompt_tokens.wrapping_sub(before.prompt_tokens),
            completion_tokens: now.completion_tokens.wrapping_sub(before.completion_tokens),
            total_tokens: now.total_tokens.wrapping_sub(before.total_tokens),
        };
        let fits = |(_, call): &(usize, &Call)| call.run == run && call.usage == Some(grown);
        match self.calls.iter().enumerate().find(fits) {
            Some((number, _)) if facts.counted.insert(number) => {}
            Some((number, _)) => {
                writer.broken(|| format!("{run} counts the usage of its call c{number} twice"))
            }
            None => writer.broken(|| format!("{run} counts {grown:?}, which no call of it used")),
        }
    }
}
