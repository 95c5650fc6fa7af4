#![doc = include_str!("../README.md")]

mod auth;
mod body;
mod breaker;
mod breaker_policy;
mod builder;
mod concurrency;
#[cfg(feature = "direct")]
mod direct_leaf;
mod error;
#[cfg(feature = "reqwest")]
mod http_leaf;
mod in_process;
mod layered;
mod request;
mod retry;
mod retry_policy;
#[cfg(all(feature = "direct", feature = "reqwest"))]
mod scheme_leaf;
mod secret;
mod service;
mod timeout;
mod trace;
mod transport;

pub use auth::AuthLayer;
pub use body::{Body, DataStream};
pub use breaker::BreakerLayer;
pub use breaker_policy::BreakerPolicy;
pub use builder::TransportBuilder;
pub use concurrency::ConcurrencyLimitLayer;
#[cfg(feature = "direct")]
pub use direct_leaf::DirectLeaf;
pub use error::{BoxError, TransportError, TransportErrorKind};
#[cfg(feature = "reqwest")]
pub use http_leaf::HttpLeaf;
pub use in_process::InProcess;
pub use layered::Layered;
pub use retry::{MaxRetries, RetryLayer};
pub use retry_policy::RetryPolicy;
#[cfg(all(feature = "direct", feature = "reqwest"))]
pub use scheme_leaf::SchemeLeaf;
pub use secret::Secret;
pub use service::{HttpService, ResponseFuture};
pub use timeout::TimeoutLayer;
pub use trace::TraceLayer;
pub use transport::Transport;
