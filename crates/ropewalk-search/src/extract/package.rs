use std::io::{BufRead, BufReader};

use flate2::bufread::DeflateDecoder;
use memchr::memmem;

use super::ExtractError;

/// Most entries of a package that are looked at; office files have some hundreds.
const MAX_ENTRIES: usize = 10_000;

const DIRECTORY_END: &[u8; 4] = b"PK\x05\x06";
const DIRECTORY_ENTRY: &[u8; 4] = b"PK\x01\x02";
const LOCAL_ENTRY: &[u8; 4] = b"PK\x03\x04";

/// A ZIP archive as office programs write it: one disk, entries stored or deflated, below 4 GiB, not encrypted.
///
/// Reads only the directory and what is asked for, by names in the directory. It never holds an entry unpacked.
pub(super) struct Package<'a> {
    bytes: &'a [u8],
    directory: &'a [u8],
}

/// An entry of a package.
pub(super) struct Entry<'a> {
    /// Its path in the package.
    pub(super) name: &'a str,
    encrypted: bool,
    method: u16,
    packed: usize,
    at: usize,
}

impl<'a> Package<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, ExtractError> {
        // The end is 22 bytes long, and a comment of up to 64 KiB may follow it.
        let tail = bytes.len().saturating_sub(22 + 0xffff);
        let directory = memmem::rfind(&bytes[tail..], DIRECTORY_END).and_then(|at| {
            let end = &bytes[tail + at..];
            let (size, start) = (number::<4>(end, 12)?, number::<4>(end, 16)?);
            bytes.get(start..start.checked_add(size)?)
        });
        let directory = directory.ok_or_else(|| ExtractError::damaged("it is no ZIP archive"))?;
        Ok(Self { bytes, directory })
    }

    /// The entries in the order of the directory, as far as it is well formed.
    pub(super) fn entries(&self) -> Result<Vec<Entry<'a>>, ExtractError> {
        let (mut entries, mut rest) = (Vec::new(), self.directory);
        while let Some(fields) = rest.strip_prefix(DIRECTORY_ENTRY) {
            let mut entry = || {
                let [name, extra, comment] = [24, 26, 28].map(|at| number::<2>(fields, at));
                let end = 42 + name?;
                rest = fields.get(end + extra? + comment?..)?;
                let name = str::from_utf8(fields.get(42..end)?).unwrap_or_default();
                let encrypted = number::<2>(fields, 4)? & 1 == 1;
                let method = u16::try_from(number::<2>(fields, 6)?).ok()?;
                Some(Entry {
                    name,
                    encrypted,
                    method,
                    packed: number::<4>(fields, 16)?,
                    at: number::<4>(fields, 38)?,
                })
            };
            entries.push(entry().ok_or_else(|| ExtractError::damaged("its ZIP directory is cut off"))?);
            if entries.len() > MAX_ENTRIES {
                return Err(ExtractError::TooLarge);
            }
        }
        Ok(entries)
    }

    /// The content of an entry.
    pub(super) fn open(&self, entry: &Entry<'_>) -> Result<Box<dyn BufRead + 'a>, ExtractError> {
        let packed = || {
            let fields = self.bytes.get(entry.at..)?.strip_prefix(LOCAL_ENTRY)?;
            let start = 26 + number::<2>(fields, 22)? + number::<2>(fields, 24)?;
            fields.get(start..start.checked_add(entry.packed)?)
        };
        match (entry.encrypted, entry.method, packed()) {
            (false, 0, Some(stored)) => Ok(Box::new(stored)),
            (false, 8, Some(deflated)) => Ok(Box::new(BufReader::new(DeflateDecoder::new(deflated)))),
            _ => Err(ExtractError::damaged(format!("its entry `{}` cannot be unpacked", entry.name))),
        }
    }
}

/// The number of `N` bytes, little endian, at a place.
fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..at + N)?;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte)))
}
