//! The plane of a latent space that two-dimensional pictures show, and the space
//! of those that show three.

use std::collections::BTreeSet;

use evaluation::elbo::kl_per_dimension;
use evaluation::frechet::FeatureMoments;
use evaluation::stretch::DecoderNetwork;
use evaluation::symmetric::SymmetricEigen;
use models::{Codes, Model};
use ndarray::{Array1, Array2, ArrayView2, Axis};
use runs::Error;
use serde::{Deserialize, Serialize};

use crate::wording::{listed, percent, spelled};

/// What a plane of two latent variables does with the others.
const OTHERS: &str = ", the others at their mean";

/// Which plane of more than two latent variables is shown, or which space of more
/// than three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Axes<V = [usize; 2]> {
    /// The variables with most KL of a variational autoencoder, the principal
    /// directions of the codes of others.
    #[default]
    Automatic,
    /// The variables with most KL.
    Kl,
    /// The principal directions of the codes.
    Principal,
    /// As many variables as are shown, counted from 1.
    #[serde(untagged)]
    Variables(V),
}

/// A plane in latent space.
pub type Plane = Subspace<2>;

/// N dimensions of latent space: p ↦ origin + Σ pᵢ·aᵢ with orthonormal aᵢ.
///
/// Of N latent variables it is the latent space itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Subspace<const N: usize> {
    origin: Array1<f64>,
    axes: [Array1<f64>; N],
    /// Names of the axes.
    pub labels: [String; N],
    /// Which one it is, for captions; empty where there is no other.
    pub words: String,
}

impl<const N: usize> Subspace<N> {
    /// The latent space of N variables.
    #[must_use]
    pub fn whole() -> Self {
        Self {
            origin: Array1::zeros(N),
            axes: std::array::from_fn(|axis| unit(axis, N)),
            labels: std::array::from_fn(variable),
            words: String::new(),
        }
    }

