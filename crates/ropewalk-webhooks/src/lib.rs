#![doc = include_str!("../README.md")]

mod address;
mod delivery;
mod directory;
mod endpoint;
mod endpoints;
mod lanes;
mod measures;
mod post;
mod schedule;
mod secret;
mod send;
mod wall;
mod webhooks;
mod worker;

pub use address::is_public;
pub use endpoint::{CreatedEndpoint, Endpoint, EndpointError, NewEndpoint};
pub use endpoints::Endpoints;
pub use measures::{WebhookStats, describe_metrics};
pub use secret::{BadSecret, SigningSecret};
pub use webhooks::{WebhookOptions, Webhooks};
