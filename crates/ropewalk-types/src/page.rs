use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::{Id, ListWord, Model, RunId, RunStepInclude};

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "{T}List")]
pub struct Page<T> {
    /// `list`.
    #[serde(default)]
    pub object: ListWord,
    /// The rows, in the order asked for.
    pub data: Vec<T>,
    /// Id of the first row; `null` on an empty page.
    pub first_id: Option<String>,
    /// Id of the last row, to give as `after` for the next page; `null` on an empty page.
    pub last_id: Option<String>,
    /// Whether rows follow behind this page.
    #[serde(default)]
    pub has_more: bool,
}

/// All models at once: this list has no pages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelList {
    /// `list`.
    #[serde(default)]
    pub object: ListWord,
    /// The models.
    pub data: Vec<Model>,
}

/// Direction of a list by creation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Oldest first.
    Asc,
    /// Newest first.
    #[default]
    Desc,
}

/// Which page of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ListQuery {
    /// Most rows, 1 to 100; 20 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100), extend("default" = 20))]
    pub limit: Option<i64>,
    /// Newest first if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "desc"))]
    pub order: Option<Order>,
    /// Rows behind this id, in list order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Rows ahead of this id, in list order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
}

impl ListQuery {
    /// The default page: the newest 20.
    pub fn new() -> Self {
        Self::default()
    }

    /// At most `limit` rows, 1 to 100.
    #[must_use]
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit.into());
        self
    }

    /// In this direction.
    #[must_use]
    pub fn order(mut self, order: Order) -> Self {
        self.order = Some(order);
        self
    }

    /// Rows behind this id.
    #[must_use]
    pub fn after(mut self, id: impl Into<String>) -> Self {
        self.after = Some(id.into());
        self
    }

    /// Rows ahead of this id.
    #[must_use]
    pub fn before(mut self, id: impl Into<String>) -> Self {
        self.before = Some(id.into());
        self
    }
}

/// Which page of a thread's messages.
///
/// Repeats the fields of [`ListQuery`], because a flattened query string loses its numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ListMessagesQuery {
    /// Most rows, 1 to 100; 20 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100), extend("default" = 20))]
    pub limit: Option<i64>,
    /// Newest first if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "desc"))]
    pub order: Option<Order>,
    /// Rows behind this id, in list order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Rows ahead of this id, in list order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// Only messages that this run made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
}

impl From<ListQuery> for ListMessagesQuery {
    fn from(query: ListQuery) -> Self {
        let ListQuery { limit, order, after, before } = query;
        Self { limit, order, after, before, run_id: None }
    }
}

/// Which page of a run's steps, and what they tell.
///
/// Repeats the fields of [`ListQuery`], because a flattened query string loses its numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunStepsQuery {
    /// Most rows, 1 to 100; 20 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100), extend("default" = 20))]
    pub limit: Option<i64>,
    /// Newest first if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "desc"))]
    pub order: Option<Order>,
    /// Rows behind this id, in list order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Rows ahead of this id, in list order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What to add to each step.
    #[serde(rename = "include[]", default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<RunStepInclude>,
}

impl From<ListQuery> for RunStepsQuery {
    fn from(query: ListQuery) -> Self {
        let ListQuery { limit, order, after, before } = query;
        Self { limit, order, after, before, include: Vec::new() }
    }
}

/// What to add to run steps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IncludeQuery {
    /// What to add to each step.
    #[serde(rename = "include[]", default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<RunStepInclude>,
}

impl From<()> for IncludeQuery {
    fn from((): ()) -> Self {
        Self::default()
    }
}

/// The reply to a deletion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deleted<I> {
    /// What was deleted.
    pub id: I,
    /// `assistant.deleted`, `thread.deleted`, `thread.message.deleted`.
    pub object: String,
    /// Always `true`.
    pub deleted: bool,
}

impl<I: Id + JsonSchema> JsonSchema for Deleted<I> {
    fn schema_name() -> Cow<'static, str> {
        format!("Deleted{}", I::schema_name().trim_end_matches("Id")).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "The reply to a deletion.",
            "properties": {
                "id": generator.subschema_for::<I>(),
                "object": { "type": "string", "enum": deleted_words(I::PREFIX) },
                "deleted": { "type": "boolean", "const": true },
            },
            "required": ["id", "object", "deleted"],
        })
    }
}

/// What the `object` of a deletion's reply may be. A file is deleted, or only taken out of a vector store.
fn deleted_words(prefix: &str) -> &'static [&'static str] {
    match prefix {
        "asst_" => &["assistant.deleted"],
        "thread_" => &["thread.deleted"],
        "msg_" => &["thread.message.deleted"],
        "file-" => &["file", "vector_store.file.deleted"],
        "vs_" => &["vector_store.deleted"],
        "chatcmpl-" => &["chat.completion.deleted"],
        _ => &["model"],
    }
}
