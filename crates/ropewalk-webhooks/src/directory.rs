use std::{collections::HashMap, sync::Arc};

use parking_lot::{Mutex, RwLock};
use ropewalk_store::Organization;

use crate::{Endpoint, EndpointError, Endpoints};

type ByOrganization = HashMap<Organization, Vec<Endpoint>>;

/// The webhooks as they were when somebody looked last, for those who cannot wait for the store.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    known: RwLock<Arc<ByOrganization>>,
    /// Of what is known; `None` before the first look.
    revision: Mutex<Option<i64>>,
}

impl Directory {
    /// Reads them again if any was changed.
    pub(crate) async fn refresh(&self, endpoints: &Endpoints) -> Result<(), EndpointError> {
        // Read before the list: a change that comes in between is read once more, not overlooked.
        let revision = endpoints.revision().await?;
        if *self.revision.lock() == Some(revision) {
            return Ok(());
        }
        let mut known = ByOrganization::new();
        for endpoint in endpoints.list().await? {
            known.entry(Organization::new(endpoint.organization.as_str())).or_default().push(endpoint);
        }
        *self.known.write() = Arc::new(known);
        *self.revision.lock() = Some(revision);
        Ok(())
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.known.read().is_empty()
    }

    /// The ids of those of this organisation that want this event.
    pub(crate) fn wanting(&self, organization: &Organization, event: &str) -> Vec<String> {
        let known = self.known.read();
        // With no webhook this allocates nothing.
        let of_organization = known.get(organization).into_iter().flatten();
        of_organization.filter(|endpoint| endpoint.wants(event)).map(|endpoint| endpoint.id.clone()).collect()
    }
}
