use proptest::{collection::vec, prelude::*};

use super::*;

/// What happens to a ledger: an owner and a key, or one of those who wait or use, by a number.
#[derive(Debug, Clone)]
enum Event {
    Joins(u8, u8),
    Leaves(usize),
    /// A user is done, and its session stays if the flag says so.
    Returns(usize, bool),
    Doomed(u8, u8),
    Swept(u8),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        5 => (0..4_u8, 0..5_u8).prop_map(|(owner, key)| Event::Joins(owner, key)),
        1 => any::<usize>().prop_map(Event::Leaves),
        4 => (any::<usize>(), prop::bool::weighted(0.8)).prop_map(|(who, stays)| Event::Returns(who, stays)),
        1 => (0..4_u8, 0..5_u8).prop_map(|(owner, key)| Event::Doomed(owner, key)),
        1 => (0..5_u8).prop_map(Event::Swept),
    ]
}

/// A session, by the number of the waiter that it was begun for.
type Session = u64;

/// A ledger with those who wait in it and use what it gave, as its callers see them.
struct World {
    ledger: Ledger<Session, ()>,
    /// By number: owner and key.
    waiting: BTreeMap<u64, (String, String)>,
    using: Vec<(String, String, Session)>,
}

impl World {
    fn new(most: usize, most_per_owner: Option<usize>) -> Self {
        Self { ledger: Ledger::new(most, most_per_owner), waiting: BTreeMap::new(), using: Vec::new() }
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Joins(owner, key) => {
                let (owner, key) = (owner.to_string(), key.to_string());
                let number = self.ledger.join(&owner, &key, ());
                self.waiting.insert(number, (owner, key));
            }
            Event::Leaves(who) if !self.waiting.is_empty() => {
                let number = *self.waiting.keys().nth(who % self.waiting.len()).unwrap();
                let (owner, _) = self.waiting.remove(&number).unwrap();
                self.ledger.leave(&owner, number);
            }
            Event::Returns(who, stays) if !self.using.is_empty() => {
                let (owner, key, session) = self.using.swap_remove(who % self.using.len());
                if !stays || self.ledger.keep(&owner, &key, session).is_err() {
                    self.ledger.free(&owner, &key);
                }
            }
            Event::Doomed(owner, key) => self.ledger.doom(&owner.to_string(), &key.to_string()),
            Event::Swept(of) => {
                for (owner, key, _) in self.ledger.take_over(|session| session % 5 == u64::from(of)) {
                    self.ledger.free(&owner, &key);
                }
            }
            Event::Leaves(_) | Event::Returns(..) => {}
        }
        while let Some(turn) = self.turn() {
            self.using.push(turn);
        }
    }

    /// The next turn, after a look at whether it is right.
    fn turn(&mut self) -> Option<(String, String, Session)> {
        let counts = |ledger: &Ledger<Session, ()>| -> BTreeMap<String, usize> {
            ledger.owners.iter().map(|(owner, account)| (owner.clone(), account.sessions.len())).collect()
        };
        let (before, first) = (counts(&self.ledger), self.first_in_line());
        let turn = self.ledger.next()?;
        let after = counts(&self.ledger);
        let count = |owner: &str| before.get(owner).copied().unwrap_or_default();
        let (number, ()) = (first[&turn.owner], turn.waiter);
        assert_eq!(
            self.waiting.remove(&number),
            Some((turn.owner.clone(), turn.key.clone())),
            "first come, first served"
        );
        for (other, waits) in &first {
            let bounded = count(other) >= self.ledger.most_per_owner;
            let later = (count(&turn.owner), number) <= (count(other), *waits);
            // What was made room for by the owner's own session is nothing to one that holds as many.
            let own = count(other) == count(&turn.owner) && after[&turn.owner] == count(&turn.owner);
            assert!(later || bounded || own, "{other} with {} before {}", count(other), turn.owner);
        }
        for other in before.keys().filter(|other| **other != turn.owner) {
            let lost = after.get(other).copied().unwrap_or_default() < count(other);
            assert!(!lost || count(other) > count(&turn.owner), "{other} lost to one with as many");
        }
        Some((turn.owner, turn.key, turn.session.unwrap_or(number)))
    }

    /// Who waits longest of each owner, for a key that nobody uses.
    fn first_in_line(&self) -> BTreeMap<String, u64> {
        let is_used = |name: &(String, String)| {
            self.using.iter().any(|(owner, key, _)| (owner, key) == (&name.0, &name.1))
        };
        let free = self.waiting.iter().filter(|(_, name)| !is_used(name));
        free.rev().map(|(number, (owner, _))| (owner.clone(), *number)).collect()
    }

    /// What holds whenever all turns are given.
    fn check(&self) {
        let accounts = || self.ledger.owners.values();
        let held: usize = accounts().map(|account| account.sessions.len()).sum();
        assert!(held <= self.ledger.most, "the bound");
        assert!(accounts().all(|account| account.sessions.len() <= self.ledger.most_per_owner));
        assert!(
            accounts().all(|account| account.sessions.len() + account.line.len() > 0),
            "an owner of nothing"
        );
        assert_eq!(accounts().map(|account| account.line.len()).sum::<usize>(), self.waiting.len());
        for owner in self.first_in_line().into_keys() {
            let account = &self.ledger.owners[&owner];
            assert!(
                account.sessions.values().all(|held| held.idle.is_none()),
                "it waits beside its own idle ones"
            );
            let bounded = account.sessions.len() >= self.ledger.most_per_owner;
            assert!(bounded || held == self.ledger.most, "it waits though there is room");
            let more = accounts().filter(|other| !bounded && other.sessions.len() > account.sessions.len());
            let mut theirs = more.flat_map(|other| other.sessions.values());
            assert!(theirs.all(|held| held.idle.is_none()), "it waits beside idle ones of who has more");
        }
    }
}

