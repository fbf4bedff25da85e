use super::article::filled;
use super::*;

const GRID: &str = r#"
title = "β"
dataset = "glyphs"
seeds = 2
measures = ["kl", "active-units"]
figures = ["map", { figure = "map", over = "codes", models = ["beta 0.5, latent 2"] }]

[base]
model.hidden = [16]
training.epochs = 1

[grid]
training.beta = [0.5, 4]
model.latent = [2, 8]

[[claims]]
statement = "s"
measure = "kl"
model = { beta = 4.0, latent = 8 }
over = "beta 0.5, latent 8"
at_most = 1
"#;

fn refused(text: &str) -> String {
    Study::parse("study", text).unwrap_err().to_string()
}

#[test]
fn a_grid_gives_every_combination_under_every_seed() {
    let study = Study::parse("My Study", GRID).unwrap();
    assert_eq!(study.name(), "my-study");
    let scale = Scale {
        first_seed: 0,
        quick: false,
        seeds: study.seeds().most(),
        until_decided: false,
    };
    let runs = study.runs(scale);
    let keys: Vec<&str> = runs.iter().map(|run| run.key.as_str()).collect();
    assert_eq!(
        keys[..4],
        [
            "beta-0.5-latent-2",
            "beta-0.5-latent-8",
            "beta-4-latent-2",
            "beta-4-latent-8",
        ]
    );
    assert_eq!(runs.len(), 8);
    let last = &runs[7].configuration;
    assert_eq!(
        (last.training.beta, last.model.latent, last.training.seed),
        (4.0, 8, 1)
    );
    assert_eq!(last.model.hidden, [16]);
    // Figures of one kind have files of their own.
    let files: Vec<&str> = study
        .figures
        .iter()
        .map(|shown| shown.file.as_str())
        .collect();
    assert_eq!(files, ["map", "map-2"]);
    assert_eq!(study.figures[1].models, ["beta-0.5-latent-2"]);
    assert_eq!(study.plots.len(), 2);
}

#[test]
fn named_models_and_no_models_at_all() {
    let text = "title = 't'\n[base]\npreset = 'vae-2d'\n[models.'An AE']\nmodel.kind = 'ae'\n[models.vae]\n";
    let study = Study::parse("s", text).unwrap();
    let keys: Vec<&str> = study
        .models
        .iter()
        .map(|model| model.key.as_str())
        .collect();
    assert_eq!(keys, ["an-ae", "vae"]);
    assert_eq!(study.models[0].configuration.model.kind, "ae");
    let bare = Study::parse("s", "title = 't'").unwrap();
    assert_eq!(bare.models.len(), 1);
    assert!(bare.dataset().is_none() && bare.plots.is_empty());
}

#[test]
fn what_is_unknown_is_named_with_the_nearest() {
    for (from, to, expected) in [
        (
            "\"kl\"",
            "\"kl-divergence\"",
            "there is no measure 'kl-divergence'",
        ),
        (
            "\"active-units\"",
            "\"activ-units\"",
            "did you mean 'active-units'",
        ),
        ("[\"map\", ", "[\"maps\", ", "did you mean 'map'"),
        ("over = \"codes\"", "ovr = \"codes\"", "ovr"),
        ("over = \"codes\"", "over = \"code\"", "code"),
        (
            "training.beta",
            "training.bta",
            "did you mean 'training.beta'",
        ),
        ("[0.5, 4]", "[]", "grid.training.beta"),
        ("seeds = 2", "seeds = 0", "at least 1"),
        ("seeds = 2", "seed = 2", "line 4"),
        (
            "models = [\"beta 0.5, latent 2\"]",
            "models = [\"beta 0.5\"]",
            "there is no model",
        ),
        (
            "{ beta = 4.0, latent = 8 }",
            "{ beta = 4.0 }",
            "name more of its settings",
        ),
        ("at_most = 1", "", "has no rules"),
        ("at_most = 1", "at_most = 1\nat_least = 2", "has two rules"),
        ("[2, 8]", "[2, 0]", "latent"),
    ] {
        assert!(GRID.contains(from), "{from}");
        let message = refused(&GRID.replacen(from, to, 1));
        assert!(message.contains(expected), "{from}: {message}");
        assert!(!message.contains('`'), "{message}");
    }
}

