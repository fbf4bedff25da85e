use evaluation::statistics::{Evidence, Scale as Kind, Verdict};
use figures::Measured;
use viz::page::{FigureLink, Span};

use super::lead::{effort, outcome};
use super::statements::{in_words, measurements};
use super::*;

/// Strong enough to decide in a table of a few.
fn evidence_of(verdict: Verdict) -> Evidence {
    let [supports, refutes] = match verdict {
        Verdict::Supported | Verdict::Mixed => [0.0005, 0.9995],
        Verdict::Refuted => [0.9995, 0.0005],
        Verdict::Undecided => [0.4, 0.6],
    };
    Evidence { supports, refutes }
}

fn claim(id: &str, verdict: Verdict) -> Claim {
    Claim {
        id: id.into(),
        transfer: None,
        caveat: None,
        statement: format!("Statement {id} <of> a document."),
        lead: None,
        quantity: "nats".into(),
        measured: vec![
            Measured::new("VAE", [(0, 8.0), (1, 8.5), (2, 9.0)].into(), Vec::new()),
            Measured::new("AE", [(0, 3.0)].into(), vec![1, 2]),
        ],
        collapsed: Vec::new(),
        rule: format!("Rule of {id}."),
        parts: vec![evidence_of(verdict)],
        margins: Vec::new(),
        seeds_needed: Some(7),
        seeds: 3,
        share: 1.0,
        p_value: evidence_of(verdict).p_value(),
        adjusted: evidence_of(verdict).p_value(),
        alone: verdict,
        verdict,
    }
}

fn store(out: &Path, dataset: &str, study: &str, seeds: usize, claims: Vec<Claim>) {
    let folder = out.join(dataset).join(study);
    fs::create_dir_all(&folder).unwrap();
    let stored = StoredSection {
        study: study.into(),
        subject: format!("About {study}"),
        dataset: dataset.into(),
        attribution: "made for a test".into(),
        quick: false,
        seeds,
        fewest_seeds: None,
        section: Section {
            heading: format!("About {study}"),
            blocks: vec![Block::figure(FigureLink {
                source: "map.png".into(),
                size: (10, 10),
                with_axes: Some("map-labelled.png".into()),
                ..FigureLink::default()
            })],
        },
        claims,
        explorer: (study == "lab").then_some(Beside::Written),
    };
    sealed_json::write(&folder.join(SECTION_FILE), &stored).unwrap();
}

fn html(out: &Path) -> String {
    write_index(out).unwrap();
    fs::read_to_string(out.join("index.html")).unwrap()
}

#[test]
fn the_page_has_the_studies_in_their_order_and_all_statements() {
    let out = tempfile::tempdir().unwrap();
    // Stored in another order than the page's.
    store(
        out.path(),
        "mnist",
        "dimensions",
        1,
        vec![
            claim("003.10", Verdict::Undecided),
            claim("003.9", Verdict::Supported),
        ],
    );
    store(
        out.path(),
        "mnist",
        "lab",
        1,
        vec![claim("000.1", Verdict::Refuted)],
    );
    let html = html(out.path());
    let at = |text: &str| {
        html.find(text)
            .unwrap_or_else(|| panic!("{text} is not in {html}"))
    };
    assert!(at("<h2>About lab</h2>") < at("<h2>About dimensions</h2>"));
    assert!(at("<h2>About dimensions</h2>") < at("<h2>Every statement, measured</h2>"));
    assert!(html.contains("src=\"mnist/lab/map.png\""));
    // The table has the numbers, their interval, the rule and the verdict.
    let table = &html[at("<h2>Every statement, measured</h2>")..];
    let inside = |text: &str| {
        table
            .find(text)
            .unwrap_or_else(|| panic!("{text} is not in {table}"))
    };
    assert!(inside("000.1") < inside("003.9") && inside("003.9") < inside("003.10"));
    assert!(table.contains("Statement 003.9 &lt;of&gt; a document."));
    assert!(table.contains("VAE: 8.50 [7.26, 9.74]"), "{table}");
    assert!(table.contains("AE: 3 (diverged: seeds 1, 2)"), "{table}");
    assert!(table.contains("Rule of 003.10."));
    // The lead counts the verdicts and leads to the table.
    let lead = &html[..at("<nav")];
    assert!(lead.contains("mnist, one seed a model."), "{lead}");
    assert!(
        lead.contains(
            "<a href=\"#every-statement-measured\">1 is supported, 1 is refuted and 1 is undecided</a>"
        ),
        "{lead}"
    );
    assert!(html.contains("id=\"every-statement-measured\""));
    let claims: Vec<Claim> =
        serde_json::from_slice(&fs::read(out.path().join("mnist/claims.json")).unwrap()).unwrap();
    let ids: Vec<&str> = claims.iter().map(|claim| claim.id.as_str()).collect();
    assert_eq!(ids, ["000.1", "003.9", "003.10"]);
}

