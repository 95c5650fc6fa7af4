use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::{Context, bail};
use clap::Args;
use futures_util::TryStreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use ropewalk_files::{Library, LibraryOptions, StoreEngine};
use ropewalk_runs::record;
use ropewalk_store::{Blobs, Kind, Organization, Scope, Store, StoreError, SystemClock, TimeOrderedIds};
use ropewalk_types::{FileId, RunStepInclude, ThreadId};

use super::{
    LOCAL, blobs, escaped, organization,
    sort::{BySort, Sort},
    walk::Walk,
};
use crate::settings::{FileSettings, data_dir};

/// Writes all assistants, threads, messages, runs, files and vector stores of an organisation to a folder, while a
/// server runs or not.
///
/// An NDJSON file for each kind, oldest first, as GET replies show the objects, and `files/` with the bytes. No keys.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Where to: a folder, which is made if it is missing.
    out: PathBuf,
    /// The server's data folder. [default: ./ropewalk-data]
    #[arg(long, visible_alias = "data", env = "ROPEWALK_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// Whose objects. The default is everybody's on a server without keys.
    #[arg(long, default_value = LOCAL, value_parser = organization)]
    organization: Organization,
    /// Writes over what the folder holds.
    #[arg(long)]
    force: bool,
    /// Settings file, of which `data_dir` counts here. [default: ropewalk.toml, if it is there]
    #[arg(long, env = "ROPEWALK_CONFIG")]
    config: Option<PathBuf>,
}

impl Export {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let folder = data_dir(self.data_dir, FileSettings::load(self.config.as_deref())?.data_dir);
        let opened = Store::sqlite_beside(&folder).and_then(|store| Ok((store, blobs(&folder)?)));
        let (store, blobs) =
            opened.with_context(|| format!("the data folder {} cannot be used", folder.display()))?;
        let out = &self.out;
        let unusable = || format!("{} cannot be written", out.display());
        if !self.force && out.exists() && out.read_dir().with_context(unusable)?.next().is_some() {
            bail!("{} is not empty: choose another folder, or --force", out.display());
        }
        let (clock, ids) = (Arc::new(SystemClock), Arc::new(TimeOrderedIds));
        let engine = Arc::new(StoreEngine::new(store.clone()));
        let library =
            Library::new(store.clone(), blobs.clone(), engine, clock, ids, LibraryOptions::default());
        let style = ProgressStyle::with_template("{spinner} {pos} objects in {elapsed}")?;
        let mut exporter = Exporter {
            scope: store.scope(self.organization),
            blobs,
            library,
            shelf: Shelf::make(out).with_context(unusable)?,
            bar: ProgressBar::new_spinner().with_style(style),
            missing: 0,
        };
        exporter.export().await.with_context(|| format!("{} is not whole", out.display()))?;
        exporter.bar.finish_and_clear();
        exporter.shelf.finish().with_context(unusable)?;
        write!(io::stdout(), "{}", exporter.shelf.table())?;
        Ok(if exporter.missing == 0 { ExitCode::SUCCESS } else { ExitCode::from(2) })
    }
}

struct Exporter {
    scope: Scope,
    blobs: Blobs,
    library: Library,
    shelf: Shelf,
    bar: ProgressBar,
    /// Files without their bytes.
    missing: u64,
}

impl Exporter {
    async fn export(&mut self) -> anyhow::Result<()> {
        let scope = self.scope.clone();
        let mut files = Walk::new(&scope, Kind::File, None);
        while let Some(file) = files.next().await? {
            if self.copy(&file.id).await? {
                self.put(Sort::File, &file.body)?;
            }
        }
        let mut stores = Walk::new(&scope, Kind::VectorStore, None);
        while let Some(store) = stores.next().await? {
            let filled = self.library.filled(&scope, store.decode()?).await?;
            self.put(Sort::VectorStore, &serde_json::to_vec(&filled)?)?;
            self.children(Sort::VectorStoreFile, &store.id).await?;
        }
        let mut assistants = Walk::new(&scope, Kind::Assistant, None);
        while let Some(assistant) = assistants.next().await? {
            self.put(Sort::Assistant, &assistant.body)?;
        }
        let mut threads = Walk::new(&scope, Kind::Thread, None);
        while let Some(thread) = threads.next().await? {
            self.put(Sort::Thread, &thread.body)?;
            self.children(Sort::Message, &thread.id).await?;
            self.runs(&ThreadId::new(thread.id)).await?;
        }
        Ok(())
    }

