//! Words that captions share.

use datasets::Dataset;
use viz::number::decimal;
use viz::page::{Block, Text};

use super::TrainedRun;

/// What a source document says, as a quotation.
pub(super) fn said(document: &str, text: &str) -> Block {
    Block::Quotation {
        text: Text::from(text),
        source: format!("Document {document}"),
    }
}

/// `10 000`, with thin spaces from ten thousand on.
pub(super) fn count(n: usize) -> String {
    decimal(n as f64, 0)
}

/// The data set's name in prose, such as `Fashion-MNIST`; what it was asked
/// for by if it has none.
pub(crate) fn name_of(dataset: &Dataset) -> String {
    datasets::information()
        .into_iter()
        .find(|set| set.name == dataset.name)
        .map_or_else(|| dataset.name.clone(), |set| set.title.to_string())
}

/// `seed 0, 10 epochs`: what a figure of one run shows.
pub(super) fn seed_and_epochs(run: &TrainedRun) -> String {
    let epochs = run.metrics.len();
    let unit = if epochs == 1 { "epoch" } else { "epochs" };
    format!("seed {}, {epochs} {unit}", run.configuration.training.seed)
}

/// A share as `12 %`, with one decimal below ten per cent unless it is zero.
pub(super) fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    let whole = (percent - percent.round()).abs() < 0.05 || percent.abs() >= 10.0;
    format!("{} %", decimal(percent, usize::from(!whole)))
}

/// `a, b and c`.
pub(super) fn listed(items: &[String]) -> String {
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
pub(super) fn unbroken(text: &str) -> String {
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
    }
}
