use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Names a key without telling it: its SHA-256. Shown as 64 hexadecimal digits.
///
/// A key is looked up by it. How long that takes may tell how much of the hash of a guess agrees with a stored hash, but
/// nobody can steer a guess towards a hash, and a hash does not lead back to a key of 256 random bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 32]);

impl KeyId {
    /// The id of this key.
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key.as_bytes()).into())
    }

    /// Reads the 64 digits.
    pub fn parse(digits: &str) -> Option<Self> {
        let mut hash = [0; 32];
        if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        for (position, byte) in hash.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&digits[2 * position..2 * position + 2], 16).ok()?;
        }
        Some(Self(hash))
    }

    /// Whether both are one, in the same time whatever they have in common.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Enough of a key to recognise it by: its first three and last four characters.
pub(crate) fn masked(key: &str) -> String {
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
    fn an_id_reads_back_and_nothing_else_does() {
        let id = KeyId::of("sk-1");
        assert_eq!(KeyId::parse(&id.to_string()), Some(id));
        assert!(id.is(&KeyId::of("sk-1")) && !id.is(&KeyId::of("sk-2")));
        for bad in ["", "00", &"é".repeat(32), &"g".repeat(64), &"+1".repeat(32)] {
            assert_eq!(KeyId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_masked_key_shows_its_ends_if_it_is_long() {
        assert_eq!(masked("sk-cccccccccxyz1"), "sk-*********xyz1");
        assert_eq!(masked("sk-secret"), "*********");
    }
}
