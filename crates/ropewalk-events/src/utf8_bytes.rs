use std::{fmt, ops::Deref, str::from_utf8};

use bytes::Bytes;

/// Text that shares its buffer with the bytes it came in: to clone it is to count, not to copy.
///
/// It keeps its whole chunk alive, so what is held for long is better held as a `String`. The bytes are always
/// UTF-8; without `unsafe` they are checked again at each look, which costs some 10 ns.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Utf8Bytes(Bytes);

impl Utf8Bytes {
    /// Text that lives as long as the program; never counted.
    pub const fn from_static(text: &'static str) -> Self {
        Self(Bytes::from_static(text.as_bytes()))
    }

    /// Takes a part of a chunk; what is not UTF-8 turns into U+FFFD.
    #[inline]
    pub(crate) fn from_part(bytes: Bytes) -> Self {
        match from_utf8(&bytes) {
            Ok(_) => Self(bytes),
            Err(_) => String::from_utf8_lossy(&bytes).into_owned().into(),
        }
    }

    /// The text.
    #[inline]
    pub fn as_str(&self) -> &str {
        from_utf8(&self.0).unwrap_or_default()
    }

    /// The text as bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
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
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl PartialEq<str> for Utf8Bytes {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialEq<&str> for Utf8Bytes {
    fn eq(&self, other: &&str) -> bool {
        self.as_bytes() == other.as_bytes()
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
