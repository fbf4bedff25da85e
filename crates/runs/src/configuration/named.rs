//! Types whose values settings name: a value more of one of them needs no change
//! of the settings.

use datasets::{Colour, LabelColumn};
use models::{
    Activation, Bound, DataTreatment, Gradients, Initialisation, Likelihood, ModelKind,
    PosteriorScale, Schedule,
};

use super::Setting;
use crate::error::Error;

/// What a setting can name.
pub(super) trait Named: Copy {
    /// Every value.
    fn all() -> Vec<Self>;

    /// What it is called on the command line and in files.
    fn name(self) -> &'static str;
}

/// The names of a type, in its order.
pub(super) fn names<T: Named>() -> Vec<&'static str> {
    T::all().into_iter().map(T::name).collect()
}

impl Setting {
    /// The value of this name.
    ///
    /// # Errors
    /// An unknown name, with the one that is meant.
    pub(super) fn named<T: Named>(&self, text: &str) -> Result<T, Error> {
        let mut all = T::all().into_iter();
        all.find(|value| value.name() == text)
            .ok_or_else(|| self.unknown_name(text))
    }
}

macro_rules! named {
    ($($type:ident of $values:expr;)+) => {$(
        impl Named for $type {
            fn all() -> Vec<Self> {
                $values
            }

            fn name(self) -> &'static str {
                self.name()
            }
        }
    )+};
}

named! {
    // A hidden layer without a nonlinearity is none.
    Activation of Self::ALL.into_iter().filter(|&one| one != Self::Identity).collect();
    Bound of Self::ALL.into();
    Colour of Self::ALL.into();
    DataTreatment of Self::ALL.into();
    Gradients of Self::ALL.into();
    Initialisation of Self::ALL.into();
    LabelColumn of Self::ALL.into();
    Likelihood of Self::ALL.into();
    ModelKind of Self::ALL.into();
    PosteriorScale of Self::ALL.into();
    Schedule of Self::ALL.into();
}
