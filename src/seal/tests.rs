//! A seal's life over all dates.

use proptest::collection::vec;
use proptest::prelude::*;

use super::sample::{at, event, life, seal};
use super::*;

const OWNER: &str = "11330105002500287C";
use SealEventKind::{Abolished, Activated, Reinstated, Resumed, Suspended};
const KINDS: [SealEventKind; 5] = [Activated, Suspended, Resumed, Abolished, Reinstated];

/// What anybody tries: which step, from when, recorded when.
fn attempts() -> impl Strategy<Value = Vec<(usize, i64, i64)>> {
    vec((0usize..5, 0i64..100, 0i64..12), 0..25).prop_map(|steps| {
        let mut now = 0;
        let advance = |(kind, at, passed)| {
            now += passed;
            (kind, at, now)
        };
        steps.into_iter().map(advance).collect()
    })
}

proptest! {
    /// Rule 2 over all dates: in force exactly inside [activation, abolition) and outside [suspension, resumption).
    #[test]
    fn in_force_exactly_inside_its_windows(start in 0i64..1000, a in 0i64..1000, b in 0i64..1000, c in 0i64..1000, t in -100i64..5000) {
        let (activated, suspended, resumed, abolished) = (start, start + a, start + a + b, start + a + b + c);
        let life = life(&[(Activated, activated), (Suspended, suspended), (Resumed, resumed), (Abolished, abolished)]);
        let expected = (activated <= t && t < suspended) || (resumed <= t && t < abolished);
        prop_assert_eq!(life.status_at(at(t)) == SealStatus::InForce, expected);
        prop_assert_eq!(seal(OWNER, life).check_in_force(at(t)).is_ok(), expected);
    }

    /// Whatever is tried: what was said of a moment before the new step's instant is said for ever, an effective step is
    /// never removed from what is past, a refused one changes nothing, and a life written out reads back the same.
    #[test]
    fn the_past_is_never_rewritten(steps in attempts(), probe in 0i64..100) {
        let mut life = Life::default();
        for (kind, t, now) in steps {
            let before = life.clone();
            match life.add(event(KINDS[kind], t), at(now)) {
                Ok(()) => {
                    let counts = before.events().iter().filter(|e| e.at <= at(now)).map(|e| e.at).max();
                    prop_assert!(counts.is_none_or(|last| at(t) >= last));
                    if probe < t { prop_assert_eq!(life.status_at(at(probe)), before.status_at(at(probe))); }
                    prop_assert_eq!(life.last_event_at(at(t)).map(|e| e.kind), Some(KINDS[kind]), "the step itself counts");
                    if matches!(KINDS[kind], Activated | Resumed | Reinstated) {
                        prop_assert!(t >= now);
                        // Force is given from now on at the earliest.
                        for past in 0..now { prop_assert_eq!(life.status_at(at(past)), before.status_at(at(past))); }
                    }
                }
                Err(_) => prop_assert_eq!(&life, &before),
            }
            prop_assert!(life.events().is_sorted_by_key(|e| e.at));
            prop_assert_eq!(&Life::replay(life.events().iter().cloned()).unwrap(), &life);
        }
    }

    /// Whatever is planned, a seal in force can be suspended at once, and is not in force again before somebody resumes
    /// or the plan itself said so.
    #[test]
    fn no_plan_stands_in_the_way_of_an_emergency(plans in vec((0usize..5, 11i64..100), 0..8), probe in 10i64..120) {
        let mut life = life(&[(Activated, 0)]);
        let mut resumptions = vec![];
        for (kind, t) in plans {
            if life.add(event(KINDS[kind], t), at(10)).is_ok() && KINDS[kind] == Resumed { resumptions.push(t); }
        }
        prop_assert_eq!(life.status_at(at(10)), SealStatus::InForce);
        let planned = life.clone();
        life.add(event(Suspended, 10), at(10)).unwrap();
        prop_assert_eq!(life.status_at(at(10)), SealStatus::Suspended);
        if !resumptions.iter().any(|t| *t <= probe) {
            prop_assert_ne!(life.status_at(at(probe)), SealStatus::InForce);
        }
        // An abolition that was ordered stands.
        if planned.status_at(at(probe)) == SealStatus::Abolished {
            prop_assert_eq!(life.status_at(at(probe)), SealStatus::Abolished);
        }
    }
}

