//! Widths as people write them: `256,32,8`, `256 32 8`, `256-32-8`, or a whole
//! architecture such as `784-256-32-8-2` or `784-200-100/100-64-50`.

use datasets::{Shape, Source};

use super::setting::Values;
use crate::error::Error;

const HIDDEN: &str = "model.hidden";
const UPPER_HIDDEN: &str = "model.upper_hidden";
const LATENT: &str = "model.latent";
const LOWER_LATENT: &str = "model.lower_latent";

/// Replaces texts that widths were set to by the widths they mean, when all
/// layers are in place.
///
/// # Errors
/// One sentence with what to type instead.
pub(super) fn settle(values: &mut Values) -> Result<(), Error> {
    if let Some(toml::Value::String(text)) = value(values, HIDDEN)
        && let Some((lower, upper)) = text.clone().split_once('/')
    {
        return settle_two_layers(values, lower, upper);
    }
    let latent = number(values, LATENT);
    let lower = number(values, LOWER_LATENT).filter(|&lower| lower > 0);
    let inputs = inputs(values);
    for (key, from, to) in [
        (HIDDEN, inputs, lower.or(latent)),
        (UPPER_HIDDEN, lower, latent),
    ] {
        if let Some(toml::Value::String(text)) = value(values, key) {
            let widths = hidden(key, text, from, to)?;
            set(values, key, list(&widths));
        }
    }
    Ok(())
}

/// The same of a whole architecture of two stochastic layers.
fn settle_two_layers(values: &mut Values, lower: &str, upper: &str) -> Result<(), Error> {
    let numbers = |text: &str| {
        let numbers = text.split('-').map(|number| number.trim().parse().ok());
        numbers.collect::<Option<Vec<i64>>>().unwrap_or_default()
    };
    let (known, latent) = (inputs(values), number(values, LATENT));
    if let ([first, hidden @ .., middle], [from, upper_hidden @ .., last]) =
        (&numbers(lower)[..], &numbers(upper)[..])
        && middle == from
        && known.is_none_or(|known| known == *first)
        && latent == Some(*last)
    {
        set(values, HIDDEN, list(hidden));
        set(values, LOWER_LATENT, (*middle).into());
        set(values, UPPER_HIDDEN, list(upper_hidden));
        return Ok(());
    }
    let of_model = |number: Option<i64>| number.map_or("unknown".into(), |it| it.to_string());
    Err(Error::Configuration(format!(
        "{HIDDEN} is '{lower}/{upper}', but the inputs are {} and the latent variables {}; expected widths from those inputs to a lower stochastic layer, and from that one to those latent variables, as in --hidden 784-200-100/100-64-50 --latent 50",
        of_model(known),
        of_model(latent)
    )))
}

/// Checks widths that are numbers.
///
/// # Errors
/// One sentence with the width that is none.
pub(super) fn check(key: &str, widths: &[toml::Value], widest: usize) -> Result<(), Error> {
    let mut widths = widths.iter().filter_map(toml::Value::as_integer);
    match widths.find(|&width| width < 1 || width > widest as i64) {
        None => Ok(()),
        Some(width) => Err(Error::Configuration(format!(
            "{key} contains a layer of width {width}, but every width must be at least 1 and at most {widest}; for no hidden layer use --{} none",
            flag(key)
        ))),
    }
}

/// The flag of a setting of widths.
fn flag(key: &str) -> &'static str {
    if key == UPPER_HIDDEN {
        "upper-hidden"
    } else {
        "hidden"
    }
}

fn list(widths: &[i64]) -> toml::Value {
    let widths: Vec<_> = widths.iter().copied().map(toml::Value::Integer).collect();
    widths.into()
}

fn set(values: &mut Values, key: &str, to: toml::Value) {
    let mut slots = values.iter_mut();
    if let Some((_, slot)) = slots.find(|(setting, _)| setting.key == key) {
        *slot = to;
    }
}

fn number(values: &Values, key: &str) -> Option<i64> {
    value(values, key).and_then(toml::Value::as_integer)
}

fn value<'a>(values: &'a Values, key: &str) -> Option<&'a toml::Value> {
    let mut values = values.iter();
    let (_, value) = values.find(|(setting, _)| setting.key == key)?;
    Some(value)
}

/// The length of a row, where it is known before the data are read.
fn inputs(values: &Values) -> Option<i64> {
    let text = |key| value(values, key).and_then(toml::Value::as_str);
    let kept = text("data.shape").and_then(|shape| shape.parse().ok());
    let known = || text("data.dataset")?.parse::<Source>().ok()?.known_shape();
    i64::try_from(kept.or_else(known).map(Shape::len)?).ok()
}

/// The widths of the hidden layers.
fn hidden(
    key: &str,
    text: &str,
    inputs: Option<i64>,
    latent: Option<i64>,
) -> Result<Vec<i64>, Error> {
    let bare = text
        .trim()
        .trim_start_matches('[')
        .trim_end_matches(']')
        .trim();
    if bare.eq_ignore_ascii_case("none") {
        return Ok(Vec::new());
    }
    let is_dashed = !bare.contains(',') && bare.contains('-');
    let parts: Vec<&str> = if is_dashed {
        bare.split('-').map(str::trim).collect()
    } else {
        // Spaces may stand for commas and beside them, and one may end the list;
        // nothing between two commas is no width.
        let list = bare.strip_suffix(',').unwrap_or(bare);
        let parts = list.split(',').flat_map(|part| {
            let words: Vec<&str> = part.split_whitespace().collect();
            if words.is_empty() { vec![""] } else { words }
        });
        parts.collect()
    };
    let number = |part: &&str| part.parse().ok().filter(|&width: &i64| width >= 0);
    let widths: Option<Vec<i64>> = parts.iter().map(number).collect();
    let Some(widths) = widths.filter(|widths| !widths.is_empty()) else {
        return Err(Error::Configuration(format!(
            "{key} is '{text}', but must be the widths of hidden layers, such as --{flag} 256,32,8, or --{flag} none",
            flag = flag(key)
        )));
    };
    // Lists with commas are widths whatever they are; architectures are written
    // with dashes.
    match &widths[..] {
        [first, hidden @ .., last] if is_dashed => {
            let begins = inputs == Some(*first);
            let ends = latent == Some(*last);
            match (begins, ends) {
                (true, true) => Ok(hidden.to_vec()),
                (false, false) => Ok(widths),
                _ if key == UPPER_HIDDEN => Ok(widths),
                _ => Err(ambiguous(text, &widths, inputs, latent)),
            }
        }
        _ => Ok(widths),
    }
}

/// That a text looks like an architecture of another data set or with another
/// number of latent variables.
fn ambiguous(text: &str, widths: &[i64], inputs: Option<i64>, latent: Option<i64>) -> Error {
    let joined = |widths: &[i64]| {
        let texts: Vec<String> = widths.iter().map(ToString::to_string).collect();
        if texts.is_empty() {
            "none".into()
        } else {
            texts.join(",")
        }
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
        "{HIDDEN} is '{text}', which may be a whole architecture, but {found}; type --hidden {} --latent {last} for that architecture, or --hidden {} for {} hidden layers",
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
