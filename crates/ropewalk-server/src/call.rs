use std::future::Future;

use axum::{
    Router,
    body::Body,
    extract::{FromRequestParts, RawPathParams, Request, State},
    response::IntoResponse,
    routing::{MethodFilter, on},
};
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use ropewalk_store::{Organization, Scope};
use ropewalk_types::{Endpoint, ErrorObject, Method, PathError, PathParams};
use serde::de::DeserializeOwned;

use crate::{api_error::ApiError, json, keys::Access, reply::Reply, runtime::Runtime};

/// One request to an endpoint, read and checked: what its handler works on.
pub(crate) struct Call<E: Endpoint> {
    pub(crate) runtime: Runtime,
    /// What the caller's organisation may see: a handler has no other way to the store.
    pub(crate) scope: Scope,
    pub(crate) path: E::Path,
    pub(crate) query: E::Query,
    pub(crate) body: E::Body,
}

/// Routes an endpoint of the table to its handler.
pub(crate) fn route<E, H, F>(router: Router<Runtime>, handler: H) -> Router<Runtime>
where
    E: Endpoint,
    H: Fn(Call<E>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Reply<E>, ApiError>> + Send + 'static,
{
    let method = match E::INFO.method {
        Method::Get => MethodFilter::GET,
        Method::Post => MethodFilter::POST,
        Method::Delete => MethodFilter::DELETE,
    };
    let answer = |State(runtime): State<Runtime>, request: Request| async move {
        match answer::<E, H, F>(runtime, request, handler).await {
            Ok(reply) => reply.into_response(),
            Err(error) => error.into_response(),
        }
    };
    router.route(&format!("/v1{}", E::INFO.path), on(method, answer))
}

async fn answer<E, H, F>(runtime: Runtime, request: Request, handler: H) -> Result<Reply<E>, ApiError>
where
    E: Endpoint,
    H: Fn(Call<E>) -> F,
    F: Future<Output = Result<Reply<E>, ApiError>>,
{
    let organization = authenticate(&runtime, request.headers())?;
    if E::INFO.beta {
        require_beta(request.headers())?;
    }
    let (mut parts, body) = request.into_parts();
    let params = RawPathParams::from_request_parts(&mut parts, &())
        .await
        .map_err(|_| ApiError::bad_request("The path is not valid UTF-8."))?;
    let values: Vec<&str> = params.iter().map(|(_, value)| value).collect();
    let path = E::Path::parse(E::INFO.path, &values).map_err(bad_id)?;
    let query = json::read_query(parts.uri.query().unwrap_or_default())?;
    let body = read_body::<E>(body, runtime.options().max_body_bytes).await?;
    let scope = runtime.store().scope(organization);
    handler(Call { runtime, scope, path, query, body }).await
}

async fn read_body<E: Endpoint>(body: Body, limit: usize) -> Result<E::Body, ApiError> {
    let bytes = match Limited::new(body, limit).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            let message = format!("The body of the request is larger than {limit} bytes.");
            let error = ErrorObject::invalid_request(message);
            return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, error));
        }
        Err(_) => return Err(ApiError::bad_request("The body of the request broke off.")),
    };
    if takes_no_body::<E::Body>() {
        return json::read(b"null");
    }
    if bytes.is_empty() && E::INFO.body_optional {
        return json::read(b"{}");
    }
    json::read(&bytes)
}

/// Whether the endpoint's body is `()`: whatever a client sends there is ignored, as some send `{}`.
fn takes_no_body<B: DeserializeOwned + 'static>() -> bool {
    std::any::TypeId::of::<B>() == std::any::TypeId::of::<()>()
}

fn authenticate(runtime: &Runtime, headers: &HeaderMap) -> Result<Organization, ApiError> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let key = text(header::AUTHORIZATION.as_str())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, key)| key.trim());
    let unauthorized = |error: ErrorObject| Err(ApiError::new(StatusCode::UNAUTHORIZED, error));
    let organization = match runtime.keys().organization(key) {
        Access::Local(organization) => return Ok(organization),
        Access::Granted(organization) => organization,
        Access::NoKey => {
            return unauthorized(ErrorObject::invalid_request(
                "You didn't provide an API key. You need to provide your API key in an Authorization header \
                 using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
            ));
        }
        Access::WrongKey(shown) => {
            let message = format!(
                "Incorrect API key provided: {shown}. You can find your API key with the operator of this \
                 server."
            );
            return unauthorized(ErrorObject::invalid_request(message).code("invalid_api_key"));
        }
    };
    match text("openai-organization") {
        Some(named) if named != organization.as_str() => unauthorized(
            ErrorObject::invalid_request("OpenAI-Organization header should match organization for API key")
                .code("mismatched_organization"),
        ),
        _ => Ok(organization),
    }
}

/// The header that the SDKs send to assistants and threads paths; it may name several betas.
fn require_beta(headers: &HeaderMap) -> Result<(), ApiError> {
    let betas = headers.get_all("openai-beta");
    let mut named = betas.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    if named.any(|beta| beta.trim() == "assistants=v2") {
        return Ok(());
    }
    let message = "You must provide the 'OpenAI-Beta' header to access the Assistants API. Please try again by \
                   setting the header 'OpenAI-Beta: assistants=v2'.";
    Err(ApiError::new(StatusCode::BAD_REQUEST, ErrorObject::invalid_request(message).code("invalid_beta")))
}

fn bad_id(error: PathError) -> ApiError {
    let PathError { name, value, prefix } = error;
    let prefix = prefix.trim_end_matches(['_', '-']);
    let message = format!("Invalid '{name}': '{value}'. Expected an ID that begins with '{prefix}'.");
    ApiError::bad_field(&name, "invalid_value", message)
}
