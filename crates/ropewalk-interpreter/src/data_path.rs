//! Paths below a session's folder.

use crate::{DataFile, Error};

/// Folders that a file may lie in.
pub(crate) const DEEPEST: usize = 8;

/// A plain path: names without links, `.` and `..`, of text that is shown as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DataPath<'a> {
    pub(crate) folders: Vec<&'a str>,
    pub(crate) name: &'a str,
}

impl<'a> DataPath<'a> {
    pub(crate) fn new(path: &'a str) -> Result<Self, Error> {
        let mut folders: Vec<&str> = path.split('/').collect();
        let all_plain = folders.len() <= DEEPEST + 1 && folders.iter().all(|name| is_plain(name));
        match folders.pop().filter(|_| all_plain) {
            Some(name) => Ok(Self { folders, name }),
            None => Err(Error::Name(path.to_owned())),
        }
    }
}

/// Whether a file or a folder with this name is shown and taken.
pub(crate) fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 255
        && !matches!(name, "." | "..")
        && name.chars().all(DataFile::may_have)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_leads_elsewhere_is_no_path() {
        let deep = ["a"; DEEPEST + 2].join("/");
        for path in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            "..",
            "a/../b",
            "./a",
            "a\nb",
            "a\0",
            "gnp.\u{202e}exe",
            "a\u{2028}b",
            &deep,
            &"x".repeat(256),
        ] {
            assert!(DataPath::new(path).is_err(), "{path:?}");
        }
        let path = DataPath::new("Größe/b c/.x").unwrap();
        assert_eq!((path.folders, path.name), (vec!["Größe", "b c"], ".x"));
    }

    proptest! {
        #[test]
        fn a_path_is_its_parts(path in any::<String>()) {
            if let Ok(DataPath { mut folders, name }) = DataPath::new(&path) {
                folders.push(name);
                prop_assert_eq!(folders.join("/"), path);
            }
        }
    }
}
