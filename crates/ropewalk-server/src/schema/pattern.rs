/// What names are made of.
const NAME: &str = "^[a-zA-Z0-9_-]";

/// The patterns that our schemas use, matched without an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// `^asst_`: an id that begins so.
    Prefix(String),
    /// `^[a-zA-Z0-9_-]+$` or `^[a-zA-Z0-9_-]{1,64}$`: a name of at least one character.
    Name {
        /// As the schema has it.
        pattern: String,
        /// Most characters.
        most: usize,
    },
}

impl Pattern {
    /// Reads a pattern; `None` if it is of another kind.
    pub(super) fn parse(pattern: &str) -> Option<Self> {
        if let Some(count) = pattern.strip_prefix(NAME) {
            let most = match count {
                "+$" => usize::MAX,
                count => count.strip_prefix("{1,")?.strip_suffix("}$")?.parse().ok()?,
            };
            return Some(Self::Name { pattern: pattern.to_owned(), most });
        }
        let prefix = pattern.strip_prefix('^')?;
        let plain = prefix.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        plain.then(|| Self::Prefix(prefix.to_owned()))
    }

    pub(super) fn fits(&self, text: &str) -> bool {
        match self {
            // An id is more than its prefix.
            Self::Prefix(prefix) => text.len() > prefix.len() && text.starts_with(prefix),
            Self::Name { most, .. } => {
                let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
                (1..=*most).contains(&text.len()) && text.bytes().all(fits)
            }
        }
    }
}
