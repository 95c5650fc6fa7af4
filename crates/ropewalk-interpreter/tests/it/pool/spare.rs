//! A session that begins before anybody asks for it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use ropewalk_interpreter::{
    Backend, CellEvent, Content, DataFile, Error, Interpreter, PoolOptions, SessionPool,
    testing::ScriptedBackend,
};
use tokio::time::{Duration, sleep};
use tokio_util::sync::CancellationToken;

use super::lease;

fn pool(backend: impl Backend + 'static) -> SessionPool<u32> {
    let mut options = PoolOptions::default();
    (options.most, options.spare) = (2, true);
    SessionPool::new(Arc::new(backend), options)
}

/// Until whatever was begun has ended or waits.
async fn settled() {
    sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn one_session_is_ready_beyond_those_in_use_and_none_is_left_at_the_end() {
    let backend = ScriptedBackend::echo();
    let (pool, stop) = (pool(backend.clone()), CancellationToken::new());
    let (sweeping, until) = (pool.clone(), stop.clone());
    let sweeper = tokio::spawn(async move { sweeping.sweep(until).await });
    settled().await;
    assert_eq!(backend.begun(), 1, "nobody has asked for it yet");
    for (key, begun) in [("a", 2), ("b", 3), ("c", 4)] {
        let lease = lease(&pool, key).await;
        assert!(lease.is_new());
        drop(lease);
        settled().await;
        assert_eq!(backend.begun(), begun);
    }
    assert_eq!(backend.live(), 3, "two that the pool may have, and the spare one");
    stop.cancel();
    sweeper.await.expect("it does not panic");
    settled().await;
    assert_eq!(backend.live(), 0);
    drop(lease(&pool, "late").await);
    settled().await;
    assert_eq!(backend.live(), 0, "none is kept, and none is made ready");
}

#[tokio::test(start_paused = true)]
async fn one_that_could_not_begin_is_tried_again_by_whoever_needs_it() {
    let backend = ScriptedBackend::echo();
    let pool = pool(backend.clone());
    drop(lease(&pool, "a").await);
    backend.fail(true);
    settled().await;
    assert!(matches!(pool.session("owner", "b").await, Err(Error::Start(_))));
    backend.fail(false);
    assert!(lease(&pool, "b").await.is_new());
}

/// Sessions that die while nobody looks, as long as this is so.
#[derive(Debug)]
struct Mortal(ScriptedBackend, Arc<AtomicBool>);

#[derive(Debug)]
struct Dying(Box<dyn Interpreter>, Arc<AtomicBool>);

#[async_trait]
impl Backend for Mortal {
    async fn begin(&self) -> Result<Box<dyn Interpreter>, Error> {
        let dies = Arc::new(AtomicBool::new(self.1.load(Ordering::SeqCst)));
        Ok(Box::new(Dying(self.0.begin().await?, dies)))
    }
}

#[async_trait]
impl Interpreter for Dying {
    fn run<'a>(&'a mut self, code: String) -> BoxStream<'a, CellEvent> {
        self.0.run(code)
    }

    fn is_alive(&self) -> bool {
        !self.1.load(Ordering::SeqCst)
    }

    async fn put(&self, path: &str, content: Content) -> Result<u64, Error> {
        self.0.put(path, content).await
    }

    async fn open(&self, path: &str) -> Result<(Content, u64), Error> {
        self.0.open(path).await
    }

    async fn files(&self) -> Result<Vec<DataFile>, Error> {
        self.0.files().await
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_died_is_given_to_nobody() {
    let (backend, dies) = (ScriptedBackend::echo(), Arc::new(AtomicBool::new(false)));
    let pool = pool(Mortal(backend.clone(), dies.clone()));
    let first = lease(&pool, "a").await;
    // The spare one begins behind this.
    dies.store(true, Ordering::SeqCst);
    settled().await;
    dies.store(false, Ordering::SeqCst);
    let mut second = lease(&pool, "b").await;
    assert!(second.parts().0.is_alive());
    drop((first, second));
}
