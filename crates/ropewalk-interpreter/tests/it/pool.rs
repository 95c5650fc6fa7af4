//! The pool over a backend without Python.

mod schedules;
mod spare;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::{StreamExt, future::join_all};
use ropewalk_interpreter::{
    Backend, CellEnd, CellEvent, Error, Interpreter, Lease, PoolOptions, SessionPool,
    testing::ScriptedBackend,
};
use tokio::time::{advance, sleep};
use tokio_util::sync::CancellationToken;

fn pool(backend: &ScriptedBackend, most: usize) -> SessionPool<u32> {
    let mut options = PoolOptions::default();
    options.most = most;
    SessionPool::new(Arc::new(backend.clone()), options)
}

/// A pool whose sweeper runs.
fn swept(backend: &ScriptedBackend, most: usize) -> (SessionPool<u32>, CancellationToken) {
    let (pool, stop) = (pool(backend, most), CancellationToken::new());
    let (sweeping, until) = (pool.clone(), stop.clone());
    tokio::spawn(async move { sweeping.sweep(until).await });
    (pool, stop)
}

async fn lease(pool: &SessionPool<u32>, key: &str) -> Lease<u32> {
    lease_of(pool, "owner", key).await
}

async fn lease_of(pool: &SessionPool<u32>, owner: &str, key: &str) -> Lease<u32> {
    pool.session(owner, key).await.expect("a session")
}

#[tokio::test(start_paused = true)]
async fn a_key_keeps_its_session_and_what_is_beside_it() {
    let backend = ScriptedBackend::echo();
    let pool = pool(&backend, 2);
    let mut first = lease(&pool, "a").await;
    *first.parts().1 = 7;
    assert!(first.is_new());
    drop(first);
    let mut again = lease(&pool, "a").await;
    assert_eq!((again.is_new(), *again.parts().1), (false, 7));
    assert_eq!((lease(&pool, "b").await.is_new(), backend.live()), (true, 2));
}

#[tokio::test(start_paused = true)]
async fn the_idlest_gives_way_and_who_finds_none_waits() {
    let backend = ScriptedBackend::echo();
    let pool = pool(&backend, 2);
    for key in ["a", "b", "a"] {
        drop(lease(&pool, key).await);
        advance(Duration::from_secs(1)).await;
    }
    let a = lease(&pool, "a").await;
    assert!(!a.is_new());
    let c = lease(&pool, "c").await;
    assert_eq!((c.is_new(), backend.live()), (true, 2));
    let mut waits = Box::pin(lease(&pool, "b"));
    assert!(futures_util::poll!(&mut waits).is_pending());
    sleep(Duration::from_secs(60)).await;
    assert!(futures_util::poll!(&mut waits).is_pending());
    drop(c);
    assert!(waits.await.is_new());
    drop(a);
    assert_eq!(backend.live(), 2, "`c` made room for `b`");
}

#[tokio::test(start_paused = true)]
async fn sessions_end_when_they_are_idle_or_old_but_never_in_use() {
    let backend = ScriptedBackend::echo();
    let (pool, stop) = swept(&backend, 4);
    drop(lease(&pool, "idle").await);
    let used = lease(&pool, "used").await;
    sleep(Duration::from_secs(21 * 60)).await;
    assert_eq!(backend.live(), 1);
    drop(used);
    assert!(!lease(&pool, "used").await.is_new(), "its idle time begins when it is given back");
    let used = lease(&pool, "used").await;
    sleep(Duration::from_secs(45 * 60)).await;
    assert_eq!(backend.live(), 1, "it is over an hour old, and in use");
    drop(used);
    assert_eq!(backend.live(), 0);
    let used = lease(&pool, "used").await;
    drop(lease(&pool, "other").await);
    stop.cancel();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(backend.live(), 1);
    drop(used);
    assert_eq!(backend.live(), 0, "at the end all end, as soon as they are not in use");
}

#[tokio::test(start_paused = true)]
async fn what_is_lost_discarded_or_ended_is_begun_anew() {
    let backend = ScriptedBackend::new(|_, _| vec![CellEvent::End(CellEnd::Lost { why: "gone" })]);
    let pool = pool(&backend, 1);
    let mut lost = lease(&pool, "a").await;
    let events: Vec<_> = lost.parts().0.run("x".to_owned()).collect().await;
    assert_eq!(events.len(), 1);
    drop(lost);
    assert_eq!(backend.live(), 0);
    lease(&pool, "a").await.discard();
    assert_eq!(backend.live(), 0);
    drop(lease(&pool, "a").await);
    pool.end("owner", "a");
    assert_eq!(backend.live(), 0);
    let used = lease(&pool, "a").await;
    pool.end("owner", "a");
    assert_eq!(backend.live(), 1, "in use");
    drop(used);
    assert_eq!((backend.live(), backend.begun()), (0, 4));
}

#[tokio::test(start_paused = true)]
async fn a_beginning_that_fails_leaves_its_place_to_the_next() {
    let backend = ScriptedBackend::echo();
    let pool = pool(&backend, 1);
    backend.fail(true);
    assert!(pool.session("owner", "a").await.is_err());
    backend.fail(false);
    assert!(lease(&pool, "b").await.is_new());
}

/// Sessions that take this long to begin.
#[derive(Debug)]
struct Slow(ScriptedBackend, Duration);

#[async_trait]
impl Backend for Slow {
    async fn begin(&self) -> Result<Box<dyn Interpreter>, Error> {
        sleep(self.1).await;
        self.0.begin().await
    }
}

