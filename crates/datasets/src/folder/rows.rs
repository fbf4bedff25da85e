//! The rows of a folder: decoded from its files, or read from the cache.

use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::cache::Entry;
use crate::error::DataError;
use crate::folder::decode::{self, in_file};
use crate::folder::problem::ImageProblem;
use crate::folder::tree::ImageFile;
use crate::part::{ReadRows, RowsInto};
use crate::prepare::fit_image;
use crate::shape::Shape;
use crate::values::ValuesMut;

/// How files become rows.
#[derive(Clone, Debug)]
pub(super) struct Decoding {
    pub(super) root: Arc<Path>,
    /// What every image is brought to.
    pub(super) shape: Shape,
    /// Whether that takes a change of size; otherwise another size means that
    /// a file has changed.
    pub(super) is_resized: bool,
    pub(super) background: [u8; 3],
}

impl Decoding {
    /// Decodes `files` to as many rows; `digests` are the SHA-256 that their
    /// bytes must have.
    ///
    /// # Errors
    /// That of the first file that is no image.
    pub(super) fn rows(
        &self,
        files: &[&ImageFile],
        digests: Option<&[[u8; 32]]>,
        out: &mut [u8],
    ) -> Result<(), DataError> {
        let failure = out
            .par_chunks_exact_mut(self.shape.len())
            .zip(files)
            .enumerate()
            .map_init(Vec::new, |buffer, (index, (row, file))| {
                let expected = digests.map(|digests| &digests[index]);
                self.row(file, expected, buffer, row).err()
            })
            .find_map_first(|failure| failure);
        failure.map_or(Ok(()), Err)
    }

    fn row(
        &self,
        file: &ImageFile,
        digest: Option<&[u8; 32]>,
        buffer: &mut Vec<u8>,
        row: &mut [u8],
    ) -> Result<(), DataError> {
        let path = self.root.join(file.relative());
        decode::read_file(&path, buffer)?;
        if digest.is_some_and(|expected| Sha256::digest(&*buffer)[..] != expected[..]) {
            return Err(in_file(&path, ImageProblem::Changed));
        }
        let pixels = decode::decode(buffer).map_err(|problem| in_file(&path, problem))?;
        if !self.is_resized && Some((pixels.height, pixels.width)) != self.shape.size() {
            return Err(in_file(&path, ImageProblem::Changed));
        }
        fit_image(
            &pixels.values,
            pixels.shape(),
            self.shape,
            self.background,
            row,
        );
        Ok(())
    }
}

/// Where rows come from.
pub(super) enum Origin {
    /// The files themselves.
    Files(Decoding),
    /// An entry of the cache, in which the first row of the part is at an
    /// offset.
    Cache {
        entry: Entry,
        offset: u64,
        path: Box<Path>,
    },
}

/// The rows of one part.
pub(super) struct ImageRows {
    pub(super) files: Vec<ImageFile>,
    pub(super) origin: Origin,
    pub(super) row_bytes: usize,
    pub(super) done: usize,
    pub(super) is_labelled: bool,
}

impl ReadRows for ImageRows {
    fn read(&mut self, into: &mut RowsInto<'_>) -> Result<(), DataError> {
        let ValuesMut::Bytes(out) = &mut into.values else {
            unreachable!("images are bytes");
        };
        let count = out.len() / self.row_bytes;
        let files: Vec<&ImageFile> = self.files[self.done..][..count].iter().collect();
        match &self.origin {
            Origin::Files(decoding) => decoding.rows(&files, None, out)?,
            Origin::Cache {
                entry,
                offset,
                path,
            } => {
                let offset = offset + (self.done * self.row_bytes) as u64;
                entry.read(offset, out).map_err(|source| DataError::Read {
                    path: path.to_path_buf(),
                    source,
                })?;
            }
        }
        if self.is_labelled {
            into.labels.extend(files.iter().map(|file| file.label));
        }
        into.names
            .extend(files.iter().map(|file| file.name.to_string()));
        self.done += count;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::tree::Tree;

    #[test]
    fn bytes_other_than_those_that_were_hashed_are_no_rows() {
        let folder = tempfile::tempdir().unwrap();
        let image = image::GrayImage::from_pixel(2, 2, image::Luma([7]));
        image.save(folder.path().join("1.png")).unwrap();
        image.save(folder.path().join("2.png")).unwrap();
        let tree = Tree::of_folder(folder.path()).unwrap();
        let files: Vec<&ImageFile> = tree.files().collect();
        let digest = |file: &ImageFile| -> [u8; 32] {
            Sha256::digest(std::fs::read(folder.path().join(file.relative())).unwrap()).into()
        };
        let mut digests: Vec<[u8; 32]> = files.iter().map(|file| digest(file)).collect();
        let decoding = Decoding {
            root: folder.path().into(),
            shape: Shape::grey(2, 2),
            is_resized: false,
            background: [0; 3],
        };
        let mut rows = [0; 8];
        decoding.rows(&files, Some(&digests), &mut rows).unwrap();
        assert_eq!(rows, [7; 8]);
        digests[1][31] ^= 1;
        let error = decoding.rows(&files, Some(&digests), &mut rows);
        let message = error.unwrap_err().to_string();
        assert!(message.contains("2.png changed"), "{message}");
    }
}
