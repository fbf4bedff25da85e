//! The plane of a latent space that two-dimensional pictures show.

use evaluation::elbo::kl_per_dimension;
use evaluation::frechet::FeatureMoments;
use evaluation::stretch::DecoderNetwork;
use evaluation::symmetric::SymmetricEigen;
use models::{Codes, Model};
use ndarray::{Array1, Array2, ArrayView2, Axis, stack};
use runs::Error;
use serde::{Deserialize, Serialize};

/// What a plane of two latent variables does with the others.
const OTHERS: &str = ", the others at their mean";

/// Which plane of more than two latent variables is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Axes {
    /// The two variables with most KL of a variational autoencoder, the
    /// principal plane of the codes of others.
    #[default]
    Automatic,
    /// The two variables with most KL.
    Kl,
    /// The two principal directions of the codes.
    Principal,
    /// Two variables, counted from 1.
    #[serde(untagged)]
    Variables([usize; 2]),
}

/// A plane in latent space: p ↦ origin + p₁·a + p₂·b with orthonormal a and b.
///
/// Of two latent variables it is the latent space itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane {
    origin: Array1<f64>,
    axes: [Array1<f64>; 2],
    /// Names of both axes.
    pub labels: [String; 2],
    /// Which plane it is, for captions; empty where there is no other.
    pub words: String,
}

impl Plane {
    /// The latent space of two variables.
    #[must_use]
    pub fn whole() -> Self {
        Self {
            origin: Array1::zeros(2),
            axes: [unit(0, 2), unit(1, 2)],
            labels: [variable(0), variable(1)],
            words: String::new(),
        }
    }

    /// The plane that `axes` name, through the mean of `codes`.
    ///
    /// # Errors
    /// [`Error::Undefined`] with fewer than two latent variables, or for the KL
    /// of codes that are no distributions; [`Error::Configuration`] for
    /// variables that are not there; those of the moments of the codes.
    pub fn of(codes: &Codes, axes: Axes) -> Result<Self, Error> {
        let latent = codes.mean.ncols();
        if latent < 2 {
            return Err(Error::Undefined(
                "it shows two latent variables, and the run has one".into(),
            ));
        }
        if latent == 2 && axes == Axes::Automatic {
            return Ok(Self::whole());
        }
        match (axes, &codes.log_variance) {
            (Axes::Variables(numbers), _) => {
                let in_range = numbers.iter().all(|number| (1..=latent).contains(number));
                if !in_range || numbers[0] == numbers[1] {
                    return Err(Error::Configuration(format!(
                        "axes are {} and {}, but must be two different variables from 1 to {latent}",
                        numbers[0], numbers[1]
                    )));
                }
                Ok(Self::of_variables(
                    codes,
                    numbers.map(|number| number - 1),
                    "chosen",
                ))
            }
            (Axes::Automatic | Axes::Kl, Some(log_variance)) => {
                let kl = kl_per_dimension(codes.mean.view(), log_variance.view())?;
                let mut order: Vec<usize> = (0..latent).collect();
                order.sort_by(|&a, &b| kl[b].total_cmp(&kl[a]));
                Ok(Self::of_variables(
                    codes,
                    [order[0], order[1]],
                    "the two with most KL",
                ))
            }
            (Axes::Kl, None) => Err(Error::Undefined(
                "its axes are those with most KL, and an autoencoder has no KL".into(),
            )),
            (Axes::Automatic | Axes::Principal, _) => Self::principal(codes.mean.view()),
        }
    }

    fn of_variables(codes: &Codes, variables: [usize; 2], which: &str) -> Self {
        let latent = codes.mean.ncols();
        let mut origin = mean(codes.mean.view());
        for variable in variables {
            // Coordinates in the plane are then the variables themselves.
            origin[variable] = 0.0;
        }
        let labels = variables.map(variable);
        let words = if latent == 2 {
            String::new()
        } else {
            format!(
                "{} and {} of {latent} latent variables ({which}){OTHERS}",
                labels[0], labels[1]
            )
        };
        Self {
            origin,
            axes: variables.map(|variable| unit(variable, latent)),
            labels,
            words,
        }
    }

