mod entity;
mod html;
mod office;
mod package;
mod plain;

use ropewalk_types::{VectorStoreFileError, VectorStoreFileErrorCode};

use crate::{BoxError, Chunker};

/// The endings of files that the API takes into a vector store. [`check`] says which of them can be read here.
///
/// # Source
///
/// Supported files of the file search guide.
pub const EXTENSIONS: [&str; 21] = [
    "c", "cpp", "cs", "css", "doc", "docx", "go", "html", "java", "js", "json", "md", "pdf", "php", "pptx",
    "py", "rb", "sh", "tex", "ts", "txt",
];

/// Most bytes of a file that is read: 128 MiB, far above any whose text has [`MAX_TEXT_TOKENS`].
pub const MAX_FILE_BYTES: u64 = 128 << 20;

/// Most tokens of a file's text.
///
/// # Source
///
/// Limits of the file search guide.
pub const MAX_TEXT_TOKENS: usize = 5_000_000;

/// Most bytes of a file's text: room for 5,000,000 long tokens.
const MAX_TEXT_BYTES: usize = 64 << 20;

/// Why a file has no text to search.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExtractError {
    /// Files of this type cannot be read.
    #[error("files with the extension `{extension}` cannot be read")]
    Unsupported {
        /// The ending of its name in lower case, without the dot; empty if there is none.
        extension: String,
    },
    /// The file, or what it would unpack to, is too large.
    #[error("the file is too large")]
    TooLarge,
    /// The file is named as text and is none.
    #[error("the file is not text in UTF-8, UTF-16 or ASCII")]
    NotText,
    /// The file is not what its name says, encrypted, or cut off.
    #[error("the file is damaged")]
    Damaged(#[source] BoxError),
}

impl ExtractError {
    fn damaged(reason: impl Into<BoxError>) -> Self {
        Self::Damaged(reason.into())
    }
}

impl From<ExtractError> for VectorStoreFileError {
    /// What the API says of such a file in `last_error`.
    fn from(error: ExtractError) -> Self {
        let invalid = |reason| format!("The file could not be parsed because it is {reason}.");
        let (code, message) = match error {
            ExtractError::Unsupported { .. } => {
                (VectorStoreFileErrorCode::UnsupportedFile, "The file type is not supported.".to_owned())
            }
            ExtractError::TooLarge => (VectorStoreFileErrorCode::InvalidFile, invalid("too large")),
            ExtractError::NotText => {
                (VectorStoreFileErrorCode::InvalidFile, invalid("not text in UTF-8, UTF-16 or ASCII"))
            }
            ExtractError::Damaged(_) => (VectorStoreFileErrorCode::InvalidFile, invalid("damaged")),
        };
        Self { code, message }
    }
}

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Plain,
    Html,
    Docx,
    Pptx,
}

impl Format {
    fn of(filename: &str) -> Result<Self, ExtractError> {
        let extension = match filename.rsplit_once('.') {
            Some((_, extension)) if extension.len() <= 16 => extension.to_ascii_lowercase(),
            _ => String::new(),
        };
        match extension.as_str() {
            "html" => Ok(Self::Html),
            "docx" => Ok(Self::Docx),
            "pptx" => Ok(Self::Pptx),
            "doc" | "pdf" => Err(ExtractError::Unsupported { extension }),
            known if EXTENSIONS.contains(&known) => Ok(Self::Plain),
            _ => Err(ExtractError::Unsupported { extension }),
        }
    }
}

/// Whether [`extract`] would even try, by the name and the size in bytes of a file: to be asked before it is read.
///
/// # Errors
///
/// [`ExtractError::Unsupported`] and [`ExtractError::TooLarge`].
pub fn check(filename: &str, bytes: u64) -> Result<(), ExtractError> {
    Format::of(filename)?;
    if bytes > MAX_FILE_BYTES { Err(ExtractError::TooLarge) } else { Ok(()) }
}

/// The text of a file. The ending of `filename` says how to read `bytes`.
///
/// - Text and code are taken as they are, JSON too: UTF-8, UTF-16 with a byte order mark, ASCII.
/// - HTML gives what a reader would see, a line for each block; scripts and styles are left out.
/// - `docx` gives the text with foot and end notes, `pptx` the slides with their notes, a line for each paragraph.
///
/// The time is in proportion to what is read and unpacked, which is bounded: of a packed file at most 128 MiB are
/// unpacked, as a stream, and at most 10,000 entries looked at.
///
/// # Errors
///
/// Any [`ExtractError`]. The text may have up to [`MAX_TEXT_TOKENS`].
pub fn extract(filename: &str, bytes: &[u8]) -> Result<String, ExtractError> {
    check(filename, bytes.len() as u64)?;
    let text = match Format::of(filename)? {
        Format::Plain => plain::text(bytes)?,
        Format::Html => html::text(&plain::text(bytes)?),
        Format::Docx => office::docx(bytes)?,
        Format::Pptx => office::pptx(bytes)?,
    };
    // A token has a byte at least, so most texts need no counting.
    let fits = text.len() <= MAX_TEXT_TOKENS
        || text.len() <= MAX_TEXT_BYTES && Chunker::ENCODING.count_up_to(&text, MAX_TEXT_TOKENS).is_some();
    if fits { Ok(text) } else { Err(ExtractError::TooLarge) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_says_what_can_be_read() {
        let plain = ["a.txt", "A.MD", "dir.d/x.py", ".json", "a.b.tex"];
        assert!(plain.iter().all(|name| check(name, 1).is_ok()));
        for (name, ending) in
            [("a.csv", "csv"), ("a.pdf", "pdf"), ("a.doc", "doc"), ("txt", ""), ("a.", ""), ("", "")]
        {
            assert!(
                matches!(check(name, 1), Err(ExtractError::Unsupported { extension }) if extension == ending),
                "{name}"
            );
        }
        assert!(matches!(check("a.txt", MAX_FILE_BYTES + 1), Err(ExtractError::TooLarge)));
    }

    #[test]
    fn errors_speak_the_words_of_the_api() {
        let said = |error| {
            let VectorStoreFileError { code, message, .. } = error;
            (code, message)
        };
        let unsupported = extract("a.png", b"").unwrap_err();
        assert_eq!(
            said(unsupported.into()),
            (VectorStoreFileErrorCode::UnsupportedFile, "The file type is not supported.".to_owned())
        );
        let large = "\u{12000}".repeat(MAX_TEXT_TOKENS / 3 + 1); // Three tokens or more each.
        assert_eq!(
            said(extract("a.txt", large.as_bytes()).unwrap_err().into()),
            (
                VectorStoreFileErrorCode::InvalidFile,
                "The file could not be parsed because it is too large.".to_owned()
            )
        );
    }
}
