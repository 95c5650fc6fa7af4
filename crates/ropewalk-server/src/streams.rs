//! How many event streams may be open at once.

use std::{collections::HashMap, sync::Arc, time::Duration};

use http::StatusCode;
use parking_lot::Mutex;
use ropewalk_store::Organization;
use ropewalk_types::ErrorObject;

use crate::{api_error::ApiError, bounds::Bounds, measures};

/// When a client that found no room may try again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The event streams that are open, counted for each organisation.
#[derive(Debug)]
pub(crate) struct Streams {
    most: usize,
    most_of_one: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    /// Those that have none are not here.
    of: HashMap<Organization, usize>,
}

impl Streams {
    pub(crate) fn new(bounds: &Bounds) -> Arc<Self> {
        let (most, most_of_one) = (bounds.streams, bounds.streams_per_organization);
        Arc::new(Self { most, most_of_one, open: Mutex::default() })
    }

    /// Takes the room of one stream, until the slot is dropped.
    ///
    /// # Errors
    ///
    /// 429 if the organisation has as many as it may, 503 if the server has.
    pub(crate) fn open(self: &Arc<Self>, organization: &Organization) -> Result<StreamSlot, ApiError> {
        let mut open = self.open.lock();
        let of_one = open.of.get(organization).copied().unwrap_or_default();
        if of_one >= self.most_of_one {
            let message = format!(
                "Too many event streams of {organization} are open: Limit {}. Close some, or do without `stream`.",
                self.most_of_one
            );
            let error = ErrorObject { kind: "requests".to_owned(), ..ErrorObject::invalid_request(message) };
            let error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, error.code("rate_limit_exceeded"));
            return Err(error.retry_after(RETRY_AFTER));
        }
        if open.all >= self.most {
            let message = "The server has no room for another event stream. Try again shortly.";
            return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, ErrorObject::server(message)));
        }
        open.all += 1;
        measures::streams(1);
        open.of.insert(organization.clone(), of_one + 1);
        Ok(StreamSlot { streams: Arc::clone(self), organization: organization.clone() })
    }
}

/// The room of one open event stream.
#[derive(Debug)]
pub(crate) struct StreamSlot {
    streams: Arc<Streams>,
    organization: Organization,
}

impl Drop for StreamSlot {
    fn drop(&mut self) {
        measures::streams(-1);
        let mut open = self.streams.open.lock();
        open.all = open.all.saturating_sub(1);
        if let Some(of_one) = open.of.get_mut(&self.organization) {
            *of_one = of_one.saturating_sub(1);
            if *of_one == 0 {
                open.of.remove(&self.organization);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_given_back_and_one_organisation_cannot_take_all_of_it() {
        let bounds = Bounds { streams: 3, streams_per_organization: 2, ..Bounds::default() };
        let streams = Streams::new(&bounds);
        let (a, b) = (Organization::new("org-a"), Organization::new("org-b"));
        let first = streams.open(&a).unwrap();
        let _second = streams.open(&a).unwrap();
        assert_eq!(streams.open(&a).unwrap_err().status(), StatusCode::TOO_MANY_REQUESTS);
        let _third = streams.open(&b).unwrap();
        assert_eq!(streams.open(&b).unwrap_err().status(), StatusCode::SERVICE_UNAVAILABLE);
        drop(first);
        drop(streams.open(&a).unwrap());
        drop(streams.open(&b).unwrap());
        assert_eq!(streams.open.lock().all, 2);
    }
}
