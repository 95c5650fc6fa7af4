use bytes::Bytes;
use ropewalk_store::{Batch, Expect, Kind, Put, Scope, StoreError};
use ropewalk_types::{ChatCompletionId, ChatCompletionMessage, Metadata, UnixSeconds};
use serde_json::{Map, Value};

/// What is kept beside an answer.
#[derive(Debug)]
pub(crate) struct Keep {
    /// Those of the request.
    pub(crate) messages: Vec<Value>,
    pub(crate) metadata: Metadata,
}

impl Keep {
    /// Stores an answer and its messages. An answer whose id came before takes the place of the other: hosts make the
    /// ids, some of them of three digits, and whoever asks for this one has just been given it.
    pub(super) async fn store(
        self,
        scope: &Scope,
        mut completion: Map<String, Value>,
        now: UnixSeconds,
    ) -> Result<(), StoreError> {
        let id = completion.get("id").and_then(Value::as_str).unwrap_or_default();
        if id.is_empty() {
            tracing::warn!("a chat completion is not kept: its host gave it no id");
            return Ok(());
        }
        let id = ChatCompletionId::new(id);
        if completion.get("created").and_then(Value::as_i64).is_none() {
            completion.insert("created".to_owned(), now.0.into());
        }
        completion.insert("metadata".to_owned(), self.metadata.into_iter().collect());
        let put = put_completion(&completion);
        let created_at = put.created_at;
        let messages = self.messages.iter().enumerate().map(|(place, message)| {
            let message = ChatCompletionMessage::new(&id, place, message);
            let json = serde_json::to_vec(&message).unwrap_or_default();
            Put::new(Kind::ChatCompletionMessage, message.id, created_at, json).parent(id.as_str())
        });
        let puts = std::iter::once(put.expect(Expect::Absent)).chain(messages).collect::<Vec<_>>();
        let batch = |batch| puts.iter().cloned().fold(batch, Batch::put);
        match scope.commit(batch(Batch::new())).await {
            Err(StoreError::AlreadyExists { .. }) => {
                tracing::warn!(%id, "a chat completion takes the place of an older one: their host gave both one id");
                scope.commit(batch(Batch::new().delete_tree(Kind::ChatCompletion, id.as_str()))).await
            }
            stored => stored,
        }
    }
}

/// An answer as it is stored: by its own id and time.
pub(crate) fn put_completion(completion: &Map<String, Value>) -> Put {
    let id = completion.get("id").and_then(Value::as_str).unwrap_or_default();
    let created_at = completion.get("created").and_then(Value::as_i64).unwrap_or_default();
    let json: Bytes = serde_json::to_vec(completion).unwrap_or_default().into();
    Put::new(Kind::ChatCompletion, id, created_at, json)
}
