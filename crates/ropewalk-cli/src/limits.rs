use std::time::Duration;

use anyhow::ensure;
use clap::Args;
use ropewalk_server::RuntimeOptions;
use serde::Deserialize;

/// What clients may use: flags of `serve`, and the table `[limits]` of the settings file.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[command(next_help_heading = "Limits")]
pub(crate) struct Limits {
    /// Most requests a minute of an organisation, unless its key says otherwise. [default: no limit]
    #[arg(long, env = "ROPEWALK_REQUESTS_PER_MINUTE")]
    requests_per_minute: Option<u64>,
    /// Most tokens a minute of an organisation, prompts and answers, unless its key says otherwise. [default: no limit]
    #[arg(long, env = "ROPEWALK_TOKENS_PER_MINUTE")]
    tokens_per_minute: Option<u64>,
    /// Most runs that work at once; others wait, and organisations take turns. [default: 4096]
    #[arg(long, env = "ROPEWALK_MAX_ACTIVE_RUNS")]
    max_active_runs: Option<usize>,
    /// Most runs that wait to work; one organisation may have half of them. [default: 16384]
    #[arg(long, env = "ROPEWALK_MAX_QUEUED_RUNS")]
    max_queued_runs: Option<usize>,
    /// Most open event streams. [default: 4096]
    #[arg(long, env = "ROPEWALK_MAX_STREAMS")]
    max_streams: Option<usize>,
    /// Most open event streams of one organisation. [default: 2048]
    #[arg(long, env = "ROPEWALK_MAX_STREAMS_PER_ORGANIZATION")]
    max_streams_per_organization: Option<usize>,
    /// Most open connections. [default: 8192]
    #[arg(long, env = "ROPEWALK_MAX_CONNECTIONS")]
    max_connections: Option<usize>,
    /// Most bytes of a JSON body. [default: 33554432]
    #[arg(long, env = "ROPEWALK_MAX_BODY_BYTES")]
    max_body_bytes: Option<usize>,
    /// Most bytes of all files of an organisation. [default: no limit]
    #[arg(long, env = "ROPEWALK_STORAGE_QUOTA_BYTES")]
    storage_quota_bytes: Option<u64>,
    /// Most bytes of a request's headers. [default: 65536]
    #[arg(long, env = "ROPEWALK_MAX_HEADER_BYTES")]
    max_header_bytes: Option<usize>,
    /// Most headers of a request. [default: 64]
    #[arg(long, env = "ROPEWALK_MAX_HEADERS")]
    max_headers: Option<usize>,
    /// Most bytes of a request's path and query. [default: 8192]
    #[arg(long, env = "ROPEWALK_MAX_URI_BYTES")]
    max_uri_bytes: Option<usize>,
    /// Seconds that a connection may take to send the headers of its next request. [default: 75]
    #[arg(long, env = "ROPEWALK_HEADER_TIMEOUT")]
    header_timeout: Option<u64>,
    /// Seconds that the body of a request may stop coming. [default: 60]
    #[arg(long, env = "ROPEWALK_BODY_TIMEOUT")]
    body_timeout: Option<u64>,
    /// Seconds that an event stream may be silent before a comment in it keeps it open. [default: 15]
    #[arg(long, env = "ROPEWALK_STREAM_KEEP_ALIVE")]
    stream_keep_alive: Option<u64>,
}

impl Limits {
    /// What is set here, and in `file` where it is not.
    pub(crate) fn apply(self, file: Self, options: &mut RuntimeOptions) -> anyhow::Result<()> {
        options.rate_limits.requests_per_minute = self.requests_per_minute.or(file.requests_per_minute);
        options.rate_limits.tokens_per_minute = self.tokens_per_minute.or(file.tokens_per_minute);
        if let Some(bytes) = self.storage_quota_bytes.or(file.storage_quota_bytes) {
            set(Some(bytes), options.library.max_total_bytes.get_or_insert_default(), "storage-quota-bytes")?;
        }
        let bounds = &mut options.bounds;
        let engine = &mut options.engine;
        for (given, bound, flag) in [
            (self.max_active_runs.or(file.max_active_runs), &mut engine.active_runs, "max-active-runs"),
            (self.max_queued_runs.or(file.max_queued_runs), &mut engine.queued_runs, "max-queued-runs"),
            (self.max_streams.or(file.max_streams), &mut bounds.streams, "max-streams"),
            (
                self.max_streams_per_organization.or(file.max_streams_per_organization),
                &mut bounds.streams_per_organization,
                "max-streams-per-organization",
            ),
            (self.max_connections.or(file.max_connections), &mut bounds.connections, "max-connections"),
            (self.max_body_bytes.or(file.max_body_bytes), &mut options.max_body_bytes, "max-body-bytes"),
            (self.max_header_bytes.or(file.max_header_bytes), &mut bounds.header_bytes, "max-header-bytes"),
            (self.max_headers.or(file.max_headers), &mut bounds.headers, "max-headers"),
            (self.max_uri_bytes.or(file.max_uri_bytes), &mut bounds.uri_bytes, "max-uri-bytes"),
        ] {
            set(given, bound, flag)?;
        }
        for (given, bound, flag) in [
            (self.header_timeout.or(file.header_timeout), &mut bounds.header_timeout, "header-timeout"),
            (self.body_timeout.or(file.body_timeout), &mut bounds.body_timeout, "body-timeout"),
            (self.stream_keep_alive.or(file.stream_keep_alive), &mut options.keep_alive, "stream-keep-alive"),
        ] {
            set(given.map(Duration::from_secs), bound, flag)?;
        }
        Ok(())
    }
}

/// A limit of nothing would shut everybody out.
fn set<T: Default + PartialEq>(given: Option<T>, bound: &mut T, flag: &str) -> anyhow::Result<()> {
    let Some(given) = given else { return Ok(()) };
    ensure!(given != T::default(), "--{flag} is at least 1");
    *bound = given;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storage_quota_is_set_by_flag_or_file_and_the_flag_comes_first() {
        let quota = |bytes| Limits { storage_quota_bytes: bytes, ..Limits::default() };
        for (flag, file, expected) in
            [(None, None, None), (None, Some(7), Some(7)), (Some(5), Some(7), Some(5))]
        {
            let mut options = RuntimeOptions::default();
            quota(flag).apply(quota(file), &mut options).unwrap();
            assert_eq!(options.library.max_total_bytes, expected);
        }
    }
}
