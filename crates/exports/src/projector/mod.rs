//! Codes for TensorBoard's embedding projector: a folder that its plugin finds, or
//! whose files the stand-alone site loads.

mod sprite;

use std::fmt::Write as _;

use datasets::Shape;
use evaluation::subset::{Population, SEED, numbers, subset};
use ndarray::ArrayView2;
use rayon::prelude::*;
use runs::Error;
use runs::apply::Destination;
use serde_json::json;
use viz::encode_thumbnail;

use self::sprite::SpriteLayout;
use crate::rows::{EncodedRows, SplitChoice};
use crate::tensorboard::{event_file, records};
use crate::{Exported, ExportedRun};

/// Points that the plugin loads.
const MOST_POINTS: usize = 100_000;

/// Values of a vector that the page draws: of fewer its principal components have no
/// third one, and without that the view it begins with is empty.
const LEAST_VALUES: usize = 3;

const TENSORS: &str = "tensors.tsv";
const METADATA: &str = "metadata.tsv";
const SPRITE: &str = "sprite.png";
const CONFIGURATION: &str = "projector_config.pbtxt";
const SITE: &str = "projector.json";

/// Writes a folder with the codes of some rows (`tensors.tsv`), what is known of
/// each (`metadata.tsv`), the rows as pictures (`sprite.png`, of images), the
/// plugin's configuration and the run's event file, without which the plugin does
/// not look into a folder among others; and `projector.json` for the stand-alone
/// site, whose files are at `base_url`. Of more rows than can be shown a random
/// sample is written.
///
/// # Errors
/// When the data cannot be had or are not those of the run, or the folder cannot
/// be written.
pub fn export(
    run: &ExportedRun,
    choice: SplitChoice,
    base_url: Option<&str>,
    destination: Destination,
    download: &mut dyn FnMut(datasets::Progress<'_>),
) -> Result<Exported, Error> {
    let rows = EncodedRows::of(run, choice, download)?;
    let room = match rows.shape() {
        Shape::Image { height, width, .. } => SpriteLayout::capacity(height, width),
        Shape::Vector { .. } => usize::MAX,
    };
    let labels = rows.labels();
    let population = Population::of(rows.len(), labels.as_deref());
    let shown = subset(population, room.min(MOST_POINTS), numbers(SEED));
    let layout = match rows.shape() {
        Shape::Image { height, width, .. } => Some(SpriteLayout::of(shown.len(), height, width)),
        Shape::Vector { .. } => None,
    };
    let config = Configuration {
        name: format!("{} codes of {}", choice.name(), run.name()),
        points: shown.len(),
        values: rows.codes.mean.ncols().max(LEAST_VALUES),
        sprite: layout.map(|layout| [layout.width, layout.height]),
    };
    let mut files = vec![
        (
            TENSORS,
            run.install(|| tensors(rows.codes.mean.view(), &shown)),
        ),
        (METADATA, metadata(&rows, &shown).into_bytes()),
    ];
    if let Some(layout) = layout {
        let is_grey = rows.shape().channels() == 1;
        let pictures = shown.iter().map(|&row| {
            let picture = rows.picture(row)?;
            picture.ok_or_else(|| Error::Undefined("a vector has no picture".into()))
        });
        let image = layout.image(pictures, is_grey)?;
        files.push((SPRITE, encode_thumbnail(image.as_ref())?));
    }
    let events = run.install(|| event_file(run, run.data(&mut |_| {})?))?;
    let event_file = records::file_name(1);
    files.push((&event_file, events));
    files.push((CONFIGURATION, config.text().into_bytes()));
    files.push((SITE, config.site(base_url)?));
    let exported = Exported::folder(destination, &files)?;
    let mut remarks = Vec::new();
    if shown.len() < rows.len() {
        remarks.push(format!(
            "a random {} of the {} rows, of each class its share: more the projector does not show",
            shown.len(),
            rows.len()
        ));
    }
    if rows.codes.mean.ncols() < LEAST_VALUES {
        remarks.push(format!(
            "codes have coordinates of 0 up to the {LEAST_VALUES} that the projector draws"
        ));
    }
    Ok(Exported {
        rows: Some(shown.len()),
        columns: columns(&rows),
        remarks,
        ..exported
    })
}

/// Rows that one thread writes as text at a time.
const TOGETHER: usize = 512;

/// Codes `[n, L]` of the rows that are shown: a line for each, tabs between values,
/// and zeros up to the least number of them.
fn tensors(codes: ArrayView2<'_, f32>, shown: &[usize]) -> Vec<u8> {
    let text = |rows: &[usize]| {
        let mut text = String::new();
        for &row in rows {
            let code = codes.row(row);
            for (at, value) in code.iter().enumerate() {
                // Writing to a text never fails.
                let _ = write!(text, "{}{value:?}", if at > 0 { "\t" } else { "" });
            }
            text.extend((code.len()..LEAST_VALUES).map(|_| "\t0"));
            text.push('\n');
        }
        text
    };
    let texts: Vec<String> = shown.par_chunks(TOGETHER).map(text).collect();
    texts.concat().into_bytes()
}

/// Whether it says something what a row was for. The page labels points by the first
/// column that holds words, which is this one where classes are digits.
fn has_several_splits(rows: &EncodedRows<'_>) -> bool {
    let split = rows.split();
    split.windows(2).any(|pair| pair[0] != pair[1])
}

/// What is known of each row, in the order of the columns.
fn columns(rows: &EncodedRows<'_>) -> Vec<String> {
    let columns = [
        (rows.labels().is_some(), "class"),
        (rows.labels().is_some(), "label"),
        (rows.names().is_some(), "name"),
        (true, "index"),
        (has_several_splits(rows), "split"),
        (true, "reconstruction"),
    ];
    let there = columns.iter().filter(|(is_there, _)| *is_there);
    there.map(|(_, name)| (*name).to_owned()).collect()
}

/// A header, which there is with two columns or more, and a line for each row.
fn metadata(rows: &EncodedRows<'_>, shown: &[usize]) -> String {
    let (labels, classes, names) = (rows.labels(), rows.classes(), rows.names());
    let (index, split) = (rows.index(), rows.split());
    let says_split = has_several_splits(rows);
    let mut text = columns(rows).join("\t") + "\n";
    for &row in shown {
        if let (Some(labels), Some(classes)) = (&labels, &classes) {
            let _ = write!(text, "{}\t{}\t", cell(&classes[row]), labels[row]);
        }
        if let Some(names) = &names {
            let _ = write!(text, "{}\t", cell(&names[row]));
        }
        let loss = rows.reconstruction[row];
        let _ = write!(text, "{}\t", index[row]);
        if says_split {
            let _ = write!(text, "{}\t", split[row]);
        }
        let _ = writeln!(text, "{loss:.2}");
    }
    text
}

/// A text without what ends cells and lines.
fn cell(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// What the projector is told.
struct Configuration {
    name: String,
    points: usize,
    values: usize,
    /// Width and height of a picture.
    sprite: Option<[usize; 2]>,
}

impl Configuration {
    /// `projector_config.pbtxt`: a message as text, with paths from its folder.
    fn text(&self) -> String {
        let name: String = self
            .name
            .chars()
            .map(|c| {
                if c.is_control() || "\"\\".contains(c) {
                    '_'
                } else {
                    c
                }
            })
            .collect();
        let mut text = format!(
            "embeddings {{\n  tensor_name: \"{name}\"\n  tensor_path: \"{TENSORS}\"\n  metadata_path: \"{METADATA}\"\n"
        );
        if let Some([width, height]) = self.sprite {
            let _ = write!(
                text,
                "  sprite {{\n    image_path: \"{SPRITE}\"\n    single_image_dim: {width}\n    single_image_dim: {height}\n  }}\n"
            );
        }
        text + "}\n"
    }

    /// The same for the stand-alone site, which loads files from URLs.
    ///
    /// # Errors
    /// Only if serialisation itself fails.
    fn site(&self, base_url: Option<&str>) -> Result<Vec<u8>, Error> {
        let place = |file: &str| match base_url {
            None => file.to_owned(),
            Some(base) => format!("{}/{file}", base.trim_end_matches('/')),
        };
        let mut embedding = json!({
            "tensorName": self.name,
            "tensorShape": [self.points, self.values],
            "tensorPath": place(TENSORS),
            "metadataPath": place(METADATA),
        });
        if let Some(size) = self.sprite {
            embedding["sprite"] = json!({"imagePath": place(SPRITE), "singleImageDim": size});
        }
        let mut bytes = serde_json::to_vec_pretty(&json!({"embeddings": [embedding]}))
            .map_err(|error| Error::Undefined(format!("{SITE} cannot be written: {error}")))?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn codes_are_lines_of_three_values_or_more() {
        let codes = array![[0.5_f32, -1.0, 1e-30], [2.0, 3.0, 4.0], [5.0, 6.0, 7.0]];
        let text = String::from_utf8(tensors(codes.view(), &[0, 2])).unwrap();
        assert_eq!(text, "0.5\t-1.0\t1e-30\n5.0\t6.0\t7.0\n");
        let one = codes.slice_axis(ndarray::Axis(1), (..1).into());
        let text = String::from_utf8(tensors(one, &[1])).unwrap();
        assert_eq!(text, "2.0\t0\t0\n");
        let two = codes.slice_axis(ndarray::Axis(1), (..2).into());
        let text = String::from_utf8(tensors(two, &[1])).unwrap();
        assert_eq!(text, "2.0\t3.0\t0\n");
    }

    #[test]
    fn configurations_name_the_same_files() {
        let config = Configuration {
            name: "test codes of \"a\\b\"".into(),
            points: 7,
            values: 2,
            sprite: Some([28, 14]),
        };
        let text = config.text();
        assert!(
            text.contains("tensor_name: \"test codes of _a_b_\""),
            "{text}"
        );
        assert!(text.contains("single_image_dim: 28\n    single_image_dim: 14"));
        let site: serde_json::Value =
            serde_json::from_slice(&config.site(Some("https://example.org/a/")).unwrap()).unwrap();
        let embedding = &site["embeddings"][0];
        assert_eq!(embedding["tensorPath"], "https://example.org/a/tensors.tsv");
        assert_eq!(embedding["tensorShape"], json!([7, 2]));
        assert_eq!(embedding["sprite"]["singleImageDim"], json!([28, 14]));
        let vectors = Configuration {
            sprite: None,
            ..config
        };
        assert!(!vectors.text().contains("sprite"));
        assert_eq!(cell("a\tb\nc"), "a b c");
    }
}
