//! Runs that diverge: named, in no mean, and in nobody's way.

use super::*;

#[test]
fn a_diverged_run_is_reported_and_not_averaged_in() {
    let folder = tempfile::tempdir().unwrap();
    let name = small_set(&folder.path().join("set"), 10);
    let dataset = load(&name);
    let runs = [
        planned(&dataset, "vae", 0, "1e-3"),
        planned(&dataset, "vae", 1, "1e30"),
        planned(&dataset, "vae", 2, "1e-3"),
        planned(&dataset, "wild", 0, "1e30"),
    ];
    let request = request(folder.path(), &name);
    // The second time the record of the divergence is read, not made again.
    for trained in [2, 0] {
        let queue = Queue::new(runs.iter(), &dataset, &request);
        let watch = Watch::default();
        let results = queue
            .train(&watch.interrupt, &watch, &|_, _| Ok(()))
            .unwrap();
        assert_eq!(
            results.values().filter(|ended| ended.trained_now).count(),
            trained
        );
        let (finished, diverged) = collect(runs.to_vec(), &results, &dataset).unwrap();
        assert_eq!(finished.len(), 2);
        let named: Vec<(&str, u64)> = diverged
            .iter()
            .map(|run| (run.key.as_str(), run.seed))
            .collect();
        assert_eq!(named, [("vae", 1), ("wild", 0)]);
        let scale = Scale {
            first_seed: 0,
            quick: true,
            seeds: 3,
            until_decided: false,
        };
        let drawing = Drawing::new(
            &dataset,
            &finished,
            &diverged,
            scale,
            &request.runs,
            folder.path(),
        );
        let measured = drawing
            .over_seeds("vae", "VAE", |run| {
                Ok(run.configuration.training.seed as f64)
            })
            .unwrap();
        assert_eq!(measured.by_seed, [(0, 0.0), (2, 2.0)].into());
        assert_eq!(measured.mean(), 1.0);
        assert_eq!(measured.diverged, [1]);
        assert_eq!(drawing.run("vae").unwrap().configuration.training.seed, 0);
        assert!(drawing.run("wild").is_none());
        assert_eq!(drawing.title("wild"), "VAE 784-16-2");
    }
}

/// Draws a study whose runs of the models `wild` diverge; all of its models
/// for an empty list. Returns what was made, its claims and the page.
fn drawn_with_divergence(
    request: &Request,
    study: &str,
    wild: &[&str],
) -> (Outcome, Vec<Claim>, String) {
    let dataset = load(request.dataset.as_deref().unwrap());
    let study = crate::select(&[study.into()]).unwrap().remove(0);
    let data = Data {
        name: anchored(request.dataset.as_deref().unwrap()).unwrap(),
        reading: request.reading.clone(),
    };
    let seeds = request.seeds.unwrap();
    let mut asked = Asked::of(&study, seeds, 0, request.quick, &data, &dataset).unwrap();
    for run in &mut asked.runs {
        if wild.is_empty() || wild.contains(&run.key.as_str()) {
            run.configuration.training.learning_rate = 1e30;
        }
    }
    let watch = Watch::default();
    let asked = vec![asked];
    let outcome = draw_asked(request, &data, &dataset, asked, &watch.interrupt, &watch).unwrap();
    let folder = request.out.join(folder_name(&dataset));
    let claims = fs::read(folder.join("claims.json")).unwrap();
    let page = fs::read_to_string(&outcome.page).unwrap();
    (outcome, serde_json::from_slice(&claims).unwrap(), page)
}

#[test]
fn studies_draw_what_they_can_without_a_model() {
    use evaluation::statistics::Verdict::Undecided;
    let folder = tempfile::tempdir().unwrap();
    let name = small_set(&folder.path().join("set"), 10);
    // Models that diverge, a figure that remains, one that is left out and a
    // statement that needs them.
    let cases: [(&str, &[&str], &str, &str, &str); 7] = [
        ("lab", &["vae"], "maps", "posteriors", "000.4"),
        ("lab", &["lab-ae"], "posteriors", "lab-ae-map", "000.2"),
        ("autoencoder", &["ae"], "codes", "random-points-ae", "002.1"),
        ("autoencoder", &["vae"], "pairs", "random-points-vae", ""),
        ("sampling", &["vae-3d"], "codes", "space", "003.10"),
        (
            "sampling",
            &["ae-l2-shallow", "vae-deep"],
            "space",
            "codes",
            "003.4",
        ),
        (
            "dimensions",
            &["4-deep", "4"],
            "samples",
            "four-dimensions",
            "003.16",
        ),
    ];
    for (index, (study, wild, remains, left_out, undecided)) in cases.into_iter().enumerate() {
        let request = Request {
            out: folder.path().join(format!("figures-{index}")),
            ..request(folder.path(), &name)
        };
        let (outcome, claims, page) = drawn_with_divergence(&request, study, wild);
        assert_eq!(outcome.diverged.len(), wild.len());
        let figures: Vec<_> = outcome
            .figures
            .iter()
            .filter_map(|path| path.file_stem()?.to_str())
            .collect();
        assert!(figures.contains(&remains), "{study}: {figures:?}");
        assert!(!figures.contains(&left_out), "{study}: {figures:?}");
        assert!(page.contains("Runs that diverged"), "{study}");
        for claim in claims.iter().filter(|claim| claim.id == undecided) {
            assert_eq!(claim.verdict, Undecided, "{claim:?}");
            let missing = claim.measured.iter().filter(|m| m.diverged == [0]);
            assert!(missing.count() > 0, "{claim:?}");
        }
        if !undecided.is_empty() {
            assert!(claims.iter().any(|claim| claim.id == undecided));
            assert!(page.contains("(every run diverged: seed 0)"), "{study}");
        }
    }
}

#[test]
fn a_study_without_a_finished_run_is_still_reported() {
    let folder = tempfile::tempdir().unwrap();
    let name = small_set(&folder.path().join("set"), 10);
    for study in crate::STUDIES.iter() {
        let request = Request {
            out: folder.path().join(study.name()),
            ..request(folder.path(), &name)
        };
        let (outcome, claims, page) = drawn_with_divergence(&request, study.name(), &[]);
        assert_eq!(outcome.figures, Vec::<PathBuf>::new());
        assert_eq!(outcome.diverged.len(), outcome.runs.len());
        assert!(!claims.is_empty());
        for claim in &claims {
            let undecided = evaluation::statistics::Verdict::Undecided;
            assert_eq!(claim.verdict, undecided, "{claim:?}");
        }
        assert!(page.contains("Runs that diverged"), "{}", study.name());
    }
}
