'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { loadPage } = require('./page.js');

const page = loadPage();

const model = (parts) => ({ standardisation: null, treatment: 'grey', ...parts });
const near = (found, expected, most = 1e-6) => {
  assert.equal(found.length, expected.length);
  expected.forEach((value, k) => assert.ok(Math.abs(found[k] - value) <= most, `${k}: ${found[k]} for ${value}`));
};

test('brightness runs over the range and stays within it', () => {
  near(page.brightness(model(), { range: [0, 1] }, [-0.5, 0, 0.25, 1, 7]), [0, 0, 0.25, 1, 1]);
  near(page.brightness(model(), { range: [-2, 6] }, [-2, 0, 6]), [0, 0.25, 1]);
  near(page.brightness(model(), { range: [3, 3] }, [3, 4]), [0, 1]);
  assert.ok(Number.isNaN(page.brightness(model(), { range: [0, 1] }, [NaN])[0]));
});

test('standardised values are taken back, and made again', () => {
  const standardised = model({ standardisation: { mean: [10, 0], deviation: [5, 0.5] } });
  const data = { range: [0, 20] };
  near(page.brightness(standardised, data, [0, 4]), [0.5, 0.1]);
  near(page.seen(standardised, data, [0.5, 0.1]), [0, 4], 1e-5);
});

test('a threshold and a draw make binary rows', () => {
  const data = { range: [0, 1] };
  near(page.seen(model({ treatment: 'threshold' }), data, [0, 127 / 255, 0.5, 128 / 255, 1]), [0, 0, 1, 1, 1]);
  const row = new Float32Array(20000).fill(0.3);
  const drawn = page.seen(model({ treatment: 'binarised' }), data, row);
  assert.ok(drawn.every((value) => value === 0 || value === 1));
  near([drawn.reduce((sum, value) => sum + value, 0) / row.length], [0.3], 0.01);
  assert.deepEqual(page.seen(model({ treatment: 'binarised' }), data, row), drawn);
  near(page.seen(model({ treatment: 'binarised' }), data, [0, 1, 0]), [0, 1, 0]);
});

test('a smaller image has the means of areas', () => {
  const image = (height, width, channels = 1) => ({ kind: 'image', height, width, channels });
  near(page.resizedRow([1, 3, 5, 7], image(2, 2), image(1, 1)), [4]);
  near(page.resizedRow([0, 3, 6], image(1, 3), image(1, 2)), [1, 5]);
  near(page.resizedRow([0, 3, 6], image(3, 1), image(2, 1)), [1, 5]);
  near(page.resizedRow([1, 10, 3, 20, 5, 30, 7, 40], image(2, 2, 2), image(1, 2, 2)), [3, 20, 5, 30]);
  near(page.resizedRow([1, 2, 3, 4], { kind: 'vector', length: 4 }, { kind: 'vector', length: 2 }), [1.5, 3.5]);
  const row = [1, 2];
  assert.equal(page.resizedRow(row, image(1, 2), image(1, 2)), row);
});

test('a row has the class of the thumbnail it looks like', () => {
  const shape = { kind: 'image', height: 1, width: 2, channels: 1 };
  const data = {
    shape: { kind: 'image', height: 2, width: 4, channels: 1 }, labels: [9, 1, 9, 2],
    thumbnails: { which: [1, 3], shape, pixels: Uint8Array.of(0, 255, 255, 0) },
  };
  assert.equal(page.nearestImageClass(data, [0, 0.1, 0.8, 1, 0, 0, 1, 1]), 1);
  assert.equal(page.nearestImageClass(data, [1, 0.9, 0.8, 0, 1, 1, 0.2, 0]), 2);
  const greys = { ...data, thumbnails: { ...data.thumbnails, pixels: Uint8Array.of(100, 100, 255, 255) } };
  assert.equal(page.nearestImageClass(greys, new Float32Array(8).fill(0.4)), 1);
  assert.equal(page.nearestImageClass(greys, new Float32Array(8).fill(0.9)), 2);
  assert.equal(page.nearestImageClass({ ...data, labels: null }, new Float32Array(8)), -1);
  assert.equal(page.nearestImageClass(data, new Float32Array(8).fill(NaN)), -1);
});
