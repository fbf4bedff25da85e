//! What is to be seen of a data set before anything is trained on it: counts,
//! range, and what is likely to be a mistake, with the remedy.

use std::collections::{HashMap, HashSet};

use rayon::prelude::*;
use serde::Serialize;

use crate::dataset::{Dataset, Split, TestOrigin};
use crate::fingerprint::row_hash;
use crate::values::{Kind, Rows};

/// The state of a data set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Health {
    /// The source as it was asked for.
    pub dataset: String,
    /// Identifies the content.
    pub fingerprint: String,
    /// What one row is, such as `28x28`.
    pub shape: String,
    /// `bytes` or `floats`.
    pub values: &'static str,
    /// Training rows.
    pub train: usize,
    /// Test rows.
    pub test: usize,
    /// The share of the source that became the test set; none where the source
    /// has one.
    pub test_share: Option<f64>,
    /// The lowest and the highest value; bytes count as byte / 255.
    pub range: [f32; 2],
    /// Mean of all values of the training rows.
    pub mean: f64,
    /// Mean of the values along the border of training images and of those within;
    /// absent for vectors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub border: Option<[f64; 2]>,
    /// Positions that have the same value in every training row.
    pub constant_positions: usize,
    /// Training rows whose values are all equal.
    pub blank_rows: usize,
    /// Rows in each class; empty without labels.
    pub classes: Vec<ClassCount>,
    /// Equal rows; absent where they were not looked for.
    pub duplicates: Option<Duplicates>,
    /// What was decided while reading.
    pub remarks: Vec<String>,
    /// What is likely to be a mistake.
    pub findings: Vec<Finding>,
}

/// Rows of one class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClassCount {
    /// Its name.
    pub name: String,
    /// Its training rows.
    pub train: usize,
    /// Its test rows.
    pub test: usize,
}

/// Rows that occur more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Duplicates {
    /// Training rows equal to an earlier one.
    pub within_train: usize,
    /// Test rows equal to a training row.
    pub test_in_train: usize,
    /// Of these, rows with another label than a training row they equal.
    pub with_other_label: usize,
}

/// Something that is probably not meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was found.
    pub found: String,
    /// What to do about it.
    pub advice: String,
}

/// Fewest rows that a minibatch of the default size can be filled with.
const SMALL: usize = 128;

impl Health {
    /// Everything there is to see: reads every row and compares all of them.
    #[must_use]
    pub fn of(dataset: &Dataset) -> Self {
        let mut health = Self::at_a_glance(dataset);
        let duplicates = duplicates(dataset);
        if duplicates.test_in_train > 0 {
            health.findings.push(Finding {
                found: format!(
                    "{} of {} test rows are also training rows",
                    duplicates.test_in_train, health.test
                ),
                advice: "remove them from one side: a loss on them is a training loss".into(),
            });
        }
        if duplicates.with_other_label > 0 {
            health.findings.push(Finding {
                found: format!(
                    "{} rows equal another one but have another label",
                    duplicates.with_other_label
                ),
                advice: "check the labels".into(),
            });
        }
        health.duplicates = Some(duplicates);
        health
    }

    /// What one pass over the values shows: cheap enough for every start.
    #[must_use]
    pub fn at_a_glance(dataset: &Dataset) -> Self {
        let seen = Seen::of(&dataset.train);
        let range = dataset.range();
        let mut health = Self {
            dataset: dataset.name.clone(),
            fingerprint: dataset.fingerprint.clone(),
            shape: dataset.shape().to_string(),
            values: dataset.train.kind().noun(),
            train: dataset.train.len(),
            test: dataset.test.len(),
            test_share: match dataset.test_origin {
                TestOrigin::Own => None,
                TestOrigin::Share(share) => Some(share),
            },
            range,
            mean: seen.mean(),
            border: border(dataset, &seen),
            constant_positions: seen.constant_positions(),
            blank_rows: seen.blank_rows,
            classes: class_counts(dataset),
            duplicates: None,
            remarks: dataset.remarks.clone(),
            findings: Vec::new(),
        };
        let mut findings = Vec::new();
        findings.extend(range_finding(dataset, range, &seen));
        findings.extend(health.inverted());
        findings.extend(health.sameness(dataset));
        findings.extend(health.class_findings());
        if health.train < SMALL {
            findings.push(Finding {
                found: format!("there are {} training rows", health.train),
                advice: format!(
                    "train with --batch {} or less, and expect numbers of few rows to vary much",
                    health.train
                ),
            });
        }
        health.findings = findings;
        health
    }

    /// Whether the images are dark on a light background: light all along their
    /// border on average, and darker within.
    #[must_use]
    pub fn is_dark_on_light(&self) -> bool {
        // Photographs have no such border.
        self.border
            .is_some_and(|[border, inside]| border > 0.9 && border <= 1.0 && border - inside > 0.05)
    }

