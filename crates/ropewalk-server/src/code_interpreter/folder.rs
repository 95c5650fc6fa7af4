//! The folder `/mnt/data` of a thread: files of the API on their way in, and what cells write on its way out.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io,
};

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use ropewalk_files::{FileError, Library};
use ropewalk_interpreter::{Content, DataFile, Error, Interpreter};
use ropewalk_runs::{ToolCallContext, ToolError, WrittenFile};
use ropewalk_store::{Batch, Kind, Put, Scope, StoreError};
use ropewalk_types::{File, FileId, FilePurpose, Run, Thread, ToolResources};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;
use tokio_util::io::StreamReader;

use super::{naming::name_for, shown::Transcript};

/// Files that become files of the API behind one cell; a cell that writes more can put them into an archive.
const MOST_WRITTEN: usize = 50;
/// Bytes of them: as many as the folder holds, whatever a sparse file says of its size.
const MOST_BYTES: u64 = 512 << 20;
/// Files of a thread's folder that are remembered, those that came in included.
const MOST_KEPT: usize = 500;
/// Bytes that are copied at once.
const PIECE: usize = 64 * 1024;

/// What is known of the folder of a live session.
#[derive(Debug, Default)]
pub(super) struct Folder {
    /// What was there when the session began was put there.
    filled: bool,
    contents: Contents,
    /// What lay in it when it was looked at last, by path.
    seen: HashMap<String, DataFile>,
}

/// What lies in a thread's folder, as it is stored: a session that begins finds it there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Contents {
    /// By path below the folder.
    files: BTreeMap<String, Entry>,
    /// What came in once; a cell may have changed or deleted it since.
    came: BTreeSet<FileId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    file_id: FileId,
    /// A cell wrote it.
    written: bool,
}

