//! One request to one mirror.
//!
//! It is made on a thread of its own, because looking up a name, connecting and
//! reading can each wait for long: whoever wants the file looks at the time and
//! at requests to stop meanwhile, and leaves that thread behind. It ends by
//! itself at its next word, or when the time it may wait is over.

use std::io::{self, Read, Write};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::Mirrors;
use super::pace::Pace;
use crate::digest;

/// Why a mirror did not deliver.
#[derive(Debug)]
pub(super) enum Failure {
    /// It answers wrongly, not at all or too slowly: the next one may do
    /// better.
    Mirror(String),
    /// The transfer broke: the same one may do better.
    Broken(String),
    /// It is the fault of our own disk: no mirror will help.
    Write(io::Error),
    /// It is not wanted any more.
    Stopped,
}

/// What a mirror delivered.
pub(super) struct Transferred {
    pub(super) bytes: u64,
    pub(super) sha256: String,
    /// Whether it said how many bytes there would be: then these are all.
    pub(super) is_announced: bool,
}

/// What the thread of a request says.
enum Word {
    /// With or without a length.
    Answered {
        is_announced: bool,
    },
    Bytes(Vec<u8>),
    End,
    Failed(Failure),
}

/// Pieces that may be on their way to the disk.
const PIECES: usize = 8;

const PIECE_BYTES: usize = 1 << 16;

/// Copies at most `limit` bytes from `url` to `output`.
pub(super) fn transfer(
    url: &str,
    output: &mut impl Write,
    limit: u64,
    mirrors: &Mirrors<'_>,
    received: &mut dyn FnMut(u64),
) -> Result<Transferred, Failure> {
    let patience = mirrors.patience;
    let (sender, receiver) = sync_channel(PIECES);
    let request = {
        let (url, wait) = (url.to_owned(), 2 * patience.over);
        move || {
            let ended = request(&url, limit, wait, &sender);
            let ended = ended.map_or_else(Word::Failed, |()| Word::End);
            // Nobody may be there any more to hear it.
            let _ = sender.send(ended);
        }
    };
    thread::Builder::new()
        .name("download".to_owned())
        .spawn(request)
        .map_err(|error| Failure::Mirror(format!("there is no thread to ask it ({error})")))?;

    let mut pace = Pace::new(patience);
    let mut looked = Instant::now();
    let mut answer = None;
    let mut hasher = Sha256::new();
    let mut total = 0u64;
    loop {
        let word = receiver.recv_timeout(patience.tick);
        if mirrors.is_stopped() {
            return Err(Failure::Stopped);
        }
        match word {
            Ok(Word::Answered { is_announced }) => answer = Some(is_announced),
            Ok(Word::Bytes(bytes)) => {
                total += bytes.len() as u64;
                if total > limit {
                    let reason = format!("the mirror sends more than the {limit} bytes accepted");
                    return Err(Failure::Mirror(reason));
                }
                hasher.update(&bytes);
                output.write_all(&bytes).map_err(Failure::Write)?;
                received(total);
            }
            Ok(Word::End) => {
                return Ok(Transferred {
                    bytes: total,
                    sha256: digest::finish(hasher),
                    is_announced: answer == Some(true),
                });
            }
            Ok(Word::Failed(failure)) => return Err(failure),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Failure::Mirror("the request ended in a panic".to_owned()));
            }
        }
        let elapsed = looked.elapsed();
        looked += elapsed;
        if let Some(arrived) = pace.too_few(elapsed, total) {
            return Err(Failure::Mirror(if answer.is_some() {
                format!(
                    "only {arrived} bytes arrived in the last {:?}, less than {} kB/s",
                    patience.over,
                    patience.least_rate as f64 / 1000.0
                )
            } else {
                format!("it did not answer within {:?}", patience.over)
            }));
        }
    }
}

/// Asks for `url`; no single read takes longer than `wait`.
fn request(
    url: &str,
    limit: u64,
    wait: Duration,
    sender: &SyncSender<Word>,
) -> Result<(), Failure> {
    let response = agent(url, wait).get(url).call().map_err(|error| {
        let reason = format!("the request failed ({error})");
        if is_passing(&error) {
            Failure::Broken(reason)
        } else {
            Failure::Mirror(reason)
        }
    })?;
    let mut body = response.into_body();
    let length = body.content_length();
    if let Some(length) = length.filter(|&length| length > limit) {
        let reason = format!("the mirror announces {length} bytes, at most {limit} are accepted");
        return Err(Failure::Mirror(reason));
    }
    let is_announced = length.is_some();
    let mut is_heard = sender.send(Word::Answered { is_announced }).is_ok();
    let mut reader = body.as_reader();
    let mut total = 0;
    while is_heard {
        let mut piece = vec![0; PIECE_BYTES];
        match reader.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => {
                total += count;
                piece.truncate(count);
                is_heard = sender.send(Word::Bytes(piece)).is_ok();
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                return Err(Failure::Broken(format!(
                    "the transfer broke off after {total} bytes ({error})"
                )));
            }
        }
    }
    Ok(())
}

/// Whether a request that failed so may do better in a moment.
fn is_passing(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::StatusCode(status) => matches!(status, 429 | 500 | 502..=504),
        ureq::Error::Io(error) => matches!(
            error.kind(),
            io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::UnexpectedEof
        ),
        _ => false,
    }
}

pub(super) fn agent(url: &str, wait: Duration) -> ureq::Agent {
    let mut config = ureq::Agent::config_builder()
        .https_only(url.starts_with("https://"))
        .user_agent(concat!("latent-atlas/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(Duration::from_secs(20)))
        .timeout_recv_response(Some(wait))
        .timeout_per_read(Some(wait));
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
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_recognised() {
        for url in [
            "http://127.0.0.1:80/x",
            "http://localhost/x",
            "http://[::1]:8080/",
        ] {
            assert!(is_loopback(url), "{url}");
        }
        for url in [
            "http://127.0.0.1.example.org/",
            "https://example.org/localhost",
            "x",
        ] {
            assert!(!is_loopback(url), "{url}");
        }
    }
}
