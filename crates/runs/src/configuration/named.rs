//! Types whose values settings name: a value more of one of them needs no change
//! of the settings.

use datasets::{Colour, LabelColumn};
use models::{
    Activation, AdamForm, AdamMoments, BatchGradient, Bound, DataTreatment, Gradients,
    Initialisation, Likelihood, ModelKind, PosteriorScale, Schedule,
};

use super::Setting;
use crate::error::Error;

/// What a setting can name.
pub(super) trait Named: Copy + 'static {
    /// Every value.
    const ALL: &'static [Self];

    /// What it is called on the command line and in files.
    fn name(self) -> &'static str;
}

/// The names of a type, in its order.
pub(super) fn names<T: Named>() -> Vec<&'static str> {
    T::ALL.iter().map(|value| value.name()).collect()
}

/// The names of what stands behind a hidden layer, which is none without a
/// nonlinearity.
pub(super) fn nonlinearities() -> Vec<&'static str> {
    let all = names::<Activation>().into_iter();
    all.filter(|&name| name != Activation::Identity.name())
        .collect()
}

impl Setting {
    /// The value of this name.
    ///
    /// # Errors
    /// An unknown name, with the one that is meant.
    pub(super) fn named<T: Named>(&self, text: &str) -> Result<T, Error> {
        let named = T::ALL.iter().find(|value| value.name() == text);
        named.copied().ok_or_else(|| self.unknown_name(text))
    }
}

macro_rules! named {
    ($($type:ident)+) => {$(
        impl Named for $type {
            const ALL: &'static [Self] = &Self::ALL;

            fn name(self) -> &'static str {
                self.name()
            }
        }
    )+};
}

named! {
    Activation AdamForm AdamMoments BatchGradient Bound Colour DataTreatment Gradients Initialisation LabelColumn Likelihood
    ModelKind PosteriorScale Schedule
}
