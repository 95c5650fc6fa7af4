//! A place in the pool: how it is waited for, and given back.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{sync::oneshot, time::Instant};

use super::{
    ledger::{Ledger, Turn},
    spare::Spare,
};
use crate::{Backend, Error, Interpreter};

pub(super) struct Shared<T: Send + 'static> {
    pub(super) spare: Spare,
    idle: Duration,
    longest: Duration,
    ledger: Mutex<Ledger<Seated<T>, oneshot::Sender<Place<T>>>>,
}

pub(super) struct Seated<T> {
    pub(super) interpreter: Box<dyn Interpreter>,
    pub(super) notes: T,
    begun: Instant,
    pub(super) used: Instant,
}

/// The one use of a key, with its session or the right to begin one. Dropped, what is in it goes back to the pool.
pub(super) struct Place<T: Send + 'static> {
    pool: Arc<Shared<T>>,
    owner: String,
    key: String,
    pub(super) session: Option<Seated<T>>,
}

impl<T: Send + 'static> Shared<T> {
    pub(super) fn new(backend: Arc<dyn Backend>, options: &super::PoolOptions) -> Arc<Self> {
        let ledger = Mutex::new(Ledger::new(options.most, options.most_per_owner));
        let spare = Spare::new(backend, options.spare);
        Arc::new(Self { spare, idle: options.idle, longest: options.longest, ledger })
    }

    /// Waits for the turn at `key`.
    pub(super) async fn place(self: &Arc<Self>, owner: &str, key: &str) -> Place<T> {
        let (tell, turn) = oneshot::channel();
        let number = self.change(|ledger| ledger.join(owner, key, tell));
        let mut waits = Waits { pool: self, owner, number, turn };
        (&mut waits.turn).await.expect("who is in line is told before it is taken out")
    }

    /// Ends the idle sessions that may not stay.
    pub(super) fn sweep(self: &Arc<Self>) {
        let over = self.change(|ledger| ledger.take_over(|session| !self.may_stay(session)));
        for (owner, key, session) in over {
            drop(session);
            drop(Place { pool: self.clone(), owner, key, session: None });
        }
    }

    /// Ends the session of `key`: at once, or when its user is done with it.
    pub(super) fn end(self: &Arc<Self>, owner: &str, key: &str) {
        self.change(|ledger| ledger.doom(owner, key));
        self.sweep();
    }

    /// Ends all sessions, as soon as nobody uses them.
    pub(super) fn close(self: &Arc<Self>) {
        self.spare.close();
        self.change(Ledger::close);
        self.sweep();
    }

    /// Changes the ledger, and tells those whose turn comes by it.
    fn change<R>(
        self: &Arc<Self>,
        change: impl FnOnce(&mut Ledger<Seated<T>, oneshot::Sender<Place<T>>>) -> R,
    ) -> R {
        let (result, turns) = {
            let mut ledger = self.ledger.lock();
            (change(&mut ledger), ledger.turns())
        };
        // Without the lock: sessions end here, and the place of a waiter that went away comes back.
        for Turn { waiter, owner, key, session, ended } in turns {
            drop(ended);
            drop(waiter.send(Place { pool: self.clone(), owner, key, session }));
        }
        result
    }

    fn may_stay(&self, seated: &Seated<T>) -> bool {
        seated.begun.elapsed() < self.longest
            && seated.used.elapsed() < self.idle
            && seated.interpreter.is_alive()
    }
}

impl<T: Default + Send + 'static> Place<T> {
    /// Begins a session, unless one is there that may stay; says whether it did.
    pub(super) async fn begin(&mut self) -> Result<bool, Error> {
        let doomed = self.pool.change(|ledger| ledger.replace_doomed(&self.owner, &self.key));
        let there = self.session.take_if(|session| doomed || !self.pool.may_stay(session));
        drop(there);
        if self.session.is_some() {
            return Ok(false);
        }
        let interpreter = self.pool.spare.begin().await?;
        let now = Instant::now();
        self.session = Some(Seated { interpreter, notes: T::default(), begun: now, used: now });
        Ok(true)
    }
}

impl<T: Send + 'static> Drop for Place<T> {
    fn drop(&mut self) {
        let stays = self.session.take().filter(|session| self.pool.may_stay(session));
        let kept =
            stays.map(|session| self.pool.change(|ledger| ledger.keep(&self.owner, &self.key, session)));
        if !matches!(kept, Some(Ok(()))) {
            // It ends before somebody gets its room.
            drop(kept);
            self.pool.change(|ledger| ledger.free(&self.owner, &self.key));
        }
    }
}

/// Somebody in line, who leaves it when this is dropped. A place that was sent by then is dropped with it, and so goes on to the next.
struct Waits<'a, T: Send + 'static> {
    pool: &'a Arc<Shared<T>>,
    owner: &'a str,
    number: u64,
    turn: oneshot::Receiver<Place<T>>,
}

impl<T: Send + 'static> Drop for Waits<'_, T> {
    fn drop(&mut self) {
        self.pool.change(|ledger| ledger.leave(self.owner, self.number));
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use futures_util::poll;

    use super::*;
    use crate::{PoolOptions, testing::ScriptedBackend};

    #[tokio::test(start_paused = true)]
    async fn nothing_is_left_of_an_owner_that_holds_nothing_and_went_away() {
        let options = PoolOptions { most: 1, ..PoolOptions::default() };
        let shared: Arc<Shared<()>> = Shared::new(Arc::new(ScriptedBackend::echo()), &options);
        let owners = || shared.ledger.lock().owners();
        let mut used = shared.place("a", "1").await;
        assert!(used.begin().await.is_ok_and(|begun| begun));
        let mut waits = Box::pin(shared.place("b", "1"));
        assert!(poll!(&mut waits).is_pending());
        assert_eq!(owners(), 2);
        drop(waits);
        assert_eq!(owners(), 1);
        let mut waits = Box::pin(shared.place("b", "1"));
        assert!(poll!(&mut waits).is_pending());
        drop(used);
        assert_eq!(owners(), 1, "it has its turn, and `a` has nothing");
        drop(waits);
        assert_eq!(owners(), 0);
    }
}
