'use strict';

// Means, losses and bounds under the likelihoods that a model can have.

// B₂ₙ / (2n)! for n = 1, 2, …, with Bernoulli's numbers: at |a| = 1 the first
// term left out is below 1e-17.
const BERNOULLI_COEFFICIENTS = [
  1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000, 1 / 74724249600,
  -3617 / 10670622842880000, 43867 / 5109094217170944000, -174611 / 802857662698291200000,
];

// Σ cₙ·a²ⁿ⁻² · factor(n) of these coefficients.
function bernoulliSeries(square, factor) {
  let sum = 0;
  for (let n = BERNOULLI_COEFFICIENTS.length; n >= 1; n--) sum = sum * square + BERNOULLI_COEFFICIENTS[n - 1] * factor(n);
  return sum;
}

const logistic = (a) => 1 / (1 + Math.exp(-a));

// The continuous Bernoulli density with logit a is e^(a·x − A(a)) on [0, 1] with
//   A(a) = ln((eᵃ − 1)/a),  A′(a) = E[x] = 1/(1 − e⁻ᵃ) − 1/a,  A″(a) = Var[x]
// (Loaiza-Ganem & Cunningham 2019, arXiv 1907.06845). All are 0/0 at a = 0 and
// lose digits around it: below |a| = 1 they are summed as series in Bernoulli's
// numbers, whose radius of convergence is 2π.
function continuousBernoulliMean(a) {
  const b = Math.abs(a);
  if (b < 1) return 0.5 + a * bernoulliSeries(a * a, () => 1);
  const lower = 1 / b - Math.exp(-b) / -Math.expm1(-b);
  return a > 0 ? 1 - lower : lower;
}

function continuousBernoulliVariance(a) {
  const b = Math.abs(a);
  if (b < 1) return bernoulliSeries(a * a, (n) => 2 * n - 1);
  return 1 / (b * b) - Math.exp(-b) / Math.expm1(-b) ** 2;
}

// A(a) − a·x; the parts that grow with a are taken together first.
function continuousBernoulliLoss(a, x) {
  const b = Math.abs(a);
  if (b < 1) return (0.5 * a - a * x) + a * a * bernoulliSeries(a * a, (n) => 1 / (2 * n));
  return (Math.max(a, 0) - a * x) + Math.log(-Math.expm1(-b) / b);
}

const bernoulliLoss = (a, x) => (Math.max(a, 0) - a * x) + Math.log1p(Math.exp(-Math.abs(a)));

// Whether the decoder's outputs are the means.
const isIdentity = ({ name }) => name.endsWith('-identity');

// E[x] of the decoder's outputs, written to `to` and returned.
function likelihoodMeans(likelihood, outputs, to) {
  const mean = likelihood.name === 'continuous-bernoulli' ? continuousBernoulliMean : logistic;
  if (isIdentity(likelihood)) for (let k = 0; k < to.length; k++) to[k] = outputs[k];
  else for (let k = 0; k < to.length; k++) to[k] = mean(outputs[k]);
  return to;
}

// d E[x] / d output.
function likelihoodSlopes(likelihood, outputs, to) {
  if (isIdentity(likelihood)) return to.fill(1);
  if (likelihood.name === 'continuous-bernoulli') {
    for (let k = 0; k < to.length; k++) to[k] = continuousBernoulliVariance(outputs[k]);
    return to;
  }
  for (let k = 0; k < to.length; k++) {
    const m = logistic(outputs[k]);
    to[k] = m * (1 - m);
  }
  return to;
}

// −log p(x|z) in nats, of what the encoder takes; a density's may be negative.
function reconstructionLoss(model, z, x) {
  const outputs = decoderOutputs(model, z);
  const { name } = model.likelihood;
  let sum = 0;
  if (name === 'bernoulli') {
    for (let k = 0; k < model.values; k++) sum += bernoulliLoss(outputs[k], x[k]);
  } else if (name === 'continuous-bernoulli') {
    for (let k = 0; k < model.values; k++) sum += continuousBernoulliLoss(outputs[k], x[k]);
  } else {
    sum = densityLoss(model, outputs, x);
  }
  return sum;
}

