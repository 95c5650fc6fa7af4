//! What the process takes of its machine, under the names that Prometheus' own clients give it. Linux tells it in files;
//! elsewhere it is not known and not said.

use std::{
    fs,
    sync::OnceLock,
    time::{SystemTime, UNIX_EPOCH},
};

use metrics::{Unit, describe_gauge, gauge};

const BUILD: &str = "ropewalk_build_info";
const MEMORY: &str = "process_resident_memory_bytes";
const FILES: &str = "process_open_fds";
const STARTED: &str = "process_start_time_seconds";

pub(super) fn describe() {
    describe_gauge!(BUILD, "Always 1; its label says which version runs.");
    describe_gauge!(MEMORY, Unit::Bytes, "Memory that the process holds.");
    describe_gauge!(FILES, Unit::Count, "Files and sockets that the process has open.");
    describe_gauge!(STARTED, Unit::Seconds, "When the process began to measure itself, in Unix time.");
    gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1);
    started();
}

/// Looks at the process as it is now.
pub(super) fn measure() {
    gauge!(STARTED).set(started());
    if let Some(bytes) = fs::read_to_string("/proc/self/status").ok().as_deref().and_then(resident) {
        gauge!(MEMORY).set(bytes as f64);
    }
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        gauge!(FILES).set(files.count() as f64);
    }
}

fn started() -> f64 {
    static STARTED: OnceLock<f64> = OnceLock::new();
    *STARTED.get_or_init(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64())
}

/// The bytes that a `status` file of Linux says are resident.
fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_in_bytes() {
        assert_eq!(resident("Name:\tropewalk\nVmRSS:\t   12 kB\n"), Some(12288));
        assert_eq!(resident("VmRSS:\tmuch\n"), None);
    }
}
