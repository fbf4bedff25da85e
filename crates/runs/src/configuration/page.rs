//! The page of all settings, `docs/SETTINGS.md`.

use std::fmt::Write as _;

use super::setting::between;
use super::{Kind, SETTINGS, Setting};

/// The page of all settings as Markdown, a table for each section.
#[must_use]
pub fn settings_page() -> String {
    let mut page = String::from(INTRODUCTION);
    let mut heading = "";
    for setting in SETTINGS {
        if let Some((section, _)) = setting.key.rsplit_once('.')
            && setting.heading != heading
        {
            heading = setting.heading;
            let _ = write!(
                page,
                "\n## {heading}: `[{section}]`\n\n\
                 | key | flag | default | what it can be | what it does |\n|---|---|---|---|---|\n"
            );
        }
        let quoted = |text: &str| match text {
            "" => String::new(),
            text => format!("`{text}`"),
        };
        let flags = setting.flags.iter().map(|flag| format!("`--{flag}`"));
        let row = [
            quoted(setting.key),
            flags.collect::<Vec<_>>().join(", "),
            quoted(&setting.default()),
            possible(setting),
            setting.help().into(),
        ];
        let _ = writeln!(
            page,
            "| {} |",
            row.map(|cell| cell.replace('|', "\\|")).join(" | ")
        );
    }
    page
}

const INTRODUCTION: &str = "\
# Settings

Every setting of `config.toml`, as `latent-atlas schema --markdown docs/SETTINGS.md`
writes it down. `train --set KEY=VALUE` sets any of them, and so does a file given
with `--config`; flags have the last word. What a run had is in the `config.toml`
of its folder.

The JSON schema that `latent-atlas schema > config.schema.json` writes says the same
to editors and programs. An editor that reads schemas of TOML files (Taplo,
Even Better TOML) completes and checks settings in a file that begins with
`#:schema PATH/TO/config.schema.json`.
";

/// What a setting can be, in words.
fn possible(setting: &Setting) -> String {
    let names = || format!("`{}`", setting.names().join("`, `"));
    match setting.kind {
        Kind::Whole(0, i64::MAX) => "a whole number".into(),
        Kind::Whole(least, i64::MAX) => format!("a whole number of at least {least}"),
        Kind::Whole(least, most) => format!("a whole number between {least} and {most}"),
        Kind::Number(from, below) => {
            let must = between(from, below).replacen("lie in", "a number in", 1);
            must.trim_start_matches("be ").replace(" finite", "")
        }
        Kind::Switch => "`true`, `false`".into(),
        Kind::Name(_) => names(),
        Kind::NameOrPositive(_) => format!("{} or a positive number", names()),
        Kind::Widths(widest) => format!("a list of whole numbers between 1 and {widest}"),
        Kind::Source => "the name of a data set, or the path of a folder or file".into(),
        Kind::Text(described) => described.into(),
    }
}
