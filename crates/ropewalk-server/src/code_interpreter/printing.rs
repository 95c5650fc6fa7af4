//! What a cell prints on its way to the run: at once, then in pieces that cost readers little.

use std::time::Duration;

use ropewalk_runs::{ToolCallContext, ToolProgress};
use tokio::time::{Instant, sleep_until};

/// How often it is told.
const PAUSE: Duration = Duration::from_millis(50);
/// Bytes that are told at once, however often that is.
const PIECE: usize = 16 * 1024;

/// What was printed and is not told yet.
pub(super) struct Printing<'a> {
    call: &'a ToolCallContext,
    untold: String,
    /// When it may be told.
    may: Instant,
}

impl<'a> Printing<'a> {
    pub(super) fn new(call: &'a ToolCallContext) -> Self {
        Self { call, untold: String::new(), may: Instant::now() }
    }

    /// Takes more; tells it if that is much.
    pub(super) async fn add(&mut self, text: &str) {
        self.untold.push_str(text);
        if self.untold.len() >= PIECE {
            self.tell().await;
        }
    }

    /// Done when there is something to tell, and its time has come.
    pub(super) async fn due(&self) {
        match self.untold.is_empty() {
            true => std::future::pending().await,
            false => sleep_until(self.may).await,
        }
    }

    /// Tells all of it.
    pub(super) async fn tell(&mut self) {
        if !self.untold.is_empty() {
            self.call.tell(ToolProgress::Logs(std::mem::take(&mut self.untold))).await;
            self.may = Instant::now() + PAUSE;
        }
    }
}