/// Why a file is not where it should be.
#[derive(Debug, thiserror::Error)]
enum NotCopied {
    #[error(transparent)]
    Session(#[from] Error),
    #[error(transparent)]
    Library(#[from] FileError),
    #[error("it cannot be read")]
    Read(#[from] io::Error),
}

/// Names of the files that a cell of `run` finds.
pub(super) async fn names(library: &Library, scope: &Scope, run: &Run) -> Result<Vec<String>, FileError> {
    let mut contents = load(scope, run).await?.unwrap_or_default();
    for id in inputs(scope, run).await? {
        if !contents.came.contains(&id)
            && let Ok(file) = library.file(scope, &id).await
        {
            contents.come(&file.decode()?);
        }
    }
    Ok(contents.files.into_keys().collect())
}

impl Folder {
    /// Puts there what the cell of `call` has to find.
    pub(super) async fn open(
        &mut self,
        library: &Library,
        call: &ToolCallContext,
        interpreter: &dyn Interpreter,
        transcript: &mut Transcript,
    ) -> Result<(), ToolError> {
        let (scope, run) = (&call.scope, &*call.run);
        let mut placed = Vec::new();
        let stored = if self.filled { None } else { load(scope, run).await.map_err(ToolError::broken)? };
        let before = match self.filled {
            true => Some(self.contents.clone()),
            false => stored.clone(),
        };
        if let Some(stored) = stored {
            transcript.note(
                "This is a new Python session: variables and imports of earlier calls are gone; the files in /mnt/data are kept.",
            );
            for (path, entry) in &stored.files {
                place(library, scope, interpreter, path, &entry.file_id, transcript).await?;
            }
            placed.extend(stored.files.keys().cloned());
            self.contents = stored;
        }
        for id in inputs(scope, run).await.map_err(ToolError::broken)? {
            if self.contents.came.contains(&id) {
                continue;
            }
            let Ok(file) = library.file(scope, &id).await else { continue };
            let path = self.contents.come(&file.decode().map_err(ToolError::broken)?);
            place(library, scope, interpreter, &path, &id, transcript).await?;
            placed.push(path);
        }
        if !placed.is_empty() {
            let placed: BTreeSet<String> = placed.into_iter().collect();
            let there = interpreter.files().await.map_err(ToolError::broken)?;
            self.seen.extend(by_path(there).filter(|(path, _)| placed.contains(path)));
        }
        self.filled = true;
        if before.as_ref() != Some(&self.contents) {
            self.store(scope, run).await?;
        }
        Ok(())
    }

    /// Makes files of the API of what the cell of `call` wrote; gives all that was written so far.
    pub(super) async fn keep(
        &mut self,
        library: &Library,
        call: &ToolCallContext,
        interpreter: &dyn Interpreter,
        transcript: &mut Transcript,
    ) -> Result<Vec<WrittenFile>, ToolError> {
        let there: BTreeMap<String, DataFile> =
            by_path(interpreter.files().await.map_err(ToolError::broken)?).collect();
        let before = self.contents.clone();
        self.contents.files.retain(|path, _| there.contains_key(path));
        let changed: Vec<_> =
            there.iter().filter(|(path, file)| self.seen.get(*path) != Some(file)).collect();
        let mut written = Vec::new();
        let affordable = affordable(changed.iter().map(|(_, file)| file.bytes));
        for (path, file) in changed.iter().take(affordable) {
            let room = self.contents.files.len() < MOST_KEPT || self.contents.files.contains_key(*path);
            match keep_file(library, &call.scope, interpreter, file).await {
                _ if !room => {
                    transcript.note(format!("{path} is not offered to the user: there are too many files."))
                }
                Ok(file_id) => {
                    self.contents.files.insert((*path).clone(), Entry { file_id, written: true });
                    written.push(format!("sandbox:/mnt/data/{path}"));
                }
                Err(error) => not_kept(path, error, transcript)?,
            }
            self.seen.insert((*path).clone(), (*file).clone());
        }
        if let more @ 1.. = changed.len().saturating_sub(affordable) {
            transcript.note(format!(
                "{more} more files were written and are not offered to the user: there are too many, or they are too large."
            ));
        }
        if !written.is_empty() {
            transcript
                .note(format!("Files written, and how to name them to the user: {}", written.join(", ")));
        }
        if before != self.contents {
            self.store(&call.scope, &call.run).await?;
        }
        let files = self.contents.files.iter().filter(|(_, entry)| entry.written);
        let file = |(path, entry): (&String, &Entry)| WrittenFile {
            path: path.clone(),
            file_id: entry.file_id.clone(),
        };
        Ok(files.map(file).collect())
    }

    async fn store(&self, scope: &Scope, run: &Run) -> Result<(), ToolError> {
        let thread = run.thread_id.as_str();
        let body = serde_json::to_vec(&self.contents).map_err(ToolError::broken)?;
        let put = Put::new(Kind::InterpreterFolder, thread, run.created_at.0, body).parent(thread);
        scope.commit(Batch::new().require(Kind::Thread, thread).put(put)).await.map_err(ToolError::broken)
    }
}

impl Contents {
    /// Takes in a file of the API; gives the path that it gets.
    fn come(&mut self, file: &File) -> String {
        let path = name_for(file, |name| self.files.contains_key(name));
        self.came.insert(file.id.clone());
        self.files.insert(path.clone(), Entry { file_id: file.id.clone(), written: false });
        path
    }
}

/// Makes a file of the API of `bytes`.
pub(super) async fn made(
    library: &Library,
    scope: &Scope,
    name: &str,
    bytes: Bytes,
) -> Result<FileId, FileError> {
    let mut incoming = library.add_file(scope).await?;
    incoming.write(bytes).await?;
    Ok(incoming.finish(name, FilePurpose::AssistantsOutput, None).await?.id)
}

async fn load(scope: &Scope, run: &Run) -> Result<Option<Contents>, StoreError> {
    let document = scope.get(Kind::InterpreterFolder, run.thread_id.as_str()).await?;
    document.map(|document| document.decode()).transpose()
}

/// The files that `run` and its thread give to the tool. A message may have brought one since the run began.
async fn inputs(scope: &Scope, run: &Run) -> Result<Vec<FileId>, StoreError> {
    let thread = scope.get(Kind::Thread, run.thread_id.as_str()).await?;
    let thread: Option<Thread> = thread.map(|thread| thread.decode()).transpose()?;
    let of = |resources: &Option<ToolResources>| {
        let interpreter = resources.as_ref().and_then(|resources| resources.code_interpreter.as_ref());
        interpreter.map(|interpreter| interpreter.file_ids.clone()).unwrap_or_default()
    };
    let mut files = of(&run.tool_resources);
    files.extend(thread.iter().flat_map(|thread| of(&thread.tool_resources)));
    Ok(files)
}

/// Copies a file of the API into the session. One that cannot be there is told of.
async fn place(
    library: &Library,
    scope: &Scope,
    interpreter: &dyn Interpreter,
    path: &str,
    id: &FileId,
    transcript: &mut Transcript,
) -> Result<(), ToolError> {
    let copied = async {
        let (_, reader) = library.read(scope, id).await?;
        let content: Content = Box::pin(StreamReader::new(reader.map_err(io::Error::other)));
        Ok::<_, NotCopied>(interpreter.put(path, content).await?)
    };
    match copied.await {
        Ok(_) => {}
        Err(NotCopied::Library(FileError::NoFile(_))) => {
            transcript.note(format!("/mnt/data/{path} is gone: its file was deleted."));
        }
        Err(NotCopied::Session(error)) => transcript.note(format!("/mnt/data/{path} is not there: {error}.")),
        Err(error) => return Err(ToolError::broken(error)),
    }
    Ok(())
}

/// Makes a file of the API of a file of the session.
async fn keep_file(
    library: &Library,
    scope: &Scope,
    interpreter: &dyn Interpreter,
    file: &DataFile,
) -> Result<FileId, NotCopied> {
    let (content, bytes) = interpreter.open(&file.path).await?;
    // It may grow while it is read.
    let mut content = content.take(bytes);
    let mut incoming = library.add_file(scope).await?;
    loop {
        let mut piece = BytesMut::with_capacity(PIECE);
        if content.read_buf(&mut piece).await? == 0 {
            break;
        }
        incoming.write(piece.freeze()).await?;
    }
    let name = file.path.rsplit('/').next().unwrap_or(&file.path);
    Ok(incoming.finish(name, FilePurpose::AssistantsOutput, None).await?.id)
}

/// Says why a file is not offered, or that the tool broke.
fn not_kept(path: &str, error: NotCopied, transcript: &mut Transcript) -> Result<(), ToolError> {
    let why = match error {
        NotCopied::Session(error) => error.to_string(),
        NotCopied::Library(error @ (FileError::Quota | FileError::TooLarge { .. })) => error.to_string(),
        error => return Err(ToolError::broken(error)),
    };
    transcript.note(format!("{path} is not offered to the user: {why}."));
    Ok(())
}

/// How many files of these sizes become files of the API, of the first ones.
fn affordable(sizes: impl Iterator<Item = u64>) -> usize {
    let mut left = MOST_BYTES;
    let fits = |size: &u64| match left.checked_sub(*size) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    sizes.take(MOST_WRITTEN).take_while(fits).count()
}

fn by_path(files: Vec<DataFile>) -> impl Iterator<Item = (String, DataFile)> {
    files.into_iter().map(|file| (file.path.clone(), file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_kept_than_the_folder_may_hold() {
        assert_eq!(affordable([1, 2, 3].into_iter()), 3);
        assert_eq!(affordable([250 << 20; 6].into_iter()), 2);
        assert_eq!(affordable(std::iter::repeat(0)), MOST_WRITTEN);
        assert_eq!(affordable([MOST_BYTES + 1, 1].into_iter()), 0);
    }
}
