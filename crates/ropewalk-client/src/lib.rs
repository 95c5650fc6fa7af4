#![doc = include_str!("../README.md")]

mod builder;
mod client;
mod error;
mod events;
mod generated;
mod last_answer;
mod reply_stream;
mod rows;
#[cfg(feature = "tools")]
mod tools;
mod wait;

pub use builder::ClientBuilder;
pub use client::Client;
pub use error::ClientError;
pub use generated::{Assistants, Messages, Models, RunSteps, Runs, Threads};
pub use reply_stream::ReplyStream;
