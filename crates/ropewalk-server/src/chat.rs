//! Chat Completions on their way to the model's host and back: what the server reads of them, and what it keeps.

mod asked;
mod keep;
mod members;
mod sum;
mod watch;

pub(crate) use asked::{Asked, RequestHead};
pub(crate) use keep::{Keep, put_completion};
pub(crate) use watch::{Spending, Watch};
