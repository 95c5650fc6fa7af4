#![doc = include_str!("../README.md")]

mod builder;
mod chunks;
mod client;
mod error;
mod events;
mod file_calls;
mod generated;
mod last_answer;
mod query;
mod reply_stream;
mod resume;
mod rows;
#[cfg(feature = "tools")]
mod tools;
mod wait;

pub use builder::ClientBuilder;
pub use client::Client;
pub use error::ClientError;
pub use generated::{
    Assistants, ChatCompletionMessages, ChatCompletions, Files, Messages, Models, RunSteps, Runs, Threads,
    Uploads, VectorStoreFileBatches, VectorStoreFiles, VectorStores,
};
pub use reply_stream::ReplyStream;
