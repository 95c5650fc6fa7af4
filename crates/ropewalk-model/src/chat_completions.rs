mod answer;
mod answer_stream;
mod builder;
mod chunk;
mod completion_body;

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt;
use http::{HeaderMap, Request, Response, header::CONTENT_TYPE, request::Builder};
use ropewalk_transport::{Body, RetryPolicy, Secret, Transport, TransportError, TransportErrorKind};
use ropewalk_types::{ModelId, ModelWord, PathParams, UnixSeconds};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use self::{
    answer_stream::{AnswerStream, Form},
    completion_body::CompletionBody,
};
use crate::{Model, ModelError, ModelErrorKind, ModelRequest, ModelStream, PassedThrough};
pub use builder::ChatCompletionsBuilder;

/// Most bytes of a list of models.
const MAX_LIST_BYTES: usize = 4 << 20;
/// Most bytes read of a reply that is an error.
const MAX_ERROR_BYTES: usize = 64 << 10;

/// Any server that speaks Chat Completions, hosted or local.
///
/// Until the headers of an answer come, a request is tried again after a 429, a 5xx or a lost connection, as the
/// server's `Retry-After` asks, all tries within one deadline; after that never, for the answer may have been read
/// already. A stream that falls silent fails. A server that failed several times in a row is left alone for a while:
/// who asks meanwhile waits a few seconds at most, and then hears that it is not answering.
///
/// A setting that equals the API's default (temperature 1, tool choice `auto`, …) is not sent, because reasoning
/// models and small servers refuse many settings even then. The cap on tokens is sent as `max_completion_tokens`, the
/// one name that all hosted models take; a server that knows only the older `max_tokens` ignores it.
///
/// Poll a stream to its `None` to have its connection used again; drop it sooner to have the server stop.
#[derive(Debug, Clone)]
pub struct ChatCompletions {
    /// Without a slash at its end.
    base_url: String,
    transport: Transport,
    /// Known only to be struck out of what the server says.
    key: Option<Secret>,
    /// Adds headers to each request.
    headers: Option<fn(&mut HeaderMap)>,
}

impl ChatCompletions {
    /// The server at `base_url` (`https://api.openai.com/v1`, `http://localhost:11434/v1`), with the
    /// [builder](Self::builder)'s defaults.
    ///
    /// # Errors
    ///
    /// Those of [`ChatCompletionsBuilder::build`].
    pub fn new(base_url: impl Into<String>, key: Option<Secret>) -> Result<Self, ModelError> {
        let builder = Self::builder(base_url);
        match key {
            Some(key) => builder.key(key).build(),
            None => builder.build(),
        }
    }

    /// The same, with settings.
    pub fn builder(base_url: impl Into<String>) -> ChatCompletionsBuilder {
        ChatCompletionsBuilder::new(base_url.into())
    }

    /// The server at `base_url` over a transport of your own, which brings the key, the retries and the timeouts.
    /// A key that is not known here cannot be struck out of what the server says.
    ///
    /// # Errors
    ///
    /// [`ModelErrorKind::InvalidRequest`] if `base_url` is no plain http or https URL.
    pub fn with_transport(base_url: impl Into<String>, transport: Transport) -> Result<Self, ModelError> {
        Ok(Self { base_url: builder::checked(base_url.into())?, transport, key: None, headers: None })
    }

    async fn send(&self, request: Builder, body: Body) -> Result<Response<Body>, ModelError> {
        let mut request: Request<Body> = request.body(body).map_err(|error| {
            ModelError::new(ModelErrorKind::InvalidRequest)
                .about("the request has no valid URL")
                .with_source(error)
        })?;
        if let Some(add) = self.headers {
            add(request.headers_mut());
        }
        let response = self.transport.send(request).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        let (status, wait) = (response.status().as_u16(), retry_after(response.headers()));
        let body = response.into_body().collect(MAX_ERROR_BYTES).await.unwrap_or_default();
        let error = ModelError::from_reply(status, &body, self.key.as_ref().map_or("", Secret::expose));
        let error = self.addresses().fold(error, ModelError::without);
        Err(match wait {
            Some(wait) => error.with_retry_after(wait),
            None => error,
        })
    }

    /// The upstream's address, with its port and without: the operator's matter. A bare word is none.
    fn addresses(&self) -> impl Iterator<Item = &str> {
        let (_, behind) = self.base_url.split_once("://").unwrap_or_default();
        let authority = behind.split('/').next().unwrap_or_default();
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        [authority, host].into_iter().filter(|name| name.contains(['.', ':', '-']))
    }

