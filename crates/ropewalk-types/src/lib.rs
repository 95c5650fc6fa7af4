#![doc = include_str!("../README.md")]

mod assistant;
mod common;
mod delta;
pub mod endpoint;
mod error;
mod id;
mod message;
mod model;
mod page;
mod path;
mod run;
mod run_request;
mod run_step;
mod thread;
mod tool;
mod update;
mod word;

pub use assistant::{Assistant, CreateAssistant, ModifyAssistant, ReasoningEffort};
pub use common::{Metadata, ResponseFormat, TypedResponseFormat, UnixSeconds};
pub use delta::{
    CodeInterpreterDelta, CodeOutputDelta, ContentDelta, FunctionDelta, MessageDelta, MessageDeltaBody,
    RunStepDelta, RunStepDeltaBody, StepDetailsDelta, TextDelta, ToolCallDelta,
};
pub use endpoint::{ENDPOINTS, Endpoint, EndpointInfo, Method};
pub use error::{ErrorBody, ErrorObject};
pub use id::{
    AssistantId, FileId, Id, IdError, IdSource, MessageId, ModelId, RunId, RunStepId, ThreadId, ToolCallId,
    VectorStoreId,
};
pub use message::{
    Annotation, Attachment, ContentPart, CreateMessage, FileReference, ImageDetail, ImageFile, ImageUrl,
    IncompleteReason, Message, MessageContent, MessageIncompleteDetails, MessageInput, MessageStatus,
    ModifyMessage, Role, Text,
};
pub use model::Model;
pub use page::{Deleted, ListMessagesQuery, ListQuery, ModelList, Order, Page};
pub use path::{PathError, PathParams};
pub use run::{
    LastError, LastErrorCode, RequiredAction, Run, RunIncompleteDetails, RunIncompleteReason, RunStatus,
    SubmitToolOutputsAction, TruncationKind, TruncationStrategy, Usage,
};
pub use run_request::{CreateRun, CreateThreadAndRun, ModifyRun, RunOptions, SubmitToolOutputs, ToolOutput};
pub use run_step::{
    CodeInterpreterCall, CodeOutput, FileSearchCall, FunctionCallRecord, MessageCreation, RunStep,
    RunStepKind, RunStepStatus, StepDetails, ToolCallRecord,
};
pub use thread::{CreateThread, ModifyThread, Thread};
pub use tool::{
    CodeInterpreterResources, FileSearchOptions, FileSearchResources, Function, FunctionCall,
    FunctionDefinition, NamedFunction, NamedToolChoice, Tool, ToolCall, ToolChoice, ToolChoiceMode,
    ToolResources,
};
pub use update::Update;
pub use word::{
    AssistantWord, FunctionWord, ListWord, MessageDeltaWord, MessageWord, ModelWord, RunStepDeltaWord,
    RunStepWord, RunWord, SubmitToolOutputsWord, ThreadWord,
};
