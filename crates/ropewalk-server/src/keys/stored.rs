use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use rand::distr::{Alphanumeric, SampleString};
use ropewalk_store::{
    Batch, Document, Expect, Kind, ListRequest, Organization, Put, Scope, Store, StoreError,
};
use ropewalk_types::{Order, UnixSeconds};

use super::{ApiKey, CreatedApiKey, KeyId, KeysError, NewApiKey};

/// Letters and digits of a key: 62^43 is more than 2^256.
const KEY_CHARACTERS: usize = 43;
/// Digits of an id that name its key if no other begins so.
const SHORTEST_ID: usize = 8;
/// Keys read in one go.
const PAGE: usize = 100;
/// Tries of a change that others keep getting ahead of.
const CHANGE_TRIES: usize = 20;

/// The keys in a store: made, listed and revoked while servers run on it. Cheap to clone.
///
/// Only their hashes are kept. What is changed here counts from the next request on, for nothing is cached.
#[derive(Debug, Clone)]
pub struct ApiKeys {
    scope: Scope,
    /// Whether a key was ever seen. Keys are revoked and never deleted, so this cannot turn false again.
    some: Arc<AtomicBool>,
}

impl ApiKeys {
    /// The keys in this store.
    pub fn new(store: &Store) -> Self {
        Self { scope: store.scope(Organization::system()), some: Arc::default() }
    }

    /// Makes a key.
    ///
    /// # Errors
    ///
    /// [`KeysError::Word`] if a name cannot be used, [`KeysError::Store`].
    pub async fn create(&self, new: NewApiKey, now: UnixSeconds) -> Result<CreatedApiKey, KeysError> {
        let key = format!("sk-{}", Alphanumeric.sample_string(&mut rand::rng(), KEY_CHARACTERS));
        let record = new.record(&key, now).ok_or(KeysError::Word)?;
        self.scope.commit(Batch::new().put(put(&record).expect(Expect::Absent))).await?;
        Ok(CreatedApiKey::new(key, record))
    }

    /// All keys, revoked and expired ones too, the oldest first.
    ///
    /// # Errors
    ///
    /// [`KeysError::Store`].
    pub async fn list(&self) -> Result<Vec<ApiKey>, KeysError> {
        let mut keys: Vec<ApiKey> = Vec::new();
        loop {
            let request = ListRequest::new(Kind::ApiKey).order(Order::Asc).limit(PAGE);
            let page = match keys.last() {
                Some(last) => self.scope.list(&request.after(last.id.as_str())).await?,
                None => self.scope.list(&request).await?,
            };
            for document in &page.documents {
                keys.push(document.decode()?);
            }
            if !page.has_more {
                return Ok(keys);
            }
        }
    }

