'use strict';

// Shortest paths between codes in the decoder's own metric: the method of
// crates/evaluation/src/geodesic.rs.

const PATH_MOST_STEPS = 60;
// It ends when a step saves less than this share of the energy.
const PATH_TOLERANCE = 1e-6;
// Dampings tried in a step, each ten times the one before.
const PATH_MOST_DAMPINGS = 12;

// A path of so many segments between two codes that is short as a curve of mean
// images g(z) (Arvanitidis, Hansen & Hauberg 2018; Shao, Kumar & Fletcher 2018).
//
// Its energy is E = ½ Σ ‖rᵢ‖², rᵢ = g(zᵢ₊₁) − g(zᵢ), with ∂E/∂zᵢ = Jᵢᵀ(rᵢ₋₁ − rᵢ).
// Levenberg–Marquardt steps δ solve (H + λ diag H) δ = −∂E with the Gauss–Newton
// matrix H, whose blocks are Hᵢᵢ = 2 JᵢᵀJᵢ and Hᵢ,ᵢ₊₁ = −JᵢᵀJᵢ₊₁. None that raises
// the energy is taken: what comes out is a minimum near the straight path.
//
// A generator: yields {step, energy} of the straight path and after every step,
// returns {straight, shortest}, each {codes: [code …], length}.
function* geodesic(model, from, to, segments) {
  const codes = Array.from({ length: segments + 1 }, (_, row) =>
    Float64Array.from(from, (start, l) => start + row / segments * (to[l] - start)));
  let at = pathOf(model, codes);
  const straight = { codes: at.codes, length: at.length };
  let damping = 1e-3;
  yield { step: 0, energy: at.energy };
  for (let step = 1; step <= PATH_MOST_STEPS && segments > 1; step++) {
    const equations = normalEquations(model, at);
    let saved = 0;
    for (let attempt = 0; attempt < PATH_MOST_DAMPINGS; attempt++) {
      const solution = solvedBand(equations, damping);
      const next = solution && pathOf(model, movedCodes(at.codes, solution));
      if (next && next.energy < at.energy) {
        saved = 1 - next.energy / at.energy;
        at = next;
        damping = Math.max(damping * 0.2, 1e-9);
        break;
      }
      damping *= 10;
    }
    yield { step, energy: at.energy };
    if (!(saved >= PATH_TOLERANCE)) break;
  }
  // Constant speed has least energy, not always least length.
  const shortest = at.length <= straight.length ? { codes: at.codes, length: at.length } : straight;
  return { straight, shortest };
}

// Codes with their mean images, and energy and length of the curve of these.
function pathOf(model, codes) {
  const images = codes.map((code) => decode(model, code));
  let [energy, length] = [0, 0];
  for (let row = 1; row < images.length; row++) {
    const [a, b] = [images[row - 1], images[row]];
    let square = 0;
    for (let k = 0; k < a.length; k++) square += (a[k] - b[k]) * (a[k] - b[k]);
    energy += 0.5 * square;
    length += Math.sqrt(square);
  }
  return { codes, images, energy, length };
}

function movedCodes(codes, step) {
  const last = codes.length - 1;
  return codes.map((code, row) => row === 0 || row === last ? code
    : code.map((value, l) => value - step[(row - 1) * code.length + l]));
}

// H and ∂E of the inner codes one after the other. The matrix is kept as a band:
// entry (i, i − d) of the lower triangle at i·width + d.
function normalEquations(model, { codes, images }) {
  const { latent } = model;
  const inner = codes.length - 2;
  const width = 2 * latent;
  const size = inner * latent;
  const band = new Float64Array(size * width);
  const slope = new Float64Array(size);
  const units = Array.from({ length: latent }, (_, l) => unitCode(latent, l));
  let before = null;
  for (let row = 0; row < inner; row++) {
    const { tangents } = decodeWithTangents(model, codes[row + 1], units);
    const [previous, own, next] = [images[row], images[row + 1], images[row + 2]];
    const bend = Float64Array.from(own, (value, k) => 2 * value - previous[k] - next[k]);
    for (let l = 0; l < latent; l++) {
      const i = row * latent + l;
      slope[i] = innerProduct(tangents[l], bend);
      for (let m = 0; m <= l; m++) band[i * width + l - m] = 2 * innerProduct(tangents[l], tangents[m]);
      if (!before) continue;
      for (let m = 0; m < latent; m++) band[i * width + latent + l - m] = -innerProduct(tangents[l], before[m]);
    }
    before = tangents;
  }
  return { band, slope, width };
}

// The solution of (A + λ diag A) x = b by Cholesky's decomposition within the
// band (Golub & Van Loan, Matrix Computations, §4.3.5); null where the matrix is
// not positive.
function solvedBand({ band, slope, width }, damping) {
  const size = slope.length;
  const lower = Float64Array.from(band);
  let largest = 0;
  for (let i = 0; i < size; i++) largest = Math.max(largest, band[i * width]);
  for (let i = 0; i < size; i++) {
    // A direction in which nothing changes has no curvature of its own.
    lower[i * width] += damping * Math.max(band[i * width], 1e-12 * largest);
  }
  const x = Float64Array.from(slope);
  for (let i = 0; i < size; i++) {
    const first = Math.max(0, i - width + 1);
    for (let j = first; j <= i; j++) {
      let sum = lower[i * width + i - j];
      for (let k = Math.max(first, j - width + 1); k < j; k++) sum -= lower[i * width + i - k] * lower[j * width + j - k];
      if (j < i) {
        lower[i * width + i - j] = sum / lower[j * width];
      } else {
        if (!(sum > 0 && sum < Infinity)) return null;
        lower[i * width] = Math.sqrt(sum);
      }
    }
    for (let k = first; k < i; k++) x[i] -= lower[i * width + i - k] * x[k];
    x[i] /= lower[i * width];
  }
  for (let i = size - 1; i >= 0; i--) {
    x[i] /= lower[i * width];
    for (let k = Math.max(0, i - width + 1); k < i; k++) x[k] -= lower[i * width + i - k] * x[i];
  }
  return x;
}
