//! Streams of runs that outlive their connections.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::{Duration, SystemTime},
};

use futures_core::{Stream, future::BoxFuture};
use futures_util::FutureExt;
use http::{HeaderMap, Response, StatusCode, header::CONTENT_TYPE};
use ropewalk_events::{Event, EventStream, StreamError};
use ropewalk_transport::{Body, DataStream, MaxRetries, RetryPolicy};
use ropewalk_types::{RunEventsQuery, RunId, ThreadId, endpoint};
use tokio::time::{Instant, sleep};

use crate::{Client, ClientError, client::invalid};

/// Tries to go on with a stream, unless the client's settings say otherwise: about a minute of them.
pub(crate) fn usual_policy() -> RetryPolicy {
    RetryPolicy::default().max_retries(10)
}

/// The number of the last event that a stream gave out; 0 if none had one.
#[derive(Debug, Clone, Default)]
pub(crate) struct LastEvent(Arc<AtomicU64>);

impl LastEvent {
    pub(crate) fn number(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, number: u64) {
        self.0.store(number, Ordering::Relaxed);
    }
}

type Events = EventStream<DataStream>;
type Run = (ThreadId, RunId);

/// The events of a run as one stream, over as many connections as it takes.
///
/// That works with a server that numbers its events. With another, what breaks a connection is an error of the
/// stream.
pub(crate) struct Resume {
    client: Client,
    events: Events,
    /// The next connection, once the last one broke.
    next: Option<BoxFuture<'static, Result<(Events, Outage), ClientError>>>,
    /// The run, once an event with a number has named it.
    run: Option<Run>,
    last: LastEvent,
    /// The number behind which this connection begins, if it is not the first.
    behind: Option<u64>,
    /// Whether the stream goes on where the run waits for outputs.
    whole: bool,
    left: Left,
    outage: Outage,
    over: bool,
}

/// What is to come behind the last event.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    Events,
    OnlyDone,
    /// Nothing that could be asked for again.
    Unknown,
}

/// What was tried since the last event came.
#[derive(Clone, Copy, Default)]
struct Outage {
    tries: u32,
    begun: Option<Instant>,
}

impl Resume {
    /// The events in `body`. They end where the run does; those that are not `whole` where it waits for outputs, too.
    pub(crate) fn new(client: Client, body: Body, whole: bool) -> Self {
        Self {
            client,
            events: EventStream::new(body.into_data_stream()),
            next: None,
            run: None,
            last: LastEvent::default(),
            behind: None,
            whole,
            left: Left::Events,
            outage: Outage::default(),
            over: false,
        }
    }

    /// The same of a run that is known, behind the event with the number `after`.
    pub(crate) fn of(mut self, run: Run, after: u64) -> Self {
        self.run = Some(run);
        self.last.set(after);
        self
    }

    pub(crate) fn last(&self) -> LastEvent {
        self.last.clone()
    }

    /// Whether `event` was not given out before; keeps what is needed to go on behind it.
    fn is_new(&mut self, event: &Event) -> bool {
        let left = match event {
            Event::Done | Event::Error(_) => Left::Unknown,
            Event::RunRequiresAction(_) if self.whole => Left::Events,
            Event::RunRequiresAction(_)
            | Event::RunCompleted(_)
            | Event::RunIncomplete(_)
            | Event::RunFailed(_)
            | Event::RunCancelled(_)
            | Event::RunExpired(_) => Left::OnlyDone,
            _ => Left::Events,
        };
        if let Some(number) = self.number().filter(|_| left != Left::Unknown) {
            if self.behind.is_some_and(|behind| number <= behind) {
                return false;
            }
            self.last.set(number);
            self.run = self.run.take().or_else(|| run_of(event));
        }
        (self.left, self.outage) = (left, Outage::default());
        true
    }

    fn number(&self) -> Option<u64> {
        self.events.last_event_id().parse().ok()
    }

    /// What follows on a connection that broke: an item, or another connection.
    fn mend(&mut self, broken: ClientError) -> Option<Result<Event, ClientError>> {
        match (&self.run, self.left) {
            (Some(_), Left::OnlyDone) => Some(Ok(Event::Done)),
            (Some(run), Left::Events) => {
                let pause = self.events.retry().unwrap_or_default();
                let (client, run, after) = (self.client.clone(), run.clone(), self.last.number());
                self.next = Some(connect(client, run, after, self.outage, pause, broken).boxed());
                None
            }
            _ => Some(Err(broken)),
        }
    }

