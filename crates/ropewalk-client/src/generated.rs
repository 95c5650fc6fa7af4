// Written by `cargo xtask codegen`; do not edit.

mod assistants;
mod chat_completion_messages;
mod chat_completions;
mod files;
mod messages;
mod models;
mod run_steps;
mod runs;
mod threads;
mod uploads;
mod vector_store_file_batches;
mod vector_store_files;
mod vector_stores;

pub use assistants::Assistants;
pub use chat_completion_messages::ChatCompletionMessages;
pub use chat_completions::ChatCompletions;
pub use files::Files;
pub use messages::Messages;
pub use models::Models;
pub use run_steps::RunSteps;
pub use runs::Runs;
pub use threads::Threads;
pub use uploads::Uploads;
pub use vector_store_file_batches::VectorStoreFileBatches;
pub use vector_store_files::VectorStoreFiles;
pub use vector_stores::VectorStores;
