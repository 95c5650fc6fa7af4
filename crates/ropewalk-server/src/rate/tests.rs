use proptest::prelude::*;

use super::*;
use crate::keys::KeyLimits;

fn caller(organization: &str, limits: KeyLimits) -> Caller {
    let key = Some(KeyId::of(organization));
    Caller { organization: Organization::new(organization), project: None, key, limits, budget: None }
}

fn limits(requests: u64, tokens: u64) -> RateLimits {
    RateLimits { requests_per_minute: Some(requests), tokens_per_minute: Some(tokens) }
}

fn admitted(rates: &Rates, caller: &Caller, spends: bool, now_ms: i64) -> bool {
    rates.admit(caller, spends, now_ms).1.is_ok()
}

/// The headers of an account, one a line.
fn headers(standing: &Option<Standing>) -> String {
    let mut headers = HeaderMap::new();
    standing.iter().for_each(|standing| standing.write(&mut headers));
    let mut lines: Vec<_> =
        headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    lines.sort();
    lines.join("\n")
}

#[test]
fn an_account_tells_its_standing_and_when_it_is_over() {
    let rates = Rates::new(limits(2, 6000));
    let caller = caller("org-a", KeyLimits::default());
    let mut told = Vec::new();
    for (at, used) in [(0, 0), (100, 6500), (200, 0), (300, 0), (30_300, 0)] {
        let (standing, verdict) = rates.admit(&caller, true, at);
        let verdict = verdict.err().map_or("admitted".to_owned(), |error| format!("{error:?}"));
        told.push(format!("at {at} ms: {verdict}\n{}", headers(&standing)));
        rates.spend(&caller.organization, None, used, at);
    }
    insta::assert_snapshot!(told.join("\n\n"));
}

#[test]
fn debt_is_waited_for_and_does_not_keep_anybody_from_looking() {
    let rates = Rates::new(limits(1000, 600));
    let caller = caller("org-a", KeyLimits::default());
    rates.spend(&caller.organization, None, 1800, 0);
    assert!(!admitted(&rates, &caller, true, 120_000));
    assert!(admitted(&rates, &caller, false, 120_000), "a request that calls no model");
    assert!(admitted(&rates, &caller, true, 120_100));
}

#[test]
fn a_key_with_limits_of_its_own_has_an_account_of_its_own() {
    let rates = Rates::new(limits(1, 10));
    let (plain, own) = (caller("org-a", KeyLimits::default()), KeyLimits::new().requests_per_minute(2));
    let special = Caller { limits: own, key: Some(KeyId::of("sk-special")), ..plain.clone() };
    assert!(admitted(&rates, &plain, false, 0) && !admitted(&rates, &plain, false, 0));
    assert!(admitted(&rates, &special, false, 0) && admitted(&rates, &special, false, 0));
    assert!(!admitted(&rates, &special, false, 0));
    assert!(admitted(&rates, &caller("org-b", KeyLimits::default()), false, 0), "another organisation");

    rates.spend(&special.organization, special.key, 50, 60_000);
    assert!(!admitted(&rates, &special, true, 60_000) && admitted(&rates, &plain, true, 60_000));
}

#[test]
fn what_is_not_limited_has_no_account() {
    let rates = Rates::new(RateLimits::default());
    let caller = caller("org-a", KeyLimits::default());
    rates.spend(&caller.organization, None, u64::MAX, 0);
    assert!(rates.admit(&caller, true, 0).0.is_none());
    assert!(rates.accounts.lock().of.is_empty());
}

#[test]
fn idle_accounts_are_dropped() {
    let rates = Rates::new(limits(60, 60));
    for second in 0..10_000 {
        assert!(admitted(
            &rates,
            &caller(&format!("org-{second}"), KeyLimits::default()),
            false,
            second * 1000
        ));
    }
    assert!(rates.accounts.lock().of.len() <= SWEEP_AT + 1);
}

#[test]
fn times_read_as_the_api_writes_them() {
    for (ms, words) in [
        (0, "0ms"),
        (12, "12ms"),
        (999, "999ms"),
        (1000, "1s"),
        (1001, "2s"),
        (360_000, "6m0s"),
        (3_661_000, "1h1m1s"),
    ] {
        assert_eq!(in_words(Duration::from_millis(ms)), words);
    }
}

proptest! {
    /// However requests come, no minute of the clock lets more than twice the limit
    /// through: what was saved, and what came meanwhile.
    #[test]
    fn no_minute_exceeds_twice_the_limit(limit in 1..20_u64, gaps in prop::collection::vec(0..4000_i64, 1..200)) {
        let rates = Rates::new(RateLimits { requests_per_minute: Some(limit), tokens_per_minute: None });
        let caller = caller("org-a", KeyLimits::default());
        let (mut now, mut passed) = (1_000_000, Vec::new());
        for gap in gaps {
            now += gap;
            if admitted(&rates, &caller, true, now) {
                passed.push(now);
            }
            prop_assert!(passed.iter().filter(|at| **at > now - 60_000).count() as u64 <= 2 * limit);
        }
    }

    /// Whoever waits as long as told is let in, however often the account is looked at meanwhile.
    #[test]
    fn who_waits_for_a_request_as_told_is_admitted(limit in 1..5000_u64, parts in 1..50_i64) {
        let rates = Rates::new(limits(limit, 1));
        let caller = caller("org-a", KeyLimits::default());
        while admitted(&rates, &caller, false, 0) {}
        let wait = rates.admit(&caller, false, 0).1.unwrap_err().wait().unwrap().as_millis() as i64;
        (1..parts).for_each(|part| rates.spend(&caller.organization, None, 0, wait * part / parts));
        prop_assert!(admitted(&rates, &caller, false, wait));
    }

    /// Whoever waits as long as told is let in.
    #[test]
    fn who_waits_as_told_is_admitted(limit in 1..5000_u64, used in 0..100_000_u64) {
        let rates = Rates::new(limits(5000, limit));
        let caller = caller("org-a", KeyLimits::default());
        rates.spend(&caller.organization, None, used, 0);
        if let (_, Err(error)) = rates.admit(&caller, true, 0) {
            let wait = error.wait().unwrap().as_millis() as i64;
            prop_assert!(admitted(&rates, &caller, true, wait));
        }
    }
}