    fn end(&mut self, item: Option<Result<Event, ClientError>>) -> Poll<Option<Result<Event, ClientError>>> {
        self.over = true;
        Poll::Ready(item)
    }
}

impl Stream for Resume {
    type Item = Result<Event, ClientError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        while !this.over {
            if let Some(next) = &mut this.next {
                match ready!(next.as_mut().poll(cx)) {
                    Ok((events, outage)) => (this.events, this.outage) = (events, outage),
                    Err(error) => return this.end(Some(Err(error))),
                }
                (this.next, this.behind) = (None, Some(this.last.number()));
            }
            // The first connection ends by itself where the run waits for outputs, a later one does not.
            if this.behind.is_some() && this.left == Left::OnlyDone {
                return this.end(Some(Ok(Event::Done)));
            }
            let broken = match ready!(Pin::new(&mut this.events).poll_next(cx)) {
                Some(Ok(event)) if this.is_new(&event) => return Poll::Ready(Some(Ok(event))),
                Some(Ok(_)) => continue,
                Some(Err(StreamError::Bytes(error))) => error.into(),
                // It would come again.
                Some(Err(error @ StreamError::Decode(_))) => return this.end(Some(Err(error.into()))),
                Some(Err(error)) => {
                    this.last.set(this.number().unwrap_or_default().max(this.last.number()));
                    return Poll::Ready(Some(Err(error.into())));
                }
                None if this.events.is_done() => return this.end(None),
                None => ClientError::CutOff,
            };
            if let Some(item) = this.mend(broken) {
                return this.end(Some(item));
            }
        }
        Poll::Ready(None)
    }
}

/// Opens the stream of `run` again behind the event `after`, as often as the client's policy allows.
///
/// # Errors
///
/// Why the last try failed; `broken`, if none was made or the server does not know how to go on.
async fn connect(
    client: Client,
    run: Run,
    after: u64,
    mut outage: Outage,
    pause: Duration,
    broken: ClientError,
) -> Result<(Events, Outage), ClientError> {
    let policy = &client.resume;
    let begun = *outage.begun.get_or_insert_with(Instant::now);
    let (mut failure, mut headers) = (None, HeaderMap::new());
    loop {
        let wait = policy.delay(outage.tries, &headers, SystemTime::now(), rand::random());
        let wait = wait.max(pause.min(policy.max_server_wait));
        let late = policy.deadline.is_some_and(|deadline| begun.elapsed() + wait >= deadline);
        if late || outage.tries >= policy.max_retries {
            return Err(failure.unwrap_or(broken));
        }
        sleep(wait).await;
        outage.tries += 1;
        let head = client.head::<endpoint::StreamRunEvents>(&run, &RunEventsQuery::starting_after(after))?;
        // The tries are counted here.
        let request = head.extension(MaxRetries(0)).body(Body::empty()).map_err(invalid)?;
        match client.transport.send(request).await {
            Ok(response) if gives_events(&response) => {
                return Ok((EventStream::new(response.into_body().into_data_stream()), outage));
            }
            Ok(response) if policy.is_retryable(response.status(), response.headers()) => {
                headers = response.headers().clone();
                failure = Some(ClientError::refused(response).await);
            }
            Ok(response) if knows_no_events(response.status()) => return Err(broken),
            Ok(response) => return Err(ClientError::refused(response).await),
            Err(error) if error.is_retryable() => {
                headers.clear();
                failure = Some(error.into());
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn gives_events(response: &Response<Body>) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).map(|kind| kind.as_bytes());
    response.status() == StatusCode::OK && kind.is_some_and(|kind| kind.starts_with(b"text/event-stream"))
}

/// Whether a server that answers so has no such endpoint, or no such run any more.
fn knows_no_events(status: StatusCode) -> bool {
    status.is_success() || matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED)
}

fn run_of(event: &Event) -> Option<Run> {
    let of_run = event.as_run().map(|run| (&run.thread_id, &run.id));
    let of_step = || event.as_step().map(|step| (&step.thread_id, &step.run_id));
    of_run.or_else(of_step).map(|(thread, run)| (thread.clone(), run.clone()))
}
