//! A client that reads a run's events frame by frame, and comes back behind the last whenever it is cut off.

use std::collections::BTreeMap;

use anyhow::{Context, bail, ensure};
use futures_util::StreamExt;
use http::Request;
use rand::{RngExt, rngs::StdRng};
use ropewalk_events::{Decoder, Frame};
use ropewalk_transport::{Body, DataStream};
use ropewalk_types::{RunId, ThreadId};
use tokio::time::sleep;

use crate::{
    caller::{Caller, PAUSE},
    recovery::Recovery,
};

/// All that one reader was told of a run: frames by their number.
pub(crate) type Story = BTreeMap<u64, Frame>;

/// Reads a run from its first event to its last.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) thread: &'a ThreadId,
    pub(crate) run: &'a RunId,
}

/// One who reads while the run is at work.
#[derive(Debug)]
pub(crate) struct Along<'a> {
    pub(crate) recovery: &'a Recovery,
    pub(crate) client: usize,
    /// Says when it leaves, to come back at once.
    pub(crate) dice: StdRng,
}

impl Reader<'_> {
    /// Reads to the end, maybe `along` with the run.
    pub(crate) async fn read(&self, mut along: Option<Along<'_>>) -> anyhow::Result<Story> {
        let mut story = Story::new();
        loop {
            let starts = self.caller.alive().await?;
            let last = story.last_key_value().map_or(0, |(number, _)| *number);
            let Some(mut bytes) = self.connect(last).await? else {
                sleep(PAUSE).await;
                continue;
            };
            let mut decoder = Decoder::new();
            'connection: while let Some(Ok(piece)) = bytes.next().await {
                decoder.push(piece);
                while let Some(frame) = decoder.next_frame()? {
                    match frame.event.as_str() {
                        "done" => return Ok(story),
                        "error" => bail!("the events of {} end with {}", self.run, frame.data),
                        _ => {}
                    }
                    let number = frame.id.parse().context("an event without a number")?;
                    let last = story.last_key_value().map_or(0, |(number, _)| *number);
                    ensure!(number > last, "event {number} of {} is told behind {last}", self.run);
                    let leaves = along.as_mut().is_some_and(|Along { recovery, client, dice }| {
                        recovery.told(*client, frame.event.as_str(), self.caller.is_current(starts));
                        dice.random_ratio(1, 200)
                    });
                    story.insert(number, frame);
                    if leaves {
                        break 'connection;
                    }
                }
            }
        }
    }

    /// The bytes behind event `last`; `None` if the connection broke.
    async fn connect(&self, last: u64) -> anyhow::Result<Option<DataStream>> {
        let Self { caller, thread, run, .. } = self;
        let request = Request::get(format!("{}/threads/{thread}/runs/{run}/events", caller.base_url))
            .header("authorization", "Bearer sk-chaos")
            .header("openai-beta", "assistants=v2")
            .header("last-event-id", last)
            .body(Body::empty())?;
        let Ok(response) = caller.transport.send(request).await else { return Ok(None) };
        let status = response.status();
        ensure!(status == 200, "the events of {run} are answered with {status}");
        Ok(Some(response.into_body().into_data_stream()))
    }
}
