//! `index.html`: the sections of every study drawn so far, data set by data
//! set.
//!
//! Each study leaves its section beside its figures as `section.json`, so the
//! page can be put together again without drawing anything.

use std::fs;
use std::path::{Path, PathBuf};

use datasets::Dataset;
use serde::{Deserialize, Serialize};
use viz::page::{Block, Page, Section, Text};

use crate::atomic_file;
use crate::error::Error;
use crate::study::{STUDIES, Study};

const SECTION_FILE: &str = "section.json";

/// A section as kept beside its figures.
#[derive(Debug, Serialize, Deserialize)]
struct StoredSection {
    study: String,
    dataset: String,
    attribution: String,
    section: Section,
}

/// Keeps a study's section in its folder.
pub(crate) fn write_section(
    folder: &Path,
    study: &Study,
    dataset: &Dataset,
    section: Section,
) -> Result<(), Error> {
    let stored = StoredSection {
        study: study.name.into(),
        dataset: dataset.name.clone(),
        attribution: dataset.attribution.clone(),
        section,
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
        for study in STUDIES {
            let path = folder.join(study.name).join(SECTION_FILE);
            let Some(stored) = read(&path)? else { continue };
            let folder_name = folder.file_name().unwrap_or_default().to_string_lossy();
            let prefix = format!("{folder_name}/{}", study.name);
            page.sections.push(placed(stored.section, &prefix, &stored.dataset));
            let attribution = Text::from(format!("{}: {}", stored.dataset, stored.attribution));
            if !page.footer.contains(&attribution) {
                page.footer.push(attribution);
            }
        }
    }
    page.write(&out.join("index.html"))?;
    Ok(())
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
