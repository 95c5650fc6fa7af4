//! async-openai against the real server: its closed, strictly typed objects take every reply.

#![expect(
    deprecated,
    reason = "async-openai marks these resources as deprecated; that they live on is the point"
)]

mod files;
mod helpers;
mod objects;
mod runs;
