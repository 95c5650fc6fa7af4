#![expect(unused_variables, reason = "callbacks that do nothing still name what they are given")]

use async_trait::async_trait;
use ropewalk_types::{
    ErrorObject, ImageFile, Message, MessageDelta, Run, RunStep, RunStepDelta, Text, TextDelta,
    ToolCallDelta, ToolCallRecord,
};

use crate::Event;

/// What a program does at the moments of a stream; each does nothing unless it is written.
///
/// Names and moments are those of `AssistantEventHandler` in the official Python SDK. A snapshot holds the delta
/// that comes with it. A [`Dispatcher`](crate::Dispatcher) calls, one callback at a time.
///
/// # Contract
///
/// - **Every event** is first given to [`on_event`](Self::on_event), then to what it means.
/// - **Created and done come in pairs**, once for each step, call, message and text, unless the stream breaks; a
///   step that waits for outputs is done in the next stream.
/// - **The end** comes once, last, however the stream ends.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait EventHandler: Send {
    /// An event came.
    async fn on_event(&mut self, event: &Event) {}

    /// A step began.
    async fn on_run_step_created(&mut self, step: &RunStep) {}

    /// A step grew; behind the callbacks for its calls.
    async fn on_run_step_delta(&mut self, delta: &RunStepDelta, snapshot: &RunStep) {}

    /// A step is over, whether it was completed, failed, cancelled or expired.
    async fn on_run_step_done(&mut self, step: &RunStep) {}

    /// A tool call began; it holds its first part, for which no delta is told.
    async fn on_tool_call_created(&mut self, call: &ToolCallRecord) {}

    /// A tool call grew.
    async fn on_tool_call_delta(&mut self, delta: &ToolCallDelta, snapshot: &ToolCallRecord) {}

    /// A tool call is whole: another began, its step is over, or the run waits for its output.
    async fn on_tool_call_done(&mut self, call: &ToolCallRecord) {}

    /// A message began.
    async fn on_message_created(&mut self, message: &Message) {}

    /// A message grew; behind the callbacks for its parts.
    async fn on_message_delta(&mut self, delta: &MessageDelta, snapshot: &Message) {}

    /// A message is over, whether it was completed or cut short.
    async fn on_message_done(&mut self, message: &Message) {}

    /// A text began; it holds its first part, for which a delta is told too.
    async fn on_text_created(&mut self, text: &Text) {}

    /// A text grew.
    async fn on_text_delta(&mut self, delta: &TextDelta, snapshot: &Text) {}

    /// A text is over: behind the first delta of the next part, or with its message.
    async fn on_text_done(&mut self, text: &Text) {}

    /// An image is over, as a text is.
    async fn on_image_file_done(&mut self, image: &ImageFile) {}

    /// The run waits for tool outputs.
    async fn on_requires_action(&mut self, run: &Run) {}

    /// The run is over, whether it was completed, failed, cancelled, cut short or expired.
    async fn on_run_done(&mut self, run: &Run) {}

    /// The stream broke on the server's side.
    async fn on_error(&mut self, error: &ErrorObject) {}

    /// The stream is over.
    async fn on_end(&mut self) {}
}
