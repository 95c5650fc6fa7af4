//! Who holds sessions, who waits for them, and whose turn it is.

use std::{cmp::Reverse, collections::BTreeMap, iter};

#[cfg(test)]
mod tests;

/// The sessions `S` of owners by key, and the waiters `W` for them. It only decides: what has to be done about it, its caller does.
///
/// # Contract
///
/// - **Bounded:** no more sessions are counted than there may be. One counts from the turn that begins it until it is freed.
/// - **Fair:** of those who can be served, the next turn is that of the owner who holds fewest sessions, of equals that of who waits
///   longest. In an owner it is that of the first in line whose key nobody uses.
/// - **No loss to those who have more:** an owner gets room from its own idle sessions and from owners who hold more than it does.
///   Whoever holds some may so have to wait for its own users while others have idle sessions; who holds none may have any.
/// - **Nobody starves:** an owner with none comes before all who hold some, and one with some has turns as its own users are done.
pub(super) struct Ledger<S, W> {
    most: usize,
    most_per_owner: usize,
    /// Only those who hold something or wait.
    owners: BTreeMap<String, Account<S, W>>,
    /// Numbers what comes, in order.
    counter: u64,
    closed: bool,
}

struct Account<S, W> {
    /// By key.
    sessions: BTreeMap<String, Held<S>>,
    /// By number.
    line: BTreeMap<u64, Waiting<W>>,
}

struct Held<S> {
    /// With the number of its return; `None` while somebody uses it.
    idle: Option<(u64, S)>,
    /// It ends when its user is done.
    doomed: bool,
}

struct Waiting<W> {
    key: String,
    waiter: W,
}

/// The turn of a waiter: from here on it uses the session of its key.
pub(super) struct Turn<S, W> {
    pub(super) waiter: W,
    pub(super) owner: String,
    pub(super) key: String,
    /// The session that is there already.
    pub(super) session: Option<S>,
    /// What made room, to be dropped before the waiter is told.
    pub(super) ended: Option<S>,
}

impl<S, W> Ledger<S, W> {
    pub(super) fn new(most: usize, most_per_owner: Option<usize>) -> Self {
        let most_per_owner = most_per_owner.unwrap_or(usize::MAX).max(1);
        Self { most: most.max(1), most_per_owner, owners: BTreeMap::new(), counter: 0, closed: false }
    }

    /// Puts a waiter for `key` at the end of the owner's line; its number there.
    pub(super) fn join(&mut self, owner: &str, key: &str, waiter: W) -> u64 {
        let number = self.number();
        let account = self.owners.entry(owner.to_owned()).or_default();
        account.line.insert(number, Waiting { key: key.to_owned(), waiter });
        number
    }

    /// Takes a waiter out of line, if it is in there still.
    pub(super) fn leave(&mut self, owner: &str, number: u64) {
        if let Some(account) = self.owners.get_mut(owner) {
            account.line.remove(&number);
        }
    }

    /// The session of `key` is idle from now on, unless it has to end: then it comes back, and counts until it is freed.
    pub(super) fn keep(&mut self, owner: &str, key: &str, session: S) -> Result<(), S> {
        let (number, closed) = (self.number(), self.closed);
        match self.held(owner, key) {
            Some(held) if !closed && !held.doomed => {
                held.idle = Some((number, session));
                Ok(())
            }
            _ => Err(session),
        }
    }

    /// The session of `key` is no more.
    pub(super) fn free(&mut self, owner: &str, key: &str) {
        if let Some(account) = self.owners.get_mut(owner) {
            account.sessions.remove(key);
        }
    }

    /// The session of `key` shall end.
    pub(super) fn doom(&mut self, owner: &str, key: &str) {
        if let Some(held) = self.held(owner, key) {
            held.doomed = true;
        }
    }

    /// Whether the session of `key` shall end. If so, the one that is begun in its place need not.
    pub(super) fn replace_doomed(&mut self, owner: &str, key: &str) -> bool {
        self.held(owner, key).is_some_and(|held| std::mem::take(&mut held.doomed))
    }

