//! Who calls: what a request says of it, and what the key that it shows opens.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, StatusCode, header};
use ropewalk_store::Organization;
use ropewalk_types::{Budget, ErrorObject};

use crate::{
    api_error::ApiError,
    keys::{ApiKey, KeyId, KeyLimits, masked},
    runtime::Runtime,
};

const ORGANIZATION: HeaderName = HeaderName::from_static("openai-organization");
const PROJECT: HeaderName = HeaderName::from_static("openai-project");
const BETA: HeaderName = HeaderName::from_static("openai-beta");
const AZURE_KEY: HeaderName = HeaderName::from_static("api-key");
/// Longest key that is looked up. Ours have 46 characters, those of a key file what the operator likes.
const MAX_KEY: usize = 4096;

/// Who calls, and on whose behalf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The tenant: all that the caller can see is its.
    pub(crate) organization: Organization,
    /// What the key is held to, if it is.
    pub(crate) project: Option<Arc<str>>,
    /// The key; `None` on a server without keys.
    pub(crate) key: Option<KeyId>,
    /// What the key is limited to, in place of what the server says for all.
    pub(crate) limits: KeyLimits,
    /// What all runs of the key may use together.
    pub(crate) budget: Option<Budget>,
}

/// What a key opens.
#[derive(Debug)]
pub(crate) enum Access {
    /// The one organisation of a server without keys, whatever key is shown.
    Local,
    /// What this key opens.
    Granted(Caller),
    /// None was shown, or one that opens nothing.
    Refused,
}

impl Caller {
    /// The caller of a request with these headers; `azure` if it came by the Azure form of the routes.
    ///
    /// # Errors
    ///
    /// 401, if no key is shown, or one that opens nothing, or one of another organisation or project.
    pub(crate) async fn identify(
        runtime: &Runtime,
        headers: &HeaderMap,
        azure: bool,
    ) -> Result<Self, ApiError> {
        let key = shown_key(headers, azure);
        match (runtime.access(key.as_deref()).await?, key) {
            (Access::Local, _) => Ok(Self::local()),
            (Access::Granted(caller), _) => caller.held_to(headers).map_err(unauthorized),
            (Access::Refused, None) => Err(unauthorized(ErrorObject::invalid_request(
                "You didn't provide an API key. You need to provide your API key in an Authorization header \
                 using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
            ))),
            (Access::Refused, Some(key)) => {
                let message = format!(
                    "Incorrect API key provided: {}. You can find your API key with the operator of this server.",
                    masked(&key)
                );
                Err(unauthorized(ErrorObject::invalid_request(message).code("invalid_api_key")))
            }
        }
    }

    /// Whom a stored key speaks for.
    pub(crate) fn of(key: ApiKey, id: KeyId) -> Self {
        let ApiKey { organization, project, limits, budget, .. } = key;
        let (organization, project) = (Organization::new(organization), project.map(Arc::from));
        Self { organization, project, key: Some(id), limits, budget }
    }

    /// What its key is named by where model calls are counted.
    pub(crate) fn key_name(&self) -> Option<String> {
        self.key.map(|key| key.to_string())
    }

    fn local() -> Self {
        let organization = Organization::new("org-local");
        Self { organization, project: None, key: None, limits: KeyLimits::default(), budget: None }
    }

    /// Checks the headers with which a caller selects one of its organisations and projects. A key has one
    /// organisation; one without a project speaks for all projects of it.
    fn held_to(self, headers: &HeaderMap) -> Result<Self, ErrorObject> {
        let names_other = |header: HeaderName, own: &str| {
            headers.get_all(header).iter().any(|named| named.as_bytes() != own.as_bytes())
        };
        let mismatch = |header: &str, what: &str| {
            let message = format!("{header} header should match {what} for API key");
            Err(ErrorObject::invalid_request(message).code(format!("mismatched_{what}")))
        };
        if names_other(ORGANIZATION, self.organization.as_str()) {
            return mismatch("OpenAI-Organization", "organization");
        }
        if self.project.as_deref().is_some_and(|own| names_other(PROJECT, own)) {
            return mismatch("OpenAI-Project", "project");
        }
        Ok(self)
    }
}

/// The key in the headers: `Bearer`, or HTTP Basic with an empty user (`curl -u :KEY`); in the Azure form its own
/// header as well.
fn shown_key(headers: &HeaderMap, azure: bool) -> Option<String> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let by_azure = text(AZURE_KEY).filter(|_| azure).map(str::to_owned);
    let key = by_azure.or_else(|| {
        let (scheme, value) = text(header::AUTHORIZATION)?.split_once(' ')?;
        let value = value.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(value.to_owned());
        }
        let basic = scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(value).ok()).flatten()?;
        String::from_utf8(basic).ok()?.strip_prefix(':').map(str::to_owned)
    });
    key.filter(|key| !key.is_empty() && key.len() <= MAX_KEY)
}

fn unauthorized(error: ErrorObject) -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, error)
}

/// The header that the SDKs send to assistants and threads paths; it may name several betas.
pub(crate) fn require_beta(headers: &HeaderMap) -> Result<(), ApiError> {
    let betas = headers.get_all(BETA);
    let mut named = betas.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    if named.any(|beta| beta.trim() == "assistants=v2") {
        return Ok(());
    }
    let message = "You must provide the 'OpenAI-Beta' header to access the Assistants API. Please try again by \
                   setting the header 'OpenAI-Beta: assistants=v2'.";
    Err(ApiError::new(StatusCode::BAD_REQUEST, ErrorObject::invalid_request(message).code("invalid_beta")))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn a_key_is_found_wherever_clients_put_it() {
        for (sent, azure, key) in [
            (("authorization", "Bearer sk-1"), false, Some("sk-1")),
            (("authorization", "bearer  sk-1 "), false, Some("sk-1")),
            (("authorization", "Basic OnNrLTE="), false, Some("sk-1")),
            // A user has no place in a key.
            (("authorization", "Basic YTpzay0x"), false, None),
            (("authorization", "Basic not base64"), false, None),
            (("authorization", "Bearer "), false, None),
            (("authorization", "sk-1"), false, None),
            (("api-key", "sk-1"), true, Some("sk-1")),
            (("api-key", "sk-1"), false, None),
        ] {
            assert_eq!(shown_key(&headers(&[sent]), azure).as_deref(), key, "{sent:?}");
        }
    }

    #[test]
    fn a_key_speaks_for_its_own_organisation_and_project() {
        let caller = Caller { organization: Organization::new("org-a"), ..Caller::local() };
        let of_project = Caller { project: Some("proj_a".into()), ..caller.clone() };
        let code = |caller: &Caller, name, value| {
            caller.clone().held_to(&headers(&[(name, value)])).err().and_then(|error| error.code)
        };
        for caller in [&caller, &of_project] {
            assert_eq!(code(caller, "openai-organization", "org-a"), None);
            assert_eq!(
                code(caller, "openai-organization", "org-b").as_deref(),
                Some("mismatched_organization")
            );
            assert_eq!(code(caller, "openai-project", "proj_a"), None);
        }
        assert_eq!(code(&caller, "openai-project", "proj_b"), None);
        assert_eq!(code(&of_project, "openai-project", "proj_b").as_deref(), Some("mismatched_project"));
    }
}
