//! What is stored with each change of a status, as webhooks have it.

use std::sync::Arc;

use ropewalk_runs::Outbox;
use ropewalk_store::{Kind, Organization, Put};
use ropewalk_types::{IdSource, Run};

use crate::world::World;

/// Stores the status beside the run: a notice below it.
#[derive(Debug)]
pub(crate) struct Notices(pub(crate) Arc<World>);

impl Outbox for Notices {
    fn on_status(&self, _: &Organization, run: &Run) -> Vec<Put> {
        let id = format!("notice_{}", self.0.ids().body());
        let status = run.status.to_string();
        vec![Put::new(Kind::WebhookDelivery, id, run.created_at.0, status).parent(run.id.as_str())]
    }

    fn committed(&self) {}
}
