//! The aggregate posterior q(z) = (1/N) Σ q(z|x_i) of a 2-D model on a lattice,
//! held against the prior.

use std::f64::consts::SQRT_2;
use std::ops::Range;

use ndarray::{Array1, Array2, ArrayView2, s};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::blocks::blocks;
use crate::distributions::{chi_square_quantile, erfc, erfcx};
use crate::error::{Result, require, require_array, require_posteriors};

/// A square lattice of cells centred on the origin of the latent plane.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Lattice {
    /// The lattice covers −half_width … half_width on both axes.
    pub half_width: f64,
    /// Cells along each side.
    pub cells: usize,
}

impl Lattice {
    /// 401 × 401 cells over −8 … 8: the prior's mass outside is 2.5e-15, and a
    /// cell of 0.04 is below the posterior radii that 2-D models reach.
    pub const STANDARD: Self = Self {
        half_width: 8.0,
        cells: 401,
    };

    /// Side of a cell.
    pub fn step(&self) -> f64 {
        2.0 * self.half_width / self.cells as f64
    }

    /// Centre of cell `index` along an axis.
    pub fn centre(&self, index: usize) -> f64 {
        (index as f64 + 0.5) * self.step() - self.half_width
    }

    fn edge(&self, index: usize) -> f64 {
        index as f64 * self.step() - self.half_width
    }
}

/// ln of the mass of q(z) in every cell of a lattice.
#[derive(Debug, Clone)]
pub struct AggregateMass {
    /// The lattice.
    pub lattice: Lattice,
    /// ln mass, [row, column] with z₂ ascending over rows and z₁ over columns.
    pub ln_mass: Array2<f64>,
    /// Mass of q(z) outside the lattice.
    pub outside: f64,
    /// Posteriors aggregated.
    pub n: usize,
}

/// q(z) held against the prior p(z) = N(0, I).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PriorComparison {
    /// KL(q(z) ‖ p(z)) in nats: large where codes lie outside the prior.
    pub kl_from_prior: f64,
    /// KL(p(z) ‖ q(z)) in nats: large where the prior has holes; `None` where
    /// q(z) is so small in a cell that its logarithm is no number.
    pub kl_to_prior: Option<f64>,
    /// ½ Σ |q − p|, from 0 to 1.
    pub total_variation: f64,
    /// q(z)/p(z) below which a cell belongs to a hole.
    pub hole_threshold: f64,
    /// Prior mass of those cells: the share of samples z ~ p that no image's
    /// posterior explains.
    pub hole_mass: f64,
    /// Mass of q outside the ball that holds 95 % of the prior: 0.05 if q = p.
    pub mass_outside_prior: f64,
    /// Mass of q outside the lattice, counted as one more cell above.
    pub mass_outside_lattice: f64,
}

/// Aggregates posteriors N(μ_i, diag σ_i²) given by means [n, 2] and log σ²
/// [n, 2].
///
/// Every cell gets the posterior's exact mass (differences of normal
/// distribution functions), not the density at its centre: masses sum to one
/// however narrow the posteriors are. Cells that underflow are filled from the
/// largest single posterior in log space, an error of at most ln n nats on
/// values below −640 nats. Posteriors are added in fixed groups: the result is
/// the same for any number of threads. 10,000 posteriors take about a second.
///
/// # Errors
/// Arrays that are not [n, 2] and alike, that are empty, or not finite; a
/// posterior narrower than e⁻⁴⁰ or wider than e⁴⁰.
pub fn aggregate_mass(
    means: ArrayView2<'_, f32>,
    log_variances: ArrayView2<'_, f32>,
    lattice: Lattice,
) -> Result<AggregateMass> {
    require_array("the array of posterior means", &means, 1, Some(2))?;
    require_posteriors(&means, &log_variances, LARGEST_LOG_VARIANCE_OF_DENSITIES)?;
    require(
        lattice.cells > 0 && lattice.half_width.is_finite() && lattice.half_width > 0.0,
        "the lattice",
        format_args!("{lattice:?}"),
        "at least one cell and a positive half width",
    )?;
    let n = means.nrows();
    let axes = |image: usize| {
        [0, 1].map(|axis| {
            let sigma = (0.5 * f64::from(log_variances[[image, axis]])).exp();
            (f64::from(means[[image, axis]]), sigma)
        })
    };
    let groups = blocks(n, n.div_ceil(GROUPS).max(1));
    let partial: Vec<(Array2<f64>, f64)> = groups
        .par_iter()
        .map(|group| linear_mass(group.clone().map(axes), lattice))
        .collect();
    let mut mass = Array2::<f64>::zeros((lattice.cells, lattice.cells));
    let mut outside = 0.0;
    for (part, out) in &partial {
        mass += part;
        outside += out;
    }
    drop(partial);
    mass /= n as f64;
    let mut ln_mass = mass.mapv(f64::ln);
    let rows = mass.rows().into_iter();
    let underflown: Vec<bool> = rows.map(|row| row.iter().any(|&m| m < UNDERFLOW)).collect();
    if underflown.contains(&true) {
        let largest: Vec<Array2<f32>> = groups
            .par_iter()
            .map(|group| largest_ln_mass(group.clone().map(axes), lattice, &underflown))
            .collect();
        for ((cell, ln), &m) in ln_mass.indexed_iter_mut().zip(&mass) {
            if m < UNDERFLOW {
                let of_groups = largest.iter().map(|largest| largest[cell]);
                let best = of_groups.fold(f32::NEG_INFINITY, f32::max);
                *ln = f64::from(best) - (n as f64).ln();
            }
        }
    }
    Ok(AggregateMass {
        lattice,
        ln_mass,
        outside: outside / n as f64,
        n,
    })
}

