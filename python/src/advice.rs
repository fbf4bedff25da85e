//! Sentences of the program, as Python has them: what it calls by the key of a setting or
//! by an option is a parameter there.

use runs::configuration::{Kind, SETTINGS, Setting};

use crate::settings::{Given, parameter};

/// A sentence of the program with parameters in place of settings and options, and what
/// was `given` as Python writes it.
pub(crate) fn in_python(text: &str, given: &[Given<'_>]) -> String {
    let mut found = String::with_capacity(text.len());
    let mut rest = without_heading(text);
    let mut before = ' ';
    while let Some(next) = rest.chars().next() {
        // What is quoted, or part of a longer word, is no name.
        let begins = !before.is_alphanumeric() && !"_.-/'\"`".contains(before);
        let replaced = begins.then(|| {
            divisor(rest)
                .or_else(|| assignment(rest))
                .or_else(|| option(rest))
                .or_else(|| key(rest, given))
                .or_else(|| truth(rest))
        });
        if let Some((words, behind)) = replaced.flatten() {
            found += &words;
            rest = behind;
            before = 'x';
        } else {
            found.push(next);
            rest = &rest[next.len_utf8()..];
            before = next;
        }
    }
    found
}

/// Words for the beginning of a text, and what is behind it.
type Replaced<'a> = Option<(String, &'a str)>;

/// The text without `[training]: ` before it: parameters have no sections.
fn without_heading(text: &str) -> &str {
    let heading = text.strip_prefix('[').and_then(|it| it.split_once("]: "));
    let is_section = |name: &str| {
        let mut keys = SETTINGS.iter().map(|setting| setting.key.rsplit_once('.'));
        keys.any(|parts| parts.is_some_and(|(section, _)| section == name))
    };
    heading.map_or(
        text,
        |(name, rest)| if is_section(name) { rest } else { text },
    )
}

/// `with --maximum 255`: of arrays it is done before they are given.
fn divisor(text: &str) -> Replaced<'_> {
    let (value, behind) = word(text.strip_prefix("with --maximum ")?);
    Some((format!("by {value}"), behind))
}

/// `--set model.latent=2` and `--set model.latent`.
fn assignment(text: &str) -> Replaced<'_> {
    let (setting, name, behind) = setting_at(text.strip_prefix("--set ")?)?;
    Some(with_value(setting, name, behind, &['=']))
}

/// `--latent 2` and `--latent`.
fn option(text: &str) -> Replaced<'_> {
    let text = text.strip_prefix("--")?;
    let is_of_flag = |character: char| character.is_ascii_alphanumeric() || character == '-';
    let (flag, behind) = text.split_at(text.find(|it| !is_of_flag(it)).unwrap_or(text.len()));
    let setting = SETTINGS.iter().find(|it| it.flags.contains(&flag));
    if let Some((setting, name)) = setting.and_then(|it| Some((it, parameter(it.key)?))) {
        return Some(with_value(setting, name, behind, &['=', ' ']));
    }
    // Those that are no settings.
    let name = match flag {
        "data-treatment" => "treatment".into(),
        "images" | "thumbnails" | "shape" => flag.into(),
        "compact" | "without-encoder" => format!("{}=True", flag.replace('-', "_")),
        _ => return None,
    };
    Some((name, behind))
}

/// `model.latent`, and `model.latent is 0` of what was given.
fn key<'a>(text: &'a str, given: &[Given<'_>]) -> Replaced<'a> {
    let (setting, name, behind) = setting_at(text)?;
    let given = given.iter().find(|given| given.key() == setting.key);
    let with_value = given.and_then(|given| {
        [" is ", " to "].into_iter().find_map(|verb| {
            let value = behind.strip_prefix(verb)?;
            let written = given.written().into_iter();
            let mut behind = written.filter_map(|written| value.strip_prefix(&written));
            let behind = behind.find(|behind| is_end(behind))?;
            Some((format!("{name}{verb}{}", given.in_python()?), behind))
        })
    });
    with_value.or_else(|| Some((name.into(), behind)))
}

/// `true` and `false`, as files of settings have them.
fn truth(text: &str) -> Replaced<'_> {
    let values = ["true", "false"].into_iter();
    let mut found = values.filter_map(|value| Some((value, text.strip_prefix(value)?)));
    let (value, behind) = found.find(|(_, behind)| is_end(behind))?;
    Some((value_of(Kind::Switch, value)?, behind))
}

/// The setting whose key a text begins with, its parameter, and what is behind.
fn setting_at(text: &str) -> Option<(&'static Setting, &'static str, &str)> {
    SETTINGS.iter().find_map(|setting| {
        let behind = text.strip_prefix(setting.key)?;
        let is_longer = behind.starts_with(|it: char| it.is_alphanumeric() || it == '_');
        let name = parameter(setting.key).filter(|_| !is_longer)?;
        Some((setting, name, behind))
    })
}

/// A parameter with the value that stands behind one of `signs`, where it is one.
fn with_value<'a>(
    setting: &Setting,
    name: &str,
    behind: &'a str,
    signs: &[char],
) -> (String, &'a str) {
    let value = behind.strip_prefix(signs).and_then(|text| {
        let (value, behind) = word(text);
        Some((value_of(setting.kind, value)?, behind))
    });
    match (value, setting.kind) {
        (Some((value, behind)), _) => (format!("{name}={value}"), behind),
        (None, Kind::Switch) => (format!("{name}=True"), behind),
        (None, _) => (name.into(), behind),
    }
}

/// Whether a value ends where this is behind it.
fn is_end(behind: &str) -> bool {
    behind.is_empty() || behind.starts_with([',', ';', ' ', ')'])
}

/// The first word, without the end of a clause, and what is behind it.
fn word(text: &str) -> (&str, &str) {
    let word = text.split(' ').next().unwrap_or_default();
    text.split_at(word.trim_end_matches([',', ';', ')']).len())
}

/// A value as Python writes it; nothing where a setting has no such value.
fn value_of(kind: Kind, value: &str) -> Option<String> {
    let is_number = value.parse::<f64>().is_ok();
    match kind {
        Kind::Whole(..) | Kind::Number(..) | Kind::NameOrPositive(_) if is_number => {
            Some(value.into())
        }
        Kind::Name(names) | Kind::NameOrPositive(names) if names().contains(&value) => {
            Some(format!("\"{value}\""))
        }
        Kind::Switch => match value {
            "true" => Some("True".into()),
            "false" => Some("False".into()),
            _ => None,
        },
        Kind::Widths(_) if value == "none" => Some("()".into()),
        Kind::Widths(_) if value.starts_with(|it: char| it.is_ascii_digit()) => Some(widths(value)),
        _ => None,
    }
}

/// `784,20` as a tuple; an architecture as the text that it is.
fn widths(value: &str) -> String {
    if value.contains(|character| !matches!(character, '0'..='9' | ',')) {
        format!("\"{value}\"")
    } else if value.contains(',') {
        format!("({})", value.replace(',', ", "))
    } else {
        format!("({value},)")
    }
}
