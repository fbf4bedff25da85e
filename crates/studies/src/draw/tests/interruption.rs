//! Figures that are stopped, and folders that somebody writes to.

use super::*;

#[test]
fn a_stop_writes_the_page_of_what_was_drawn_before() {
    let folder = tempfile::tempdir().unwrap();
    let name = small_set(&folder.path().join("set"), 10);
    let request = request(&folder.path().join("whole"), &name);
    let outcome = drawn(&request, &Watch::default()).unwrap();
    let page = fs::read(&outcome.page).unwrap();
    fs::remove_file(&outcome.page).unwrap();
    let more = Request {
        seeds: Some(Seeds::Each(2)),
        ..request.clone()
    };
    let watch = Watch {
        stop_after: Some(1),
        ..Watch::default()
    };
    let error = drawn(&more, &watch).unwrap_err();
    assert!(matches!(error, Error::Interrupted { .. }), "{error}");
    assert!(fs::read(&outcome.page).unwrap() == page, "another page");
}

#[test]
fn a_folder_of_figures_has_one_writer_and_is_nobody_elses() {
    let folder = tempfile::tempdir().unwrap();
    let name = small_set(&folder.path().join("set"), 10);
    let request = request(&folder.path().join("whole"), &name);
    fs::create_dir_all(&request.out).unwrap();
    fs::write(request.out.join("index.html"), "<p>of somebody").unwrap();
    let refused = |request: &Request| drawn(request, &Watch::default()).unwrap_err().to_string();
    let message = refused(&request);
    assert!(message.contains("has not written"), "{message}");
    assert_eq!(fs::read_dir(&request.out).unwrap().count(), 1);
    fs::remove_file(request.out.join("index.html")).unwrap();
    let first = take_folder(&request.out, "figures --study lab", |_| false).unwrap();
    let message = refused(&request);
    assert!(message.contains("is being written by process"), "{message}");
    assert!(message.contains("figures --study lab"), "{message}");
    drop(first);
    drawn(&request, &Watch::default()).unwrap();
}

#[test]
fn an_interrupted_call_continues_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let name = small_set(&folder.path().join("set"), 10);
    let whole = request(&folder.path().join("whole"), &name);
    let watch = Watch::default();
    let outcome = drawn(&whole, &watch).unwrap();
    let all = watch.epochs.into_inner();
    assert_eq!((outcome.runs.len(), outcome.trained, all), (8, 8, 24));

    let parts = request(&folder.path().join("parts"), &name);
    let watch = Watch {
        stop_after: Some(8),
        ..Watch::default()
    };
    let error = drawn(&parts, &watch).unwrap_err();
    assert!(matches!(error, Error::Interrupted { .. }), "{error}");
    assert_eq!(error.exit_code(), 75);
    let before = watch.epochs.into_inner();
    assert!((8..all).contains(&before), "{before}");
    // Nothing has been drawn yet.
    assert!(!parts.out.join("index.html").exists());

    let watch = Watch::default();
    let continued = drawn(&parts, &watch).unwrap();
    let after = watch.epochs.into_inner();
    assert_eq!(before + after, all, "no epoch is trained twice");
    assert!(continued.trained < 8, "what was finished is used again");
    // The result is that of the call never interrupted.
    assert_eq!(outcome.figures.len(), continued.figures.len());
    for (a, b) in outcome.runs.iter().zip(&continued.runs) {
        assert_eq!(fs::read(a.model()).unwrap(), fs::read(b.model()).unwrap());
    }
    for (a, b) in outcome.figures.iter().zip(&continued.figures) {
        assert!(
            fs::read(a).unwrap() == fs::read(b).unwrap(),
            "{}",
            a.display()
        );
    }

    // A second call has nothing left to train and writes the same.
    let watch = Watch::default();
    let again = drawn(&whole, &watch).unwrap();
    assert_eq!((again.trained, watch.epochs.into_inner()), (0, 0));
    for (a, b) in again.figures.iter().zip(&continued.figures) {
        assert!(
            fs::read(a).unwrap() == fs::read(b).unwrap(),
            "{}",
            a.display()
        );
    }
}
