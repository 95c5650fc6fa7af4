//! What was measured, as Markdown.
#![expect(clippy::print_stdout, reason = "the report is the output")]

use std::time::Duration;

use crate::{
    cold_start::ColdStart,
    decoders::Decoded,
    interpreter::Interpreters,
    leases::Leases,
    lists::Lists,
    open_streams::OpenStreams,
    recovery::Recovery,
    requests::Requests,
    resuming::Resuming,
    steady_streams::SteadyStreams,
    throughput::Throughput,
    upstream::{TICK, TOKENS},
};

pub(crate) fn throughput(measured: &Throughput) {
    println!("### Streamed runs of {TOKENS} tokens\n");
    println!(
        "| at once | server | runs a second | of the floor | CPU a run | CPU a token | first token, median | 99 % | errors |"
    );
    println!("| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for row in &measured.rows {
        let floor =
            measured.rows.iter().find(|other| other.server == "floor" && other.at_once == row.at_once);
        let ratio = floor.map_or(0.0, |floor| row.outcome.runs_per_second / floor.outcome.runs_per_second);
        println!(
            "| {} | {} | {:.0} | {ratio:.2} | {} | {} | {} | {} | {} |",
            row.at_once,
            row.server,
            row.outcome.runs_per_second,
            milliseconds(row.outcome.cpu_per_run),
            microseconds(row.outcome.cpu_per_run / TOKENS as u32),
            milliseconds(row.outcome.first_token(0.5)),
            milliseconds(row.outcome.first_token(0.99)),
            row.outcome.errors,
        );
    }
    println!(
        "\nCPU is that of the server's process. A run is three calls: create a thread, add a message, create the"
    );
    println!(
        "run streamed and read it to its end; the first token is timed over all three. CPU a token is that of a"
    );
    println!(
        "whole run, divided. What one token more costs, from runs of {} tokens at 16 at once:\n",
        10 * TOKENS
    );
    println!("| server | CPU for one token more |");
    println!("| --- | ---: |");
    for token in &measured.tokens {
        println!("| {} | {} |", token.server, microseconds(token.cpu));
    }
}

pub(crate) fn open_streams(measured: &[OpenStreams]) {
    println!("\n### Open streams\n");
    println!("| server | open streams | memory before | with all open | a stream | still answers | errors |");
    println!("| --- | ---: | ---: | ---: | ---: | :---: | ---: |");
    for row in measured {
        println!(
            "| {} | {} | {} | {} | {:.1} KiB | {} | {} |",
            row.server,
            row.open,
            mebibytes(row.idle_bytes),
            mebibytes(row.open_bytes),
            row.bytes_per_stream() / 1024.0,
            if row.answers { "yes" } else { "no" },
            row.errors,
        );
    }
}

pub(crate) fn steady_streams(measured: &SteadyStreams) {
    println!("\n### Steady streams\n");
    println!(
        "{} streams at once, a token each {} ms: {:.2} cores busy, {} errors.\n",
        measured.streams,
        TICK.as_millis(),
        measured.cores,
        measured.errors
    );
    println!("| seconds after all were open | memory |");
    println!("| ---: | ---: |");
    for &(seconds, bytes) in &measured.memory {
        println!("| {seconds} | {} |", mebibytes(bytes));
    }
    let (ratio, bytes) = measured.growth();
    println!("\nThe last over the first: {ratio:.3}, which is {:.1} KiB a stream.", bytes / 1024.0);
}

pub(crate) fn resuming(measured: &Resuming) {
    println!("\n### Resumed streams\n");
    println!("A run of {} tokens that is over, asked for by one client at a time:\n", 10 * TOKENS);
    println!("| what is left to read | events | time | CPU |");
    println!("| --- | ---: | ---: | ---: |");
    for row in &measured.resumed {
        println!(
            "| {} | {} | {} | {} |",
            row.what,
            row.events,
            milliseconds(row.time),
            milliseconds(row.cpu)
        );
    }
    println!(
        "\nA run of {} tokens, told as fast as it can be, from its first event to its last:\n",
        100 * TOKENS
    );
    println!("| readers | events a second, all together | time |");
    println!("| ---: | ---: | ---: |");
    for row in &measured.readers {
        println!("| {} | {:.0} | {} |", row.readers, row.events_per_second, milliseconds(row.time));
    }
}

