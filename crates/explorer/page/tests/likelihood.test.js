'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { naivePass, opened, plainData, plainModel } = require('./cases.js');
const { loadPage } = require('./page.js');

const page = loadPage();

const near = (found, expected, most) => assert.ok(Math.abs(found - expected) <= most, `${found} for ${expected}`);

// ∫₀¹ xᵖ e^(a·x − max(a, 0)) dx by Gauss–Legendre, three points on each part.
function integral(a, power) {
  const parts = 20000;
  const nodes = [[0, 8 / 9], [Math.sqrt(0.6), 5 / 9], [-Math.sqrt(0.6), 5 / 9]];
  let sum = 0;
  for (let part = 0; part < parts; part++) {
    for (const [node, weight] of nodes) {
      const x = (part + 0.5 + 0.5 * node) / parts;
      sum += 0.5 / parts * weight * x ** power * Math.exp(a * x - Math.max(a, 0));
    }
  }
  return sum;
}

test('the continuous Bernoulli is the integral, near ½ and far out', () => {
  for (const size of [0, 1e-6, 1e-3, 0.3, 0.999, 1, 1.001, 5, 50, 1070]) {
    for (const a of size ? [-size, size] : [0]) {
      const total = integral(a, 0);
      const mean = integral(a, 1) / total;
      const scale = Math.max(1, size);
      near(page.continuousBernoulliLoss(a, 0.25), Math.log(total) + Math.max(a, 0) - 0.25 * a, 1e-11 * scale);
      near(page.continuousBernoulliMean(a), mean, 1e-11);
      near(page.continuousBernoulliVariance(a), integral(a, 2) / total - mean ** 2, 1e-11);
    }
  }
  assert.equal(page.continuousBernoulliMean(0), 0.5);
  assert.equal(page.continuousBernoulliLoss(0, 0.7), 0);
  near(page.continuousBernoulliVariance(0), 1 / 12, 1e-16);
  // ln(e¹⁰⁷⁰/1070) overflows where it is taken as it stands.
  near(page.continuousBernoulliLoss(1070, 1), -Math.log(1070), 1e-12);
  near(page.continuousBernoulliLoss(-1070, 0), -Math.log(1070), 1e-12);
  near(page.continuousBernoulliLoss(1070, 0), 1070 - Math.log(1070), 1e-12);
});

test('a Bernoulli keeps its digits at any logit', () => {
  near(page.bernoulliLoss(0, 0.3), Math.LN2, 1e-16);
  near(page.bernoulliLoss(50, 1), 1.9287498479639178e-22, 1e-36);
  near(page.bernoulliLoss(-50, 0), 1.9287498479639178e-22, 1e-36);
  assert.equal(page.bernoulliLoss(1070, 0), 1070);
  assert.equal(page.bernoulliLoss(-1070, 0), 0);
  assert.equal(page.bernoulliLoss(-1070, 1), 1070);
});

const sigmoid = (a) => 1 / (1 + Math.exp(-a));
const normalLoss = (m, x, sigma) => 0.5 * ((m - x) / sigma) ** 2 + Math.log(sigma) + 0.5 * Math.log(2 * Math.PI);
const perPixel = Array.from({ length: 12 }, (_, k) => -1 + k / 10);

const CASES = {
  bernoulli: [{}, (a, x) => -x * Math.log(sigmoid(a)) - (1 - x) * Math.log(1 - sigmoid(a)), sigmoid],
  'continuous Bernoulli': [{ name: 'continuous-bernoulli' },
    (a, x) => -Math.log(a / Math.expm1(a)) - a * x, (a) => 1 / (1 - Math.exp(-a)) - 1 / a],
  'fixed σ': [{ name: 'gaussian', sigma: 'fixed', log_sigma: [Math.log(0.1)] }, (a, x) => normalLoss(sigmoid(a), x, 0.1), sigmoid],
  'a Laplace density': [{ name: 'laplace', sigma: 'fixed', log_sigma: [-1], density: { degree: 1, factor: Math.SQRT2, constant: 0.5 * Math.LN2 } },
    (a, x) => Math.SQRT2 * Math.abs(sigmoid(a) - x) * Math.E + 0.5 * Math.LN2 - 1, sigmoid],
  'one σ': [{ name: 'gaussian-identity', sigma: 'scalar', log_sigma: [0.4] }, (a, x) => normalLoss(a, x, Math.exp(0.4)), (a) => a],
  'a σ of each value': [{ name: 'gaussian-identity', sigma: 'per-pixel', log_sigma: perPixel },
    (a, x, k) => normalLoss(a, x, Math.exp(perPixel[k])), (a) => a],
  'σ of the decoder': [{ name: 'gaussian', sigma: 'decoder', log_sigma: null },
    (a, x, k, outputs) => normalLoss(sigmoid(a), x, Math.exp(outputs[12 + k])), sigmoid],
  'σ of the decoder, means as they are': [{ name: 'gaussian-identity', sigma: 'decoder', log_sigma: null },
    (a, x, k, outputs) => normalLoss(a, x, Math.exp(outputs[12 + k])), (a) => a],
};

