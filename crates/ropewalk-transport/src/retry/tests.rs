use super::*;
use bytes::Bytes;
use http_body_util::StreamBody;
use parking_lot::Mutex;

/// What one try comes to.
#[derive(Clone, Copy)]
enum Outcome {
    Answer(u16, Option<(&'static str, &'static str)>),
    Fail(TransportErrorKind),
    Hang,
}
use Outcome::{Answer, Fail, Hang};

/// Plays `outcomes` one after the other, the last one for ever, behind a retry layer.
/// Returns the status or the kind of error, when each try came in milliseconds, and its retry count.
async fn play(
    policy: RetryPolicy,
    request: Request<Body>,
    outcomes: &'static [Outcome],
) -> (Result<u16, TransportErrorKind>, Vec<(u128, Option<String>)>) {
    let start = Instant::now();
    let tries = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&tries);
    let leaf = tower::service_fn(move |request: Request<Body>| {
        let count = request.headers().get(RETRY_COUNT).map(|count| count.to_str().unwrap().to_owned());
        let outcome = outcomes[seen.lock().len().min(outcomes.len() - 1)];
        seen.lock().push((start.elapsed().as_millis(), count));
        async move {
            match outcome {
                Hang => std::future::pending().await,
                Fail(kind) => Err(TransportError::new(kind)),
                Answer(status, header) => {
                    let mut response = Response::builder().status(status);
                    if let Some((name, value)) = header {
                        response = response.header(name, value);
                    }
                    Ok(response.body(Body::from("done")).unwrap())
                }
            }
        }
    });
    let result = RetryLayer::new(policy).layer(leaf).oneshot(request).await;
    let result = result.map(|response| response.status().as_u16()).map_err(|error| error.kind());
    let tries = std::mem::take(&mut *tries.lock());
    (result, tries)
}

fn post() -> Request<Body> {
    Request::post("http://host/v1/runs").body(Body::from("{}")).unwrap()
}

const BUSY: Outcome = Answer(503, Some(("retry-after", "2")));

#[tokio::test(start_paused = true)]
async fn a_busy_server_is_asked_again_when_it_said_and_the_tries_are_counted() {
    let (result, tries) = play(RetryPolicy::default(), post(), &[BUSY, BUSY, Answer(200, None)]).await;
    assert_eq!(result, Ok(200));
    let count = |count: &str| Some(count.to_owned());
    assert_eq!(tries, [(0, None), (2000, count("1")), (4000, count("2"))]);
}

#[tokio::test(start_paused = true)]
async fn the_last_answer_is_handed_on_when_the_retries_are_used_up() {
    let (result, tries) = play(RetryPolicy::default(), post(), &[BUSY]).await;
    assert_eq!((result, tries.len()), (Ok(503), 3));
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_is_retried_after_the_backoff() {
    let (result, tries) = play(
        RetryPolicy::default(),
        post(),
        &[Fail(TransportErrorKind::Connect), Fail(TransportErrorKind::Closed), Answer(200, None)],
    )
    .await;
    assert_eq!((result, tries.len()), (Ok(200), 3));
    assert!((375..=501).contains(&tries[1].0) && (1125..=1502).contains(&tries[2].0), "{tries:?}");
}

#[tokio::test(start_paused = true)]
async fn what_would_fail_again_is_not_retried() {
    for (outcome, expected) in [
        (&[Answer(400, None)], Ok(400)),
        (&[Answer(503, Some(("x-should-retry", "false")))], Ok(503)),
        (&[Fail(TransportErrorKind::InvalidRequest)], Err(TransportErrorKind::InvalidRequest)),
    ] {
        let (result, tries) = play(RetryPolicy::default(), post(), outcome).await;
        assert_eq!((result, tries.len()), (expected, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_streamed_request_is_sent_once() {
    let frames =
        futures_util::stream::iter([Ok::<_, TransportError>(http_body::Frame::data(Bytes::from("{}")))]);
    let request = Request::post("/").body(Body::new(StreamBody::new(frames))).unwrap();
    let (result, tries) = play(RetryPolicy::default(), request, &[BUSY]).await;
    assert_eq!((result, tries.len()), (Ok(503), 1));
}

#[tokio::test(start_paused = true)]
async fn one_request_can_ask_for_fewer_retries_but_not_for_more() {
    for (asked, tries_made) in [(0, 1), (1, 2), (9, 3)] {
        let mut request = post();
        request.extensions_mut().insert(MaxRetries(asked));
        let (_, tries) = play(RetryPolicy::default(), request, &[BUSY]).await;
        assert_eq!(tries.len(), tries_made);
    }
}

#[tokio::test(start_paused = true)]
async fn the_deadline_covers_all_tries_and_waits() {
    let policy = RetryPolicy::default().deadline(Duration::from_secs(3));
    let start = Instant::now();
    let (result, tries) = play(policy.clone(), post(), &[BUSY]).await;
    assert_eq!((result, tries.len()), (Ok(503), 2));
    assert_eq!(start.elapsed().as_secs(), 2, "it does not wait for a try that it cannot make");

    let (result, tries) = play(policy, post(), &[BUSY, Hang]).await;
    assert_eq!((result, tries.len()), (Err(TransportErrorKind::Timeout), 2));
    assert_eq!(start.elapsed().as_secs(), 5, "a try that hangs is cut off");
}
