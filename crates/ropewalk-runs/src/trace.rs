//! Spans of runs in OpenTelemetry's conventions for generative AI. All names of those stand here.
//!
//! They are `tracing` spans with the target `gen_ai`, which cost nothing unless a subscriber wants them. They hold ids,
//! names, numbers and words of ours; never what somebody said.
//!
//! # Source
//!
//! `docs/gen-ai` of the OpenTelemetry semantic conventions v1.41.1, in state Development.

use ropewalk_model::ModelRequest;
use ropewalk_store::{Kind, Scope};
use ropewalk_types::{Assistant, LastErrorCode, Run, RunStatus, Usage};
use tracing::{Span, field::Empty, info_span};

use crate::{
    RunError,
    machine::Machine,
    record,
    server_tool::{BuiltInTool, ToolCallContext},
};

/// What `gen_ai.provider.name` says: whose form of API is spoken, whoever speaks it.
const PROVIDER: &str = "openai";

/// The span `invoke_agent`: a run being driven, from when it is begun or taken up until it waits for outputs, is over or
/// is lost. Spans of one run have the same `ropewalk.run.id`; `ropewalk.run.fence` says how often the run had changed
/// hands before.
#[derive(Debug)]
pub(crate) struct AgentSpan {
    span: Span,
    before: Usage,
}

impl AgentSpan {
    pub(crate) async fn begin(scope: &Scope, machine: &Machine, fence: u64) -> Self {
        let (run, state) = (machine.run(), machine.state());
        let span = info_span!(
            target: "gen_ai",
            "invoke_agent",
            otel.name = Empty,
            otel.kind = "internal",
            otel.status_code = Empty,
            error.r#type = Empty,
            gen_ai.operation.name = "invoke_agent",
            gen_ai.provider.name = PROVIDER,
            gen_ai.agent.id = run.assistant_id.as_str(),
            gen_ai.agent.name = Empty,
            gen_ai.conversation.id = run.thread_id.as_str(),
            gen_ai.request.model = run.model.as_str(),
            gen_ai.usage.input_tokens = Empty,
            gen_ai.usage.output_tokens = Empty,
            ropewalk.run.id = run.id.as_str(),
            ropewalk.run.fence = int(fence),
            ropewalk.run.status = Empty,
            traceparent = Empty,
        );
        if let Some(parent) = state.traceparent {
            span.record("traceparent", parent.to_string());
        }
        if !span.is_disabled() {
            name(&span, scope, run).await;
        }
        Self { span, before: state.usage }
    }

    pub(crate) fn span(&self) -> Span {
        self.span.clone()
    }

    /// Says how it went.
    pub(crate) fn end(self, machine: &Machine, driven: &Result<(), RunError>) {
        let (span, run, after) = (&self.span, machine.run(), machine.state().usage);
        span.record("ropewalk.run.status", run.status.as_str());
        let input = after.prompt_tokens.saturating_sub(self.before.prompt_tokens);
        let output = after.completion_tokens.saturating_sub(self.before.completion_tokens);
        used(span, input, output);
        match (driven, &run.last_error) {
            (Err(RunError::Lost), _) => failed(span, "lost"),
            (Err(_), _) => failed(span, "not_stored"),
            (Ok(()), Some(error)) if run.status == RunStatus::Failed => failed(span, word(&error.code)),
            (Ok(()), _) if run.status == RunStatus::Expired => failed(span, "expired"),
            (Ok(()), _) => {}
        }
    }
}

/// Says which assistant it is, if that is still there.
async fn name(span: &Span, scope: &Scope, run: &Run) {
    let assistant = record::get::<Assistant>(scope, Kind::Assistant, run.assistant_id.as_str()).await;
    if let Ok(Some((Assistant { name: Some(name), .. }, _))) = assistant {
        span.record("gen_ai.agent.name", &*name);
        span.record("otel.name", format!("invoke_agent {name}"));
    }
}

/// A failure in one word.
fn word(code: &LastErrorCode) -> &str {
    match code {
        LastErrorCode::ServerError => "server_error",
        LastErrorCode::RateLimitExceeded => "rate_limit_exceeded",
        LastErrorCode::InvalidPrompt => "invalid_prompt",
        _ => "_OTHER",
    }
}

/// The span `chat`: one model call of `run`.
pub(crate) fn chat(run: &Run, request: &ModelRequest) -> Span {
    let span = info_span!(
        target: "gen_ai",
        "chat",
        otel.name = Empty,
        otel.kind = "client",
        otel.status_code = Empty,
        error.r#type = Empty,
        gen_ai.operation.name = "chat",
        gen_ai.provider.name = PROVIDER,
        gen_ai.conversation.id = run.thread_id.as_str(),
        gen_ai.request.model = request.model.as_str(),
        gen_ai.request.stream = true,
        gen_ai.request.max_tokens = request.max_completion_tokens.map(int),
        gen_ai.request.temperature = request.temperature,
        gen_ai.request.top_p = request.top_p,
        gen_ai.response.finish_reasons = Empty,
        gen_ai.response.time_to_first_chunk = Empty,
        gen_ai.usage.input_tokens = Empty,
        gen_ai.usage.output_tokens = Empty,
        ropewalk.run.id = run.id.as_str(),
    );
    if !span.is_disabled() {
        span.record("otel.name", format!("chat {}", request.model));
    }
    span
}

/// The span `execute_tool`: one call of a tool of the server.
pub(crate) fn execute_tool(tool: BuiltInTool, call: &ToolCallContext) -> Span {
    info_span!(
        target: "gen_ai",
        "execute_tool",
        otel.name = match tool {
            BuiltInTool::CodeInterpreter => "execute_tool code_interpreter",
            BuiltInTool::FileSearch => "execute_tool file_search",
        },
        otel.kind = "internal",
        otel.status_code = Empty,
        error.r#type = Empty,
        gen_ai.operation.name = "execute_tool",
        gen_ai.conversation.id = call.run.thread_id.as_str(),
        gen_ai.tool.name = tool.name(),
        gen_ai.tool.r#type = match tool {
            BuiltInTool::CodeInterpreter => "extension",
            BuiltInTool::FileSearch => "datastore",
        },
        gen_ai.tool.call.id = call.id.as_str(),
        ropewalk.run.id = call.run.id.as_str(),
    )
}

/// Says on a span `chat` when the first of the answer came.
pub(crate) fn spoke(span: &Span, seconds: f64) {
    span.record("gen_ai.response.time_to_first_chunk", seconds);
}

/// Says on a span `chat` why the model stopped. The convention wants a list; tracing has none, so that the exporter makes
/// one of it.
pub(crate) fn finished(span: &Span, reason: &str) {
    span.record("gen_ai.response.finish_reasons", reason);
}

/// Says on a span what it used, in tokens.
pub(crate) fn used(span: &Span, input: u64, output: u64) {
    span.record("gen_ai.usage.input_tokens", int(input));
    span.record("gen_ai.usage.output_tokens", int(output));
}

/// Says on a span that it failed, and in one word why.
pub(crate) fn failed(span: &Span, why: &str) {
    span.record("error.type", why);
    span.record("otel.status_code", "ERROR");
}

/// As OpenTelemetry counts.
fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
