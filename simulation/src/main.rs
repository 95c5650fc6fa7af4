//! `ropewalk-simulate`: lives through many worlds, and says of the first that breaks a rule how to see it again.
#![expect(clippy::print_stdout, reason = "it is a program")]

use std::{
    collections::BTreeMap,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

use clap::Parser;
use ropewalk_simulation::{Outcome, simulate};

/// Lives through many worlds.
#[derive(Debug, Parser)]
#[command(name = "ropewalk-simulate")]
struct Cli {
    /// How many worlds.
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// The seed of the first.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// One world only, with all that happens in it.
    #[arg(long)]
    seed: Option<u64>,
    /// Lives through all of them, and tells how many broke which rule.
    #[arg(long)]
    keep_going: bool,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Some(seed) = cli.seed {
        return verdict(&simulate(seed, true));
    }
    let begun = Instant::now();
    let broken = live_through(&cli);
    let seconds = begun.elapsed().as_secs_f64();
    if cli.keep_going {
        tally(&broken);
    }
    match broken.first() {
        Some(first) => {
            println!("{} of the worlds looked at break a rule; the first:", broken.len());
            verdict(&simulate(first.seed, true))
        }
        None => {
            println!("{} worlds, {:.0} a second: no rule is broken", cli.seeds, cli.seeds as f64 / seconds);
            ExitCode::SUCCESS
        }
    }
}

/// Lives through the worlds on all cores; gives those that broke a rule, in the order of their seeds.
fn live_through(cli: &Cli) -> Vec<Outcome> {
    let (next, stop, broken) = (AtomicU64::new(0), AtomicBool::new(false), Mutex::new(Vec::new()));
    let work = || {
        while !stop.load(Ordering::Relaxed) {
            let count = next.fetch_add(1, Ordering::Relaxed);
            if count >= cli.seeds {
                return;
            }
            let outcome = simulate(cli.from.wrapping_add(count), false);
            if outcome.broken.is_some() {
                stop.store(!cli.keep_going, Ordering::Relaxed);
                broken.lock().unwrap_or_else(PoisonError::into_inner).push(outcome);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let mut broken = broken.into_inner().unwrap_or_else(PoisonError::into_inner);
    broken.sort_by_key(|outcome| outcome.seed);
    broken
}

/// Counts broken rules, whatever ids and numbers they name.
fn tally(broken: &[Outcome]) {
    let mut rules: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for outcome in broken {
        let rule = outcome.broken.as_deref().unwrap_or_default();
        let rule: String = rule.chars().filter(|character| !character.is_ascii_digit()).take(60).collect();
        rules.entry(rule).or_insert((0, outcome.seed)).0 += 1;
    }
    for (rule, (times, seed)) in rules {
        println!("{times:>6} x  {rule}…  (seed {seed})");
    }
}

fn verdict(outcome: &Outcome) -> ExitCode {
    for line in &outcome.trace {
        println!("{line}");
    }
    match &outcome.broken {
        Some(rule) => {
            println!("\nseed {} breaks a rule: {rule}", outcome.seed);
            println!("see it again: cargo xtask simulate --seed {}", outcome.seed);
            ExitCode::FAILURE
        }
        None => {
            println!("\nseed {} breaks no rule", outcome.seed);
            ExitCode::SUCCESS
        }
    }
}
