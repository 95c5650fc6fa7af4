use std::fmt;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// What a document is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Kind {
            $($(#[$doc])* $name,)*
        }

        impl Kind {
            /// Every kind there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The word that stands for the kind where it is stored.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }
        }
    };
}

kinds! {
    /// A configured model with instructions and tools.
    Assistant = "assistant",
    /// A conversation.
    Thread = "thread",
    /// An entry of a thread, its parent.
    Message = "message",
    /// One execution of an assistant on a thread, its parent.
    Run = "run",
    /// One recorded move of a run, its parent.
    RunStep = "run_step",
    /// Events of a run, its parent, in the order of their numbers: compressed, not JSON.
    RunEvents = "run_events",
    /// What is known of a file; its bytes are a blob.
    File = "file",
    /// A file that was deleted, and is not forgotten everywhere yet.
    DeletedFile = "deleted_file",
    /// An object that uses a file, its parent.
    FileUse = "file_use",
    /// A file that arrives in parts.
    Upload = "upload",
    /// One part of an upload, its parent; its bytes are a blob.
    UploadPart = "upload_part",
    /// A searchable home of files.
    VectorStore = "vector_store",
    /// A file's place in a vector store, its parent.
    VectorStoreFile = "vector_store_file",
    /// Files that were added to a vector store, their parent, together.
    VectorStoreFileBatch = "vector_store_file_batch",
    /// A file as a search engine over the store knows it, below its vector store.
    IndexedFile = "indexed_file",
    /// Pieces of an indexed file, its parent.
    Chunk = "chunk",
    /// A stored answer of `/chat/completions`.
    ChatCompletion = "chat_completion",
    /// One message of the request that a stored chat completion, its parent, answers.
    ChatCompletionMessage = "chat_completion_message",
    /// What lies in the code_interpreter folder of a thread, its parent; it has the thread's id.
    InterpreterFolder = "interpreter_folder",
    /// What is known of a key: its hash, never the key.
    ApiKey = "api_key",
    /// An address that is told of events.
    Webhook = "webhook",
    /// An event on its way to a webhook, its parent.
    WebhookDelivery = "webhook_delivery",
}

impl Kind {
    /// Whether [`Batch::delete_tree`](crate::Batch::delete_tree) looks for what has a document of this kind for a
    /// parent. There are many of the others, and nothing is ever below them.
    pub fn has_children(self) -> bool {
        !matches!(
            self,
            Self::Message
                | Self::RunStep
                | Self::RunEvents
                | Self::FileUse
                | Self::UploadPart
                | Self::Chunk
                | Self::ChatCompletionMessage
                | Self::InterpreterFolder
                | Self::ApiKey
                | Self::Webhook
                | Self::WebhookDelivery
        )
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
