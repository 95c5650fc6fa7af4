use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    sync::{Mutex as Turn, Notify, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::{Backend, Error, Interpreter};

/// How often the sweeper looks, at most and at least.
const OFTEN: Duration = Duration::from_secs(1);
const SELDOM: Duration = Duration::from_secs(30);

/// How many sessions there may be, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolOptions {
    /// Sessions at once, at least one; 32. Whoever is over the bound gets the place of the idlest, or waits.
    pub most: usize,
    /// How long a session may be idle; 20 minutes.
    pub idle: Duration,
    /// How long a session may last in all; an hour. One that is in use then ends behind its user.
    pub longest: Duration,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self { most: 32, idle: Duration::from_secs(20 * 60), longest: Duration::from_secs(3600) }
    }
}

/// Sessions by key, such as a thread's id, each with a `T` that its users keep beside it. Cheap to clone.
///
/// One key has one session, and its users come one after another, first come first served.
pub struct SessionPool<T>(Arc<Shared<T>>);

struct Shared<T> {
    backend: Arc<dyn Backend>,
    options: PoolOptions,
    seats: Mutex<HashMap<String, Arc<Seat<T>>>>,
    room: Arc<Semaphore>,
    /// Those who wait for room, in order.
    line: Turn<()>,
    /// A session was given back, or ended.
    freed: Notify,
    closed: AtomicBool,
}

/// The place of a key's session.
struct Seat<T> {
    session: Arc<Turn<Option<Seated<T>>>>,
    /// The session ends when its user is done.
    doomed: AtomicBool,
}

struct Seated<T> {
    interpreter: Box<dyn Interpreter>,
    notes: T,
    begun: Instant,
    used: Instant,
    _room: OwnedSemaphorePermit,
}

/// The use of a session. Dropped, it goes back to the pool, unless it has ended.
pub struct Lease<T: Send + 'static> {
    pool: Arc<Shared<T>>,
    seat: Arc<Seat<T>>,
    /// Let go of last.
    place: Option<OwnedMutexGuard<Option<Seated<T>>>>,
    /// Here while it is used.
    seated: Option<Seated<T>>,
    is_new: bool,
}

impl<T: Default + Send + 'static> SessionPool<T> {
    /// A pool of sessions of `backend`.
    pub fn new(backend: Arc<dyn Backend>, options: PoolOptions) -> Self {
        let room = Arc::new(Semaphore::new(options.most.clamp(1, Semaphore::MAX_PERMITS)));
        Self(Arc::new(Shared {
            backend,
            options,
            seats: Mutex::default(),
            room,
            line: Turn::default(),
            freed: Notify::new(),
            closed: AtomicBool::new(false),
        }))
    }

    /// The session of `key`, once nobody else uses it: the one that is there, or a new one once there is room.
    ///
    /// # Errors
    ///
    /// As [`Backend::begin`].
    pub async fn session(&self, key: &str) -> Result<Lease<T>, Error> {
        let shared = &self.0;
        let seat = shared.seats.lock().entry(key.to_owned()).or_default().clone();
        // Dropped while the session was on its way here, it leaves one that nobody uses.
        let _told = Tells(&shared.freed);
        let mut place = seat.session.clone().lock_owned().await;
        let there = place.take().filter(|seated| shared.may_stay(&seat, seated));
        let (seated, is_new) = match there {
            Some(seated) => (seated, false),
            None => {
                seat.doomed.store(false, Ordering::Relaxed);
                (shared.begin().await?, true)
            }
        };
        Ok(Lease { pool: shared.clone(), seat, place: Some(place), seated: Some(seated), is_new })
    }

    /// Ends the session of `key`: at once, or when its user is done with it.
    pub fn end(&self, key: &str) {
        let seat = self.0.seats.lock().get(key).cloned();
        if let Some(seat) = seat {
            seat.doomed.store(true, Ordering::Relaxed);
            self.0.end_unless_kept(&seat);
        }
    }

    /// Ends sessions whose time is over, until `stop`; then all of them, those in use as soon as their users are done.
    pub async fn sweep(&self, stop: CancellationToken) {
        let options = &self.0.options;
        let pause = (options.idle.min(options.longest) / 4).clamp(OFTEN, SELDOM);
        while stop.run_until_cancelled(sleep(pause)).await.is_some() {
            self.0.sweep();
        }
        self.0.closed.store(true, Ordering::Relaxed);
        self.0.sweep();
    }
}

