use std::{
    io::Write,
    time::{Duration, Instant},
};

/// Pages written, of which the median counts.
const PAGES: usize = 101;

/// How long the disk takes to keep a page for good: no durable answer can come sooner.
pub(crate) fn measure() -> anyhow::Result<Duration> {
    let mut file = tempfile::tempfile()?;
    let mut times = Vec::new();
    for _ in 0..PAGES {
        let begun = Instant::now();
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    Ok(times[PAGES / 2])
}
