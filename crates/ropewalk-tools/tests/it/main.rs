//! What a user of the crate sees.
#![expect(clippy::unwrap_used, reason = "a failed helper fails its test")]

// Stands in for the facade, where `facade_tool` looks.
extern crate ropewalk_tools as ropewalk;

mod macros;
mod registry;
mod schema;