impl AggregateMass {
    /// Mean density of q(z) in each cell, for drawing: [row, column] as
    /// `ln_mass`.
    pub fn density(&self) -> Array2<f64> {
        let area = self.lattice.step().powi(2);
        self.ln_mass.mapv(|ln| ln.exp() / area)
    }

    /// ln q(z)/p(z) of each cell: 0 where prior and aggregate agree.
    pub fn ln_ratio_to_prior(&self) -> Array2<f64> {
        let prior = ln_interval_masses(self.lattice, 0.0, 1.0);
        Array2::from_shape_fn(self.ln_mass.raw_dim(), |(row, column)| {
            self.ln_mass[[row, column]] - prior[row] - prior[column]
        })
    }

    /// Divergences between q(z) and the prior, holes and overflow.
    ///
    /// All are those of the two distributions after rounding to cells, hence
    /// lower bounds that tighten with the lattice (data-processing inequality).
    /// KL(p ‖ q) is dominated by how thin the tails of narrow posteriors are
    /// where no code lies, and is large for every model with small σ; total
    /// variation and `hole_mass` are the steadier numbers. No standard
    /// threshold of a hole exists; 0.1 is this project's.
    ///
    /// q(z) of n test posteriors is spikier than that of the population when
    /// the posteriors are narrow: for σ of 0.05, use the training set's 60,000,
    /// and give n.
    pub fn against_prior(&self, hole_threshold: f64) -> PriorComparison {
        let prior = ln_interval_masses(self.lattice, 0.0, 1.0);
        let ball = chi_square_quantile(0.95, 2.0);
        let mut found = PriorComparison {
            kl_from_prior: 0.0,
            kl_to_prior: None,
            total_variation: 0.0,
            hole_threshold,
            hole_mass: 0.0,
            mass_outside_prior: self.outside,
            mass_outside_lattice: self.outside,
        };
        let mut kl_to_prior = 0.0;
        for ((row, column), &ln_q) in self.ln_mass.indexed_iter() {
            let ln_p = prior[row] + prior[column];
            let (q, p) = (ln_q.exp(), ln_p.exp());
            if q > 0.0 {
                found.kl_from_prior += q * (ln_q - ln_p);
            }
            kl_to_prior += p * (ln_p - ln_q);
            found.total_variation += 0.5 * (q - p).abs();
            if ln_q - ln_p < hole_threshold.ln() {
                found.hole_mass += p;
            }
            let radius = self.lattice.centre(row).powi(2) + self.lattice.centre(column).powi(2);
            if radius > ball {
                found.mass_outside_prior += q;
            }
        }
        let tail = erfc(self.lattice.half_width / SQRT_2);
        let p_outside = 2.0 * tail - tail * tail;
        found.total_variation += 0.5 * (self.outside - p_outside).abs();
        if self.outside > 0.0 && p_outside > 0.0 {
            found.kl_from_prior += self.outside * (self.outside / p_outside).ln();
            kl_to_prior += p_outside * (p_outside / self.outside).ln();
        }
        found.kl_to_prior = Some(kl_to_prior).filter(|kl| kl.is_finite());
        found
    }
}

/// Beyond it σ² or its reciprocal is no finite number of f64.
pub(crate) const LARGEST_LOG_VARIANCE: f32 = 700.0;

/// Beyond it a density or the logarithm of a mass is no finite number of f32.
pub(crate) const LARGEST_LOG_VARIANCE_OF_DENSITIES: f32 = 80.0;

/// Below this a cell's mass is taken from log space.
const UNDERFLOW: f64 = 1e-280;
/// Products of two axis masses stay clear of subnormal numbers, which are slow.
const SMALLEST_AXIS_MASS: f64 = 1e-150;
const GROUPS: usize = 16;

/// μ and σ of a posterior along both axes.
type Axes = [(f64, f64); 2];

