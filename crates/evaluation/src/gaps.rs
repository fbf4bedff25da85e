//! Share of the region of the codes that no code reaches.

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::codes::{covariance_of_codes, mean_of_codes};
use crate::draws::standard_normals_from;
use crate::error::{Result, require, require_array, require_rows};
use crate::statistics::mean_and_variance;
use crate::symmetric::SymmetricEigen;

/// Draws of normal codes that the reference is the mean of: one draw of 10,000
/// codes is off by about a percentage point, as much as some models differ by.
pub const REFERENCE_DRAWS: usize = 64;

/// How much of the region spanned by the codes is empty, with what chance alone
/// leaves empty.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Gaps {
    /// Codes used.
    pub n: usize,
    /// Cells along each side of the region's bounding box.
    pub cells: usize,
    /// Cells whose centre lies inside the region.
    pub region_cells: usize,
    /// Area of the region, in squared latent units.
    pub region_area: f64,
    /// Share of those cells that hold no code.
    pub empty_share: f64,
    /// The same share expected of codes spread uniformly over the region:
    /// exp(−codes per cell).
    pub uniform_reference: f64,
    /// The mean of the same share over [`REFERENCE_DRAWS`] draws of as many
    /// normal codes of the same mean and covariance, in their own regions.
    pub normal_reference: f64,
    /// Standard deviation of that share from draw to draw: what chance alone
    /// does to it.
    pub normal_deviation: f64,
}

/// Gaps of 2-D codes [n, 2].
///
/// The region is the convex hull of the codes after leaving out the `trim`
/// share (0.01, say) that is farthest from the centroid in Mahalanobis
/// distance: one outlier would otherwise span a desert. Its bounding box is cut
/// into `cells` × `cells`; a cell counts when its centre is inside the hull, and
/// is a gap when no code falls into it.
///
/// The share depends on n and on `cells` and means nothing without its
/// references: 10,000 normal codes on 50 × 50 cells leave 23 % empty, because
/// the hull's border is thinly populated, and as many uniform ones under 1 %.
/// What exceeds the normal reference is structure: rays and the space between
/// classes. The normal codes of the reference are drawn from `seed`.
///
/// # Errors
/// Codes that are not 2-D, not finite, fewer than 10 or on a line; `cells` = 0;
/// `trim` outside [0, 0.5].
pub fn gaps(codes: ArrayView2<'_, f32>, cells: usize, trim: f64, seed: u64) -> Result<Gaps> {
    require_array("the array of codes", &codes, 10, Some(2))?;
    require(
        cells > 0 && (0.0..=0.5).contains(&trim),
        "the pair (cells, trim) of the gap measurement",
        format_args!("({cells}, {trim})"),
        "at least one cell and a trim from 0 to 0.5",
    )?;
    let measured = empty_cells(codes, cells, trim)?;
    let covariance = SymmetricEigen::new(covariance_of_codes(&codes).view());
    let root = covariance.square_root();
    let normal = (0..REFERENCE_DRAWS)
        .into_par_iter()
        .map(|draw| -> Result<f64> {
            let mut reference = standard_normals_from(seed, draw, codes.nrows(), 2);
            for mut code in reference.rows_mut() {
                let [x, y] = product(&root, [f64::from(code[0]), f64::from(code[1])]);
                (code[0], code[1]) = (x as f32, y as f32);
            }
            Ok(empty_cells(reference.view(), cells, trim)?.empty_share)
        });
    let normal: Vec<f64> = normal.collect::<Result<_>>()?;
    let (normal_reference, variance) = mean_and_variance(&normal);
    let per_cell = codes.nrows() as f64 * (1.0 - trim) / measured.region_cells as f64;
    Ok(Gaps {
        n: codes.nrows(),
        cells,
        region_cells: measured.region_cells,
        region_area: measured.area,
        empty_share: measured.empty_share,
        uniform_reference: (-per_cell).exp(),
        normal_reference,
        normal_deviation: variance.sqrt(),
    })
}

/// The convex hull of points, counter-clockwise, by Andrew's monotone chain.
pub fn convex_hull(points: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let mut sorted = points.to_vec();
    sorted.sort_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
    sorted.dedup();
    if sorted.len() < 3 {
        return sorted;
    }
    let chain = |points: &mut dyn Iterator<Item = &[f64; 2]>| {
        let mut hull: Vec<[f64; 2]> = Vec::new();
        for &point in points {
            while let [.., a, b] = hull[..]
                && turn(a, b, point) <= 0.0
            {
                hull.pop();
            }
            hull.push(point);
        }
        hull.pop(); // each chain's end is the other's start
        hull
    };
    let mut hull = chain(&mut sorted.iter());
    hull.extend(chain(&mut sorted.iter().rev()));
    hull
}

