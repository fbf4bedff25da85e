//! The Markdown document of everything reproduced so far.

use std::fmt::Write as _;
use std::path::Path;

use super::{LikelihoodRow, LossRow, Reproduction, Row, Table, read_row};
use crate::atomic_file;
use crate::error::{Error, unreadable};

/// Writes the document of all result files below `out`, the folder of the
/// reproductions.
///
/// # Errors
/// When a result file is damaged, or the document cannot be written.
pub fn write(out: &Path, document: &Path) -> Result<(), Error> {
    let mut text = String::from(
        "# Published results, made again\n\n\
         Written by `latent-atlas reproduce NAME --markdown FILE` from the result files of its\n\
         runs: every row is a run, and a row says how many epochs its run had. All losses are\n\
         nats per image.\n",
    );
    for reproduction in Reproduction::ALL {
        let folder = out.join(reproduction.name);
        let (name, about) = (reproduction.name, about(reproduction));
        let _ = write!(text, "\n## {name}\n\n{about}.\n\n");
        if reproduction.is_of_likelihoods() {
            for (layers, heading) in [(1, ONE_LAYER), (2, TWO_LAYERS)] {
                let mut rows: Vec<LikelihoodRow> = read_all(&folder)?;
                rows.retain(|row| row.layers == layers);
                let _ = write!(text, "{heading}.\n\n{}", table(rows));
            }
        } else {
            text.push_str(&table::<LossRow>(read_all(&folder)?));
        }
    }
    atomic_file::write(document, text.as_bytes())
}

fn about(reproduction: &Reproduction) -> String {
    let mut letters = reproduction.about.chars();
    let first = letters.next().map(|letter| letter.to_uppercase());
    let sentence: String = first.into_iter().flatten().chain(letters).collect();
    if !reproduction.is_of_likelihoods() {
        return sentence;
    }
    format!(
        "{sentence}.\nThe recipe: tanh, Glorot, shuffled, binarised per minibatch, batch 20,\n\
         Adam (0.9, 0.999, 1e-4) on the mean gradient, 3ⁱ epochs at 1e-3·10^(−i/7), i = 0 … 7. Test\n\
         images are binarised once. −log p(x) is bounded by importance sampling, ± its standard\n\
         error over images; the published rows are of 3280 epochs, all test images, K = 5000"
    )
}

/// What the two tables of the IWAE's rows are of.
const ONE_LAYER: &str = "One stochastic layer, 784-200-200-50.\n\
     Of k = 1, the READMEs of two independent reproductions have 87.75 (`nbip/IWAE`) and 87.78\n\
     (`xqding/Importance_Weighted_Autoencoders`)";
const TWO_LAYERS: &str = "\nTwo stochastic layers, 784-200-200-100 below 100-100-100-50; active units of the lower\n\
     and the upper. For k = 1, 5 and 50 the README of an independent reproduction\n\
     (`xqding/Importance_Weighted_Autoencoders`) has 88.39, 84.69 and 83.29";

/// The rows in their order.
fn table<R: Row>(mut rows: Vec<R>) -> String {
    if rows.is_empty() {
        return "Not run yet.\n".into();
    }
    rows.sort_by_key(R::place);
    Table::of(&rows).markdown()
}

/// The stored rows of a reproduction.
fn read_all<R: Row>(folder: &Path) -> Result<Vec<R>, Error> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(folder)(error)),
    };
    let paths = entries.flatten().map(|entry| entry.path());
    let results = paths.filter(|path| path.extension().is_some_and(|ending| ending == "json"));
    let rows = results.map(|path| read_row(&path));
    rows.filter_map(Result::transpose).collect()
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
        assert_eq!(text.matches("Not run yet.").count(), 4);

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
        assert_eq!(text.matches("Not run yet.").count(), 3);
        assert!(
            text.contains("| 10 | 105.50 | 80.25 + 25.25 | mnist, seed 7 | – |"),
            "{text}"
        );
    }
}
