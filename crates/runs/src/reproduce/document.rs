//! The Markdown document of everything reproduced so far.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::{
    IWAE_TABLE_1, IWAE_TABLE_1_AS_PUBLISHED, LikelihoodRow, LossRow, Reproduction, Row, Table,
    read_row,
};
use crate::atomic_file;
use crate::configuration::{Configuration, SETTINGS};
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
    write_likelihoods(out, &mut text)?;
    let of_losses = Reproduction::ALL
        .iter()
        .filter(|one| !one.is_of_likelihoods());
    for reproduction in of_losses {
        let (name, about) = (reproduction.name, capitalised(reproduction.about));
        let _ = write!(text, "\n## {name}\n\n{about}.\n\n");
        text.push_str(&table::<LossRow>(read_all(&out.join(name))?));
    }
    atomic_file::write(document, text.as_bytes())
}

/// Both recipes of the likelihoods beside one another.
fn write_likelihoods(out: &Path, text: &mut String) -> Result<(), Error> {
    let of_likelihoods = Reproduction::ALL
        .iter()
        .filter(|one| one.is_of_likelihoods());
    let recipes: Vec<&Reproduction> = of_likelihoods.collect();
    let names: Vec<&str> = recipes.iter().map(|recipe| recipe.name).collect();
    let about = recipes.first().map_or("", |recipe| recipe.about);
    let _ = write!(
        text,
        "\n## {}\n\n{}.\n",
        names.join(", "),
        capitalised(about)
    );
    text.push_str(RECIPES);
    text.push_str(&differences()?.markdown());
    text.push_str(COMPARISON);
    let mut rows = Vec::new();
    for name in names {
        rows.extend(read_all::<LikelihoodRow>(&out.join(name))?);
    }
    for (layers, heading) in [(1, ONE_LAYER), (2, TWO_LAYERS)] {
        let of_layers = rows.iter().filter(|row| row.layers == layers);
        let of_layers = of_layers.cloned().collect();
        let _ = write!(text, "{heading}.\n\n{}", table(of_layers));
    }
    Ok(())
}

fn capitalised(about: &str) -> String {
    let mut letters = about.chars();
    let first = letters.next().map(|letter| letter.to_uppercase());
    first.into_iter().flatten().chain(letters).collect()
}

const RECIPES: &str = "\n\
`iwae-table1` is the recipe of the paper's text: tanh, Glorot, shuffled, binarised per\n\
minibatch, batch 20, Adam (0.9, 0.999, 1e-4) on the mean gradient, 3ⁱ epochs at\n\
1e-3·10^(−i/7), i = 0 … 7, with the output bias of the code. `iwae-table1-as-published` is\n\
that of the code (`yburda/iwae`, commit 78a6075), by which, its README says, the figures of\n\
the paper from its second version on are made. With k = 1 and one stochastic layer they\n\
differ in these settings:\n\n";

/// What is still otherwise, and how sure a comparison is.
const COMPARISON: &str = "\n\
A sum over B images is a mean times B. Adam's moments are then B and B² times as large, so\n\
that steps along the sum with ε and second moments from v are steps along the mean with\n\
ε/B and v/B²: here 5e-6 and 0.0025. What is still otherwise are the random numbers.\n\n\
−log p(x) is bounded by importance sampling of test images that are binarised once. The\n\
published rows are of 3280 epochs, all 10,000 test images and K = 5000. A row of all these\n\
images is of the same images, and their spread does not part it from the published\n\
one: only the draws that made them binary differ. `draw` is the deviation of a row between\n\
draws, from a second draw of the same images (K = 100), and a difference between the row and\n\
the published one, each with its own draw, has √2 times that; another seed of\n\
training adds its own share, which rows of several seeds show. A row of fewer images is of\n\
others than the published one, and `images` is its standard error over them. Active units are\n\
those whose posterior mean has a variance above 0.01 over the test images of the row;\n\
`active as published` counts as the code does, over the first 500 training images.\n\n";

/// Why the published code's settings are others, by their keys.
const OTHERWISE: &[(&str, &str)] = &[
    (
        "data.validation",
        "`datasets.py` leaves the last 400 training images out: 59,600 are left",
    ),
    (
        "model.posterior_scale",
        "`iwae.py`: σ is the exponential of a layer's output",
    ),
    (
        "model.initialisation",
        "`nnet.py` draws each layer with one seed, so that layers of one shape begin equal, those of μ and log σ too",
    ),
    (
        "training.objective",
        "`iwae.py` samples the log weight for k = 1 too, where the KL has a closed form of the same mean",
    ),
    ("training.beta1", "`optimizers.py`; the text has 0.9"),
    (
        "training.second_moment_start",
        "`optimizers.py`: `shared_ones_like`",
    ),
    (
        "training.adam_form",
        "`optimizers.py` adds ε to √v, without the correction",
    ),
    (
        "training.adam_moments",
        "`optimizers.py` computes all updates from the values before any of them: the weights follow the moments before this gradient",
    ),
    (
        "training.batch_gradient",
        "`iwae.py` sums over the minibatch",
    ),
    (
        "training.schedule",
        "`experiments.py` rounds the step sizes: 1, 0.72, 0.52, 0.37, 0.27, 0.19, 0.14 and 0.1 of 1e-3",
    ),
    (
        "training.shuffle",
        "`train.py` takes the images in their order",
    ),
];

