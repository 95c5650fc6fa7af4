use parking_lot::Mutex;

/// Faults beyond which no more are kept.
const MOST: usize = 100;

/// What was promised and not kept.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Vec<String>>);

impl Faults {
    pub(crate) fn add(&self, fault: String) {
        let mut faults = self.0.lock();
        if faults.len() < MOST {
            faults.push(fault);
        }
    }

    /// Adds `fault`, unless what it denies `holds`.
    pub(crate) fn unless(&self, holds: bool, fault: impl FnOnce() -> String) {
        if !holds {
            self.add(fault());
        }
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().clone()
    }
}