#[test]
fn reversal_is_a_new_entry() {
    let mut life = life(&[(Activated, 0), (Abolished, 10)]);
    assert_eq!(life.add(event(Abolished, 20), at(20)).unwrap_err().message.id, "seal.impossible-step");
    life.add(event(Reinstated, 20), at(20)).unwrap();
    assert_eq!(
        [9, 10, 19, 20].map(|t| life.status_at(at(t))),
        [SealStatus::InForce, SealStatus::Abolished, SealStatus::Abolished, SealStatus::InForce]
    );
    assert_eq!((life.events().len(), life.window()), (3, Some((at(0), None))));
}

#[test]
fn a_suspension_outlasts_what_comes_over_it() {
    // Abolished from tomorrow on; suspended today; the order taken back at its own instant.
    let mut life = life(&[(Activated, 0), (Abolished, 20)]);
    life.add(event(Suspended, 10), at(10)).unwrap();
    life.add(event(Reinstated, 20), at(12)).unwrap();
    assert_eq!(
        [9, 10, 20, 30].map(|t| life.status_at(at(t))),
        [SealStatus::InForce, SealStatus::Suspended, SealStatus::Suspended, SealStatus::Suspended]
    );
    assert_eq!(life.add(event(Suspended, 30), at(30)).unwrap_err().message.id, "seal.impossible-step");
    life.add(event(Resumed, 30), at(30)).unwrap();
    assert_eq!(life.status_at(at(30)), SealStatus::InForce);
}

#[test]
fn a_planned_step_is_overtaken_or_taken_back() {
    // An earlier order of abolition overtakes the planned one, which then has nothing left to do.
    let mut overtaken = life(&[(Activated, 0), (Abolished, 30)]);
    overtaken.add(event(Abolished, 20), at(10)).unwrap();
    assert_eq!(overtaken.window(), Some((at(0), Some(at(20)))));
    assert_eq!(overtaken.last_event_at(at(40)).unwrap().at, at(20));
    // A seal whose activation is planned can be stopped before it ever counts.
    let mut stopped = life(&[(Activated, 20)]);
    stopped.add(event(Suspended, 10), at(10)).unwrap();
    assert_eq!([10, 20].map(|t| stopped.status_at(at(t))), [SealStatus::NotYetActivated, SealStatus::Suspended]);
    // A planned resumption is taken back by its opposite at the same instant.
    let mut suspended = life(&[(Activated, 0), (Suspended, 10)]);
    suspended.add(event(Resumed, 30), at(15)).unwrap();
    suspended.add(event(Suspended, 30), at(20)).unwrap();
    assert!((10..60).all(|t| suspended.status_at(at(t)) == SealStatus::Suspended));
}

#[test]
fn force_is_not_given_back_to_the_past() {
    let id = |mut life: Life, kind, t| life.add(event(kind, t), at(50)).unwrap_err().message.id;
    assert_eq!(id(life(&[(Activated, 0), (Abolished, 10)]), Reinstated, 49), "seal.force-in-the-past");
    assert_eq!(id(life(&[(Activated, 0), (Suspended, 10)]), Resumed, 20), "seal.force-in-the-past");
    assert_eq!(id(Life::default(), Activated, 20), "seal.force-in-the-past");
    assert_eq!(id(Life::default(), Suspended, 50), "seal.impossible-step", "nothing begins with its end");
    assert_eq!(id(life(&[(Activated, 0), (Suspended, 30)]), Abolished, 20), "seal.event-before-last");
    // Taken away it may be, for those who say what that ends.
    let mut known = life(&[(Activated, 0)]);
    known.add(event(Suspended, 20), at(50)).unwrap();
    assert_eq!(known.status_at(at(20)), SealStatus::Suspended);
    for (t, ended, acknowledged, good) in [
        (20, 0, 0, true),
        (20, 3, 3, true),
        (20, 3, 0, false),
        (20, 3, 2, false),
        (20, 0, 1, false),
        (50, 0, 0, true),
        (60, 0, 1, false),
    ] {
        assert_eq!(check_acknowledged(at(t), ended, acknowledged, at(50)).is_ok(), good, "{t} {ended} {acknowledged}");
    }
}

#[test]
fn what_can_never_have_been_recorded_is_not_read() {
    let read = |events: &[(SealEventKind, i64)]| Life::replay(events.iter().map(|&(kind, t)| event(kind, t))).is_ok();
    assert!(read(&[]) && read(&[(Activated, 0), (Abolished, 20), (Suspended, 10)]));
    assert!(
        !read(&[(Suspended, 0)])
            && !read(&[(Activated, 0), (Resumed, 1)])
            && !read(&[(Activated, 0), (Reinstated, 1), (Abolished, 2)])
    );
}