    fn inverted(&self) -> Option<Finding> {
        let [border, inside] = self.border.filter(|_| self.is_dark_on_light())?;
        Some(Finding {
            found: format!(
                "the images are dark on a light background (border {border:.2}, inside {inside:.2} on average)"
            ),
            advice: "if ink should be 1, as the Bernoulli models of the literature have it, read them with --invert".into(),
        })
    }

    fn sameness(&self, dataset: &Dataset) -> Option<Finding> {
        let positions = dataset.shape().len();
        if self.constant_positions == positions && self.train > 1 {
            return Some(Finding {
                found: format!("all {} training rows are equal", self.train),
                advice: "look for the mistake where they were made: nothing can be learned".into(),
            });
        }
        (self.blank_rows > 0).then(|| Finding {
            found: format!(
                "{} of {} training rows hold one value everywhere",
                self.blank_rows, self.train
            ),
            advice: "remove them if they are no data".into(),
        })
    }

    fn class_findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let [only] = &self.classes[..] {
            findings.push(Finding {
                found: format!("there is one class, {}", only.name),
                advice: "figures and numbers that compare classes are left out".into(),
            });
        }
        for (part, count) in [
            (
                "training",
                (|class| class.train) as fn(&ClassCount) -> usize,
            ),
            ("test", |class| class.test),
        ] {
            let absent: Vec<&str> = self
                .classes
                .iter()
                .filter(|class| count(class) == 0)
                .map(|class| class.name.as_str())
                .collect();
            if !absent.is_empty() {
                findings.push(Finding {
                    found: format!("no {part} row is of {}", some_of(&absent)),
                    advice: "their numbers are left out".into(),
                });
            }
        }
        findings
    }
}

/// What one pass over training rows gathers.
struct Seen {
    rows: usize,
    sums: Vec<f64>,
    low: Vec<f32>,
    high: Vec<f32>,
    blank_rows: usize,
    /// Whether every value is a whole number, as stored.
    is_whole: bool,
}

impl Seen {
    fn of(split: &Split) -> Self {
        let (rows, length) = split.images().dim();
        let fold = |indices: std::ops::Range<usize>| {
            let mut seen = Self::nothing(length);
            let mut row = vec![0.0f32; length];
            for index in indices {
                split.images().write(index, &mut row);
                seen.take(&row);
            }
            seen
        };
        // Blocks of a fixed size, joined in their order: sums do not depend on
        // the number of threads.
        const BLOCK: usize = 1024;
        let blocks: Vec<Self> = (0..rows.div_ceil(BLOCK))
            .into_par_iter()
            .map(|block| fold(block * BLOCK..rows.min((block + 1) * BLOCK)))
            .collect();
        let mut seen = Self::nothing(length);
        for block in blocks {
            seen.join(block);
        }
        if split.kind() == Kind::Bytes {
            seen.is_whole = true;
        }
        seen
    }

    fn nothing(length: usize) -> Self {
        Self {
            rows: 0,
            sums: vec![0.0; length],
            low: vec![f32::INFINITY; length],
            high: vec![f32::NEG_INFINITY; length],
            blank_rows: 0,
            is_whole: true,
        }
    }

    fn take(&mut self, row: &[f32]) {
        self.rows += 1;
        let ranges = self.low.iter_mut().zip(&mut self.high);
        for ((&value, sum), (low, high)) in row.iter().zip(&mut self.sums).zip(ranges) {
            *sum += f64::from(value);
            *low = low.min(value);
            *high = high.max(value);
        }
        self.is_whole &= row.iter().all(|value| value.fract() == 0.0);
        let is_blank = row.len() > 1 && row.iter().all(|&value| value == row[0]);
        self.blank_rows += usize::from(is_blank);
    }

    fn join(&mut self, other: Self) {
        self.rows += other.rows;
        self.blank_rows += other.blank_rows;
        self.is_whole &= other.is_whole;
        for (sum, other) in self.sums.iter_mut().zip(other.sums) {
            *sum += other;
        }
        for (low, other) in self.low.iter_mut().zip(other.low) {
            *low = low.min(other);
        }
        for (high, other) in self.high.iter_mut().zip(other.high) {
            *high = high.max(other);
        }
    }

    fn mean(&self) -> f64 {
        self.sums.iter().sum::<f64>() / (self.rows * self.sums.len()).max(1) as f64
    }

    fn constant_positions(&self) -> usize {
        let pairs = self.low.iter().zip(&self.high);
        pairs.filter(|(low, high)| low == high).count()
    }
}

