use std::{fmt, sync::Arc};

/// The tenant that owns objects: nothing of one is ever seen by another. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Organization(Arc<str>);

impl Organization {
    /// The organisation with this name.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// What belongs to the server itself, such as its keys, and to no tenant.
    ///
    /// Its name is empty, which that of a tenant must not be.
    pub fn system() -> Self {
        Self::new("")
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Organization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Organization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
