//! Tools of the server as tests need them.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use ropewalk_runs::{
    BuiltInTool, Engine, Failure, FileSource, Image, NoImage, ServerTool, ToolAnswer, ToolCallContext,
    ToolError,
};
use ropewalk_store::Scope;
use ropewalk_types::{
    FileId, FileSearchCall, FileSearchCallRanking, FileSearchRanker, FileSearchResult, Function, Run,
    TextContent,
};

/// What a search does, by its arguments: `{}` finds a passage.
#[derive(Debug, Default)]
pub(crate) struct Library {
    /// The arguments of each call, in the order they came.
    pub(crate) asked: Mutex<Vec<String>>,
    working: AtomicUsize,
    pub(crate) most_at_once: AtomicUsize,
}

impl Library {
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// `engine` with the tool `file_search`.
pub(crate) fn with_library(engine: Engine) -> (Engine, Arc<Library>) {
    let library = Arc::new(Library::default());
    (engine.with_tools(vec![library.clone()]), library)
}

fn passage() -> FileSearchCall {
    FileSearchCall {
        ranking_options: Some(FileSearchCallRanking { ranker: FileSearchRanker::Auto, score_threshold: 0.0 }),
        results: Some(vec![FileSearchResult {
            file_id: "file-price".into(),
            file_name: "prices.txt".to_owned(),
            score: 0.75,
            content: Some(vec![TextContent::Text { text: "It costs 5.".to_owned() }]),
        }]),
    }
}

#[async_trait]
impl ServerTool for Library {
    fn tool(&self) -> BuiltInTool {
        BuiltInTool::FileSearch
    }

    async fn function(&self, _: &Scope, _: &Run) -> Function {
        Function::new("search").description("Looks things up.")
    }

    async fn call(&self, call: ToolCallContext) -> Result<ToolAnswer, ToolError> {
        self.asked.lock().unwrap().push(call.arguments.clone());
        let working = self.working.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(working, Ordering::SeqCst);
        if call.arguments == "slow" {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        self.working.fetch_sub(1, Ordering::SeqCst);
        match call.arguments.as_str() {
            "stall" => std::future::pending().await,
            "panic" => panic!("the tool broke"),
            "break" => Err(ToolError::broken("secret path")),
            "expired" => Err(ToolError::Run(Failure::server("The vector store has expired."))),
            _ => Ok(ToolAnswer::search(&call, passage())),
        }
    }
}

/// Image files, too large ones, and one that is none.
#[derive(Debug)]
pub(crate) struct Gallery;

#[async_trait]
impl FileSource for Gallery {
    async fn image(&self, _: &Scope, file: &FileId, _: u64) -> Result<Image, NoImage> {
        let image = |bytes: usize| Image { media_type: "image/png".to_owned(), bytes: vec![0; bytes].into() };
        match file.as_str() {
            "file-dot" => Ok(Image { bytes: Bytes::from_static(b"dot"), ..image(0) }),
            "file-wall" => Ok(image(20 << 20)),
            "file-house" => Ok(image((20 << 20) + 1)),
            "file-song" => Ok(Image { media_type: "audio/mpeg".to_owned(), ..image(1) }),
            _ => Err(NoImage::Missing),
        }
    }
}

/// Answers whatever it is asked, and keeps the arguments.
#[derive(Debug, Default)]
pub(crate) struct Answering(pub(crate) Mutex<Vec<String>>);

#[async_trait]
impl ServerTool for Answering {
    fn tool(&self) -> BuiltInTool {
        BuiltInTool::FileSearch
    }

    async fn function(&self, _: &Scope, _: &Run) -> Function {
        Function::new("file_search")
    }

    async fn call(&self, call: ToolCallContext) -> Result<ToolAnswer, ToolError> {
        self.0.lock().unwrap().push(call.arguments);
        Ok(ToolAnswer::text("Nothing."))
    }
}
