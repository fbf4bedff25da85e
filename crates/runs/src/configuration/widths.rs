//! Widths as people write them: `256,32,8`, `256 32 8`, `256-32-8`, or a whole
//! architecture such as `784-256-32-8-2` or `784-200-100/100-64-50`.

use datasets::{Shape, Source};

use super::layers::Values;
use super::{ModelConfiguration, Override, Setting};
use crate::error::Error;

const HIDDEN: Setting = ModelConfiguration::hidden;
const UPPER_HIDDEN: Setting = ModelConfiguration::upper_hidden;
const LATENT: Setting = ModelConfiguration::latent;
const LOWER_LATENT: Setting = ModelConfiguration::lower_latent;

/// How many inputs the layers are behind and how many latent variables before,
/// where that is known.
type Ends = (Option<i64>, Option<i64>);

/// What settings of layers are set to.
type Layers = Vec<(Setting, toml::Value)>;

/// Replaces texts that widths were set to by the widths they mean, when all
/// layers are in place; `overrides` are the last of them.
///
/// # Errors
/// One sentence with what to type instead.
pub(super) fn settle(values: &mut Values, overrides: &[Override]) -> Result<(), Error> {
    let number = |setting: Setting| values.get(setting.key)?.as_integer();
    let (inputs, latent) = (inputs(values), number(LATENT));
    let lower = number(LOWER_LATENT).filter(|&lower| lower > 0);
    for (setting, ends) in [
        (HIDDEN, (inputs, lower.or(latent))),
        (UPPER_HIDDEN, (lower, latent)),
    ] {
        let Some(toml::Value::String(text)) = values.get(setting.key).cloned() else {
            continue;
        };
        let text = text.as_str();
        let layers = match text.split_once('/').filter(|_| setting.key == HIDDEN.key) {
            Some((lower, upper)) => two_layers(lower, upper, (inputs, latent))?,
            None => vec![(setting, hidden(setting, text, ends)?.into())],
        };
        for (set, value) in layers {
            let other = overrides.iter().find(|item| item.key == set.key);
            if let Some(other) = other.filter(|item| set.key != setting.key && item.value != value)
            {
                return Err(Error::Configuration(format!(
                    "{} sets {} to {}, but {} is the whole architecture '{text}', which sets it to {value}; give one of the two",
                    other.origin, set.key, other.value, setting.key
                )));
            }
            values.insert(set.key.into(), value);
        }
    }
    Ok(())
}

/// The settings of a whole architecture of two stochastic layers.
fn two_layers(lower: &str, upper: &str, (inputs, latent): Ends) -> Result<Layers, Error> {
    if let ([first, hidden @ .., middle], [from, upper_hidden @ .., last]) =
        (&dashed(lower)[..], &dashed(upper)[..])
        && middle == from
        && inputs.is_none_or(|inputs| inputs == *first)
        && latent == Some(*last)
    {
        return Ok(vec![
            (HIDDEN, hidden.to_vec().into()),
            (LOWER_LATENT, (*middle).into()),
            (UPPER_HIDDEN, upper_hidden.to_vec().into()),
        ]);
    }
    let of_model = |number: Option<i64>| number.map_or("unknown".into(), |it| it.to_string());
    Err(Error::Configuration(format!(
        "{} is '{lower}/{upper}', but the inputs are {} and the latent variables {}; expected widths from those inputs to a lower stochastic layer, and from that one to those latent variables, as in --hidden 784-200-100/100-64-50 --latent 50",
        HIDDEN.key,
        of_model(inputs),
        of_model(latent)
    )))
}

/// Checks widths that are numbers.
///
/// # Errors
/// One sentence with the width that is none.
pub(super) fn check(setting: &Setting, widths: &[toml::Value], widest: usize) -> Result<(), Error> {
    let mut widths = widths.iter().filter_map(toml::Value::as_integer);
    match widths.find(|&width| width < 1 || width > widest as i64) {
        None => Ok(()),
        Some(width) => Err(Error::Configuration(format!(
            "{} contains a layer of width {width}, but every width must be at least 1 and at most {widest}; for no hidden layer use --{} none",
            setting.key, setting.flags[0]
        ))),
    }
}

