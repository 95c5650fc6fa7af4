use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    AssistantId, FileId, MessageId, MessageWord, Metadata, RunId, ThreadId, Tool, UnixSeconds, Update,
    common::metadata_schema,
};

/// One message of a thread.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Message {
    /// Starts with `msg_`.
    pub id: MessageId,
    /// `thread.message`.
    #[serde(default)]
    pub object: MessageWord,
    /// When it was made.
    pub created_at: UnixSeconds,
    /// The thread it stands in.
    pub thread_id: ThreadId,
    /// Whether its text is whole.
    pub status: MessageStatus,
    /// Why its text is not whole.
    pub incomplete_details: Option<MessageIncompleteDetails>,
    /// When its text was whole.
    pub completed_at: Option<UnixSeconds>,
    /// When it was cut short.
    pub incomplete_at: Option<UnixSeconds>,
    /// Who wrote it.
    pub role: Role,
    /// Its parts, in order.
    pub content: Vec<MessageContent>,
    /// The assistant that wrote it, if one did.
    pub assistant_id: Option<AssistantId>,
    /// The run that made it, if one did.
    pub run_id: Option<RunId>,
    /// Files that came with it, and the tools that may use them.
    pub attachments: Option<Vec<Attachment>>,
    /// Notes of the caller.
    #[serde(default)]
    #[schemars(schema_with = "metadata_schema")]
    pub metadata: Option<Metadata>,
}

impl Message {
    /// The message that `request` asks for.
    pub fn new(id: MessageId, thread_id: ThreadId, created_at: UnixSeconds, request: CreateMessage) -> Self {
        Self {
            id,
            object: MessageWord::Word,
            created_at,
            thread_id,
            status: MessageStatus::Completed,
            incomplete_details: None,
            completed_at: Some(created_at),
            incomplete_at: None,
            role: request.role,
            content: request.content.into_content(),
            assistant_id: None,
            run_id: None,
            attachments: Some(request.attachments.unwrap_or_default()),
            metadata: Some(request.metadata.unwrap_or_default()),
        }
    }

    /// An answer that a run begins to write.
    pub fn begun_by(
        run_id: RunId,
        assistant_id: AssistantId,
        id: MessageId,
        thread_id: ThreadId,
        created_at: UnixSeconds,
    ) -> Self {
        Self {
            id,
            object: MessageWord::Word,
            created_at,
            thread_id,
            status: MessageStatus::InProgress,
            incomplete_details: None,
            completed_at: None,
            incomplete_at: None,
            role: Role::Assistant,
            content: Vec::new(),
            assistant_id: Some(assistant_id),
            run_id: Some(run_id),
            attachments: Some(Vec::new()),
            metadata: Some(Metadata::new()),
        }
    }

    /// All its text, parts joined by a line break.
    pub fn text(&self) -> String {
        let parts: Vec<&str> = self
            .content
            .iter()
            .filter_map(|part| match part {
                MessageContent::Text { text } => Some(text.value.as_str()),
                MessageContent::Refusal { refusal } => Some(refusal.as_str()),
                _ => None,
            })
            .collect();
        parts.join("\n")
    }
}

/// Whether a message is whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MessageStatus {
    /// Being written.
    InProgress,
    /// Cut short.
    Incomplete,
    /// Whole.
    Completed,
    /// A status newer than this crate, kept word for word.
    #[serde(untagged)]
    #[schemars(skip)]
    Unknown(String),
}

/// Why a message was cut short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MessageIncompleteDetails {
    /// The reason.
    pub reason: IncompleteReason,
}

/// Why a message was cut short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum IncompleteReason {
    /// The model's host held it back.
    ContentFilter,
    /// A token limit was reached.
    MaxTokens,
    /// Its run was cancelled.
    RunCancelled,
    /// Its run expired.
    RunExpired,
    /// Its run failed.
    RunFailed,
    /// A reason newer than this crate, kept word for word.
    #[serde(untagged)]
    #[schemars(skip)]
    Unknown(String),
}

/// Who wrote a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Role {
    /// A person, or the program for them.
    User,
    /// The assistant.
    Assistant,
    /// A role newer than this crate, kept word for word.
    #[serde(untagged)]
    #[schemars(skip)]
    Unknown(String),
}

/// One part of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum MessageContent {
    /// Text with its annotations.
    Text {
        /// The text.
        text: Text,
    },
    /// An image kept as a file.
    ImageFile {
        /// Which file.
        image_file: ImageFile,
    },
    /// An image elsewhere.
    ImageUrl {
        /// Where.
        image_url: ImageUrl,
    },
    /// What the model said in place of an answer.
    Refusal {
        /// Its words.
        refusal: String,
    },
    /// A part newer than this crate, kept word for word.
    #[serde(untagged)]
    #[schemars(skip)]
    Unknown(Value),
}

