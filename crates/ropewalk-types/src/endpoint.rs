//! The table of endpoints: each one declared once.
//!
//! The client's methods, the server's routes and the reference page come from it. An endpoint is a type, so
//! that a handler or a call with the wrong body or reply does not compile; [`ENDPOINTS`] is the same table as data.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, de::DeserializeOwned};

use crate::{self as types, PathParams};

/// One endpoint as a type.
pub trait Endpoint: Send + Sync + 'static {
    /// The endpoint as data.
    const INFO: EndpointInfo;
    /// The ids in its path.
    type Path: PathParams + Send + 'static;
    /// Its query string; `()` if it has none.
    type Query: Serialize + DeserializeOwned + JsonSchema + Default + Send + 'static;
    /// Its JSON body; `()` if it has none.
    type Body: Serialize + DeserializeOwned + JsonSchema + Send + 'static;
    /// Its JSON reply.
    type Response: Serialize + DeserializeOwned + JsonSchema + Send + 'static;
}

/// An HTTP method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `GET`
    Get,
    /// `POST`
    Post,
    /// `DELETE`
    Delete,
}

impl Method {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

/// One endpoint as data. Type names are Rust paths below this crate, `()` where there is none.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct EndpointInfo {
    /// The marker type's name.
    pub name: &'static str,
    /// The operation's name in the API reference.
    pub operation_id: &'static str,
    /// Where the client offers it: `runs`.
    pub group: &'static str,
    /// The client's method: `create`.
    pub verb: &'static str,
    /// The method.
    pub method: Method,
    /// The path below the base URL, with `{name}` for ids.
    pub path: &'static str,
    /// The types of the ids in the path.
    pub path_types: &'static [&'static str],
    /// The type of the query string.
    pub query: &'static str,
    /// The type of the body.
    pub body: &'static str,
    /// The type of the reply.
    pub response: &'static str,
    /// Whether the reply is an event stream when the body says `stream: true`.
    pub streams: bool,
    /// The type of the objects that the reply streams when the body says `stream: true`, if they are no run's events.
    pub chunks: Option<&'static str>,
    /// Whether the reply is always an event stream of a run, which the header `Last-Event-ID` resumes.
    pub events: bool,
    /// Whether a request must carry `OpenAI-Beta: assistants=v2`.
    pub beta: bool,
    /// Whether the body may be absent.
    pub body_optional: bool,
    /// Of a body that travels as `multipart/form-data`: the name of the part that carries the bytes.
    pub multipart: Option<&'static str>,
    /// Whether the reply is raw bytes.
    pub raw: bool,
    /// The schemas of what it takes and gives.
    pub schemas: EndpointSchemas,
    /// What it does, one sentence a line.
    pub doc: &'static str,
}

/// How to make the schemas of what an endpoint takes and gives; that of `()` is `null`.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct EndpointSchemas {
    /// Of the ids in the path.
    pub path: &'static [fn(&mut SchemaGenerator) -> Schema],
    /// Of the query string, with a generator of [`request_schemas`](crate::request_schemas).
    pub query: fn(&mut SchemaGenerator) -> Schema,
    /// Of the body, with a generator of [`request_schemas`](crate::request_schemas).
    pub body: fn(&mut SchemaGenerator) -> Schema,
    /// Of the reply, with a generator of [`reply_schemas`](crate::reply_schemas).
    pub response: fn(&mut SchemaGenerator) -> Schema,
}

/// What a flag of a row is set to: `true` unless the row says more.
macro_rules! setting {
    () => {
        true
    };
    ($setting:literal) => {
        Some($setting)
    };
}