/// The length of a row, where it is known before the data are read.
fn inputs(values: &Values) -> Option<i64> {
    let text = |key| values.get(key).and_then(toml::Value::as_str);
    let kept = text("data.shape").and_then(|shape| shape.parse().ok());
    let known = || text("data.dataset")?.parse::<Source>().ok()?.known_shape();
    i64::try_from(kept.or_else(known).map(Shape::len)?).ok()
}

/// The widths in `100-64-50`; none where one of them is no number.
pub(super) fn dashed(text: &str) -> Vec<i64> {
    numbers(text.split('-'))
}

fn numbers<'a>(parts: impl Iterator<Item = &'a str>) -> Vec<i64> {
    let number = |part: &str| part.trim().parse().ok().filter(|&width: &i64| width >= 0);
    let numbers: Option<Vec<i64>> = parts.map(number).collect();
    numbers.unwrap_or_default()
}

/// The widths of the hidden layers.
fn hidden(setting: Setting, text: &str, ends: Ends) -> Result<Vec<i64>, Error> {
    let bare = text.trim().trim_start_matches('[').trim_end_matches(']');
    let bare = bare.trim();
    if bare.eq_ignore_ascii_case("none") {
        return Ok(Vec::new());
    }
    let is_dashed = !bare.contains(',') && bare.contains('-');
    let widths = if is_dashed {
        dashed(bare)
    } else {
        // Spaces may stand for commas and beside them, and one may end the list;
        // nothing between two commas is no width.
        let list = bare.strip_suffix(',').unwrap_or(bare);
        numbers(list.split(',').flat_map(|part| {
            let words: Vec<&str> = part.split_whitespace().collect();
            if words.is_empty() { vec![""] } else { words }
        }))
    };
    if widths.is_empty() {
        let flag = setting.flags[0];
        return Err(setting.refuse(
            text,
            &format!("the widths of hidden layers, such as --{flag} 256,32,8, or --{flag} none"),
        ));
    }
    // Lists with commas are widths whatever they are; architectures are written
    // with dashes.
    if let [first, hidden @ .., last] = &widths[..]
        && is_dashed
    {
        match (ends.0 == Some(*first), ends.1 == Some(*last)) {
            (true, true) => return Ok(hidden.to_vec()),
            (starts, stops) if starts == stops || setting.key == UPPER_HIDDEN.key => {}
            _ => return Err(ambiguous(text, &widths, ends)),
        }
    }
    Ok(widths)
}

/// That a text looks like an architecture of another data set or with another
/// number of latent variables.
fn ambiguous(text: &str, widths: &[i64], (inputs, latent): Ends) -> Error {
    let joined = |widths: &[i64]| match widths {
        [] => "none".into(),
        widths => format!("{widths:?}").replace(['[', ']', ' '], ""),
    };
    let last = widths[widths.len() - 1];
    let found = match (inputs, latent) {
        (Some(inputs), Some(latent)) if latent != last => {
            format!("the model has {inputs} inputs and {latent} latent variables")
        }
        (Some(inputs), _) => format!("a row has {inputs} values"),
        (None, _) => "how long a row is, is known only when the data are read".into(),
    };
    // Without its inputs, an architecture begins with a hidden layer.
    let begins = inputs == Some(widths[0]) || (inputs.is_none() && widths.len() > 2);
    let inner = &widths[usize::from(begins)..widths.len() - 1];
    Error::Configuration(format!(
        "{} is '{text}', which may be a whole architecture, but {found}; type --hidden {} --latent {last} for that architecture, or --hidden {} for {} hidden layers",
        HIDDEN.key,
        joined(inner),
        joined(widths),
        widths.len()
    ))
}

#[cfg(test)]
mod tests {
    use super::super::{Configuration, Override};