/// Text and what is tied to places in it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Text {
    /// The text.
    pub value: String,
    /// Citations and file links, in order.
    #[serde(default)]
    pub annotations: Vec<Annotation>,
}

/// Something tied to a place in a text. Places count Unicode code points; the end is exclusive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Annotation {
    /// A passage that file_search found.
    FileCitation {
        /// The marker in the text.
        text: String,
        /// Where the marker begins.
        start_index: u64,
        /// Where the marker ends.
        end_index: u64,
        /// Which file.
        file_citation: FileReference,
    },
    /// A file that code_interpreter made.
    FilePath {
        /// The path in the text, `sandbox:/mnt/data/…`.
        text: String,
        /// Where the path begins.
        start_index: u64,
        /// Where the path ends.
        end_index: u64,
        /// Which file.
        file_path: FileReference,
    },
    /// An annotation newer than this crate, kept word for word.
    #[serde(untagged)]
    #[schemars(skip)]
    Unknown(Value),
}

/// A file by its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileReference {
    /// Which file.
    pub file_id: FileId,
}

/// An image kept as a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImageFile {
    /// Which file.
    pub file_id: FileId,
    /// How closely the model looks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "auto"))]
    pub detail: Option<ImageDetail>,
}

/// An image elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImageUrl {
    /// `https:` or `data:`.
    pub url: String,
    /// How closely the model looks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "auto"))]
    pub detail: Option<ImageDetail>,
}

/// How closely the model looks at an image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImageDetail {
    /// The model decides.
    #[default]
    Auto,
    /// Few tokens.
    Low,
    /// Many tokens.
    High,
}

/// A file that came with a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Attachment {
    /// Which file.
    pub file_id: FileId,
    /// The tools that may use it.
    #[serde(default)]
    #[schemars(with = "Vec<AttachmentTool>")]
    pub tools: Vec<Tool>,
}

/// The tools that a file may be for.
#[derive(JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "stands for its schema alone")]
enum AttachmentTool {
    /// Python reads it.
    CodeInterpreter,
    /// It is put into the thread's vector store.
    FileSearch,
}

/// Adds a message to a thread.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CreateMessage {
    /// Who speaks.
    pub role: Role,
    /// What they say; 1 to 256,000 characters.
    pub content: MessageInput,
    /// Files that come with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attachments: Option<Vec<Attachment>>,
    /// Notes of the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "metadata_schema")]
    pub metadata: Option<Metadata>,
}

impl CreateMessage {
    /// A message of the user.
    pub fn user(content: impl Into<MessageInput>) -> Self {
        Self { role: Role::User, content: content.into(), attachments: None, metadata: None }
    }

    /// A message put into the assistant's mouth.
    pub fn assistant(content: impl Into<MessageInput>) -> Self {
        Self { role: Role::Assistant, ..Self::user(content) }
    }

    /// Adds notes.
    #[must_use]
    pub fn metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = Some(metadata);
        self
    }
}

/// What a new message says: plain text, or parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum MessageInput {
    /// Plain text.
    Text(#[schemars(length(max = 256_000))] String),
    /// Parts, at least one.
    Parts(#[schemars(length(min = 1))] Vec<ContentPart>),
}

impl MessageInput {
    /// The parts as a message shows them.
    pub fn into_content(self) -> Vec<MessageContent> {
        let text = |value| MessageContent::Text { text: Text { value, annotations: Vec::new() } };
        match self {
            Self::Text(value) => vec![text(value)],
            Self::Parts(parts) => parts
                .into_iter()
                .map(|part| match part {
                    ContentPart::Text { text: value } => text(value),
                    ContentPart::ImageFile { image_file } => MessageContent::ImageFile { image_file },
                    ContentPart::ImageUrl { image_url } => MessageContent::ImageUrl { image_url },
                })
                .collect(),
        }
    }
}

impl<T: Into<String>> From<T> for MessageInput {
    fn from(text: T) -> Self {
        Self::Text(text.into())
    }
}

/// One part of a new message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum ContentPart {
    /// Plain text.
    Text {
        /// The text.
        #[schemars(length(max = 256_000))]
        text: String,
    },
    /// An image kept as a file.
    ImageFile {
        /// Which file.
        image_file: ImageFile,
    },
    /// An image elsewhere.
    ImageUrl {
        /// Where.
        image_url: ImageUrl,
    },
}

/// Changes the notes on a message.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ModifyMessage {
    /// Replaces the notes as a whole.
    #[serde(default, skip_serializing_if = "Update::is_keep")]
    #[schemars(schema_with = "metadata_schema")]
    pub metadata: Update<Metadata>,
}

impl ModifyMessage {
    /// Replaces the notes.
    pub fn new(metadata: Metadata) -> Self {
        Self { metadata: metadata.into() }
    }
}