    fn principal(codes: ArrayView2<'_, f32>) -> Result<Self, Error> {
        let moments = FeatureMoments::new(codes)?;
        let eigen = SymmetricEigen::new(moments.covariance.view());
        let latent = codes.ncols();
        let axis = |rank: usize| {
            let vector = eigen.vectors.column(latent - 1 - rank).to_owned();
            // An eigenvector and its opposite are one direction: the one whose
            // largest component is positive.
            let largest = vector
                .iter()
                .copied()
                .max_by(|a, b| a.abs().total_cmp(&b.abs()));
            if largest.is_some_and(|largest| largest < 0.0) {
                -vector
            } else {
                vector
            }
        };
        let total = eigen.values.sum();
        let share = (eigen.values[latent - 1] + eigen.values[latent - 2]) / total;
        let share = if total > 0.0 { share } else { 1.0 };
        Ok(Self {
            origin: moments.mean,
            axes: [axis(0), axis(1)],
            labels: [
                "principal direction 1".into(),
                "principal direction 2".into(),
            ],
            words: format!(
                "the plane of the two principal directions of the codes, through their mean, with {} \
                 of their variance",
                crate::wording::percent(share)
            ),
        })
    }

    /// Coordinates in the plane of codes `[n, L]`.
    #[must_use]
    pub fn project(&self, codes: ArrayView2<'_, f32>) -> Vec<[f64; 2]> {
        let along = |code: ndarray::ArrayView1<'_, f32>, axis: &Array1<f64>| {
            let offsets = code.iter().zip(&self.origin).zip(axis);
            offsets
                .map(|((&value, origin), axis)| (f64::from(value) - origin) * axis)
                .sum()
        };
        codes
            .outer_iter()
            .map(|code| [along(code, &self.axes[0]), along(code, &self.axes[1])])
            .collect()
    }

    /// Codes `[n, L]` of points of the plane.
    #[must_use]
    pub fn embed(&self, points: &[[f64; 2]]) -> Array2<f32> {
        Array2::from_shape_fn((points.len(), self.origin.len()), |(row, variable)| {
            let [first, second] = points[row];
            let offset = first * self.axes[0][variable] + second * self.axes[1][variable];
            (self.origin[variable] + offset) as f32
        })
    }

    /// The two latent variables that the axes are; `None` of other directions.
    #[must_use]
    pub fn variables(&self) -> Option<[usize; 2]> {
        let only = |axis: &Array1<f64>| axis.iter().position(|&share| share == 1.0);
        Some([only(&self.axes[0])?, only(&self.axes[1])?])
    }

    /// Where the plane has the mean of the prior, the origin of the latent space.
    #[must_use]
    pub fn prior_mean(&self) -> [f64; 2] {
        let origin = Array2::zeros((1, self.origin.len()));
        self.project(origin.view())[0]
    }

    /// The decoder of a model over coordinates of the plane.
    ///
    /// # Errors
    /// A model of other latent variables.
    pub fn decoder(&self, model: &Model) -> Result<DecoderNetwork, Error> {
        let decoder = DecoderNetwork::of_model(model);
        if self.is_whole() {
            return Ok(decoder);
        }
        let axes = stack![Axis(0), self.axes[0], self.axes[1]];
        Ok(decoder.on_plane(self.origin.clone(), axes)?)
    }

    /// Which plane codes are projected onto, whatever their other latent
    /// variables are.
    #[must_use]
    pub fn words_of_projection(&self) -> &str {
        self.words.strip_suffix(OTHERS).unwrap_or(&self.words)
    }

    /// Whether the plane is the latent space itself.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.words.is_empty()
    }
}

fn mean(codes: ArrayView2<'_, f32>) -> Array1<f64> {
    let sums = codes.mapv(f64::from).sum_axis(Axis(0));
    sums / codes.nrows().max(1) as f64
}

fn unit(variable: usize, latent: usize) -> Array1<f64> {
    Array1::from_shape_fn(latent, |index| f64::from(u8::from(index == variable)))
}