impl<T: Default> Shared<T> {
    async fn begin(&self) -> Result<Seated<T>, Error> {
        let room = self.wait_for_room().await;
        let begun = self.backend.begin().await?;
        let now = Instant::now();
        Ok(Seated { interpreter: begun, notes: T::default(), begun: now, used: now, _room: room })
    }

    async fn wait_for_room(&self) -> OwnedSemaphorePermit {
        let _turn = self.line.lock().await;
        loop {
            let freed = self.freed.notified();
            if let Ok(room) = self.room.clone().try_acquire_owned() {
                return room;
            }
            if self.end_idlest() {
                continue;
            }
            // Room comes back in many ways, and not all of them are told: a beginning that is dropped is silent.
            tokio::select! {
                biased;
                Ok(room) = self.room.clone().acquire_owned() => return room,
                () = freed => {}
            }
        }
    }
}

impl<T> Shared<T> {
    fn may_stay(&self, seat: &Seat<T>, seated: &Seated<T>) -> bool {
        !seat.doomed.load(Ordering::Relaxed)
            && seated.begun.elapsed() < self.options.longest
            && seated.used.elapsed() < self.options.idle
            && seated.interpreter.is_alive()
    }

    /// Ends the session that nobody has used for longest; says whether there was one.
    fn end_idlest(&self) -> bool {
        let seats: Vec<_> = self.seats.lock().values().cloned().collect();
        let idle = seats.iter().filter_map(|seat| {
            let place = seat.session.clone().try_lock_owned().ok()?;
            let used = place.as_ref()?.used;
            Some((used, place))
        });
        let idlest = idle.min_by_key(|(used, _)| *used);
        idlest.is_some_and(|(_, mut place)| place.take().is_some())
    }

    /// Ends the session of a seat that nobody uses, if it may not stay.
    fn end_unless_kept(&self, seat: &Seat<T>) {
        let Ok(mut place) = seat.session.clone().try_lock_owned() else { return };
        let closed = self.closed.load(Ordering::Relaxed);
        if place.as_ref().is_some_and(|seated| closed || !self.may_stay(seat, seated)) {
            drop(place.take());
            self.freed.notify_one();
        }
    }

    fn sweep(&self) {
        let seats: Vec<_> = self.seats.lock().values().cloned().collect();
        seats.iter().for_each(|seat| self.end_unless_kept(seat));
        drop(seats);
        // A seat that nobody sits on or waits for is in the map alone.
        let is_free = |seat: &Seat<T>| seat.session.try_lock().is_ok_and(|place| place.is_none());
        self.seats.lock().retain(|_, seat| Arc::strong_count(seat) > 1 || !is_free(seat));
    }
}

impl<T: Send + 'static> Lease<T> {
    /// The session, and what its users keep beside it.
    pub fn parts(&mut self) -> (&mut dyn Interpreter, &mut T) {
        let seated = self.seated.as_mut().expect("it is taken when the lease is dropped");
        (&mut *seated.interpreter, &mut seated.notes)
    }

    /// Whether it was begun for this use.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Ends the session in place of giving it back.
    pub fn discard(self) {
        self.seat.doomed.store(true, Ordering::Relaxed);
    }
}

impl<T: Send + 'static> Drop for Lease<T> {
    fn drop(&mut self) {
        let closed = self.pool.closed.load(Ordering::Relaxed);
        let seated = self.seated.take().map(|seated| Seated { used: Instant::now(), ..seated });
        if let Some(mut place) = self.place.take() {
            *place = seated.filter(|seated| !closed && self.pool.may_stay(&self.seat, seated));
        }
        // Whoever waits for room finds the place unlocked.
        self.pool.freed.notify_one();
    }
}

/// Tells of what is free when it is dropped.
struct Tells<'a>(&'a Notify);

impl Drop for Tells<'_> {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl<T> Default for Seat<T> {
    fn default() -> Self {
        Self { session: Arc::default(), doomed: AtomicBool::new(false) }
    }
}

impl<T> Clone for SessionPool<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for SessionPool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionPool").field("options", &self.0.options).finish_non_exhaustive()
    }
}

impl<T: Send + 'static> fmt::Debug for Lease<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("is_new", &self.is_new).finish_non_exhaustive()
    }
}