/// What the two recipes differ in.
fn differences() -> Result<Table, Error> {
    let settings = |preset| -> Result<BTreeMap<String, String>, Error> {
        let configuration = Configuration::resolve(Some(preset), None, &[])?;
        Ok(configuration.settings().into_iter().collect())
    };
    let (of_text, of_code) = (
        settings(IWAE_TABLE_1)?,
        settings(IWAE_TABLE_1_AS_PUBLISHED)?,
    );
    let rows = SETTINGS.iter().filter_map(|setting| {
        let value = |of: &BTreeMap<String, String>| {
            let written = of.get(setting.key).cloned();
            written.unwrap_or_else(|| setting.default())
        };
        let (of_text, of_code) = (value(&of_text), value(&of_code));
        let reason = OTHERWISE.iter().find(|(key, _)| *key == setting.key);
        (of_text != of_code).then(|| {
            vec![
                format!("`{}`", setting.key),
                of_text,
                of_code,
                reason.map_or("", |(_, reason)| reason).to_owned(),
            ]
        })
    });
    Ok(Table {
        columns: vec!["setting", "`iwae-table1`", "as published", "in the code"],
        rows: rows.collect(),
    })
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
    use super::super::likelihoods::published;
    use super::super::{ActiveUnits, write_row};
    use super::*;
    use crate::run_folder::Losses;

    #[test]
    fn every_difference_between_the_recipes_has_its_reason() {
        let differences = differences().expect("two presets");
        assert_eq!(differences.rows.len(), OTHERWISE.len());
        for row in &differences.rows {
            let [_, of_text, of_code, reason] = &row[..] else {
                panic!("{row:?}");
            };
            assert!(of_text != of_code && !reason.is_empty(), "{row:?}");
        }
        let row = |key: &str| differences.rows.iter().find(|row| row[0] == key);
        let beta1 = row("`training.beta1`").expect("a row");
        assert_eq!(beta1[1..3], ["0.9", "0.99"]);
    }

    #[test]
    fn rows_of_all_published_images_are_uncertain_by_their_draw() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let row = |images: usize, recipe: &str| LikelihoodRow {
            recipe: recipe.into(),
            layers: 1,
            k: 1,
            epochs: 3280,
            steps: 9_840_000,
            nll: [(5000, 86.19)].into(),
            standard_error: Some(0.23),
            draw_deviation: Some(0.051),
            active_units: 21,
            active_units_by_layer: None,
            first_training_images: Some(ActiveUnits {
                units: 19,
                images: 500,
            }),
            negative_elbo: 90.41,
            published: published(1, 1),
            dataset: "mnist".into(),
            images,
            test_images: Some(10_000),
            data_treatment: models::DataTreatment::BinarisedOnce,
            data_seed: 0,
            seed: 42,
            training_seconds: 1.0,
            result_format: crate::configuration::RESULT_FORMAT.into(),
        };
        for (images, recipe) in [
            (10_000, IWAE_TABLE_1),
            (10_000, IWAE_TABLE_1_AS_PUBLISHED),
            (1000, IWAE_TABLE_1),
        ] {
            let path = folder.path().join(format!("{recipe}/k1-{images}.json"));
            write_row(&path, &row(images, recipe)).expect("writable");
        }
        let document = folder.path().join("RESULTS.md");
        write(folder.path(), &document).expect("writable");
        let text = std::fs::read_to_string(&document).expect("just written");
        let recipes = [
            ("iwae-table1", "images: 0.23"),
            ("iwae-table1", "draw: 0.05"),
            ("iwae-table1-as-published", "draw: 0.05"),
        ];
        let found: Vec<_> = text
            .lines()
            .filter(|line| line.contains("3280 of 3280"))
            .collect();
        assert_eq!(found.len(), recipes.len(), "{text}");
        for (line, (recipe, uncertainty)) in found.iter().zip(recipes) {
            let cells = format!(
                "| {recipe} | 86.19 (K = 5000) | {uncertainty} | 21 | 19 (of 500 training images) |"
            );
            assert!(line.contains(&cells), "{line}");
        }
    }

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
