//! Run with `cargo run -p ropewalk-events --example decode < transcript.sse`; prints the events, then the answer.
#![expect(clippy::print_stdout, reason = "an example shows its result")]

use std::{error::Error, io::Read};

use bytes::Bytes;
use ropewalk_events::{Decoder, Event, Snapshot};

fn main() -> Result<(), Box<dyn Error>> {
    let mut input = std::io::stdin();
    let (mut decoder, mut snapshot) = (Decoder::new(), Snapshot::new());
    let mut buffer = [0; 8 * 1024];
    loop {
        let read = input.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        // A chunk may end anywhere, in the middle of a character too.
        decoder.push(Bytes::copy_from_slice(&buffer[..read]));
        while let Some(frame) = decoder.next_frame()? {
            let event = Event::from_frame(&frame)?;
            snapshot.apply(&event)?;
            println!("{:>4} {}", frame.id, line(&event, &frame.data));
        }
    }
    for message in snapshot.messages() {
        println!("\n{}", message.text());
    }
    if let Some(run) = snapshot.run() {
        println!("\nThe run is {}.", run.status);
    }
    Ok(())
}

/// The event in one line.
fn line(event: &Event, data: &str) -> String {
    let detail = match event {
        Event::RunStepDelta(delta) => delta.id.to_string(),
        Event::MessageDelta(delta) => delta.id.to_string(),
        Event::Error(error) => error.message.clone(),
        Event::Unknown { .. } => data.to_owned(),
        _ => String::new(),
    };
    format!("{} {detail}", event.name())
}
