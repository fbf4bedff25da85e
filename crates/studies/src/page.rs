//! The article: the sections of every study drawn so far, data set by data
//! set, as `index.html` and as Markdown.
//!
//! Each study leaves its section beside its figures as `section.json`, so the
//! article can be put together again without drawing anything.

mod lead;
pub mod replication;
mod statements;

use std::fs;
use std::path::{Path, PathBuf};

use datasets::Dataset;
use serde::{Deserialize, Serialize};
use viz::page::{Block, Cell, Page, Section, Text};

use self::lead::{built_in, lead};
use self::statements::{claims_blocks, claims_heading, verdicts_of_a_study};
use crate::claims::{Claim, adjust};
use crate::{Report, STUDIES, Scale, Study};
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
    /// What the lead says that the statements are about.
    #[serde(default)]
    subject: String,
    dataset: String,
    attribution: String,
    quick: bool,
    seeds: usize,
    /// Of the models that have fewest; as many as the others, if nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fewest_seeds: Option<usize>,
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
    fewest_seeds: usize,
    report: Report,
    explorer: Option<Beside>,
) -> Result<(), Error> {
    let stored = StoredSection {
        study: study.name().into(),
        subject: study.subject().into(),
        dataset: figures::wording::name_of(dataset),
        attribution: dataset.attribution.clone(),
        quick: scale.quick,
        seeds: scale.seeds,
        fewest_seeds: Some(fewest_seeds).filter(|fewest| *fewest < scale.seeds),
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
        let mut sections: Vec<StoredSection> = Vec::new();
        for study in studies_in(&folder)? {
            sections.extend(read(&study.join(SECTION_FILE))?);
        }
        adjust(sections.iter_mut().flat_map(|section| &mut section.claims));
        let Some(first) = sections.first() else {
            continue;
        };
        let mut claims: Vec<Claim> = sections
            .iter()
            .flat_map(|section| section.claims.clone())
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

/// The statements that studies but those called `drawn` have left below the folder
/// of a data set.
pub(crate) fn claims_of_others(part: &Path, drawn: &[&str]) -> Result<Vec<Claim>, Error> {
    let mut claims = Vec::new();
    if !part.exists() {
        return Ok(claims);
    }
    let is_drawn = |folder: &Path| {
        let name = folder.file_name().unwrap_or_default();
        drawn.iter().any(|drawn| name == *drawn)
    };
    let folders = studies_in(part)?.into_iter();
    for folder in folders.filter(|folder| !is_drawn(folder)) {
        let stored: Option<StoredSection> = read(&folder.join(SECTION_FILE))?;
        claims.extend(stored.into_iter().flat_map(|stored| stored.claims));
    }
    Ok(claims)
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
        section.blocks.extend(verdicts_of_a_study(&claims, suffix));
    }
    section
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
