//! How far random codes lie from the nearest code of an image: gaps in any
//! number of dimensions.

use ndarray::{ArrayView2, Axis};

use crate::error::{Result, require, require_array};
use crate::knn::NearestNeighbours;
use crate::statistics::sorted;
use crate::subset::{Population, SEED, numbers, parts};

/// Distances of random codes to the nearest code of an image, beside those of
/// the codes of other images.
#[derive(Debug, Clone, PartialEq)]
pub struct Spacing {
    /// Of the codes of other images.
    pub own: Vec<f64>,
    /// Of the random codes, in their order.
    pub random: Vec<f64>,
    /// The median of `own`.
    pub median: f64,
    /// The distance that the asked share of `own` does not exceed: a gap begins
    /// beyond it.
    pub usual: f64,
}

impl Spacing {
    /// Share of the random codes that lie in gaps. Random codes of the
    /// distribution of the images' own give 1 − the share asked for, in any
    /// number of dimensions.
    #[must_use]
    pub fn share_in_gaps(&self) -> f64 {
        let beyond = self.in_gaps().filter(|is_beyond| *is_beyond).count();
        beyond as f64 / self.random.len() as f64
    }

    /// Whether each of the random codes lies in a gap.
    pub fn in_gaps(&self) -> impl Iterator<Item = bool> {
        self.random.iter().map(|distance| *distance > self.usual)
    }
}

/// The codes of a random half of the images, of [n, L], are where images are; of the
/// others, `most` at most, a share `usual` lies as near to one of them as is usual. Random codes [m, L] farther away lie in gaps.
///
/// Distances grow with the number of dimensions for all codes alike, so that
/// they are compared to those of real codes and not to a length.
///
/// # Errors
/// Fewer than two codes, no random ones, of another number of dimensions, or any
/// that is not finite; most codes the same.
pub fn spacing(
    codes: ArrayView2<'_, f32>,
    random: ArrayView2<'_, f32>,
    usual: f64,
    most: usize,
) -> Result<Spacing> {
    require_array("the array of codes", &codes, 2, None)?;
    require_array("the array of random codes", &random, 1, Some(codes.ncols()))?;
    let n = codes.nrows();
    let sizes = [n.div_ceil(2), most.min(n / 2)];
    let [known, held_out] = parts(Population::Rows(n), sizes, numbers(SEED));
    let [known, held_out] = [known, held_out].map(|rows| codes.select(Axis(0), &rows));
    let tree = NearestNeighbours::new(known.view())?;
    let distances = |codes: ArrayView2<'_, f32>| -> Vec<f64> {
        let nearest = tree.map_nearest(codes, 1, |_, found| {
            found.first().map(|found| found.squared_distance.sqrt())
        });
        nearest.into_iter().flatten().collect()
    };
    let own = distances(held_out.view());
    // Of two codes there is one.
    let at = |share| nearest_rank(&own, share).unwrap_or_default();
    let (median, usual) = (at(0.5), at(usual));
    let what = "the median distance of a code to the nearest other one";
    require(median > 0.0, what, median, "codes that differ")?;
    Ok(Spacing {
        random: distances(random),
        own,
        median,
        usual,
    })
}

/// The value below which `share` of the values lie, the nearest rank; none of no
/// values.
pub fn nearest_rank(values: &[f64], share: f64) -> Option<f64> {
    let sorted = sorted(values.iter().copied());
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::draws::{standard_normals_from, uniforms};

    #[test]
    fn codes_of_the_same_distribution_lie_in_gaps_as_often_as_asked() {
        for latent in [2, 8] {
            let [codes, random] = [0, 1].map(|draw| standard_normals_from(3, draw, 8000, latent));
            let found = spacing(codes.view(), random.view(), 0.95, 4000).unwrap();
            assert_eq!((found.own.len(), found.random.len()), (4000, 8000));
            // √(0.05·0.95·(1/4000 + 1/8000)) = 0.0042.
            assert!((found.share_in_gaps() - 0.05).abs() < 0.013, "{found:?}");
        }
    }

    #[test]
    fn an_empty_band_is_a_gap() {
        // The unit square without its middle fifth, and points all over it.
        let mut codes = uniforms(6, 8000, 2);
        codes
            .column_mut(0)
            .mapv_inplace(|x| if x < 0.5 { 0.8 * x } else { 0.8 * x + 0.2 });
        let found = spacing(codes.view(), uniforms(7, 8000, 2).view(), 0.99, 4000).unwrap();
        let share = found.share_in_gaps();
        // Its rim is near to codes; a hundredth of the rest is far from them.
        assert!((0.14..0.2).contains(&share), "{share}");
    }

    #[test]
    fn codes_in_one_point_have_no_spacing() {
        let same = Array2::<f32>::ones((50, 2));
        assert!(spacing(same.view(), same.view(), 0.99, 50).is_err());
        assert!(spacing(uniforms(1, 1, 2).view(), same.view(), 0.99, 50).is_err());
    }

    #[test]
    fn a_gap_begins_beyond_the_usual_distance() {
        let found = Spacing {
            own: vec![1.0, 2.0],
            random: vec![2.0, 2.5, 0.5, 7.0, 1.0],
            median: 1.0,
            usual: 2.0,
        };
        let in_gaps: Vec<bool> = found.in_gaps().collect();
        assert_eq!(in_gaps, [false, true, false, true, false]);
        assert_eq!(found.share_in_gaps(), 0.4);
    }

    #[test]
    fn of_an_odd_number_of_codes_the_smaller_half_is_compared() {
        let (codes, random) = (uniforms(4, 9, 2), uniforms(5, 3, 2));
        for (most, compared) in [(9, 4), (4, 4), (3, 3)] {
            let found = spacing(codes.view(), random.view(), 0.9, most).unwrap();
            assert_eq!((found.own.len(), found.random.len()), (compared, 3));
            // Every distance is that of a pair of codes.
            let to_all = |at: &f64| {
                let pairs = (0..9).flat_map(|a| (0..a).map(move |b| (a, b)));
                let distances = pairs.map(|(a, b)| {
                    let apart = [0, 1].map(|j| f64::from(codes[[a, j]] - codes[[b, j]]));
                    (apart[0].powi(2) + apart[1].powi(2)).sqrt()
                });
                distances.into_iter().any(|d| (d - at).abs() < 1e-6)
            };
            assert!(found.own.iter().all(to_all), "{found:?}");
        }
    }

    #[test]
    fn ranks_of_a_quantile() {
        let values = [4.0, 1.0, 3.0, 2.0];
        let of = |share| nearest_rank(&values, share);
        assert_eq!(
            [of(0.0), of(0.5), of(0.99)],
            [Some(1.0), Some(2.0), Some(4.0)]
        );
        assert_eq!(nearest_rank(&[], 0.5), None);
    }
}
