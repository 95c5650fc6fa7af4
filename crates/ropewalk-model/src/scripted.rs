mod answer;
mod arguments;
mod plan;
mod turn;
mod words;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use futures_util::stream;
use ropewalk_types::{ModelId, ModelWord, UnixSeconds};

pub use self::turn::Turn;
use crate::{Model, ModelError, ModelErrorKind, ModelRequest, ModelStream};

/// Not a language model: a script that stands in for one in demos, examples and tests.
///
/// It has two uses. [`ScriptedModel::new`] makes a small talker for a server without an upstream: it calls a function
/// when the user's text names all that the function needs (a ticker, a city, a number, a quoted word, …), answers from
/// what the calls gave, and otherwise repeats what was said. Each of its texts begins with a label that says what it
/// is. It counts words where a model counts tokens.
///
/// [`ScriptedModel::with_turns`] makes a test double: each [`stream`](Model::stream) plays the next [`Turn`] and
/// records its request. When no turn is left, `stream` is an error: a call more than was planned is a finding.
///
/// Clones share their script and their records.
#[derive(Debug, Clone, Default)]
pub struct ScriptedModel {
    script: Option<Arc<Mutex<Script>>>,
}

#[derive(Debug)]
struct Script {
    turns: VecDeque<Turn>,
    requests: Vec<ModelRequest>,
}

impl ScriptedModel {
    /// The one model that it lists.
    pub const NAME: &str = "ropewalk-scripted";

    /// A small talker. It remembers nothing, and answers to any model's name.
    pub fn new() -> Self {
        Self::default()
    }

    /// A test double that plays `turns`, one for each request.
    pub fn with_turns(turns: impl IntoIterator<Item = Turn>) -> Self {
        let script = Script { turns: turns.into_iter().collect(), requests: Vec::new() };
        Self { script: Some(Arc::new(Mutex::new(script))) }
    }

    /// The requests that a test double was given, oldest first; a small talker records none.
    pub fn requests(&self) -> Vec<ModelRequest> {
        let script = self.script.as_ref().map(|script| script.lock().unwrap_or_else(PoisonError::into_inner));
        script.map(|script| script.requests.clone()).unwrap_or_default()
    }

    fn listed(id: ModelId) -> ropewalk_types::Model {
        let owned_by = "ropewalk (a script, not a language model)".to_owned();
        ropewalk_types::Model { id, object: ModelWord::Word, created: UnixSeconds(0), owned_by }
    }
}

#[async_trait]
impl Model for ScriptedModel {
    async fn stream(&self, request: &ModelRequest) -> Result<ModelStream, ModelError> {
        let Some(script) = &self.script else {
            return Ok(Box::pin(stream::iter(plan::reply(request).into_iter().map(Ok))));
        };
        let turn = {
            let mut script = script.lock().unwrap_or_else(PoisonError::into_inner);
            script.requests.push(request.clone());
            script.turns.pop_front()
        };
        turn.ok_or_else(|| {
            ModelError::new(ModelErrorKind::InvalidRequest).about("the script has no turn left")
        })?
        .play()
    }

    async fn models(&self) -> Result<Vec<ropewalk_types::Model>, ModelError> {
        Ok(vec![Self::listed(Self::NAME.into())])
    }

    /// Any model: a program that asks for `gpt-4o` can be tried without a change.
    async fn model(&self, id: &ModelId) -> Result<Option<ropewalk_types::Model>, ModelError> {
        Ok(Some(Self::listed(id.clone())))
    }
}
