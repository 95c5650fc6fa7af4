use std::{collections::HashMap, fmt, path::Path};

use ropewalk_store::Organization;
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// Most bytes of a key file.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// Who may call, and on whose behalf. Only hashes of keys are kept.
///
/// A key is looked up by its SHA-256: what the lookup takes tells nothing about a key that somebody guesses at.
#[derive(Clone)]
pub struct Keys {
    /// `None`: any key, or none, is the local organisation.
    organizations: Option<HashMap<[u8; 32], Organization>>,
}

/// Why a key file cannot be used.
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
}

#[derive(Deserialize)]
struct File {
    keys: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    key: String,
    organization: String,
}

impl Keys {
    /// Any key, or none, is one local organisation. Only for loopback.
    pub fn any() -> Self {
        Self { organizations: None }
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
        let mut organizations = HashMap::new();
        for (position, Entry { key, organization }) in file.keys.into_iter().enumerate() {
            if key.is_empty() || organization.is_empty() {
                return Err(KeysError::Entry(position));
            }
            if organizations.insert(hash(&key), Organization::new(organization)).is_some() {
                return Err(KeysError::Entry(position));
            }
        }
        if organizations.is_empty() {
            Err(KeysError::Empty)
        } else {
            Ok(Self { organizations: Some(organizations) })
        }
    }

    /// Whether any key is let in.
    pub fn is_open(&self) -> bool {
        self.organizations.is_none()
    }

    /// The organisation that `key` speaks for.
    pub(crate) fn organization(&self, key: Option<&str>) -> Access {
        match (&self.organizations, key) {
            (None, _) => Access::Local(Organization::new("org-local")),
            (Some(_), None) => Access::NoKey,
            (Some(organizations), Some(key)) => match organizations.get(&hash(key)) {
                Some(organization) => Access::Granted(organization.clone()),
                None => Access::WrongKey(masked(key)),
            },
        }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.organizations {
            None => f.write_str("Keys(any)"),
            Some(organizations) => write!(f, "Keys({} of them)", organizations.len()),
        }
    }
}

/// What a key opens.
pub(crate) enum Access {
    /// The one organisation of a server without keys.
    Local(Organization),
    Granted(Organization),
    NoKey,
    /// The key as it may be shown back.
    WrongKey(String),
}

fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

/// Enough of a key to recognise it by: its first three and last four characters.
fn masked(key: &str) -> String {
    let characters: Vec<char> = key.chars().take(256).collect();
    if characters.len() < 12 {
        return "*".repeat(characters.len());
    }
    let (head, tail) = (&characters[..3], &characters[characters.len() - 4..]);
    let stars = "*".repeat(characters.len() - 7);
    format!("{}{stars}{}", head.iter().collect::<String>(), tail.iter().collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_opens_its_own_organisation_and_no_other() {
        let json = br#"{"keys":[{"key":"sk-aaaaaaaaaaaa","organization":"org-a"},{"key":"sk-b","organization":"org-b"}]}"#;
        let keys = Keys::from_json(json).unwrap();
        let Access::Granted(organization) = keys.organization(Some("sk-b")) else { panic!() };
        assert_eq!(organization.as_str(), "org-b");
        assert!(matches!(keys.organization(None), Access::NoKey));
        let Access::WrongKey(shown) = keys.organization(Some("sk-cccccccccxyz1")) else { panic!() };
        assert_eq!(shown, "sk-*********xyz1");
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
