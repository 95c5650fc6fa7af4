//! The Azure form of the routes, as other names of ours.
//!
//! | Azure | here |
//! | --- | --- |
//! | `/openai/threads?api-version=2024-05-01-preview` | `/v1/threads` |
//! | `/openai/deployments/my-model/chat/completions?api-version=…` | `/v1/chat/completions`, with `my-model` for a model |
//! | `/openai/v1/threads` | `/v1/threads` |
//!
//! Which `api-version` is asked for makes no difference: there is one version here. But there must be one, as on Azure,
//! for its absence means that a client was set up for something else.

use axum::extract::Request;
use http::{StatusCode, Uri, uri::PathAndQuery};
use ropewalk_types::ErrorObject;

use crate::api_error::ApiError;

const PREFIX: &str = "/openai/";

/// Marks a request that came by the Azure form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Azure {
    /// The deployment in its path: the model of a request that names none.
    pub(crate) deployment: Option<String>,
}

/// Whether a path has the Azure form.
pub(crate) fn is_azure(path: &str) -> bool {
    path.starts_with(PREFIX)
}

/// Gives a request in the Azure form the name that its route has here.
///
/// # Errors
///
/// 404, as Azure answers, if there is no `api-version`.
pub(crate) fn rename(mut request: Request) -> Result<Request, ApiError> {
    let (uri, azure) = translate(request.uri())?;
    *request.uri_mut() = uri;
    request.extensions_mut().insert(azure);
    Ok(request)
}

fn translate(uri: &Uri) -> Result<(Uri, Azure), ApiError> {
    let not_found =
        |message: &str| ApiError::new(StatusCode::NOT_FOUND, ErrorObject::invalid_request(message));
    let rest = uri.path().strip_prefix(PREFIX).unwrap_or_default();
    let pairs = || uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let is_version = |pair: &&str| {
        pair.split_once('=').is_some_and(|(name, value)| name == "api-version" && !value.is_empty())
    };

    let (path, deployment) = match rest.strip_prefix("v1/") {
        Some(path) => (path, None),
        None if !pairs().any(|pair| is_version(&pair)) => {
            return Err(not_found("Resource not found: the query parameter 'api-version' is missing."));
        }
        None => match rest.strip_prefix("deployments/").and_then(|rest| rest.split_once('/')) {
            Some((deployment, path)) => (path, Some(percent_decoded(deployment))),
            None => (rest, None),
        },
    };
    let query: Vec<&str> = pairs().filter(|pair| !is_version(pair)).collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    let named = PathAndQuery::try_from(format!("/v1/{path}{query}"));
    let uri = named.map(Uri::from).map_err(|_| not_found("Resource not found"))?;
    Ok((uri, Azure { deployment }))
}

/// A path's segment as its author wrote it: `+`, `&` and `=` are themselves in a path, though not in a query.
pub(crate) fn percent_decoded(segment: &str) -> String {
    let query = segment.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name.into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_has_a_route_here() {
        for (azure, ours, deployment) in [
            ("/openai/assistants?api-version=2024-05-01-preview", "/v1/assistants", None),
            (
                "/openai/threads/thread_1/runs?limit=5&api-version=v&order=asc",
                "/v1/threads/thread_1/runs?limit=5&order=asc",
                None,
            ),
            (
                "/openai/deployments/gpt%204%2B/chat/completions?api-version=v",
                "/v1/chat/completions",
                Some("gpt 4+"),
            ),
            ("/openai/deployments/a+b/threads/runs?api-version=v", "/v1/threads/runs", Some("a+b")),
            ("/openai/v1/vector_stores?after=vs_1", "/v1/vector_stores?after=vs_1", None),
            ("/openai/v1/files?api-version=preview", "/v1/files", None),
        ] {
            let (uri, azure) = translate(&azure.parse().unwrap()).unwrap();
            assert_eq!((uri.to_string().as_str(), azure.deployment.as_deref()), (ours, deployment));
        }
    }

    #[test]
    fn the_dated_form_has_a_date() {
        for uri in [
            "/openai/threads",
            "/openai/threads?api-version=",
            "/openai/deployments/m/chat/completions?api_version=v",
        ] {
            assert_eq!(
                translate(&uri.parse().unwrap()).unwrap_err().status(),
                StatusCode::NOT_FOUND,
                "{uri}"
            );
        }
    }
}
