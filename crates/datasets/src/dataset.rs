//! A data set in memory: two splits of byte images with labels.

use std::sync::Arc;

use ndarray::{ArrayView1, ArrayView2, ArrayView3};

use crate::digest;

/// Training and test images of one data set.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// The name it was asked for by: `glyphs`, `mnist`, …, `idx:DIR`.
    pub name: String,
    /// One name per class, in label order.
    pub class_names: Vec<String>,
    /// Who made the images and under which licence they may be shown.
    pub attribution: String,
    /// The training images.
    pub train: Split,
    /// The test images.
    pub test: Split,
    /// Identifies the content; see [`fingerprint`].
    pub fingerprint: String,
}

impl Dataset {
    /// Number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.class_names.len()
    }
}

/// The fingerprint of a data set from the SHA-256 of its four decompressed IDX
/// files (headers included), in the order training images, training labels,
/// test images, test labels: the SHA-256 of the four 64-digit hexadecimal
/// texts, each followed by a line feed.
///
/// A shell gives the same with
/// `for f in …; do gunzip -c $f | sha256sum | cut -c1-64; done | sha256sum`.
/// The embedded set has the fingerprint of the IDX files it would be written
/// to.
#[must_use]
pub fn fingerprint(content_sha256: [&str; 4]) -> String {
    let mut text = String::with_capacity(4 * 65);
    for digest in content_sha256 {
        text.push_str(digest);
        text.push('\n');
    }
    digest::sha256_hex(text.as_bytes())
}

/// Labelled images of equal size, one byte per pixel, 0 the background.
///
/// Cloning shares the images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    images: Arc<[u8]>,
    labels: Vec<u8>,
    rows: usize,
    columns: usize,
}

impl Split {
    /// A split from `[n, rows, columns]` pixels in C order and `n` labels.
    ///
    /// # Panics
    /// When `images` does not hold `labels.len() × rows × columns` bytes or
    /// an image would have no pixels.
    #[must_use]
    pub fn new(images: Arc<[u8]>, labels: Vec<u8>, rows: usize, columns: usize) -> Self {
        assert!(
            rows > 0 && columns > 0,
            "Split::new: images of {rows}×{columns} pixels"
        );
        assert_eq!(
            images.len(),
            labels.len() * rows * columns,
            "Split::new: {} bytes for {} images of {rows}×{columns}",
            images.len(),
            labels.len()
        );
        Self {
            images,
            labels,
            rows,
            columns,
        }
    }

    /// Number of images.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no images.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Rows of an image.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns of an image.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Pixels of an image, `rows × columns`.
    #[must_use]
    pub fn pixels(&self) -> usize {
        self.rows * self.columns
    }

