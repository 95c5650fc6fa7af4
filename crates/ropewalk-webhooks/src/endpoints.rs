use ropewalk_store::{
    Batch, Document, Expect, Kind, ListRequest, Organization, Put, Scope, Store, StoreError, TimeOrderedIds,
};
use ropewalk_types::{IdSource, Order, UnixSeconds};
use serde::{Deserialize, Serialize};

use crate::{BadSecret, CreatedEndpoint, Endpoint, EndpointError, NewEndpoint, SigningSecret};

/// Most webhooks of an organisation, so that none can take all the places of those that are being told.
const MOST_OF_ORGANIZATION: i64 = 8;
/// Most webhooks of a store: all are held in memory.
const MOST: i64 = 1000;
/// Webhooks read in one go.
const PAGE: usize = 100;
/// Tries of a change that others keep getting ahead of.
const CHANGE_TRIES: usize = 20;

/// How many there are.
const ALL: &str = "webhooks/all";
/// Raised with every change.
const REVISION: &str = "webhooks/revision";

fn of(organization: &str) -> String {
    format!("webhooks/of/{organization}")
}

/// What is kept with a webhook and never shown.
#[derive(Serialize, Deserialize)]
struct Hidden {
    secret: String,
}

/// The webhooks in a store: made, listed and deleted while servers run on it. Cheap to clone.
///
/// They belong to the server, not to a tenant: what makes one chooses where a server sends requests to.
#[derive(Debug, Clone)]
pub struct Endpoints {
    scope: Scope,
}

impl Endpoints {
    /// The webhooks in this store.
    pub fn new(store: &Store) -> Self {
        Self { scope: store.scope(Organization::system()) }
    }

