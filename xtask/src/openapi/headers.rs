//! The headers that operations read, as parameters of the document.

use ropewalk_types::EndpointInfo;
use serde_json::{Map, Value, json};

/// A header that some operations read.
struct Header {
    /// What the document calls it.
    component: &'static str,
    name: &'static str,
    doc: &'static str,
    schema: fn() -> Value,
    /// Whether an operation reads it.
    read_by: fn(&EndpointInfo) -> bool,
}

const HEADERS: &[Header] = &[
    Header {
        component: "LastEventId",
        name: "Last-Event-ID",
        doc: "Only events behind the one with this `id`; wins over `starting_after`, because an `EventSource` that \
              connects again asks the same URL.",
        schema: || json!({ "type": "integer", "minimum": 0, "maximum": 9_007_199_254_740_991_u64 }),
        read_by: |info| info.events,
    },
    Header {
        component: "Busy",
        name: "x-ropewalk-busy",
        doc: "What happens if the thread has a run that is not over: this is refused, waits behind it, or has it \
              cancelled. Without it the server's own policy holds.",
        schema: || json!({ "type": "string", "enum": ["reject", "queue", "interrupt"] }),
        read_by: |info| ["createRun", "createMessage"].contains(&info.operation_id),
    },
    Header {
        component: "Prefer",
        name: "Prefer",
        doc: "`wait=30`: the reply comes when the run's status changes or after so many seconds, at most 60. What \
              else stands here is ignored.",
        schema: || json!({ "type": "string" }),
        read_by: |info| info.operation_id == "getRun",
    },
];

/// All of them, for the document's components.
pub(super) fn components() -> Map<String, Value> {
    let parameters = HEADERS.iter().map(|header| {
        let Header { component, name, doc, schema, .. } = header;
        let parameter = json!({
            "name": name, "in": "header", "required": false, "description": doc, "schema": schema(),
        });
        ((*component).to_owned(), parameter)
    });
    parameters.collect()
}

/// References to those that an operation reads.
pub(super) fn of(info: &EndpointInfo) -> impl Iterator<Item = Value> {
    let read = HEADERS.iter().filter(|header| (header.read_by)(info));
    read.map(|header| json!({ "$ref": format!("#/components/parameters/{}", header.component) }))
}
