//! Webhooks as their receivers and senders see them, over real sockets of this machine.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod deliveries;
mod lost_time;
mod receiver;
mod secrecy;
mod wall;
mod world;
