//! Traces for a collector of OpenTelemetry: the `gen_ai` spans of runs, sent by OTLP over HTTP.
//!
//! Nothing here holds a run up. Spans wait in a queue of 2,048; what finds no room in it is dropped. A thread of its own
//! sends them, 512 at a time or every five seconds, and what the collector does not take in time is lost.

mod client;
mod exporter;

use std::{env, time::Duration};

use anyhow::{Context as _, ensure};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use opentelemetry::{
    Context, Key, SpanId, TraceFlags, TraceId,
    trace::{SpanBuilder, SpanContext, TraceContextExt, TraceState, Tracer, TracerProvider},
};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{SdkTracer, SdkTracerProvider, Span},
};
use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, filter_fn},
    registry::LookupSpan,
};

use super::TRACED;
use client::Client;
use exporter::Exporter;

const TRACEPARENT: &str = "traceparent";
/// How long the last spans may take to be sent.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Sends traces until it is stopped.
#[derive(Debug)]
pub(crate) struct Traces(SdkTracerProvider);

impl Traces {
    /// Sends traces to the collector at `endpoint`, or where the variables of OpenTelemetry say; nowhere if neither does.
    pub(crate) fn start(endpoint: Option<String>, runtime: &Handle) -> anyhow::Result<Option<Self>> {
        let endpoint = endpoint.filter(|url| !url.is_empty());
        let named = env::var_os("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").is_some_and(|url| !url.is_empty());
        let mut builder = SpanExporter::builder()
            .with_http()
            .with_http_client(Client::new(runtime.clone()))
            .with_protocol(Protocol::HttpBinary);
        match endpoint {
            _ if named => {}
            Some(base) => builder = builder.with_endpoint(traces_of(&base)?),
            None => return Ok(None),
        }
        let exporter = Exporter(builder.build().context("traces cannot be sent")?);
        let resource = Resource::builder().build();
        let unnamed = |name: &opentelemetry::Value| name.as_str().starts_with("unknown_service");
        let resource = match resource.get(&Key::new("service.name")) {
            Some(name) if !unnamed(&name) => resource,
            _ => Resource::builder().with_service_name("ropewalk").build(),
        };
        let provider = SdkTracerProvider::builder().with_resource(resource).with_batch_exporter(exporter);
        Ok(Some(Self(provider.build())))
    }

    /// Makes traces of the spans that are meant for it.
    pub(crate) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let traced = filter_fn(|metadata| metadata.is_span() && metadata.target() == TRACED);
        // Without what costs something each time that a run is polled.
        tracing_opentelemetry::layer()
            .with_tracer(Continuing(self.0.tracer("ropewalk")))
            .with_context_activation(false)
            .with_tracked_inactivity(false)
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_level(false)
            .with_filter(traced.with_max_level_hint(LevelFilter::INFO))
    }

    /// Sends what is left.
    pub(crate) fn stop(self) {
        if let Err(error) = self.0.shutdown_with_timeout(LAST_WORDS) {
            tracing::warn!(error = &error as &dyn std::error::Error, "the last traces were not sent");
        }
    }
}

/// Where the collector at `base` takes traces.
fn traces_of(base: &str) -> anyhow::Result<String> {
    // Not shown: it may hold a password.
    let uri: Uri = base.parse().context("--otlp-endpoint is no URL")?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    ensure!(is_http && uri.query().is_none(), "--otlp-endpoint is no base URL such as http://127.0.0.1:4318");
    Ok(format!("{}/v1/traces", base.trim_end_matches('/')))
}

/// Says in the headers of a request which span it is made in.
pub(crate) fn traceparent(headers: &mut HeaderMap) {
    let context = tracing::Span::current().context();
    let (span, flags) = (context.span().span_context().clone(), context.span().span_context().trace_flags());
    let value = format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), flags.to_u8());
    if span.is_valid()
        && let Ok(value) = HeaderValue::try_from(value)
    {
        headers.insert(HeaderName::from_static(TRACEPARENT), value);
    }
}

/// Makes a span that names a parent elsewhere part of that trace: tracing itself has no words for it.
#[derive(Debug)]
struct Continuing(SdkTracer);

impl Tracer for Continuing {
    type Span = Span;

    fn build_with_context(&self, mut builder: SpanBuilder, parent: &Context) -> Span {
        let attributes = builder.attributes.get_or_insert_default();
        let place = attributes.iter().position(|attribute| attribute.key.as_str() == TRACEPARENT);
        let header = place.map(|place| attributes.swap_remove(place).value);
        match header.and_then(|header| remote(&header.as_str())) {
            Some(remote) => self.0.build_with_context(builder, &parent.with_remote_span_context(remote)),
            None => self.0.build_with_context(builder, parent),
        }
    }
}

/// The span that a header `traceparent` means, which was checked when it came.
fn remote(header: &str) -> Option<SpanContext> {
    let mut parts = header.split('-').skip(1);
    let trace = TraceId::from_hex(parts.next()?).ok()?;
    let span = SpanId::from_hex(parts.next()?).ok()?;
    let flags = TraceFlags::new(u8::from_str_radix(parts.next()?, 16).ok()?);
    Some(SpanContext::new(trace, span, flags, true, TraceState::default()))
}
