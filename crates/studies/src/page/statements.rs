//! The statements of a data set on the page: what was measured about each, and
//! what follows.

use std::collections::BTreeSet;

use evaluation::statistics::{Centre, Interval, Verdict};
use figures::Measured;
use figures::measured::{LEVEL, POWER};
use figures::wording::percent;
use viz::page::{Block, Cell, Column, Span, Table, Text, anchor};

use crate::claims::{Claim, SIGNIFICANCE, badge};

pub(super) fn claims_heading(suffix: &str) -> String {
    format!("Every statement, measured{suffix}")
}

/// The verdicts of a study's statements, for the end of its section.
pub(super) fn verdicts_of_a_study(claims: &[Claim], suffix: &str) -> [Block; 2] {
    let rows = claims.iter().map(|claim| {
        let mut statement = stated(claim);
        statement.extend(
            alone(claim)
                .into_iter()
                .flat_map(|said| [Span::Break, Span::Emphasis(format!("Alone it is {said}."))]),
        );
        vec![
            Cell::text(claim.id.as_str()),
            Cell::text(statement),
            Cell::Verdict(badge(claim.verdict)),
        ]
    });
    let table = Table {
        caption: Text(vec![
            Span::Plain("The measurements and rules behind the verdicts stand in the ".into()),
            Span::Link {
                text: "table of all statements".into(),
                to: format!("#{}", anchor(&claims_heading(suffix))),
            },
            Span::Plain(".".into()),
        ]),
        columns: ["", "statement", "verdict"]
            .map(|name| Column::new(name, ""))
            .into(),
        rows: rows.collect(),
    };
    [
        Block::Subheading("What the numbers say".into()),
        Block::Statements(table),
    ]
}

/// The table of every statement measured on one data set.
pub(super) fn claims_blocks(claims: &[Claim]) -> Vec<Block> {
    let is_sequential = claims.iter().any(|claim| claim.share < 1.0);
    let mut names = vec!["", "statement", "measured", "rule", "p", "verdict"];
    if is_sequential {
        names.insert(4, "seeds");
    }
    let rows = claims.iter().map(|claim| {
        let mut row = vec![
            Cell::text(claim.id.as_str()),
            Cell::text(stated(claim)),
            Cell::text(measurements(claim)),
            Cell::text(claim.rule.as_str()),
            Cell::text(p_values(claim)),
            Cell::Verdict(badge(claim.verdict)),
        ];
        if is_sequential {
            row.insert(4, Cell::text(claim.seeds.to_string()));
        }
        row
    });
    let rows = rows.collect();
    vec![
        Block::paragraph(how_it_is_decided(claims, is_sequential)),
        Block::Statements(Table {
            caption: Text::default(),
            columns: names
                .into_iter()
                .map(|name| Column::new(name, ""))
                .collect(),
            rows,
        }),
    ]
}

/// What a reader has to know about the table.
fn how_it_is_decided(claims: &[Claim], is_sequential: bool) -> String {
    let transfers = claims.iter().filter(|claim| claim.transfer.is_some());
    let transfers = transfers.count();
    let statements = claims.len() - transfers;
    let level = percent(SIGNIFICANCE);
    let interval = percent(LEVEL);
    let mut text = format!(
        "Each row is a statement (of a document, by its number, or of a study), what was measured \
         about it, the rule that decides and the verdict. Beside a number over seeds stands its \
         two-sided {interval} interval: that of the mean by Student's t, and of the geometric mean \
         or the median where that is said; values that are all alike have none, but a share of \
         trainings that give this value at least. A verdict asks one side only, as a statement is \
         true or false: supported if a one-sided test rejects that it is false, refuted if one \
         rejects that it is true, and undecided if neither does; of several parts each is tested, \
         and mixed says that some are supported and the others refuted. A verdict alone is wrong \
         with a chance of at most {level}. "
    );
    text.push_str(&match statements {
        0 => "All of these are transfers.".to_owned(),
        1 => "The statement is alone in this table.".to_owned(),
        count => format!(
            "In a table of {count} some would be, so Holm's procedure raises each p-value until the \
             chance that any of the verdicts is wrong is {level}: p is the value so raised, and \
             where a statement is decided alone but not as one of all, both are said."
        ),
    });
    if transfers > 0 {
        text.push_str(
            " A transfer is a statement about another data set: its row says whether it carries over \
             to these data; transfers are a table of their own and in no total.",
        );
    }
    if is_sequential {
        text.push_str(
            " Seeds were added until a statement was decided: every look at the numbers spends its \
             own part of the level, as large as the part of all seeds that are new to it, and p \
             is divided by that part. What was decided keeps the numbers of its look.",
        );
    }
    text.push_str(" One seed decides nothing.");
    text
}

/// The p-value in the table, and that of the statement alone where its verdict
/// differs.
fn p_values(claim: &Claim) -> Vec<Span> {
    let mut spans = vec![Span::Plain(p_in_words(claim.adjusted))];
    if let Some(said) = alone(claim) {
        spans.push(Span::Break);
        spans.push(Span::Emphasis(format!(
            "alone {}: {said}",
            p_in_words(claim.p_value)
        )));
    }
    spans
}