    /// Ends a key at once and for ever. `id` may be the first eight or more digits if no other key's id begins so.
    ///
    /// A key that was revoked already stays as it is.
    ///
    /// # Errors
    ///
    /// [`KeysError::Unknown`], [`KeysError::Ambiguous`], [`KeysError::Store`].
    pub async fn revoke(&self, id: &str, now: UnixSeconds) -> Result<ApiKey, KeysError> {
        let id = id.to_ascii_lowercase();
        let unknown = || KeysError::Unknown(id.clone());
        let listed = if id.len() < SHORTEST_ID { Vec::new() } else { self.list().await? };
        let mut named = listed.into_iter().filter(|key| key.id.starts_with(&id));
        let key = named.next().ok_or_else(unknown)?;
        if named.next().is_some() {
            return Err(KeysError::Ambiguous(id));
        }
        for _ in 0..CHANGE_TRIES {
            let document = self.scope.get(Kind::ApiKey, &key.id).await?.ok_or_else(unknown)?;
            let mut key: ApiKey = document.decode()?;
            if key.revoked_at.is_some() {
                return Ok(key);
            }
            key.revoked_at = Some(now);
            match self
                .scope
                .commit(Batch::new().put(put(&key).expect(Expect::Version(document.version))))
                .await
            {
                Ok(()) => return Ok(key),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Busy.into())
    }

    /// Whether there is a key, be it revoked: a server on this store is not open to everybody then.
    ///
    /// # Errors
    ///
    /// [`KeysError::Store`].
    pub async fn any(&self) -> Result<bool, KeysError> {
        Ok(self.has_any().await?)
    }

    pub(crate) async fn has_any(&self) -> Result<bool, StoreError> {
        if self.some.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let some = !self.scope.list(&ListRequest::new(Kind::ApiKey).limit(1)).await?.documents.is_empty();
        if some {
            self.some.store(true, Ordering::Relaxed);
        }
        Ok(some)
    }

    /// The key with this id, if it opens anything at `now`.
    pub(crate) async fn find(&self, id: KeyId, now: UnixSeconds) -> Result<Option<ApiKey>, StoreError> {
        let found: Option<Document> = self.scope.get(Kind::ApiKey, &id.to_string()).await?;
        let Some(document) = found else { return Ok(None) };
        let key: ApiKey = document.decode()?;
        Ok(Some(key).filter(|key| key.is_live(now) && KeyId::parse(&key.id).is_some_and(|own| own.is(&id))))
    }
}

fn put(key: &ApiKey) -> Put {
    // It has string keys and whole numbers: writing it cannot fail.
    Put::new(Kind::ApiKey, &key.id, key.created_at.0, serde_json::to_vec(key).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_000);

    #[tokio::test]
    async fn a_key_lives_until_it_is_revoked_or_over() {
        let keys = ApiKeys::new(&Store::in_memory());
        assert!(!keys.any().await.unwrap());
        let made = keys.create(NewApiKey::new("org-a").expires_at(UnixSeconds(1_010)), NOW).await.unwrap();
        assert!(keys.any().await.unwrap());
        let id = KeyId::of(&made.key);
        assert_eq!(keys.find(id, UnixSeconds(1_009)).await.unwrap(), Some(made.record.clone()));
        assert_eq!(keys.find(id, UnixSeconds(1_010)).await.unwrap(), None);
        assert_eq!(keys.find(KeyId::of("sk-other"), NOW).await.unwrap(), None);

        let revoked = keys.revoke(&made.record.id[..8], UnixSeconds(1_005)).await.unwrap();
        assert_eq!(keys.find(id, NOW).await.unwrap(), None);
        assert_eq!(keys.revoke(&made.record.id, UnixSeconds(1_007)).await.unwrap(), revoked);
        assert!(keys.any().await.unwrap(), "a server whose last key is revoked is not open");
        assert_eq!(keys.list().await.unwrap(), [revoked]);
    }

    #[tokio::test]
    async fn a_key_is_nowhere_but_in_the_hands_of_who_made_it() {
        let store = Store::in_memory();
        let keys = ApiKeys::new(&store);
        let made = keys.create(NewApiKey::new("org-a").name("ci".to_owned()), NOW).await.unwrap();
        assert_eq!(made.key.len(), 46);
        let kept = store.scope(Organization::system()).list(&ListRequest::new(Kind::ApiKey)).await.unwrap();
        let kept = format!("{}{kept:?}{made:?}{keys:?}", String::from_utf8_lossy(&kept.documents[0].body));
        assert!(!kept.contains(&made.key[3..]) && kept.contains(&made.record.last4));
    }

    #[tokio::test]
    async fn all_keys_are_listed_and_names_must_fit_a_header() {
        let keys = ApiKeys::new(&Store::in_memory());
        let mut made = Vec::new();
        for number in 0..250 {
            let new = NewApiKey::new("org-a").name(format!("key {number}"));
            made.push(keys.create(new, NOW).await.unwrap().record);
        }
        assert_eq!(keys.list().await.unwrap(), made);
        assert!(matches!(keys.revoke("", NOW).await, Err(KeysError::Unknown(_))));
        for organization in ["", "two words", "naïve", "a\r\nb", &"x".repeat(257)] {
            let refused = keys.create(NewApiKey::new(organization), NOW).await;
            assert!(matches!(refused, Err(KeysError::Word)), "{organization}");
        }
    }
}
