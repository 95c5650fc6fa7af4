#![doc = include_str!("../README.md")]

#[cfg(feature = "embedded")]
mod embedded;
#[cfg(feature = "embedded")]
pub mod interpreter {
    //! Where code of models runs: sandboxes, sessions, and the traits for other places.

    pub use ropewalk_interpreter::*;
}
#[cfg(feature = "embedded")]
pub mod model;
#[cfg(feature = "embedded")]
pub mod store;
#[cfg(feature = "tools")]
pub mod tools;

pub use async_trait::async_trait;
pub use ropewalk_client::{
    Assistants, Client, ClientBuilder, ClientError, Messages, Models, ReplyStream, RunSteps, Runs, Threads,
};
#[cfg(feature = "testing")]
pub use ropewalk_events::MockEventHandler;
pub use ropewalk_events::{
    Decoder, Dispatcher, Event, EventHandler, EventStream, Grammar, Snapshot, SnapshotError, StreamError,
};
pub use ropewalk_transport::{
    BreakerPolicy, InProcess, RetryPolicy, Secret, Transport, TransportBuilder, TransportError,
    TransportErrorKind,
};
pub use ropewalk_types::{
    Annotation, AnnotationDelta, Assistant, AssistantId, Attachment, Budget, CodeInterpreterCall,
    CodeInterpreterDelta, CodeInterpreterResources, CodeOutput, CodeOutputDelta, ContentDelta, ContentPart,
    CreateAssistant, CreateMessage, CreateRun, CreateThread, CreateThreadAndRun, Deleted, ErrorBody,
    ErrorObject, FileId, FileReference, FileSearchCall, FileSearchCallRanking, FileSearchOptions,
    FileSearchRanker, FileSearchRanking, FileSearchResources, FileSearchResult, Function, FunctionCall,
    FunctionCallRecord, FunctionDelta, Id, IdError, ImageDetail, ImageFile, ImageUrl, IncludeQuery,
    IncompleteReason, LastError, LastErrorCode, ListMessagesQuery, ListQuery, Message, MessageContent,
    MessageCreation, MessageDelta, MessageDeltaBody, MessageId, MessageIncompleteDetails, MessageInput,
    MessageStatus, Metadata, Model, ModelId, ModelList, ModifyAssistant, ModifyMessage, ModifyRun,
    ModifyThread, NamedFunction, NamedToolChoice, Order, Page, ReasoningEffort, RequiredAction,
    ResponseFormat, Role, Run, RunEventsQuery, RunExpiry, RunExpiryAnchor, RunId, RunIncompleteDetails,
    RunIncompleteReason, RunStatus, RunStep, RunStepDelta, RunStepDeltaBody, RunStepId, RunStepInclude,
    RunStepKind, RunStepStatus, RunStepsQuery, StepDetails, StepDetailsDelta, SubmitToolOutputs,
    SubmitToolOutputsAction, Text, TextDelta, Thread, ThreadId, Tool, ToolCall, ToolCallDelta, ToolCallId,
    ToolCallRecord, ToolChoice, ToolChoiceMode, ToolOutput, ToolResources, TruncationKind,
    TruncationStrategy, TypedResponseFormat, UnixSeconds, Update, Usage, VectorStoreId,
};
pub use ropewalk_types::{ENDPOINTS, Endpoint, EndpointInfo, Method, endpoint};
pub use serde_json::{Value, json};

#[cfg(feature = "embedded")]
pub use embedded::Embedded;
#[cfg(feature = "embedded")]
pub use ropewalk_model::{ChatCompletions, ScriptedModel};
#[cfg(feature = "embedded")]
pub use ropewalk_server::{
    ApiKey, ApiKeys, Bounds, BusyPolicy, CodeInterpreterOptions, CreatedApiKey, KeyLimits, Keys, KeysError,
    NewApiKey, RateLimits, Runtime, RuntimeOptions, router, serve,
};

#[cfg(feature = "tools")]
pub use ropewalk_runs::ToolDriver;
#[cfg(feature = "tools")]
pub use ropewalk_tools::{Registry, RegistryError, ToolContext, ToolError, facade_tool as tool};

#[cfg(feature = "tools")]
#[doc(hidden)]
pub use ropewalk_tools::__private;

/// The project's README, whose first example runs as a test.
#[cfg(all(doctest, feature = "embedded", feature = "tools"))]
#[doc = include_str!("../../../README.md")]
struct ProjectReadme;
