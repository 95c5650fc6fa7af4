//! Run with `cargo run -p ropewalk-search --example find -- "how is a rope laid" README.md docs/*.md`.
//!
//! Searches files by words: reads them, cuts them, ranks the pieces, shows the best.
#![expect(clippy::print_stdout, reason = "an example shows its work")]

use std::{error::Error, fs, path::Path};

use ropewalk_search::{Chunker, IndexedFile, MemoryEngine, SearchEngine, SearchQuery, extract};
use ropewalk_types::{FileId, StaticChunking};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let question = arguments.next().unwrap_or_else(|| "Which rope swells when it is wet?".to_owned());
    let mut files = Vec::new();
    for path in arguments {
        files.push((path.clone(), fs::read(Path::new(&path))?));
    }
    if files.is_empty() {
        files
            .push(("hemp.md".to_owned(), b"# Hemp\nA hemp rope swells when it gets wet, and rots.".to_vec()));
        files.push(("nylon.html".to_owned(), b"<p>Nylon <b>stretches</b> under a load.</p>".to_vec()));
        files.push(("photo.png".to_owned(), b"\x89PNG".to_vec()));
    }

    let engine = MemoryEngine::new();
    let chunker = Chunker::new(StaticChunking { max_chunk_size_tokens: 100, chunk_overlap_tokens: 20 })?;
    for (name, bytes) in &files {
        match extract(name, bytes) {
            Ok(text) => {
                let chunks: Vec<_> = chunker.chunks(&text).map(str::to_owned).collect();
                println!("{name}: {} chunks", chunks.len());
                engine.index("files", IndexedFile::new(FileId::new(name), name, chunks)).await?;
            }
            Err(error) => println!("{name}: {error}"),
        }
    }

    println!("\n{question}");
    for hit in engine.search("files", SearchQuery::new(question).max_results(3)).await? {
        println!("\n{:.2}  {}, chunk {}\n{}", hit.score, hit.filename, hit.chunk, hit.text.trim());
    }
    Ok(())
}
