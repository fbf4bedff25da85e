//! The article: the sections of every study drawn so far, data set by data
//! set, as `index.html` and as Markdown.
//!
//! Each study leaves its section beside its figures as `section.json`, so the
//! article can be put together again without drawing anything.

mod lead;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use datasets::Dataset;
use serde::{Deserialize, Serialize};
use viz::page::{Block, Cell, Column, Page, Section, Span, Table, Text, anchor};

use self::lead::{built_in, lead};
use crate::claims::{Claim, badge};
use crate::{Report, STUDIES, Scale, Study};
use figures::Measured;
use figures::explore::{BESIDE, Beside};
use runs::Error;
use runs::sealed_json;

const SECTION_FILE: &str = "section.json";
const CLAIMS_FILE: &str = "claims.json";
const INDEX_FILE: &str = "index.html";

/// A section as kept beside its figures.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct StoredSection {
    study: String,
    dataset: String,
    attribution: String,
    quick: bool,
    seeds: usize,
    section: Section,
    claims: Vec<Claim>,
    /// What became of its explorer; nothing of a first look.
    #[serde(default)]
    explorer: Option<Beside>,
}

/// What was drawn of one data set.
#[derive(Debug)]
struct Part {
    /// Its folder below the figures.
    folder: String,
    dataset: String,
    /// In the order of [`STUDIES`].
    sections: Vec<StoredSection>,
    /// Of all its studies, by document and number.
    claims: Vec<Claim>,
}

/// Keeps a study's section in its folder.
pub(crate) fn write_section(
    folder: &Path,
    study: &Study,
    dataset: &Dataset,
    scale: Scale,
    report: Report,
    explorer: Option<Beside>,
) -> Result<(), Error> {
    let stored = StoredSection {
        study: study.name().into(),
        dataset: figures::wording::name_of(dataset),
        attribution: dataset.attribution.clone(),
        quick: scale.quick,
        seeds: scale.seeds,
        section: finite(report.section),
        claims: report.claims,
        explorer,
    };
    sealed_json::write(&folder.join(SECTION_FILE), &stored)
}

/// The section with a dash for every number that is not finite: JSON has no
/// word for it.
fn finite(mut section: Section) -> Section {
    for block in &mut section.blocks {
        let (Block::Table(table) | Block::Statements(table)) = block else {
            continue;
        };
        for cell in table.rows.iter_mut().flatten() {
            let is_finite = match cell {
                Cell::Number { value, .. } => value.is_finite(),
                Cell::Interval {
                    mean, low, high, ..
                } => [mean, low, high].iter().all(|value| value.is_finite()),
                _ => true,
            };
            if !is_finite {
                *cell = Cell::Missing;
            }
        }
    }
    section
}

/// Whether sections of ours, or a page made of them, are below `out`.
pub(crate) fn is_in(out: &Path) -> bool {
    Page::is_ours(&out.join(INDEX_FILE)) || parts(out).is_ok_and(|parts| !parts.is_empty())
}

/// Writes `index.html` and the `claims.json` of every data set from the
/// sections found below `out`.
pub(crate) fn write_index(out: &Path) -> Result<(), Error> {
    let parts = parts(out)?;
    for part in parts.iter().filter(|part| !part.claims.is_empty()) {
        let path = out.join(&part.folder).join(CLAIMS_FILE);
        sealed_json::write(&path, &part.claims)?;
    }
    article(parts, true).write(&out.join(INDEX_FILE))?;
    Ok(())
}

/// The article of the sections found below `out`; its pictures' paths are
/// relative to `out`.
pub(crate) fn read_article(out: &Path) -> Result<Page, Error> {
    Ok(article(parts(out)?, false))
}

/// The data sets drawn, those with most studies first.
fn parts(out: &Path) -> Result<Vec<Part>, Error> {
    let mut parts = Vec::new();
    for folder in sub_folders(out)? {
        let mut sections = Vec::new();
        for study in studies_in(&folder)? {
            sections.extend(read(&study.join(SECTION_FILE))?);
        }
        let Some(first) = sections.first() else {
            continue;
        };
        let mut claims: Vec<Claim> = sections
            .iter()
            .flat_map(|section: &StoredSection| section.claims.clone())
            .collect();
        claims.sort_by_key(|claim| order(&claim.id));
        parts.push(Part {
            folder: folder
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            dataset: first.dataset.clone(),
            sections,
            claims,
        });
    }
    parts.sort_by(|a, b| {
        b.sections
            .len()
            .cmp(&a.sections.len())
            .then_with(|| a.dataset.cmp(&b.dataset))
    });
    Ok(parts)
}

/// The folders of studies of one data set: those of the atlas in its order, then
/// others by name.
fn studies_in(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut folders = sub_folders(folder)?;
    let rank = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default();
        STUDIES
            .iter()
            .position(|study| name == study.name())
            .unwrap_or(STUDIES.len())
    };
    folders.sort_by_key(rank);
    Ok(folders)
}

/// Document and number of a claim's id, so that `003.10` follows `003.9`.
fn order(id: &str) -> (String, usize) {
    let (document, number) = id.split_once('.').unwrap_or((id, ""));
    (document.into(), number.parse().unwrap_or(0))
}

