use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use super::*;

/// Runs of these costs, of a byte each.
fn due(costs: &[f64]) -> Vec<Due> {
    let run = |(place, &cost)| Due {
        name: format!("run {place}"),
        cost,
        bytes: 1,
    };
    costs.iter().enumerate().map(run).collect()
}

/// Runs of these costs and bytes.
fn due_of(costs: &[f64], bytes: &[u64]) -> Vec<Due> {
    let mut due = due(costs);
    for (run, &bytes) in due.iter_mut().zip(bytes) {
        run.bytes = bytes;
    }
    due
}

fn limits(threads: usize, jobs: usize) -> Limits {
    Limits { threads, jobs }
}

/// Waits until `is_so`, and not for ever.
fn until(is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(60), "waited in vain");
        std::thread::yield_now();
    }
}

fn stopped() -> Error {
    Error::Stopped {
        run: PathBuf::from("run"),
    }
}

#[test]
fn the_longest_begin_first_and_results_are_in_the_order_asked_for() {
    let due = due(&[2.0, f64::INFINITY, 5.0, 2.0, 0.0]);
    for jobs in [1, 2, 3, 9] {
        let begun = Mutex::new(Vec::new());
        let done = side_by_side(
            &due,
            limits(jobs, jobs),
            &Interrupt::default(),
            &|sentence| panic!("{sentence}"),
            |place, _, _| {
                lock(&begun).push(place);
                Ok(10 * place)
            },
        );
        assert_eq!(done.unwrap(), [0, 10, 20, 30, 40]);
        let mut begun = into_inner(begun);
        if jobs == 1 {
            assert_eq!(begun, [1, 2, 0, 3, 4]);
        }
        begun.sort_unstable();
        assert_eq!(begun, [0, 1, 2, 3, 4]);
    }
    let none = side_by_side(
        &[],
        limits(2, 2),
        &Interrupt::default(),
        &|_| {},
        |_, _, _| Ok(()),
    );
    assert_eq!(none.unwrap(), []);
}

#[test]
fn as_many_run_at_once_as_are_allowed_and_no_more() {
    let due = due(&[1.0; 6]);
    // Each waits for the others of its round, so that all three must run.
    let meeting = Barrier::new(3);
    let running = AtomicUsize::new(0);
    side_by_side(
        &due,
        limits(3, 3),
        &Interrupt::default(),
        &|_| {},
        |_, share, _| {
            assert!(running.fetch_add(1, Ordering::SeqCst) < 3);
            assert_eq!(share.threads(), 1);
            meeting.wait();
            running.fetch_sub(1, Ordering::SeqCst);
            // Nobody has more before all of this round have begun to end.
            meeting.wait();
            Ok(())
        },
    )
    .unwrap();
}

#[test]
fn threads_are_shared_and_go_to_those_that_are_left() {
    let due = due(&[1.0, 3.0, 2.0]);
    let first = Barrier::new(3);
    side_by_side(
        &due,
        limits(4, 4),
        &Interrupt::default(),
        &|_| {},
        |place, share, _| {
            // The longest has the one that is over.
            assert_eq!(share.threads(), if place == 1 { 2 } else { 1 });
            first.wait();
            match place {
                0 => {}
                2 => until(|| share.threads() == 2),
                _ => until(|| share.threads() == 4),
            }
            Ok(())
        },
    )
    .unwrap();
    // One after the other, each has all of them.
    side_by_side(
        &due,
        limits(4, 1),
        &Interrupt::default(),
        &|_| {},
        |_, share, _| {
            assert_eq!(share.threads(), 4);
            Ok(())
        },
    )
    .unwrap();
}

#[test]
fn runs_that_do_not_fit_side_by_side_wait_and_it_is_said_once() {
    let due = due_of(&[5.0, 4.0, 3.0, 2.0], &[600, 800, 300, 400_000]);
    let said = Mutex::new(Vec::new());
    let running = Mutex::new(BTreeSet::new());
    let meeting = Barrier::new(2);
    let done = side_by_side_within(
        Some(1000),
        &due,
        limits(2, 2),
        &Interrupt::default(),
        &|sentence| lock(&said).push(sentence.to_owned()),
        |place, share, _| {
            lock(&running).insert(place);
            match place {
                // The longest, and the one that fits beside it.
                0 | 2 => {
                    meeting.wait();
                    assert_eq!(*lock(&running), [0, 2].into());
                    assert_eq!(share.threads(), 1);
                    meeting.wait();
                }
                // Alone, and with all threads.
                _ => {
                    assert_eq!(*lock(&running), [place].into());
                    assert_eq!(share.threads(), 2);
                }
            }
            lock(&running).remove(&place);
            Ok(place)
        },
    );
    assert_eq!(done.unwrap(), [0, 1, 2, 3]);
    assert_eq!(
        into_inner(said),
        ["run 1 waits: it needs 800 bytes of memory, and the runs beside it leave 400 bytes"]
    );
}