    /// Asks for a completion, and gets the head of what comes.
    async fn complete(&self, body: Body) -> Result<Response<Body>, ModelError> {
        let post = Request::post(format!("{}/chat/completions", self.base_url))
            .header(CONTENT_TYPE, "application/json");
        self.send(post, body).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ModelError> {
        let request = Request::get(format!("{}{path}", self.base_url));
        let body = self.send(request, Body::empty()).await?.into_body().collect(MAX_LIST_BYTES).await?;
        serde_json::from_slice(&body)
            .map_err(|error| ModelError::new(ModelErrorKind::Protocol).with_source(error))
    }
}

#[async_trait]
impl Model for ChatCompletions {
    async fn stream(&self, request: &ModelRequest) -> Result<ModelStream, ModelError> {
        let response = self.complete(Body::json(&CompletionBody::from(request))?).await?;
        let form = Form::of(response.headers())?;
        Ok(Box::pin(AnswerStream::new(response.into_body(), form, self.key.clone())))
    }

    async fn pass_through(&self, request: Bytes) -> Result<PassedThrough, ModelError> {
        let response = self.complete(request.into()).await?;
        // A page for people is no answer of a model.
        Form::of(response.headers())?;
        let content_type = response.headers().get(CONTENT_TYPE).cloned();
        let body = response.into_body().into_data_stream().map_err(ModelError::from);
        Ok(PassedThrough { content_type, body: Box::pin(body) })
    }

    async fn models(&self) -> Result<Vec<ropewalk_types::Model>, ModelError> {
        let (ListedModels::Data { data } | ListedModels::Bare(data)) = self.get("/models").await?;
        Ok(data.into_iter().flatten().map(Into::into).collect())
    }

    /// Asks for the model alone; if the server knows no such page, looks it up in the list.
    async fn model(&self, id: &ModelId) -> Result<Option<ropewalk_types::Model>, ModelError> {
        // No encoding keeps these in their segment.
        if ["", ".", ".."].contains(&id.as_str()) {
            return Ok(None);
        }
        let path = (id.clone(),).fill("/models/{model}");
        let missing = |error: &ModelError| matches!(error.status(), Some(404 | 405));
        match self.get::<ListedModel>(&path).await {
            Ok(model) => return Ok(Some(model.into())),
            Err(error) if !missing(&error) => return Err(error),
            Err(_) => {}
        }
        match self.models().await {
            Ok(models) => Ok(models.into_iter().find(|model| model.id == *id)),
            Err(error) if missing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A list of models: as the API sends it, with `null` for none, or as a bare list.
#[derive(Deserialize)]
#[serde(untagged)]
enum ListedModels {
    Data { data: Option<Vec<ListedModel>> },
    Bare(Option<Vec<ListedModel>>),
}

#[derive(Deserialize)]
struct ListedModel {
    id: ModelId,
    #[serde(default)]
    created: Value,
    #[serde(default)]
    owned_by: Option<String>,
}

impl From<ListedModel> for ropewalk_types::Model {
    fn from(ListedModel { id, created, owned_by }: ListedModel) -> Self {
        let created = UnixSeconds(created.as_i64().unwrap_or_default());
        Self { id, object: ModelWord::Word, created, owned_by: owned_by.unwrap_or_default() }
    }
}

/// How long the server asks to wait, in any of the ways that the transport knows.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let policy =
        RetryPolicy::default().backoff(Duration::ZERO, Duration::ZERO).max_server_wait(Duration::MAX);
    Some(policy.delay(0, headers, SystemTime::now(), 0.0)).filter(|wait| !wait.is_zero())
}

impl From<TransportError> for ModelError {
    fn from(error: TransportError) -> Self {
        let failed = Self::new(match error.kind() {
            TransportErrorKind::InvalidRequest => ModelErrorKind::InvalidRequest,
            TransportErrorKind::Timeout => ModelErrorKind::TimedOut,
            TransportErrorKind::Interrupted => ModelErrorKind::Interrupted,
            TransportErrorKind::TooLarge => ModelErrorKind::Protocol,
            _ => ModelErrorKind::Unavailable,
        });
        let failed = match error.kind() {
            TransportErrorKind::CircuitOpen => failed.about("the model's host is not answering"),
            _ => failed,
        };
        match error.retry_after() {
            Some(wait) => failed.with_retry_after(wait),
            None => failed,
        }
        .with_source(error)
    }
}
