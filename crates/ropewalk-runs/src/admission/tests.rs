use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use proptest::{collection::vec, prelude::*};

use super::*;

#[derive(Debug, Clone)]
enum Step {
    /// A run of this organisation comes.
    Come(u8),
    /// Whoever may work of those who wait takes the permit.
    Enter(usize),
    /// One that works is done.
    Finish(usize),
    /// One that waits gives up.
    Leave(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3_u8).prop_map(Step::Come),
        4 => (0..8_usize).prop_map(Step::Enter),
        3 => (0..8_usize).prop_map(Step::Finish),
        1 => (0..8_usize).prop_map(Step::Leave),
    ]
}

fn take(waiting: &mut Waiting) -> Option<Permit> {
    match pin!(waiting.permit()).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(permit) => permit,
        Poll::Pending => None,
    }
}

proptest! {
    /// No place is lost or given twice, whoever leaves when, and none stays free while somebody waits.
    #[test]
    fn places_are_neither_lost_nor_given_twice(most in 1..4_usize, steps in vec(step(), 1..100)) {
        let admission = Admission::new(most, 1000);
        let (mut waiting, mut working) = (Vec::new(), Vec::new());
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Come(organization) => {
                    let organization = Organization::new(format!("org-{organization}"));
                    let run = RunId::new(format!("run_{number:04}"));
                    waiting.push((organization.clone(), run.clone(), admission.wait(&organization, &run)));
                }
                Step::Enter(position) if position < waiting.len() => {
                    if let Some(permit) = take(&mut waiting[position].2) {
                        let (organization, run, _) = waiting.remove(position);
                        // Whoever of the same organisation came before has a permit too.
                        let mut still_waiting = Vec::new();
                        for (other, earlier, mut place) in waiting.drain(..) {
                            if other == organization && earlier < run {
                                let permit = take(&mut place);
                                prop_assert!(permit.is_some(), "{} is overtaken", earlier);
                                working.extend(permit);
                            } else {
                                still_waiting.push((other, earlier, place));
                            }
                        }
                        waiting = still_waiting;
                        working.push(permit);
                    }
                }
                Step::Finish(position) if position < working.len() => drop(working.swap_remove(position)),
                Step::Leave(position) if position < waiting.len() => drop(waiting.remove(position)),
                _ => {}
            }
            prop_assert!(working.len() <= most);
        }
        // All who wait come in, as soon as others go.
        while !waiting.is_empty() {
            let before = waiting.len();
            working.clear();
            waiting.retain_mut(|(_, _, place)| match take(place) {
                Some(permit) => { working.push(permit); false }
                None => true,
            });
            prop_assert!(waiting.len() < before, "somebody is kept waiting for nothing");
        }
        working.clear();
        prop_assert_eq!(admission.inner.lock().free, most);
        prop_assert_eq!(admission.inner.lock().waiting, 0);
    }
}