/// Explorers are linked where their files are beside the page.
fn article(parts: Vec<Part>, with_explorers: bool) -> Page {
    let several = parts.len() > 1;
    let stored: Vec<&StoredSection> = parts.iter().flat_map(|part| &part.sections).collect();
    let is_of_the_atlas = stored
        .iter()
        .any(|section| built_in(&section.study).is_some());
    let (title, subtitle) = match stored[..] {
        _ if is_of_the_atlas => (
            "Latent Atlas".to_owned(),
            "What autoencoders and variational autoencoders learn, drawn and measured".to_owned(),
        ),
        [only] => (only.section.heading.clone(), format!("on {}", only.dataset)),
        _ => ("Studies".to_owned(), "Questions, measured".to_owned()),
    };
    let mut page = Page {
        title,
        subtitle,
        lead: lead(&parts, several, is_of_the_atlas),
        ..Page::default()
    };
    for part in parts {
        let suffix = if several {
            format!(" — {}", part.dataset)
        } else {
            String::new()
        };
        for stored in part.sections {
            let attribution = Text::from(format!("{}: {}", stored.dataset, stored.attribution));
            if !page.footer.contains(&attribution) {
                page.footer.push(attribution);
            }
            let prefix = format!("{}/{}", part.folder, stored.study);
            let explorer = stored.explorer.clone().filter(|_| with_explorers);
            let mut section = placed(stored, &prefix, &suffix);
            section
                .blocks
                .extend(explorer.map(|beside| beside.block(&format!("{prefix}/{BESIDE}"))));
            page.sections.push(section);
        }
        if !part.claims.is_empty() {
            page.sections.push(Section {
                heading: claims_heading(&suffix),
                blocks: claims_blocks(&part.claims),
            });
        }
    }
    page
}

/// The section with its figures' paths relative to the page and the verdicts
/// on its statements at the end.
fn placed(stored: StoredSection, prefix: &str, suffix: &str) -> Section {
    let mut section = stored.section;
    section.heading.push_str(suffix);
    for block in &mut section.blocks {
        if let Block::Figures(figures) = block {
            for figure in figures {
                let own = figure.with_axes.iter_mut();
                for path in own.chain([&mut figure.source]) {
                    *path = format!("{prefix}/{path}");
                }
            }
        }
    }
    if !stored.claims.is_empty() {
        let mut claims = stored.claims;
        claims.sort_by_key(|claim| order(&claim.id));
        section
            .blocks
            .push(Block::Subheading("What the numbers say".into()));
        section.blocks.push(Block::Statements(Table {
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
            rows: claims
                .iter()
                .map(|claim| {
                    vec![
                        Cell::text(claim.id.as_str()),
                        Cell::text(stated(claim)),
                        Cell::Verdict(badge(claim.verdict)),
                    ]
                })
                .collect(),
        }));
    }
    section
}

fn claims_heading(suffix: &str) -> String {
    format!("Every statement, measured{suffix}")
}

/// The table of every statement measured on one data set.
fn claims_blocks(claims: &[Claim]) -> Vec<Block> {
    let rows = claims
        .iter()
        .map(|claim| {
            vec![
                Cell::text(claim.id.as_str()),
                Cell::text(stated(claim)),
                Cell::text(measurements(claim)),
                Cell::text(claim.rule.as_str()),
                Cell::Verdict(badge(claim.verdict)),
            ]
        })
        .collect();
    vec![
        Block::paragraph(
            "Each row is a statement (of a document, by its number, or of a study), what was measured \
             about it with the mean over seeds and its 95 % interval (Student's t, if nothing else \
             is said), and the verdict that the rule beside it gives. With a single seed there is \
             no interval: the value decides alone, except about spread.",
        ),
        Block::Statements(Table {
            caption: Text::default(),
            columns: ["", "statement", "measured", "rule", "verdict"]
                .map(|name| Column::new(name, ""))
                .into(),
            rows,
        }),
    ]
}

/// The statement, and what turns its verdict round.
fn stated(claim: &Claim) -> Vec<Span> {
    let mut spans = vec![Span::Plain(claim.statement.clone())];
    if let Some(caveat) = &claim.caveat {
        spans.push(Span::Break);
        spans.push(Span::Strong("But: ".into()));
        spans.push(Span::Plain(caveat.clone()));
    }
    spans
}

/// The quantity, and a line for each model; a single seed is called so.
fn measurements(claim: &Claim) -> Vec<Span> {
    let mut spans = vec![Span::Emphasis(claim.quantity.clone())];
    let most = claim
        .measured
        .iter()
        .map(|of_model| of_model.by_seed.len())
        .max();
    if most == Some(1) {
        spans.push(Span::Strong(" (one seed)".into()));
    }
    for measured in &claim.measured {
        spans.push(Span::Break);
        spans.push(Span::Plain(in_words(measured)));
    }
    spans
}

/// `name: mean [low, high] (diverged: seed 3)`, or `name: – (why)`.
fn in_words(measured: &Measured) -> String {
    let mut text = match measured.interval {
        None => format!("{}: –", measured.name),
        Some(interval) => {
            let ends = [interval.lower, interval.upper];
            let decimals = decimals(interval.mean, ends);
            let number = |value| viz::number::decimal(value, decimals);
            let mut text = format!("{}: {}", measured.name, number(interval.mean));
            if let [Some(lower), Some(upper)] = ends {
                text.push_str(&format!(" [{}, {}]", number(lower), number(upper)));
            }
            text
        }
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

fn read(path: &Path) -> Result<Option<StoredSection>, Error> {
    sealed_json::read(path, "delete it and draw its study again")
}

/// The folders directly below `out`, by name.
fn sub_folders(out: &Path) -> Result<Vec<PathBuf>, Error> {
    let unreadable = |source| Error::Read {
        path: out.into(),
        source,
    };
    let mut folders = Vec::new();
    for entry in fs::read_dir(out).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

#[cfg(test)]
mod tests;
