//! Public behaviour: what becomes of what upstreams send, what is sent to them, and what the scripted model says.
#![cfg(test)]

mod odd_servers;
mod outage;
mod pass_through;
mod request;
mod scripted;
mod support;
mod upstream;
