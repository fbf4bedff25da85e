use super::*;

/// A lease that a process of another machine has made, last seen so long ago.
fn of_another_machine(folder: &Path, number: u64, ago: Duration) -> PathBuf {
    let path = folder.join(format!("{PREFIX}{number}{SUFFIX}"));
    let text = "process 9 on elsewhere: sweep run\nplace elsewhere/7 another-boot pid:[1] 9 11\n";
    fs::write(&path, text).expect("writable");
    let file = OpenOptions::new().write(true).open(&path).expect("there");
    file.set_modified(SystemTime::now() - ago)
        .expect("a file of ours");
    path
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("readable");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("readable").file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.retain(|name| name != "lock");
    names.sort();
    names
}

fn lock(folder: &Path) -> File {
    File::create(folder.join("lock")).expect("writable")
}

#[test]
fn leases_are_numbered_and_the_last_says_that_it_has_ended() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    assert_eq!(last_holder(folder.path()).expect("readable"), None);
    assert_eq!(
        last_holder(&folder.path().join("absent")).expect("nobody"),
        None
    );
    let first = Lease::acquire(folder.path(), "first", &lock(folder.path()), false).expect("free");
    let holder = last_holder(folder.path()).expect("readable").expect("held");
    assert!(holder.is_alive() && holder.name == "first", "{holder:?}");
    assert!(!first.is_lost());
    drop(first);
    assert_eq!(last_holder(folder.path()).expect("readable"), None);
    drop(Lease::acquire(folder.path(), "second", &lock(folder.path()), false).expect("free"));
    assert_eq!(names(folder.path()), [".latent-atlas-lease-2.lock"]);
}

#[cfg(target_os = "linux")]
#[test]
fn without_locks_a_process_of_this_machine_is_seen_to_run() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let held = Lease::acquire(folder.path(), "first", &lock(folder.path()), false).expect("free");
    match Lease::acquire(folder.path(), "second", &lock(folder.path()), false) {
        Err(Refusal::Held { holder, .. }) => assert_eq!(holder, "first"),
        other => panic!("{other:?}"),
    }
    drop(held);
    // One that died and left its lease: no process began at that moment.
    let text = Holder::here("of the dead").to_string();
    let text = text
        .trim_end()
        .rsplit_once(' ')
        .expect("words")
        .0
        .to_owned()
        + " 1\n";
    let path = folder.path().join(format!("{PREFIX}5{SUFFIX}"));
    fs::write(path, text).expect("writable");
    let holder = last_holder(folder.path())
        .expect("readable")
        .expect("not ended");
    assert!(!holder.is_alive(), "{holder:?}");
    Lease::acquire(folder.path(), "third", &lock(folder.path()), false)
        .expect("its process is gone");
    assert_eq!(names(folder.path()), [".latent-atlas-lease-6.lock"]);
}

#[cfg(target_os = "linux")]
#[test]
fn another_machine_keeps_its_folder_while_it_shows_signs_of_life() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let lock = lock(folder.path());
    of_another_machine(folder.path(), 3, Duration::from_secs(60));
    for is_locked in [false, true] {
        match Lease::acquire(folder.path(), "here", &lock, is_locked) {
            Err(Refusal::Held { holder, seen }) => {
                assert_eq!(holder, "process 9 on elsewhere: sweep run");
                let seconds = seen.expect("nothing is seen of it from here").as_secs();
                assert!((59..GONE_AFTER.as_secs()).contains(&seconds), "{seconds}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(
        last_holder(folder.path())
            .expect("readable")
            .expect("held")
            .is_alive()
    );
    of_another_machine(folder.path(), 3, GONE_AFTER + Duration::from_secs(5));
    assert!(
        !last_holder(folder.path())
            .expect("readable")
            .expect("left")
            .is_alive()
    );
    Lease::acquire(folder.path(), "here", &lock, true).expect("it is gone");
}

#[test]
fn who_was_taken_for_gone_finds_out() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let slept = Lease::acquire(folder.path(), "slept", &lock(folder.path()), false).expect("free");
    let successor = of_another_machine(folder.path(), 2, Duration::ZERO);
    assert!(slept.is_lost());
    let of_successor = fs::read(&successor).expect("there");
    drop(slept);
    assert_eq!(fs::read(&successor).expect("there"), of_successor);
}

#[test]
fn of_many_that_begin_at_once_one_has_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let held: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    Lease::acquire(folder.path(), "one of many", &lock(folder.path()), false)
                })
            })
            .collect();
        let ended = threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"));
        ended.filter_map(Result::ok).collect()
    });
    if cfg!(target_os = "linux") {
        assert_eq!(held.len(), 1, "{held:?}");
    }
    let lost = held.iter().filter(|lease| lease.is_lost()).count();
    assert!(held.len() - lost <= 1, "{held:?}");
}

#[test]
fn names_of_others_are_no_leases() {
    for (name, number) in [
        (".latent-atlas-lease-12.lock", Some(12)),
        (".latent-atlas-lease-.lock", None),
        (".latent-atlas-lease-1", None),
        (".latent-atlas-lease-x.lock", None),
        (".latent-atlas.lock", None),
    ] {
        assert_eq!(number_of(OsStr::new(name)), number, "{name}");
    }
}
