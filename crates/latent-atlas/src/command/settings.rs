//! The flags of settings, as `runs::configuration` declares them.

use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches};
use runs::configuration::{Kind, Override, ReadingConfiguration, SETTINGS, Setting};

/// The flags of `train`: of every setting that has one. Those that say what a
/// run is do not go with `--resume`, which knows it.
pub(crate) type TrainOptions = SettingOptions<true>;

/// How images, vectors or tables are read; nothing is done to them unasked.
pub(crate) type ReadingOptions = SettingOptions<false>;

/// The settings that flags were given for, with what they were given.
#[derive(Clone, Debug, Default)]
pub(crate) struct SettingOptions<const TRAINS: bool>(Vec<(&'static Setting, String)>);

impl<const TRAINS: bool> SettingOptions<TRAINS> {
    fn flags() -> impl Iterator<Item = (&'static Setting, &'static str)> {
        SETTINGS
            .iter()
            .filter(|setting| TRAINS || setting.key.starts_with("data.reading."))
            .filter_map(|setting| Some((setting, *setting.flags.first()?)))
    }

    /// What the flag of a setting was given.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        let mut given = self.0.iter();
        let (_, text) = given.find(|(setting, _)| setting.key == key)?;
        Some(text)
    }

    /// The layer of the flags that were given.
    pub(crate) fn overrides(&self) -> Vec<Override> {
        let given = self.0.iter();
        given.map(|(setting, text)| setting.given(text)).collect()
    }
}

impl ReadingOptions {
    /// These options over `base`.
    pub(crate) fn over(
        &self,
        base: &ReadingConfiguration,
    ) -> Result<ReadingConfiguration, runs::Error> {
        base.with(&self.overrides())
    }
}

impl<const TRAINS: bool> Args for SettingOptions<TRAINS> {
    fn augment_args(command: Command) -> Command {
        command.args(Self::flags().map(|(setting, flag)| {
            let argument = argument(setting, flag).help(help(setting, TRAINS));
            if TRAINS && !setting.is_for_resuming {
                argument.conflicts_with("resume")
            } else {
                argument
            }
        }))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<const TRAINS: bool> FromArgMatches for SettingOptions<TRAINS> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let given = Self::flags().filter_map(|(setting, flag)| {
            let text = matches.get_one::<String>(flag)?;
            Some((setting, text.clone()))
        });
        Ok(Self(given.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn argument(setting: &'static Setting, flag: &'static str) -> Arg {
    let argument = Arg::new(flag)
        .long(flag)
        .aliases(&setting.flags[1..])
        .value_name(setting.takes)
        .help_heading(setting.heading);
    match setting.kind {
        Kind::Switch => argument
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .value_parser(["true", "false"])
            .hide_possible_values(true),
        _ => argument,
    }
}

/// What a setting does and the names it takes, for a terminal; and its default,
/// where it has not the value that a run has.
fn help(setting: &Setting, has_default: bool) -> String {
    let mut text = setting.help().trim_end_matches('.').replace('`', "");
    let names = setting.names();
    if !names.is_empty() {
        text += &format!(" [{}]", names.join(", "));
    }
    let default = setting.default();
    if has_default && !default.is_empty() && !matches!(setting.kind, Kind::Switch) {
        text += &format!(" [default: {default}]");
    }
    text
}