struct EmptyCells {
    region_cells: usize,
    empty_share: f64,
    area: f64,
}

fn empty_cells(codes: ArrayView2<'_, f32>, cells: usize, trim: f64) -> Result<EmptyCells> {
    let kept = central_codes(&codes, trim)?;
    let hull = convex_hull(&kept);
    require_rows("the convex hull of the central codes", hull.len(), 3)?;
    let corners = || hull.iter().copied();
    let edges = || corners().zip(corners().cycle().skip(1));
    let twice_the_area: f64 = edges().map(|(a, b)| a[0] * b[1] - a[1] * b[0]).sum();
    let low = [0, 1].map(|axis| hull.iter().map(|p| p[axis]).fold(f64::MAX, f64::min));
    let high = [0, 1].map(|axis| hull.iter().map(|p| p[axis]).fold(f64::MIN, f64::max));
    let step = [0, 1].map(|axis| (high[axis] - low[axis]) / cells as f64);
    let mut occupied = Array2::from_elem((cells, cells), false);
    for point in &kept {
        let index =
            [0, 1].map(|axis| (((point[axis] - low[axis]) / step[axis]) as usize).min(cells - 1));
        occupied[index] = true;
    }
    let (mut region_cells, mut empty) = (0, 0);
    for ((i, j), &full) in occupied.indexed_iter() {
        let centre = [
            low[0] + (i as f64 + 0.5) * step[0],
            low[1] + (j as f64 + 0.5) * step[1],
        ];
        if edges().all(|(a, b)| turn(a, b, centre) >= 0.0) {
            region_cells += 1;
            empty += u32::from(!full);
        }
    }
    require_rows("the region of the codes, in cells,", region_cells, 1)?;
    Ok(EmptyCells {
        region_cells,
        empty_share: f64::from(empty) / region_cells as f64,
        area: 0.5 * twice_the_area,
    })
}

fn central_codes(codes: &ArrayView2<'_, f32>, trim: f64) -> Result<Vec<[f64; 2]>> {
    let mean = mean_of_codes(codes);
    let whitening =
        SymmetricEigen::new(covariance_of_codes(codes).view()).inverse_square_root("the codes")?;
    let points = codes.rows().into_iter().map(|code| {
        let point = [f64::from(code[0]), f64::from(code[1])];
        let [x, y] = product(&whitening, [point[0] - mean[0], point[1] - mean[1]]);
        (x.powi(2) + y.powi(2), point)
    });
    let mut points: Vec<(f64, [f64; 2])> = points.collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let kept = (points.len() as f64 * (1.0 - trim)).round() as usize;
    Ok(points[..kept].iter().map(|(_, point)| *point).collect())
}

fn product(matrix: &Array2<f64>, [x, y]: [f64; 2]) -> [f64; 2] {
    [0, 1].map(|row| matrix[[row, 0]] * x + matrix[[row, 1]] * y)
}

