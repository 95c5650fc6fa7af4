//! What the model does in one turn.

use std::time::Duration;

use ropewalk_model::{FinishReason, ModelErrorKind, ModelEvent, ModelRequest, ToolCallPart};
use ropewalk_types::Usage;

use crate::world::World;

/// Turns with calls that a run has at most, so that it comes to an end.
const MOST_TURNS: usize = 5;

/// One thing that the model does.
#[derive(Debug, Clone)]
pub(super) enum Beat {
    Say(ModelEvent),
    Pause(Duration),
    Fail(ModelErrorKind),
    Stall,
    Panic,
}

/// A turn of the call `number`, which its run made `before` others ahead of. All it says carries the number.
pub(super) fn turn(world: &World, number: usize, before: usize, request: &ModelRequest) -> Vec<Beat> {
    let mut beats = good_turn(world, number, before, request);
    let random = &world.random;
    if world.strikes(world.weather.model_faults) {
        let at = random.below(beats.len() as u64) as usize;
        match random.below(8) {
            0..3 => {
                beats.truncate(at);
                beats.push(Beat::Fail(*random.pick(&KINDS).unwrap_or(&ModelErrorKind::Unavailable)));
            }
            3 => {
                beats.truncate(at);
                beats.push(Beat::Stall);
            }
            // It ends without a finish, which it must not.
            4 => beats.truncate(at),
            5 => {
                beats.truncate(at);
                beats.push(Beat::Panic);
            }
            _ => beats.insert(at, Beat::Pause(random.ms(2_000..15_000))),
        }
    }
    beats
}

const KINDS: [ModelErrorKind; 7] = [
    ModelErrorKind::RateLimited,
    ModelErrorKind::InvalidRequest,
    ModelErrorKind::Unauthorized,
    ModelErrorKind::Unavailable,
    ModelErrorKind::Interrupted,
    ModelErrorKind::TimedOut,
    ModelErrorKind::Protocol,
];

fn good_turn(world: &World, number: usize, before: usize, request: &ModelRequest) -> Vec<Beat> {
    let random = &world.random;
    let mut beats = Vec::new();
    let mut piece = 0;
    let mut text = |beats: &mut Vec<Beat>| {
        // Now and then much at once.
        let pieces = if random.permille(5) { 100..700 } else { 1..5 };
        let many = pieces.end > 5;
        for _ in 0..random.within(pieces) {
            if !many || random.permille(5) {
                pause(world, beats);
            }
            beats.push(Beat::Say(ModelEvent::Text(format!("c{number}.{piece} "))));
            piece += 1;
        }
    };
    let calls = before < MOST_TURNS && !request.tools.is_empty() && !world.is_calm() && random.permille(550);
    let finish = if calls {
        if random.permille(400) {
            text(&mut beats);
        }
        add_calls(world, number, request, &mut beats);
        if random.permille(100) {
            text(&mut beats);
        }
        FinishReason::ToolCalls
    } else if random.permille(80) {
        for part in 0..random.within(1..4) {
            pause(world, &mut beats);
            beats.push(Beat::Say(ModelEvent::Refusal(format!("r{number}.{part} "))));
        }
        FinishReason::Stop
    } else {
        // Now and then it has nothing to say.
        if random.permille(970) {
            text(&mut beats);
        }
        match random.below(20) {
            0 => FinishReason::Length,
            1 => FinishReason::ContentFilter,
            2 => FinishReason::Other("tired".to_owned()),
            _ => FinishReason::Stop,
        }
    };
    if random.permille(850) {
        pause(world, &mut beats);
        beats.push(Beat::Say(ModelEvent::Usage(usage(number))));
    }
    beats.push(Beat::Say(ModelEvent::Finish(finish)));
    beats
}

fn pause(world: &World, beats: &mut Vec<Beat>) {
    let random = &world.random;
    if random.permille(500) {
        beats.push(Beat::Pause(random.ms(1..200)));
    }
}

/// No two calls use the same.
fn usage(number: usize) -> Usage {
    let (prompt_tokens, completion_tokens) = (1_000 + number as u64, 10 + number as u64 % 7);
    Usage { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens }
}

fn add_calls(world: &World, number: usize, request: &ModelRequest, beats: &mut Vec<Beat>) {
    let random = &world.random;
    for index in 0..random.within(1..5) as u32 {
        let name = random.pick(&request.tools).map(|tool| tool.name.clone()).unwrap_or_default();
        let id = match random.below(20) {
            0 => None,
            // Twice the same.
            1 => Some(format!("call_c{number}.0")),
            _ => Some(format!("call_c{number}.{index}")),
        };
        pause(world, beats);
        let mut part = ToolCallPart { index, id, name: Some(name), arguments: String::new() };
        for arguments in [format!("{{\"from\":\"c{number}."), format!("{index}\"}}")] {
            let part = ToolCallPart { arguments, ..std::mem::replace(&mut part, next_part(index)) };
            beats.push(Beat::Say(ModelEvent::ToolCall(part)));
            pause(world, beats);
        }
    }
}

fn next_part(index: u32) -> ToolCallPart {
    ToolCallPart { index, ..ToolCallPart::default() }
}