/// Sum of the masses of posteriors in every cell, and of those beyond.
fn linear_mass(posteriors: impl Iterator<Item = Axes>, lattice: Lattice) -> (Array2<f64>, f64) {
    let mut mass = Array2::<f64>::zeros((lattice.cells, lattice.cells));
    let mut outside = 0.0;
    for axes in posteriors {
        let [(xs, x_from, x_out), (ys, y_from, y_out)] =
            axes.map(|(mu, sigma)| axis_mass(lattice, mu, sigma));
        outside += x_out + y_out - x_out * y_out;
        let mut reached = mass.slice_mut(s![y_from.., x_from..x_from + xs.len()]);
        for (mut cells, y) in reached.rows_mut().into_iter().zip(ys) {
            cells.zip_mut_with(&xs, |cell, x| *cell += x * y);
        }
    }
    (mass, outside)
}

/// Masses of N(μ, σ²) in the cells where they count, the first such cell, and
/// the mass beyond the lattice.
fn axis_mass(lattice: Lattice, mu: f64, sigma: f64) -> (Array1<f64>, usize, f64) {
    // ½ erfc(26.5/√2) is 5e-155.
    let reach = 26.5 * sigma;
    let cell = |z: f64| {
        (((z + lattice.half_width) / lattice.step()).floor().max(0.0) as usize).min(lattice.cells)
    };
    let (from, to) = (cell(mu - reach), (cell(mu + reach) + 1).min(lattice.cells));
    let beside = |near: Edge, far: Edge| near.tail - far.tail;
    let around = |lower: Edge, upper: Edge| 1.0 - lower.tail - upper.tail;
    let mut masses = of_cells(lattice, from..to, mu, sigma, erfc, beside, around);
    masses.mapv_inplace(|mass| if mass < SMALLEST_AXIS_MASS { 0.0 } else { mass });
    let beyond = |t: f64| 0.5 * erfc(t / SQRT_2);
    let outside =
        beyond((lattice.half_width - mu) / sigma) + beyond((lattice.half_width + mu) / sigma);
    (masses, from, outside)
}

/// ln of the mass of N(μ, σ²) in every cell of an axis, finite however far out.
fn ln_interval_masses(lattice: Lattice, mu: f64, sigma: f64) -> Array1<f64> {
    // A tail is exp(−t²/2) times the scaled one.
    let beside = |near: Edge, far: Edge| {
        let ratio = (0.5 * (near.t * near.t - far.t * far.t)).exp();
        -0.5 * near.t * near.t + (near.tail - far.tail * ratio).ln()
    };
    let tail = |edge: Edge| edge.tail * (-0.5 * edge.t * edge.t).exp();
    let around = |lower: Edge, upper: Edge| (-(tail(lower) + tail(upper))).ln_1p();
    of_cells(lattice, 0..lattice.cells, mu, sigma, erfcx, beside, around)
}

/// The edge of a cell: its distance t from μ in σ, and ½ of a tail function at
/// |t|/√2.
#[derive(Clone, Copy)]
struct Edge {
    t: f64,
    tail: f64,
}

/// A function of N(μ, σ²) in some cells of an axis, from the tails beyond both
/// edges of a cell: of one that lies `beside` μ, where it is a difference of
/// small tails, those beyond the nearer and the farther edge; of the one `around`
/// μ, those beyond the lower and the upper.
fn of_cells(
    lattice: Lattice,
    cells: Range<usize>,
    mu: f64,
    sigma: f64,
    tail: impl Fn(f64) -> f64,
    beside: impl Fn(Edge, Edge) -> f64,
    around: impl Fn(Edge, Edge) -> f64,
) -> Array1<f64> {
    let edge = |index: usize| {
        let t = (lattice.edge(index) - mu) / sigma;
        let tail = 0.5 * tail(t.abs() / SQRT_2);
        Edge { t, tail }
    };
    let mut lower = edge(cells.start);
    let of_cell = |index: usize| {
        let (below, upper) = (lower, edge(index + 1));
        lower = upper;
        match (below.t >= 0.0, upper.t <= 0.0) {
            (true, _) => beside(below, upper),
            (_, true) => beside(upper, below),
            _ => around(below, upper),
        }
    };
    cells.map(of_cell).collect()
}

/// Largest ln mass that a single posterior has in each cell, for the marked
/// rows. f32 resolves 4e-5 at −640 and halves the time.
fn largest_ln_mass(
    posteriors: impl Iterator<Item = Axes>,
    lattice: Lattice,
    rows: &[bool],
) -> Array2<f32> {
    let mut largest = Array2::from_elem((lattice.cells, lattice.cells), f32::NEG_INFINITY);
    for axes in posteriors {
        let [xs, ys] =
            axes.map(|(mu, sigma)| ln_interval_masses(lattice, mu, sigma).mapv(|ln| ln as f32));
        let lines = largest.rows_mut().into_iter().zip(ys).zip(rows);
        for ((mut cells, y), _) in lines.filter(|(_, marked)| **marked) {
            cells.zip_mut_with(&xs, |cell, x| {
                let ln = x + y;
                *cell = if ln > *cell { ln } else { *cell };
            });
        }
    }
    largest
}

#[cfg(test)]
mod tests;
