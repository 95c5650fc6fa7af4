#![doc = include_str!("../README.md")]

mod assistant;
mod budget;
mod chat_completion;
mod chunking;
mod common;
mod delta;
pub mod endpoint;
mod error;
mod file;
mod filter;
mod id;
mod message;
mod model;
mod page;
mod path;
mod run;
mod run_events;
mod run_expiry;
mod run_request;
mod run_step;
mod schema;
mod thread;
mod thread_query;
mod tool;
mod update;
mod upload;
mod vector_store;
mod vector_store_file;
mod vector_store_search;
mod word;

pub use assistant::{Assistant, CreateAssistant, ModifyAssistant, ReasoningEffort};
pub use budget::Budget;
pub use chat_completion::{
    ChatCompletion, ChatCompletionChunk, ChatCompletionMessage, ChatStreamOptions, CreateChatCompletion,
    ListChatCompletionMessagesQuery, ListChatCompletionsQuery, UpdateChatCompletion,
};
pub use chunking::{ChunkingStrategy, ChunkingStrategyParam, StaticChunking};
pub use common::{Metadata, ResponseFormat, TypedResponseFormat, UnixSeconds};
pub use delta::{
    AnnotationDelta, CodeInterpreterDelta, CodeOutputDelta, ContentDelta, FunctionDelta, MessageDelta,
    MessageDeltaBody, RunStepDelta, RunStepDeltaBody, StepDetailsDelta, TextDelta, ToolCallDelta,
};
pub use endpoint::{ENDPOINTS, Endpoint, EndpointInfo, EndpointSchemas, Method};
pub use error::{ErrorBody, ErrorObject};
pub use file::{
    CreateFile, File, FileExpiry, FileExpiryAnchor, FilePurpose, FileStatus, ListFilesQuery, UploadPurpose,
};
pub use filter::{
    AttributeValue, Attributes, Comparison, ComparisonFilter, CompoundFilter, Filter, FilterValue, Junction,
    ListedValue,
};
pub use id::{
    AssistantId, ChatCompletionId, FileId, Id, IdError, IdSource, MessageId, ModelId, RunId, RunStepId,
    ThreadId, ToolCallId, UploadId, UploadPartId, VectorStoreFileBatchId, VectorStoreId,
};
pub use message::{
    Annotation, Attachment, ContentPart, CreateMessage, FileReference, ImageDetail, ImageFile, ImageUrl,
    IncompleteReason, Message, MessageContent, MessageIncompleteDetails, MessageInput, MessageStatus,
    ModifyMessage, Role, Text,
};
pub use model::Model;
pub use page::{Deleted, IncludeQuery, ListMessagesQuery, ListQuery, ModelList, Order, Page, RunStepsQuery};
pub use path::{PathError, PathParams};
pub use run::{
    LastError, LastErrorCode, RequiredAction, Run, RunIncompleteDetails, RunIncompleteReason, RunStatus,
    SubmitToolOutputsAction, TruncationKind, TruncationStrategy, Usage,
};
pub use run_events::RunEventsQuery;
pub use run_expiry::{RunExpiry, RunExpiryAnchor};
pub use run_request::{CreateRun, CreateThreadAndRun, ModifyRun, RunOptions, SubmitToolOutputs, ToolOutput};
pub use run_step::{
    CodeInterpreterCall, CodeOutput, FileSearchCall, FileSearchCallRanking, FileSearchResult,
    FunctionCallRecord, MessageCreation, RunStep, RunStepInclude, RunStepKind, RunStepStatus, StepDetails,
    ToolCallRecord,
};
pub use schema::{COMPONENTS, reply_schemas, request_schemas};
pub use thread::{CreateThread, ModifyThread, Thread};
pub use thread_query::{DeleteThreadsQuery, ListThreadsQuery, ThreadsDeleted};
pub use tool::{
    CodeInterpreterResources, FileSearchOptions, FileSearchRanker, FileSearchRanking, FileSearchResources,
    Function, FunctionCall, FunctionDefinition, NamedFunction, NamedToolChoice, Tool, ToolCall, ToolChoice,
    ToolChoiceMode, ToolResources,
};
pub use update::Update;
pub use upload::{
    AddUploadPart, CompleteUpload, CreateUpload, Upload, UploadPart, UploadStatus, UploadedPurpose,
};
pub use vector_store::{
    CreateVectorStore, FileCounts, ModifyVectorStore, VectorStore, VectorStoreExpiry,
    VectorStoreExpiryAnchor, VectorStoreStatus, VectorStoreToMake,
};
pub use vector_store_file::{
    CreateVectorStoreFile, CreateVectorStoreFileBatch, ListVectorStoreFilesQuery, ModifyVectorStoreFile,
    VectorStoreFile, VectorStoreFileBatch, VectorStoreFileError, VectorStoreFileErrorCode,
    VectorStoreFileFilter, VectorStoreFileStatus,
};
pub use vector_store_search::{
    FileContentPage, SearchRanker, SearchRankingOptions, SearchResult, SearchResultsPage, SearchText,
    SearchVectorStore, TextContent,
};
pub use word::{
    AssistantWord, ChatCompletionChunkWord, ChatCompletionWord, FileContentPageWord, FileWord, FunctionWord,
    ListWord, MessageDeltaWord, MessageWord, ModelWord, RunStepDeltaWord, RunStepWord, RunWord,
    SearchResultsWord, SubmitToolOutputsWord, ThreadWord, ThreadsDeletedWord, UploadPartWord, UploadWord,
    VectorStoreFileBatchWord, VectorStoreFileWord, VectorStoreWord,
};
