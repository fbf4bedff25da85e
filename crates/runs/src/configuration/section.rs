//! How the sections of `config.toml` are declared: each setting once, from which
//! its field, its default, its place in the table of all settings and what is
//! written of it follow.

/// Sections: of each its type, its path and its heading. Each setting in it is
/// declared by what it does, its name, its type, its default, its kind and, where
/// they are not those of most, further fields of [`Setting`](super::Setting). A
/// section that it holds comes last and is written unless it is as by default.
macro_rules! sections {
    ($(
        $(#[doc = $about:literal])+
        $section:ident of $path:literal, $heading:literal {
            $(
                $(#[doc = $help:literal])+
                $setting:ident: $type:ty = $default:expr => $kind:expr
                    $(, $property:ident: $value:expr)*;
            )+
        }
        $(holds {
            $(#[doc = $inner_about:literal])+
            $inner:ident: $inner_type:ty
        })?
    )+) => {
        $(
            $(#[doc = $about])+
            #[derive(Clone, Debug, PartialEq, Deserialize)]
            #[serde(default, deny_unknown_fields)]
            pub struct $section {
                $($(#[doc = $help])+ pub $setting: $type,)+
                $($(#[doc = $inner_about])+ pub $inner: $inner_type,)?
            }

            impl Default for $section {
                fn default() -> Self {
                    Self {
                        $($setting: $default,)+
                        $($inner: Default::default(),)?
                    }
                }
            }

            #[allow(non_upper_case_globals, reason = "each is called as its field")]
            impl $section {
                $(
                    pub(super) const $setting: Setting = Setting {
                        key: concat!($path, ".", stringify!($setting)),
                        heading: $heading,
                        help: concat!($($help),+),
                        default: || toml::Value::try_from::<$type>($default).expect("plain data"),
                        $($property: $value,)*
                        ..Setting::of($kind)
                    };
                )+
            }

            impl $section {
                /// Takes every setting that decides no result back to its default.
                pub(super) fn keep_what_decides(&mut self) {
                    let default = Self::default();
                    $(
                        if !Self::$setting.decides {
                            self.$setting = default.$setting;
                        }
                    )+
                    $(self.$inner.keep_what_decides();)?
                }
            }

            impl Serialize for $section {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    let default = Self::default();
                    let mut section = serializer.serialize_map(None)?;
                    $(
                        if Self::$setting.is_always_written || self.$setting != default.$setting {
                            section.serialize_entry(stringify!($setting), &self.$setting)?;
                        }
                    )+
                    $(
                        if self.$inner != default.$inner {
                            section.serialize_entry(stringify!($inner), &self.$inner)?;
                        }
                    )?
                    section.end()
                }
            }
        )+

        /// Every setting, in the order of `config.toml`.
        pub static SETTINGS: &[Setting] = &[$($($section::$setting,)+)+];
    };
}

pub(super) use sections;