#[test]
fn an_article_has_text_and_figures_in_its_order() {
    let article = r#"
[[article]]
heading = "First"
[[article]]
text = """
One line
of one paragraph.

Another about {models}."""
[[article]]
said = "Its own words."
document = "003"
[[article]]
figure = "map"
[[article]]
table = ["kl"]
models = ["beta 0.5, latent 2"]
[grid]
"#;
    let study = Study::parse("s", &GRID.replacen("[grid]", article, 1)).unwrap();
    let kinds: Vec<&str> = study
        .article
        .iter()
        .map(|part| match &part.content {
            Content::Heading(_) => "heading",
            Content::Paragraphs(_) => "text",
            Content::Quotation { .. } => "said",
            Content::Figure(shown) => &shown.file,
            Content::Table { .. } => "table",
            Content::Peculiar { .. } => "draw",
        })
        .collect();
    assert_eq!(kinds, ["heading", "text", "said", "map", "table"]);
    // Those after the article have files of their own too.
    assert_eq!(study.figures[0].file, "map-2");
    for (from, to, expected) in [
        ("heading = ", "heding = ", "did you mean 'heading'"),
        ("heading = \"First\"", "heading = 3", "expected a string"),
        (
            "heading = \"First\"",
            "draw = \"maps\"",
            "the study does not have",
        ),
        ("[\"kl\"]", "[\"kll\"]", "did you mean 'kl'"),
        ("[\"kl\"]", "\"kl\"", "expected a sequence"),
        ("[\"kl\"]", "[\"kl\"]\ntext = \"t\"", "none or several"),
        ("latent 2\"]", "latent 3\"]", "there is no model"),
        ("figure = \"map\"", "figure = \"mpa\"", "did you mean 'map'"),
        (
            "heading = \"First\"",
            "heading = \"First\"\nfigure = \"map\"",
            "heading",
        ),
        (
            "heading = \"First\"",
            "heading = \"First\"\ntext = \"t\"",
            "none or several",
        ),
    ] {
        let changed = article.replacen(from, to, 1);
        let message = refused(&GRID.replacen("[grid]", &changed, 1));
        assert!(message.contains(expected), "{to}: {message}");
    }
}

#[test]
fn what_a_file_cannot_mean_is_refused() {
    let with = |from: &str, to: &str| refused(&GRID.replacen(from, to, 1));
    for (from, to, expected) in [
        // The same for all models.
        (
            "model.latent = [2, 8]",
            "data.dataset = ['a', 'b']",
            "expected dataset =",
        ),
        (
            "training.epochs = 1",
            "training.seed = 7",
            "expected seeds = N",
        ),
        (
            "training.epochs = 1",
            "data.reading.invert = true",
            "[reading]",
        ),
        ("at_most = 1", "at_most = nan", "needs a number"),
        (
            "at_most = 1",
            "at_most = 1\nthresholds = [1]",
            "in words or thresholds",
        ),
        (
            "at_most = 1",
            "at_most = 1\nid = 'a'\n[[claims]]\nid = 'a'\nstatement = 's'\nmeasure = 'kl'\nmodel = 'beta 4, latent 8'\nat_most = 1",
            "two claims have the id 'a'",
        ),
        (
            "[grid]",
            "[[plots]]\nmeasure = 'kl'\nagainst = 'beta'\nby = 'beta'\n[grid]",
            "in one place",
        ),
        (
            "[grid]",
            "[[article]]\ntext = 'of {title of vea}'\n[grid]",
            "no such model",
        ),
        (
            "[grid]",
            "[[article]]\ntext = 'of {modells}'\n[grid]",
            "did you mean {models}",
        ),
        ("[grid]", "[[article]]\ntable = []\n[grid]", "no measure"),
        ("[grid]", "[[article]]\nsaid = 'so'\n[grid]", "no document"),
        (
            "figures = [\"map\"",
            "figures = [{ figure = \"traversals\", range = 0 }",
            "a range above 0",
        ),
    ] {
        let message = with(from, to);
        assert!(message.contains(expected), "{to}: {message}");
    }
    // A brace that nothing closes holds no place.
    let open = GRID.replacen("[grid]", "[[article]]\ntext = 'a { models b'\n[grid]", 1);
    assert!(Study::parse("study", &open).is_ok());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("Lab.toml");
    std::fs::write(&path, GRID).unwrap();
    let message = Study::read(&path).unwrap_err().to_string();
    assert!(message.contains("built-in study 'lab'"), "{message}");
}

#[test]
fn places_are_filled_and_parts_belong_to_data_sets() {
    let dataset = datasets::load("glyphs", &datasets::Lookup::default(), &mut |_| {}).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let scale = Scale {
        first_seed: 0,
        quick: false,
        seeds: 1,
        until_decided: false,
    };
    let at = folder.path();
    let mut drawing = Drawing::new(&dataset, &[], &[], scale, at, at);
    let text = "{0}, {1} and {2} on {dataset}: {x} {title of vae} { {models}.";
    assert_eq!(
        filled(text, &drawing, &[0.5, 2.0]),
        "0.5, 2 and {2} on Glyphs: {x} vae { ."
    );
    let parts = "[[article]]\nonly_on = 'mnist'\ntext = 'a'\n[[article]]\nnot_on = 'glyphs'\ntext = 'b'\n\
                 [[article]]\nonly_on = 'glyphs'\ntext = 'c'\n[[article]]\nnot_on = 'mnist'\ntext = 'd'\n";
    let study = Study::parse("s", &format!("title = 't'\n{parts}")).unwrap();
    let blocks = study.blocks(&mut drawing).unwrap();
    let expected = ["c", "d"].map(Block::paragraph);
    assert_eq!(format!("{blocks:?}"), format!("{expected:?}"));
}

