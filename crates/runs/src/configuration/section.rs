//! How a section of `config.toml` is declared: each setting once, from which
//! its field, its default, its place in the table of all settings, what is
//! written of it and what is forgotten of it follow.

/// A section: its type, its path and its heading. Each setting in it is declared
/// by what it does, its name, its type, its default, its kind and, where they
/// are not those of most, further fields of [`Setting`](super::Setting). A
/// section that it holds comes last and is written unless it is as by default.
macro_rules! section {
    (
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
    ) => {
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
                    $($property: $value,)*
                    ..Setting::of($kind)
                };
            )+

            /// Every setting with its value.
            pub(super) fn values(&self) -> Result<Values, Error> {
                #[allow(unused_mut, reason = "not every section holds another")]
                let mut values = vec![
                    $((&Self::$setting, value_of(&self.$setting)?),)+
                ];
                $(values.extend(self.$inner.values()?);)?
                Ok(values)
            }

            /// Gives settings that decide no result their defaults.
            pub(super) fn forget_what_decides_nothing(&mut self) {
                let default = Self::default();
                $(
                    if !Self::$setting.decides {
                        self.$setting = default.$setting;
                    }
                )+
                $(self.$inner.forget_what_decides_nothing();)?
            }
        }

        impl Serialize for $section {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let default = Self::default();
                const FIELDS: usize = [$(stringify!($setting),)+ $(stringify!($inner))?].len();
                let mut section = serializer.serialize_struct(stringify!($section), FIELDS)?;
                $(
                    if Self::$setting.is_always_written || self.$setting != default.$setting {
                        section.serialize_field(stringify!($setting), &self.$setting)?;
                    }
                )+
                $(
                    if self.$inner != default.$inner {
                        section.serialize_field(stringify!($inner), &self.$inner)?;
                    }
                )?
                section.end()
            }
        }
    };
}

pub(super) use section;
