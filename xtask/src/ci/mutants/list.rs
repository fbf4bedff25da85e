//! The list of all changes that cargo-mutants would make, and which of them a
//! seed draws first.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};
use datasets::sha256_hex;
use serde_json::{Value, json};

/// One change of one place in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mutant {
    /// The file, from the root of the repository.
    pub(super) file: String,
    /// What is changed, with the function that it is in.
    pub(super) mutation: String,
    /// The line of the source in which it begins, without its indentation.
    pub(super) line: String,
    /// Which of the mutants with this file, mutation and line it is, from 1.
    pub(super) occurrence: usize,
    /// Where it is now: line and column, from 1.
    at: (usize, usize),
    /// The bytes of the file that are replaced.
    range: Range<usize>,
    replacement: String,
}

impl Mutant {
    /// What it is, wherever its line has moved to.
    pub(super) fn key(&self) -> String {
        let Self {
            file,
            mutation,
            line,
            occurrence,
            ..
        } = self;
        format!("{file}: {mutation}: {line}: {occurrence}")
    }

    /// What it is and where, for a reader.
    pub(super) fn name(&self) -> String {
        let (line, column) = self.at;
        format!("{}:{line}:{column}: {}", self.file, self.mutation)
    }

    /// The same for a program.
    pub(super) fn document(&self) -> Value {
        let (line, column) = self.at;
        json!({
            "file": self.file,
            "line": line,
            "column": column,
            "mutation": self.mutation,
            "source": self.line,
        })
    }

    /// The text of its file with the change made.
    pub(super) fn applied_to(&self, text: &str) -> anyhow::Result<String> {
        let (Some(before), Some(after)) =
            (text.get(..self.range.start), text.get(self.range.end..))
        else {
            bail!(
                "{} has changed since its mutants were listed; run the check again",
                self.file
            );
        };
        Ok([before, &self.replacement, after].concat())
    }

    /// The module its file is, as names of tests begin with it; none of the
    /// root of the crate.
    pub(super) fn module(&self) -> Option<String> {
        let (_, path) = self.file.split_once("/src/")?;
        let path = path.strip_suffix(".rs")?;
        let path = path.strip_suffix("/mod").unwrap_or(path);
        (path != "lib").then(|| path.replace('/', "::") + "::")
    }
}

/// Every mutant of a crate of the tree, in the order of the source. cargo-mutants
/// leaves out tests and unsafe functions.
pub(super) fn mutants(tree: &Path, package: &str) -> anyhow::Result<Vec<Mutant>> {
    let output = Command::new("cargo-mutants")
        .args(["mutants", "--list", "--json", "--no-config", "--package"])
        .arg(package)
        .current_dir(tree)
        .output()
        .context("cargo-mutants could not be started")?;
    if !output.status.success() {
        bail!(
            "cargo-mutants could not list the mutants of {package} ({}): {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let list: Value =
        serde_json::from_slice(&output.stdout).context("cargo-mutants gave no JSON")?;
    let text_of = |file: &str| {
        let path = tree.join(file);
        std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))
    };
    let found = read(&list, text_of)?;
    if found.is_empty() {
        bail!("cargo-mutants lists no mutants of {package}");
    }
    Ok(found)
}

/// So many changes of one place are drawn at most. A function that returns three
/// things has hundreds of bodies in the list, few of which compile.
const AT_ONE_PLACE: usize = 8;

/// Orders mutants at random. Each one's place depends on the seed and on itself
/// alone, so that a change elsewhere leaves the sample nearly as it was.
pub(super) fn shuffle(mutants: &mut Vec<Mutant>, seed: u64) {
    mutants.sort_by_cached_key(|mutant| sha256_hex(format!("{seed} {}", mutant.key()).as_bytes()));
    let mut at_place: BTreeMap<(String, usize), usize> = BTreeMap::new();
    mutants.retain(|mutant| {
        let place = (mutant.file.clone(), mutant.range.start);
        let count = at_place.entry(place).or_default();
        *count += 1;
        *count <= AT_ONE_PLACE
    });
}

fn read(
    list: &Value,
    text_of: impl Fn(&str) -> anyhow::Result<String>,
) -> anyhow::Result<Vec<Mutant>> {
    let list = list.as_array().context("cargo-mutants gave no list")?;
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    let mut seen: BTreeMap<(String, String, String), usize> = BTreeMap::new();
    let mut mutants = Vec::with_capacity(list.len());
    for entry in list {
        let field = |name: &str| {
            let found = entry[name].as_str();
            found.with_context(|| format!("cargo-mutants lists a mutant without {name}"))
        };
        let file = field("file")?.to_owned();
        if !texts.contains_key(&file) {
            texts.insert(file.clone(), text_of(&file)?);
        }
        let text = &texts[&file];
        let at = position(&entry["span"]["start"])?;
        let offset = |at: (usize, usize)| {
            offset(text, at).with_context(|| format!("{file} has no place {}:{}", at.0, at.1))
        };
        let range = offset(at)?..offset(position(&entry["span"]["end"])?)?;
        let before = format!("{file}:{}:{}: ", at.0, at.1);
        let name = field("name")?;
        let mutation = name
            .strip_prefix(&before)
            .with_context(|| format!("the name of a mutant does not begin with {before}: {name}"))?
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        let line = text.lines().nth(at.0 - 1).unwrap_or_default();
        let line = line.trim().to_owned();
        let same = seen.entry((file.clone(), mutation.clone(), line.clone()));
        let occurrence = same.or_default();
        *occurrence += 1;
        mutants.push(Mutant {
            mutation,
            line,
            occurrence: *occurrence,
            at,
            range,
            replacement: field("replacement")?.to_owned(),
            file,
        });
    }
    Ok(mutants)
}