#[test]
fn built_in_studies_are_read_and_use_all_they_have() {
    for study in crate::STUDIES.iter() {
        assert!(!study.about.is_empty() && !study.about.contains('\n'));
        let drawn = study.article.iter().filter_map(|part| match &part.content {
            Content::Peculiar { piece, .. } => Some(piece.0),
            _ => None,
        });
        let drawn: Vec<&str> = drawn.collect();
        let pieces: Vec<&str> = study.peculiar.pieces.iter().map(|piece| piece.0).collect();
        assert_eq!(drawn, pieces, "{}", study.name);
        let ids: Vec<&str> = study.claims.iter().map(|claim| claim.id.as_str()).collect();
        let decided = study.peculiar.decisions.iter();
        let decided: Vec<&str> = decided.map(|decision| decision.0).collect();
        assert_eq!(ids, decided, "{}", study.name);
    }
}

#[test]
fn every_statement_has_a_section_of_the_rules_and_every_section_a_statement() {
    let rules = include_str!("../../../../docs/RULES.md");
    let sections: Vec<&str> = rules.split("\n### ").skip(1).collect();
    let mut described: Vec<&str> = sections
        .iter()
        .filter_map(|section| section.split(' ').next())
        .collect();
    for section in &sections {
        for part in ["Says", "Measured", "Rule", "Seeds", "Changed"] {
            let is_there = section.contains(&format!("- **{part}"))
                || (part == "Rule" && section.contains("- **Measured and rule"));
            assert!(is_there, "{part}: {section}");
        }
    }
    let claims = || crate::STUDIES.iter().flat_map(|study| &study.claims);
    for claim in claims() {
        let section = sections.iter().find(|of| of.starts_with(&claim.id));
        let is_apart = section.is_some_and(|of| of.contains("Failed trainings apart"));
        assert_eq!(is_apart, claim.collapsed_apart, "{}", claim.id);
    }
    let mut stated: Vec<&str> = claims().map(|claim| claim.id.as_str()).collect();
    stated.sort_unstable();
    described.sort_unstable();
    assert_eq!(described, stated);
}

#[test]
fn statements_of_documents_are_transfers_elsewhere() {
    let text = "title = 't'\n[models.t]\nmodel.hidden = [16]\n[[claims]]\nid = 'a'\nabout = 'fashion-mnist'\n\
                statement = 's'\nmeasure = 'kl'\nmodel = 't'\nat_most = 1\n";
    for (from, to, expected) in [
        ("", "", Some("Fashion-MNIST")),
        ("fashion-mnist", "Glyphs", None),
        ("about = 'fashion-mnist'\n", "", None),
    ] {
        let study = Study::parse("s", &text.replacen(from, to, 1)).unwrap();
        let dataset = datasets::load("glyphs", &datasets::Lookup::default(), &mut |_| {}).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let scale = Scale {
            first_seed: 0,
            quick: false,
            seeds: 1,
            until_decided: false,
        };
        let at = folder.path();
        let drawing = Drawing::new(&dataset, &[], &[], scale, at, at);
        let claims = study.claims(&drawing, Look::only(1), |_| true).unwrap();
        assert_eq!(claims[0].0.transfer.as_deref(), expected);
    }
}

#[test]
fn the_example_is_a_study() {
    let study = Study::parse("example", EXAMPLE).unwrap();
    assert_eq!(study.models.len(), 4);
    assert_eq!((study.figures.len(), study.claims.len()), (2, 1));
}

#[test]
fn too_large_a_grid_is_refused() {
    let values: Vec<String> = (1..=600).map(|value| value.to_string()).collect();
    let text = format!(
        "title = 't'\n[grid]\ntraining.epochs = [{}]\n",
        values.join(", ")
    );
    assert!(refused(&text).contains("more than 500"));
}

#[test]
fn seeds_may_be_as_many_as_it_takes() {
    let of = |seeds: &str| GRID.replacen("seeds = 2", &format!("seeds = {seeds}"), 1);
    let seeds = |text: &str| Study::parse("study", &of(text)).unwrap().seeds();
    assert_eq!(seeds("7"), Seeds::Each(7));
    assert_eq!(seeds("'until-decided'"), Seeds::UntilDecided(40));
    assert_eq!(seeds("'until-decided:12'"), Seeds::UntilDecided(12));
    for wrong in [
        "-1",
        "'many'",
        "'until-decided:0'",
        "1.5",
        "'until-decided:20000'",
    ] {
        let message = refused(&of(wrong));
        assert!(message.contains("seeds"), "{message}");
    }
}
