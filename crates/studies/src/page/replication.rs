//! Verdicts on the same statements from two ranges of seeds, side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use figures::wording::listed;
use serde::Serialize;
use viz::page::{Block, Cell, Column, Page, Section, Span, Table, Text};

use super::statements::p_in_words;
use super::{CLAIMS_FILE, order, sub_folders};
use crate::claims::{Claim, badge};
use runs::{Error, sealed_json};

/// What two folders of figures say about the same statements.
#[derive(Debug)]
pub struct Replication {
    page: Page,
    /// Of every data set that both have.
    pub of_data: Vec<OfData>,
}

/// The statements of one data set.
#[derive(Debug, Serialize)]
pub struct OfData {
    /// Its folder below the figures.
    pub dataset: String,
    /// How many both have decided or left open.
    pub statements: usize,
    /// Those with another verdict, by id.
    pub differing: Vec<String>,
    /// Those whose rule is another in the second folder: their verdicts are of two
    /// rules as well as of two ranges.
    pub of_another_rule: Vec<String>,
}

/// Holds the verdicts below `first` and `second` against each other.
///
/// # Errors
/// A folder that cannot be read, no data set in common, and seeds in common: what
/// the same numbers say twice confirms nothing.
pub fn compare(first: &Path, second: &Path) -> Result<Replication, Error> {
    let others = verdicts(second)?;
    let mut of_data = Vec::new();
    let mut sections = Vec::new();
    for (dataset, claims) in verdicts(first)? {
        let Some(others) = others.get(&dataset) else {
            continue;
        };
        let pair = |claim: Claim| {
            let same = others.iter().find(|other| other.id == claim.id)?.clone();
            Some((claim, same))
        };
        let mut pairs: Vec<(Claim, Claim)> = claims.into_iter().filter_map(pair).collect();
        pairs.sort_by_key(|(claim, _)| order(&claim.id));
        let shared = pairs.iter().find_map(|(a, b)| shared_seed(a, b));
        if let Some(seed) = shared {
            return Err(Error::Configuration(format!(
                "{} and {} both have numbers of seed {seed}, but two ranges without a common seed are needed; draw one of them with another --first-seed",
                first.display(),
                second.display()
            )));
        }
        let those = |differ: fn(&Claim, &Claim) -> bool| -> Vec<String> {
            let pairs = pairs.iter().filter(|(a, b)| differ(a, b));
            pairs.map(|(claim, _)| claim.id.clone()).collect()
        };
        let found = OfData {
            dataset: dataset.clone(),
            statements: pairs.len(),
            differing: those(|a, b| a.verdict != b.verdict),
            of_another_rule: those(|a, b| a.rule != b.rule),
        };
        sections.push(Section {
            heading: dataset,
            blocks: vec![
                Block::paragraph(found.in_words()),
                Block::Statements(table(&pairs)),
            ],
        });
        of_data.push(found);
    }
    if of_data.is_empty() {
        return Err(Error::Configuration(format!(
            "{} and {} have no statement about the same data in common, but folders of figures with some are needed; draw both with 'figures --study'",
            first.display(),
            second.display()
        )));
    }
    let lead = "Every statement was decided twice, from two ranges of seeds that have none in common, by \
                the same rule unless it says so. Behind a verdict stand p in the table of all \
                statements and the seeds that it took.";
    let page = Page {
        title: "Verdicts from two ranges of seeds".into(),
        lead: vec![Text::from(lead)],
        sections,
        ..Page::default()
    };
    Ok(Replication { page, of_data })
}

impl Replication {
    /// The tables as a page for a code host.
    ///
    /// # Errors
    /// When something cannot be written as Markdown.
    pub fn to_markdown(&self) -> Result<String, Error> {
        Ok(self.page.to_markdown()?)
    }
}

impl OfData {
    /// `33 of 34 statements have the same verdict both times; another one has 003.8.`
    #[must_use]
    pub fn in_words(&self) -> String {
        let same = self.statements - self.differing.len();
        let of = format!("{same} of {} statements", self.statements);
        let verdicts = match self.differing.len() {
            0 => format!("{of} have the same verdict both times."),
            1 => format!(
                "{of} have the same verdict both times; {} has another.",
                self.differing[0]
            ),
            _ => format!(
                "{of} have the same verdict both times; {} have others.",
                listed(&self.differing)
            ),
        };
        match self.of_another_rule.len() {
            0 => verdicts,
            1 => format!(
                "{verdicts} The rule of {} is not the same in both.",
                self.of_another_rule[0]
            ),
            _ => format!(
                "{verdicts} The rules of {} are not the same in both.",
                listed(&self.of_another_rule)
            ),
        }
    }
}

/// What `claims.json` of every data set below a folder holds.
fn verdicts(figures: &Path) -> Result<BTreeMap<String, Vec<Claim>>, Error> {
    let mut found = BTreeMap::new();
    for folder in sub_folders(figures)? {
        let claims = sealed_json::read(&folder.join(CLAIMS_FILE), "draw its studies again")?;
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        found.extend(claims.map(|claims| (name.into_owned(), claims)));
    }
    Ok(found)
}

fn table(pairs: &[(Claim, Claim)]) -> Table {
    let rows = pairs.iter().map(|(first, second)| {
        let differs = first.verdict != second.verdict;
        let said = |claim: &Claim| {
            let seeds = first_and_last(claim);
            let text = format!(
                "{}, p {}{seeds}",
                badge(claim.verdict).name(),
                p_in_words(claim.adjusted)
            );
            Cell::text(vec![if differs {
                Span::Strong(text)
            } else {
                Span::Plain(text)
            }])
        };
        vec![
            Cell::text(first.id.as_str()),
            Cell::text(first.statement.as_str()),
            said(first),
            said(second),
        ]
    });
    Table {
        caption: Text::default(),
        columns: ["", "statement", "first range", "second range"]
            .map(|name| Column::new(name, ""))
            .into(),
        rows: rows.collect(),
    }
}

fn seeds(claim: &Claim) -> BTreeSet<u64> {
    let each = claim.measured.iter();
    each.flat_map(|measured| measured.by_seed.keys().chain(&measured.diverged).copied())
        .collect()
}

fn shared_seed(first: &Claim, second: &Claim) -> Option<u64> {
    seeds(first).intersection(&seeds(second)).next().copied()
}

/// `, seeds 40 to 49`, of the seeds a claim has numbers of.
fn first_and_last(claim: &Claim) -> String {
    let seeds = seeds(claim);
    match (seeds.first(), seeds.last()) {
        (Some(first), Some(last)) if first < last => format!(", seeds {first} to {last}"),
        (Some(only), _) => format!(", seed {only}"),
        _ => String::new(),
    }
}
