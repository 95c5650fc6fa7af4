//! Run with `cargo run -p ropewalk-tokens --example cut -- README.md 200 50`.
//!
//! Shows how a file would be cut for a search: each window with its place, its tokens and how it begins.
#![expect(clippy::print_stdout, reason = "an example shows its work")]

use std::error::Error;

use ropewalk_tokens::Encoding;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let text = match arguments.next() {
        Some(path) => std::fs::read_to_string(path)?,
        None => "A ropewalk lays long rope from short strands, each one plain and sound. ".repeat(40),
    };
    let mut number = |default| arguments.next().map_or(Ok(default), |word| word.parse::<usize>());
    let (max_tokens, overlap) = (number(200)?, number(50)?);

    for encoding in [Encoding::for_model("gpt-4"), Encoding::for_model("gpt-4o")] {
        println!("{encoding:?}: {} bytes, {} tokens", text.len(), encoding.count(&text));
        for window in encoding.windows(&text, max_tokens, overlap) {
            let (place, window) = (format!("{window:?}"), &text[window]);
            println!("{place:>16} {:>5} tokens  {:?}", encoding.count(window), encoding.truncate(window, 8));
        }
    }
    Ok(())
}
