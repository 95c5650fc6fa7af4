//! The router in process: what each kind of bad request is answered with, word for word.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod app;
mod errors;
mod tenants;
