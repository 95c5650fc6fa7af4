//! What the program tells of what it does: its log, and traces.

mod json;
#[cfg(feature = "otel")]
mod traces;

use std::io::{IsTerminal, stderr};

use anyhow::Context;
use clap::{Args, ValueEnum, builder::BoolishValueParser};
use tokio::runtime::Handle;
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterExt, LevelFilter, filter_fn},
    fmt,
    layer::SubscriberExt,
    registry,
    util::SubscriberInitExt,
};

use json::Json;
#[cfg(feature = "otel")]
pub(crate) use traces::traceparent;

/// The target of events that repeat what people and models said.
const CONTENT: &str = "ropewalk_runs::content";
/// The target of spans that are made to be traced, not to be read in a log.
const TRACED: &str = "gen_ai";

/// Flags of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Logs and traces")]
pub(crate) struct Telemetry {
    /// What to log: a level, or a filter such as `info,ropewalk_runs=debug`.
    #[arg(long, env = "ROPEWALK_LOG", default_value = "info", global = true)]
    log: String,
    /// The form of the log: `text` for people, `json` for programs, one object a line.
    #[arg(long, env = "ROPEWALK_LOG_FORMAT", default_value = "text", global = true)]
    log_format: LogFormat,
    /// Logs what models are asked and what they answer, word for word. Without it no message is ever logged.
    #[arg(long, env = "ROPEWALK_LOG_CONTENT", value_parser = BoolishValueParser::new(), global = true)]
    log_content: bool,
    /// Where to send traces: the base URL of an OTLP/HTTP collector, `http://127.0.0.1:4318`. [default: nowhere]
    #[cfg(feature = "otel")]
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", global = true)]
    otlp_endpoint: Option<String>,
}

/// The form of a log.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

/// Sends what is left of the traces when it is [stopped](Self::stop).
#[must_use]
pub(crate) struct Telling {
    #[cfg(feature = "otel")]
    traces: Option<traces::Traces>,
}

impl Telemetry {
    /// Begins to log and trace, for the whole process. Traces are sent on `runtime`.
    pub(crate) fn start(self, runtime: &Handle) -> anyhow::Result<Telling> {
        let mut filter = EnvFilter::try_new(&self.log).context("--log is no level and no filter")?;
        if self.log_content {
            filter = filter.add_directive(format!("{CONTENT}=trace").parse()?);
        }
        let content = self.log_content;
        let readable = filter_fn(move |metadata| {
            metadata.target() != TRACED && (content || metadata.target() != CONTENT)
        });
        // A filter that gave no hint would have every `debug!` of the process looked at.
        let readable = readable.with_max_level_hint(LevelFilter::TRACE);
        let log = match self.log_format {
            LogFormat::Text => fmt::layer().with_writer(stderr).with_ansi(stderr().is_terminal()).boxed(),
            LogFormat::Json => {
                fmt::layer().with_writer(stderr).fmt_fields(json::Fields).event_format(Json).boxed()
            }
        };
        let log = registry().with(log.with_filter(filter.and(readable)));
        #[cfg(feature = "otel")]
        {
            let traces = traces::Traces::start(self.otlp_endpoint, runtime)?;
            log.with(traces.as_ref().map(traces::Traces::layer)).init();
            Ok(Telling { traces })
        }
        #[cfg(not(feature = "otel"))]
        {
            let _nothing_to_send = runtime;
            log.init();
            Ok(Telling {})
        }
    }
}

impl Telling {
    /// Sends what is left, for a few seconds at most. Call it outside of the runtime, which must still run.
    pub(crate) fn stop(self) {
        #[cfg(feature = "otel")]
        if let Some(traces) = self.traces {
            traces.stop();
        }
    }
}
