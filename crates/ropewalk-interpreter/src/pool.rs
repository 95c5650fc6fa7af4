//! Sessions by owner and key, bounded in number and in time.

mod ledger;
mod place;
mod spare;

use std::{fmt, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use self::place::{Place, Shared};
use crate::{Backend, Error, Interpreter};

/// How often the sweeper looks, at most and at least.
const OFTEN: Duration = Duration::from_secs(1);
const SELDOM: Duration = Duration::from_secs(30);

/// How many sessions there may be, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolOptions {
    /// Sessions at once, at least one; 32. Whoever is over the bound gets the place of an idle one, or waits.
    pub most: usize,
    /// Sessions of one owner at once, at least one; as many as there may be in all if it is `None`, as it is by default.
    pub most_per_owner: Option<usize>,
    /// Keeps one session more ready for whoever has none, so that nobody waits for its beginning; not unless set. It
    /// begins with the [sweeper](SessionPool::sweep), or with the first session.
    pub spare: bool,
    /// How long a session may be idle; 20 minutes.
    pub idle: Duration,
    /// How long a session may last in all; an hour. One that is in use then ends behind its user.
    pub longest: Duration,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            most: 32,
            most_per_owner: None,
            spare: false,
            idle: Duration::from_secs(20 * 60),
            longest: Duration::from_secs(3600),
        }
    }
}

/// Sessions by owner and key, such as an organisation and a thread's id, each with a `T` that its users keep beside it. Cheap to
/// clone.
///
/// - **One key, one session:** keys of two owners are never the same one. The users of a key come one after another.
/// - **Fair:** where there are as many sessions as there may be, the next place is for the owner who holds fewest, in use or idle; of
///   equals for who waits longest. In an owner it is first come, first served.
/// - **The idlest gives way,** of the owner who holds most. An owner with an equal share or more gives up its own first, and none
///   loses a session to an owner that holds as many or more: that one waits for its own users.
pub struct SessionPool<T: Send + 'static> {
    shared: Arc<Shared<T>>,
    options: PoolOptions,
}

/// The use of a session. Dropped, it goes back to the pool, unless it has ended.
pub struct Lease<T: Send + 'static> {
    place: Place<T>,
    is_new: bool,
}

impl<T: Default + Send + 'static> SessionPool<T> {
    /// A pool of sessions of `backend`.
    pub fn new(backend: Arc<dyn Backend>, options: PoolOptions) -> Self {
        Self { shared: Shared::new(backend, &options), options }
    }

    /// The session of `key`, once nobody else uses it: the one that is there, or a new one once there is room for `owner`.
    ///
    /// Dropped before it is ready, it leaves its turn to the next.
    ///
    /// # Errors
    ///
    /// As [`Backend::begin`].
    pub async fn session(&self, owner: &str, key: &str) -> Result<Lease<T>, Error> {
        let mut place = self.shared.place(owner, key).await;
        let is_new = place.begin().await?;
        Ok(Lease { place, is_new })
    }

    /// Ends the session of the owner's `key`: at once, or when its user is done with it.
    pub fn end(&self, owner: &str, key: &str) {
        self.shared.end(owner, key);
    }

    /// Ends sessions whose time is over, until `stop`; then all of them, those in use as soon as their users are done.
    pub async fn sweep(&self, stop: CancellationToken) {
        self.shared.spare.prepare();
        let pause = (self.options.idle.min(self.options.longest) / 4).clamp(OFTEN, SELDOM);
        while stop.run_until_cancelled(sleep(pause)).await.is_some() {
            self.shared.sweep();
        }
        self.shared.close();
    }
}

impl<T: Send + 'static> Lease<T> {
    /// The session, and what its users keep beside it.
    pub fn parts(&mut self) -> (&mut dyn Interpreter, &mut T) {
        let seated = self.place.session.as_mut().expect("it is taken when the lease is dropped");
        (&mut *seated.interpreter, &mut seated.notes)
    }

    /// Whether it was begun for this use.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Ends the session in place of giving it back.
    pub fn discard(mut self) {
        self.place.session = None;
    }
}

impl<T: Send + 'static> Drop for Lease<T> {
    fn drop(&mut self) {
        // The place goes back behind this.
        if let Some(seated) = &mut self.place.session {
            seated.used = Instant::now();
        }
    }
}

impl<T: Send + 'static> Clone for SessionPool<T> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), options: self.options.clone() }
    }
}

impl<T: Send + 'static> fmt::Debug for SessionPool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionPool").field("options", &self.options).finish_non_exhaustive()
    }
}

impl<T: Send + 'static> fmt::Debug for Lease<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("is_new", &self.is_new).finish_non_exhaustive()
    }
}
