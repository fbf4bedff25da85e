//! Names of what is chosen from a few.

/// Gives an enum without fields its names: `ALL`, `name`, [`Display`] and
/// [`FromStr`] with the error that is made of what was found.
///
/// [`Display`]: std::fmt::Display
/// [`FromStr`]: std::str::FromStr
macro_rules! named {
    ($type:ident, $error:ident, $unknown:expr, $($variant:ident => $name:literal,)+) => {
        impl $type {
            /// Every one, in the order they are documented.
            pub const ALL: [$type; [$($name),+].len()] = [$($type::$variant),+];

            /// The name used on the command line and in files.
            pub fn name(self) -> &'static str {
                match self {
                    $($type::$variant => $name,)+
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl std::str::FromStr for $type {
            type Err = $error;

            fn from_str(text: &str) -> Result<Self, $error> {
                let mut all = $type::ALL.into_iter();
                all.find(|one| one.name() == text)
                    .ok_or_else(|| $unknown(text.to_owned()))
            }
        }
    };
}

pub(crate) use named;

/// Names as a message lists them: `ae, vae or ae-l2`.
pub(crate) fn listed<const N: usize>(names: [&str; N]) -> String {
    match names.as_slice() {
        [names @ .., last] if !names.is_empty() => format!("{} or {last}", names.join(", ")),
        names => names.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::listed;

    #[test]
    fn only_the_last_of_several_names_follows_an_or() {
        assert_eq!(listed([]), "");
        assert_eq!(listed(["ae"]), "ae");
        assert_eq!(listed(["ae", "vae"]), "ae or vae");
        assert_eq!(listed(["ae", "vae", "ae-l2"]), "ae, vae or ae-l2");
    }
}
