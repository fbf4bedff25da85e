'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { loadPage } = require('./page.js');

const page = loadPage();

const BOX = [[-4, 6], [-5, 5]];
const [COLUMNS, ROWS] = [100, 80];
const centre = (row, column) => [-4 + (column + 0.5) * 10 / COLUMNS, -5 + (row + 0.5) * 10 / ROWS];
const massOf = (values) => values.reduce((sum, value) => sum + value, 0) * (10 / COLUMNS) * (10 / ROWS);

const near = (found, expected, most) => assert.ok(Math.abs(found - expected) <= most, `${found} for ${expected}`);

// Density, mean and covariance of what a lattice shows.
function momentsOf(values) {
  const sums = [0, 0, 0, 0, 0, 0];
  values.forEach((value, at) => {
    const [u, v] = centre(Math.floor(at / COLUMNS), at % COLUMNS);
    [1, u, v, u * u, v * v, u * v].forEach((power, k) => { sums[k] += value * power; });
  });
  const [mass, u, v, uu, vv, uv] = sums;
  return [u / mass, v / mass, uu / mass - (u / mass) ** 2, vv / mass - (v / mass) ** 2, uv / mass - u * v / mass ** 2];
}

test('normal tails are tabled to seven digits', () => {
  const known = [[-5, 2.8665157187919391e-7], [-1, 0.15865525393145705], [0, 0.5], [0.30103, 0.618304], [1, 0.8413447460685429], [3, 0.9986501019683699]];
  for (const [t, value] of known) near(page.normalDistribution(t), value, 1e-6);
  assert.equal(page.normalDistribution(-100), 0);
  assert.equal(page.normalDistribution(100), 1);
});

test('posteriors narrow and wide have mass one and their density', () => {
  for (const sigma of [1e-4, 0.02, 0.1, 0.6]) {
    const values = page.density(Float32Array.of(0.33, -0.77, 2, 1), new Float32Array(4).fill(sigma ** 2), BOX, COLUMNS, ROWS);
    near(massOf(values), 1, 3e-4);
  }
  const values = page.density(Float32Array.of(0.5, -1), Float32Array.of(0.5, 1.2), BOX, COLUMNS, ROWS);
  values.forEach((value, at) => {
    const [u, v] = centre(Math.floor(at / COLUMNS), at % COLUMNS);
    const square = (u - 0.5) ** 2 / 0.5 + (v + 1) ** 2 / 1.2;
    near(value, Math.exp(-0.5 * square) / (2 * Math.PI * Math.sqrt(0.6)), 7e-4);
  });
  // The first row is at the lower end.
  assert.ok(values[32 * COLUMNS + 45] > 100 * values[60 * COLUMNS + 45]);
});

test('a covariance slants the ellipse, also of what is narrower than a cell', () => {
  for (const [uu, vv, uv] of [[0.8, 0.5, 0.4], [0.3, 1, -0.5], [0.8, 0.02, 0.1], [1e-4, 0.6, 0.005], [0.4, 1e-5, 0.0015]]) {
    const values = page.density(Float32Array.of(0.51, -0.2), Float32Array.of(uu, vv, uv), BOX, COLUMNS, ROWS);
    near(massOf(values), 1, 1e-3);
    // What lies in a cell is seen at its centre: a square of a cell's side has
    // its side²/12 as variance, and the mean is out by half a side at most.
    const found = momentsOf(values);
    [0.51, -0.2, uu, vv, uv].forEach((value, k) => near(found[k], value, [0.05, 0.0625, 0.004, 0.006, 0.01][k]));
  }
});

test('without a covariance three numbers are as two', () => {
  const points = Float32Array.of(0.5, -1, 2, 2);
  assert.deepEqual(
    page.density(points, Float32Array.of(0.5, 1.2, 0, 0.1, 0.2, 0), BOX, COLUMNS, ROWS),
    page.density(points, Float32Array.of(0.5, 1.2, 0.1, 0.2), BOX, COLUMNS, ROWS),
  );
});

test('codes without posteriors have Scott\'s kernel', () => {
  const normal = page.normalDeviates(4);
  const n = 4000;
  const points = Float32Array.from({ length: 2 * n }, (_, at) => at % 2 ? 0.8 * normal() : 1.2 * normal() + 0.5);
  const [uu, vv] = page.scottVariances(points);
  near(Math.sqrt(uu), 1.2 * n ** (-1 / 6), 0.02);
  near(Math.sqrt(vv), 0.8 * n ** (-1 / 6), 0.02);
  const values = page.density(points, null, BOX, COLUMNS, ROWS);
  near(massOf(values), 1, 2e-3);
  const found = momentsOf(values);
  near(found[2], 1.44 + uu, 0.08);
  near(found[3], 0.64 + vv, 0.05);
});

test('what lies outside or is no number counts for nothing', () => {
  assert.equal(massOf(page.density(Float32Array.of(100, 100), Float32Array.of(1, 1), BOX, COLUMNS, ROWS)), 0);
  near(massOf(page.density(Float32Array.of(NaN, 0, 1, 1), Float32Array.of(1, 1, 0.1, 0.1), BOX, COLUMNS, ROWS)), 1, 3e-4);
  assert.equal(massOf(page.density(new Float32Array(0), null, BOX, COLUMNS, ROWS)), 0);
  near(massOf(page.density(Float32Array.of(1, 1, 1, 1), null, BOX, COLUMNS, ROWS)), 1, 1e-6);
});

test('ten thousand posteriors take less than 150 ms', () => {
  const normal = page.normalDeviates(4);
  const points = Float32Array.from({ length: 20000 }, normal);
  const variances = Float32Array.from({ length: 20000 }, () => 0.02 * (1 + Math.abs(normal())));
  const times = [0, 1, 2, 3, 4].map(() => {
    const start = performance.now();
    page.density(points, variances, [[-4, 4], [-4, 4]], 128, 128);
    return performance.now() - start;
  }).sort((a, b) => a - b);
  assert.ok(times[1] < 150, `${times[1]} ms`);
});
