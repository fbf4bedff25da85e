//! `model.hidden` as people write it: `256,32,8`, `256 32 8`, `256-32-8`, or a
//! whole architecture such as `784-256-32-8-2`.

use datasets::{Shape, Source};

use super::setting::Values;
use crate::error::Error;

/// The setting that is read here.
pub(super) const KEY: &str = "model.hidden";

/// Replaces a text that `model.hidden` was set to by the widths it means, when
/// all layers are in place.
///
/// # Errors
/// One sentence with what to type instead.
pub(super) fn settle(values: &mut Values) -> Result<(), Error> {
    let Some(toml::Value::String(text)) = value(values, KEY) else {
        return Ok(());
    };
    let latent = value(values, "model.latent").and_then(toml::Value::as_integer);
    let widths = hidden(text, inputs(values), latent)?;
    let widths: Vec<_> = widths.into_iter().map(toml::Value::Integer).collect();
    let mut slots = values.iter_mut();
    if let Some((_, slot)) = slots.find(|(setting, _)| setting.key == KEY) {
        *slot = widths.into();
    }
    Ok(())
}

/// Checks widths that are numbers.
///
/// # Errors
/// One sentence with the width that is none.
pub(super) fn check(widths: &[toml::Value], widest: usize) -> Result<(), Error> {
    let mut widths = widths.iter().filter_map(toml::Value::as_integer);
    match widths.find(|&width| width < 1 || width > widest as i64) {
        None => Ok(()),
        Some(width) => Err(Error::Configuration(format!(
            "{KEY} contains a layer of width {width}, but every width must be at least 1 and at most {widest}; for no hidden layer use --hidden none"
        ))),
    }
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
fn hidden(text: &str, inputs: Option<i64>, latent: Option<i64>) -> Result<Vec<i64>, Error> {
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
            "{KEY} is '{text}', but must be the widths of the encoder's hidden layers, such as --hidden 256,32,8, or --hidden none"
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
        "{KEY} is '{text}', which may be a whole architecture, but {found}; type --hidden {} --latent {last} for that architecture, or --hidden {} for {} hidden layers",
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
}
