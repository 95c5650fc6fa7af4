//! cargo run -p ropewalk-types --example endpoints
//!
//! Prints the table of endpoints, and the request that one of them takes.
#![expect(clippy::print_stdout, reason = "a program for the terminal")]

use ropewalk_types::{
    CreateAssistant, ENDPOINTS, Endpoint, Function, PathParams, RunId, ThreadId, Tool, endpoint::GetRun,
};
use serde_json::json;

fn main() -> Result<(), serde_json::Error> {
    for row in ENDPOINTS {
        let streams = if row.streams { ", streams" } else { "" };
        println!("{:<6} {:<58} {}{streams}", row.method.as_str(), row.path, row.operation_id);
    }

    // The same row as a type: what it takes and gives is known to the compiler.
    let ids = (ThreadId::new("thread_abc"), RunId::new("run_123"));
    println!("\n{} goes to {}", GetRun::INFO.operation_id, ids.fill(GetRun::INFO.path));

    let weather = Function::new("weather")
        .description("The weather of a city, now.")
        .parameters(json!({ "type": "object", "properties": { "city": { "type": "string" } } }));
    let request = CreateAssistant::new("llama3.1").name("Forecaster").tool(Tool::function(weather));
    println!("\nPOST /assistants takes\n{}", serde_json::to_string_pretty(&request)?);
    Ok(())
}