/// A minute of a paused clock is for ever.
async fn served(waits: impl Future<Output = Lease<u32>>) -> Lease<u32> {
    tokio::time::timeout(Duration::from_secs(60), waits).await.expect("somebody waits for ever")
}

#[tokio::test(start_paused = true)]
async fn who_waits_gets_the_room_of_a_beginning_that_was_dropped() {
    let mut options = PoolOptions::default();
    options.most = 1;
    let pool = SessionPool::new(Arc::new(Slow(ScriptedBackend::echo(), Duration::from_secs(1))), options);
    let mut begins = Box::pin(lease(&pool, "a"));
    let mut waits = Box::pin(lease(&pool, "b"));
    assert!(futures_util::poll!(&mut begins).is_pending());
    assert!(futures_util::poll!(&mut waits).is_pending());
    drop(begins);
    assert!(served(waits).await.is_new());
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_served_though_the_session_ends_on_its_way_to_the_next_user() {
    let pool = pool(&ScriptedBackend::echo(), 1);
    let first = lease(&pool, "a").await;
    let (mut next, mut waits) = (Box::pin(lease(&pool, "a")), Box::pin(lease(&pool, "b")));
    assert!(futures_util::poll!(&mut next).is_pending());
    assert!(futures_util::poll!(&mut waits).is_pending());
    drop(first);
    assert!(futures_util::poll!(&mut waits).is_pending(), "the session is promised to the next of its key");
    pool.end("owner", "a");
    let (next, waits) =
        tokio::join!(async { served(next).await.is_new() }, async { served(waits).await.is_new() });
    assert!(next && waits);
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_served_though_the_next_user_goes_away() {
    let pool = pool(&ScriptedBackend::echo(), 1);
    let first = lease(&pool, "a").await;
    let (mut next, mut waits) = (Box::pin(lease(&pool, "a")), Box::pin(lease(&pool, "b")));
    assert!(futures_util::poll!(&mut next).is_pending());
    assert!(futures_util::poll!(&mut waits).is_pending());
    drop(first);
    assert!(futures_util::poll!(&mut waits).is_pending(), "the session is promised to the next of its key");
    drop(next);
    assert!(served(waits).await.is_new());
}

/// Uses a key over and over, a second each, and never ends.
async fn uses(pool: &SessionPool<u32>, owner: &str, key: &str) {
    loop {
        let _lease = lease_of(pool, owner, key).await;
        sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn one_owner_does_not_wait_behind_the_line_of_another() {
    let pool = pool(&ScriptedBackend::echo(), 2);
    let (first, second) = (lease_of(&pool, "many", "1").await, lease_of(&pool, "many", "2").await);
    let keys: Vec<String> = (3..40).map(|key| key.to_string()).collect();
    let mut line = join_all(keys.iter().map(|key| lease_of(&pool, "many", key)));
    assert!(futures_util::poll!(&mut line).is_pending());
    let mut waits = Box::pin(lease_of(&pool, "one", "1"));
    assert!(futures_util::poll!(&mut waits).is_pending());
    drop(first);
    assert!(served(waits).await.is_new());
    drop(second);
}

#[tokio::test(start_paused = true)]
async fn one_owner_keeps_its_idle_session_beside_another_that_wants_all() {
    let backend = ScriptedBackend::echo();
    let pool = pool(&backend, 4);
    *lease_of(&pool, "one", "1").await.parts().1 = 7;
    let keys: Vec<String> = (0..40).map(|key| key.to_string()).collect();
    let many = join_all(keys.iter().map(|key| uses(&pool, "many", key)));
    let one = async {
        // The others change places at full seconds.
        sleep(Duration::from_millis(500)).await;
        for _ in 0..9 {
            sleep(Duration::from_secs(60)).await;
            let mut lease = served(lease_of(&pool, "one", "1")).await;
            assert_eq!((lease.is_new(), *lease.parts().1, backend.live()), (false, 7, 4));
        }
    };
    tokio::select! { _ = many => {}, () = one => {} }
}

#[tokio::test(start_paused = true)]
async fn users_of_a_key_that_never_end_keep_no_other_waiting() {
    let pool = pool(&ScriptedBackend::echo(), 1);
    let busy = join_all([uses(&pool, "many", "1"), uses(&pool, "many", "1"), uses(&pool, "many", "1")]);
    let others = async {
        sleep(Duration::from_millis(500)).await;
        drop(served(lease_of(&pool, "one", "1")).await);
        drop(served(lease_of(&pool, "many", "2")).await);
    };
    tokio::select! { _ = busy => {}, () = others => {} }
}

#[tokio::test(start_paused = true)]
async fn an_owner_at_its_bound_leaves_room_to_others_and_makes_its_own() {
    let backend = ScriptedBackend::echo();
    let mut options = PoolOptions::default();
    (options.most, options.most_per_owner) = (3, Some(2));
    let pool: SessionPool<u32> = SessionPool::new(Arc::new(backend.clone()), options);
    let (first, _second) = (lease_of(&pool, "many", "1").await, lease_of(&pool, "many", "2").await);
    let mut waits = Box::pin(lease_of(&pool, "many", "3"));
    assert!(futures_util::poll!(&mut waits).is_pending());
    let one = served(lease_of(&pool, "one", "1")).await;
    drop(one);
    assert!(futures_util::poll!(&mut waits).is_pending(), "room of others is not for it");
    drop(first);
    assert!(served(waits).await.is_new());
    assert!(!lease_of(&pool, "one", "1").await.is_new());
    assert_eq!(backend.live(), 3);
}
