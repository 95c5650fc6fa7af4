//! How a delivery lies in the store: below its webhook by name, in the organisation whose event it tells of.

use bytes::Bytes;
use jiff::Timestamp;
use ropewalk_store::{Claim, Expect, Kind, Put};
use serde::{Deserialize, Serialize};

/// What is kept with a delivery and never sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DeliveryState {
    /// What the event is about: what is told of one object is told in order.
    pub(crate) object: String,
    /// Tries that failed.
    pub(crate) failed: u32,
    /// Whether it is counted among those that wait.
    pub(crate) waits: bool,
}

/// The counter of the deliveries that wait for a webhook.
pub(crate) fn waiting(endpoint: &str) -> String {
    format!("webhooks/waiting/{endpoint}")
}

/// What is sent: `data` is JSON already.
pub(crate) fn body(event: &str, now_ms: i64, data: &[u8]) -> Bytes {
    // A clock that is off by ten thousand years still tells the rest.
    let timestamp = Timestamp::from_millisecond(now_ms).unwrap_or_default();
    let event = serde_json::Value::from(event);
    let head = format!(r#"{{"type":{event},"timestamp":"{timestamp}","data":"#);
    Bytes::from([head.as_bytes(), data, b"}"].concat())
}

/// A new delivery of the message `id` to `endpoint`, due at once.
pub(crate) fn put(id: &str, endpoint: &str, now_ms: i64, body: Bytes, object: &str) -> Put {
    let state = DeliveryState { object: object.to_owned(), ..DeliveryState::default() };
    Put::new(Kind::WebhookDelivery, format!("{id}/{endpoint}"), now_ms.div_euclid(1000), body)
        .parent(endpoint)
        .state(json(&state))
        .due_at(now_ms)
}

/// A delivery that this worker claimed.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) claim: Claim,
    pub(crate) state: DeliveryState,
}

impl Delivery {
    /// The value of `webhook-id`: one message has one, however often and wherever it is sent.
    pub(crate) fn message(&self) -> &str {
        self.claim.document.id.split('/').next().unwrap_or_default()
    }

    /// The webhook that it goes to.
    pub(crate) fn endpoint(&self) -> &str {
        self.claim.document.parent.as_deref().unwrap_or_default()
    }

    /// It, in this state, to be tried at `due_at`.
    pub(crate) fn put(&self, state: &DeliveryState, due_at: i64) -> Put {
        let document = &self.claim.document;
        Put::new(document.kind, &document.id, document.created_at, document.body.clone())
            .parent(self.endpoint())
            .state(json(state))
            .due_at(due_at)
            .expect(Expect::Version(document.version))
    }
}

fn json(state: &DeliveryState) -> Vec<u8> {
    // It has string keys and whole numbers: writing it cannot fail.
    serde_json::to_vec(state).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_the_three_members_of_the_standard() {
        let body = body("thread.run.completed", 1_700_000_000_123, br#"{"id":"run_1"}"#);
        let expected =
            r#"{"type":"thread.run.completed","timestamp":"2023-11-14T22:13:20.123Z","data":{"id":"run_1"}}"#;
        assert_eq!(body, expected);
    }
}