macro_rules! endpoints {
    ($(
        #[doc = $doc:literal]
        $name:ident = $operation:literal, $group:literal . $verb:literal:
            $method:ident $path:literal ($($id:ident),*) ? $query:ty, $body:ty => $response:ty
            $(, $flag:ident $(= $setting:literal)?)* ;
    )*) => {
        $(
            #[doc = $doc]
            #[derive(Debug, Clone, Copy)]
            pub struct $name;

            impl Endpoint for $name {
                const INFO: EndpointInfo = EndpointInfo {
                    name: stringify!($name),
                    operation_id: $operation,
                    group: $group,
                    verb: $verb,
                    method: Method::$method,
                    path: $path,
                    path_types: &[$(stringify!($id)),*],
                    query: stringify!($query),
                    body: stringify!($body),
                    response: stringify!($response),
                    schemas: EndpointSchemas {
                        path: &[$(SchemaGenerator::subschema_for::<types::$id>),*],
                        query: SchemaGenerator::subschema_for::<$query>,
                        body: SchemaGenerator::subschema_for::<$body>,
                        response: SchemaGenerator::subschema_for::<$response>,
                    },
                    doc: $doc,
                    $($flag: setting!($($setting)?),)*
                    ..PLAIN
                };
                type Path = ($(types::$id,)*);
                type Query = $query;
                type Body = $body;
                type Response = $response;
            }
        )*

        /// The whole table, in the order of the API reference.
        pub const ENDPOINTS: &[EndpointInfo] = &[$($name::INFO),*];
    };
}

/// What an endpoint is unless its row says otherwise.
const PLAIN: EndpointInfo = EndpointInfo {
    name: "",
    operation_id: "",
    group: "",
    verb: "",
    method: Method::Get,
    path: "",
    path_types: &[],
    query: "()",
    body: "()",
    response: "()",
    schemas: EndpointSchemas {
        path: &[],
        query: SchemaGenerator::subschema_for::<()>,
        body: SchemaGenerator::subschema_for::<()>,
        response: SchemaGenerator::subschema_for::<()>,
    },
    streams: false,
    chunks: None,
    events: false,
    beta: false,
    body_optional: false,
    multipart: None,
    raw: false,
    doc: "",
};

