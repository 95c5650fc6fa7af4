use std::time::Duration;

use futures_util::{FutureExt, StreamExt, future, stream};
use http_body_util::StreamBody;
use tokio::time::sleep;

use super::*;
use crate::{RetryPolicy, Transport, TransportBuilder};

/// What a server does with one call.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Answer(u16),
    Fail(TransportErrorKind),
    Hang,
    /// Sends a piece, and then this happens.
    Begin(Then),
}

#[derive(Debug, Clone, Copy)]
enum Then {
    End,
    Break,
    Stall,
}
use Deed::{Answer, Begin, Fail, Hang};

/// A server that does what it was told last, and counts its calls.
#[derive(Clone)]
struct Server(Arc<Mutex<(Deed, usize)>>);

impl Server {
    fn new(deed: Deed) -> Self {
        Self(Arc::new(Mutex::new((deed, 0))))
    }

    fn does(&self, deed: Deed) {
        self.0.lock().0 = deed;
    }

    fn calls(&self) -> usize {
        self.0.lock().1
    }

    fn stack(&self) -> TransportBuilder<impl HttpService> {
        let server = self.clone();
        Transport::builder(tower::service_fn(move |_: Request<Body>| {
            let mut server = server.0.lock();
            server.1 += 1;
            serve(server.0)
        }))
    }

    /// With a breaker that opens after three failures for one second, and for four at most.
    fn transport(&self) -> Transport {
        self.stack().breaker(policy()).header_timeout(Duration::from_secs(60)).idle_timeout(IDLE).build()
    }
}

const IDLE: Duration = Duration::from_secs(5);

fn policy() -> BreakerPolicy {
    BreakerPolicy::default().failures(3).open(Duration::from_secs(1), Duration::from_secs(4))
}

async fn serve(deed: Deed) -> Result<Response<Body>, TransportError> {
    match deed {
        Answer(status) => Ok(Response::builder().status(status).body(Body::from("whole")).unwrap()),
        Fail(kind) => Err(TransportError::new(kind)),
        Hang => future::pending().await,
        Begin(then) => {
            let piece = stream::iter([Ok(Frame::data(Bytes::from("piece")))]);
            let broken = Err(TransportError::new(TransportErrorKind::Interrupted));
            let body = match then {
                Then::End => Body::new(StreamBody::new(piece)),
                Then::Break => Body::new(StreamBody::new(piece.chain(stream::iter([broken])))),
                Then::Stall => Body::new(StreamBody::new(piece.chain(stream::pending()))),
            };
            Ok(Response::new(body))
        }
    }
}

fn request() -> Request<Body> {
    Request::post("http://host:1/v1/runs").body(Body::from("{}")).unwrap()
}

/// Makes a call and reads what comes to its end; gives the status or what failed.
async fn call(transport: &Transport) -> Result<u16, TransportErrorKind> {
    let whole = async {
        let response = transport.send(request()).await?;
        let status = response.status().as_u16();
        response.into_body().collect(100).await?;
        Ok(status)
    };
    whole.await.map_err(|error: TransportError| error.kind())
}

/// How long a refused call is told to wait; `None` if it is let through.
async fn refusal(transport: &Transport) -> Option<Duration> {
    match transport.send(request()).await {
        Err(error) if error.kind() == TransportErrorKind::CircuitOpen => {
            assert!(error.is_retryable() && !error.may_have_been_sent());
            Some(error.retry_after().unwrap())
        }
        _ => None,
    }
}

const REFUSED: Result<u16, TransportErrorKind> = Err(TransportErrorKind::CircuitOpen);

