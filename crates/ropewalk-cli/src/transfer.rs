//! Everything of one organisation, out of a store and into one: NDJSON, an object a line, and a folder of bytes.

mod direction;
mod export;
mod file_bytes;
mod import;
mod inputs;
mod intake;
mod lines;
mod repair;
mod report;
mod sort;
mod survey;
mod walk;

pub(crate) use export::Export;
pub(crate) use import::Import;

use std::path::{Path, PathBuf};

use ropewalk_store::{Blobs, Organization, StoreError};

/// Whose objects they are on a server without keys.
const LOCAL: &str = "org-local";

/// The bytes of the files of a data folder.
pub(crate) fn blobs(data_dir: &Path) -> Result<Blobs, StoreError> {
    Blobs::in_folder(data_dir.join("blobs"))
}

/// An organisation on the command line. The empty name is the server's own.
fn organization(name: &str) -> Result<Organization, String> {
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("the name of an organisation is visible ASCII".to_owned());
    }
    Ok(Organization::new(name))
}

/// The name of the file that holds the bytes of the file `id`: as it is, but for what is no letter, digit, `-`, `_` or
/// `.`, which stands as `%` and two hexadecimal digits, as a `.` in front does.
fn escaped(id: &str) -> PathBuf {
    let mut name = String::with_capacity(id.len());
    for byte in id.bytes() {
        match byte {
            b'.' if name.is_empty() => name.push_str("%2e"),
            b'-' | b'_' | b'.' => name.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => name.push(char::from(byte)),
            _ => name.push_str(&format!("%{byte:02x}")),
        }
    }
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_on_disk_never_leaves_its_folder() {
        assert_eq!(escaped("assistant-Ab.1"), Path::new("assistant-Ab.1"));
        assert_eq!(escaped("../../etc"), Path::new("%2e.%2f..%2fetc"));
        assert!(organization("").is_err() && organization("two words").is_err());
    }
}
