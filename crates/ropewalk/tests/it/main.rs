//! The whole of Ropewalk through its facade.

mod conversation;
mod persistence;