fn position(value: &Value) -> anyhow::Result<(usize, usize)> {
    let number = |name: &str| {
        let number = value[name].as_u64().filter(|&number| number > 0);
        let number = number.and_then(|number| usize::try_from(number).ok());
        number.with_context(|| format!("cargo-mutants lists a place without its {name}"))
    };
    Ok((number("line")?, number("column")?))
}

/// The byte at a line and column (of characters), both from 1.
fn offset(text: &str, (line, column): (usize, usize)) -> Option<usize> {
    let begin: usize = text
        .split_inclusive('\n')
        .take(line - 1)
        .map(str::len)
        .sum();
    let rest = text.get(begin..)?;
    let mut places = rest.char_indices().map(|(place, _)| place);
    let within = places.nth(column - 1);
    // A span may end where the text does.
    let within = within.or_else(|| (rest.chars().count() == column - 1).then_some(rest.len()));
    within.map(|within| begin + within)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::ci::mutants) fn mutant(
        file: &str,
        mutation: &str,
        line: &str,
        occurrence: usize,
    ) -> Mutant {
        Mutant {
            file: file.into(),
            mutation: mutation.into(),
            line: line.into(),
            occurrence,
            at: (1, 1),
            range: 0..0,
            replacement: String::new(),
        }
    }

    const TEXT: &str = "fn f(σ: f64) -> f64 {\n    σ + σ + 1.0\n}\n";

    fn listed() -> Vec<Mutant> {
        let entry = |column: usize| {
            json!({
                "name": format!("crates/a/src/b/mod.rs:2:{column}: replace + with - in f"),
                "file": "crates/a/src/b/mod.rs",
                "span": {"start": {"line": 2, "column": column},
                         "end": {"line": 2, "column": column + 1}},
                "replacement": "-",
            })
        };
        let list = json!([entry(7), entry(11)]);
        read(&list, |_| Ok(TEXT.to_owned())).expect("a list")
    }

    #[test]
    fn a_change_is_made_where_it_is_listed_behind_letters_of_several_bytes() {
        let mutants = listed();
        let changed = mutants.iter().map(|mutant| {
            let changed = mutant.applied_to(TEXT).expect("a change");
            changed.lines().nth(1).unwrap_or_default().trim().to_owned()
        });
        assert_eq!(changed.collect::<Vec<_>>(), ["σ - σ + 1.0", "σ + σ - 1.0"]);
        assert!(mutants[1].applied_to("fn").is_err());
    }

    #[test]
    fn equal_changes_of_one_line_are_told_apart() {
        let mutants = listed();
        assert_eq!(
            mutants[1].key(),
            "crates/a/src/b/mod.rs: replace + with - in f: σ + σ + 1.0: 2"
        );
        assert_eq!(
            mutants[1].name(),
            "crates/a/src/b/mod.rs:2:11: replace + with - in f"
        );
    }

    #[test]
    fn the_tests_of_a_module_are_those_of_its_file() {
        let mut mutant = listed().remove(0);
        assert_eq!(mutant.module().as_deref(), Some("b::"));
        mutant.file = "crates/a/src/b/c.rs".into();
        assert_eq!(mutant.module().as_deref(), Some("b::c::"));
        mutant.file = "crates/a/src/lib.rs".into();
        assert_eq!(mutant.module(), None);
    }

    #[test]
    fn the_order_depends_on_the_seed_and_not_on_the_neighbours() {
        let named = |name: usize| Mutant {
            range: name..name,
            ..mutant("crates/a/src/b.rs", &name.to_string(), "x + y", 1)
        };
        let order = |names: Range<usize>, seed| {
            let mut mutants: Vec<_> = names.map(named).collect();
            shuffle(&mut mutants, seed);
            mutants
        };
        assert_ne!(order(0..40, 1), order(0..40, 2));
        let mut fewer = order(0..40, 1);
        fewer.retain(|mutant| mutant.mutation != "39");
        assert_eq!(fewer, order(0..39, 1));
    }

    #[test]
    fn no_place_fills_the_sample() {
        let named = |name: usize| mutant("crates/a/src/b.rs", &name.to_string(), "x + y", 1);
        let mut mutants: Vec<_> = (0..40).map(named).collect();
        shuffle(&mut mutants, 1);
        assert_eq!(mutants.len(), AT_ONE_PLACE);
    }

    #[test]
    fn a_place_that_is_none_is_refused() {
        assert_eq!(offset("ab\nc", (2, 2)), Some(4));
        assert_eq!(offset("ab\nc", (2, 3)), None);
        assert!(position(&json!({"line": 0, "column": 1})).is_err());
    }
}
