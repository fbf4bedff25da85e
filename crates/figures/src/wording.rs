//! Words that captions share.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use datasets::{Dataset, TestOrigin};
use viz::number::decimal;
use viz::page::{Block, Text};

use super::documents::document;
use super::{Scale, TrainedRun};

/// A source document's own words, as a quotation: what is left out is marked as
/// `[…]`, and what is added stands in such brackets too.
pub fn said(number: &str, words: &str) -> Block {
    let title = document(number).map_or("Document", |document| document.title);
    Block::Quotation {
        text: Text::from(format!("“{words}”")),
        source: format!("{title} ({number}), its own words in English"),
    }
}

/// `10 000`, with thin spaces from ten thousand on.
pub fn count(n: usize) -> String {
    decimal(n as f64, 0)
}

/// A number in words up to twelve.
pub fn spelled(n: usize) -> String {
    const WORDS: [&str; 13] = [
        "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
        "eleven", "twelve",
    ];
    WORDS.get(n).map_or_else(|| count(n), ToString::to_string)
}

/// The text with its first letter large.
pub fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// The data set's name in prose, such as `Fashion-MNIST`; the last part of its
/// path if it has none.
pub fn name_of(dataset: &Dataset) -> String {
    registered(&dataset.name).unwrap_or_else(|| {
        let path = dataset.name.strip_prefix("idx:").unwrap_or(&dataset.name);
        let last = Path::new(path).file_name();
        last.map_or_else(|| path.to_owned(), |last| last.to_string_lossy().into())
    })
}

/// The same of a name that a file has for a data set.
pub fn title_of(name: &str) -> String {
    registered(name).unwrap_or_else(|| name.to_owned())
}

fn registered(name: &str) -> Option<String> {
    let mut known = datasets::information().into_iter();
    let set = known.find(|set| set.name == name)?;
    Some(set.title.to_string())
}

/// What a data set that is not of the registry is; nothing for one that is.
pub fn own_data(dataset: &Dataset) -> Option<Block> {
    let mut known = datasets::information().into_iter();
    if known.any(|set| set.name == dataset.name) {
        return None;
    }
    let (shape, noun) = (dataset.shape(), dataset.shape().noun());
    let labels = match dataset.classes() {
        0 => "without labels".to_owned(),
        1 => "of one class".to_owned(),
        classes => format!("of {} classes", spelled(classes)),
    };
    Some(Block::paragraph(format!(
        "The data here are {}: {} training and {} test {noun} of {}, {labels}.{}",
        name_of(dataset),
        count(dataset.train.len()),
        count(dataset.test.len()),
        shape.to_string().replace('x', " × "),
        test_origin(dataset),
    )))
}

/// How many training rows some runs hold out, in a sentence; nothing where none does.
pub fn held_out(dataset: &Dataset, runs: &[TrainedRun]) -> Option<Block> {
    let mut titles = BTreeMap::<usize, BTreeSet<String>>::new();
    for run in runs {
        let rows = run.configuration.data.validation;
        titles.entry(rows).or_default().insert(run.title());
    }
    titles.remove(&0);
    let parts: Vec<String> = titles
        .into_iter()
        .map(|(rows, titles)| {
            let titles: Vec<String> = titles.into_iter().collect();
            format!("{} of {}", count(rows), listed(&titles))
        })
        .collect();
    (!parts.is_empty()).then(|| {
        Block::paragraph(format!(
            "Of the {} training {} the last are held out, and none of them is trained on: {}.",
            count(dataset.train.len()),
            dataset.shape().noun(),
            parts.join("; ")
        ))
    })
}

/// `Codes by class`, where there are classes.
pub fn codes_title(dataset: &Dataset) -> &'static str {
    if dataset.test.labels().is_some() {
        "Codes by class"
    } else {
        "Codes"
    }
}

/// `10 000 test images`.
pub fn test_images(dataset: &Dataset) -> String {
    let n = dataset.test.len();
    let noun = match (dataset.shape().is_image(), n) {
        (true, 1) => "image",
        (true, _) => "images",
        (false, 1) => "vector",
        (false, _) => "vectors",
    };
    format!("{} test {noun}", count(n))
}

/// `a random 5 000 of the 10 000 test images`, or `the 10 000 test images` where all
/// are meant.
pub fn some_test_images(dataset: &Dataset, shown: usize) -> String {
    if shown < dataset.test.len() {
        format!("a random {} of the {}", count(shown), test_images(dataset))
    } else {
        format!("the {}", test_images(dataset))
    }
}

/// ` The test images are 15 % of all, chosen by a hash of their content.`, for
/// the end of a caption; nothing where the source has a test set.
pub fn test_origin(dataset: &Dataset) -> String {
    match dataset.test_origin {
        TestOrigin::Own => String::new(),
        TestOrigin::Share(_) => {
            let (train, test) = (dataset.train.len(), dataset.test.len());
            format!(
                " The test {} are {} of {}, chosen by a hash of their content.",
                dataset.shape().noun(),
                count(test),
                count(train + test)
            )
        }
    }
}

/// `seed 0, 10 epochs`: what a figure of one run shows.
pub fn seed_and_epochs(run: &TrainedRun) -> String {
    seeds_and_epochs(&[run])
}