/// Values that are probably on another scale than [0, 1].
fn range_finding(dataset: &Dataset, [low, high]: [f32; 2], seen: &Seen) -> Option<Finding> {
    if dataset.train.kind() == Kind::Bytes {
        let largest = (high * 255.0).round();
        // Real photographs in the dark reach further than a quarter.
        return (largest > 0.0 && largest < 64.0).then(|| Finding {
            found: if largest == 1.0 {
                "the largest byte is 1 of 255: nearly black images, probably a mask of 0 and 1"
                    .into()
            } else {
                format!("the largest byte is {largest} of 255: nearly black images")
            },
            advice: format!("if {largest} stands for full ink, read them with --maximum {largest}"),
        });
    }
    if low >= 0.0 && high > 1.0 && high <= 255.0 && seen.is_whole {
        let maximum = if high > 100.0 { 255.0 } else { high };
        return Some(Finding {
            found: format!("the values are whole numbers from {low} to {high}"),
            advice: format!("if {maximum} stands for full ink, read them with --maximum {maximum}"),
        });
    }
    if low < 0.0 || high > 1.0 {
        return Some(Finding {
            found: format!("the values lie between {low} and {high}, not in [0, 1]"),
            advice: "use --likelihood gaussian-identity, with --standardise where columns differ in size".into(),
        });
    }
    (!dataset.shape().is_image() && uneven(seen)).then(|| Finding {
        found: "some columns vary a hundred times as much as others".into(),
        advice: "use --likelihood gaussian-identity --standardise".into(),
    })
}

fn uneven(seen: &Seen) -> bool {
    let spans = seen
        .low
        .iter()
        .zip(&seen.high)
        .map(|(low, high)| high - low);
    let spans: Vec<f32> = spans.filter(|&span| span > 0.0).collect();
    let largest = spans.iter().copied().fold(0.0, f32::max);
    let smallest = spans.iter().copied().fold(f32::INFINITY, f32::min);
    largest > 100.0 * smallest
}

/// Mean of the values along the border of images and of those within.
fn border(dataset: &Dataset, seen: &Seen) -> Option<[f64; 2]> {
    let (height, width) = dataset.shape().size()?;
    let channels = dataset.shape().channels();
    let mean = |y: usize, x: usize| {
        let at = (y * width + x) * channels;
        seen.sums[at..at + channels].iter().sum::<f64>() / (seen.rows.max(1) * channels) as f64
    };
    let on_border = |y: usize, x: usize| y == 0 || x == 0 || y + 1 == height || x + 1 == width;
    let all = (0..height).flat_map(|y| (0..width).map(move |x| (y, x)));
    let (border, inside): (Vec<_>, Vec<_>) = all.partition(|&(y, x)| on_border(y, x));
    let average = |places: &[(usize, usize)]| {
        places.iter().map(|&(y, x)| mean(y, x)).sum::<f64>() / places.len().max(1) as f64
    };
    Some([average(&border), average(&inside)])
}

fn class_counts(dataset: &Dataset) -> Vec<ClassCount> {
    let classes = dataset.classes();
    let counts = |split: &Split| split.class_counts(classes).unwrap_or_default();
    let (train, test) = (counts(&dataset.train), counts(&dataset.test));
    dataset
        .class_names
        .iter()
        .zip(train.into_iter().zip(test))
        .map(|(name, (train, test))| ClassCount {
            name: name.clone(),
            train,
            test,
        })
        .collect()
}

fn duplicates(dataset: &Dataset) -> Duplicates {
    let hashes = |split: &Split| -> Vec<u64> {
        (0..split.len())
            .into_par_iter()
            .map(|index| hash_of(split.images(), index))
            .collect()
    };
    let (train, test) = (hashes(&dataset.train), hashes(&dataset.test));
    let label = |split: &Split, index: usize| split.labels().map(|labels| labels[index]);
    let mut first: HashMap<u64, usize> = HashMap::with_capacity(train.len());
    let mut found = Duplicates {
        within_train: 0,
        test_in_train: 0,
        with_other_label: 0,
    };
    for (index, &hash) in train.iter().enumerate() {
        match first.get(&hash) {
            None => {
                first.insert(hash, index);
            }
            Some(&earlier) => {
                found.within_train += 1;
                let differs = label(&dataset.train, earlier) != label(&dataset.train, index);
                found.with_other_label += usize::from(differs);
            }
        }
    }
    let known: HashSet<u64> = first.keys().copied().collect();
    for (index, hash) in test
        .iter()
        .enumerate()
        .filter(|(_, hash)| known.contains(hash))
    {
        found.test_in_train += 1;
        let differs = label(&dataset.train, first[hash]) != label(&dataset.test, index);
        found.with_other_label += usize::from(differs);
    }
    found
}

fn hash_of(rows: Rows<'_>, index: usize) -> u64 {
    match rows {
        Rows::Bytes(rows) => row_hash(rows.row(index).as_slice().unwrap_or_default()),
        Rows::Floats(rows) => {
            let bytes: Vec<u8> = rows
                .row(index)
                .iter()
                .flat_map(|v| v.to_le_bytes())
                .collect();
            row_hash(&bytes)
        }
    }
}

/// The first few of some names, and how many there are besides.
fn some_of(names: &[&str]) -> String {
    const SHOWN: usize = 5;
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => format!("class {shown}"),
        more => format!("the classes {shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests;
