//! What happened, line by line.

use parking_lot::Mutex;

/// Lines about a world, if anybody wants them.
#[derive(Debug, Default)]
pub(crate) struct Trace(Option<Mutex<Vec<String>>>);

impl Trace {
    pub(crate) fn kept() -> Self {
        Self(Some(Mutex::default()))
    }

    pub(crate) fn line(&self, line: impl FnOnce() -> String) {
        if let Some(lines) = &self.0 {
            let line = line();
            lines.lock().push(line);
        }
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.as_ref().map(|lines| lines.lock().clone()).unwrap_or_default()
    }
}
