//! Fetching one published file from its mirrors.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use durable_files::UnfinishedFile;
use sha2::{Digest, Sha256};

use crate::digest;
use crate::error::DataError;
use crate::registry::PublishedFile;

/// What happens during a download, for a progress display.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress<'a> {
    /// A mirror is being asked for a file.
    Started {
        /// File name, with `.gz`.
        file: &'a str,
        /// Full address.
        url: &'a str,
        /// Expected size in bytes.
        total: u64,
    },
    /// More of the file has arrived.
    Received {
        /// File name, with `.gz`.
        file: &'a str,
        /// Bytes so far.
        received: u64,
        /// Expected size in bytes.
        total: u64,
    },
    /// A mirror failed; the next one is tried, if there is one.
    MirrorFailed {
        /// File name, with `.gz`.
        file: &'a str,
        /// Full address.
        url: &'a str,
        /// What was wrong, in words.
        reason: &'a str,
    },
    /// The file is verified and in its place.
    Finished {
        /// File name, with `.gz`.
        file: &'a str,
        /// Size in bytes.
        bytes: u64,
    },
}

/// What a successful [`download`] brought.
#[derive(Debug)]
pub(crate) struct Downloaded {
    pub(crate) path: PathBuf,
    pub(crate) url: String,
    pub(crate) bytes: u64,
}

/// Downloads `file` into `folder` from the first base address that delivers
/// the right bytes.
///
/// The bytes are hashed while they stream into a temporary file beside the
/// target, which is synced and renamed only when the hash is right, and
/// removed otherwise. An https address is never followed to plain http.
pub(crate) fn download(
    dataset: &'static str,
    file: &PublishedFile,
    folder: &Path,
    bases: &[String],
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Downloaded, DataError> {
    let name = format!("{}.gz", file.name);
    let target = folder.join(&name);
    fs::create_dir_all(folder).map_err(|source| unwritable(folder, source))?;

    let mut attempts = Vec::new();
    for base in bases {
        let url = format!("{}/{name}", base.trim_end_matches('/'));
        if !(url.starts_with("http://") || url.starts_with("https://")) {
            return Err(DataError::Mirror { url: base.clone() });
        }
        let mut temporary =
            UnfinishedFile::create(&target).map_err(|source| unwritable(&target, source))?;
        progress(Progress::Started {
            file: &name,
            url: &url,
            total: file.gz_bytes,
        });
        let mut received = |received| {
            progress(Progress::Received {
                file: &name,
                received,
                total: file.gz_bytes,
            });
        };
        let limit = file.gz_bytes.saturating_mul(2);
        let reason = match attempt(&url, temporary.file(), limit, &mut received) {
            Ok((bytes, found)) if found == file.gz_sha256 => {
                temporary
                    .publish()
                    .map_err(|source| unwritable(&target, source))?;
                progress(Progress::Finished { file: &name, bytes });
                return Ok(Downloaded {
                    path: target,
                    url,
                    bytes,
                });
            }
            Ok((_, found)) => {
                format!("the file has SHA-256 {found}, expected {}", file.gz_sha256)
            }
            Err(Failure::Write(source)) => return Err(unwritable(&target, source)),
            Err(Failure::Mirror(reason)) => reason,
        };
        progress(Progress::MirrorFailed {
            file: &name,
            url: &url,
            reason: &reason,
        });
        attempts.push(format!("{url}: {reason}"));
    }
    Err(DataError::Download {
        dataset,
        file: file.name,
        folder: folder.to_owned(),
        attempts,
    })
}

fn unwritable(path: &Path, source: io::Error) -> DataError {
    DataError::Write {
        path: path.to_owned(),
        source,
    }
}

enum Failure {
    /// The mirror's fault: the next one may do better.
    Mirror(String),
    /// Our own disk's: no mirror will help.
    Write(io::Error),
}

fn attempt(
    url: &str,
    output: &mut impl Write,
    limit: u64,
    received: &mut dyn FnMut(u64),
) -> Result<(u64, String), Failure> {
    let response = agent(url)
        .get(url)
        .call()
        .map_err(|error| Failure::Mirror(format!("the request failed ({error})")))?;
    let mut body = response.into_body();
    if let Some(length) = body.content_length().filter(|&length| length > limit) {
        let reason = format!("the mirror announces {length} bytes, at most {limit} are accepted");
        return Err(Failure::Mirror(reason));
    }
    copy_hashed(&mut body.as_reader(), output, limit, received)
}

/// Copies at most `limit` bytes; returns how many there were and their hash.
fn copy_hashed(
    input: &mut impl Read,
    output: &mut impl Write,
    limit: u64,
    received: &mut dyn FnMut(u64),
) -> Result<(u64, String), Failure> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0u8; 1 << 16];
    let mut total = 0u64;
    loop {
        let count = match input.read(&mut buffer) {
            Ok(0) => return Ok((total, digest::finish(hasher))),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                let reason = format!("the transfer broke off after {total} bytes ({error})");
                return Err(Failure::Mirror(reason));
            }
        };
        total += count as u64;
        if total > limit {
            let reason = format!("the mirror sends more than the {limit} bytes accepted");
            return Err(Failure::Mirror(reason));
        }
        hasher.update(&buffer[..count]);
        output.write_all(&buffer[..count]).map_err(Failure::Write)?;
        received(total);
    }
}

fn agent(url: &str) -> ureq::Agent {
    let mut config = ureq::Agent::config_builder()
        .https_only(url.starts_with("https://"))
        .user_agent(concat!("latent-atlas/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(Duration::from_secs(20)))
        .timeout_recv_response(Some(Duration::from_secs(60)))
        .timeout_per_read(Some(Duration::from_secs(60)));
    if is_loopback(url) {
        // A mirror on this machine is not behind the proxy of the network.
        config = config.proxy(None);
    }
    config.build().new_agent()
}

fn is_loopback(url: &str) -> bool {
    let authority = url
        .split("://")
        .nth(1)
        .unwrap_or("")
        .split('/')
        .next()
        .unwrap_or("");
    let host = authority
        .rsplit_once(':')
        .map_or(authority, |(host, _)| host);
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

#[cfg(test)]
mod tests;
