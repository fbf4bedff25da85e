//! Trainings of which every latent variable collapsed: a category of their own.

use super::*;
use crate::collapsed;

/// Lets the training of `key` under seed 1 ignore its codes.
fn collapse(asked: &mut Asked<'_>, key: &str) {
    let mut runs = asked.runs.iter_mut();
    let run = runs.find(|run| run.key == key && run.configuration.training.seed == 1);
    let training = &mut run.unwrap().configuration.training;
    (training.beta, training.epochs, training.learning_rate) = (1e6, 20, 1e-2);
}

/// Draws a study of two models under three seeds, of which seed 1 of the first is
/// trained to ignore its codes.
fn claims_of(folder: &Path, collapsed_apart: bool) -> (Vec<Claim>, String) {
    let name = small_set(&folder.join("set"), 10);
    let path = folder.join(format!("{collapsed_apart}.toml"));
    fs::write(
        &path,
        format!(
            "title = 'Two'\n[base]\nmodel.hidden = [16]\ntraining.epochs = 2\n\
             training.learning_rate = 3e-3\n[models.one]\n[models.other]\nmodel.latent = 3\n\
             [[claims]]\nid = 'loss'\nstatement = 'One loses more.'\nmeasure = 'loss'\n\
             model = 'one'\nminus = 'other'\nat_least = 0\ncollapsed_apart = {collapsed_apart}\n\
             [[claims]]\nid = 'units'\nstatement = 'One uses both.'\nmeasure = 'active-units'\n\
             model = 'one'\nat_least = 2\n"
        ),
    )
    .unwrap();
    let request = Request {
        out: folder.join(format!("figures-{collapsed_apart}")),
        studies: vec![path.display().to_string()],
        ..request(folder, &name)
    };
    let dataset = load(&name);
    let study = crate::select(&request.studies).unwrap().remove(0);
    let data = Data {
        name: anchored(&name).unwrap(),
        reading: request.reading.clone(),
    };
    let mut asked = Asked::of(&study, Seeds::Each(3), 0, false, &data, &dataset).unwrap();
    collapse(&mut asked, "one");
    let watch = Watch::default();
    let outcome = draw_asked(
        &request,
        &data,
        &dataset,
        vec![asked],
        &watch.interrupt,
        &watch,
    )
    .unwrap();
    let kept = request.out.join(folder_name(&dataset)).join("claims.json");
    let page = fs::read_to_string(&outcome.page).unwrap();
    let mut claims: Vec<Claim> = serde_json::from_slice(&fs::read(kept).unwrap()).unwrap();
    claims.sort_by(|a, b| a.id.cmp(&b.id));
    (claims, page)
}

#[test]
fn a_collapsed_training_is_in_no_number_of_a_statement_that_sets_it_apart() {
    let folder = tempfile::tempdir().unwrap();
    let (claims, page) = claims_of(folder.path(), true);
    let [loss, units] = &claims[..] else {
        panic!("{claims:?}");
    };
    let seeds = |claim: &Claim, at: usize| -> Vec<u64> {
        claim.measured[at].by_seed.keys().copied().collect()
    };
    // The seed is in no difference; the other model keeps it.
    assert_eq!(seeds(loss, 0), [0, 2]);
    assert_eq!(seeds(loss, 1), [0, 1, 2]);
    assert_eq!(seeds(loss, 2), [0, 2]);
    assert_eq!(loss.measured.len(), 3);
    let shares: Vec<(&str, f64)> = loss
        .collapsed
        .iter()
        .map(|share| (share.name.as_str(), share.mean()))
        .collect();
    let named = |title| format!("share of trainings with every variable collapsed, {title}");
    let [of_one, of_other] = ["one", "other"].map(named);
    assert_eq!(
        shares,
        [(of_one.as_str(), 1.0 / 3.0), (of_other.as_str(), 0.0)]
    );
    assert!(
        loss.rule.ends_with("in none of these numbers"),
        "{}",
        loss.rule
    );
    // The lead names what decides, the table the share too.
    assert!(page.contains("(difference: "), "{page}");
    assert!(page.contains(&of_one) && page.contains(&of_other));
    // A statement that does not say so counts it.
    assert_eq!(seeds(units, 0), [0, 1, 2]);
    assert_eq!(units.measured[0].by_seed[&1], 0.0);
    assert!(units.collapsed.is_empty());

    let (claims, _) = claims_of(folder.path(), false);
    assert_eq!(seeds(&claims[0], 2), [0, 1, 2]);
    assert!(claims[0].collapsed.is_empty());
}

