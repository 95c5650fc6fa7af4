//! What webhooks are told of runs.

use ropewalk_runs::Outbox;
use ropewalk_store::{Organization, Put};
use ropewalk_types::{Run, RunStatus};
use ropewalk_webhooks::Webhooks;
use serde::Serialize;
use serde_json::json;

/// The names of all events that webhooks are told of, one for each status of a run.
pub const WEBHOOK_EVENTS: [&str; 9] = [
    "thread.run.queued",
    "thread.run.in_progress",
    "thread.run.requires_action",
    "thread.run.cancelling",
    "thread.run.cancelled",
    "thread.run.failed",
    "thread.run.completed",
    "thread.run.incomplete",
    "thread.run.expired",
];

/// Has each status of a run told, from the commit that makes it true.
#[derive(Debug)]
pub(crate) struct RunWebhooks(pub(crate) Webhooks);

impl Outbox for RunWebhooks {
    fn on_status(&self, organization: &Organization, run: &Run) -> Vec<Put> {
        let Some(event) = event(&run.status) else { return Vec::new() };
        self.0.announce(organization, event, run.id.as_str(), || data(run))
    }

    fn committed(&self) {
        self.0.wake();
    }
}

fn event(status: &RunStatus) -> Option<&'static str> {
    let named = |name: &&str| name.strip_prefix("thread.run.") == Some(status.as_str());
    WEBHOOK_EVENTS.into_iter().find(named)
}

/// The run as the API shows it; if that is too large, what it takes to ask for it.
fn data(run: &Run) -> Vec<u8> {
    let whole = json_of(run);
    if whole.len() <= Webhooks::MAX_DATA_BYTES {
        return whole;
    }
    json_of(&json!({
        "id": run.id,
        "object": run.object,
        "created_at": run.created_at,
        "thread_id": run.thread_id,
        "assistant_id": run.assistant_id,
        "status": run.status,
    }))
}

fn json_of(value: &impl Serialize) -> Vec<u8> {
    // Our types have string keys and finite numbers: writing them cannot fail.
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use ropewalk_types::{AssistantId, ModelId, RunId, ThreadId, UnixSeconds};
    use serde_json::Value;

    use super::*;

    fn run() -> Run {
        let (thread, assistant) = (ThreadId::new("thread_1"), AssistantId::new("asst_1"));
        Run::new(RunId::new("run_1"), thread, assistant, ModelId::new("m"), UnixSeconds(1), UnixSeconds(9))
    }

    #[test]
    fn each_status_has_an_event_and_what_nobody_knows_has_none() {
        let told = |name: &str| event(&serde_json::from_value(name.into()).unwrap());
        for name in WEBHOOK_EVENTS {
            let status = name.strip_prefix("thread.run.").unwrap();
            assert_eq!(told(status), Some(name));
            assert!(
                !matches!(serde_json::from_value(status.into()).unwrap(), RunStatus::Unknown(_)),
                "{status}"
            );
        }
        assert_eq!(told("dreaming"), None);
    }

    #[test]
    fn a_run_travels_whole_unless_it_is_too_large() {
        let mut run = run();
        assert_eq!(data(&run), serde_json::to_vec(&run).unwrap());
        run.instructions = "x".repeat(Webhooks::MAX_DATA_BYTES);
        let thin: Value = serde_json::from_slice(&data(&run)).unwrap();
        let expected = json!({
            "id": "run_1", "object": "thread.run", "created_at": 1, "thread_id": "thread_1",
            "assistant_id": "asst_1", "status": "queued",
        });
        assert_eq!(thin, expected);
    }
}
