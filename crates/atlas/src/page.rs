//! `index.html`: the sections of every study drawn so far, data set by data
//! set.
//!
//! Each study leaves its section beside its figures as `section.json`, so the
//! page can be put together again without drawing anything.

use std::fs;
use std::path::{Path, PathBuf};

use datasets::Dataset;
use serde::{Deserialize, Serialize};
use viz::page::{Block, Cell, Column, Page, Section, Span, Table, Text};

use crate::atomic_file;
use crate::claims::{Claim, Measured, badge};
use crate::error::Error;
use crate::study::{Report, STUDIES, Study};

const SECTION_FILE: &str = "section.json";
const CLAIMS_FILE: &str = "claims.json";

/// A section as kept beside its figures.
#[derive(Debug, Serialize, Deserialize)]
struct StoredSection {
    study: String,
    dataset: String,
    attribution: String,
    section: Section,
    claims: Vec<Claim>,
}

/// Keeps a study's section in its folder.
pub(crate) fn write_section(
    folder: &Path,
    study: &Study,
    dataset: &Dataset,
    report: Report,
) -> Result<(), Error> {
    let stored = StoredSection {
        study: study.name.into(),
        dataset: dataset.name.clone(),
        attribution: dataset.attribution.clone(),
        section: report.section,
        claims: report.claims,
    };
    atomic_file::write_json(&folder.join(SECTION_FILE), &stored)
}

/// Writes `index.html` from the sections found below `out`.
pub(crate) fn write_index(out: &Path) -> Result<(), Error> {
    let mut page = Page {
        title: "Latent Atlas".into(),
        subtitle: "What autoencoders and variational autoencoders learned, drawn and measured"
            .into(),
        lead: vec![Text::from(
            "Every picture below has a JSON file of the same name beside it with the numbers it \
             draws and the configuration that made it. Losses are nats per image: summed over \
             pixels, averaged over images.",
        )],
        ..Page::default()
    };
    for folder in sub_folders(out)? {
        let mut claims: Vec<Claim> = Vec::new();
        let mut dataset = String::new();
        for study in STUDIES {
            let path = folder.join(study.name).join(SECTION_FILE);
            let Some(stored) = read(&path)? else { continue };
            let folder_name = folder.file_name().unwrap_or_default().to_string_lossy();
            let prefix = format!("{folder_name}/{}", study.name);
            page.sections
                .push(placed(stored.section, &prefix, &stored.dataset));
            let attribution = Text::from(format!("{}: {}", stored.dataset, stored.attribution));
            if !page.footer.contains(&attribution) {
                page.footer.push(attribution);
            }
            dataset = stored.dataset;
            claims.extend(stored.claims);
        }
        if !claims.is_empty() {
            claims.sort_by_key(|claim| order(&claim.id));
            page.sections.push(claims_section(&claims, &dataset));
            atomic_file::write_json(&folder.join(CLAIMS_FILE), &claims)?;
        }
    }
    page.write(&out.join("index.html"))?;
    Ok(())
}

/// Document and number of a claim's id, so that `003.10` follows `003.9`.
fn order(id: &str) -> (String, usize) {
    let (document, number) = id.split_once('.').unwrap_or((id, ""));
    (document.into(), number.parse().unwrap_or(0))
}

/// The section with the data set in its heading and its figures' paths
/// relative to the page.
fn placed(mut section: Section, prefix: &str, dataset: &str) -> Section {
    section.heading = format!("{} — {dataset}", section.heading);
    for block in &mut section.blocks {
        if let Block::Figures(figures) = block {
            for figure in figures {
                figure.source = format!("{prefix}/{}", figure.source);
            }
        }
    }
    section
}

/// The table of every statement measured on one data set.
fn claims_section(claims: &[Claim], dataset: &str) -> Section {
    let rows = claims
        .iter()
        .map(|claim| {
            let mut measured = vec![Span::Emphasis(format!("{}: ", claim.quantity))];
            let values: Vec<String> = claim.measured.iter().map(in_words).collect();
            measured.push(Span::Plain(values.join("; ")));
            vec![
                Cell::text(claim.id.as_str()),
                Cell::text(claim.statement.as_str()),
                Cell::text(measured),
                Cell::text(claim.rule.as_str()),
                Cell::Verdict(badge(claim.verdict)),
            ]
        })
        .collect();
    Section {
        heading: format!("Every statement, measured — {dataset}"),
        blocks: vec![
            Block::paragraph(
                "Each row is a statement of one of the four source documents (000 to 003), what \
                 was measured about it with the mean over seeds and its 95 % interval (Student's \
                 t), and the verdict that the rule beside it gives. With a single seed there is \
                 no interval and the value decides alone.",
            ),
            Block::Table(Table {
                caption: Text::from("Statements and measurements."),
                columns: ["", "statement", "measured", "rule", "verdict"]
                    .map(|name| Column::new(name, ""))
                    .into(),
                rows,
            }),
        ],
    }
}

fn in_words(measured: &Measured) -> String {
    let decimals = match measured.mean().abs() {
        mean if mean >= 100.0 => 0,
        mean if mean >= 10.0 => 1,
        mean if mean >= 0.1 => 2,
        _ => 4,
    };
    let number = |value| viz::number::decimal(value, decimals);
    let mut text = match measured.interval {
        None => format!("{} –", measured.name),
        Some(interval) => {
            let mut text = format!("{} {}", measured.name, number(interval.mean));
            if let (Some(lower), Some(upper)) = (interval.lower, interval.upper) {
                text.push_str(&format!(" [{}, {}]", number(lower), number(upper)));
            }
            text
        }
    };
    if !measured.diverged.is_empty() {
        let seeds: Vec<String> = measured.diverged.iter().map(u64::to_string).collect();
        text.push_str(&format!(" (diverged: seed {})", seeds.join(", ")));
    }
    text
}

fn read(path: &Path) -> Result<Option<StoredSection>, Error> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            Error::RunFolder(format!(
                "{} is damaged ({error}); delete it and draw its study again",
                path.display()
            ))
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Read {
            path: path.into(),
            source,
        }),
    }
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
mod tests {
    use super::order;

    #[test]
    fn claims_are_ordered_by_number() {
        let mut ids = ["003.10", "003.9", "000.2", "003.1"];
        ids.sort_by_key(|id| order(id));
        assert_eq!(ids, ["000.2", "003.1", "003.9", "003.10"]);
    }
}
