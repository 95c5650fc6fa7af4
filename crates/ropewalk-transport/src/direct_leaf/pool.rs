use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use http::uri::Authority;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::connection::Connection;

const MAX_IDLE_PER_HOST: usize = 512;
const IDLE_LIMIT: Duration = Duration::from_secs(30);

/// Connections that wait for their next request. The lock is held to move one in or out, never to do anything
/// with it.
pub(super) struct Pool {
    idle: Mutex<HashMap<Authority, Vec<Idle>>>,
    max_idle_per_host: usize,
}

impl Default for Pool {
    fn default() -> Self {
        Self { idle: Mutex::default(), max_idle_per_host: MAX_IDLE_PER_HOST }
    }
}

/// Idle lists are ordered by age, the oldest first.
struct Idle {
    connection: Box<Connection>,
    since: Instant,
}

impl Pool {
    /// The connection that was used last and is still open.
    pub(super) fn take(&self, host: &Authority) -> Option<Box<Connection>> {
        loop {
            let mut idle = self.idle.lock().get_mut(host)?.pop()?;
            if idle.since.elapsed() < IDLE_LIMIT && idle.connection.is_idle() {
                return Some(idle.connection);
            }
        }
    }

    /// Keeps an idle connection, and lets go of those, to any host, that nobody has wanted for too long.
    pub(super) fn put(&self, host: Authority, connection: Box<Connection>) {
        let since = Instant::now();
        let mut lists = self.idle.lock();
        let list = lists.entry(host).or_default();
        let surplus = (list.len() >= self.max_idle_per_host).then(|| list.remove(0));
        list.push(Idle { connection, since });
        let is_old = |idle: &Idle| since.duration_since(idle.since) >= IDLE_LIMIT;
        let old: Vec<Idle> =
            lists.values_mut().flat_map(|list| list.drain(..list.partition_point(is_old))).collect();
        lists.retain(|_, list| !list.is_empty());
        drop(lists);
        // Closing sockets is a matter for after the lock.
        drop((surplus, old));
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.idle.lock().iter().map(|(host, list)| (host.host(), list.len()))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;
    use tokio::time::{advance, pause, resume};

    async fn listen() -> (TcpListener, Authority) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string().parse().unwrap();
        (listener, host)
    }

    #[tokio::test]
    async fn a_host_keeps_a_bounded_number_of_idle_connections() {
        let (_listener, host) = listen().await;
        let pool = Pool { max_idle_per_host: 3, ..Pool::default() };
        for _ in 0..5 {
            pool.put(host.clone(), Connection::open(&host).await.unwrap());
        }
        assert_eq!(format!("{pool:?}"), r#"{"127.0.0.1": 3}"#);
    }

    #[tokio::test]
    async fn a_connection_idle_for_too_long_is_let_go_whoever_comes_next() {
        let (_listener, old) = listen().await;
        let (_other_listener, new) = listen().await;
        let pool = Pool::default();
        for late in [Duration::ZERO, IDLE_LIMIT] {
            pool.put(old.clone(), Connection::open(&old).await.unwrap());
            let fresh = Connection::open(&new).await.unwrap();
            pause();
            advance(late).await;
            resume();
            pool.put(new.clone(), fresh);
            assert_eq!(pool.idle.lock().contains_key(&old), late.is_zero());
        }
    }
}
