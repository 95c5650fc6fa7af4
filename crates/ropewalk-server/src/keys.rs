mod api_key;
mod key_id;
mod stored;

use std::{collections::HashMap, fmt, path::Path, sync::Arc};

pub use api_key::{ApiKey, CreatedApiKey, KeyLimits, NewApiKey};
pub use key_id::KeyId;
pub(crate) use key_id::masked;
use ropewalk_store::{Organization, StoreError};
use ropewalk_types::Budget;
use serde::Deserialize;
pub use stored::ApiKeys;

use crate::caller::Caller;

/// Most bytes of a key file.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// Keys that are known from the start. Only hashes of them are kept; [`ApiKeys`] are those in the store.
#[derive(Clone, Default)]
pub struct Keys(HashMap<KeyId, Caller>);

/// Why a key file or a key cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// The file cannot be read.
    #[error("the key file cannot be read")]
    Read(#[source] std::io::Error),
    /// It is not JSON of the form `{"keys":[{"key":"sk-…","organization":"org-a"}]}`.
    #[error(r#"the key file is not of the form {{"keys":[{{"key":"sk-…","organization":"org-a"}}]}}"#)]
    Form,
    /// A key or an organisation is empty, or a key stands twice.
    #[error("entry {0} of the key file has an empty or repeated key, or an empty organization")]
    Entry(usize),
    /// It has no keys: nobody could call.
    #[error("the key file has no keys")]
    Empty,
    /// It is larger than a key file can be.
    #[error("the key file is larger than 16 MiB")]
    TooLarge,
    /// An organisation or a project is empty, over 256 bytes or not of visible ASCII; or a name is over 256 bytes
    /// or has control characters.
    #[error(
        "an organization or a project is 1 to 256 visible ASCII characters, a name at most 256 bytes on one line"
    )]
    Word,
    /// No key's id begins so, or it is shorter than eight digits.
    #[error("no key has the id `{0}`; eight digits of it are the least")]
    Unknown(String),
    /// The ids of several keys begin so.
    #[error("more than one key's id begins with `{0}`: say more of it")]
    Ambiguous(String),
    /// The store failed.
    #[error("the keys in the store cannot be used")]
    Store(#[from] StoreError),
}

#[derive(Deserialize)]
struct File {
    keys: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    key: String,
    organization: String,
    project: Option<String>,
    #[serde(flatten)]
    limits: KeyLimits,
    budget: Option<Budget>,
}

impl Keys {
    /// None: unless there are keys in the store, any key, or none, is one local organisation. Only for loopback.
    pub fn any() -> Self {
        Self::default()
    }

    /// The keys in a JSON file.
    ///
    /// # Errors
    ///
    /// [`KeysError`] says what is wrong with the file; never a key.
    pub fn from_file(path: &Path) -> Result<Self, KeysError> {
        let bytes = std::fs::metadata(path).map_err(KeysError::Read)?.len();
        if bytes > MAX_FILE_BYTES {
            return Err(KeysError::TooLarge);
        }
        Self::from_json(&std::fs::read(path).map_err(KeysError::Read)?)
    }

    /// The keys in a JSON text.
    ///
    /// # Errors
    ///
    /// [`KeysError`] says what is wrong with it; never a key.
    pub fn from_json(json: &[u8]) -> Result<Self, KeysError> {
        // serde's own words could quote a key.
        let file: File = serde_json::from_slice(json).map_err(|_| KeysError::Form)?;
        let mut callers = HashMap::new();
        for (position, Entry { key, organization, project, limits, budget }) in
            file.keys.into_iter().enumerate()
        {
            if key.is_empty() || organization.is_empty() {
                return Err(KeysError::Entry(position));
            }
            let id = KeyId::of(&key);
            let organization = Organization::new(organization);
            let caller =
                Caller { organization, project: project.map(Arc::from), key: Some(id), limits, budget };
            if callers.insert(id, caller).is_some() {
                return Err(KeysError::Entry(position));
            }
        }
        if callers.is_empty() { Err(KeysError::Empty) } else { Ok(Self(callers)) }
    }

    /// Whether there is none, so that any key is let in.
    pub fn is_open(&self) -> bool {
        self.0.is_empty()
    }

    /// Whom the key with this id speaks for.
    pub(crate) fn find(&self, id: KeyId) -> Option<&Caller> {
        self.0.get_key_value(&id).filter(|(own, _)| own.is(&id)).map(|(_, caller)| caller)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_open() {
            true => f.write_str("Keys(any)"),
            false => write!(f, "Keys({} of them)", self.0.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_opens_its_own_organisation_and_no_other() {
        let keys = Keys::from_json(
            br#"{"keys":[{"key":"sk-a","organization":"org-a"},
                {"key":"sk-b","organization":"org-b","project":"proj_b","tokens_per_minute":5}]}"#,
        )
        .unwrap();
        let caller = keys.find(KeyId::of("sk-b")).unwrap();
        assert_eq!((caller.organization.as_str(), caller.project.as_deref()), ("org-b", Some("proj_b")));
        assert_eq!(caller.limits, KeyLimits::new().tokens_per_minute(5));
        assert_eq!(keys.find(KeyId::of("sk-c")), None);
        assert_eq!(format!("{keys:?}"), "Keys(2 of them)");
    }

    #[test]
    fn a_bad_key_file_is_refused_without_showing_a_key() {
        for json in [
            r#"{"keys":[]}"#,
            r#"{"keys":[{"key":"","organization":"o"}]}"#,
            r#"{"keys":[{"key":"sk-secret","organization":""}]}"#,
            r#"{"keys":[{"key":"sk-secret","organization":"o"},{"key":"sk-secret","organization":"p"}]}"#,
            r#"{"keys":"sk-secret"}"#,
            "sk-secret",
        ] {
            let error = Keys::from_json(json.as_bytes()).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("secret"), "{json}");
        }
    }
}
