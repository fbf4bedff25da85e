'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { naivePass, numbersFrom, opened, plainModel } = require('./cases.js');
const { loadPage } = require('./page.js');

const page = loadPage();

const sigmoid = (a) => 1 / (1 + Math.exp(-a));

function assertNear(found, expected, most, message = '') {
  assert.equal(found.length, expected.length, message);
  for (let k = 0; k < found.length; k++) {
    assert.ok(Math.abs(found[k] - expected[k]) <= most, `${message} ${k}: ${found[k]} for ${expected[k]}`);
  }
}

const codesOf = (latent, count, seed = 5) => {
  const next = numbersFrom(seed);
  return Array.from({ length: count }, () => Float64Array.from({ length: latent }, () => 2 * next()));
};

for (const activation of ['relu', 'tanh', 'identity']) {
  for (const hidden of [[], [9], [9, 6], [13, 7, 5], [8, 7, 6, 5]]) {
    test(`${hidden.length} hidden layers of ${activation} are what plain loops make of them`, async () => {
      const { model } = await opened(page, plainModel({ activation, hidden, latent: 3 }));
      for (const z of codesOf(3, 4)) {
        assertNear(page.decode(model, z), naivePass(model.decoder, z).map(sigmoid), 1e-7);
      }
      const x = Float32Array.from({ length: 12 }, (_, k) => k % 3 === 0 ? 0 : Math.sin(k));
      const outputs = naivePass([...model.encoder, model.head], x);
      const { mean, logVariance } = page.encode(model, x);
      assertNear(mean, outputs.slice(0, 3), 1e-5);
      assertNear(logVariance, outputs.slice(3), 1e-5);
    });
  }
}

test('the head may give log σ, or no σ, or be left out', async () => {
  const x = new Float32Array(12).fill(0.5);
  const variance = await opened(page, plainModel({}));
  const sigma = await opened(page, plainModel({ posterior_scale: 'log-sigma' }));
  assertNear(page.encode(sigma.model, x).logVariance, page.encode(variance.model, x).logVariance.map((value) => 2 * value), 1e-6);
  const ae = await opened(page, plainModel({ kind: 'ae' }));
  assert.equal(page.encode(ae.model, x).logVariance, null);
  assert.equal(page.encode(ae.model, x).mean.length, 2);
  const without = await opened(page, plainModel({ encoder: null, head: null }));
  assert.equal(page.encode(without.model, x), null);
});

test('one pass does not change what another gave', async () => {
  const { model } = await opened(page, plainModel({}));
  const [a, b] = codesOf(2, 2);
  const first = page.decode(model, a);
  const kept = Array.from(first);
  page.decode(model, b);
  page.decodeWithTangents(model, b, [Float64Array.of(1, 0)]);
  assert.deepEqual(Array.from(first), kept);
  assert.deepEqual(Array.from(page.decode(model, a)), kept);
});

const LIKELIHOODS = [
  { name: 'bernoulli' }, { name: 'continuous-bernoulli' },
  { name: 'gaussian', sigma: 'fixed', log_sigma: [-1] },
  { name: 'gaussian', sigma: 'decoder', log_sigma: null },
  { name: 'gaussian-identity', sigma: 'scalar', log_sigma: [0.3] },
];

for (const likelihood of LIKELIHOODS) {
  for (const activation of ['relu', 'tanh']) {
    test(`tangents of ${likelihood.name} ${likelihood.sigma || ''} over ${activation} are slopes`, async () => {
      const { model } = await opened(page, plainModel({ likelihood, activation, hidden: [9, 7], latent: 3 }));
      const directions = [Float64Array.of(1, 0, 0), Float64Array.of(0, 0.6, 0.8), Float64Array.of(0, -0.8, 0.6)];
      for (const z of codesOf(3, 3)) {
        const { mean, tangents } = page.decodeWithTangents(model, z, directions);
        assert.deepEqual(mean, page.decode(model, z));
        assert.equal(mean.length, 12);
        directions.forEach((direction, k) => {
          const step = 1e-3;
          const moved = (sign) => page.decode(model, z.map((value, l) => value + sign * step * direction[l]));
          const [ahead, behind] = [moved(1), moved(-1)];
          assertNear(tangents[k], Array.from(ahead, (value, at) => (value - behind[at]) / (2 * step)), 4e-4, `direction ${k}`);
        });
      }
    });
  }
}