#[test]
fn several_data_sets_are_told_apart_the_fullest_first() {
    let out = tempfile::tempdir().unwrap();
    store(
        out.path(),
        "fashion-mnist",
        "lab",
        5,
        vec![claim("000.1", Verdict::Supported)],
    );
    store(
        out.path(),
        "mnist",
        "lab",
        5,
        vec![claim("000.1", Verdict::Mixed)],
    );
    store(out.path(), "mnist", "dimensions", 5, Vec::new());
    // A folder that is not a data set's is left alone.
    fs::create_dir_all(out.path().join("notes")).unwrap();
    let html = html(out.path());
    let at = |text: &str| {
        html.find(text)
            .unwrap_or_else(|| panic!("{text} is not in {html}"))
    };
    assert!(at("<h2>About lab — mnist</h2>") < at("<h2>About lab — fashion-mnist</h2>"));
    for dataset in ["mnist", "fashion-mnist"] {
        let anchor = format!("every-statement-measured-{dataset}");
        assert!(html.contains(&format!("id=\"{anchor}\"")), "{html}");
        assert!(html.contains(&format!("href=\"#{anchor}\"")), "{html}");
        assert!(out.path().join(dataset).join("claims.json").exists());
    }
    assert!(html.contains("fashion-mnist, 5 seeds a model."));
}

#[test]
fn a_damaged_section_is_named() {
    let out = tempfile::tempdir().unwrap();
    store(out.path(), "mnist", "lab", 1, Vec::new());
    let path = out.path().join("mnist/lab/section.json");
    fs::write(&path, "{\"study\": \"lab\"").unwrap();
    let error = write_index(out.path()).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("section.json is damaged"), "{message}");
    assert!(message.contains("draw its study again"), "{message}");
    assert_eq!(error.exit_code(), 2);
}

#[test]
fn a_statement_about_one_seed_says_so() {
    let text = |claim: &Claim| Text(measurements(claim));
    let several = claim("000.1", Verdict::Supported);
    let one = Claim {
        measured: several.measured[1..].to_vec(),
        ..several.clone()
    };
    let words = Span::Strong(" (one seed)".into());
    assert!(text(&one).0.contains(&words));
    assert!(!text(&several).0.contains(&words));
}

#[test]
fn the_lead_begins_with_what_was_found() {
    let out = tempfile::tempdir().unwrap();
    let of = |id: &str, verdict, clause: Option<&str>| Claim {
        lead: clause.map(Into::into),
        ..claim(id, verdict)
    };
    let mut step = of("002.6", Verdict::Refuted, Some("a step <loses> it"));
    step.caveat = Some("The VAE is worse.".into());
    let claims = vec![
        of(
            "002.2",
            Verdict::Supported,
            Some("codes lie far out (83 %)"),
        ),
        of("002.3", Verdict::Supported, Some("areas differ")),
        of("002.4", Verdict::Supported, None),
        step,
        of("002.5", Verdict::Mixed, None),
        of("002.7", Verdict::Undecided, None),
        of("002.8", Verdict::Undecided, None),
    ];
    store(out.path(), "mnist", "autoencoder", 1, claims);
    store(
        out.path(),
        "mnist",
        "mine",
        1,
        vec![claim("mine.1", Verdict::Mixed)],
    );
    let html = html(out.path());
    let lead = &html[..html.find("<nav").unwrap()];
    let found = "mnist, one seed a model. </strong>About autoencoder: of 7 statements \
                 3 hold, among them that codes lie far out (83 %) and that areas differ; 1 does not: \
                 that a step &lt;loses&gt; it; 1 holds in part; 2 are undecided.</p>\n\
                 <p>Statement mine.1 &lt;of&gt; a document: mixed (AE: 3 (diverged: seeds 1, 2)).</p>\n\
                 <p>Of 8";
    assert!(lead.contains(found), "{lead}");
    assert!(lead.contains("“Autoencoders” (002)"), "{lead}");
    let caveats = html
        .matches("<strong>But: </strong>The VAE is worse.")
        .count();
    assert_eq!(caveats, 2);
}

