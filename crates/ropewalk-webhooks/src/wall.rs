//! What keeps deliveries from private addresses.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};
use tokio::{net::lookup_host, sync::Semaphore};

use crate::is_public;

/// Names that are looked up at once: each holds a thread, for as long as its name servers please.
const LOOKUPS: usize = 32;

/// An address that nothing is sent to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("{0} is not a public address, and others are not allowed")]
    Literal(IpAddr),
    #[error("the name leads to no public address, and others are not allowed")]
    Name,
}

/// Stands between a URL and a connection: what it does not let through is never connected to.
///
/// A name is resolved here and nowhere else, for each connection, and the connection goes to an address that was looked at:
/// a name that leads elsewhere the next time gains nothing by it.
#[derive(Clone)]
pub(crate) struct Wall {
    allow_private: bool,
    lookups: Arc<Semaphore>,
}

impl Wall {
    pub(crate) fn new(allow_private: bool) -> Self {
        Self { allow_private, lookups: Arc::new(Semaphore::new(LOOKUPS)) }
    }

    /// Refuses a URL whose host is such an address itself: nobody resolves those.
    pub(crate) fn check(&self, url: &Url) -> Result<(), Refused> {
        let host = url.host_str().unwrap_or_default();
        // What a URL has for a host is in its plainest form: `http://0x7f.1/` has become `http://127.0.0.1/`.
        match host.trim_start_matches('[').trim_end_matches(']').parse() {
            Ok(address) if !self.lets(address) => Err(Refused::Literal(address)),
            _ => Ok(()),
        }
    }

    fn lets(&self, address: IpAddr) -> bool {
        self.allow_private || is_public(address)
    }

    /// Those of the addresses that may be connected to; there is at least one.
    fn sift(&self, found: impl Iterator<Item = SocketAddr>) -> Result<Vec<SocketAddr>, Refused> {
        let open: Vec<_> = found.filter(|address| self.lets(address.ip())).collect();
        if open.is_empty() { Err(Refused::Name) } else { Ok(open) }
    }
}

impl fmt::Debug for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wall").field("allow_private", &self.allow_private).finish_non_exhaustive()
    }
}

impl Resolve for Wall {
    fn resolve(&self, name: Name) -> Resolving {
        let wall = self.clone();
        Box::pin(async move {
            let permit = Arc::clone(&wall.lookups).acquire_owned().await?;
            // A task of its own: a lookup cannot be stopped, and holds its permit until it is over.
            let lookup = tokio::spawn(async move {
                let _permit = permit;
                Ok::<_, io::Error>(lookup_host((name.as_str(), 0)).await?.collect::<Vec<_>>())
            });
            let open = wall.sift(lookup.await??.into_iter())?;
            Ok::<Addrs, _>(Box::new(open.into_iter()))
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lets(url: &str) -> bool {
        Wall::new(false).check(&url.parse().unwrap()).is_ok()
    }

    #[test]
    fn no_way_of_writing_a_private_address_gets_through() {
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "0177.0.0.1",
            "127.0.0.1.",
            "0",
            "0.0.0.0",
            "169.254.169.254",
            "2852039166",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:a9fe:a9fe]",
            "[fd00::1]",
            "[64:ff9b::a00:1]",
            "%31%32%37.0.0.1",
            "１２７.0.0.1",
            "127。0。0。1",
        ] {
            assert!(!lets(&format!("http://{host}:8080/hook")), "{host}");
        }
        for host in ["8.8.8.8", "[2606:4700::1111]", "example.com", "127.example.com"] {
            assert!(lets(&format!("https://{host}/hook")), "{host}");
        }
        assert!(Wall::new(true).check(&"http://127.0.0.1/".parse().unwrap()).is_ok());
    }

    proptest! {
        /// Whatever a name leads to, only public addresses come out, and all of them.
        #[test]
        fn a_name_opens_only_its_public_addresses(found: Vec<(bool, u32, u128)>) {
            let address = |(v4, short, long): (bool, u32, u128)| {
                let ip = if v4 { IpAddr::V4(short.into()) } else { IpAddr::V6(long.into()) };
                SocketAddr::new(ip, 0)
            };
            let found: Vec<_> = found.into_iter().map(address).collect();
            let public: Vec<_> = found.iter().copied().filter(|address| is_public(address.ip())).collect();
            match Wall::new(false).sift(found.iter().copied()) {
                Ok(open) => prop_assert_eq!(open, public),
                Err(_) => prop_assert!(public.is_empty()),
            }
        }

        /// The check of a URL and the check of an address agree, however the URL is written.
        #[test]
        fn a_literal_is_what_its_address_is(bits: u32, long: u128) {
            for address in [IpAddr::V4(bits.into()), IpAddr::V6(long.into())] {
                let host = if address.is_ipv6() { format!("[{address}]") } else { address.to_string() };
                prop_assert_eq!(lets(&format!("http://{host}/")), is_public(address));
            }
            prop_assert_eq!(lets(&format!("http://{bits}/")), is_public(IpAddr::V4(bits.into())));
        }
    }

    #[tokio::test]
    async fn a_name_of_this_machine_leads_nowhere() {
        let resolve = |allow| Wall::new(allow).resolve("localhost".parse().unwrap());
        let Err(error) = resolve(false).await else { panic!("localhost is no public name") };
        assert!(matches!(error.downcast_ref(), Some(Refused::Name)), "{error}");
        assert!(resolve(true).await.is_ok_and(|mut found| found.all(|address| address.ip().is_loopback())));
    }
}