    /// From now on no session is kept.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    /// The idle sessions that have to end or of which `is_over` holds, by owner and key. They count until they are freed.
    pub(super) fn take_over(&mut self, is_over: impl Fn(&S) -> bool) -> Vec<(String, String, S)> {
        let closed = self.closed;
        let mut over = Vec::new();
        for (owner, account) in &mut self.owners {
            for (key, held) in &mut account.sessions {
                let ends = closed || held.doomed;
                let idle = held.idle.take_if(|(_, session)| ends || is_over(session));
                over.extend(idle.map(|(_, session)| (owner.clone(), key.clone(), session)));
            }
        }
        over
    }

    /// The turns that have come, in order. To be asked for after every change.
    pub(super) fn turns(&mut self) -> Vec<Turn<S, W>> {
        iter::from_fn(|| self.next()).collect()
    }

    /// How many owners hold something or wait.
    #[cfg(all(test, feature = "testing"))]
    pub(super) fn owners(&self) -> usize {
        self.owners.len()
    }

    fn next(&mut self) -> Option<Turn<S, W>> {
        self.owners.retain(|_, account| !account.sessions.is_empty() || !account.line.is_empty());
        let first = |(owner, account): (&String, &Account<S, W>)| {
            Some((account.sessions.len(), account.first()?, owner.clone()))
        };
        let mut first: Vec<_> = self.owners.iter().filter_map(first).collect();
        first.sort_unstable();
        // Passed over is who can only wait for its own users: at its own bound, or with nobody who holds more.
        first.into_iter().find_map(|(_, number, owner)| self.turn(owner, number))
    }

    fn turn(&mut self, owner: String, number: u64) -> Option<Turn<S, W>> {
        let account = self.owners.get_mut(&owner)?;
        let key = account.line.get(&number)?.key.clone();
        let idle = account.sessions.get_mut(&key).and_then(|held| held.idle.take());
        let session = idle.map(|(_, session)| session);
        let ended = match session.is_some() || self.has_room(&owner) {
            true => None,
            false => Some(self.end_idle_for(&owner)?),
        };
        let account = self.owners.get_mut(&owner)?;
        account.sessions.entry(key.clone()).or_default();
        let waiter = account.line.remove(&number)?.waiter;
        Some(Turn { waiter, owner, key, session, ended })
    }

    fn has_room(&self, owner: &str) -> bool {
        let all: usize = self.owners.values().map(|account| account.sessions.len()).sum();
        all < self.most && self.count(owner) < self.most_per_owner
    }

    /// Ends the session that shall make room for `owner`, if there is one.
    fn end_idle_for(&mut self, owner: &str) -> Option<S> {
        let count = self.count(owner);
        let share = (self.most / self.owners.len().max(1)).max(1);
        let (own_first, own_only) = (count >= share, count >= self.most_per_owner);
        let idle = self.owners.iter().flat_map(|(other, account)| {
            let (own, theirs) = (other == owner, account.sessions.len());
            let may_end = own || (!own_only && theirs > count);
            account.sessions.iter().filter_map(move |(key, held)| {
                let (returned, _) = held.idle.as_ref().filter(|_| may_end)?;
                Some(((own_first && !own, Reverse(theirs), *returned), other, key))
            })
        });
        let (_, other, key) = idle.min_by_key(|(rank, ..)| *rank)?;
        let (other, key) = (other.clone(), key.clone());
        let (_, ended) = self.owners.get_mut(&other)?.sessions.remove(&key)?.idle?;
        Some(ended)
    }

    fn count(&self, owner: &str) -> usize {
        self.owners.get(owner).map_or(0, |account| account.sessions.len())
    }

    fn held(&mut self, owner: &str, key: &str) -> Option<&mut Held<S>> {
        self.owners.get_mut(owner)?.sessions.get_mut(key)
    }

    fn number(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }
}

impl<S, W> Account<S, W> {
    /// The first in line whose key nobody uses.
    fn first(&self) -> Option<u64> {
        let is_free = |key: &str| self.sessions.get(key).is_none_or(|held| held.idle.is_some());
        self.line.iter().find(|(_, waiting)| is_free(&waiting.key)).map(|(number, _)| *number)
    }
}

impl<S, W> Default for Account<S, W> {
    fn default() -> Self {
        Self { sessions: BTreeMap::new(), line: BTreeMap::new() }
    }
}

impl<S> Default for Held<S> {
    fn default() -> Self {
        Self { idle: None, doomed: false }
    }
}