for (const [name, [likelihood, lossOf, meanOf]] of Object.entries(CASES)) {
  test(`loss and mean of ${name} follow the formula`, async () => {
    const { model } = await opened(page, plainModel({ likelihood }));
    const x = Float32Array.from({ length: 12 }, (_, k) => k / 11);
    for (const z of [[0.3, -1], [2, 1.5], [0, 0]]) {
      const outputs = naivePass(model.decoder, z);
      const expected = outputs.slice(0, 12).reduce((sum, a, k) => sum + lossOf(a, x[k], k, outputs), 0);
      near(page.reconstructionLoss(model, z, x), expected, 1e-4 * Math.abs(expected) * (likelihood.log_sigma ? 1e-2 : 1e-4) + 1e-6);
      page.decode(model, z).forEach((mean, k) => near(mean, meanOf(outputs[k]), 1e-6));
    }
  });
}

test('KL is zero of the prior and known of others', () => {
  assert.deepEqual(Array.from(page.klDivergence([0, 0], [0, 0])), [0, 0]);
  const [a, b] = page.klDivergence(Float32Array.of(2, 0), Float32Array.of(0, Math.log(4)));
  near(a, 2, 1e-15);
  near(b, 0.5 * (4 - Math.log(4) - 1), 1e-6);
  assert.equal(page.klDivergence([1], null), null);
});

test('more samples only tighten the bound, and one has no gap', async () => {
  const { model } = await opened(page, plainModel({ hidden: [9] }));
  const x = Float32Array.from({ length: 12 }, (_, k) => k % 2);
  for (let seed = 0; seed < 20; seed++) {
    const one = page.bound(model, x, 1, seed);
    near(one.iwae, one.elbo, 1e-12 * Math.abs(one.elbo));
    const many = page.bound(model, x, 30, seed);
    assert.ok(many.iwae < many.elbo);
    assert.deepEqual(page.bound(model, x, 30, seed), many);
  }
  assert.notEqual(page.bound(model, x, 30, 1).elbo, page.bound(model, x, 30, 2).elbo);
  // The ELBO is the mean loss plus KL.
  const { mean, logVariance } = page.encode(model, x);
  const kl = page.klDivergence(mean, logVariance).reduce((sum, value) => sum + value, 0);
  const normal = page.normalDeviates(77);
  let loss = 0;
  for (let sample = 0; sample < 20000; sample++) {
    loss += page.reconstructionLoss(model, Array.from(mean, (mu, l) => mu + Math.exp(0.5 * logVariance[l]) * normal()), x) / 20000;
  }
  near(page.bound(model, x, 20000, 5).elbo, loss + kl, 0.1);
});

// x = w·z + b + σε is normal with variance w² + σ².
test('the bound of a linear model comes to its likelihood', async () => {
  const plain = plainModel({
    inputs: 1, latent: 1, encoder: [], images: 2, log_variance: [[0], [0]], likelihood: { name: 'gaussian-identity', sigma: 'fixed', log_sigma: [Math.log(0.5)] },
    decoder: [{ weights: [[1.5]], biases: [0.25], activation: 'identity' }],
    head: { weights: [[0.5], [0]], biases: [0, -1.5], activation: 'identity' },
  });
  const { model } = await opened(page, plain);
  const expected = normalLoss(0.25, 1.2, Math.sqrt(1.5 ** 2 + 0.25));
  const found = page.bound(model, [1.2], 20000, 3);
  near(found.iwae, expected, 0.01);
  assert.ok(found.elbo > expected);
});

test('what is not variational, or has no encoder, has no bound', async () => {
  const x = new Float32Array(12);
  for (const parts of [{ kind: 'ae' }, { kind: 'ae-l2' }, { encoder: null, head: null }]) {
    const { model } = await opened(page, plainModel(parts), plainData());
    assert.equal(page.bound(model, x, 5, 0), null);
  }
});

test('deviates have the moments and tails of the normal distribution', () => {
  const normal = page.normalDeviates(12);
  const n = 200000;
  const sums = [0, 0, 0, 0];
  let beyond = 0;
  let neighbours = 0;
  let before = 0;
  for (let k = 0; k < n; k++) {
    const e = normal();
    for (let p = 0; p < 4; p++) sums[p] += e ** (p + 1) / n;
    if (Math.abs(e) > 2) beyond++;
    neighbours += e * before / n;
    before = e;
  }
  [0, 1, 0, 3].forEach((moment, p) => near(sums[p], moment, 0.05));
  near(beyond / n, 0.0455, 0.002);
  near(neighbours, 0, 0.01);
  // Seeds that follow one another have nothing in common.
  let across = 0;
  for (let seed = 0; seed < 20000; seed++) across += page.normalDeviates(seed)() * page.normalDeviates(seed + 1)() / 20000;
  near(across, 0, 0.03);
});