#[test]
fn transfers_are_marked_and_in_no_total() {
    let out = tempfile::tempdir().unwrap();
    let transfer = |id: &str| Claim {
        transfer: Some("Fashion-MNIST".into()),
        ..claim(id, Verdict::Refuted)
    };
    let own = || vec![claim("002.1", Verdict::Supported)];
    store(out.path(), "mnist", "autoencoder", 1, own());
    store(out.path(), "mnist", "lab", 1, vec![transfer("000.1")]);
    let page = html(out.path());
    let lead = &page[..page.find("<nav").unwrap()];
    assert!(lead.contains("Of one statement <a"), "{lead}");
    let beside = "Beside them there is one about other data, in no total: 1 is refuted.";
    assert!(lead.contains(beside), "{lead}");
    let marked = page.matches("A transfer: the document is about Fashion-MNIST.");
    assert_eq!(marked.count(), 2);
    assert!(page.contains("transfers are a table of their own"));
    // Where all are, they are what is told.
    let others = tempfile::tempdir().unwrap();
    let all = vec![transfer("000.1"), transfer("000.2")];
    store(others.path(), "glyphs", "lab", 1, all);
    let page = html(others.path());
    assert!(
        page.contains("Of 2 statements about other data <a"),
        "{page}"
    );
}

#[test]
fn explorers_are_linked_where_their_files_are() {
    let out = tempfile::tempdir().unwrap();
    store(out.path(), "mnist", "lab", 1, Vec::new());
    store(out.path(), "mnist", "dimensions", 1, Vec::new());
    let html = html(out.path());
    assert_eq!(html.matches("explorer.html").count(), 1, "{html}");
    assert!(html.contains("href=\"mnist/lab/explorer.html\""), "{html}");
    // The article on a code host has no such file beside it.
    let article = read_article(out.path()).unwrap();
    assert!(!format!("{article:?}").contains("explorer.html"));
}

#[test]
fn effort_and_outcome_read_well() {
    let of = |seeds: &[usize], quick: &[bool]| {
        let sections: Vec<StoredSection> = seeds
            .iter()
            .zip(quick)
            .map(|(&seeds, &quick)| StoredSection {
                study: "lab".into(),
                subject: "Maps".into(),
                dataset: "mnist".into(),
                attribution: String::new(),
                quick,
                seeds,
                fewest_seeds: None,
                section: Section::default(),
                claims: Vec::new(),
                explorer: None,
            })
            .collect();
        effort(&sections)
    };
    assert_eq!(of(&[1, 1], &[false; 2]), "one seed a model");
    assert_eq!(of(&[5, 2], &[false; 2]), "2 to 5 seeds a model");
    assert_eq!(of(&[40], &[false]), "40 seeds a model");
    assert_eq!(
        of(&[5], &[true]),
        "5 seeds a model, trained briefly for a first look"
    );
    assert_eq!(
        of(&[5, 5], &[false, true]),
        "5 seeds a model, some of them trained briefly for a first look"
    );
    let claims = |verdicts: &[Verdict]| -> Vec<Claim> {
        verdicts
            .iter()
            .map(|verdict| claim("000.1", *verdict))
            .collect()
    };
    assert_eq!(outcome(&claims(&[Verdict::Mixed])), "1 is mixed");
    assert_eq!(
        outcome(&claims(&[
            Verdict::Refuted,
            Verdict::Supported,
            Verdict::Supported
        ])),
        "2 are supported and 1 is refuted"
    );
}

#[test]
fn numbers_have_the_digits_they_need() {
    let of = |mean, ends: Option<[f64; 2]>| {
        let interval = evaluation::statistics::Interval {
            lower: ends.map(|ends| ends[0]),
            upper: ends.map(|ends| ends[1]),
            ..evaluation::statistics::Interval::of_one(mean)
        };
        in_words(&Measured::together("m", Some(interval)))
    };
    assert_eq!(of(131.0004, None), "m: 131.0");
    assert_eq!(of(0.0, None), "m: 0");
    assert_eq!(of(0.0, Some([0.0, 0.978])), "m: 0.00 [0.00, 0.98]");
    assert_eq!(of(0.0123, None), "m: 0.012");
    assert_eq!(of(2.0, Some([-1.5, 5.5])), "m: 2.00 [−1.50, 5.50]");
    assert_eq!(in_words(&Measured::together("m", None)), "m: –");
}

