//! Requests to a server that may die before, while or after it answers them.

use std::time::Duration;

use anyhow::Context;
use ropewalk_client::{Client, ClientError};
use ropewalk_transport::{RetryPolicy, SchemeLeaf, Transport};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

/// The longest that anything may take: beyond it something hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
/// The longest silence of a server that lives: it says something each second where a stream has nothing to tell.
const SILENCE: Duration = Duration::from_secs(15);
/// The wait after a connection broke. Who kills the server says so a moment later.
pub(crate) const PAUSE: Duration = Duration::from_millis(5);

/// Makes requests, and makes sure.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) client: Client,
    /// For what the client does not show: frames as they came.
    pub(crate) transport: Transport,
    pub(crate) base_url: String,
    alive: watch::Receiver<Option<u64>>,
}

impl Caller {
    pub(crate) fn new(base_url: String, alive: watch::Receiver<Option<u64>>) -> anyhow::Result<Self> {
        let resume = RetryPolicy::default()
            .max_retries(10_000)
            .backoff(Duration::from_millis(20), Duration::from_millis(200))
            .deadline(PATIENCE);
        let client = Client::builder()
            .base_url(&base_url)
            .api_key("sk-chaos")
            // Who tries again without a look may do the same twice.
            .retry(RetryPolicy::default().max_retries(0))
            .resume(resume)
            .timeout(SILENCE)
            .build()?;
        let transport =
            Transport::builder(SchemeLeaf::new()).header_timeout(SILENCE).idle_timeout(SILENCE).build();
        Ok(Self { client, transport, base_url, alive })
    }

    /// Waits until the server lives; gives how often it was started by then.
    pub(crate) async fn alive(&self) -> anyhow::Result<u64> {
        let mut alive = self.alive.clone();
        let lives =
            timeout(PATIENCE, alive.wait_for(Option::is_some)).await.context("the server stays dead")?;
        lives?.context("it lives")
    }

    /// Whether the server that lives was started for the `starts`th time.
    pub(crate) fn is_current(&self, starts: u64) -> bool {
        *self.alive.borrow() == Some(starts)
    }

    /// Reads, however often the connection breaks.
    pub(crate) async fn read<T>(&self, read: impl AsyncFn() -> Result<T, ClientError>) -> anyhow::Result<T> {
        loop {
            self.alive().await?;
            match read().await {
                Err(error) if is_lost(&error) => sleep(PAUSE).await,
                done => return Ok(done?),
            }
        }
    }

    /// Writes once: if the answer is lost, `look` sees whether it was done, and gives what it did.
    pub(crate) async fn write<T>(
        &self,
        write: impl AsyncFn() -> Result<T, ClientError>,
        look: impl AsyncFn() -> Result<Option<T>, ClientError>,
    ) -> anyhow::Result<T> {
        loop {
            self.alive().await?;
            match write().await {
                Err(error) if is_lost(&error) => sleep(PAUSE).await,
                done => return Ok(done?),
            }
            if let Some(done) = self.read(&look).await? {
                return Ok(done);
            }
        }
    }
}

/// Whether nobody knows what became of a request.
pub(crate) fn is_lost(error: &ClientError) -> bool {
    matches!(error, ClientError::Transport(_) | ClientError::CutOff)
}
