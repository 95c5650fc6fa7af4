//! The rules of who may depend on whom (docs/architecture.md).

use std::collections::HashMap;

use anyhow::{Context, ensure};

use crate::workspace::Workspace;

/// Each crate and its floor. A crate depends on lower floors only.
const FLOORS: [(&str, u8); 17] = [
    ("ropewalk-types", 0),
    ("ropewalk-events", 1),
    ("ropewalk-tokens", 1),
    ("ropewalk-transport", 1),
    // A part of ropewalk-tools that has to be a crate of its own, so it lies below.
    ("ropewalk-tools-macros", 1),
    ("ropewalk-tools", 2),
    ("ropewalk-model", 2),
    ("ropewalk-store", 2),
    ("ropewalk-interpreter", 2),
    ("ropewalk-search", 2),
    ("ropewalk-files", 3),
    ("ropewalk-runs", 3),
    ("ropewalk-webhooks", 3),
    ("ropewalk-client", 4),
    ("ropewalk-server", 4),
    ("ropewalk", 5),
    ("ropewalk-cli", 6),
];

/// The highest floor whose crates are each useful alone.
const LAST_ALONE: u8 = 3;

/// A second TLS stack, and the C that comes with it.
const BANNED: [&str; 4] = ["aws-lc-sys", "native-tls", "openssl", "openssl-sys"];

/// The crates that must build with nothing else of ours above them.
pub(crate) fn alone() -> impl Iterator<Item = &'static str> {
    FLOORS.iter().filter(|(_, floor)| *floor <= LAST_ALONE).map(|(name, _)| *name)
}

/// Fails if a crate of ours depends on one beside or above it, or if something banned is in the tree.
pub(crate) fn check(workspace: &Workspace) -> anyhow::Result<()> {
    let floors = HashMap::from(FLOORS);
    let mut wrong = Vec::new();
    for package in workspace.packages().filter(|package| package.is_in("crates")) {
        let name = package.name();
        let floor =
            floors.get(name).with_context(|| format!("`{name}` has no floor in xtask/src/floors.rs"))?;
        let bad =
            package.dependencies().filter(|other| floors.get(other).is_some_and(|other| other >= floor));
        wrong.extend(bad.map(|other| format!("`{name}` depends on `{other}`, which is not below it")));
    }
    wrong.extend(
        workspace.tree().filter(|name| BANNED.contains(name)).map(|name| format!("`{name}` is in the tree")),
    );
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::process::root;

    fn workspace(name: &str, dependencies: &[(&str, Option<&str>)]) -> Workspace {
        let dependencies: Vec<_> =
            dependencies.iter().map(|(name, kind)| json!({"name": name, "kind": kind})).collect();
        let manifest = root().join("crates").join(name).join("Cargo.toml");
        Workspace::from(json!({
            "packages": [{"name": name, "source": null, "manifest_path": manifest, "dependencies": dependencies}]
        }))
    }

    #[test]
    fn a_crate_may_depend_on_lower_floors_only() {
        let refused = |name, dependencies: &[_]| check(&workspace(name, dependencies)).is_err();
        assert!(!refused("ropewalk-runs", &[("ropewalk-store", None), ("serde", None)]));
        assert!(refused("ropewalk-store", &[("ropewalk-model", None)]), "beside");
        assert!(refused("ropewalk-store", &[("ropewalk-runs", Some("build"))]), "above");
        assert!(!refused("ropewalk-store", &[("ropewalk-runs", Some("dev"))]), "its tests may look up");
        assert!(refused("ropewalk-new", &[]), "a crate without a floor");
    }

    #[test]
    fn a_second_tls_stack_is_refused() {
        assert!(check(&workspace("openssl-sys", &[])).is_err());
    }
}
