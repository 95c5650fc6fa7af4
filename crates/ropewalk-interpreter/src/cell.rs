use bytes::Bytes;

/// Something that a cell did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// It printed, on standard output or standard error.
    Text(String),
    /// A figure or an image that it showed: a PNG file, if its maker was honest.
    Image(Bytes),
}

/// How a cell ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CellEnd {
    /// It ran to its end.
    Completed,
    /// It raised an exception. The session's variables are as they were then.
    Failed {
        /// As Python shows it, without frames that are not the cell's own doing.
        traceback: String,
    },
    /// It took too long and was interrupted. Variables are kept.
    TimedOut,
    /// The session is over, and so are its variables.
    Lost {
        /// What happened, in plain words for whoever wrote the cell.
        why: &'static str,
    },
}
