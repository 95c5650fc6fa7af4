use std::{future::Future, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{FromRequestParts, RawPathParams, Request, State},
    response::IntoResponse,
    routing::{MethodFilter, on},
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use ropewalk_runs::BusyPolicy;
use ropewalk_store::Scope;
use ropewalk_types::{Endpoint, ErrorObject, Method, PathParams};

use crate::{
    api_error::ApiError,
    azure::Azure,
    caller::{Caller, require_beta},
    form::Form,
    idle::went_idle,
    preferences::Preferences,
    reply::Reply,
    runtime::Runtime,
    schema::{RequestSchema, bad_id},
    streams::StreamSlot,
};

/// One request to an endpoint, read and checked: what its handler works on.
pub(crate) struct Call<E: Endpoint, B = <E as Endpoint>::Body> {
    pub(crate) runtime: Runtime,
    pub(crate) caller: Caller,
    /// Set if the request came by the Azure form of the routes.
    pub(crate) azure: Option<Azure>,
    pub(crate) preferences: Preferences,
    /// What the caller's organisation may see: a handler has no other way to the store.
    pub(crate) scope: Scope,
    pub(crate) path: E::Path,
    pub(crate) query: E::Query,
    pub(crate) body: B,
}

impl<E: Endpoint> Call<E, ()> {
    fn with<B>(self, body: B) -> Call<E, B> {
        let Self { runtime, caller, azure, preferences, scope, path, query, body: () } = self;
        Call { runtime, caller, azure, preferences, scope, path, query, body }
    }
}

impl<E: Endpoint, B> Call<E, B> {
    /// What happens to what the request brings if its thread is busy.
    pub(crate) fn busy(&self) -> BusyPolicy {
        self.preferences.busy.unwrap_or(self.runtime.options().busy)
    }

    /// Room for an event stream, if one is wanted: to be taken before anything is begun that would feed it.
    pub(crate) fn stream_slot(&self, wanted: bool) -> Result<Option<StreamSlot>, ApiError> {
        wanted.then(|| self.open_stream()).transpose()
    }

    /// Room for an event stream.
    pub(crate) fn open_stream(&self) -> Result<StreamSlot, ApiError> {
        self.runtime.streams().open(&self.caller.organization)
    }
}

/// Routes an endpoint of the table to its handler.
pub(crate) fn route<E, H, F>(router: Router<Runtime>, handler: H) -> Router<Runtime>
where
    E: Endpoint,
    H: Fn(Call<E>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Reply<E>, ApiError>> + Send + 'static,
{
    on_path::<E, _, _>(router, move |schema, runtime, request| {
        let handler = handler.clone();
        async move {
            let (call, _, body) = read_head(&schema, runtime, request).await?;
            let body = read_body(body, call.runtime.options().max_body_bytes).await?;
            let body = schema.read_body(&body)?;
            handler(call.with(body)).await
        }
    })
}

/// Routes an endpoint whose body is read no further here: its handler gets the bytes as they came.
pub(crate) fn route_bytes<E, H, F>(router: Router<Runtime>, handler: H) -> Router<Runtime>
where
    E: Endpoint,
    H: Fn(Call<E, Bytes>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Reply<E>, ApiError>> + Send + 'static,
{
    on_path::<E, _, _>(router, move |schema, runtime, request| {
        let handler = handler.clone();
        async move {
            let (call, _, body) = read_head(&schema, runtime, request).await?;
            let body = read_body(body, call.runtime.options().max_body_bytes).await?;
            handler(call.with(body)).await
        }
    })
}

/// Routes an endpoint whose body is a form to its handler, which reads the form as it comes.
pub(crate) fn route_form<E, H, F>(router: Router<Runtime>, handler: H) -> Router<Runtime>
where
    E: Endpoint,
    H: Fn(Call<E, Form<E>>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Reply<E>, ApiError>> + Send + 'static,
{
    on_path::<E, _, _>(router, move |schema, runtime, request| {
        let handler = handler.clone();
        async move {
            let (call, headers, body) = read_head(&schema, runtime, request).await?;
            let form = Form::new(schema, &headers, body)?;
            handler(call.with(form)).await
        }
    })
}

fn on_path<E, A, F>(router: Router<Runtime>, answer: A) -> Router<Runtime>
where
    E: Endpoint,
    A: Fn(Arc<RequestSchema<E>>, Runtime, Request) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Reply<E>, ApiError>> + Send + 'static,
{
    let method = match E::INFO.method {
        Method::Get => MethodFilter::GET,
        Method::Post => MethodFilter::POST,
        Method::Delete => MethodFilter::DELETE,
    };
    let schema = Arc::new(RequestSchema::<E>::new());
    let answer = |State(runtime): State<Runtime>, request: Request| async move {
        match answer(schema, runtime, request).await {
            Ok(reply) => reply.into_response(),
            Err(error) => error.into_response(),
        }
    };
    router.route(&format!("/v1{}", E::INFO.path), on(method, answer))
}

/// All of a request but its body.
async fn read_head<E: Endpoint>(
    schema: &RequestSchema<E>,
    runtime: Runtime,
    request: Request,
) -> Result<(Call<E, ()>, HeaderMap, Body), ApiError> {
    let (mut parts, body) = request.into_parts();
    let azure = parts.extensions.remove::<Azure>();
    let caller = match parts.extensions.remove::<Caller>() {
        Some(caller) => caller,
        // The router lets every route be admitted first; without that nobody is let in.
        None => Caller::identify(&runtime, &parts.headers, azure.is_some()).await?,
    };
    if E::INFO.beta && azure.is_none() {
        require_beta(&parts.headers)?;
    }
    let preferences = Preferences::read(&parts.headers, E::INFO.events)?;
    let params = RawPathParams::from_request_parts(&mut parts, &())
        .await
        .map_err(|_| ApiError::bad_request("The path is not valid UTF-8."))?;
    let values: Vec<&str> = params.iter().map(|(_, value)| value).collect();
    let path = E::Path::parse(E::INFO.path, &values)
        .map_err(|error| bad_id(&error.name, &error.value, error.prefix))?;
    let query = schema.read_query(parts.uri.query().unwrap_or_default())?;
    let scope = runtime.store().scope(caller.organization.clone());
    let call = Call { runtime, caller, azure, preferences, scope, path, query, body: () };
    Ok((call, parts.headers, body))
}

async fn read_body(body: Body, limit: usize) -> Result<Bytes, ApiError> {
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            let message = format!("The body of the request is larger than {limit} bytes.");
            let error = ErrorObject::invalid_request(message);
            Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, error))
        }
        Err(error) if went_idle(&*error) => {
            let error = ErrorObject::invalid_request("The body of the request stopped coming.");
            Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, error))
        }
        Err(_) => Err(ApiError::bad_request("The body of the request broke off.")),
    }
}
