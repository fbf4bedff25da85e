//! `data fetch`, `data verify` and `data path`: what they do and report.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::collect::collected;
use crate::dataset::Dataset;
use crate::digest;
use crate::download::{Mirrors, Progress};
use crate::error::DataError;
use crate::glyphs;
use crate::idx::{self, IdxFolder, Role};
use crate::load;
use crate::locate::{self, Located, Lookup};
use crate::reading::Reading;
use crate::registry::{NamedSet, PublishedFile};
use crate::source::Source;

/// What [`fetch`] did.
#[derive(Clone, Debug, Serialize)]
pub struct FetchReport {
    /// The data set.
    pub dataset: String,
    /// Where its files are; none for the embedded set.
    pub folder: Option<PathBuf>,
    /// One entry per file.
    pub files: Vec<FetchedFile>,
}

/// One file of a [`FetchReport`].
#[derive(Clone, Debug, Serialize)]
pub struct FetchedFile {
    /// Where it is.
    pub path: PathBuf,
    /// What was done.
    pub action: FetchAction,
    /// Where it came from, when it was downloaded.
    pub url: Option<String>,
    /// Its size in bytes.
    pub bytes: u64,
}

/// What [`fetch`] did about one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FetchAction {
    /// It was there, with the right hash.
    Present,
    /// It was downloaded and verified.
    Downloaded,
}

/// What [`verify`] found.
#[derive(Clone, Debug, Serialize)]
pub struct VerifyReport {
    /// The data set.
    pub dataset: String,
    /// Whether everything is as published (for `idx:DIR`: readable and
    /// consistent).
    pub ok: bool,
    /// Where its files are; none for the embedded set.
    pub folder: Option<PathBuf>,
    /// One entry per file.
    pub files: Vec<VerifiedFile>,
    /// Fingerprint of the content, when all of it could be read.
    pub fingerprint: Option<String>,
    /// Training and test images, when they could be read.
    pub counts: Option<[usize; 2]>,
    /// What is wrong, one sentence each.
    pub problems: Vec<String>,
}

/// One file of a [`VerifyReport`].
#[derive(Clone, Debug, Serialize)]
pub struct VerifiedFile {
    /// Where it is.
    pub path: PathBuf,
    /// What was found.
    pub status: FileStatus,
    /// Its size in bytes, when it could be read.
    pub bytes: Option<u64>,
    /// SHA-256 of the file as stored, when it could be read.
    pub sha256: Option<String>,
    /// SHA-256 of the published file in this form (raw or `.gz`), when known.
    pub expected: Option<&'static str>,
}

/// What [`verify`] found about one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileStatus {
    /// Byte for byte the published file.
    Published,
    /// A different compression of exactly the published content.
    Recompressed,
    /// A well-formed file for which nothing is published (`idx:DIR`).
    Readable,
    /// Not the published content.
    Altered,
    /// Not a well-formed IDX file, or unreadable.
    Damaged,
}

/// Where the files of a data set are.
#[derive(Clone, Debug, Serialize)]
pub struct PathReport {
    /// The data set.
    pub dataset: String,
    /// The folder; none for the embedded set, which has no files.
    pub folder: Option<PathBuf>,
    /// Its IDX files: training images and labels, test images and labels.
    pub files: Vec<PathBuf>,
}