#[test]
fn what_is_apart_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let name = small_set(&folder.path().join("set"), 10);
    let dataset = load(&name);
    let mut runs = [0, 1, 2].map(|seed| planned(&dataset, "vae", seed, "1e-2"));
    runs[1].configuration.training.beta = 1e6;
    runs[1].configuration.training.epochs = 20;
    let request = request(folder.path(), &name);
    let watch = Watch::default();
    let results = Queue::new(runs.iter(), &dataset, &request)
        .train(&watch.interrupt, &watch, &|_, _| Ok(()))
        .unwrap();
    let (finished, _) = collect(runs.to_vec(), &results, &dataset).unwrap();
    let of = |runs| {
        let scale = Scale {
            first_seed: 0,
            quick: true,
            seeds: 3,
            until_decided: false,
        };
        Drawing::new(&dataset, runs, &[], scale, &request.runs, folder.path())
    };
    let (counted, sentence) = collapsed::apart(&of(&finished)).unwrap();
    assert_eq!(
        sentence,
        " Apart, in no mean, interval or test, as every latent variable collapsed: VAE 784-16-2 seed 1."
    );
    let seed = |run: &TrainedRun| Ok(run.configuration.training.seed as f64);
    let measured = counted.over_seeds("vae", "VAE", seed).unwrap();
    assert_eq!(measured.by_seed, [(0, 0.0), (2, 2.0)].into());
    assert_eq!(counted.runs.len(), 3, "figures still may show it");
    let (_, sentence) = collapsed::apart(&of(&finished[..1])).unwrap();
    assert_eq!(sentence, "");
}

#[test]
fn the_studies_have_it_in_no_mean_of_their_tables() {
    let folder = tempfile::tempdir().unwrap();
    let name = small_set(&folder.path().join("set"), 10);
    let dataset = load(&name);
    let data = Data {
        name: anchored(&name).unwrap(),
        reading: ReadingConfiguration::default(),
    };
    for (study, key, title, tables, rows, id, measured) in [
        (
            "dimensions",
            "4-deep",
            "VAE 784-256-32-8-4",
            4,
            2,
            "003.11",
            "784-256-32-8-4",
        ),
        (
            "sampling",
            "ae-l2-deep",
            "AE-L2 784-256-32-8-2",
            2,
            1,
            "003.8",
            "AE-L2 784-256-32-8-2",
        ),
    ] {
        let request = request(folder.path(), &name);
        let studies = crate::select(&[study.into()]).unwrap();
        let mut asked = Asked::of(&studies[0], Seeds::Each(2), 0, true, &data, &dataset).unwrap();
        collapse(&mut asked, key);
        let watch = Watch::default();
        let asked = vec![asked];
        draw_asked(&request, &data, &dataset, asked, &watch.interrupt, &watch).unwrap();
        let part = request.out.join(folder_name(&dataset));
        let section = fs::read_to_string(part.join(study).join("section.json")).unwrap();
        // So little training leaves others unused too.
        let captions = section
            .split("as every latent variable collapsed: ")
            .skip(1);
        let named = captions.filter(|rest| {
            let runs = rest.split('"').next().unwrap_or_default();
            runs.contains(&format!("{title} seed 1"))
        });
        assert_eq!(named.count(), tables, "{study}");
        let section: serde_json::Value = serde_json::from_str(&section).unwrap();
        let mut of_models = 0;
        for block in section["section"]["blocks"].as_array().unwrap() {
            let table = &block["Table"];
            if !table["caption"].to_string().contains("as every latent") {
                continue;
            }
            let rows = table["rows"].as_array().unwrap();
            let columns = table["columns"].as_array().unwrap();
            // What is left is one training at most, which has no interval. Active
            // variables are counted in all.
            let has_interval = |row: &serde_json::Value| {
                let cells = row.as_array().unwrap().iter().zip(columns);
                let mut counted = cells.filter(|(_, column)| column["name"] != "active");
                counted.any(|(cell, _)| cell["Interval"].is_object())
            };
            let own = rows
                .iter()
                .filter(|row| row[0]["Text"][0]["Plain"] == measured);
            for row in own {
                assert!(!has_interval(row), "{study}: {row}");
                assert!(rows.iter().any(has_interval), "{study}: {table}");
                of_models += 1;
            }
        }
        assert_eq!(of_models, rows, "{study}");
        let claims: Vec<Claim> =
            serde_json::from_slice(&fs::read(part.join("claims.json")).unwrap()).unwrap();
        let claim = claims.iter().find(|claim| claim.id == id).unwrap();
        let values = claim.measured.iter().find(|of| of.name == measured);
        assert!(!values.unwrap().by_seed.contains_key(&1), "{claim:?}");
        let share = claim.collapsed.iter().find(|of| of.name.ends_with(title));
        assert!(share.unwrap().mean() > 0.0, "{claim:?}");
        fs::remove_dir_all(&request.out).unwrap();
    }
}
