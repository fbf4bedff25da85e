'use strict';

// The aggregate posterior (1/n) Σ N(μᵢ, Σᵢ) on a lattice of cells.

// Deviations from its mean beyond which a posterior counts for nothing: 6e-5 of
// its mass lies there on each axis.
const DENSITY_REACH = 4;

// Mean density in each cell of a lattice over `box`, [rows × columns] with the
// first row at the lower end of the second axis. `points` are [u, v, u, v …];
// `variances` are of each point [uu, vv] or, with the covariance, [uu, vv, uv].
// Without them every point has a kernel of Scott's width.
//
// A cell gets the mass in it, no value at its centre: masses sum to one however
// narrow a posterior is (crates/evaluation/src/aggregate_posterior.rs).
function density(points, variances, box, columns, rows) {
  const lattice = new Float64Array(rows * columns);
  const u = densityAxis(box[0], columns);
  const v = densityAxis(box[1], rows);
  const kernel = variances ? null : scottVariances(points);
  const stride = variances ? variances.length / (points.length / 2) : 2;
  let count = 0;
  for (let row = 0; 2 * row < points.length; row++) {
    const [x, y] = [points[2 * row], points[2 * row + 1]];
    const uu = kernel ? kernel[0] : variances[stride * row];
    const vv = kernel ? kernel[1] : variances[stride * row + 1];
    const uv = stride === 3 ? variances[stride * row + 2] : 0;
    if (!Number.isFinite(x + y + uu + vv + uv)) continue;
    count++;
    axisMasses(v, y, Math.sqrt(vv));
    if (uv === 0) {
      axisMasses(u, x, Math.sqrt(uu));
      addOuterProduct(lattice, columns, u, v);
    } else {
      addSlanted(lattice, columns, u, v, x, y, uu, vv, uv);
    }
  }
  const scale = 1 / (Math.max(1, count) * u.step * v.step);
  return Float32Array.from(lattice, (mass) => mass * scale);
}

function densityAxis([low, high], cells) {
  return { low, step: (high - low) / cells, cells, masses: new Float64Array(cells), from: 0, to: 0 };
}

// Masses of N(mean, deviation²) in the cells of an axis that it reaches.
function axisMasses(axis, mean, deviation) {
  // What has no width lies in one cell.
  const width = Math.max(deviation, 1e-6 * axis.step);
  const { low, step, cells, masses } = axis;
  const reach = DENSITY_REACH * width;
  axis.from = Math.min(cells, Math.max(0, Math.floor((mean - reach - low) / step)));
  axis.to = Math.max(axis.from, Math.min(cells, Math.floor((mean + reach - low) / step) + 1));
  const scale = step / width;
  let edge = (low + axis.from * step - mean) / width;
  let below = normalDistribution(edge);
  for (let cell = axis.from; cell < axis.to; cell++) {
    edge += scale;
    const above = normalDistribution(edge);
    masses[cell] = above - below;
    below = above;
  }
}

function addOuterProduct(lattice, columns, u, v) {
  const { from, to, masses } = u;
  for (let row = v.from; row < v.to; row++) {
    const share = v.masses[row];
    const start = row * columns;
    for (let column = from; column < to; column++) lattice[start + column] += share * masses[column];
  }
}

// Row after row: in a row the first coordinate is normal about the line of
// regression on the second, taken at the second's mean within the row.
function addSlanted(lattice, columns, u, v, x, y, uu, vv, uv) {
  const deviation = Math.sqrt(vv);
  const slope = uv / vv;
  const remaining = Math.max(0, uu - slope * uv);
  const width = Math.sqrt(remaining + slope * slope * Math.min(vv, v.step * v.step / 12));
  for (let row = v.from; row < v.to; row++) {
    const share = v.masses[row];
    if (!(share > 0)) continue;
    const low = (v.low + row * v.step - y) / deviation;
    const high = low + v.step / deviation;
    // Mean of a normal variable between two bounds.
    const mean = deviation * (normalDensity(low) - normalDensity(high)) / share;
    const within = Math.min(deviation * high, Math.max(deviation * low, mean));
    axisMasses(u, x + slope * within, width);
    const start = row * columns;
    for (let column = u.from; column < u.to; column++) lattice[start + column] += share * u.masses[column];
  }
}

// The kernel of Scott's rule, h = s·n^(−1/6) in two dimensions, with s the
// smaller of deviation and interquartile range/1.349 (as
// crates/evaluation/src/class_areas.rs): its variances [uu, vv].
function scottVariances(points) {
  return [0, 1].map((axis) => {
    const values = Float64Array.from({ length: points.length / 2 }, (_, row) => points[2 * row + axis])
      .filter(Number.isFinite).sort();
    const count = values.length;
    if (count === 0) return 0;
    const mean = values.reduce((sum, value) => sum + value, 0) / count;
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count);
    const quartile = (share) => values[Math.round(share * (count - 1))];
    const spread = (quartile(0.75) - quartile(0.25)) / 1.349;
    return (spread > 0 ? Math.min(deviation, spread) : deviation) ** 2 * count ** (-1 / 3);
  });
}

const normalDensity = (t) => Math.exp(-0.5 * t * t) / Math.sqrt(2 * Math.PI);

const DISTRIBUTION_STEPS = 256;
const DISTRIBUTION_REACH = 6;

// Φ at steps of 1/256 from −6, by Simpson's rule.
const normalTable = (() => {
  const table = new Float64Array(2 * DISTRIBUTION_REACH * DISTRIBUTION_STEPS + 2);
  const step = 1 / DISTRIBUTION_STEPS;
  for (let k = 1; k < table.length; k++) {
    const t = (k - 1) * step - DISTRIBUTION_REACH;
    table[k] = table[k - 1] + step / 6 * (normalDensity(t) + 4 * normalDensity(t + step / 2) + normalDensity(t + step));
  }
  return table;
})();

// Φ, linear between its tabled values: within 5e-7.
function normalDistribution(t) {
  const place = (t + DISTRIBUTION_REACH) * DISTRIBUTION_STEPS;
  if (!(place > 0)) return 0;
  if (place >= normalTable.length - 2) return 1;
  const at = Math.floor(place);
  return normalTable[at] + (place - at) * (normalTable[at + 1] - normalTable[at]);
}
