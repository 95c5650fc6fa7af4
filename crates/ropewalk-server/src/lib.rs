#![doc = include_str!("../README.md")]

mod api_error;
mod call;
mod handlers;
mod headers;
mod json;
mod keys;
mod list;
mod reply;
mod router;
mod runtime;
mod serve;
mod validate;

pub use keys::{Keys, KeysError};
pub use router::router;
pub use runtime::{Runtime, RuntimeOptions};
pub use serve::serve;