    async fn children(&mut self, sort: Sort, parent: &str) -> anyhow::Result<()> {
        let scope = self.scope.clone();
        let mut children = Walk::new(&scope, sort.kind(), Some(parent));
        while let Some(child) = children.next().await? {
            self.put(sort, &child.body)?;
        }
        Ok(())
    }

    async fn runs(&mut self, thread: &ThreadId) -> anyhow::Result<()> {
        let scope = self.scope.clone();
        let mut runs = Walk::new(&scope, Kind::Run, Some(thread.as_str()));
        while let Some(run) = runs.next().await? {
            self.put(Sort::Run, &run.body)?;
            let mut steps = Walk::new(&scope, Kind::RunStep, Some(&run.id));
            while let Some(step) = steps.next().await? {
                // With its passages: they must not be lost.
                self.put(Sort::RunStep, &record::step_json(&step, &[RunStepInclude::SearchContent])?)?;
            }
        }
        Ok(())
    }

    fn put(&mut self, sort: Sort, json: &[u8]) -> io::Result<()> {
        self.bar.inc(1);
        self.shelf.put(sort, json)
    }

    /// Writes the bytes of a file; `false` if it was deleted meanwhile.
    async fn copy(&mut self, id: &str) -> anyhow::Result<bool> {
        let mut bytes = match self.blobs.read(self.scope.organization(), id, ..).await {
            Ok(bytes) => bytes,
            Err(StoreError::MissingBlob { .. }) => {
                let there = self.library.file(&self.scope, &FileId::new(id)).await.is_ok();
                if there {
                    self.missing += 1;
                    self.bar.suspend(|| writeln!(io::stderr(), "{id}: its bytes are not there"))?;
                }
                return Ok(there);
            }
            Err(error) => return Err(error.into()),
        };
        let mut file = create(&self.shelf.bytes.join(escaped(id)))?;
        while let Some(piece) = bytes.try_next().await? {
            file.write_all(&piece)?;
        }
        file.sync_all()?;
        Ok(true)
    }
}

/// The folder that is written to.
struct Shelf {
    out: PathBuf,
    bytes: PathBuf,
    files: BySort<BufWriter<File>>,
    counts: BySort<u64>,
}

impl Shelf {
    fn make(out: &Path) -> io::Result<Self> {
        let bytes = out.join("files");
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&bytes)?;
        let files: Vec<_> = Sort::ALL
            .iter()
            .map(|sort| create(&out.join(format!("{}.ndjson", sort.plural()))).map(BufWriter::new))
            .collect::<io::Result<_>>()?;
        let files = files.try_into().map_err(|_| io::Error::other("a file for each kind"))?;
        Ok(Self { out: out.to_owned(), bytes, files, counts: BySort::default() })
    }

    fn put(&mut self, sort: Sort, json: &[u8]) -> io::Result<()> {
        self.counts[sort as usize] += 1;
        let file = &mut self.files[sort as usize];
        file.write_all(json)?;
        file.write_all(b"\n")
    }

    /// Makes all of it survive the loss of power.
    fn finish(&mut self) -> io::Result<()> {
        for file in &mut self.files {
            file.flush()?;
            file.get_ref().sync_all()?;
        }
        #[cfg(unix)]
        for folder in [&self.bytes, &self.out] {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }

    fn table(&self) -> String {
        let line = |sort: Sort| format!("{:<20}{:>10}\n", sort.plural(), self.counts[sort as usize]);
        std::iter::once(format!("{:<20}{:>10}\n", "KIND", "WRITTEN")).chain(Sort::ALL.map(line)).collect()
    }
}

/// A file that only its owner can read, empty.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