proptest! {
    /// Whatever happens, turns are given in order and within the bounds, nobody waits who need not, and once all are done nothing
    /// is left of them.
    #[test]
    fn turns_are_fair_and_none_is_lost(
        most in 1..5_usize, most_per_owner in prop::option::of(1..4_usize), events in vec(event(), 1..120),
    ) {
        let mut world = World::new(most, most_per_owner);
        for event in events {
            world.happens(event);
            world.check();
        }
        // As long as somebody is done, the next has a turn.
        while !world.using.is_empty() {
            world.happens(Event::Returns(0, true));
            world.check();
        }
        prop_assert!(world.waiting.is_empty(), "somebody waits for ever");
        (0..5).for_each(|of| world.happens(Event::Swept(of)));
        prop_assert!(world.ledger.owners.is_empty());
    }
}

/// The turns that come once owners have joined and their sessions are back, as `a1` for the key `1` of `a`.
fn world(most: usize, idle: &[&str]) -> World {
    let mut world = World::new(most, None);
    for name in idle {
        join(&mut world, name);
        world.happens(Event::Returns(world.using.len() - 1, true));
    }
    world
}

fn join(world: &mut World, name: &str) {
    let (owner, key) = name.split_at(1);
    let number = world.ledger.join(owner, key, ());
    world.waiting.insert(number, (owner.to_owned(), key.to_owned()));
    while let Some(turn) = world.turn() {
        world.using.push(turn);
    }
}

fn held(world: &World) -> String {
    let names = |(owner, account): (&String, &Account<Session, ()>)| -> Vec<String> {
        account.sessions.keys().map(|key| format!("{owner}{key}")).collect()
    };
    world.ledger.owners.iter().flat_map(names).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_idlest_of_who_holds_most_gives_way() {
    let mut world = world(4, &["b1", "a2", "a1", "a3"]);
    join(&mut world, "c1");
    assert_eq!(held(&world), "a1 a3 b1 c1");
}

#[test]
fn below_an_equal_share_one_keeps_what_is_idle() {
    let mut world = world(4, &["b1", "a1", "a2", "a3"]);
    join(&mut world, "b2");
    assert_eq!(held(&world), "a2 a3 b1 b2");
}

#[test]
fn with_an_equal_share_one_gives_up_its_own_first() {
    let mut world = world(6, &["a1", "a2", "a3", "b1", "b2", "c1"]);
    join(&mut world, "b3");
    assert_eq!(held(&world), "a1 a2 a3 b2 b3 c1");
}
