use std::{sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use clap::Args;
use ropewalk_model::{ChatCompletions, Model, ScriptedModel};
use ropewalk_transport::{BreakerPolicy, RetryPolicy, Secret};

use crate::settings::FileSettings;

/// How the upstream is called: flags of `serve`, and keys of the settings file.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Upstream")]
pub(crate) struct UpstreamCalls {
    /// Seconds until the upstream must have begun its answer, all tries together. [default: 300]
    #[arg(long, env = "ROPEWALK_UPSTREAM_TIMEOUT")]
    upstream_timeout: Option<u64>,
    /// Seconds that an answer of the upstream may stop coming. [default: 120]
    #[arg(long, env = "ROPEWALK_UPSTREAM_IDLE_TIMEOUT")]
    upstream_idle_timeout: Option<u64>,
    /// Tries beyond the first, before an answer has begun. [default: 2]
    #[arg(long, env = "ROPEWALK_UPSTREAM_RETRIES")]
    upstream_retries: Option<u32>,
    /// Failures in a row after which the upstream is left alone for a while; 0 never does that. [default: 5]
    #[arg(long, env = "ROPEWALK_UPSTREAM_FAILURES")]
    upstream_failures: Option<u32>,
}

impl UpstreamCalls {
    /// What is set here, and in `file` where it is not.
    pub(crate) fn or(self, file: &FileSettings) -> Self {
        Self {
            upstream_timeout: self.upstream_timeout.or(file.upstream_timeout),
            upstream_idle_timeout: self.upstream_idle_timeout.or(file.upstream_idle_timeout),
            upstream_retries: self.upstream_retries.or(file.upstream_retries),
            upstream_failures: self.upstream_failures.or(file.upstream_failures),
        }
    }

    /// The model behind the server: the upstream at `url`, or a script that says it is one.
    pub(crate) fn model(self, url: Option<&str>, key: Option<Secret>) -> anyhow::Result<Arc<dyn Model>> {
        let Some(url) = url else {
            tracing::warn!(
                "no --upstream: answers come from a scripted model, which is a script and not a language model"
            );
            return Ok(Arc::new(ScriptedModel::new()));
        };
        let mut builder = ChatCompletions::builder(url);
        #[cfg(feature = "otel")]
        {
            builder = builder.headers(crate::telemetry::traceparent);
        }
        if let Some(key) = key {
            builder = builder.key(key);
        }
        if let Some(seconds) = self.upstream_timeout {
            ensure!(seconds > 0, "--upstream-timeout is at least 1");
            builder = builder.first_byte_timeout(Duration::from_secs(seconds));
        }
        if let Some(seconds) = self.upstream_idle_timeout {
            ensure!(seconds > 0, "--upstream-idle-timeout is at least 1");
            builder = builder.idle_timeout(Duration::from_secs(seconds));
        }
        if let Some(retries) = self.upstream_retries {
            builder = builder.retry(RetryPolicy::default().max_retries(retries));
        }
        if let Some(failures) = self.upstream_failures {
            builder = builder.breaker((failures > 0).then(|| BreakerPolicy::default().failures(failures)));
        }
        // Not shown: it may hold a password, which is what is wrong with it then.
        let model = builder.build().context("--upstream is no base URL of a Chat Completions server")?;
        Ok(Arc::new(model))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_comes_before_the_file_and_no_time_at_all_is_refused() {
        let file = FileSettings {
            upstream_timeout: Some(0),
            upstream_failures: Some(0),
            upstream_retries: Some(1),
            ..FileSettings::default()
        };
        let flags =
            UpstreamCalls { upstream_timeout: Some(9), upstream_retries: Some(0), ..Default::default() };
        let calls = flags.or(&file);
        let merged = (calls.upstream_timeout, calls.upstream_retries, calls.upstream_failures);
        assert_eq!(merged, (Some(9), Some(0), Some(0)));
        let url = Some("http://127.0.0.1:1/v1");
        assert!(calls.model(url, None).is_ok());
        let refused = UpstreamCalls::default().or(&file).model(url, None).unwrap_err();
        assert_eq!(refused.to_string(), "--upstream-timeout is at least 1");
        let idle = UpstreamCalls { upstream_idle_timeout: Some(0), ..Default::default() };
        assert!(idle.model(url, None).is_err());
    }
}
