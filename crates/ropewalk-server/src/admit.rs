//! What happens to each request to a route of the API before its handler: who is it, and may it?

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, Method};

use crate::{azure::Azure, caller::Caller, runtime::Runtime};

const ORGANIZATION: HeaderName = HeaderName::from_static("openai-organization");
/// What leads to new model calls. Outputs of tools are not among them: a run that was admitted goes on.
const SPENDS: [&str; 3] = ["/v1/threads/runs", "/v1/threads/{thread_id}/runs", "/v1/chat/completions"];

/// Admits a request as its caller's, or answers it at once.
pub(crate) async fn admit(State(runtime): State<Runtime>, mut request: Request, next: Next) -> Response {
    let azure = request.extensions().get::<Azure>().is_some();
    let caller = match Caller::identify(&runtime, request.headers(), azure).await {
        Ok(caller) => caller,
        Err(error) => return error.into_response(),
    };
    let organization = HeaderValue::from_str(caller.organization.as_str());
    let (standing, admitted) = runtime.rates().admit(&caller, spends(&request), runtime.now_ms());
    let mut response = match admitted {
        Ok(()) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(error) => error.into_response(),
    };
    let headers = response.headers_mut();
    if let Ok(organization) = organization {
        headers.insert(ORGANIZATION, organization);
    }
    if let Some(standing) = standing {
        standing.write(headers);
    }
    response
}

fn spends(request: &Request) -> bool {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    request.method() == Method::POST && route.is_some_and(|route| SPENDS.contains(&route))
}
