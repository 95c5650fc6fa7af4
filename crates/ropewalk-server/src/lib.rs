#![doc = include_str!("../README.md")]

mod admit;
mod api_error;
mod azure;
mod bounds;
mod call;
mod caller;
mod chat;
mod connections;
mod file_search;
mod filename;
mod form;
mod handlers;
mod headers;
mod idle;
mod keys;
mod list;
mod preferences;
mod rate;
mod reply;
mod router;
mod runtime;
mod schema;
mod serve;
mod streams;
mod validate;

pub use bounds::Bounds;
pub use keys::{ApiKey, ApiKeys, CreatedApiKey, KeyId, KeyLimits, Keys, KeysError, NewApiKey};
pub use rate::RateLimits;
pub use ropewalk_runs::BusyPolicy;
pub use router::router;
pub use runtime::{Runtime, RuntimeOptions};
pub use serve::serve;