// Σ of a density's −ln p = factor·(|m − x|/σ)^degree + ln σ + constant.
function densityLoss({ likelihood, values }, outputs, x) {
  const { log_sigma: given } = likelihood;
  const { degree, factor, constant } = likelihood.density;
  const isMean = isIdentity(likelihood);
  let sum = 0;
  for (let k = 0; k < values; k++) {
    const logSigma = likelihood.sigma === 'decoder' ? outputs[values + k] : given[given.length === 1 ? 0 : k];
    const difference = (isMean ? outputs[k] : logistic(outputs[k])) - x[k];
    sum += factor * (Math.abs(difference) * Math.exp(-logSigma)) ** degree + constant + logSigma;
  }
  return sum;
}

// KL(N(μ, σ²) ‖ N(0, 1)) by latent variable, in nats; null without σ.
function klDivergence(mean, logVariance) {
  if (!logVariance) return null;
  return Float64Array.from(mean, (mu, l) => 0.5 * (mu * mu + Math.exp(logVariance[l]) - logVariance[l] - 1));
}

// Bounds of −log p(x) from above, in nats, from K samples z = μ + σε with the
// weights log w = log p(x|z) + ½ Σ (ε² − z² + log σ²): the ELBO −(1/K) Σ log w
// and the importance-sampled −log (1/K) Σ w, which is never above it (Burda,
// Grosse & Salakhutdinov 2016) and the same for K = 1. Null of models that are
// not variational, and without the encoder.
function bound(model, x, samples, seed) {
  const posterior = model.kind === 'vae' ? encode(model, x) : null;
  if (!posterior || !posterior.logVariance) return null;
  const { mean, logVariance } = posterior;
  const normal = normalDeviates(seed);
  const z = new Float64Array(mean.length);
  const weights = new Float64Array(samples);
  for (let sample = 0; sample < samples; sample++) {
    let difference = 0;
    for (let l = 0; l < z.length; l++) {
      const epsilon = normal();
      z[l] = mean[l] + Math.exp(0.5 * logVariance[l]) * epsilon;
      difference += epsilon * epsilon - z[l] * z[l] + logVariance[l];
    }
    weights[sample] = 0.5 * difference - reconstructionLoss(model, z, x);
  }
  const largest = weights.reduce((most, weight) => Math.max(most, weight), -Infinity);
  let [sum, share] = [0, 0];
  for (const weight of weights) {
    sum += weight;
    share += Math.exp(weight - largest);
  }
  return { elbo: -sum / samples, iwae: -(largest + Math.log(share / samples)) };
}

// Uniform numbers within (0, 1) from a seed: PCG RXS-M-XS of 32 bits (O'Neill
// 2014, HMC-CS-2014-0905; as a hash, Jarzynski & Olano 2020, JCGT 9(3)).
function uniformDeviates(seed) {
  const permuted = (state) => {
    const word = Math.imul((state >>> ((state >>> 28) + 4)) ^ state, 277803737);
    return ((word >>> 22) ^ word) >>> 0;
  };
  // Seeds that follow one another begin far apart.
  let state = permuted((seed >>> 0) + 1);
  return () => {
    state = (Math.imul(state, 747796405) + 2891336453) >>> 0;
    return (permuted(state) + 0.5) / 4294967296;
  };
}

// Normal deviates from a seed, by Box & Muller 1958 (Ann. Math. Stat. 29:610).
function normalDeviates(seed) {
  const uniform = uniformDeviates(seed);
  let second = null;
  return () => {
    if (second !== null) {
      const deviate = second;
      second = null;
      return deviate;
    }
    const radius = Math.sqrt(-2 * Math.log(uniform()));
    const angle = 2 * Math.PI * uniform();
    second = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
}