test('at a code of zeros tangents are those of the first layer', async () => {
  const { model } = await opened(page, plainModel({ hidden: [], likelihood: { name: 'gaussian-identity', sigma: 'fixed', log_sigma: [0] } }));
  const { tangents } = page.decodeWithTangents(model, Float64Array.of(0, 0), [Float64Array.of(0, 1)]);
  assertNear(tangents[0], Array.from({ length: 12 }, (_, o) => model.decoder[0].weight[2 * o + 1]), 0);
});

test('a stretch has the singular values of the Jacobian, in units of brightness', async () => {
  // A rotation times diag(3, 0.5), over the range −1 … 3.
  const [c, s] = [Math.cos(0.7), Math.sin(0.7)];
  const plain = plainModel({
    inputs: 2, kind: 'ae', likelihood: { name: 'gaussian-identity', sigma: 'fixed', log_sigma: [0] },
    decoder: [{ weights: [[3 * c, -0.5 * s], [3 * s, 0.5 * c]], biases: [0, 0], activation: 'identity' }],
  });
  const { model } = await opened(page, plain);
  model.range = [-1, 3];
  const units = [Float64Array.of(1, 0), Float64Array.of(0, 1)];
  const turned = [Float64Array.of(0.6, 0.8), Float64Array.of(-0.8, 0.6)];
  for (const directions of [units, turned]) {
    const found = page.stretch(model, Float64Array.of(1, 2), directions);
    assertNear([found.largest, found.smallest, found.area], [0.75, 0.125, 0.09375], 1e-4);
  }
  const along = page.stretch(model, Float64Array.of(1, 2), units.slice(0, 1));
  assertNear([along.largest, along.smallest, along.area], [0.75, 0.75, 0.75], 1e-4);
  model.standardisation = { mean: [5, 5], deviation: [4, 4] };
  assertNear([page.stretch(model, Float64Array.of(1, 2), turned).area], [16 * 0.09375], 1e-3);
});

test('singular values of more columns keep product and squares', () => {
  const next = numbersFrom(8);
  const columns = Array.from({ length: 5 }, () => Float64Array.from({ length: 9 }, next));
  const squares = columns.reduce((sum, column) => sum + page.innerProduct(column, column), 0);
  const found = page.singularValues(columns);
  assertNear([found.reduce((sum, value) => sum + value * value, 0)], [squares], 1e-12);
  for (let i = 0; i < 5; i++) for (let j = 0; j < i; j++) assertNear([page.innerProduct(columns[i], columns[j])], [0], 1e-12);
});

test('weights that are no numbers, one latent variable and three hundred are no obstacle', async () => {
  const { model } = await opened(page, plainModel({}));
  for (const layer of [...model.decoder, model.head]) layer.weight.fill(NaN);
  assert.ok(Number.isNaN(page.decode(model, Float64Array.of(1, 1))[0]));
  assert.ok(Number.isNaN(page.encode(model, new Float32Array(12).fill(1)).mean[0]));
  assert.ok(Number.isNaN(page.stretch(model, Float64Array.of(1, 1), [Float64Array.of(1, 0), Float64Array.of(0, 1)]).area));
  for (const latent of [1, 300]) {
    const wide = await opened(page, plainModel({ latent, images: 3 }));
    const [z] = codesOf(latent, 1);
    assertNear(page.decode(wide.model, z), naivePass(wide.model.decoder, z).map(sigmoid), 1e-6);
    assert.equal(page.encode(wide.model, new Float32Array(12)).mean.length, latent);
    assert.ok(page.stretch(wide.model, z, [page.unitCode(latent, 0)]).area >= 0);
  }
});

test('a picture of 784 values is decoded in less than 4 ms', async () => {
  const { model } = await opened(page, plainModel({ inputs: 784, hidden: [512], images: 2 }));
  const codes = codesOf(2, 60);
  const times = codes.map((z) => {
    const start = performance.now();
    page.decode(model, z);
    return performance.now() - start;
  }).sort((a, b) => a - b);
  assert.ok(times[30] < 4, `${times[30]} ms`);
});