#[test]
fn that_a_run_waits_is_said_while_it_does() {
    let due = due_of(&[3.0, 2.0, 1.0], &[600, 300, 800]);
    let said = Mutex::new(Vec::new());
    let done = side_by_side_within(
        Some(1000),
        &due,
        limits(2, 2),
        &Interrupt::default(),
        &|sentence| lock(&said).push(sentence.to_owned()),
        |place, _, _| {
            if place == 0 {
                until(|| !lock(&said).is_empty());
            }
            Ok(place)
        },
    );
    assert_eq!(done.unwrap(), [0, 1, 2]);
    assert_eq!(into_inner(said).len(), 1);
}

#[test]
fn an_error_stops_the_others_and_is_the_one_that_is_given() {
    let due = due(&[3.0, 2.0, 1.0]);
    let begun = Mutex::new(BTreeSet::new());
    let interrupt = Interrupt::default();
    let error = side_by_side(
        &due,
        limits(2, 2),
        &interrupt,
        &|_| {},
        |place, _, interrupt| -> Result<(), Error> {
            lock(&begun).insert(place);
            match place {
                0 => {
                    until(|| interrupt.requested());
                    Err(stopped())
                }
                _ => Err(Error::Configuration("the disk is full".into())),
            }
        },
    )
    .unwrap_err();
    assert_eq!(error.to_string(), "the disk is full");
    assert_eq!(into_inner(begun), [0, 1].into());
    assert!(!interrupt.requested(), "the command itself goes on");
}

#[test]
fn a_signal_stops_all_of_them() {
    let due = due(&[3.0, 2.0, 1.0]);
    let interrupt = Interrupt::default();
    let meeting = Barrier::new(2);
    let begun = AtomicUsize::new(0);
    let error = side_by_side(
        &due,
        limits(2, 2),
        &interrupt,
        &|_| {},
        |place, _, part| -> Result<(), Error> {
            begun.fetch_add(1, Ordering::SeqCst);
            meeting.wait();
            if place == 0 {
                interrupt.request();
                // It has ended by itself.
                return Ok(());
            }
            until(|| part.requested());
            Err(stopped())
        },
    )
    .unwrap_err();
    assert!(matches!(error, Error::Abandoned), "{error}");
    assert_eq!(begun.into_inner(), 2);
}

#[test]
fn a_panic_reaches_the_caller_and_leaves_nobody_waiting() {
    // The others wait for its memory.
    let due = due_of(&[3.0, 2.0, 1.0], &[10, 10, 10]);
    let caught = catch_unwind(AssertUnwindSafe(|| {
        side_by_side_within(
            Some(10),
            &due,
            limits(2, 2),
            &Interrupt::default(),
            &|_| {},
            |place, _, _| -> Result<(), Error> { panic!("run {place}") },
        )
    }));
    let panic = caught.unwrap_err();
    assert_eq!(panic.downcast_ref::<String>().unwrap(), "run 0");
}

#[test]
fn limits_follow_the_threads() {
    let most = environment::threads(None);
    assert_eq!(Limits::of(None, None), limits(most, most));
    assert_eq!(Limits::of(Some(1), Some(8)), limits(1, 1));
    assert_eq!(Limits::of(None, Some(1)), limits(most, 1));
    assert_eq!(Share::of(0).threads(), 1);
}

#[test]
fn the_cost_of_training_counts_what_is_done_in_it() {
    use crate::configuration::Override;

    let dataset = Dataset {
        train: datasets::glyphs::split(0..300),
        test: datasets::glyphs::split(60_000..60_010),
        ..datasets::load("glyphs", &datasets::Lookup::default(), &mut |_| {}).unwrap()
    };
    let training = |settings: &[&str]| {
        let overrides: Vec<_> = settings
            .iter()
            .map(|text| Override::parse(text).unwrap())
            .collect();
        let configuration = Configuration::resolve(None, None, &overrides).unwrap();
        Due::training("it", &configuration, &dataset).unwrap()
    };
    let base = ["model.hidden=[10]", "model.latent=2", "training.epochs=3"];
    // 784-10-4 and 2-10-784: twice forward and back, the first without its input.
    let weights = [(784 * 10, 2), (10 * 4, 3), (2 * 10, 3), (10 * 784, 3)];
    let per_image: usize = weights.iter().map(|(size, passes)| 2 * size * passes).sum();
    let plain = training(&base);
    assert_eq!(plain.cost, (per_image * 300 * 3) as f64);
    let more = [
        "data.validation=100",
        "training.objective=iwae",
        "training.samples=5",
    ];
    let several = training(&[&base[..], &more].concat());
    assert_eq!(several.cost, (per_image * 200 * 3 * 5) as f64);
    assert!(several.bytes > plain.bytes && plain.bytes > 3 * 4 * 784 * 20);
}
