use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
};
use http::{HeaderMap, StatusCode, header::LOCATION};
use ropewalk_webhooks::SigningSecret;
use serde_json::Value;
use tokio::{
    net::TcpListener,
    sync::{Mutex, Semaphore, mpsc},
    task::JoinHandle,
};
use tokio_util::task::AbortOnDropHandle;

/// One request as it arrived.
#[derive(Debug)]
pub(crate) struct Told {
    /// The last part of the path.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Told {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The id of the object that it tells of.
    pub(crate) fn object(&self) -> String {
        self.json()["data"]["id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn assert_signed(&self, secret: &SigningSecret) {
        let timestamp = self.header("webhook-timestamp").parse().unwrap();
        let signature = secret.sign(self.header("webhook-id"), timestamp, &self.body);
        assert_eq!(self.header("webhook-signature"), signature);
    }
}

/// A receiver on a port of its own. What it answers is the path: `/200`, `/302`, `/410`, `/503`; `/hang` answers when it is
/// let go, and `/next` what it was told to answer next.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    told: Mutex<mpsc::UnboundedReceiver<Told>>,
    shared: Arc<Shared>,
    _server: AbortOnDropHandle<()>,
}

struct Shared {
    telling: mpsc::UnboundedSender<Told>,
    hanging: Semaphore,
    next: std::sync::Mutex<StatusCode>,
}

impl Receiver {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (telling, told) = mpsc::unbounded_channel();
        let next = std::sync::Mutex::new(StatusCode::OK);
        let shared = Arc::new(Shared { telling, hanging: Semaphore::new(0), next });
        let router = Router::new().fallback(|| async { StatusCode::NOT_FOUND });
        let router = router.route("/{path}", axum::routing::post(receive)).with_state(shared.clone());
        let server: JoinHandle<()> =
            tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, told: Mutex::new(told), shared, _server: AbortOnDropHandle::new(server) }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// The next request that arrives.
    pub(crate) async fn told(&self) -> Told {
        self.told.lock().await.recv().await.unwrap()
    }

    /// Whether one arrived that nobody has asked for.
    pub(crate) fn is_quiet(&self) -> bool {
        self.told.try_lock().unwrap().is_empty()
    }

    pub(crate) fn let_go(&self) {
        self.shared.hanging.add_permits(1000);
    }

    pub(crate) fn answer(&self, status: u16) {
        *self.shared.next.lock().unwrap() = StatusCode::from_u16(status).unwrap();
    }
}

async fn receive(
    State(shared): State<Arc<Shared>>,
    Path(path): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, HeaderMap) {
    shared.telling.send(Told { path: path.clone(), headers, body }).unwrap();
    let status = match path.as_str() {
        "hang" => {
            let _permit = shared.hanging.acquire().await.unwrap();
            StatusCode::OK
        }
        "next" => *shared.next.lock().unwrap(),
        status => status.parse().unwrap(),
    };
    // Back to this receiver, where a request of any kind would be seen.
    (status, HeaderMap::from_iter([(LOCATION, "/200".parse().unwrap())]))
}
