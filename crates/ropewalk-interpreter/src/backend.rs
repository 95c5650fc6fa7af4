//! What a place that runs cells has to offer.

use std::{collections::BTreeSet, fmt::Debug, pin::Pin};

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use tokio::io::AsyncRead;

use crate::{CellEnd, Error, Layer, Output};

/// Bytes of a file, as they come.
pub type Content = Pin<Box<dyn AsyncRead + Send>>;

/// Something that a cell did, or its end, which comes last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CellEvent {
    /// It printed or drew.
    Output(Output),
    /// It is over.
    End(CellEnd),
}

/// Where sessions come from.
#[async_trait]
pub trait Backend: Debug + Send + Sync + 'static {
    /// Begins a session.
    ///
    /// # Errors
    ///
    /// [`Error`] says whether it can help to try again: what the environment or the host lacks stays so until its operator
    /// does something.
    async fn begin(&self) -> Result<Box<dyn Interpreter>, Error>;

    /// Layers of the wall that the operator lifted.
    fn lifted(&self) -> BTreeSet<Layer> {
        BTreeSet::new()
    }
}

/// A session of a backend. Dropped, it ends.
#[async_trait]
pub trait Interpreter: Debug + Send + Sync + 'static {
    /// Runs a cell: its outputs as they come, then its end. Dropped before that, it is interrupted, and variables stay.
    fn run<'a>(&'a mut self, code: String) -> BoxStream<'a, CellEvent>;

    /// Whether it can run another cell, as far as is known. Not once a cell of it was [lost](CellEnd::Lost).
    fn is_alive(&self) -> bool;

    /// Writes the file `path` below `/mnt/data`, in place of what is there; gives its size in bytes. Makes the folders
    /// above it.
    ///
    /// # Errors
    ///
    /// [`Error::Name`]; [`Error::Full`]; [`Error::Io`] if `content` cannot be read. Nothing is left then.
    async fn put(&self, path: &str, content: Content) -> Result<u64, Error>;

    /// Opens the file `path` below `/mnt/data`, with its size in bytes as it is now.
    ///
    /// # Errors
    ///
    /// [`Error::Name`]; [`Error::File`] if it is none to take; [`Error::Io`].
    async fn open(&self, path: &str) -> Result<(Content, u64), Error>;

    /// The regular files below `/mnt/data`, by path; without hidden folders, links, and names that are no plain text.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    async fn files(&self) -> Result<Vec<DataFile>, Error>;
}

/// A file of a session as it was seen. Written to or replaced, it is unlike before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// Its path below `/mnt/data`, with `/` between folders.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Changes with its content; means nothing by itself.
    pub version: u128,
}

impl DataFile {
    /// Whether names in a session's folder may have this character. Control characters may not be in them, nor what ends a line
    /// or turns the order of what is read: a name is shown as it is.
    pub fn may_have(character: char) -> bool {
        !character.is_control()
            && !matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    }
}
