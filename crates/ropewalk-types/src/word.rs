//! Fixed words of the wire (`"object": "thread.run"`), each a type with one value.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident = $word:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        #[schemars(inline)]
        pub enum $name {
            #[doc = concat!("`", $word, "`.")]
            #[default]
            #[serde(rename = $word)]
            Word,
        }
    )*};
}

words! {
    /// The `object` of an [`Assistant`](crate::Assistant).
    AssistantWord = "assistant";
    /// The `object` of a [`Thread`](crate::Thread).
    ThreadWord = "thread";
    /// The `object` of a [`Message`](crate::Message).
    MessageWord = "thread.message";
    /// The `object` of a [`MessageDelta`](crate::MessageDelta).
    MessageDeltaWord = "thread.message.delta";
    /// The `object` of a [`Run`](crate::Run).
    RunWord = "thread.run";
    /// The `object` of a [`RunStep`](crate::RunStep).
    RunStepWord = "thread.run.step";
    /// The `object` of a [`RunStepDelta`](crate::RunStepDelta).
    RunStepDeltaWord = "thread.run.step.delta";
    /// The `object` of a [`Model`](crate::Model).
    ModelWord = "model";
    /// The `object` of a [`ChatCompletion`](crate::ChatCompletion).
    ChatCompletionWord = "chat.completion";
    /// The `object` of a [`ChatCompletionChunk`](crate::ChatCompletionChunk).
    ChatCompletionChunkWord = "chat.completion.chunk";
    /// The `object` of a [`File`](crate::File), deleted or not.
    FileWord = "file";
    /// The `object` of an [`Upload`](crate::Upload).
    UploadWord = "upload";
    /// The `object` of an [`UploadPart`](crate::UploadPart).
    UploadPartWord = "upload.part";
    /// The `object` of a [`VectorStore`](crate::VectorStore).
    VectorStoreWord = "vector_store";
    /// The `object` of a [`VectorStoreFile`](crate::VectorStoreFile).
    VectorStoreFileWord = "vector_store.file";
    /// The `object` of a [`VectorStoreFileBatch`](crate::VectorStoreFileBatch).
    VectorStoreFileBatchWord = "vector_store.files_batch";
    /// The `object` of a [`SearchResultsPage`](crate::SearchResultsPage).
    SearchResultsWord = "vector_store.search_results.page";
    /// The `object` of a [`FileContentPage`](crate::FileContentPage).
    FileContentPageWord = "vector_store.file_content.page";
    /// The `object` of [`ThreadsDeleted`](crate::ThreadsDeleted).
    ThreadsDeletedWord = "threads.deleted";
    /// The `object` of every list.
    ListWord = "list";
    /// The `type` of a [`ToolCall`](crate::ToolCall).
    FunctionWord = "function";
    /// The `type` of a [`RequiredAction`](crate::RequiredAction).
    SubmitToolOutputsWord = "submit_tool_outputs";
}
