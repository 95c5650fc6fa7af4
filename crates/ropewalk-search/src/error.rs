/// Any error of an engine.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a call of a [`SearchEngine`](crate::SearchEngine) failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SearchError {
    /// The named engine broke; worth a retry with backoff.
    #[error("{0} search engine failed")]
    Engine(&'static str, #[source] BoxError),
}

impl SearchError {
    /// Whether the same call may succeed later with nothing changed.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Engine(..))
    }
}
