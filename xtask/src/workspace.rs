//! What `cargo metadata` says of the workspace.

use std::path::PathBuf;

use anyhow::Context;
use serde_json::Value;

use crate::process::{cargo, output};

/// The workspace and all that it is made with.
pub(crate) struct Workspace(Value);

/// A package of ours.
#[derive(Clone, Copy)]
pub(crate) struct Package<'a>(&'a Value);

impl From<Value> for Workspace {
    fn from(metadata: Value) -> Self {
        Self(metadata)
    }
}

impl Workspace {
    pub(crate) fn load() -> anyhow::Result<Self> {
        let json = output(&mut cargo(&["metadata", "--format-version", "1", "--all-features"]))?;
        serde_json::from_str::<Value>(&json).map(Self::from).context("`cargo metadata` printed no JSON")
    }

    /// Ours.
    pub(crate) fn packages(&self) -> impl Iterator<Item = Package<'_>> {
        // Those of other people have a source.
        list(&self.0, "packages").filter(|package| package["source"].is_null()).map(Package)
    }

    /// The names of all packages that ours may pull in, on any platform.
    pub(crate) fn tree(&self) -> impl Iterator<Item = &str> {
        list(&self.0, "packages").map(|package| text(package, "name"))
    }
}

impl<'a> Package<'a> {
    pub(crate) fn name(self) -> &'a str {
        text(self.0, "name")
    }

    /// Whether it stands in this folder of the workspace.
    pub(crate) fn is_in(self, folder: &str) -> bool {
        PathBuf::from(text(self.0, "manifest_path")).starts_with(crate::process::root().join(folder))
    }

    /// What it is built with; what only its tests need is not counted.
    pub(crate) fn dependencies(self) -> impl Iterator<Item = &'a str> {
        list(self.0, "dependencies")
            .filter(|dependency| dependency["kind"] != "dev")
            .map(|one| text(one, "name"))
    }

    /// Its targets of this kind: `bin`, `example`.
    pub(crate) fn targets(self, kind: &str) -> impl Iterator<Item = &'a str> {
        list(self.0, "targets")
            .filter(move |target| list(target, "kind").any(|one| one == kind))
            .map(|target| text(target, "name"))
    }
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}