    /// The one that `axes` name, through the mean of `codes`.
    ///
    /// # Errors
    /// [`Error::Undefined`] with fewer than N latent variables, or for the KL
    /// of codes that are no distributions; [`Error::Configuration`] for
    /// variables that are not there; those of the moments of the codes.
    pub fn of(codes: &Codes, axes: Axes<[usize; N]>) -> Result<Self, Error> {
        let latent = codes.mean.ncols();
        if latent < N {
            return Err(Error::Undefined(format!(
                "it shows {} latent variables, and the run has {}",
                spelled(N),
                spelled(latent)
            )));
        }
        if latent == N && axes == Axes::Automatic {
            return Ok(Self::whole());
        }
        match (axes, &codes.log_variance) {
            (Axes::Variables(numbers), _) => {
                let in_range = numbers.iter().all(|number| (1..=latent).contains(number));
                let different = BTreeSet::from(numbers).len() == N;
                if !in_range || !different {
                    return Err(Error::Configuration(format!(
                        "axes are {}, but must be {} different variables from 1 to {latent}",
                        listed(&numbers.map(|number| number.to_string())),
                        spelled(N)
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
                    std::array::from_fn(|rank| order[rank]),
                    &format!("the {} with most KL", spelled(N)),
                ))
            }
            (Axes::Kl, None) => Err(Error::Undefined(
                "its axes are those with most KL, and an autoencoder has no KL".into(),
            )),
            (Axes::Automatic | Axes::Principal, _) => Ok(Self::principal(codes.mean.view())?.0),
        }
    }

    fn of_variables(codes: &Codes, variables: [usize; N], which: &str) -> Self {
        let latent = codes.mean.ncols();
        let mut origin = mean(codes.mean.view());
        for variable in variables {
            // Coordinates in the plane are then the variables themselves.
            origin[variable] = 0.0;
        }
        let labels = variables.map(variable);
        let words = if latent == N {
            String::new()
        } else {
            format!(
                "{} of {latent} latent variables ({which}){OTHERS}",
                listed(&labels)
            )
        };
        Self {
            origin,
            axes: variables.map(|variable| unit(variable, latent)),
            labels,
            words,
        }
    }

    /// The one of the principal directions of codes `[n, L]` with N or more
    /// latent variables, through their mean; and the share of their variance
    /// that lies in it.
    ///
    /// # Errors
    /// Those of the moments of the codes.
    pub fn principal(codes: ArrayView2<'_, f32>) -> Result<(Self, f64), Error> {
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
        let shown: f64 = (0..N).map(|rank| eigen.values[latent - 1 - rank]).sum();
        let share = shown / total;
        let share = if total > 0.0 { share } else { 1.0 };
        let subspace = Self {
            origin: moments.mean,
            axes: std::array::from_fn(axis),
            labels: std::array::from_fn(|rank| format!("principal direction {}", rank + 1)),
            words: format!(
                "the {} of the {} principal directions of the codes, through their mean, with {} of \
                 their variance",
                if N == 2 { "plane" } else { "space" },
                spelled(N),
                percent(share)
            ),
        };
        Ok((subspace, share))
    }

    /// Coordinates of codes `[n, L]`.
    #[must_use]
    pub fn project(&self, codes: ArrayView2<'_, f32>) -> Vec<[f64; N]> {
        let along = |code: ndarray::ArrayView1<'_, f32>, axis: &Array1<f64>| {
            let offsets = code.iter().zip(&self.origin).zip(axis);
            offsets
                .map(|((&value, origin), axis)| (f64::from(value) - origin) * axis)
                .sum()
        };
        codes
            .outer_iter()
            .map(|code| std::array::from_fn(|axis| along(code, &self.axes[axis])))
            .collect()
    }

    /// Codes `[n, L]` of points.
    #[must_use]
    pub fn embed(&self, points: &[[f64; N]]) -> Array2<f32> {
        Array2::from_shape_fn((points.len(), self.origin.len()), |(row, variable)| {
            let along = points[row].iter().zip(&self.axes);
            let offset: f64 = along.map(|(at, axis)| at * axis[variable]).sum();
            (self.origin[variable] + offset) as f32
        })
    }

    /// The code at its coordinates 0.
    #[must_use]
    pub fn origin(&self) -> &Array1<f64> {
        &self.origin
    }

    /// The directions of its axes, orthonormal.
    #[must_use]
    pub fn axes(&self) -> &[Array1<f64>; N] {
        &self.axes
    }

    /// The latent variables that the axes are; `None` of other directions.
    #[must_use]
    pub fn variables(&self) -> Option<[usize; N]> {
        let mut variables = [0; N];
        for (variable, axis) in variables.iter_mut().zip(&self.axes) {
            *variable = axis.iter().position(|&share| share == 1.0)?;
        }
        Some(variables)
    }

    /// Where it has the mean of the prior, the origin of the latent space.
    #[must_use]
    pub fn prior_mean(&self) -> [f64; N] {
        let origin = Array2::zeros((1, self.origin.len()));
        self.project(origin.view())[0]
    }

    /// The decoder of a model over its coordinates.
    ///
    /// # Errors
    /// A model of other latent variables.
    pub fn decoder(&self, model: &Model) -> Result<DecoderNetwork, Error> {
        let decoder = DecoderNetwork::of_model(model);
        if self.is_whole() {
            return Ok(decoder);
        }
        let axes = Array2::from_shape_fn((N, self.origin.len()), |(axis, at)| self.axes[axis][at]);
        Ok(decoder.on_plane(self.origin.clone(), axes)?)
    }

    /// What codes are projected onto, whatever their other latent variables are.
    #[must_use]
    pub fn words_of_projection(&self) -> &str {
        self.words.strip_suffix(OTHERS).unwrap_or(&self.words)
    }

    /// Whether it is the latent space itself, its variables in their order.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.words.is_empty() && self.variables() == Some(std::array::from_fn(|axis| axis))
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
    fn variables_in_another_order_are_not_the_whole_plane() {
        let two = codes(array![[0.5_f32, -1.0], [2.0, 3.0]], None);
        let plane = Plane::of(&two, Axes::Variables([2, 1])).unwrap();
        assert!(!plane.is_whole());
        assert_eq!(plane.project(two.mean.view())[0], [-1.0, 0.5]);
        assert_eq!(plane.embed(&[[-1.0, 0.5]]), array![[0.5, -1.0]]);
    }

    #[test]
    fn three_dimensions_of_more() {
        let mean = array![[0.0_f32, 2.0, 0.5, -1.0], [0.0, -2.0, 0.5, 1.0]];
        let both = codes(mean.clone(), Some(Array2::from_elem((2, 4), -1.0)));
        let space = Subspace::<3>::of(&both, Axes::Automatic).unwrap();
        assert_eq!(space.variables(), Some([1, 3, 2]));
        assert!(
            space
                .words
                .starts_with("z₂, z₄ and z₃ of 4 latent variables (the three with"),
            "{}",
            space.words
        );
        assert_eq!(space.embed(&space.project(mean.view())), mean);
        let space = Subspace::<3>::of(&codes(mean.clone(), None), Axes::Automatic).unwrap();
        assert!(space.words.contains("three principal"), "{}", space.words);
        let message = Subspace::<3>::of(&codes(mean, None), Axes::Variables([1, 2, 2]));
        let message = message.unwrap_err().to_string();
        assert!(
            message.contains("1, 2 and 2") && message.contains("three different"),
            "{message}"
        );
    }

    #[test]
    fn axes_are_named_in_files() {
        let read = |text: &str| serde_json::from_str::<Axes>(text).unwrap();
        assert_eq!(read("\"principal\""), Axes::Principal);
        assert_eq!(read("[3, 12]"), Axes::Variables([3, 12]));
        assert_eq!(variable(11), "z₁₂");
    }
}
