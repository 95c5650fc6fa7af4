//! The client against small servers, over a socket and in this process.

mod calls;
mod lists;
mod streams;
mod stub;
mod tools;
mod wait;
