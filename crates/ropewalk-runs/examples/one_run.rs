//! cargo run -p ropewalk-runs --example one_run
//!
//! Drives the run machine by hand through a function call and an answer, and prints what it asks for at each step.
#![expect(clippy::print_stdout, reason = "a program for the terminal")]

use ropewalk_model::{FinishReason, ModelEvent, ToolCallPart};
use ropewalk_runs::{Context, Effects, Input, Machine, RunError};
use ropewalk_store::TimeOrderedIds;
use ropewalk_types::{Run, ToolOutput, UnixSeconds};

fn main() -> Result<(), RunError> {
    let now = UnixSeconds(1_800_000_000);
    let context = Context::new(now, &TimeOrderedIds);
    let run =
        Run::new("run_1".into(), "thread_1".into(), "asst_1".into(), "llama3.1".into(), now, now.plus(600));
    let mut machine = Machine::new(run);

    let call = ToolCallPart {
        index: 0,
        id: Some("call_1".to_owned()),
        name: Some("weather".to_owned()),
        arguments: r#"{"city":"Oslo"}"#.to_owned(),
    };
    for input in [
        Input::Created,
        Input::Claimed,
        Input::Model(ModelEvent::ToolCall(call)),
        Input::Model(ModelEvent::Finish(FinishReason::ToolCalls)),
        Input::ModelEnded,
    ] {
        step(&mut machine, input, &context);
    }

    let mut effects = Effects::default();
    machine.submit(&[ToolOutput::new("call_1", r#"{"celsius":-3}"#)], &context, &mut effects)?;
    show("outputs submitted", &effects);
    for input in [
        Input::Claimed,
        Input::Model(ModelEvent::Text("It is three below zero.".to_owned())),
        Input::Model(ModelEvent::Finish(FinishReason::Stop)),
        Input::ModelEnded,
    ] {
        step(&mut machine, input, &context);
    }
    println!("the run is {}", machine.run().status);
    Ok(())
}

fn step(machine: &mut Machine, input: Input, context: &Context<'_>) {
    let mut effects = Effects::default();
    let name = format!("{input:?}");
    machine.handle(input, context, &mut effects);
    show(&name, &effects);
}

fn show(input: &str, effects: &Effects) {
    println!("{input}");
    println!("    store: run {}, {} other objects", effects.run_changed, effects.changes.len());
    for event in &effects.events {
        println!("    tell:  {}", event.name());
    }
    println!("    then:  {:?}", effects.next);
}