/// Makes sure that a data set is here: verifies the files that exist and
/// downloads those that are missing.
///
/// A file with a wrong hash is reported, not replaced: it may be somebody's
/// work.
///
/// # Errors
/// [`DataError::Altered`], [`DataError::Offline`], [`DataError::Download`],
/// [`DataError::Stopped`], [`DataError::Write`], [`DataError::NotApplicable`] for `idx:DIR`.
pub fn fetch(
    source: &Source,
    lookup: &Lookup,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<FetchReport, DataError> {
    match source {
        Source::Glyphs => Ok(FetchReport {
            dataset: source.name(),
            folder: None,
            files: Vec::new(),
        }),
        Source::Idx(_) | Source::Path(_) => Err(DataError::NotApplicable {
            dataset: source.name(),
            reason: "names files of your own, which have no mirror: nothing can be fetched",
        }),
        Source::Named(set) => {
            let (located, files) = match locate::find_named(set, lookup) {
                Some(located) => {
                    let mut files = Vec::new();
                    for (file, path) in set.files.iter().zip(&located.files) {
                        files.push(present(set, file, path)?);
                    }
                    (located, files)
                }
                None => download_missing(set, lookup, progress)?,
            };
            Ok(FetchReport {
                dataset: source.name(),
                folder: Some(located.folder),
                files,
            })
        }
    }
}

/// Reads a data set completely and compares it with what is published.
///
/// A file that is wrong makes a report with `ok` false; only a data set that
/// is not there at all is an error. For the embedded set, all images are made
/// and compared with the fingerprint this version of the program stands for.
///
/// # Errors
/// [`DataError::NotFound`], or for `idx:DIR` [`DataError::MissingFile`] and
/// [`DataError::Read`] of the folder.
pub fn verify(source: &Source, lookup: &Lookup) -> Result<VerifyReport, DataError> {
    match source {
        Source::Glyphs => Ok(verify_glyphs(&glyphs::dataset())),
        Source::Named(set) => {
            let located = located(set, lookup)?;
            let checked = set.files.iter().zip(&located.files);
            let checked = checked
                .map(|(file, path)| check(path, Some((set, file))))
                .collect();
            let load = || {
                let opened = load::open_files(set, &located, false)?;
                collected(source.name(), opened, &Reading::default())
            };
            Ok(verify_files(source, located.folder.clone(), checked, load))
        }
        Source::Idx(folder) => {
            let located = IdxFolder::find(folder)?;
            let checked = located
                .files()
                .iter()
                .map(|path| check(path, None))
                .collect();
            let load = || load_own(source, lookup);
            Ok(verify_files(source, located.folder.clone(), checked, load))
        }
        Source::Path(path) => {
            let load = || load_own(source, lookup);
            Ok(verify_files(source, path.clone(), Vec::new(), load))
        }
    }
}

/// Where a data set is, without reading it.
///
/// # Errors
/// As [`verify`].
pub fn path(source: &Source, lookup: &Lookup) -> Result<PathReport, DataError> {
    let (folder, files) = match source {
        Source::Glyphs => (None, Vec::new()),
        Source::Named(set) => {
            let located = located(set, lookup)?;
            (Some(located.folder), located.files.to_vec())
        }
        Source::Idx(folder) => {
            let located = IdxFolder::find(folder)?;
            (Some(located.folder.clone()), located.files())
        }
        Source::Path(path) => (Some(path.clone()), Vec::new()),
    };
    Ok(PathReport {
        dataset: source.name(),
        folder,
        files,
    })
}

/// Downloads what the download folder lacks of `set`.
pub(crate) fn download_missing(
    set: &'static NamedSet,
    lookup: &Lookup,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(Located, Vec<FetchedFile>), DataError> {
    if lookup.offline {
        return Err(DataError::Offline {
            dataset: set.name,
            accepted: set.accepted(),
            searched: lookup.roots(),
        });
    }
    let folder = lookup.download_folder(set);
    let bases: Vec<String> = if lookup.mirrors.is_empty() {
        set.mirrors.iter().map(|&base| base.to_owned()).collect()
    } else {
        let inside = |base: &String| format!("{}/{}", base.trim_end_matches('/'), set.name);
        lookup.mirrors.iter().map(inside).collect()
    };
    let mut mirrors = Mirrors::new(set.name, bases, &lookup.stop);
    let mut files = Vec::new();
    for file in &set.files {
        let stored = locate::find_file(&folder, file.name, file.content_sha256.is_some());
        files.push(match stored {
            Some(path) => present(set, file, &path)?,
            None => {
                let done = mirrors.download(file, &folder, progress)?;
                FetchedFile {
                    path: done.path,
                    action: FetchAction::Downloaded,
                    url: Some(done.url),
                    bytes: done.bytes,
                }
            }
        });
    }
    let paths = [0, 1, 2, 3].map(|index: usize| files[index].path.clone());
    Ok((
        Located {
            folder,
            files: paths,
        },
        files,
    ))
}

fn located(set: &'static NamedSet, lookup: &Lookup) -> Result<Located, DataError> {
    locate::find_named(set, lookup).ok_or_else(|| DataError::NotFound {
        dataset: set.name,
        accepted: set.accepted(),
        searched: lookup.roots(),
    })
}

fn present(
    set: &'static NamedSet,
    file: &'static PublishedFile,
    path: &Path,
) -> Result<FetchedFile, DataError> {
    let checked = check_published(file, path).map_err(|source| DataError::Read {
        path: path.to_owned(),
        source,
    })?;
    if checked.status == FileStatus::Altered {
        return Err(altered(set, &checked));
    }
    Ok(FetchedFile {
        path: path.to_owned(),
        action: FetchAction::Present,
        url: None,
        bytes: checked.bytes.unwrap_or(0),
    })
}

fn altered(set: &'static NamedSet, file: &VerifiedFile) -> DataError {
    DataError::Altered {
        dataset: set.name,
        path: file.path.clone(),
        found: file.sha256.clone().unwrap_or_default(),
        expected: file.expected.unwrap_or_default(),
    }
}

/// Compares one stored file with the published one.
fn check_published(file: &'static PublishedFile, path: &Path) -> io::Result<VerifiedFile> {
    let (sha256, bytes) = digest::sha256_file(path)?;
    // By content: some downloads lose the ending of a name.
    let compressed = idx::is_gzip(path)?;
    let expected = if compressed {
        Some(file.gz_sha256)
    } else {
        file.content_sha256
    };
    let status = if expected == Some(sha256.as_str()) {
        FileStatus::Published
    } else if compressed
        && file.content_sha256.is_some()
        && content(path) == file.content_sha256.map(str::to_owned)
    {
        FileStatus::Recompressed
    } else {
        FileStatus::Altered
    };
    Ok(VerifiedFile {
        path: path.to_owned(),
        status,
        bytes: Some(bytes),
        sha256: Some(sha256),
        expected,
    })
}

/// SHA-256 of the decompressed content of either kind of IDX file.
fn content(path: &Path) -> Option<String> {
    let of = |role| idx::content_sha256(path, role).ok();
    of(Role::Images).or_else(|| of(Role::Labels))
}

/// What is known of one stored file, and what is wrong with it.
fn check(
    path: &Path,
    published: Option<(&'static NamedSet, &'static PublishedFile)>,
) -> (VerifiedFile, Option<String>) {
    let checked = match published {
        Some((_, file)) => check_published(file, path),
        None => digest::sha256_file(path).map(|(sha256, bytes)| VerifiedFile {
            path: path.to_owned(),
            status: FileStatus::Readable,
            bytes: Some(bytes),
            sha256: Some(sha256),
            expected: None,
        }),
    };
    let mut checked = checked.unwrap_or_else(|_| VerifiedFile {
        path: path.to_owned(),
        status: FileStatus::Damaged,
        bytes: None,
        sha256: None,
        expected: None,
    });
    let is_images = path
        .file_name()
        .is_some_and(|name| name.to_string_lossy().contains("images"));
    let role = if is_images {
        Role::Images
    } else {
        Role::Labels
    };
    let problem = match (idx::content_sha256(path, role), published) {
        (Err(error), _) => {
            checked.status = FileStatus::Damaged;
            Some(error.to_string())
        }
        (Ok(_), Some((set, _))) if checked.status == FileStatus::Altered => {
            Some(altered(set, &checked).to_string())
        }
        (Ok(_), _) => None,
    };
    (checked, problem)
}

fn load_own(source: &Source, lookup: &Lookup) -> Result<Dataset, DataError> {
    load::load_source(source, &Reading::default(), lookup, &mut |_| {})
}

/// What is known of the files, and of their content where none is damaged.
fn verify_files(
    source: &Source,
    folder: PathBuf,
    checked: Vec<(VerifiedFile, Option<String>)>,
    load: impl FnOnce() -> Result<Dataset, DataError>,
) -> VerifyReport {
    let (files, problems): (Vec<_>, Vec<_>) = checked.into_iter().unzip();
    let mut report = VerifyReport {
        dataset: source.name(),
        ok: false,
        folder: Some(folder),
        files,
        fingerprint: None,
        counts: None,
        problems: problems.into_iter().flatten().collect(),
    };
    let is_damaged = |file: &VerifiedFile| file.status == FileStatus::Damaged;
    if !report.files.iter().any(is_damaged) {
        match load() {
            Ok(dataset) => {
                report.counts = Some([dataset.train.len(), dataset.test.len()]);
                report.fingerprint = Some(dataset.fingerprint);
            }
            Err(error) => report.problems.push(error.to_string()),
        }
    }
    report.ok = report.problems.is_empty();
    report
}

fn verify_glyphs(dataset: &Dataset) -> VerifyReport {
    let mut problems = Vec::new();
    if dataset.fingerprint != glyphs::FINGERPRINT {
        problems.push(format!(
            "glyphs: the images made here have the fingerprint {}, expected {}; this machine's arithmetic differs from IEEE 754",
            dataset.fingerprint,
            glyphs::FINGERPRINT
        ));
    }
    VerifyReport {
        dataset: dataset.name.clone(),
        ok: problems.is_empty(),
        folder: None,
        files: Vec::new(),
        fingerprint: Some(dataset.fingerprint.clone()),
        counts: Some([dataset.train.len(), dataset.test.len()]),
        problems,
    }
}

#[cfg(test)]
mod tests;