fn turn(a: [f64; 2], b: [f64; 2], c: [f64; 2]) -> f64 {
    (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draws::{standard_normals, uniforms};

    #[test]
    fn hull_of_a_square_with_inner_points() {
        let hull = convex_hull(&[
            [0.0, 0.0],
            [1.0, 1.0],
            [0.5, 0.5],
            [1.0, 0.0],
            [0.0, 1.0],
            [0.5, 0.0],
        ]);
        assert_eq!(hull, vec![[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]);
        let triangle = [[0.0, 0.0], [1.0, 1.0], [2.0, 0.0]];
        assert_eq!(convex_hull(&triangle), [[0.0, 0.0], [2.0, 0.0], [1.0, 1.0]]);
        assert_eq!(convex_hull(&[[3.0, 2.0]; 2]), [[3.0, 2.0]]);
    }

    #[test]
    fn a_turn_is_twice_the_area_of_a_triangle() {
        // 5·11 − 3·2.
        assert_eq!(turn([1.0, 2.0], [6.0, 5.0], [3.0, 13.0]), 49.0);
        assert_eq!(turn([1.0, 2.0], [3.0, 13.0], [6.0, 5.0]), -49.0);
    }

    #[test]
    fn cells_of_a_triangle_are_counted_by_hand() {
        // Right-angled at (3, −2), with legs of 8 and 6: cells of four by four are 2
        // wide and 1.5 high, and of those with the centre inside the hull four lie
        // along its hypotenuse, exactly on it.
        let mut codes = ndarray::array![
            [3.0_f32, -2.0],
            [11.0, -2.0],
            [3.0, 4.0],
            [5.5, -1.75],
            [6.5, -0.25],
            [4.75, -0.75],
            [3.25, 1.5],
            [3.5, -1.5],
            [3.75, -1.25],
            [4.25, -1.0],
            [3.5, 2.0],
        ];
        let found = gaps(codes.view(), 4, 0.0, 1).unwrap();
        assert_eq!((found.n, found.cells, found.region_cells), (11, 4, 10));
        assert_eq!((found.region_area, found.empty_share), (24.0, 0.4));
        assert!((found.uniform_reference - (-1.1_f64).exp()).abs() < 1e-15);
        // 15 % of 13 are two, the farthest.
        for far in [[40.0, 30.0], [-30.0, 25.0]] {
            codes.push_row(ndarray::aview1(&far)).unwrap();
        }
        let trimmed = gaps(codes.view(), 4, 0.15, 1).unwrap();
        assert_eq!((trimmed.n, trimmed.region_cells), (13, 10));
        assert_eq!((trimmed.region_area, trimmed.empty_share), (24.0, 0.4));
        assert!((trimmed.uniform_reference - (-1.105_f64).exp()).abs() < 1e-15);
        assert!(gaps(codes.view(), 4, 0.5, 1).is_ok());
        for (cells, trim) in [(0, 0.15), (4, 0.501), (4, -0.01)] {
            assert!(gaps(codes.view(), cells, trim, 1).is_err());
        }
    }

    #[test]
    fn codes_are_ordered_by_their_mahalanobis_distance() {
        let codes = ndarray::array![
            [10.5_f32, 19.0],
            [12.0, 22.5],
            [9.0, 18.5],
            [11.5, 20.0],
            [10.0, 21.5],
            [13.5, 23.0],
            [8.5, 16.0],
            [11.0, 21.0],
            [9.5, 20.5],
            [12.5, 20.5],
            [10.25, 17.25],
            [7.0, 19.75],
        ];
        // NumPy 2: argsort of the quadratic form of inv(cov(codes.T)).
        let expected = [7, 0, 3, 2, 8, 4, 1, 9, 10, 5, 6, 11];
        let expected: Vec<[f64; 2]> = expected
            .map(|row: usize| [codes[[row, 0]], codes[[row, 1]]].map(f64::from))
            .to_vec();
        assert_eq!(central_codes(&codes.view(), 0.0).unwrap(), expected);
        assert_eq!(central_codes(&codes.view(), 0.25).unwrap(), expected[..9]);
    }

    #[test]
    fn uniform_codes_have_the_gaps_of_chance() {
        let codes = uniforms(5, 5000, 2);
        let found = gaps(codes.view(), 40, 0.0, 1).unwrap();
        assert!((found.region_area - 1.0).abs() < 0.01);
        assert!(
            (found.empty_share - found.uniform_reference).abs() < 0.012,
            "{found:?}"
        );
    }

    #[test]
    fn normal_codes_match_the_normal_reference() {
        let codes = standard_normals(11, 5000, 2);
        let found = gaps(codes.view(), 40, 0.01, 1).unwrap();
        assert!(
            (found.empty_share - found.normal_reference).abs() < 0.04,
            "{found:?}"
        );
        assert!(found.empty_share > found.uniform_reference);
    }

    #[test]
    fn the_reference_is_a_mean_of_many_draws() {
        let codes = standard_normals(11, 2000, 2);
        let of_seed = |seed| gaps(codes.view(), 30, 0.01, seed).unwrap();
        let (one, other) = (of_seed(1), of_seed(2));
        assert_ne!(one.normal_reference, other.normal_reference);
        // Of means of 64 draws, the difference has √(2/64) of a draw's deviation.
        let standard_error = one.normal_deviation * (2.0 / REFERENCE_DRAWS as f64).sqrt();
        let difference = (one.normal_reference - other.normal_reference).abs();
        assert!(difference < 4.0 * standard_error, "{one:?} {other:?}");
        assert!((one.normal_deviation / other.normal_deviation).ln().abs() < 0.6);
        // Codes of a draw differ from those of the next.
        let [first, second] = [0, 1].map(|draw| standard_normals_from(3, draw, 4, 2));
        assert_eq!(first, standard_normals(3, 4, 2));
        assert_eq!(
            second,
            standard_normals(3, 8, 2).slice(ndarray::s![4.., ..])
        );
    }

    #[test]
    fn an_empty_band_is_found_with_its_size() {
        // Unit square without its middle fifth.
        let mut codes = uniforms(6, 8000, 2);
        codes
            .column_mut(0)
            .mapv_inplace(|x| if x < 0.5 { 0.8 * x } else { 0.8 * x + 0.2 });
        let found = gaps(codes.view(), 40, 0.0, 1).unwrap();
        assert!((found.empty_share - 0.2).abs() < 0.02, "{found:?}");
        let line = Array2::from_shape_fn((100, 2), |(i, _)| i as f32);
        assert!(gaps(line.view(), 10, 0.0, 1).is_err());
    }
}