/// The verdict of a statement alone, where the table's is another.
fn alone(claim: &Claim) -> Option<&'static str> {
    let differs = claim.alone != claim.verdict && claim.alone != Verdict::Undecided;
    differs.then(|| badge(claim.alone).name())
}

/// Two digits or so, as `0.034`; `< 0.001` below.
pub(super) fn p_in_words(p: f64) -> String {
    match p {
        small if small < 0.001 => "< 0.001".into(),
        small if small < 0.1 => viz::number::decimal(small, 3),
        large => viz::number::decimal(large, 2),
    }
}

/// The statement, whether it is about other data, and what turns its verdict round.
fn stated(claim: &Claim) -> Vec<Span> {
    let mut spans = vec![Span::Plain(claim.statement.clone())];
    if let Some(other) = &claim.transfer {
        spans.push(Span::Break);
        spans.push(Span::Emphasis(format!(
            "A transfer: the document is about {other}."
        )));
    }
    if let Some(caveat) = &claim.caveat {
        spans.push(Span::Break);
        spans.push(Span::Strong("But: ".into()));
        spans.push(Span::Plain(caveat.clone()));
    }
    spans
}

/// The quantity, a line for each model, and what is known about the test; a
/// single seed is called so.
pub(super) fn measurements(claim: &Claim) -> Vec<Span> {
    let mut spans = vec![Span::Emphasis(claim.quantity.clone())];
    let most = claim
        .measured
        .iter()
        .map(|of_model| of_model.by_seed.len())
        .max();
    if most == Some(1) {
        spans.push(Span::Strong(" (one seed)".into()));
    }
    for measured in claim.measured.iter().chain(&claim.collapsed) {
        spans.push(Span::Break);
        spans.push(Span::Plain(in_words(measured)));
    }
    for [low, high] in &claim.margins {
        let [low, high] = [low, high].map(|end| viz::number::shortest(*end));
        spans.push(Span::Break);
        spans.push(Span::Plain(format!("As good as the same: {low} to {high}")));
    }
    if let Some(seeds) = claim.seeds_needed {
        spans.push(Span::Break);
        spans.push(Span::Plain(format!(
            "Decided alone with {} power from {seeds} seeds on, if others are as these",
            percent(POWER)
        )));
    }
    spans
}

/// `name: mean [low, high] (diverged: seed 3)`, or `name: – (why)`.
pub(super) fn in_words(measured: &Measured) -> String {
    let mut text = match &measured.interval {
        None => format!("{}: –", measured.name),
        Some(interval) => format!("{}: {}", measured.name, number_in_words(interval)),
    };
    if measured.interval.is_none() {
        let reasons: BTreeSet<&str> = measured.missing.values().map(String::as_str).collect();
        if !reasons.is_empty() {
            let reasons: Vec<&str> = reasons.into_iter().collect();
            text.push_str(&format!(" ({})", reasons.join("; ")));
        }
    }
    if !measured.diverged.is_empty() {
        let seeds: Vec<String> = measured.diverged.iter().map(u64::to_string).collect();
        let which = if measured.by_seed.is_empty() {
            "every run diverged"
        } else {
            "diverged"
        };
        let unit = if seeds.len() == 1 { "seed" } else { "seeds" };
        text.push_str(&format!(" ({which}: {unit} {})", seeds.join(", ")));
    }
    text
}

/// `8.50 [7.26, 9.74]`, and what it is if no mean with a 95 % interval.
fn number_in_words(interval: &Interval) -> String {
    let ends = [interval.lower, interval.upper];
    let decimals = decimals(interval.centre, ends);
    let number = |value| viz::number::decimal(value, decimals);
    let mut text = number(interval.centre);
    if let [Some(lower), Some(upper)] = ends {
        text.push_str(&format!(" [{}, {}]", number(lower), number(upper)));
    }
    let mut said = Vec::new();
    let is_named = !matches!(interval.about, Centre::Mean | Centre::Proportion);
    if is_named && interval.n > 1 && interval.equal.is_none() {
        said.push(interval.about.name().to_owned());
    }
    if let [Some(_), Some(_)] = ends {
        if interval.level >= 1.0 {
            said.push("between the ends of its scale".into());
        } else if (interval.level - LEVEL).abs() > 5e-4 {
            said.push(percent(interval.level));
        }
    }
    if let Some(equal) = interval.equal {
        let which = if equal.count == interval.n {
            format!("all {} alike", interval.n)
        } else {
            format!("median, {} of {} alike", equal.count, interval.n)
        };
        said.push(format!(
            "{which}: so are at least {} of trainings",
            percent(equal.share)
        ));
    }
    if !said.is_empty() {
        text.push_str(&format!(" ({})", said.join(", ")));
    }
    text
}

/// Three digits or so of the largest number shown; none for whole numbers
/// without an interval.
fn decimals(mean: f64, ends: [Option<f64>; 2]) -> usize {
    let largest = ends
        .iter()
        .flatten()
        .fold(mean.abs(), |most, end| most.max(end.abs()));
    let whole = mean.fract() == 0.0 && ends.iter().flatten().all(|end| end.fract() == 0.0);
    match largest {
        _ if whole => 0,
        largest if largest >= 1000.0 => 0,
        largest if largest >= 100.0 => 1,
        largest if largest >= 0.1 => 2,
        largest if largest >= 0.01 => 3,
        _ => 4,
    }
}
