use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use ropewalk_store::{Batch, Clock, Kind, ListRequest, Organization, Put, Store, TimeOrderedIds};
use ropewalk_types::UnixSeconds;
use ropewalk_webhooks::{CreatedEndpoint, Endpoints, NewEndpoint, WebhookOptions, Webhooks};
use serde_json::json;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

/// A clock that stands until it is moved.
#[derive(Debug)]
pub(crate) struct Hands(AtomicI64);

impl Clock for Hands {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Webhooks over a store, with a worker that can die.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) webhooks: Webhooks,
    pub(crate) endpoints: Endpoints,
    clock: Arc<Hands>,
    options: WebhookOptions,
    worker: Option<AbortOnDropHandle<()>>,
}

/// For receivers on this machine.
pub(crate) fn private() -> WebhookOptions {
    let mut options = WebhookOptions::default();
    options.allow_private = true;
    options
}

impl World {
    pub(crate) fn new() -> Self {
        Self::over(Store::in_memory(), private())
    }

    pub(crate) fn over(store: Store, options: WebhookOptions) -> Self {
        let clock = Arc::new(Hands(AtomicI64::new(1_700_000_000_000)));
        let webhooks = Self::webhooks(&store, &clock, &options);
        Self { endpoints: Endpoints::new(&store), store, webhooks, clock, options, worker: None }
    }

    fn webhooks(store: &Store, clock: &Arc<Hands>, options: &WebhookOptions) -> Webhooks {
        Webhooks::new(store.clone(), clock.clone(), Arc::new(TimeOrderedIds), options.clone())
    }

    pub(crate) fn work(&mut self) {
        let webhooks = self.webhooks.clone();
        let work = async move { webhooks.work(CancellationToken::new()).await };
        self.worker = Some(AbortOnDropHandle::new(tokio::spawn(work)));
    }

    /// As if the process died and another began: nothing is left but what is stored.
    pub(crate) async fn restart(&mut self) {
        if let Some(worker) = self.worker.take() {
            worker.abort();
            assert!(worker.await.unwrap_err().is_cancelled());
        }
        self.webhooks = Self::webhooks(&self.store, &self.clock, &self.options);
        self.work();
    }

    pub(crate) fn now(&self) -> UnixSeconds {
        self.clock.now()
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.clock.0.fetch_add(time.as_millis() as i64, Ordering::SeqCst);
        self.webhooks.wake();
    }

    pub(crate) async fn hook(&self, organization: &str, url: impl Into<String>) -> CreatedEndpoint {
        let created = self.endpoints.create(NewEndpoint::new(organization, url), self.now()).await.unwrap();
        self.webhooks.refresh().await.unwrap();
        created
    }

    /// Commits an object together with the event that it is there; gives how many are to be told.
    pub(crate) async fn happens(&self, organization: &str, event: &str, object: &str) -> usize {
        let organization = Organization::new(organization);
        let body = json!({ "id": object }).to_string().into_bytes();
        let told = self.webhooks.announce(&organization, event, object, || body.clone());
        let (count, put) = (told.len(), Put::new(Kind::Assistant, object, self.now().0, body));
        let batch = told.into_iter().fold(Batch::new().put(put), Batch::put);
        self.store.scope(organization).commit(batch).await.unwrap();
        self.webhooks.wake();
        count
    }

    /// Deliveries to this webhook that are stored.
    pub(crate) async fn stored(&self, organization: &str, webhook: &str) -> usize {
        let request = ListRequest::new(Kind::WebhookDelivery).parent(webhook).limit(1000);
        self.store.scope(Organization::new(organization)).list(&request).await.unwrap().documents.len()
    }

    /// Those of them that count as waiting.
    pub(crate) async fn waiting(&self, organization: &str, webhook: &str) -> i64 {
        let name = format!("webhooks/waiting/{webhook}");
        self.store.scope(Organization::new(organization)).counter(&name).await.unwrap()
    }

    /// Waits until this is so, which something is about to bring about.
    pub(crate) async fn until(&self, what: impl AsyncFn(&Self) -> bool) {
        let wait = async {
            while !what(self).await {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap();
    }
}
