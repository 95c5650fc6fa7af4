use std::time::Duration;

use opentelemetry::{Array, Value};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::{Resource, error::OTelSdkResult, trace::SpanData};

/// What the convention wants as a list. A span of tracing holds no lists.
const LIST: &str = "gen_ai.response.finish_reasons";

/// Gives spans their last form, and says in the log what is lost.
#[derive(Debug)]
pub(super) struct Exporter(pub(super) SpanExporter);

impl opentelemetry_sdk::trace::SpanExporter for Exporter {
    async fn export(&self, mut spans: Vec<SpanData>) -> OTelSdkResult {
        let attributes = spans.iter_mut().flat_map(|span| &mut span.attributes);
        for attribute in attributes.filter(|attribute| attribute.key.as_str() == LIST) {
            if let Value::String(reason) = &attribute.value {
                attribute.value = Value::Array(Array::String(vec![reason.clone()]));
            }
        }
        let lost = spans.len();
        self.0.export(spans).await.inspect_err(|error| {
            tracing::warn!(spans = lost, error = error as &dyn std::error::Error, "traces are lost");
        })
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}
