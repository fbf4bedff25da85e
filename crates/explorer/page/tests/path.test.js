'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { numbersFrom, opened, plainModel } = require('./cases.js');
const { loadPage } = require('./page.js');

const page = loadPage();

function run(steps) {
  const energies = [];
  for (;;) {
    const { value, done } = steps.next();
    if (done) return { energies, ...value };
    assert.equal(value.step, energies.length);
    energies.push(value.energy);
  }
}

const distance = (a, b) => Math.sqrt(a.reduce((sum, value, k) => sum + (value - b[k]) ** 2, 0));

test('the solver solves a band as the whole matrix', () => {
  const [size, width] = [9, 4];
  const next = numbersFrom(2);
  const full = Array.from({ length: size }, () => new Float64Array(size));
  const band = new Float64Array(size * width);
  for (let i = 0; i < size; i++) {
    for (let d = 0; d < width && d <= i; d++) {
      const value = d === 0 ? 8 + next() : next();
      full[i][i - d] = full[i - d][i] = value;
      band[i * width + d] = value;
    }
  }
  const expected = Float64Array.from({ length: size }, next);
  const damping = 0.1;
  const slope = Float64Array.from(full, (row, i) =>
    row.reduce((sum, value, j) => sum + value * expected[j] * (i === j ? 1 + damping : 1), 0));
  const found = page.solvedBand({ band, slope, width }, damping);
  found.forEach((value, i) => assert.ok(Math.abs(value - expected[i]) < 1e-12, `${value} for ${expected[i]}`));
  assert.equal(page.solvedBand({ band: band.map((value) => -value), slope, width }, damping), null);
  assert.equal(page.solvedBand({ band: band.map(() => NaN), slope, width }, damping), null);
});

test('a linear decoder keeps the straight path', async () => {
  const { model } = await opened(page, plainModel({ hidden: [], likelihood: { name: 'gaussian-identity', sigma: 'fixed', log_sigma: [0] } }));
  const { straight, shortest } = run(page.geodesic(model, [-1, 2], [3, 0.5], 8));
  straight.codes.forEach((code, row) => {
    assert.ok(Math.abs(code[0] - (-1 + row / 2)) < 1e-12);
    assert.ok(distance(code, shortest.codes[row]) < 1e-4);
  });
  const ends = [page.decode(model, [-1, 2]), page.decode(model, [3, 0.5])];
  assert.ok(Math.abs(straight.length - distance(...ends)) < 1e-5 * straight.length);
});

// The Gauss–Newton matrix of a linear decoder is its Hessian.
test('one undamped step of a linear decoder straightens any path', async () => {
  const { model } = await opened(page, plainModel({ latent: 3, hidden: [], likelihood: { name: 'gaussian-identity', sigma: 'fixed', log_sigma: [0] } }));
  const next = numbersFrom(9);
  const codes = Array.from({ length: 6 }, () => Float64Array.from({ length: 3 }, next));
  const equations = page.normalEquations(model, page.pathOf(model, codes));
  const moved = page.movedCodes(codes, page.solvedBand(equations, 0));
  moved.forEach((code, row) => code.forEach((value, l) => {
    const straight = codes[0][l] + row / 5 * (codes[5][l] - codes[0][l]);
    assert.ok(Math.abs(value - straight) < 1e-4, `${row} ${l}: ${value} for ${straight}`);
  }));
});

for (const [latent, activation] of [[1, 'tanh'], [2, 'tanh'], [2, 'relu'], [5, 'relu']]) {
  test(`a path of ${latent} variables over ${activation} is never longer than the straight one`, async () => {
    for (let seed = 1; seed < 5; seed++) {
      const { model } = await opened(page, plainModel({ latent, activation, hidden: [16], inputs: 30, seed }));
      const next = numbersFrom(40 + seed);
      const [from, to] = [0, 1].map(() => Float64Array.from({ length: latent }, () => 4 * next()));
      const { energies, straight, shortest } = run(page.geodesic(model, from, to, 12));
      energies.slice(1).forEach((energy, k) => assert.ok(energy <= energies[k], `${energy} after ${energies[k]}`));
      assert.ok(energies[energies.length - 1] < energies[0]);
      assert.ok(shortest.length <= straight.length);
      assert.equal(shortest.codes.length, 13);
      assert.ok(distance(shortest.codes[0], from) === 0 && distance(shortest.codes[12], to) < 1e-12);
      // The chord cannot be undercut.
      assert.ok(shortest.length >= distance(page.decode(model, from), page.decode(model, to)) - 1e-6);
    }
  });
}

// The picture moves only where a = 12·relu(1 − |x| − |y|) − 6 is near zero, so
// the way around is shorter.
test('a wall is gone around', async () => {
  const same = (weights, count) => Array.from({ length: count }, () => weights);
  const { model } = await opened(page, plainModel({
    inputs: 20,
    decoder: [
      { weights: [[1, 0], [-1, 0], [0, 1], [0, -1]], biases: [0, 0, 0, 0], activation: 'relu' },
      { weights: [[-1, -1, -1, -1]], biases: [1], activation: 'relu' },
      { weights: same([12], 20), biases: same(-6, 20), activation: 'identity' },
    ],
  }));
  const { straight, shortest } = run(page.geodesic(model, [-2, 0.3], [2, 0.3], 24));
  assert.ok(straight.length > 4, `${straight.length}`);
  assert.ok(shortest.length < 0.6 * straight.length, `${shortest.length} of ${straight.length}`);
  assert.ok(Math.max(...shortest.codes.map((code) => code[1])) > 0.5);
});

test('a path to itself, of one segment, or over NaN ends', async () => {
  const { model } = await opened(page, plainModel({}));
  assert.equal(run(page.geodesic(model, [1, 1], [1, 1], 4)).shortest.length, 0);
  const one = run(page.geodesic(model, [0, 0], [1, 1], 1));
  assert.equal(one.shortest.length, one.straight.length);
  const broken = await opened(page, plainModel({}));
  for (const layer of broken.model.decoder) layer.weight.fill(NaN);
  assert.ok(Number.isNaN(run(page.geodesic(broken.model, [0, 0], [1, 1], 4)).straight.length));
  const wide = await opened(page, plainModel({ latent: 300, images: 2 }));
  const [from, to] = [new Float64Array(300), new Float64Array(300).fill(0.1)];
  const steps = page.geodesic(wide.model, from, to, 3);
  steps.next();
  assert.ok(steps.next().value.energy > 0);
});
