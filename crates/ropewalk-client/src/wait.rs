use std::time::Duration;

use http::HeaderMap;
use ropewalk_types::{Run, RunId, RunStatus, ThreadId, endpoint};

use crate::{ClientError, Runs, client::read};

/// The wait between two looks at a run, if the server does not name it.
const DEFAULT_WAIT: Duration = Duration::from_secs(1);
/// The bounds of a wait that the server names.
const WAITS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(60));

impl Runs<'_> {
    /// Looks at a run until it is over or waits for tool outputs, as often as the server's `openai-poll-after-ms`
    /// says, else every second.
    ///
    /// # Errors
    ///
    /// Those of [`Client::call`](crate::Client::call); a run that failed is none.
    pub async fn wait(
        self,
        thread_id: impl Into<ThreadId>,
        run_id: impl Into<RunId>,
    ) -> Result<Run, ClientError> {
        let path = (thread_id.into(), run_id.into());
        loop {
            let response = self.0.send::<endpoint::GetRun>(path.clone(), (), ()).await?;
            let (run, headers) = read::<endpoint::GetRun>(response).await?;
            if run.status.is_terminal() || run.status == RunStatus::RequiresAction {
                return Ok(run);
            }
            tokio::time::sleep(server_wait(&headers).unwrap_or(DEFAULT_WAIT)).await;
        }
    }
}

fn server_wait(headers: &HeaderMap) -> Option<Duration> {
    let milliseconds = headers.get("openai-poll-after-ms")?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_millis(milliseconds).clamp(WAITS.0, WAITS.1))
}
