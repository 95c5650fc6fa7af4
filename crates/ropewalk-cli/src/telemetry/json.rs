//! The log as JSON: one object a line. Unlike the form that tracing has for it, this one tells the causes of errors.

use std::{error::Error, fmt};

use serde_json::{Map, Value};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span::Record,
};
use tracing_subscriber::{
    field::RecordFields,
    fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields, format::Writer},
    registry::LookupSpan,
};

/// `{"time","level","target","message",…,"spans":[{"name",…}]}`: the fields of the event stand beside its message; an
/// error's causes are a list under its name and `.causes`. Spans come from the outside in.
#[derive(Debug)]
pub(super) struct Json;

impl<S> FormatEvent<S, Fields> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, Fields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let (metadata, mut line) = (event.metadata(), Line::default());
        event.record(&mut line);
        let mut object = Map::new();
        object.insert("time".to_owned(), format!("{:.6}", jiff::Timestamp::now()).into());
        object.insert("level".to_owned(), metadata.level().as_str().into());
        object.insert("target".to_owned(), metadata.target().into());
        object.extend(
            line.0.into_iter().filter(|(name, _)| !["time", "level", "target", "spans"].contains(&&**name)),
        );
        let spans = context.event_scope().into_iter().flat_map(|scope| scope.from_root());
        let spans = spans.map(|span| {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<Fields>>().map(|fields| fields.fields.as_str());
            let mut object = Map::from_iter([("name".to_owned(), span.name().into())]);
            object.extend(serde_json::from_str::<Map<_, _>>(fields.unwrap_or_default()).unwrap_or_default());
            Value::Object(object)
        });
        object.insert("spans".to_owned(), spans.collect());
        writeln!(writer, "{}", Value::Object(object))
    }
}

/// Keeps the fields of spans as JSON.
#[derive(Debug, Default)]
pub(super) struct Fields;

impl<'a> FormatFields<'a> for Fields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'a>, fields: R) -> fmt::Result {
        let mut line = Line::default();
        fields.record(&mut line);
        write!(writer, "{}", Value::Object(line.0))
    }

    fn add_fields(&self, current: &'a mut FormattedFields<Self>, fields: &Record<'_>) -> fmt::Result {
        let mut line = Line(serde_json::from_str(&current.fields).unwrap_or_default());
        fields.record(&mut line);
        current.fields = Value::Object(line.0).to_string();
        Ok(())
    }
}

/// Fields as JSON.
#[derive(Default)]
struct Line(Map<String, Value>);

impl Line {
    fn add(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Line {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.add(field, value.to_string());
        let causes: Vec<String> = std::iter::successors(value.source(), |error| (*error).source())
            .map(ToString::to_string)
            .collect();
        if !causes.is_empty() {
            self.0.insert(format!("{}.causes", field.name()), causes.into());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}"));
    }
}
