//! The Markdown document of everything reproduced so far.

use std::fmt::Write as _;
use std::path::Path;

use serde::Deserialize;

use super::{LikelihoodRow, LossRow, Reproduction, Rows, read_row};
use crate::atomic_file;
use crate::error::Error;

/// Writes the document of all result files below `out`, the folder of the
/// reproductions.
///
/// # Errors
/// When a result file is damaged, or the document cannot be written.
pub fn write(out: &Path, document: &Path) -> Result<(), Error> {
    let mut text = String::from(
        "# Published results, made again\n\n\
         Written by `cargo xtask reproduce NAME --markdown FILE` from the result files of its\n\
         runs: every row is a run, and a row says how many epochs its run had. All losses are\n\
         nats per image.\n",
    );
    for reproduction in Reproduction::ALL {
        let rows = stored(reproduction, &out.join(reproduction.name()))?;
        let _ = write!(text, "\n## {reproduction}\n\n{}.\n\n", about(reproduction));
        let table = rows.table();
        if table.rows.is_empty() {
            text.push_str("Not run yet.\n");
        } else {
            text.push_str(&table.markdown());
        }
    }
    atomic_file::write(document, text.as_bytes())
}

fn about(reproduction: Reproduction) -> String {
    let about = reproduction.about();
    let mut letters = about.chars();
    let first = letters.next().map(|letter| letter.to_uppercase());
    let sentence: String = first.into_iter().flatten().chain(letters).collect();
    match reproduction {
        Reproduction::IwaeTable1 => format!(
            "{sentence}.\nThe recipe: 784-200-200-50, tanh, Glorot, shuffled, binarised per minibatch, batch 20,\n\
             Adam (0.9, 0.999, 1e-4) on the mean gradient, 3ⁱ epochs at 1e-3·10^(−i/7), i = 0 … 7. Test\n\
             images are binarised once. −log p(x) is bounded by importance sampling, ± its standard\n\
             error over images; the published rows are of 3280 epochs, all test images, K = 5000.\n\
             Independent reproductions of k = 1 found 87.75 and 87.78"
        ),
        _ => sentence,
    }
}

/// The stored rows of a reproduction, in the order of their numbers.
fn stored(reproduction: Reproduction, folder: &Path) -> Result<Rows, Error> {
    Ok(match reproduction {
        Reproduction::IwaeTable1 => {
            let mut rows: Vec<LikelihoodRow> = read_all(folder)?;
            rows.sort_by_key(|row| (row.k, row.epochs, row.images, row.seed));
            Rows::Likelihoods(rows)
        }
        _ => {
            let mut rows: Vec<LossRow> = read_all(folder)?;
            rows.sort_by_key(|row| (row.epochs, row.seed));
            Rows::Losses(rows)
        }
    })
}

fn read_all<R: for<'a> Deserialize<'a>>(folder: &Path) -> Result<Vec<R>, Error> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => {
            return Err(Error::Read {
                path: folder.into(),
                source,
            });
        }
    };
    let mut rows = Vec::new();
    for entry in entries.flatten() {
        let path = entry.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            rows.extend(read_row(&path)?);
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::super::write_row;
    use super::*;
    use crate::run_folder::Losses;

    #[test]
    fn the_document_holds_what_was_run_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let document = folder.path().join("RESULTS.md");
        write(folder.path(), &document).expect("writable");
        let text = std::fs::read_to_string(&document).expect("just written");
        assert_eq!(text.matches("Not run yet.").count(), 3);

        let losses = Losses {
            loss: 105.5,
            reconstruction: 80.25,
            kl: 25.25,
        };
        let row = LossRow {
            epochs: 10,
            test: losses,
            train: losses,
            published: None,
            dataset: "mnist".into(),
            seed: 7,
        };
        let path = folder.path().join("pytorch-example/seed7-10-epochs.json");
        write_row(&path, &row).expect("writable");
        write(folder.path(), &document).expect("writable");
        let text = std::fs::read_to_string(&document).expect("just written");
        assert_eq!(text.matches("Not run yet.").count(), 2);
        assert!(
            text.contains("| 10 | 105.50 | 80.25 + 25.25 | mnist, seed 7 | – |"),
            "{text}"
        );
    }
}