    /// Makes a webhook with a secret of its own.
    ///
    /// # Errors
    ///
    /// [`EndpointError`], each for what its variant says; [`EndpointError::Unknown`] never.
    pub async fn create(&self, new: NewEndpoint, now: UnixSeconds) -> Result<CreatedEndpoint, EndpointError> {
        let endpoint = new.check(format!("whk_{}", TimeOrderedIds.body()), now)?;
        let created = CreatedEndpoint::new(SigningSecret::generate(), endpoint);
        let state = json(&Hidden { secret: created.secret.reveal() });
        let of = of(&created.endpoint.organization);
        let batch = Batch::new()
            .put(put(&created.endpoint).state(state).expect(Expect::Absent))
            .add(&*of, 1)
            .require_at_most(&*of, MOST_OF_ORGANIZATION)
            .add(ALL, 1)
            .require_at_most(ALL, MOST)
            .add(REVISION, 1);
        match self.scope.commit(batch).await {
            Ok(()) => Ok(created),
            Err(StoreError::OverLimit { counter, limit }) => {
                Err(EndpointError::TooMany { limit, of_organization: counter == of })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// All webhooks, the oldest first.
    ///
    /// # Errors
    ///
    /// [`EndpointError::Store`].
    pub async fn list(&self) -> Result<Vec<Endpoint>, EndpointError> {
        let mut endpoints: Vec<Endpoint> = Vec::new();
        loop {
            let request = ListRequest::new(Kind::Webhook).order(Order::Asc).limit(PAGE);
            let page = match endpoints.last() {
                Some(last) => self.scope.list(&request.after(last.id.as_str())).await?,
                None => self.scope.list(&request).await?,
            };
            for document in &page.documents {
                endpoints.push(document.decode()?);
            }
            if !page.has_more {
                return Ok(endpoints);
            }
        }
    }

    /// Deletes a webhook. What is on its way to it is dropped when it falls due.
    ///
    /// # Errors
    ///
    /// [`EndpointError::Unknown`], [`EndpointError::Store`].
    pub async fn delete(&self, id: &str) -> Result<Endpoint, EndpointError> {
        self.change(id, |endpoint, document| {
            Batch::new()
                .require_version(Kind::Webhook, id, document.version)
                .delete(Kind::Webhook, id)
                .add(of(&endpoint.organization), -1)
                .add(ALL, -1)
        })
        .await
    }

    /// Switches a webhook on or off. What is on its way while it is off is dropped when it falls due.
    ///
    /// # Errors
    ///
    /// [`EndpointError::Unknown`], [`EndpointError::Store`].
    pub async fn set_enabled(&self, id: &str, enabled: bool) -> Result<Endpoint, EndpointError> {
        self.change(id, |endpoint, document| {
            endpoint.enabled = enabled;
            let mut put = put(endpoint).expect(Expect::Version(document.version));
            put.state.clone_from(&document.state);
            Batch::new().put(put)
        })
        .await
    }

    async fn change(
        &self,
        id: &str,
        edit: impl Fn(&mut Endpoint, &Document) -> Batch,
    ) -> Result<Endpoint, EndpointError> {
        for _ in 0..CHANGE_TRIES {
            let unknown = || EndpointError::Unknown(id.to_owned());
            let document = self.scope.get(Kind::Webhook, id).await?.ok_or_else(unknown)?;
            let mut endpoint: Endpoint = document.decode()?;
            let batch = edit(&mut endpoint, &document).add(REVISION, 1);
            match self.scope.commit(batch).await {
                Ok(()) => return Ok(endpoint),
                Err(error) if error.is_overtaken() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Busy.into())
    }

    /// The webhook as it is now, with its secret.
    pub(crate) async fn find(&self, id: &str) -> Result<Option<(Endpoint, SigningSecret)>, StoreError> {
        let Some(document) = self.scope.get(Kind::Webhook, id).await? else { return Ok(None) };
        let hidden: Option<Hidden> = document.decode_state()?;
        let secret = hidden.ok_or(BadSecret).and_then(|hidden| SigningSecret::parse(&hidden.secret));
        let corrupt = |source: BadSecret| StoreError::Corrupt {
            kind: Kind::Webhook,
            id: id.to_owned(),
            source: source.into(),
        };
        Ok(Some((document.decode()?, secret.map_err(corrupt)?)))
    }

    /// Another number after each change.
    pub(crate) async fn revision(&self) -> Result<i64, StoreError> {
        self.scope.counter(REVISION).await
    }
}

fn put(endpoint: &Endpoint) -> Put {
    Put::new(Kind::Webhook, &endpoint.id, endpoint.created_at.0, json(endpoint))
}

fn json(value: &impl Serialize) -> Vec<u8> {
    // It has string keys and whole numbers: writing it cannot fail.
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_000);
    const URL: &str = "https://example.com/hook";

    #[tokio::test]
    async fn a_webhook_is_listed_switched_and_deleted() {
        let endpoints = Endpoints::new(&Store::in_memory());
        let made = endpoints.create(NewEndpoint::new("acme", URL).event("a.b"), NOW).await.unwrap();
        assert_eq!(endpoints.list().await.unwrap(), std::slice::from_ref(&made.endpoint));
        let id = made.endpoint.id.as_str();
        let revision = endpoints.revision().await.unwrap();

        assert!(!endpoints.set_enabled(id, false).await.unwrap().enabled);
        let (found, secret) = endpoints.find(id).await.unwrap().unwrap();
        assert!(!found.enabled && secret == made.secret, "the secret stays");
        assert!(endpoints.set_enabled(id, true).await.unwrap().enabled);
        assert_eq!(endpoints.delete(id).await.unwrap(), made.endpoint);
        assert!(endpoints.list().await.unwrap().is_empty());
        assert_eq!(endpoints.revision().await.unwrap(), revision + 3);
        assert!(matches!(endpoints.delete(id).await, Err(EndpointError::Unknown(_))));
        assert!(matches!(endpoints.set_enabled(id, true).await, Err(EndpointError::Unknown(_))));
    }

    #[tokio::test]
    async fn an_organisation_has_eight_webhooks_and_the_next_one_eight_more() {
        let endpoints = Endpoints::new(&Store::in_memory());
        for organization in ["acme", "acme-2"] {
            for _ in 0..8 {
                endpoints.create(NewEndpoint::new(organization, URL), NOW).await.unwrap();
            }
        }
        let ninth = endpoints.create(NewEndpoint::new("acme", URL), NOW).await;
        assert!(matches!(ninth, Err(EndpointError::TooMany { limit: 8, of_organization: true })));
        let listed = endpoints.list().await.unwrap();
        assert_eq!(listed.len(), 16);
        endpoints.delete(&listed[0].id).await.unwrap();
        endpoints.create(NewEndpoint::new("acme", URL), NOW).await.unwrap();
    }

    #[tokio::test]
    async fn a_secret_is_kept_where_no_list_shows_it() {
        let store = Store::in_memory();
        let endpoints = Endpoints::new(&store);
        let made = endpoints.create(NewEndpoint::new("acme", URL), NOW).await.unwrap();
        let listed = serde_json::to_string(&endpoints.list().await.unwrap()).unwrap();
        let shown = format!("{listed}{endpoints:?}{made:?}");
        assert!(!shown.contains("whsec_") && !shown.contains(&made.secret.reveal()[6..]));
    }
}