/// `z₁₂`: the name of a latent variable, counted from 0.
#[must_use]
pub fn variable(index: usize) -> String {
    let digits = (index + 1).to_string();
    let lowered = digits
        .chars()
        .map(|digit| char::from_u32(0x2080 + digit as u32 - '0' as u32).unwrap_or(digit));
    format!("z{}", lowered.collect::<String>())
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn codes(mean: Array2<f32>, log_variance: Option<Array2<f32>>) -> Codes {
        Codes { mean, log_variance }
    }

    #[test]
    fn the_whole_plane_changes_no_bit() {
        let points = [[0.1, -3.7], [f64::from(f32::MIN_POSITIVE), 1e30]];
        let embedded = Plane::whole().embed(&points);
        for (row, point) in embedded.outer_iter().zip(points) {
            for (value, coordinate) in row.iter().zip(point) {
                assert_eq!(value.to_bits(), (coordinate as f32).to_bits());
            }
        }
    }

    #[test]
    fn the_variables_with_most_kl_are_shown_at_their_values() {
        let mean = array![[0.0_f32, 2.0, 0.5, -1.0], [0.0, -2.0, 0.5, 1.0]];
        let log_variance = Array2::from_elem((2, 4), -1.0);
        let codes = codes(mean, Some(log_variance));
        let plane = Plane::of(&codes, Axes::Automatic).unwrap();
        assert_eq!(plane.labels, ["z₂", "z₄"]);
        assert_eq!(plane.project(codes.mean.view())[0], [2.0, -1.0]);
        assert_eq!(plane.variables(), Some([1, 3]));
        assert!(
            plane
                .words
                .ends_with("with most KL), the others at their mean")
        );
        assert!(plane.words_of_projection().ends_with("with most KL)"));
        assert_eq!(plane.prior_mean(), [0.0, 0.0]);
        // The others stay at their mean.
        let embedded = plane.embed(&[[3.0, 4.0]]);
        assert_eq!(embedded, array![[0.0, 3.0, 0.5, 4.0]]);
    }

    #[test]
    fn the_principal_plane_holds_codes_that_lie_in_one() {
        // Codes in the plane through (1, 1, 1) spanned by (3, 4, 0)/5 and e₃.
        let points = [
            [10.0, 1.0],
            [-10.0, 1.0],
            [5.0, -2.0],
            [-5.0, -2.0],
            [0.0, 2.0],
        ];
        let mean = Array2::from_shape_fn((5, 3), |(row, variable)| {
            let [first, second] = points[row];
            1.0 + [0.6 * first, 0.8 * first, second][variable] as f32
        });
        let plane = Plane::of(&codes(mean.clone(), None), Axes::Automatic).unwrap();
        let again = plane.embed(&plane.project(mean.view()));
        for (a, b) in mean.iter().zip(&again) {
            assert!((a - b).abs() < 1e-5, "{mean} {again}");
        }
        assert!(plane.words.contains("100 %"), "{}", plane.words);
        assert!(!plane.is_whole() && plane.variables().is_none());
        // The origin is not in the plane; its nearest point is the prior's mean.
        let [first, second] = plane.prior_mean();
        assert!((first.abs() - 1.4).abs() < 1e-5 && (second.abs() - 1.0).abs() < 1e-5);
    }

    #[test]
    fn what_is_no_plane_is_refused() {
        let one = codes(Array2::zeros((4, 1)), None);
        let refused = |codes: &Codes, axes| Plane::of(codes, axes).unwrap_err().to_string();
        assert!(refused(&one, Axes::Automatic).contains("has one"));
        let three = codes(Array2::zeros((4, 3)), None);
        assert!(refused(&three, Axes::Kl).contains("no KL"));
        for numbers in [[0, 1], [1, 1], [3, 4]] {
            let message = refused(&three, Axes::Variables(numbers));
            assert!(message.contains("from 1 to 3"), "{message}");
        }
        // Codes without any spread have some plane.
        assert!(Plane::of(&three, Axes::Principal).is_ok());
    }

    #[test]
    fn axes_are_named_in_files() {
        let read = |text: &str| serde_json::from_str::<Axes>(text).unwrap();
        assert_eq!(read("\"principal\""), Axes::Principal);
        assert_eq!(read("[3, 12]"), Axes::Variables([3, 12]));
        assert_eq!(variable(11), "z₁₂");
    }
}