#[test]
fn numbers_say_what_they_are() {
    let of = |values: [f64; 5], kind| {
        let by_seed = (0..).zip(values).collect();
        in_words(&Measured::new("m", by_seed, Vec::new()).on(kind))
    };
    // Five tens are no point: nothing says that all trainings give ten.
    let tens = of([10.0; 5], Kind::Count);
    assert_eq!(
        tens,
        "m: 10 (all 5 alike: so are at least 48 % of trainings)"
    );
    assert_eq!(of([10.0; 5], Kind::Real), tens);
    let counts = [8.0, 9.0, 10.0, 10.0, 7.0];
    assert_eq!(of(counts, Kind::Count), "m: 9 (median)");
    let kinds = Kind::Bounded {
        low: 0.0,
        high: 10.0,
    };
    assert_eq!(
        of(counts, kinds),
        "m: 9 [0, 10] (median, between the ends of its scale)"
    );
    // exp(ln 2 ± 2.776·s/√5) with s of the logarithms 1.0960.
    assert_eq!(
        of([0.5, 1.0, 2.0, 4.0, 8.0], Kind::Ratio),
        "m: 2.00 [0.51, 7.80] (geometric mean)"
    );
}

#[test]
fn a_statement_decided_alone_is_told_where_the_table_asks_more() {
    let out = tempfile::tempdir().unwrap();
    let weak = Evidence {
        supports: 0.02,
        refutes: 0.98,
    };
    let mut alone = claim("000.1", Verdict::Supported);
    alone.parts = vec![weak];
    alone.p_value = weak.p_value();
    let mut looked = claim("000.2", Verdict::Refuted);
    (looked.seeds, looked.share) = (10, 0.125);
    let open = ["000.3", "000.4"].map(|id| claim(id, Verdict::Undecided));
    let claims = [alone, looked].into_iter().chain(open).collect();
    store(out.path(), "mnist", "lab", 40, claims);
    let html = html(out.path());
    // Three of four are left when the smallest is decided: 3 · 0.02.
    assert!(
        html.contains("0.060<br><em>alone 0.020: supported</em>"),
        "{html}"
    );
    assert!(html.contains("<em>Alone it is supported.</em>"), "{html}");
    assert!(html.contains("3 are undecided"), "{html}");
    assert!(html.contains("In a table of 4 some would be"), "{html}");
    // Where seeds were added, the table says how many there were.
    assert!(html.contains("Seeds were added until"), "{html}");
    assert!(html.contains("<td data-label=\"seeds\">10</td>"), "{html}");
    assert!(
        html.contains("Decided alone with 90 % power from 7 seeds on"),
        "{html}"
    );
}

#[test]
fn two_ranges_of_seeds_are_held_against_each_other() {
    let [first, second] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let all = |last| {
        let verdicts = [Verdict::Supported, Verdict::Refuted, last];
        let ids = ["002.1", "002.2", "002.10"];
        ids.into_iter()
            .zip(verdicts)
            .map(|(id, verdict)| claim(id, verdict))
    };
    let shifted = |mut claim: Claim| {
        for measured in &mut claim.measured {
            let values = std::mem::take(&mut measured.by_seed).into_iter();
            measured.by_seed = values.map(|(seed, value)| (seed + 40, value)).collect();
            measured.diverged.iter_mut().for_each(|seed| *seed += 40);
        }
        claim
    };
    store(
        first.path(),
        "mnist",
        "autoencoder",
        3,
        all(Verdict::Supported).collect(),
    );
    let mut others: Vec<Claim> = all(Verdict::Undecided).map(shifted).collect();
    others[1].rule = "another".into();
    store(second.path(), "mnist", "autoencoder", 3, others);
    for folder in [&first, &second] {
        html(folder.path());
    }
    let found = replication::compare(first.path(), second.path()).unwrap();
    assert_eq!(found.of_data[0].differing, ["002.10"]);
    assert_eq!(found.of_data[0].of_another_rule, ["002.2"]);
    let text = found.to_markdown().unwrap();
    let differ = "2 of 3 statements have the same verdict both times; 002.10 has another. The rule of \
                  002.2 is not the same in both.";
    assert!(text.contains(differ), "{text}");
    assert!(
        text.contains("seeds 0 to 2") && text.contains("seeds 40 to 42"),
        "{text}"
    );
    // What shares seeds is no second look.
    let same = replication::compare(first.path(), first.path()).unwrap_err();
    assert!(
        same.to_string().contains("both have numbers of seed 0"),
        "{same}"
    );
    let none = tempfile::tempdir().unwrap();
    let error = replication::compare(first.path(), none.path()).unwrap_err();
    assert!(error.to_string().contains("in common"), "{error}");
}
