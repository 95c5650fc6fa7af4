//! The pool over a backend without Python.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::{StreamExt, future::join_all};
use proptest::{collection::vec, prelude::*};
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
    pool.session(key).await.expect("a session")
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
    pool.end("a");
    assert_eq!(backend.live(), 0);
    let used = lease(&pool, "a").await;
    pool.end("a");
    assert_eq!(backend.live(), 1, "in use");
    drop(used);
    assert_eq!((backend.live(), backend.begun()), (0, 4));
}

#[tokio::test(start_paused = true)]
async fn a_beginning_that_fails_leaves_its_place_to_the_next() {
    let backend = ScriptedBackend::echo();
    let pool = pool(&backend, 1);
    backend.fail(true);
    assert!(pool.session("a").await.is_err());
    backend.fail(false);
    assert!(lease(&pool, "b").await.is_new());
}

/// Sessions that take a second to begin.
#[derive(Debug)]
struct Slow(ScriptedBackend);

#[async_trait]
impl Backend for Slow {
    async fn begin(&self) -> Result<Box<dyn Interpreter>, Error> {
        sleep(Duration::from_secs(1)).await;
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
    let pool = SessionPool::new(Arc::new(Slow(ScriptedBackend::echo())), options);
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
    pool.end("a");
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whoever asks is served, however many ask and some of them go away: there are never more sessions than there may be, and
    /// a key never has two users.
    #[test]
    fn all_are_served_within_the_bound(
        most in 1..4_usize, users in vec((0..6_u8, 0..20_u64, 0..50_u64, prop::option::weighted(0.2, 0..30_u64)), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let backend = ScriptedBackend::echo();
            let (pool, _stop) = swept(&backend, most);
            let using: Arc<parking_lot::Mutex<HashMap<u8, u32>>> = Arc::default();
            let tasks = users.into_iter().map(|(key, begins, lasts, patience)| {
                let (pool, backend, using) = (pool.clone(), backend.clone(), using.clone());
                async move {
                    sleep(Duration::from_millis(begins)).await;
                    let work = async {
                        let lease = pool.session(&key.to_string()).await.unwrap();
                        assert!(backend.live() <= most);
                        assert_eq!(using.lock().insert(key, 1), None, "two users of one session");
                        sleep(Duration::from_millis(lasts)).await;
                        using.lock().remove(&key);
                        drop(lease);
                    };
                    match patience {
                        // A user with a session is not disturbed: only those who wait go away.
                        Some(patience) => {
                            let waits = tokio::time::timeout(Duration::from_millis(patience), pool.session("gone"));
                            drop(waits.await);
                        }
                        None => work.await,
                    }
                }
            });
            let all = tokio::time::timeout(Duration::from_secs(3600), join_all(tasks));
            assert!(all.await.is_ok(), "somebody waits for ever");
            assert!(backend.live() <= most);
        });
    }
}
