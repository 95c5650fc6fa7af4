//! Files that come with messages, and what has to be stored with these for them.

use ropewalk_runs::record;
use ropewalk_store::{Batch, Expect, Kind, Scope};
use ropewalk_types::{Message, Thread, ThreadId};

use super::find;
use crate::{api_error::ApiError, runtime::Runtime};

/// What to commit together with new messages of a thread that is there. The commit fails with a conflict if the thread
/// was changed meanwhile: then ask again.
pub(crate) async fn on_thread(
    runtime: &Runtime,
    scope: &Scope,
    thread: &ThreadId,
    messages: &[Message],
) -> Result<Batch, ApiError> {
    let bring_files = |message: &Message| message.attachments.as_ref().is_some_and(|files| !files.is_empty());
    if !messages.iter().any(bring_files) {
        return Ok(Batch::new());
    }
    let document = find(scope, Kind::Thread, thread.as_str(), None).await?;
    let mut thread: Thread = document.decode()?;
    let prepared = runtime.library().prepare_attachments(scope, &mut thread, messages, Batch::new()).await?;
    if !prepared.changed {
        return Ok(prepared.batch);
    }
    Ok(prepared.batch.put(record::put_thread(&thread).expect(Expect::Version(document.version))))
}

/// What to commit together with a new thread and its first messages.
pub(crate) async fn of_new_thread(
    runtime: &Runtime,
    scope: &Scope,
    thread: &mut Thread,
    messages: &[Message],
) -> Result<Batch, ApiError> {
    let mut batch = Batch::new();
    if let Some(resources) = &mut thread.tool_resources {
        batch = runtime.library().prepare_resources(scope, thread.id.as_str(), resources).await?;
    }
    Ok(runtime.library().prepare_attachments(scope, thread, messages, batch).await?.batch)
}
