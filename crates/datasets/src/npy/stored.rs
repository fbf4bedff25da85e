//! Where the bytes of an array are: a file of its own, or an entry of an
//! archive, stored or deflated.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::{Crc, bufread::DeflateDecoder};
use zip::{CompressionMethod, ZipArchive};

use crate::archive;
use crate::error::DataError;
use crate::table::{MAX_RATIO, Place};

/// Bytes of a file that are an array.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) place: Place,
    /// Name of the array in its archive, without `.npy`.
    pub(super) key: String,
    start: u64,
    /// Bytes in the file.
    stored_bytes: u64,
    /// Bytes once decompressed.
    pub(super) bytes: u64,
    deflated: bool,
    /// Checksum of an archive's entry.
    crc: Option<u32>,
}

impl Stored {
    /// All of a file.
    pub(super) fn file(path: &Path) -> Result<Self, DataError> {
        let place = Place::of(path);
        let (_, bytes) =
            input_files::open_sized(path).map_err(|source| place.unreadable(source))?;
        Ok(Self {
            place,
            key: String::new(),
            start: 0,
            stored_bytes: bytes,
            bytes,
            deflated: false,
            crc: None,
        })
    }

    /// Whether any part of it can be read without what is before.
    pub(super) fn is_seekable(&self) -> bool {
        !self.deflated
    }

    /// Opens it at its beginning.
    pub(super) fn open(&self) -> Result<Reader, DataError> {
        let open = || {
            let mut file = input_files::open(&self.place.path)?;
            file.seek(SeekFrom::Start(self.start))?;
            Ok(BufReader::with_capacity(1 << 16, file).take(self.stored_bytes))
        };
        let stream = open().map_err(|source| self.place.unreadable(source))?;
        Ok(Reader {
            stream: if self.deflated {
                Stream::Deflated(Box::new(DeflateDecoder::new(BufReader::new(stream))))
            } else {
                Stream::Raw(stream)
            },
            crc: Crc::new(),
        })
    }

    /// Fills `target` from `position`, counted from the array's first byte.
    ///
    /// # Panics
    /// When it is not seekable.
    pub(super) fn read_at(
        &self,
        file: &mut File,
        position: u64,
        target: &mut [u8],
    ) -> Result<(), DataError> {
        assert!(self.is_seekable(), "deflated bytes are read in order");
        file.seek(SeekFrom::Start(self.start + position))
            .and_then(|_| file.read_exact(target))
            .map_err(|error| self.failure(error))
    }

    /// Refuses what follows the last byte, and content that has another
    /// checksum.
    pub(super) fn check_end(&self, reader: &mut Reader) -> Result<(), DataError> {
        let more = reader
            .read(&mut [0u8; 1])
            .map_err(|error| self.failure(error))?;
        if more > 0 {
            return Err(self.place.wrong(
                format!("more than {} bytes", self.bytes),
                "the end there; the archive is damaged, get a clean copy",
            ));
        }
        match self.crc {
            Some(expected) if expected != reader.crc.sum() => Err(self.place.wrong(
                format!("checksum {:08x}", reader.crc.sum()),
                format!("{expected:08x}; the archive is damaged, get a clean copy"),
            )),
            _ => Ok(()),
        }
    }

    pub(super) fn failure(&self, error: io::Error) -> DataError {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => self.place.wrong(
                "an end before the last element",
                format!("{} bytes; get a complete copy", self.bytes),
            ),
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => self.place.wrong(
                format!("damaged compressed data ({error})"),
                "a complete archive; get a clean copy",
            ),
            _ => self.place.unreadable(error),
        }
    }
}

/// The bytes of an array in their order.
pub(super) struct Reader {
    stream: Stream,
    crc: Crc,
}

enum Stream {
    Raw(io::Take<BufReader<File>>),
    Deflated(Box<DeflateDecoder<BufReader<io::Take<BufReader<File>>>>>),
}

impl Read for Reader {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let count = match &mut self.stream {
            Stream::Raw(stream) => stream.read(target)?,
            Stream::Deflated(stream) => stream.read(target)?,
        };
        self.crc.update(&target[..count]);
        Ok(count)
    }
}

/// The arrays of an archive, by name in their order there, and the names of
/// its other entries.
pub(super) fn entries(path: &Path) -> Result<(Vec<Stored>, Vec<String>), DataError> {
    let place = Place::of(path);
    let (file, file_bytes) =
        input_files::open_sized(path).map_err(|source| place.unreadable(source))?;
    let damaged = |error: zip::result::ZipError| match error {
        zip::result::ZipError::Io(source)
            if !matches!(
                source.kind(),
                io::ErrorKind::UnexpectedEof
                    | io::ErrorKind::InvalidData
                    | io::ErrorKind::InvalidInput
            ) =>
        {
            place.unreadable(source)
        }
        other => place.wrong(
            format!("a damaged archive ({other})"),
            "an .npz file as numpy.savez writes it; get a complete copy",
        ),
    };
    let mut file = BufReader::new(file);
    archive::check_claims(&mut file)
        .map_err(zip::result::ZipError::from)
        .map_err(damaged)?;
    let mut archive = ZipArchive::new(file).map_err(damaged)?;
    let (mut arrays, mut others) = (Vec::new(), Vec::new());
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(damaged)?;
        let name = entry.name().to_owned();
        let Some(key) = name.strip_suffix(".npy") else {
            others.push(name);
            continue;
        };
        let place = Place::within(path, super::quoted(key));
        let deflated = match entry.compression() {
            CompressionMethod::Stored => false,
            // Spelt so, it is there without zip's own decoders.
            CompressionMethod::DEFLATE => true,
            method => {
                return Err(place.wrong(
                    format!("compression by {method}"),
                    "none or deflate, as numpy.savez and savez_compressed write it",
                ));
            }
        };
        if entry.encrypted() {
            return Err(place.wrong("encrypted data", "an archive without password"));
        }
        let (start, stored_bytes, bytes) =
            (entry.data_start(), entry.compressed_size(), entry.size());
        if start
            .checked_add(stored_bytes)
            .is_none_or(|end| end > file_bytes)
        {
            return Err(place.wrong(
                format!("{stored_bytes} bytes from byte {start} on"),
                format!("an end within the {file_bytes} bytes of the file; get a complete copy"),
            ));
        }
        let plausible = if deflated {
            bytes <= stored_bytes.saturating_mul(MAX_RATIO)
        } else {
            bytes == stored_bytes
        };
        if !plausible {
            return Err(place.wrong(
                format!("{stored_bytes} bytes that claim to hold {bytes}"),
                "a true size; the archive is damaged or made to deceive",
            ));
        }
        arrays.push(Stored {
            key: key.to_owned(),
            place,
            start,
            stored_bytes,
            bytes,
            deflated,
            crc: Some(entry.crc32()),
        });
    }
    Ok((arrays, others))
}