/// `seeds 0 (VAE 784-2) and 3 (AE 784-2), 10 epochs`: what a figure of several
/// runs shows.
pub fn seeds_and_epochs(runs: &[&TrainedRun]) -> String {
    let epochs: BTreeSet<usize> = runs.iter().map(|run| run.metrics.len()).collect();
    let range = match (epochs.first(), epochs.last()) {
        (Some(fewest), Some(most)) if fewest != most => format!("{fewest} to {most}"),
        (Some(only), _) => only.to_string(),
        _ => "0".into(),
    };
    let unit = if range == "1" { "epoch" } else { "epochs" };
    let of_two = if runs.iter().any(|run| run.has_lower_layer()) {
        "; of two stochastic layers z is the upper one, given the lower at its mean"
    } else {
        ""
    };
    format!("{}, {range} {unit}{of_two}", seeds_of(runs))
}

/// `seed 0`, or `seeds 0 (VAE 784-2) and 3 (AE 784-2)` where models are shown with
/// different ones.
pub fn seeds_of(runs: &[&TrainedRun]) -> String {
    let mut by_seed: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for run in runs {
        let titles = by_seed.entry(run.configuration.training.seed);
        titles.or_default().push(run.title());
    }
    let titles: BTreeSet<String> = runs.iter().map(|run| run.title()).collect();
    let told_apart = by_seed.len() > 1 && titles.len() == runs.len();
    let seeds: Vec<String> = by_seed
        .iter()
        .map(|(seed, titles)| {
            if told_apart {
                format!("{seed} ({})", titles.join(", "))
            } else {
                seed.to_string()
            }
        })
        .collect();
    let unit = if seeds.len() == 1 { "seed" } else { "seeds" };
    format!("{unit} {}", listed(&seeds))
}

/// `seeds 0 to 4` or `seed 0`: all that were asked for, or the most that any model
/// has.
pub fn seeds_in_words(scale: Scale) -> String {
    match scale.seeds {
        1 => "seed 0".into(),
        seeds if scale.until_decided => format!(
            "seeds 0 to {} or, of models whose statements were decided before, fewer",
            seeds - 1
        ),
        seeds => format!("seeds 0 to {}", seeds - 1),
    }
}

/// What stands for the values of several seeds of a quantity of this kind: `mean
/// and its 95 % interval (Student's t)`.
pub fn interval_in_words(scale: evaluation::statistics::Scale) -> &'static str {
    use evaluation::statistics::Scale;
    match scale {
        Scale::Real => "mean and its 95 % interval (Student's t)",
        Scale::Ratio => "geometric mean and its 95 % interval (Student's t of logarithms)",
        Scale::Share | Scale::Percent => {
            "mean by log odds and its 95 % interval (Student's t of log odds; where some are at an \
             end of the scale, their median, by order statistics)"
        }
        Scale::Count | Scale::Bounded { .. } => "median and its 95 % interval (order statistics)",
    }
}

/// A share as `12 %`, with one decimal below ten per cent unless it is zero.
pub fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    let whole = (percent - percent.round()).abs() < 0.05 || percent.abs() >= 10.0;
    format!("{} %", decimal(percent, usize::from(!whole)))
}

/// `a, b and c`.
pub fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// Words that belong to the number behind them.
const BEFORE_NUMBERS: [&str; 6] = ["seed", "epoch", "radius", "AE", "VAE", "AE-L2"];
/// Signs and units that belong to the number before them.
const BEHIND_NUMBERS: [&str; 6] = ["%", "×", "…", "epoch", "epochs", "nats"];

/// The text with spaces that no line breaks at between a number and what it
/// belongs to: `seed 0`, `20 epochs`, `−4 … 4`, `VAE 784-512-2`.
pub fn unbroken(text: &str) -> String {
    let number = |word: &str| {
        let word = word.trim_start_matches(['−', '(']);
        word.starts_with(|first: char| first.is_ascii_digit())
    };
    let bare = |word: &str| {
        let letters = |c: char| c.is_alphanumeric() || "%×…".contains(c);
        word.trim_matches(|c| !letters(c)).to_string()
    };
    let words: Vec<&str> = text.split(' ').collect();
    let mut joined = String::with_capacity(text.len() + 16);
    for (index, word) in words.iter().enumerate() {
        if let Some(before) = index.checked_sub(1).map(|index| words[index]) {
            let together = if number(word) {
                BEFORE_NUMBERS.contains(&bare(before).as_str()) || ["×", "…", "="].contains(&before)
            } else {
                number(before)
                    && before.ends_with(|last: char| last.is_ascii_digit())
                    && (*word == "=" || BEHIND_NUMBERS.contains(&bare(word).as_str()))
            };
            joined.push(if together { '\u{a0}' } else { ' ' });
        }
        joined.push_str(word);
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_with_what_they_belong_to() {
        let spaces = |text: &str| unbroken(text).replace('\u{a0}', "_");
        assert_eq!(
            spaces("codes; seed 0, 20 epochs."),
            "codes; seed_0, 20_epochs."
        );
        assert_eq!(
            spaces("over −4 … 4, 21 × 21 tiles"),
            "over −4_…_4, 21_×_21 tiles"
        );
        assert_eq!(
            spaces("(VAE 784-2 and 5 % of it)"),
            "(VAE_784-2 and 5_% of it)"
        );
        assert_eq!(spaces("of 10 000 test images"), "of 10 000 test images");
    }

    #[test]
    fn shares_and_lists_read_well() {
        assert_eq!(percent(0.5), "50 %");
        assert_eq!(percent(0.0314), "3.1 %");
        assert_eq!(percent(0.01), "1 %");
        assert_eq!(listed(&["a".into(), "b".into(), "c".into()]), "a, b and c");
        assert_eq!(listed(&["a".into()]), "a");
        assert_eq!(count(10_000), "10\u{2009}000");
        assert_eq!((spelled(10), spelled(62)), ("ten".into(), "62".into()));
        assert_eq!(capitalised("ten images"), "Ten images");
    }
}
