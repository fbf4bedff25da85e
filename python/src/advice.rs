//! What sentences of the program advise, as Python has it.

/// A sentence that names options of the program, with parameters in their places.
pub(crate) fn in_python(text: &str) -> String {
    let mut words = text.split(' ');
    let mut found = Vec::new();
    while let Some(word) = words.next() {
        let Some((open @ ("" | "("), option)) = word.split_once("--") else {
            found.push(word.to_owned());
            continue;
        };
        let (name, end) = without_end(option);
        let mut with_value = |parameter: &str, shown: fn(&str) -> String| {
            let (value, end) = without_end(words.next().unwrap_or_default());
            format!("{open}{parameter}{}{end}", shown(value))
        };
        found.push(match name {
            "standardise" | "compact" | "without-encoder" => {
                format!("{open}{}=True{end}", name.replace('-', "_"))
            }
            "images" | "thumbnails" | "shape" => format!("{open}{name}{end}"),
            "lr" => format!("{open}learning_rate{end}"),
            "data-treatment" => format!("{open}treatment{end}"),
            "latent" | "batch" => with_value(name, |value| format!("={value}")),
            "likelihood" => with_value(name, |value| format!("=\"{value}\"")),
            "hidden" => with_value("hidden=", widths),
            "upper-hidden" => with_value("upper_hidden=", widths),
            // Of arrays it is done before they are given.
            "maximum" => with_value("", str::to_owned),
            _ => word.to_owned(),
        });
    }
    found
        .join(" ")
        .replace("divide them with ", "divide them by ")
}

/// A word, and what of the sentence is behind it.
fn without_end(word: &str) -> (&str, &str) {
    word.split_at(word.trim_end_matches([',', ';', ')']).len())
}

/// Widths as a parameter has them: `784,20` as a tuple, `none` as an empty one.
fn widths(value: &str) -> String {
    let is_text = |character: char| !matches!(character, '0'..='9' | ',');
    match value {
        "none" => "()".into(),
        _ if value.contains(is_text) => format!("\"{value}\""),
        _ if value.contains(',') => format!("({})", value.replace(',', ", ")),
        _ => format!("({value},)"),
    }
}
