use proptest::prelude::*;

use super::*;

const NOW: i64 = 1_700_000_000_000;
const FRESH: Standing = Standing { waited: false, behind: false, patient: false };
const WAITED: Standing = Standing { waited: true, ..FRESH };
const PATIENT: Standing = Standing { patient: true, ..FRESH };

fn begins(lanes: &Lanes, endpoint: &str, object: &str) -> Option<Place> {
    match lanes.turn(endpoint, object, FRESH, NOW) {
        Turn::Now(place) => Some(place),
        _ => None,
    }
}

fn at(turn: Turn) -> i64 {
    match turn {
        Turn::At(at) => at,
        other => panic!("it was to wait: {other:?}"),
    }
}

#[test]
fn one_webhook_has_four_places_and_the_others_have_theirs() {
    let lanes = Lanes::default();
    let hanging: Vec<_> = (0..9).filter_map(|run| begins(&lanes, "hangs", &format!("run_{run}"))).collect();
    assert_eq!(hanging.len(), 4);
    assert!(begins(&lanes, "other", "run_1").is_some());
    drop(hanging);
    assert_eq!(lanes.room(), PLACES);
}

#[test]
fn all_webhooks_together_have_so_many() {
    let lanes = Lanes::default();
    let places: Vec<_> =
        (0..200).filter_map(|number| begins(&lanes, &format!("whk_{number}"), "run")).collect();
    assert_eq!((places.len(), lanes.room()), (PLACES, 0));
}

#[test]
fn what_is_told_of_one_run_begins_one_after_another() {
    let lanes = Lanes::default();
    let queued = begins(&lanes, "whk", "run_1").unwrap();
    assert!(matches!(lanes.turn("whk", "run_1", PATIENT, NOW), Turn::Soon));
    assert!(begins(&lanes, "whk", "run_2").is_some(), "another run is not in its way");
    drop(queued);
    let behind = Standing { behind: true, ..PATIENT };
    assert!(matches!(lanes.turn("whk", "run_1", behind, NOW), Turn::Soon));
    assert!(matches!(lanes.turn("whk", "run_1", PATIENT, NOW), Turn::Now(_)));
}

#[test]
fn a_line_is_kept_to() {
    let lanes = Lanes::default();
    let places: Vec<_> = (0..4).filter_map(|run| begins(&lanes, "whk", &format!("run_{run}"))).collect();
    let first = at(lanes.turn("whk", "run_5", FRESH, NOW));
    let second = at(lanes.turn("whk", "run_6", FRESH, NOW));
    assert!(NOW < first && first < second);
    drop(places);
    assert!(second < at(lanes.turn("whk", "run_7", PATIENT, NOW)), "others are ahead of it");
    assert!(matches!(lanes.turn("whk", "run_5", WAITED, first), Turn::Now(_)));
}

#[test]
fn a_webhook_that_fails_rests_longer_each_time_and_is_tried_by_one() {
    let lanes = Lanes::default();
    let mut now = NOW;
    for expected in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
        let Turn::Now(place) = lanes.turn("whk", "run", WAITED, now) else { panic!("it has rested") };
        assert!(matches!(lanes.turn("whk", "run_2", WAITED, now), Turn::At(_)) || expected == 1);
        place.failed(Duration::from_secs(15), None, now);
        drop(place);
        assert!(
            at(lanes.turn("whk", "run", Standing { waited: true, ..PATIENT }, now)) > now + expected * 1000
        );
        now += expected * 1000;
    }
    let Turn::Now(place) = lanes.turn("whk", "run", WAITED, now) else { panic!("it has rested") };
    place.succeeded(Duration::from_millis(5));
    assert!(matches!(lanes.turn("whk", "run_2", WAITED, now), Turn::Now(_)), "all is well again");
}

#[test]
fn a_clock_that_is_set_back_holds_nobody_up_for_long() {
    let lanes = Lanes::default();
    begins(&lanes, "whk", "run").unwrap().failed(Duration::ZERO, Some(Duration::from_secs(86_400)), NOW);
    let back = NOW - 3_600_000;
    assert!(at(lanes.turn("whk", "run", WAITED, back)) <= back + LONGEST_REST_MS + LONGEST_LINE_MS);
}

#[test]
fn unused_lanes_are_forgotten() {
    let lanes = Lanes::default();
    begins(&lanes, "whk", "run").unwrap().failed(Duration::ZERO, None, NOW);
    lanes.sweep(NOW + KEPT_MS);
    assert_eq!(lanes.0.lock().lanes.len(), 1);
    lanes.sweep(NOW + KEPT_MS + 1000);
    assert!(lanes.0.lock().lanes.is_empty());
}

proptest! {
    /// Whatever happens: no more places than there are, none lost, and whoever waits is told a time to come.
    #[test]
    fn places_are_neither_lost_nor_made(
        steps in prop::collection::vec((0..6_u8, 0..6_u8, 0..5_u8, any::<(bool, bool)>(), 0..20_000_i64), 0..300),
    ) {
        let lanes = Lanes::default();
        let (mut places, mut now) = (Vec::new(), NOW);
        for (endpoint, object, what, (behind, patient), passes) in steps {
            now += passes;
            let standing = Standing { waited: what == 0, behind, patient };
            match what {
                0..3 => match lanes.turn(&endpoint.to_string(), &object.to_string(), standing, now) {
                    Turn::Now(place) => places.push(place),
                    Turn::Soon => prop_assert!(patient && (behind || !places.is_empty())),
                    Turn::At(at) => prop_assert!(at > now && at <= now + LONGEST_REST_MS + LONGEST_LINE_MS),
                },
                _ if places.is_empty() => {}
                3 => places.remove(0).succeeded(Duration::from_millis(passes as u64)),
                _ => places.remove(0).failed(Duration::from_millis(passes as u64), None, now),
            }
            prop_assert_eq!(lanes.room(), PLACES - places.len());
        }
        drop(places);
        prop_assert_eq!(lanes.room(), PLACES);
    }
}
