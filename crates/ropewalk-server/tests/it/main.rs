//! The router in process: what each kind of bad request is answered with, word for word.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod app;
mod azure;
mod chat;
mod chat_kept;
mod code_interpreter;
mod errors;
mod events;
mod forms;
mod hostile;
mod keys;
mod limits;
mod log;
mod reply_schema;
mod runs;
mod sockets;
mod tenants;
mod upstream;
mod webhooks;
