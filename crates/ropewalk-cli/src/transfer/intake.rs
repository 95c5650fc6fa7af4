use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    mem::take,
};

use ropewalk_files::record as files;
use ropewalk_runs::record as runs;
use ropewalk_store::{Batch, Blobs, Expect, Kind, Put, Scope, StoreError};
use ropewalk_types::{
    Assistant, File, Id, Message, MessageStatus, Run, RunStep, Thread, ToolResources, UnixSeconds,
    VectorStore, VectorStoreFile, VectorStoreFileStatus, VectorStoreStatus,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    file_bytes::{self, Found},
    inputs::Input,
    repair::repair,
    report::Verdict,
    sort::Sort,
};

/// Objects of one commit.
const COMMIT: usize = 200;
/// Longest id that is taken.
const MAX_ID: usize = 256;
const DAY: i64 = 24 * 3600;

/// Puts objects into a store, or only looks whether it could.
#[derive(Debug)]
pub(super) struct Intake {
    scope: Scope,
    /// `None` if nothing is to be written.
    blobs: Option<Blobs>,
    now: UnixSeconds,
    /// Hashes of kind and id of what was taken: those of the store do not know what waits, nor a dry run.
    taken: HashSet<u64>,
    hasher: RandomState,
    batch: Batch,
    waiting: usize,
}

/// Why an object is refused, or what went wrong with the store.
enum Stop {
    Refused(String),
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

fn refuse<T>(reason: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Refused(reason.into()))
}

impl Intake {
    pub(super) fn new(scope: Scope, blobs: Option<Blobs>, now: UnixSeconds) -> Self {
        let (taken, hasher, batch) = (HashSet::new(), RandomState::new(), Batch::new());
        Self { scope, blobs, now, taken, hasher, batch, waiting: 0 }
    }

    /// Takes one object in. Gives its id, if it has one, and what became of it.
    pub(super) async fn take(
        &mut self,
        sort: Sort,
        json: &[u8],
        input: &Input,
    ) -> anyhow::Result<(Option<String>, Verdict)> {
        let mut value: Value = match serde_json::from_slice(json) {
            Ok(value) => value,
            Err(error) => {
                return Ok((None, Verdict::Refused(format!("the file was changed meanwhile: {error}"))));
            }
        };
        let id = value.get("id").and_then(Value::as_str).map(str::to_owned);
        repair(sort, &mut value);
        let taken = match sort {
            Sort::File => self.file(value, input).await,
            Sort::VectorStore => self.vector_store(value).await,
            Sort::VectorStoreFile => self.vector_store_file(value).await,
            Sort::Assistant => self.assistant(value).await,
            Sort::Thread => self.thread(value).await,
            Sort::Message => self.message(value).await,
            Sort::Run => self.run(value).await,
            Sort::RunStep => self.run_step(value).await,
        };
        let verdict = match taken {
            Ok(true) => Verdict::Taken,
            Ok(false) => Verdict::There,
            Err(Stop::Refused(reason)) => Verdict::Refused(reason),
            Err(Stop::Failed(error)) => return Err(error),
        };
        if self.waiting >= COMMIT {
            self.flush().await?;
        }
        Ok((id, verdict))
    }

    /// Stores what waits.
    pub(super) async fn flush(&mut self) -> Result<(), StoreError> {
        self.waiting = 0;
        let batch = take(&mut self.batch);
        if self.blobs.is_some() { self.scope.commit(batch).await } else { Ok(()) }
    }

    async fn file(&mut self, value: Value, input: &Input) -> Result<bool, Stop> {
        let file: File = read(value)?;
        check(&file.id)?;
        if self.has(Kind::File, file.id.as_str()).await? {
            return Ok(false);
        }
        if let Some(at) = file.expires_at.filter(|at| *at <= self.now) {
            return refuse(format!("it expired at {}", at.0));
        }
        let path = match file_bytes::find(input, &file) {
            Found::Here(path) => path,
            Found::Nowhere => return refuse(format!("its bytes are not there: no files/{}", file.id)),
            Found::Other(path, bytes) => {
                return refuse(format!("{} has {bytes} bytes in place of {}", path.display(), file.bytes));
            }
        };
        if let Some(blobs) = &self.blobs {
            let organization = self.scope.organization();
            let bytes = file_bytes::copy(&path, blobs, organization, file.id.as_str()).await?;
            if bytes != file.bytes {
                blobs.delete(organization, file.id.as_str()).await?;
                return refuse(format!("{} was changed meanwhile", path.display()));
            }
        }
        self.add(Kind::File, file.id.as_str(), |batch| files::add_file(batch, &file));
        Ok(true)
    }

    async fn vector_store(&mut self, value: Value) -> Result<bool, Stop> {
        let mut store: VectorStore = read(value)?;
        check(&store.id)?;
        // The time on the way is no time of rest: what lived when it was saved lives on.
        let lived = store.status != VectorStoreStatus::Expired;
        if lived && store.expires_at.is_some_and(|at| at <= self.now) {
            store.last_active_at = Some(self.now);
            store.expires_at =
                store.expires_after.map(|expiry| self.now.plus(expiry.days.saturating_mul(DAY)));
        }
        store.usage_bytes = 0;
        self.put(files::put_vector_store(&store)).await
    }

