//! The content of a raw or gzip file, with its SHA-256 on the way.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::GzDecoder;
use sha2::{Digest, Sha256};

use crate::digest;
use crate::error::{DataError, IdxProblem};

/// What a gzip file begins with (RFC 1952).
pub(super) const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

const CHUNK: usize = 1 << 16;

/// The decompressed content with a running hash and count.
pub(super) struct Content {
    stream: Stream,
    hasher: Sha256,
    taken: u64,
}

/// The file with a running hash of the bytes taken from it.
struct Stored {
    file: File,
    hasher: Sha256,
    hashing: bool,
}

enum Stream {
    Raw(BufReader<Stored>),
    Member(Box<GzDecoder<BufReader<Stored>>>),
    /// Behind the last gzip member.
    Ended(BufReader<Stored>),
    /// Only while one of the others is replaced.
    Moved,
}

/// What follows the gzip members, when it is neither one more nor padding.
#[derive(Debug)]
struct Trailing(Vec<u8>);

impl Read for Stored {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        if self.hashing {
            self.hasher.update(&buffer[..count]);
        }
        Ok(count)
    }
}

impl Content {
    pub(super) fn open(file: File) -> io::Result<Self> {
        let stored = Stored {
            file,
            hasher: Sha256::new(),
            hashing: true,
        };
        let mut reader = BufReader::with_capacity(CHUNK, stored);
        let start = reader.fill_buf()?;
        let stream = if start.starts_with(&GZIP_MAGIC) {
            Stream::Member(Box::new(GzDecoder::new(reader)))
        } else {
            // A raw file is hashed once, as content.
            reader.get_mut().hashing = false;
            Stream::Raw(reader)
        };
        Ok(Self {
            stream,
            hasher: Sha256::new(),
            taken: 0,
        })
    }

    pub(super) fn compressed(&self) -> bool {
        !matches!(self.stream, Stream::Raw(_))
    }

    /// Decompressed bytes read so far.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let result = match &mut self.stream {
                Stream::Raw(reader) => reader.read(buffer),
                Stream::Member(decoder) => decoder.read(buffer),
                Stream::Ended(_) | Stream::Moved => Ok(0),
            };
            match result {
                Ok(0) if matches!(self.stream, Stream::Member(_)) => self.next_member()?,
                Ok(count) => {
                    self.taken += count as u64;
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// What is behind a gzip member: another one, the end, or the padding with
    /// zeros that tapes and block devices leave and `gzip -d` ignores.
    fn next_member(&mut self) -> io::Result<()> {
        let Stream::Member(decoder) = std::mem::replace(&mut self.stream, Stream::Moved) else {
            return Ok(());
        };
        let mut reader = decoder.into_inner();
        let next = reader.fill_buf()?;
        if next.starts_with(&[0x1f]) {
            self.stream = Stream::Member(Box::new(GzDecoder::new(reader)));
            return Ok(());
        }
        loop {
            let next = reader.fill_buf()?;
            let zeros = next.iter().take_while(|&&byte| byte == 0).count();
            let rest = &next[zeros..];
            if !rest.is_empty() {
                let found = rest[..rest.len().min(4)].to_vec();
                self.stream = Stream::Ended(reader);
                return Err(io::Error::new(io::ErrorKind::InvalidData, Trailing(found)));
            }
            if zeros == 0 {
                self.stream = Stream::Ended(reader);
                return Ok(());
            }
            reader.consume(zeros);
        }
    }

    /// Fills `target` as far as the content reaches; returns how far that is.
    pub(super) fn fill(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < target.len() {
            let end = target.len().min(filled + CHUNK);
            let count = self.read(&mut target[filled..end])?;
            if count == 0 {
                break;
            }
            self.hasher.update(&target[filled..filled + count]);
            filled += count;
        }
        Ok(filled)
    }

    /// Counts what is left without keeping it; stops once `limit` is passed.
    pub(super) fn count_rest(&mut self, limit: u64) -> io::Result<u64> {
        let mut buffer = vec![0u8; CHUNK];
        while self.taken <= limit {
            if self.read(&mut buffer)? == 0 {
                break;
            }
        }
        Ok(self.taken)
    }

    pub(super) fn failure(&self, path: &Path, error: io::Error) -> DataError {
        let decoder_spoke = matches!(
            error.kind(),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData
        );
        if !self.compressed() || !decoder_spoke {
            return DataError::Read {
                path: path.to_owned(),
                source: error,
            };
        }
        let trailing = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<Trailing>());
        let problem = if let Some(Trailing(found)) = trailing {
            IdxProblem::TrailingGzip {
                found: found.clone(),
            }
        } else if error.kind() == io::ErrorKind::UnexpectedEof {
            IdxProblem::TruncatedGzip { found: self.taken }
        } else {
            IdxProblem::DamagedGzip {
                detail: error.to_string(),
            }
        };
        DataError::Idx {
            path: path.to_owned(),
            problem,
        }
    }

    /// The digests of the decompressed content and of the stored file, once
    /// everything has been read.
    pub(super) fn digests(self) -> io::Result<(String, String)> {
        let content = digest::finish(self.hasher);
        let reader = match self.stream {
            Stream::Member(decoder) => decoder.into_inner(),
            Stream::Ended(reader) => reader,
            Stream::Raw(_) | Stream::Moved => return Ok((content.clone(), content)),
        };
        let mut stored = reader.into_inner();
        io::copy(&mut stored, &mut io::sink())?;
        Ok((content, digest::finish(stored.hasher)))
    }
}

impl std::fmt::Display for Trailing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("bytes behind the gzip stream")
    }
}

impl std::error::Error for Trailing {}
