//! Which known name a user means by what was typed: names in any case, with
//! `-` and `_` alike, near misses, and other words for the same thing.
//!
//! ```
//! let known = ["training.batch", "training.learning_rate"];
//! let meanings = [("lr", "training.learning_rate")];
//! assert_eq!(names::find("Training.Learning-Rate", known), Some(known[1]));
//! assert_eq!(names::nearest("lr", known, &meanings), Some(known[1]));
//! assert_eq!(names::hint("bacth", known, &meanings), "did you mean 'training.batch'?");
//! ```

#![forbid(unsafe_code)]

/// A list of names as a hint has at most so many; of more it names the nearest.
const LISTED: usize = 12;

/// The known name that is written like `typed` but for case, `-`, `_` and
/// spaces.
pub fn find<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = spelling(typed);
    known.into_iter().find(|name| spelling(name) == typed)
}

/// The one of `all` whose name is written like `typed` but for case, `-`, `_`
/// and spaces.
///
/// # Errors
/// The sentence that there is none of this `kind`, with the [`hint`].
pub fn choose<'a, T>(
    kind: &str,
    typed: &str,
    all: &'a [T],
    name: impl Fn(&'a T) -> &'a str,
) -> Result<&'a T, String> {
    let known = || all.iter().map(&name);
    let found = find(typed, known());
    let chosen = all.iter().find(|one| Some(name(one)) == found);
    chosen.ok_or_else(|| {
        let hint = hint(typed, known(), &[]);
        format!("there is no {kind} '{typed}'; {hint}")
    })
}

/// The known name that `typed` is probably meant to be.
///
/// `meanings` are pairs of another word and the known name it stands for. A
/// dotted name is also known by its last part. Otherwise a third of the letters
/// may be wrong, or the one name begins, ends or holds the other.
pub fn nearest<'a>(
    typed: &str,
    known: impl IntoIterator<Item = &'a str>,
    meanings: &[(&str, &'a str)],
) -> Option<&'a str> {
    let typed = spelling(typed);
    let parts = [typed.as_str(), last_part(&typed)];
    let meaning = meanings
        .iter()
        .find(|(word, _)| parts.contains(&spelling(word).as_str()));
    if let Some(&(_, name)) = meaning {
        return Some(name);
    }
    known
        .into_iter()
        .filter_map(|name| Some((distance(&typed, &spelling(name))?, name)))
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, name)| name)
}

/// What a message about the unknown name `typed` ends with: the name that is
/// probably meant, else those there are.
pub fn hint<'a>(
    typed: &str,
    known: impl IntoIterator<Item = &'a str>,
    meanings: &[(&str, &'a str)],
) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    if let Some(name) = nearest(typed, known.iter().copied(), meanings) {
        return format!("did you mean '{name}'?");
    }
    match known.len() {
        0 => "there are none".into(),
        1..=LISTED => format!("expected {}", list(known)),
        count => {
            let typed = spelling(typed);
            let name = known
                .into_iter()
                .min_by_key(|name| edits(&typed, &spelling(name)))
                .expect("there are some");
            format!("the nearest of {count} is '{name}'")
        }
    }
}

/// `'a', 'b' or 'c'`.
pub fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("'{name}'")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// A name without what people write differently; dots between parts stay.
fn spelling(name: &str) -> String {
    let kept = |c: &char| !matches!(c, '-' | '_' | ' ');
    name.to_lowercase().chars().filter(kept).collect()
}

fn last_part(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// How far apart two spellings are, smaller is nearer: slips of the hand before
/// parts of a name. `None` when they are different words.
fn distance(typed: &str, known: &str) -> Option<(usize, usize)> {
    // The section may be left out or be the wrong one.
    let pairs = [(typed, known), (last_part(typed), last_part(known))];
    let slips = pairs
        .into_iter()
        .map(|(typed, known)| (edits(typed, known), typed, known))
        .filter(|&(edits, typed, known)| 3 * edits <= letters(typed).max(letters(known)))
        .map(|(edits, ..)| edits)
        .min();
    if let Some(slips) = slips {
        // Of two names with the same last part, the one in the section typed.
        return Some((slips, edits(typed, known)));
    }
    const SHORTEST_PART: usize = 3;
    let (typed, known) = (last_part(typed), last_part(known));
    let holds = letters(typed).min(letters(known)) >= SHORTEST_PART
        && (known.contains(typed) || typed.contains(known));
    holds.then(|| (usize::MAX, edits(typed, known)))
}

fn edits(a: &str, b: &str) -> usize {
    strsim::damerau_levenshtein(a, b)
}

fn letters(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: [&str; 6] = [
        "data.test_seed",
        "model.latent",
        "training.batch",
        "training.beta",
        "training.learning_rate",
        "training.seed",
    ];
    const MEANINGS: [(&str, &str); 2] = [("lr", "training.learning_rate"), ("z", "model.latent")];

    #[test]
    fn case_and_separators_do_not_make_another_name() {
        for typed in [
            "Fashion-MNIST",
            "fashion_mnist",
            "FashionMNIST",
            "fashion mnist",
        ] {
            assert_eq!(
                find(typed, ["mnist", "fashion-mnist"]),
                Some("fashion-mnist")
            );
        }
        assert_eq!(find("fashion", ["mnist", "fashion-mnist"]), None);
    }

    #[test]
    fn slips_parts_and_meanings_are_understood() {
        for (typed, expected) in [
            ("lr", "training.learning_rate"),
            ("LR", "training.learning_rate"),
            ("training.lr", "training.learning_rate"),
            ("learning-rate", "training.learning_rate"),
            ("model.learning_rate", "training.learning_rate"),
            ("z", "model.latent"),
            ("latent_dim", "model.latent"),
            ("training.bacth", "training.batch"),
            ("batch_size", "training.batch"),
            ("seed", "training.seed"),
            ("data.seed", "training.seed"),
            ("trainig.seed", "training.seed"),
            ("test-seed", "data.test_seed"),
        ] {
            assert_eq!(
                nearest(typed, SETTINGS, &MEANINGS),
                Some(expected),
                "{typed}"
            );
        }
    }

    #[test]
    fn what_resembles_nothing_is_not_guessed() {
        for typed in ["", "x", "cifar", "momentum", "é"] {
            assert_eq!(nearest(typed, SETTINGS, &MEANINGS), None, "{typed}");
        }
        assert_eq!(hint("gan", ["ae", "vae"], &[]), "expected 'ae' or 'vae'");
        assert_eq!(hint("gan", [], &[]), "there are none");
        let many: Vec<String> = (10..30).map(|number| format!("name{number}")).collect();
        let hint = hint("q", many.iter().map(String::as_str), &[]);
        assert!(hint.starts_with("the nearest of 20 is 'name1"), "{hint}");
    }
}
