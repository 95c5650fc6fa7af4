//! Files and vector stores that assistants, threads and messages name: checked, made and linked.

use ropewalk_store::{Batch, Kind, Scope};
use ropewalk_types::{
    Attachment, FileId, FileSearchResources, Id, Message, Metadata, Thread, ThreadId, Tool, ToolResources,
    VectorStore, VectorStoreStatus,
};

use crate::{FileError, Library, attach, record, vector_stores::thread_store_expiry};

/// Most files of a code_interpreter (contract: BEHAVIOUR 15).
const CODE_INTERPRETER_FILES: usize = 20;

/// What has to be stored together with an object for the files it names.
#[derive(Debug, Clone, Default)]
pub struct Prepared {
    /// Steps to add to the object's own batch.
    pub batch: Batch,
    /// Whether the object itself was changed: it has to be stored anew.
    pub changed: bool,
}

impl Library {
    /// Checks what `resources` of the object `owner` name, and replaces the vector stores to make by made ones.
    ///
    /// Commit the batch together with the owner, then [`Library::wake`] the worker.
    ///
    /// # Errors
    ///
    /// [`FileError::NoFiles`], [`FileError::NoVectorStore`], [`FileError::Store`].
    pub async fn prepare_resources(
        &self,
        scope: &Scope,
        owner: &str,
        resources: &mut ToolResources,
    ) -> Result<Batch, FileError> {
        let mut batch = Batch::new();
        if let Some(interpreter) = &resources.code_interpreter {
            self.check_files(scope, &interpreter.file_ids).await?;
            let now = self.now().0;
            batch = interpreter.file_ids.iter().fold(batch, |batch, file| {
                batch.require(Kind::File, file.as_str()).put(record::put_use(file, owner, now))
            });
        }
        let Some(search) = &mut resources.file_search else { return Ok(batch) };
        for store in search.vector_store_ids.iter().flatten() {
            let there = scope.get(Kind::VectorStore, store.as_str()).await?;
            there.ok_or_else(|| FileError::NoVectorStore(store.clone()))?;
        }
        for request in search.vector_stores.take().into_iter().flatten() {
            let mut store = VectorStore::new(self.mint(), self.now());
            store.metadata = Some(request.metadata.unwrap_or_default());
            if owner.starts_with(ThreadId::PREFIX) {
                store.expires_after = Some(thread_store_expiry());
            }
            let files = request.file_ids.unwrap_or_default();
            let made = self.new_store(scope, &mut store, &files, request.chunking_strategy).await?;
            batch = batch.and(made);
            search.vector_store_ids.get_or_insert_default().push(store.id);
        }
        Ok(batch)
    }

    /// Gives the files that come with `messages` to the tools of `thread` (contract: BEHAVIOUR 7.1): those for
    /// file_search go into the thread's own vector store, which is made if there is none.
    ///
    /// The steps are added to those of `before`, which may make the store. Commit the batch together with the messages, and
    /// the thread if it was changed, then [`Library::wake`] the worker.
    ///
    /// # Errors
    ///
    /// [`FileError::NoFiles`], [`FileError::TooMany`], [`FileError::Expired`], [`FileError::Store`].
    pub async fn prepare_attachments(
        &self,
        scope: &Scope,
        thread: &mut Thread,
        messages: &[Message],
        before: Batch,
    ) -> Result<Prepared, FileError> {
        let attachments: Vec<&Attachment> =
            messages.iter().filter_map(|message| message.attachments.as_ref()).flatten().collect();
        let mut prepared = Prepared { batch: before, changed: false };
        if attachments.is_empty() {
            return Ok(prepared);
        }
        let named: Vec<FileId> = attachments.iter().map(|attachment| attachment.file_id.clone()).collect();
        self.check_files(scope, &named).await?;
        let files_for = |wanted: fn(&Tool) -> bool| -> Vec<FileId> {
            let wanted = attachments.iter().filter(|attachment| attachment.tools.iter().any(wanted));
            wanted.map(|attachment| attachment.file_id.clone()).collect()
        };
        self.give_to_interpreter(
            thread,
            &files_for(|tool| matches!(tool, Tool::CodeInterpreter)),
            &mut prepared,
        )?;
        let searched = files_for(|tool| matches!(tool, Tool::FileSearch { .. }));
        self.give_to_search(scope, thread, &searched, &mut prepared).await?;
        Ok(prepared)
    }

    /// Wakes the worker: files wait to be taken in.
    pub fn wake(&self) {
        self.0.due.notify_one();
    }

    async fn check_files(&self, scope: &Scope, files: &[FileId]) -> Result<(), FileError> {
        let mut missing = Vec::new();
        for file in files {
            if scope.get(Kind::File, file.as_str()).await?.is_none() {
                missing.push(file.clone());
            }
        }
        if missing.is_empty() { Ok(()) } else { Err(FileError::NoFiles(missing)) }
    }

    fn give_to_interpreter(
        &self,
        thread: &mut Thread,
        files: &[FileId],
        prepared: &mut Prepared,
    ) -> Result<(), FileError> {
        for file in files {
            let resources = thread.tool_resources.get_or_insert_default();
            let held = &mut resources.code_interpreter.get_or_insert_default().file_ids;
            if held.contains(file) {
                continue;
            }
            if held.len() >= CODE_INTERPRETER_FILES {
                let what = "files for code_interpreter in a thread";
                return Err(FileError::TooMany { what, limit: CODE_INTERPRETER_FILES });
            }
            held.push(file.clone());
            let put = record::put_use(file, thread.id.as_str(), self.now().0);
            let batch = std::mem::take(&mut prepared.batch).require(Kind::File, file.as_str());
            prepared.batch = batch.put(put);
            prepared.changed = true;
        }
        Ok(())
    }

    async fn give_to_search(
        &self,
        scope: &Scope,
        thread: &mut Thread,
        files: &[FileId],
        prepared: &mut Prepared,
    ) -> Result<(), FileError> {
        if files.is_empty() {
            return Ok(());
        }
        let batch = std::mem::take(&mut prepared.batch);
        let resources = thread.tool_resources.get_or_insert_default();
        let search = resources.file_search.get_or_insert_with(FileSearchResources::default);
        let stores = search.vector_store_ids.get_or_insert_default();
        let store = match stores.first() {
            Some(store) if attach::makes(&batch, store) => Some(store.clone()),
            Some(store) => match self.vector_store(scope, store).await {
                Ok(there) if there.status == VectorStoreStatus::Expired => {
                    return Err(FileError::Expired(store.clone()));
                }
                Ok(_) => Some(store.clone()),
                // Somebody deleted it: the thread gets another.
                Err(FileError::NoVectorStore(_)) => None,
                Err(error) => return Err(error),
            },
            None => None,
        };
        prepared.batch = if let Some(store) = store {
            let batch = batch.require(Kind::VectorStore, store.as_str());
            self.attach(scope, &store, &attach::alike(files, None, None), None, batch).await?
        } else {
            let mut store = VectorStore::new(self.mint(), self.now());
            store.expires_after = Some(thread_store_expiry());
            store.metadata = Some(Metadata::new());
            let made = self.new_store(scope, &mut store, files, None).await?;
            *stores = vec![store.id];
            prepared.changed = true;
            batch.and(made)
        };
        Ok(())
    }
}