pub(crate) fn leases(measured: &Leases) {
    println!("\n### Commits and leases\n");
    println!("| call of the store | time |");
    println!("| --- | ---: |");
    println!("| a commit, synced | {} |", milliseconds(measured.synced));
    println!("| a commit, written | {} |", milliseconds(measured.written));
    println!("| a lease renewed | {} |", milliseconds(measured.renewed));
    println!("| a thousand leases renewed | {} |", milliseconds(measured.all_renewed));
    println!(
        "\nA streamed run waits for two synced commits and a written one: {} in all.",
        milliseconds(2 * measured.synced + measured.written)
    );
}

pub(crate) fn recovery(measured: &Recovery) {
    let times = &measured.times;
    let at = |position: usize| times.get(position).copied().unwrap_or_default();
    println!("\n### Recovery\n");
    println!(
        "{} runs at work, the server killed and started again: it listens after {}, and runs tell of something new after",
        measured.runs,
        milliseconds(measured.start)
    );
    println!(
        "{} (median), {} (longest), counted from its start.",
        milliseconds(at(times.len() / 2)),
        milliseconds(at(times.len().saturating_sub(1)))
    );
}

pub(crate) fn lists(measured: &Lists) {
    println!("\n### Pages of messages\n");
    println!("One page at a time over HTTP, medians.\n");
    println!("| page | of {} messages | of {} | ratio |", measured.short, measured.long);
    println!("| --- | ---: | ---: | ---: |");
    for page in &measured.pages {
        println!(
            "| {} | {} | {} | {:.2} |",
            page.what,
            milliseconds(page.short),
            milliseconds(page.long),
            page.long.as_secs_f64() / page.short.as_secs_f64()
        );
    }
}

pub(crate) fn requests(measured: &[Requests]) {
    println!("\n### Requests\n");
    println!(
        "What is asked for needs no work: what is left is HTTP, the key, the checks, one look into the store.\n"
    );
    println!("| request | a second | CPU a request |");
    println!("| --- | ---: | ---: |");
    for row in measured {
        println!("| {} | {:.0} | {} |", row.what, row.per_second, microseconds(row.cpu));
    }
}

pub(crate) fn cold_start(measured: &ColdStart) {
    let times = &measured.times;
    let at = |position: usize| times.get(position).copied().unwrap_or_default();
    println!("\n### Cold start\n");
    println!(
        "From the start of the process, over an empty folder, until `/healthz` has answered, {} times:",
        times.len()
    );
    println!(
        "median {}, longest {}.",
        milliseconds(at(times.len() / 2)),
        milliseconds(at(times.len().saturating_sub(1)))
    );
}

pub(crate) fn disk(synced: Duration) {
    println!(
        "\nA page written and synced to this disk, which each acknowledged call waits for: {}.",
        milliseconds(synced)
    );
}

pub(crate) fn decoders(measured: &[Decoded]) {
    println!("\n### SSE decoders\n");
    println!("Nanoseconds an event, over the upstream's answer of {TOKENS} tokens.\n");
    println!("| decoder | an event a piece | pieces of 8 KiB |");
    println!("| --- | ---: | ---: |");
    for row in measured {
        println!("| {} | {:.0} | {:.0} |", row.decoder, row.one_a_piece, row.cut_anywhere);
    }
}

pub(crate) fn interpreter(measured: &Interpreters) {
    println!("\n### The code interpreter\n");
    println!(
        "Its start, with all packages imported and each layer of the wall tried: {}.\n",
        milliseconds(measured.start)
    );
    for (title, rows) in
        [("From a wish to the first result", &measured.first), ("A cell that does nothing", &measured.warm)]
    {
        println!("| {title} | median | 95 % |");
        println!("| --- | ---: | ---: |");
        for (what, times) in rows {
            let at = |part: f64| times.get((times.len() as f64 * part) as usize).copied().unwrap_or_default();
            println!("| {what} | {} | {} |", milliseconds(at(0.5)), milliseconds(at(0.95)));
        }
        println!();
    }
    println!(
        "An idle session adds {}, shared pages in parts; an ipykernel session with packages holds {}. {} idle sessions",
        mebibytes(measured.session_bytes),
        mebibytes(measured.kernel_bytes),
        measured.idle.0
    );
    println!("and the process that they were forked from hold {} together.", mebibytes(measured.idle.1));
    println!(
        "\nA cell over its time is answered for {} behind its limit, one that ignores the interruption {} behind it.",
        milliseconds(measured.interrupted),
        milliseconds(measured.killed)
    );
    println!(
        "A cell prints {} a second, of which the first is kept.",
        mebibytes(measured.printed_per_second as u64)
    );
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

fn microseconds(time: Duration) -> String {
    format!("{:.1} µs", time.as_secs_f64() * 1e6)
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}