    fn resolve(sets: &[&str]) -> Result<Vec<usize>, String> {
        let items: Vec<Override> = sets
            .iter()
            .map(|text| Override::parse(text).expect("has an equals sign"))
            .collect();
        Configuration::resolve(None, None, &items)
            .map(|configuration| configuration.model.hidden)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn widths_are_written_in_many_ways() {
        for text in [
            "512,256",
            "512-256",
            "512 256",
            "[512, 256]",
            " 512, 256,",
            "784-512-256-2",
        ] {
            let set = format!("model.hidden={text}");
            assert_eq!(resolve(&[&set]), Ok(vec![512, 256]), "{text}");
        }
        for (text, widths) in [
            ("512,", vec![512]),
            ("512", vec![512]),
            ("none", vec![]),
            ("None", vec![]),
            ("[]", vec![]),
            ("784-2", vec![]),
            // A date to TOML.
            ("1024-12-10", vec![1024, 12, 10]),
            ("784,256,2", vec![784, 256, 2]),
        ] {
            assert_eq!(
                resolve(&[&format!("model.hidden={text}")]),
                Ok(widths),
                "{text}"
            );
        }
    }

    #[test]
    fn a_width_that_is_missing_is_refused() {
        for text in ["32,,8", ",8", "8,,", ","] {
            let refused = resolve(&[&format!("model.hidden={text}")]).unwrap_err();
            assert!(refused.contains("must be the widths"), "{text}: {refused}");
        }
    }

    #[test]
    fn the_latent_variables_may_be_set_after_the_architecture() {
        let sets = ["model.hidden=784-400-20", "model.latent=20"];
        assert_eq!(resolve(&sets), Ok(vec![400]));
        let sets = ["model.hidden=784-400-20", "model.hidden=[8]"];
        assert_eq!(resolve(&sets), Ok(vec![8]));
        let sets = ["data.shape=64x64", "model.hidden=4096-400-2"];
        assert_eq!(resolve(&sets), Ok(vec![400]));
    }

    #[test]
    fn what_may_be_an_architecture_is_explained() {
        for (sets, typed) in [
            (
                &["model.hidden=784-400-20"][..],
                "--hidden 400 --latent 20 for that architecture, or --hidden 784,400,20 for 3 hidden layers",
            ),
            (&["model.hidden=256-2"], "type --hidden 256 --latent 2 for"),
            (
                &["model.hidden=784-20"],
                "type --hidden none --latent 20 for",
            ),
            (
                &["data.dataset=my-pictures/", "model.hidden=12288-256-2"],
                "type --hidden 256 --latent 2 for",
            ),
        ] {
            let message = resolve(sets).unwrap_err();
            assert!(message.contains(typed), "{message}");
        }
    }

    #[test]
    fn what_is_no_width_is_refused() {
        for text in [
            "-5",
            "256-",
            "256--8",
            "wide",
            ",",
            "2.5",
            "256x32",
            "99999999999999999999",
        ] {
            let message = resolve(&[&format!("model.hidden={text}")]).unwrap_err();
            assert!(message.contains("such as"), "{text}: {message}");
            assert!(!message.contains('\n'), "{text}: {message}");
        }
    }

    #[test]
    fn two_stochastic_layers_are_written_whole_or_in_parts() {
        let resolve = |sets: &[&str]| {
            let items = sets
                .iter()
                .map(|text| Override::parse(text).expect("has an equals sign"));
            Configuration::resolve(None, None, &items.collect::<Vec<_>>())
                .map(|configuration| configuration.model)
                .map_err(|error| error.to_string())
        };
        let whole = ["model.latent=50", "model.hidden=784-200-200-100/100-64-50"];
        let whole = resolve(&whole).expect("an architecture");
        for hidden in ["64", "100-64-50", "[64]"] {
            let parts = [
                "model.hidden=200,200",
                "model.lower_latent=100",
                &format!("model.upper_hidden={hidden}"),
                "model.latent=50",
            ];
            assert_eq!(resolve(&parts), Ok(whole.clone()), "{hidden}");
        }
        for (sets, expected) in [
            (
                &["model.hidden=784-20-8/8-4-3"][..],
                "the latent variables 2",
            ),
            (
                &["model.hidden=784-20-8/9-4-2"],
                "as in --hidden 784-200-100/100-64-50",
            ),
            (&["model.hidden=30-20-8/8-4-2"], "the inputs are 784"),
            (
                &["model.hidden=784-20-8/8-4-2", "model.lower_latent=9"],
                "sets model.lower_latent to 9, but model.hidden is the whole architecture '784-20-8/8-4-2', which sets it to 8",
            ),
            (&["model.hidden=[16, 'a']"], "a list of whole numbers"),
            (&["model.hidden=[-1]"], "a list of whole numbers"),
            (
                &["model.lower_latent=8", "model.upper_hidden=0"],
                "--upper-hidden none",
            ),
            (
                &["model.lower_latent=8", "model.kind=ae"],
                "two stochastic layers",
            ),
        ] {
            let message = resolve(sets).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }
}
