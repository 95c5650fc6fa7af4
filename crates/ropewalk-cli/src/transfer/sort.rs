use ropewalk_store::Kind;

/// What is transferred, parents first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    File,
    VectorStore,
    VectorStoreFile,
    Assistant,
    Thread,
    Message,
    Run,
    RunStep,
}

/// One value for each sort, by `sort as usize`.
pub(super) type BySort<T> = [T; Sort::ALL.len()];

impl Sort {
    pub(super) const ALL: [Self; 8] = [
        Self::File,
        Self::VectorStore,
        Self::VectorStoreFile,
        Self::Assistant,
        Self::Thread,
        Self::Message,
        Self::Run,
        Self::RunStep,
    ];

    /// What the store calls it.
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::File => Kind::File,
            Self::VectorStore => Kind::VectorStore,
            Self::VectorStoreFile => Kind::VectorStoreFile,
            Self::Assistant => Kind::Assistant,
            Self::Thread => Kind::Thread,
            Self::Message => Kind::Message,
            Self::Run => Kind::Run,
            Self::RunStep => Kind::RunStep,
        }
    }

    /// Its `object` on the wire.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::VectorStore => "vector_store",
            Self::VectorStoreFile => "vector_store.file",
            Self::Assistant => "assistant",
            Self::Thread => "thread",
            Self::Message => "thread.message",
            Self::Run => "thread.run",
            Self::RunStep => "thread.run.step",
        }
    }

    /// Many of them; the name of their NDJSON file.
    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::File => "files",
            Self::VectorStore => "vector_stores",
            Self::VectorStoreFile => "vector_store_files",
            Self::Assistant => "assistants",
            Self::Thread => "threads",
            Self::Message => "messages",
            Self::Run => "runs",
            Self::RunStep => "run_steps",
        }
    }

    pub(super) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sort| sort.word() == word)
    }
}
