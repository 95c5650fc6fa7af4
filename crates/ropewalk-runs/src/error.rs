use ropewalk_store::StoreError;
use ropewalk_types::{RunId, RunStatus, ThreadId};

/// Why a run could not be made, moved or driven.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The thread does not exist in this organisation.
    #[error("there is no thread `{0}`")]
    NoThread(ThreadId),
    /// The run does not exist on this thread.
    #[error("there is no run `{0}`")]
    NoRun(RunId),
    /// Another run is active on the thread. Wait for it or cancel it.
    #[error("thread `{thread}` has the active run `{run}`")]
    ThreadBusy {
        /// The thread.
        thread: ThreadId,
        /// The run that holds it.
        run: String,
    },
    /// As many runs wait for the thread as may: 100.
    #[error("too many runs wait for thread `{0}`")]
    LineFull(ThreadId),
    /// All runs that may work do, and too many wait for their turn. Try again later.
    #[error("too many runs wait to be started")]
    Overloaded,
    /// Outputs were submitted, but the run does not wait for any.
    #[error("a run in status `{status}` does not wait for outputs")]
    NotWaiting {
        /// Where the run stands.
        status: RunStatus,
    },
    /// The submitted outputs are not one for each call.
    #[error("expected outputs for {expected:?}, got {got:?}")]
    WrongOutputs {
        /// The calls that wait.
        expected: Vec<String>,
        /// What was submitted, in its order.
        got: Vec<String>,
    },
    /// The run is over, or asked to stop already.
    #[error("a run in status `{status}` cannot be cancelled")]
    NotCancellable {
        /// Where the run stands.
        status: RunStatus,
    },
    /// Another worker took the run over, or its thread was deleted. Let go of it.
    #[error("the run belongs to another worker, or is gone")]
    Lost,
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}