    /// The images as `[n, pixels]`.
    #[must_use]
    pub fn images(&self) -> ArrayView2<'_, u8> {
        ArrayView2::from_shape((self.len(), self.pixels()), &self.images)
            .expect("the constructor checked the length")
    }

    /// The images as `[n, rows, columns]`.
    #[must_use]
    pub fn grids(&self) -> ArrayView3<'_, u8> {
        ArrayView3::from_shape((self.len(), self.rows, self.columns), &self.images)
            .expect("the constructor checked the length")
    }

    /// The pixels of image `index`, row by row.
    ///
    /// # Panics
    /// When `index` is not below [`Split::len`].
    #[must_use]
    pub fn image(&self, index: usize) -> &[u8] {
        let pixels = self.pixels();
        &self.images[index * pixels..(index + 1) * pixels]
    }

    /// All pixels in one buffer that can be shared without a copy.
    #[must_use]
    pub fn shared_images(&self) -> Arc<[u8]> {
        Arc::clone(&self.images)
    }

    /// The labels, one per image.
    #[must_use]
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// The labels as an ndarray view `[n]`.
    #[must_use]
    pub fn label_view(&self) -> ArrayView1<'_, u8> {
        ArrayView1::from(self.labels.as_slice())
    }

    /// A new split of copies of the images at `indices`, in that order.
    ///
    /// # Panics
    /// When an index is not below [`Split::len`].
    #[must_use]
    pub fn select(&self, indices: &[usize]) -> Self {
        let mut images = Vec::with_capacity(indices.len() * self.pixels());
        for &index in indices {
            images.extend_from_slice(self.image(index));
        }
        let labels = indices.iter().map(|&index| self.labels[index]).collect();
        Self {
            images: images.into(),
            labels,
            rows: self.rows,
            columns: self.columns,
        }
    }

    /// Images of each class below `classes`.
    #[must_use]
    pub fn class_counts(&self, classes: usize) -> Vec<usize> {
        let mut counts = vec![0; classes];
        for &label in &self.labels {
            if let Some(count) = counts.get_mut(usize::from(label)) {
                *count += 1;
            }
        }
        counts
    }

    /// The lowest Bernoulli reconstruction error any model can reach on these
    /// grey values: the entropy of each pixel read as a probability,
    /// `−x ln x − (1−x) ln(1−x)` with `x = byte / 255`, summed over pixels and
    /// averaged over images, in nats (0 for no images).
    #[must_use]
    pub fn grey_entropy(&self) -> f64 {
        if self.is_empty() {
            return 0.0;
        }
        let mut histogram = [0u64; 256];
        for &pixel in self.images.iter() {
            histogram[usize::from(pixel)] += 1;
        }
        let total: f64 = (1u8..255)
            .map(|value| {
                let x = f64::from(value) / 255.0;
                histogram[usize::from(value)] as f64 * -(x * x.ln() + (1.0 - x) * (-x).ln_1p())
            })
            .sum();
        total / self.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Split {
        Split::new((0u8..24).collect::<Vec<_>>().into(), vec![3, 1, 3, 0], 2, 3)
    }

    #[test]
    fn views_agree_with_the_buffer() {
        let split = small();
        assert_eq!(
            (split.len(), split.pixels(), split.rows(), split.columns()),
            (4, 6, 2, 3)
        );
        assert_eq!(split.images()[[2, 4]], 16);
        assert_eq!(split.grids()[[2, 1, 1]], 16);
        assert_eq!(split.image(3), &[18, 19, 20, 21, 22, 23]);
        assert_eq!(split.label_view()[1], 1);
        assert_eq!(split.class_counts(4), [1, 1, 0, 2]);
        assert!(Arc::ptr_eq(
            &split.shared_images(),
            &split.clone().shared_images()
        ));
    }

    #[test]
    fn select_copies_in_the_given_order() {
        let chosen = small().select(&[3, 0, 3]);
        assert_eq!(chosen.labels(), [0, 3, 0]);
        assert_eq!(chosen.image(1), &[0, 1, 2, 3, 4, 5]);
        assert_eq!(chosen.image(2), chosen.image(0));
    }

    #[test]
    #[should_panic(expected = "Split::new: 5 bytes for 2 images of 1×3")]
    fn a_wrong_length_is_refused() {
        let _ = Split::new(vec![0; 5].into(), vec![0, 1], 1, 3);
    }

    #[test]
    fn grey_entropy_of_known_pixels() {
        // x = 51/255 = 1/5: −0.2 ln 0.2 − 0.8 ln 0.8; black and white give 0.
        let split = Split::new(vec![0, 255, 51, 204].into(), vec![0, 0], 1, 2);
        let one = -(0.2f64 * 0.2f64.ln() + 0.8 * 0.8f64.ln());
        assert!((split.grey_entropy() - one).abs() < 1e-15);
    }

    #[test]
    fn the_fingerprint_is_what_its_documentation_says() {
        // printf 'a\nb\nc\nd\n' | sha256sum
        assert_eq!(
            fingerprint(["a", "b", "c", "d"]),
            "cf2c7f63055d2e84af6e3f01ac1bb7fce598d20cf213fab2b56b8e8047b46ced"
        );
    }
}
