//! What a careful crate may write: no warning in what the macro adds.
#![deny(warnings, missing_docs, unreachable_pub, unused_qualifications)]

use ropewalk_tools::{Registry, RegistryError, tool};

/// Doubles a number.
#[tool]
#[must_use]
async fn double(
    /// The number.
    mut number: i64,
    #[allow(unused_variables)] unused: Option<String>,
) -> i64 {
    number *= 2;
    number
}

/// Does nothing.
#[tool(name = "do-nothing")]
fn nothing() {}

mod inner {
    /// Seen from outside of its module.
    #[ropewalk_tools::tool]
    pub(crate) fn seen() -> &'static str {
        "yes"
    }
}

fn main() -> Result<(), RegistryError> {
    let registry = Registry::new().add(double)?.add(nothing)?.add(inner::seen)?;
    assert!(registry.names().eq(["double", "do-nothing", "seen"]));
    Ok(())
}