    async fn vector_store_file(&mut self, value: Value) -> Result<bool, Stop> {
        let mut place: VectorStoreFile = read(value)?;
        check(&place.id)?;
        check(&place.vector_store_id)?;
        let id = files::place(&place.vector_store_id, &place.id);
        if self.has(Kind::VectorStoreFile, &id).await? {
            return Ok(false);
        }
        self.needs(Kind::VectorStore, place.vector_store_id.as_str(), "vector store").await?;
        self.needs(Kind::File, place.id.as_str(), "file").await?;
        place.usage_bytes = 0;
        place.last_error = None;
        if place.status != VectorStoreFileStatus::Cancelled {
            place.status = VectorStoreFileStatus::InProgress;
        }
        let filename = match self.scope.get(Kind::File, place.id.as_str()).await? {
            Some(file) => file.decode::<File>()?.filename,
            // Only in a dry run, which stores none.
            None => String::new(),
        };
        self.add(Kind::VectorStoreFile, &id, |batch| files::add_place(batch, &place, &filename));
        Ok(true)
    }

    async fn assistant(&mut self, value: Value) -> Result<bool, Stop> {
        let assistant: Assistant = read(value)?;
        check(&assistant.id)?;
        let taken = self.put(runs::put_assistant(&assistant)).await?;
        if taken {
            self.uses(assistant.id.as_str(), assistant.created_at, assistant.tool_resources.as_ref());
        }
        Ok(taken)
    }

    async fn thread(&mut self, value: Value) -> Result<bool, Stop> {
        let thread: Thread = read(value)?;
        check(&thread.id)?;
        let taken = self.put(runs::put_thread(&thread)).await?;
        if taken {
            self.uses(thread.id.as_str(), thread.created_at, thread.tool_resources.as_ref());
        }
        Ok(taken)
    }

    async fn message(&mut self, value: Value) -> Result<bool, Stop> {
        let message: Message = read(value)?;
        check(&message.id)?;
        if message.status == MessageStatus::InProgress {
            return refuse("it was still being written");
        }
        self.child(runs::put_message(&message), Kind::Thread, "thread").await
    }

    async fn run(&mut self, value: Value) -> Result<bool, Stop> {
        let run: Run = read(value)?;
        check(&run.id)?;
        if !run.status.is_terminal() {
            return refuse(format!("it is not over, but `{}`: a run cannot go on elsewhere", run.status));
        }
        self.child(runs::put_finished_run(&run), Kind::Thread, "thread").await
    }

    async fn run_step(&mut self, value: Value) -> Result<bool, Stop> {
        let step: RunStep = read(value)?;
        check(&step.id)?;
        self.child(runs::put_finished_step(&step), Kind::Run, "run").await
    }

    /// Notes which files an object uses, so that it is found when one is deleted.
    fn uses(&mut self, owner: &str, created_at: UnixSeconds, resources: Option<&ToolResources>) {
        let interpreter = resources.and_then(|resources| resources.code_interpreter.as_ref());
        for file in interpreter.iter().flat_map(|interpreter| &interpreter.file_ids) {
            self.batch = take(&mut self.batch).put(files::put_use(file, owner, created_at.0));
        }
    }

    /// Takes what stands below another object, which must be there.
    async fn child(&mut self, put: Put, kind: Kind, what: &str) -> Result<bool, Stop> {
        if self.has(put.kind, &put.id).await? {
            return Ok(false);
        }
        let parent = put.parent.clone().unwrap_or_default();
        self.needs(kind, &parent, what).await?;
        self.batch = take(&mut self.batch).require(kind, parent);
        self.put(put).await
    }

    async fn put(&mut self, put: Put) -> Result<bool, Stop> {
        if self.has(put.kind, &put.id).await? {
            return Ok(false);
        }
        let (kind, id) = (put.kind, put.id.clone());
        self.add(kind, &id, |batch| batch.put(put.expect(Expect::Absent)));
        Ok(true)
    }

    fn add(&mut self, kind: Kind, id: &str, to: impl FnOnce(Batch) -> Batch) {
        self.taken.insert(self.hasher.hash_one((kind, id)));
        self.batch = to(take(&mut self.batch));
        self.waiting += 1;
    }

    async fn needs(&self, kind: Kind, id: &str, what: &str) -> Result<(), Stop> {
        if self.has(kind, id).await? {
            return Ok(());
        }
        refuse(format!("its {what} {id} is neither there nor was it taken"))
    }

    async fn has(&self, kind: Kind, id: &str) -> Result<bool, StoreError> {
        let taken = self.taken.contains(&self.hasher.hash_one((kind, id)));
        Ok(taken || self.scope.get(kind, id).await?.is_some())
    }
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T, Stop> {
    serde_path_to_error::deserialize(value).or_else(|error| match error.path().to_string().as_str() {
        "." => refuse(error.inner().to_string()),
        path => refuse(format!("`{path}`: {}", error.inner())),
    })
}

/// An id must be one that a path can name.
fn check<I: Id>(id: &I) -> Result<(), Stop> {
    let id = id.to_string();
    let odd = |c: char| c == '/' || c.is_whitespace() || c.is_control();
    if id.parse::<I>().is_err() || id.is_empty() || id.len() > MAX_ID || id.contains(odd) {
        return refuse(format!("`{}` is no id of such an object", id.escape_debug()));
    }
    Ok(())
}
