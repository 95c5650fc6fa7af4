//! What a user of the crate sees.

// Stands in for the facade, where `facade_tool` looks.
extern crate ropewalk_tools as ropewalk;

mod macros;
mod registry;
mod schema;
