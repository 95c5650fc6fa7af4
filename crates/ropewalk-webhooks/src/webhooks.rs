use std::{fmt, sync::Arc, time::Duration};

use ropewalk_store::{Clock, Organization, Put, Store};
use ropewalk_types::IdSource;
use tokio::sync::Notify;

use crate::{
    EndpointError, Endpoints, WebhookStats,
    delivery::{self, body},
    directory::Directory,
    lanes::{Lanes, PLACES},
    measures::Tallies,
    post::Post,
    wall::Wall,
};

/// Settings of webhooks.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebhookOptions {
    /// Whether deliveries may go to addresses that are not [public](crate::is_public); not unless set.
    pub allow_private: bool,
    /// How long one try may take, from the lookup of its name to the head of the answer; 15 s.
    pub timeout: Duration,
    /// Most deliveries that wait for one webhook; 10,000. What comes on top is dropped.
    pub max_waiting: u32,
}

impl Default for WebhookOptions {
    fn default() -> Self {
        Self { allow_private: false, timeout: Duration::from_secs(15), max_waiting: 10_000 }
    }
}

/// Tells webhooks of events. Cheap to clone.
///
/// [`announce`](Self::announce) gives what to store with an event; [`work`](Self::work) sends what is stored.
#[derive(Debug, Clone)]
pub struct Webhooks(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) options: WebhookOptions,
    pub(crate) endpoints: Endpoints,
    pub(crate) post: Post,
    pub(crate) lanes: Lanes,
    pub(crate) tallies: Tallies,
    /// Wakes the worker before its next look.
    pub(crate) due: Notify,
    ids: Arc<dyn IdSource>,
    directory: Directory,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Webhooks {
    /// Most bytes of an event's data.
    pub const MAX_DATA_BYTES: usize = 64 * 1024;

    /// The webhooks in `store`. It knows none before [`refresh`](Self::refresh) or [`work`](Self::work).
    pub fn new(store: Store, clock: Arc<dyn Clock>, ids: Arc<dyn IdSource>, options: WebhookOptions) -> Self {
        Self(Arc::new(Inner {
            endpoints: Endpoints::new(&store),
            post: Post::new(Wall::new(options.allow_private), options.timeout),
            lanes: Lanes::default(),
            tallies: Tallies::default(),
            due: Notify::new(),
            directory: Directory::default(),
            store,
            clock,
            ids,
            options,
        }))
    }

    /// What to store in the commit that makes an event of `organization` true, so that its webhooks are told of it.
    ///
    /// One put for each webhook that wants events of this name; nothing, at the cost of a look into an empty map, if none
    /// does. Deliveries about the same `object` are sent in their order as long as none fails. `data` gives JSON; if that is
    /// larger than [`MAX_DATA_BYTES`](Self::MAX_DATA_BYTES), nobody is told. Does not wait for anything.
    pub fn announce(
        &self,
        organization: &Organization,
        event: &str,
        object: &str,
        data: impl FnOnce() -> Vec<u8>,
    ) -> Vec<Put> {
        let wanting = self.0.directory.wanting(organization, event);
        if wanting.is_empty() {
            return Vec::new();
        }
        let data = data();
        if data.len() > Self::MAX_DATA_BYTES {
            tracing::error!(event, object, bytes = data.len(), "event too large for webhooks");
            return Vec::new();
        }
        let now_ms = self.0.clock.now_ms();
        let (id, body) = (format!("msg_{}", self.0.ids.body()), body(event, now_ms, &data));
        let put = |endpoint: String| delivery::put(&id, &endpoint, now_ms, body.clone(), object);
        wanting.into_iter().map(put).collect()
    }

    /// Has the worker look at once: what [`announce`](Self::announce) gave was stored.
    pub fn wake(&self) {
        if !self.0.directory.is_empty() {
            self.0.due.notify_one();
        }
    }

    /// Learns of webhooks that were made, changed or deleted. The worker does it every second; do it once before the first
    /// event.
    ///
    /// # Errors
    ///
    /// [`EndpointError::Store`].
    pub async fn refresh(&self) -> Result<(), EndpointError> {
        self.0.directory.refresh(&self.0.endpoints).await
    }

    /// What has become of deliveries since the process began.
    #[must_use]
    pub fn stats(&self) -> WebhookStats {
        self.0.tallies.stats(PLACES - self.0.lanes.room())
    }

    /// This much later than now, in Unix milliseconds.
    pub(crate) fn later(&self, time: Duration) -> i64 {
        self.0.clock.now_ms().saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
    }
}
