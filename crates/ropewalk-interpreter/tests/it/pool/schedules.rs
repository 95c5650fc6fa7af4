//! Users that come, stay and go away as they like.

use std::{collections::HashSet, sync::Arc, time::Duration};

use futures_util::future::join_all;
use proptest::{collection::vec, prelude::*};
use ropewalk_interpreter::{PoolOptions, SessionPool, testing::ScriptedBackend};
use tokio::time::sleep;

use super::{Slow, lease_of};

/// Sessions in use by owner and key. Dropped, a use is over.
#[derive(Clone, Default)]
struct Using(Arc<parking_lot::Mutex<HashSet<(u8, u8)>>>);

struct Use(Using, (u8, u8));

impl Using {
    fn begin(&self, owner: u8, key: u8) -> Use {
        assert!(self.0.lock().insert((owner, key)), "two users of one session");
        Use(self.clone(), (owner, key))
    }

    fn of(&self, owner: u8) -> usize {
        self.0.lock().iter().filter(|(of, _)| *of == owner).count()
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        self.0.0.lock().remove(&self.1);
    }
}

/// What somebody does: times are milliseconds.
#[derive(Debug, Clone)]
struct User {
    owner: u8,
    key: u8,
    begins: u64,
    lasts: u64,
    /// When it goes away, whatever it does then.
    patience: Option<u64>,
    /// It ends the session of its key before it asks.
    ends: bool,
    discards: bool,
}

fn user() -> impl Strategy<Value = User> {
    let times = (0..20_u64, 0..50_u64, prop::option::weighted(0.3, 0..60_u64));
    let flags = (prop::bool::weighted(0.1), prop::bool::weighted(0.1));
    (0..3_u8, 0..4_u8, times, flags).prop_map(|(owner, key, (begins, lasts, patience), (ends, discards))| {
        User { owner, key, begins, lasts, patience, ends, discards }
    })
}

impl User {
    async fn live(self, pool: SessionPool<u32>, using: Using, check: impl Fn(u8)) {
        let (owner, key) = (self.owner.to_string(), self.key.to_string());
        sleep(Duration::from_millis(self.begins)).await;
        if self.ends {
            pool.end(&owner, &key);
        }
        let work = async {
            let lease = lease_of(&pool, &owner, &key).await;
            let used = using.begin(self.owner, self.key);
            check(self.owner);
            sleep(Duration::from_millis(self.lasts)).await;
            drop(used);
            if self.discards {
                lease.discard();
            }
        };
        match self.patience {
            Some(patience) => drop(tokio::time::timeout(Duration::from_millis(patience), work).await),
            None => work.await,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whoever asks is served, however many ask and go away at any time: there are never more sessions than there may be, in all and
    /// of an owner, a key never has two users, and no place is lost.
    #[test]
    fn all_are_served_within_the_bounds(
        most in 1..4_usize, most_per_owner in prop::option::of(1..3_usize), begins in 0..10_u64, users in vec(user(), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let backend = ScriptedBackend::echo();
            let mut options = PoolOptions::default();
            (options.most, options.most_per_owner) = (most, most_per_owner);
            let slow = Slow(backend.clone(), Duration::from_millis(begins));
            let pool: SessionPool<u32> = SessionPool::new(Arc::new(slow), options);
            let using = Using::default();
            let check = |owner| {
                assert!(backend.live() <= most);
                assert!(most_per_owner.is_none_or(|most| using.of(owner) <= most));
            };
            // A few seconds are enough for all of them one after another.
            let all = join_all(users.into_iter().map(|user| user.live(pool.clone(), using.clone(), check)));
            let all = tokio::time::timeout(Duration::from_secs(10), all);
            assert!(all.await.is_ok(), "somebody waits for ever");
            let owners: Vec<String> = (10..10 + most).map(|owner| owner.to_string()).collect();
            let anew = join_all(owners.iter().map(|owner| lease_of(&pool, owner, "1")));
            let anew = tokio::time::timeout(Duration::from_secs(10), anew).await.expect("a place was lost");
            assert_eq!((anew.len(), backend.live()), (most, most));
        });
    }
}
