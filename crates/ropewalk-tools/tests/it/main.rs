//! What a user of the crate sees.

mod macros;
mod registry;
mod schema;