endpoints! {
    /// Lists assistants.
    ListAssistants = "listAssistants", "assistants"."list":
        Get "/assistants" () ? types::ListQuery, () => types::Page<types::Assistant>, beta;
    /// Makes an assistant.
    CreateAssistant = "createAssistant", "assistants"."create":
        Post "/assistants" () ? (), types::CreateAssistant => types::Assistant, beta;
    /// Gets an assistant.
    GetAssistant = "getAssistant", "assistants"."get":
        Get "/assistants/{assistant_id}" (AssistantId) ? (), () => types::Assistant, beta;
    /// Changes the given fields of an assistant.
    ModifyAssistant = "modifyAssistant", "assistants"."modify":
        Post "/assistants/{assistant_id}" (AssistantId) ? (), types::ModifyAssistant => types::Assistant, beta;
    /// Deletes an assistant. Its threads and runs stay.
    DeleteAssistant = "deleteAssistant", "assistants"."delete":
        Delete "/assistants/{assistant_id}" (AssistantId) ? (), () => types::Deleted<types::AssistantId>, beta;

    /// Lists threads, by notes, assistant and age. Beyond the original.
    ListThreads = "listThreads", "threads"."list":
        Get "/threads" () ? types::ListThreadsQuery, () => types::Page<types::Thread>, beta;
    /// Deletes all threads that match a filter, up to 1,000 at once. Beyond the original.
    DeleteThreads = "deleteThreads", "threads"."delete_many":
        Delete "/threads" () ? types::DeleteThreadsQuery, () => types::ThreadsDeleted, beta;
    /// Makes a thread.
    CreateThread = "createThread", "threads"."create":
        Post "/threads" () ? (), types::CreateThread => types::Thread, beta, body_optional;
    /// Makes a thread and runs an assistant on it.
    CreateThreadAndRun = "createThreadAndRun", "threads"."create_and_run":
        Post "/threads/runs" () ? (), types::CreateThreadAndRun => types::Run, beta, streams;
    /// Gets a thread.
    GetThread = "getThread", "threads"."get":
        Get "/threads/{thread_id}" (ThreadId) ? (), () => types::Thread, beta;
    /// Changes the given fields of a thread.
    ModifyThread = "modifyThread", "threads"."modify":
        Post "/threads/{thread_id}" (ThreadId) ? (), types::ModifyThread => types::Thread, beta;
    /// Deletes a thread with its messages and runs; an active run is stopped.
    DeleteThread = "deleteThread", "threads"."delete":
        Delete "/threads/{thread_id}" (ThreadId) ? (), () => types::Deleted<types::ThreadId>, beta;

    /// Lists the messages of a thread.
    ListMessages = "listMessages", "messages"."list":
        Get "/threads/{thread_id}/messages" (ThreadId)
        ? types::ListMessagesQuery, () => types::Page<types::Message>, beta;
    /// Adds a message to a thread.
    CreateMessage = "createMessage", "messages"."create":
        Post "/threads/{thread_id}/messages" (ThreadId) ? (), types::CreateMessage => types::Message, beta;
    /// Gets a message.
    GetMessage = "getMessage", "messages"."get":
        Get "/threads/{thread_id}/messages/{message_id}" (ThreadId, MessageId) ? (), () => types::Message, beta;
    /// Changes the notes on a message.
    ModifyMessage = "modifyMessage", "messages"."modify":
        Post "/threads/{thread_id}/messages/{message_id}" (ThreadId, MessageId)
        ? (), types::ModifyMessage => types::Message, beta;
    /// Deletes a message.
    DeleteMessage = "deleteMessage", "messages"."delete":
        Delete "/threads/{thread_id}/messages/{message_id}" (ThreadId, MessageId)
        ? (), () => types::Deleted<types::MessageId>, beta;

    /// Lists the runs of a thread.
    ListRuns = "listRuns", "runs"."list":
        Get "/threads/{thread_id}/runs" (ThreadId) ? types::ListQuery, () => types::Page<types::Run>, beta;
    /// Runs an assistant on a thread.
    CreateRun = "createRun", "runs"."create":
        Post "/threads/{thread_id}/runs" (ThreadId)
        ? types::IncludeQuery, types::CreateRun => types::Run, beta, streams;
    /// Gets a run.
    GetRun = "getRun", "runs"."get":
        Get "/threads/{thread_id}/runs/{run_id}" (ThreadId, RunId) ? (), () => types::Run, beta;
    /// Changes the notes on a run.
    ModifyRun = "modifyRun", "runs"."modify":
        Post "/threads/{thread_id}/runs/{run_id}" (ThreadId, RunId) ? (), types::ModifyRun => types::Run, beta;
    /// Asks a run to stop.
    CancelRun = "cancelRun", "runs"."cancel":
        Post "/threads/{thread_id}/runs/{run_id}/cancel" (ThreadId, RunId) ? (), () => types::Run, beta;
    /// Answers all calls that a run waits for, so that it goes on.
    SubmitToolOutputs = "submitToolOuputsToRun", "runs"."submit_tool_outputs":
        Post "/threads/{thread_id}/runs/{run_id}/submit_tool_outputs" (ThreadId, RunId)
        ? (), types::SubmitToolOutputs => types::Run, beta, streams;
    /// Streams the events of a run, whoever made it, from the first on or behind a given one. Beyond the original.
    StreamRunEvents = "streamRunEvents", "runs"."events":
        Get "/threads/{thread_id}/runs/{run_id}/events" (ThreadId, RunId)
        ? types::RunEventsQuery, () => (), beta, events;

    /// Lists the steps of a run.
    ListRunSteps = "listRunSteps", "run_steps"."list":
        Get "/threads/{thread_id}/runs/{run_id}/steps" (ThreadId, RunId)
        ? types::RunStepsQuery, () => types::Page<types::RunStep>, beta;
    /// Gets a step of a run.
    GetRunStep = "getRunStep", "run_steps"."get":
        Get "/threads/{thread_id}/runs/{run_id}/steps/{step_id}" (ThreadId, RunId, RunStepId)
        ? types::IncludeQuery, () => types::RunStep, beta;

    /// Lists files.
    ListFiles = "listFiles", "files"."list":
        Get "/files" () ? types::ListFilesQuery, () => types::Page<types::File>;
    /// Stores a file, up to 512 MiB.
    CreateFile = "createFile", "files"."create":
        Post "/files" () ? (), types::CreateFile => types::File, multipart = "file";
    /// Gets a file.
    GetFile = "retrieveFile", "files"."get":
        Get "/files/{file_id}" (FileId) ? (), () => types::File;
    /// Deletes a file, also from every vector store.
    DeleteFile = "deleteFile", "files"."delete":
        Delete "/files/{file_id}" (FileId) ? (), () => types::Deleted<types::FileId>;
    /// Gets the bytes of a file.
    DownloadFile = "downloadFile", "files"."content":
        Get "/files/{file_id}/content" (FileId) ? (), () => (), raw;

    /// Begins an upload of a file that comes in parts.
    CreateUpload = "createUpload", "uploads"."create":
        Post "/uploads" () ? (), types::CreateUpload => types::Upload;
    /// Adds a part to an upload, up to 64 MiB.
    AddUploadPart = "addUploadPart", "uploads"."add_part":
        Post "/uploads/{upload_id}/parts" (UploadId)
        ? (), types::AddUploadPart => types::UploadPart, multipart = "data";
    /// Makes the file out of the parts.
    CompleteUpload = "completeUpload", "uploads"."complete":
        Post "/uploads/{upload_id}/complete" (UploadId) ? (), types::CompleteUpload => types::Upload;
    /// Gives an upload up.
    CancelUpload = "cancelUpload", "uploads"."cancel":
        Post "/uploads/{upload_id}/cancel" (UploadId) ? (), () => types::Upload;

    /// Lists vector stores.
    ListVectorStores = "listVectorStores", "vector_stores"."list":
        Get "/vector_stores" () ? types::ListQuery, () => types::Page<types::VectorStore>;
    /// Makes a vector store.
    CreateVectorStore = "createVectorStore", "vector_stores"."create":
        Post "/vector_stores" () ? (), types::CreateVectorStore => types::VectorStore, body_optional;
    /// Gets a vector store.
    GetVectorStore = "getVectorStore", "vector_stores"."get":
        Get "/vector_stores/{vector_store_id}" (VectorStoreId) ? (), () => types::VectorStore;
    /// Changes the given fields of a vector store.
    ModifyVectorStore = "modifyVectorStore", "vector_stores"."modify":
        Post "/vector_stores/{vector_store_id}" (VectorStoreId)
        ? (), types::ModifyVectorStore => types::VectorStore;
    /// Deletes a vector store. The files themselves stay.
    DeleteVectorStore = "deleteVectorStore", "vector_stores"."delete":
        Delete "/vector_stores/{vector_store_id}" (VectorStoreId)
        ? (), () => types::Deleted<types::VectorStoreId>;
    /// Searches a vector store.
    SearchVectorStore = "searchVectorStore", "vector_stores"."search":
        Post "/vector_stores/{vector_store_id}/search" (VectorStoreId)
        ? (), types::SearchVectorStore => types::SearchResultsPage;

    /// Lists the files of a vector store.
    ListVectorStoreFiles = "listVectorStoreFiles", "vector_store_files"."list":
        Get "/vector_stores/{vector_store_id}/files" (VectorStoreId)
        ? types::ListVectorStoreFilesQuery, () => types::Page<types::VectorStoreFile>;
    /// Puts a file into a vector store.
    CreateVectorStoreFile = "createVectorStoreFile", "vector_store_files"."create":
        Post "/vector_stores/{vector_store_id}/files" (VectorStoreId)
        ? (), types::CreateVectorStoreFile => types::VectorStoreFile;
    /// Gets a file of a vector store.
    GetVectorStoreFile = "getVectorStoreFile", "vector_store_files"."get":
        Get "/vector_stores/{vector_store_id}/files/{file_id}" (VectorStoreId, FileId)
        ? (), () => types::VectorStoreFile;
    /// Replaces the attributes of a file in a vector store.
    ModifyVectorStoreFile = "updateVectorStoreFileAttributes", "vector_store_files"."modify":
        Post "/vector_stores/{vector_store_id}/files/{file_id}" (VectorStoreId, FileId)
        ? (), types::ModifyVectorStoreFile => types::VectorStoreFile;
    /// Takes a file out of a vector store. The file itself stays.
    DeleteVectorStoreFile = "deleteVectorStoreFile", "vector_store_files"."delete":
        Delete "/vector_stores/{vector_store_id}/files/{file_id}" (VectorStoreId, FileId)
        ? (), () => types::Deleted<types::FileId>;
    /// Gets the text of a file as the vector store took it in.
    GetVectorStoreFileContent = "retrieveVectorStoreFileContent", "vector_store_files"."content":
        Get "/vector_stores/{vector_store_id}/files/{file_id}/content" (VectorStoreId, FileId)
        ? (), () => types::FileContentPage;

    /// Puts several files into a vector store.
    CreateVectorStoreFileBatch = "createVectorStoreFileBatch", "vector_store_file_batches"."create":
        Post "/vector_stores/{vector_store_id}/file_batches" (VectorStoreId)
        ? (), types::CreateVectorStoreFileBatch => types::VectorStoreFileBatch;
    /// Gets a batch of files.
    GetVectorStoreFileBatch = "getVectorStoreFileBatch", "vector_store_file_batches"."get":
        Get "/vector_stores/{vector_store_id}/file_batches/{batch_id}" (VectorStoreId, VectorStoreFileBatchId)
        ? (), () => types::VectorStoreFileBatch;
    /// Gives up what is left of a batch.
    CancelVectorStoreFileBatch = "cancelVectorStoreFileBatch", "vector_store_file_batches"."cancel":
        Post "/vector_stores/{vector_store_id}/file_batches/{batch_id}/cancel"
        (VectorStoreId, VectorStoreFileBatchId) ? (), () => types::VectorStoreFileBatch;
    /// Lists the files of a batch.
    ListVectorStoreFileBatchFiles = "listFilesInVectorStoreBatch", "vector_store_file_batches"."list_files":
        Get "/vector_stores/{vector_store_id}/file_batches/{batch_id}/files"
        (VectorStoreId, VectorStoreFileBatchId)
        ? types::ListVectorStoreFilesQuery, () => types::Page<types::VectorStoreFile>;

    /// Asks a model for one answer. Body and reply pass through to and from the model's host.
    CreateChatCompletion = "createChatCompletion", "chat_completions"."create":
        Post "/chat/completions" () ? (), types::CreateChatCompletion => types::ChatCompletion,
        chunks = "types::ChatCompletionChunk";
    /// Lists the answers that were kept.
    ListChatCompletions = "listChatCompletions", "chat_completions"."list":
        Get "/chat/completions" () ? types::ListChatCompletionsQuery, () => types::Page<types::ChatCompletion>;
    /// Gets an answer that was kept.
    GetChatCompletion = "getChatCompletion", "chat_completions"."get":
        Get "/chat/completions/{completion_id}" (ChatCompletionId) ? (), () => types::ChatCompletion;
    /// Replaces the notes on an answer that was kept.
    UpdateChatCompletion = "updateChatCompletion", "chat_completions"."update":
        Post "/chat/completions/{completion_id}" (ChatCompletionId)
        ? (), types::UpdateChatCompletion => types::ChatCompletion;
    /// Deletes an answer that was kept, with its messages.
    DeleteChatCompletion = "deleteChatCompletion", "chat_completions"."delete":
        Delete "/chat/completions/{completion_id}" (ChatCompletionId)
        ? (), () => types::Deleted<types::ChatCompletionId>;
    /// Lists the messages that a kept answer was given to.
    ListChatCompletionMessages = "getChatCompletionMessages", "chat_completion_messages"."list":
        Get "/chat/completions/{completion_id}/messages" (ChatCompletionId)
        ? types::ListChatCompletionMessagesQuery, () => types::Page<types::ChatCompletionMessage>;

    /// Lists the models that assistants can be made with.
    ListModels = "listModels", "models"."list":
        Get "/models" () ? (), () => types::ModelList;
    /// Gets a model.
    GetModel = "retrieveModel", "models"."get":
        Get "/models/{model}" (ModelId) ? (), () => types::Model;
    /// Refused: models belong to their host, and no caller can delete one.
    DeleteModel = "deleteModel", "models"."delete":
        Delete "/models/{model}" (ModelId) ? (), () => types::Deleted<types::ModelId>;
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_endpoint_has_a_place_of_its_own() {
        let places: HashSet<_> = ENDPOINTS.iter().map(|row| (row.method.as_str(), row.path)).collect();
        let names: HashSet<_> = ENDPOINTS.iter().map(|row| (row.group, row.verb)).collect();
        assert_eq!((places.len(), names.len()), (ENDPOINTS.len(), ENDPOINTS.len()));
    }

    #[test]
    fn a_path_names_as_many_ids_as_its_types() {
        for row in ENDPOINTS {
            assert_eq!(row.path.matches('{').count(), row.path_types.len(), "{}", row.name);
        }
    }
}
