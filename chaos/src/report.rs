//! What was lived through, as Markdown.
#![expect(clippy::print_stdout, reason = "the report is the output")]

use std::{collections::BTreeMap, time::Duration};

use crate::{audit::Checked, conversation::Conversation, recovery::Measured, upstream::Calls};

pub(crate) struct Report<'a> {
    pub(crate) seed: u64,
    pub(crate) took: Duration,
    pub(crate) conversations: &'a [Conversation],
    pub(crate) checked: Checked,
    pub(crate) calls: Calls,
    pub(crate) measured: Measured,
}

impl Report<'_> {
    pub(crate) fn print(self) {
        let Self { seed, took, conversations, checked, calls, measured } = self;
        let mut endings: BTreeMap<&str, usize> = BTreeMap::new();
        for ran in conversations.iter().flat_map(|conversation| &conversation.runs) {
            *endings.entry(ran.status.as_str()).or_default() += 1;
        }
        let runs: usize = endings.values().sum();
        let endings: Vec<_> = endings.iter().map(|(ending, runs)| format!("{runs} {ending}")).collect();
        let (start, since_start, since_kill) =
            (times(measured.starts), times(measured.since_start), times(measured.since_kill));
        println!("### Chaos\n\nSeed {seed}, {:.0} s.\n", took.as_secs_f64());
        println!("| | |\n| --- | --- |");
        println!("| clients at once, all threads usable | {} |", conversations.len());
        println!("| runs, all over | {runs}: {} |", endings.join(", "));
        println!(
            "| calls of the upstream | {} answered, {} refused, {} broken off, {} stalled |",
            calls.whole, calls.refused, calls.broken_off, calls.stalled
        );
        println!("| acknowledged writes, all there and the same | {} |", checked.writes);
        println!("| events stored, each told once and in the same words | {} |", checked.events);
        println!("| `kill -9` | {} |", measured.kills);
        println!("| runs at work at a kill | {} |\n", measured.interrupted);
        println!("| recovery | median | worst |\n| --- | ---: | ---: |");
        println!("| from the start of the server until it listens | {start} |");
        println!("| from the start of the server until a run goes on | {since_start} |");
        println!("| from the kill until a run goes on | {since_kill} |");
    }
}

/// The median and the worst, as two cells.
fn times(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |place: usize| times.get(place).copied().unwrap_or_default().as_secs_f64() * 1e3;
    format!("{:.0} ms | {:.0} ms", at(times.len() / 2), at(times.len().saturating_sub(1)))
}
