use std::{fmt, ops::Deref};

use bytes::Bytes;
use bytestring::ByteString;

/// Text that shares its buffer with the bytes it came in: to clone it is to count, not to copy.
///
/// It keeps its whole chunk alive, so what is held for long is better held as a `String`.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Utf8Bytes(ByteString);

impl Utf8Bytes {
    /// Text that lives as long as the program; never counted.
    pub const fn from_static(text: &'static str) -> Self {
        Self(ByteString::from_static(text))
    }

    /// Takes `bytes`, which are a part of `chunk`; what is not UTF-8 turns into U+FFFD.
    pub(crate) fn from_part(chunk: &Bytes, bytes: &[u8]) -> Self {
        let shared = ByteString::try_from(chunk.slice_ref(bytes));
        Self(shared.unwrap_or_else(|_| String::from_utf8_lossy(bytes).into_owned().into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for Utf8Bytes {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl From<String> for Utf8Bytes {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&str> for Utf8Bytes {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl PartialEq<str> for Utf8Bytes {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Utf8Bytes {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Display for Utf8Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

impl fmt::Debug for Utf8Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}