#[tokio::test(start_paused = true)]
async fn each_kind_of_failure_opens_the_circuit_and_one_whole_answer_of_a_probe_closes_it() {
    for failure in [
        Answer(500),
        Answer(599),
        Fail(TransportErrorKind::Connect),
        Fail(TransportErrorKind::Closed),
        Fail(TransportErrorKind::Timeout),
        Hang,
        Begin(Then::Break),
        Begin(Then::Stall),
    ] {
        let server = Server::new(failure);
        let transport = server.transport();
        for _ in 0..3 {
            assert_ne!(call(&transport).await, REFUSED, "{failure:?}");
        }
        let wait = refusal(&transport).await.unwrap();
        assert!((750..=1000).contains(&wait.as_millis()), "{failure:?} {wait:?}");
        assert_eq!(server.calls(), 3, "nothing is sent");

        sleep(wait).await;
        server.does(Begin(Then::End));
        assert_eq!(call(&transport).await, Ok(200));
        server.does(failure);
        for _ in 0..3 {
            assert_ne!(call(&transport).await, REFUSED, "{failure:?}: it counts from the beginning");
        }
        assert_eq!(call(&transport).await, REFUSED);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_answers_whatever_it_says_is_there() {
    for deed in [Answer(400), Answer(404), Answer(429), Answer(302), Fail(TransportErrorKind::InvalidRequest)]
    {
        let server = Server::new(deed);
        let transport = server.transport();
        for _ in 0..20 {
            assert_ne!(call(&transport).await, REFUSED, "{deed:?}");
        }
    }
    let server = Server::new(Answer(500));
    let transport = server.transport();
    for deed in [500, 500, 429, 500, 500, 200, 500, 500].map(Answer) {
        server.does(deed);
        assert_ne!(call(&transport).await, REFUSED, "no three of them are in a row");
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_doubles_with_each_probe_that_fails_up_to_its_maximum() {
    let server = Server::new(Answer(503));
    let transport = server.transport();
    while call(&transport).await != REFUSED {}
    for full in [1000, 2000, 4000, 4000] {
        let wait = refusal(&transport).await.unwrap();
        assert!((full * 3 / 4..=full).contains(&wait.as_millis()), "{wait:?} of {full}");
        sleep(wait).await;
        assert_eq!(call(&transport).await, Ok(503));
    }
    // A server that begins answers but ends none is there, and yet not well: the next failure counts at once.
    sleep(Duration::from_secs(4)).await;
    server.does(Begin(Then::Break));
    assert_eq!(call(&transport).await, Err(TransportErrorKind::Interrupted));
    assert!(refusal(&transport).await.unwrap() >= Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn one_probe_is_let_through_and_one_that_is_dropped_gives_its_place_back() {
    let server = Server::new(Answer(500));
    let transport = server.transport();
    while call(&transport).await != REFUSED {}
    sleep(Duration::from_secs(1)).await;
    server.does(Hang);
    let calls = server.calls();
    for probe in 1..=3 {
        let mut hanging = Box::pin(transport.send(request()));
        assert!(hanging.as_mut().now_or_never().is_none());
        for _ in 0..10 {
            assert_eq!(refusal(&transport).await, Some(Duration::from_secs(1)));
        }
        assert_eq!(server.calls(), calls + probe);
        drop(hanging);
    }
    server.does(Begin(Then::Stall));
    let begun = transport.send(request()).await.unwrap();
    server.does(Answer(200));
    assert_eq!(call(&transport).await, Ok(200), "the headers of an answer are enough to let others through");
    drop(begun);
    assert_eq!(call(&transport).await, Ok(200));
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_hangs_is_followed_by_another() {
    let server = Server::new(Answer(500));
    let transport = server.transport();
    while call(&transport).await != REFUSED {}
    sleep(Duration::from_secs(1)).await;
    server.does(Hang);
    let mut hanging = Box::pin(transport.send(request()));
    assert!(hanging.as_mut().now_or_never().is_none());
    sleep(Duration::from_secs(4)).await;
    server.does(Answer(200));
    assert_eq!(call(&transport).await, Ok(200));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_says_nothing() {
    let server = Server::new(Answer(500));
    let transport = server.transport();
    for round in 0..20 {
        server.does(if round % 2 == 0 { Hang } else { Begin(Then::Stall) });
        let _ = transport.send(request()).now_or_never();
    }
    server.does(Answer(500));
    for _ in 0..3 {
        assert_eq!(call(&transport).await, Ok(500));
    }
    assert_eq!(call(&transport).await, REFUSED, "it took three failures, and nothing in between undid them");
}

#[tokio::test(start_paused = true)]
async fn what_was_under_way_when_the_circuit_opened_no_longer_counts() {
    let server = Server::new(Begin(Then::Stall));
    let transport = server.transport();
    let stalled: Vec<_> =
        future::join_all((0..9).map(|_| transport.send(request()))).await.into_iter().collect();
    server.does(Answer(500));
    while call(&transport).await != REFUSED {}
    sleep(Duration::from_secs(1)).await;
    server.does(Answer(200));
    assert_eq!(call(&transport).await, Ok(200));
    for response in stalled {
        assert!(response.unwrap().into_body().collect(100).await.is_err());
    }
    assert_eq!(call(&transport).await, Ok(200));
}

#[tokio::test(start_paused = true)]
async fn each_server_has_a_circuit_of_its_own() {
    let leaf = tower::service_fn(|request: Request<Body>| {
        serve(Answer(if request.uri().port_u16() == Some(1) { 500 } else { 200 }))
    });
    let transport = Transport::builder(leaf).breaker(policy()).build();
    let ask = async |url: &'static str| {
        let response = transport.send(Request::get(url).body(Body::empty()).unwrap()).await;
        response.map(|response| response.status().as_u16()).map_err(|error| error.kind())
    };
    for _ in 0..3 {
        assert_eq!(ask("http://host:1/a").await, Ok(500));
    }
    assert_eq!(ask("http://HOST:1/b").await, REFUSED);
    assert_eq!(ask("http://host:2/a").await, Ok(200));
    assert_eq!(ask("http://host/a").await, Ok(200));
}

#[test]
fn a_bounded_number_of_servers_is_remembered_and_the_open_ones_first() {
    let circuits = Circuits::default();
    let open = circuits.of(None);
    let (policy, now) = (policy(), Instant::now());
    for _ in 0..3 {
        let ticket = open.lock().admit(&policy, now).unwrap();
        open.lock().hear(&ticket, News::Failed, &policy, now, 0.0);
    }
    drop(open);
    for n in 0..3 * MAX_SERVERS {
        circuits.of(Some(&format!("host-{n}").parse().unwrap()));
        assert!(circuits.0.lock().len() <= MAX_SERVERS);
    }
    assert!(!circuits.of(None).lock().is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_the_deadline_cut_off_is_a_failure() {
    let server = Server::new(Hang);
    let retry = RetryPolicy::default().deadline(Duration::from_secs(9));
    let transport = server.stack().retry(retry).breaker(policy()).build();
    for _ in 0..3 {
        assert_eq!(call(&transport).await, Err(TransportErrorKind::Timeout));
    }
    server.does(Answer(200));
    let start = Instant::now();
    assert_eq!(call(&transport).await, Ok(200), "it waits for its turn to probe");
    assert!(start.elapsed() >= Duration::from_millis(750));
    assert_eq!(server.calls(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_short_time_is_waited_for_within_the_deadline_and_uses_up_no_try() {
    let server = Server::new(Answer(503));
    let breaker = BreakerLayer::new(policy().open(Duration::from_secs(6), Duration::from_secs(60)));
    let over = |retry| Transport::builder(breaker.layer(server.stack().build())).retry(retry).build();
    let deadline = |seconds| RetryPolicy::default().max_retries(1).deadline(Duration::from_secs(seconds));
    let (patient, hasty, once) = (over(deadline(600)), over(deadline(4)), over(deadline(600).max_retries(0)));
    assert_eq!(call(&patient).await, Ok(503));
    assert_eq!(call(&once).await, Ok(503));

    let start = Instant::now();
    for impatient in [&hasty, &once, &over(RetryPolicy::default())] {
        assert_eq!(call(impatient).await, REFUSED);
    }
    assert_eq!(start.elapsed(), Duration::ZERO, "nobody waits in vain");

    // Ten wait. One of them probes, and finds the server as it was; the next time is too long to wait for.
    let all = future::join_all((0..10).map(|_| call(&patient))).await;
    assert!(all.iter().all(|result| *result == REFUSED), "{all:?}");
    assert_eq!((server.calls(), start.elapsed().as_secs() < 9), (4, true));

    // Ten wait again, now for less. Each looks whether the probe is back, more often than it may try, and is answered.
    sleep(Duration::from_secs(5)).await;
    server.does(Hang);
    let mut waiting = Box::pin(future::join_all((0..10).map(|_| call(&patient))));
    assert!(tokio::time::timeout(Duration::from_secs(20), waiting.as_mut()).await.is_err());
    assert_eq!(server.calls(), 5);
    server.does(Answer(200));
    let mut answered = waiting.await;
    answered.sort_by_key(|result| result.is_ok());
    assert!(answered[1..].iter().all(|result| *result == Ok(200)), "{answered:?}");
}
