//! The table of endpoints: each one declared once.
//!
//! The client's methods, the server's routes and the reference page come from it. An endpoint is a type, so
//! that a handler or a call with the wrong body or reply does not compile; [`ENDPOINTS`] is the same table as data.

use serde::{Serialize, de::DeserializeOwned};

use crate::{self as types, PathParams};

/// One endpoint as a type.
pub trait Endpoint: Send + Sync + 'static {
    /// The endpoint as data.
    const INFO: EndpointInfo;
    /// The ids in its path.
    type Path: PathParams + Send + 'static;
    /// Its query string; `()` if it has none.
    type Query: Serialize + DeserializeOwned + Default + Send + 'static;
    /// Its JSON body; `()` if it has none.
    type Body: Serialize + DeserializeOwned + Send + 'static;
    /// Its JSON reply.
    type Response: Serialize + DeserializeOwned + Send + 'static;
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// Whether a request must carry `OpenAI-Beta: assistants=v2`.
    pub beta: bool,
    /// Whether the body may be absent.
    pub body_optional: bool,
    /// What it does, one sentence a line.
    pub doc: &'static str,
}

macro_rules! endpoints {
    ($(
        #[doc = $doc:literal]
        $name:ident = $operation:literal, $group:literal . $verb:literal:
            $method:ident $path:literal ($($id:ident),*) ? $query:ty, $body:ty => $response:ty
            $(, $flag:ident)* ;
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
                    doc: $doc,
                    $($flag: true,)*
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
    streams: false,
    beta: false,
    body_optional: false,
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
        Post "/threads/{thread_id}/runs" (ThreadId) ? (), types::CreateRun => types::Run, beta, streams;
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

    /// Lists the steps of a run.
    ListRunSteps = "listRunSteps", "run_steps"."list":
        Get "/threads/{thread_id}/runs/{run_id}/steps" (ThreadId, RunId)
        ? types::ListQuery, () => types::Page<types::RunStep>, beta;
    /// Gets a step of a run.
    GetRunStep = "getRunStep", "run_steps"."get":
        Get "/threads/{thread_id}/runs/{run_id}/steps/{step_id}" (ThreadId, RunId, RunStepId)
        ? (), () => types::RunStep, beta;

    /// Lists the models that assistants can be made with.
    ListModels = "listModels", "models"."list":
        Get "/models" () ? (), () => types::ModelList;
    /// Gets a model.
    GetModel = "retrieveModel", "models"."get":
        Get "/models/{model}" (ModelId) ? (), () => types::Model;
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
