'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { numbersFrom } = require('./cases.js');
const { loadPage } = require('./page.js');

const page = loadPage();

const near = (found, expected, most = 1e-6) => {
  assert.equal(found.length, expected.length);
  Array.from(expected).forEach((value, k) => assert.ok(Math.abs(found[k] - value) <= most, `${k}: ${found[k]} for ${value}`));
};
const modelOf = (latent, codes, parts) => ({ latent, codes: Float32Array.from(codes), principal: null, ...parts });

test('the whole plane has the variables as its coordinates', () => {
  const plane = page.planeOf(modelOf(2, [1, 2, 3, 5]), { kind: 'whole', variables: [0, 1] }, Float64Array.of(9, 9));
  near(plane.origin, [0, 0]);
  assert.deepEqual(plane.labels, ['z₁', 'z₂']);
  near(page.project(plane, Float32Array.of(1, 2, 3, 5), 2), [1, 2, 3, 5]);
  near(page.embed(plane, 0.5, -3), [0.5, -3]);
});

test('a plane of variables goes through the held point', () => {
  const model = modelOf(12, Array.from({ length: 24 }, (_, k) => k));
  const held = Float64Array.from({ length: 12 }, (_, l) => 100 + l);
  const plane = page.planeOf(model, { kind: 'variables', variables: [11, 2] }, held);
  assert.deepEqual(plane.labels, ['z₁₂', 'z₃']);
  near(page.project(plane, model.codes, 12), [11, 2, 23, 14]);
  const z = page.embed(plane, -1, -2);
  near(z, Array.from(held, (value, l) => l === 11 ? -1 : l === 2 ? -2 : value));
  // Without a held point through the mean of the codes.
  near(page.embed(page.planeOf(model, { kind: 'variables', variables: [0, 1] }, null), 0, 0), [0, 0, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]);
  assert.equal(held[11], 111);
});

test('a principal plane keeps its coordinates whatever is held', () => {
  const axes = [[0.6, 0.8, 0], [0, 0, 1]];
  const model = modelOf(3, [4, 2, 3, 1, 1, 1], { principal: { mean: [1, 1, 1], axes, share: 1 } });
  for (const held of [null, Float64Array.of(1, 1, 1), Float64Array.of(7, -3, 2)]) {
    const plane = page.planeOf(model, { kind: 'principal', variables: [0, 1] }, held);
    near(page.project(plane, model.codes, 3), [2.6, 2, 0, 0]);
    const point = page.project(plane, Float32Array.from(page.embed(plane, -0.5, 2)), 3);
    near(point, [-0.5, 2]);
    if (!held) near(plane.origin, [1, 1, 1]);
    if (held) {
      const [u, v] = page.project(plane, Float32Array.from(held), 3);
      near(page.embed(plane, u, v), held, 1e-5);
    }
  }
});

test('a line has one axis', () => {
  const one = page.planeOf(modelOf(1, [1, 2]), { kind: 'line', variables: [0] }, null);
  near(page.project(one, Float32Array.of(1, 2), 1), [1, 0, 2, 0]);
  near(page.embed(one, 3, 99), [3]);
  near(Object.values(page.ellipseOf(one, [4])), [2, 0, 0]);
  // Of one variable there is nothing else.
  for (const kind of ['whole', 'principal', 'variables']) {
    assert.equal(page.planeOf(modelOf(1, [1, 2]), { kind, variables: [0, 1] }, null).axes.length, 1);
  }
  assert.equal(page.planeOf(modelOf(4, new Array(8).fill(0)), { kind: 'line', variables: [3] }, null).labels[0], 'z₄');
});

test('the nearest code is the nearest, of all or of some', () => {
  const next = numbersFrom(3);
  for (const latent of [1, 2, 3, 16, 300]) {
    const model = modelOf(latent, Array.from({ length: 50 * latent }, next));
    const z = Float64Array.from({ length: latent }, next);
    const distanceOf = (image) => Math.sqrt(z.reduce((sum, value, l) => sum + (model.codes[image * latent + l] - value) ** 2, 0));
    const order = Array.from({ length: 50 }, (_, image) => image).sort((a, b) => distanceOf(a) - distanceOf(b));
    const found = page.nearestCode(model, z);
    assert.equal(found.image, order[0]);
    near([found.distance], [distanceOf(order[0])], 1e-12);
    assert.equal(page.nearestCode(model, z, Uint32Array.of(...order.slice(7))).image, order[7]);
  }
  assert.deepEqual(page.nearestCode(modelOf(2, [1, 2]), [0, 0], new Uint32Array(0)), { image: -1, distance: Infinity });
  assert.equal(page.nearestCode(modelOf(2, [1, 2]), [NaN, 0]).image, -1);
});

test('the cue is the share of the data that lie closer together', () => {
  const distances = Array.from({ length: 101 }, (_, k) => k < 50 ? 0.1 * k : 5 + 2 * (k - 50));
  const model = modelOf(2, [0, 0, 1000, 0], { distances });
  const cue = (x) => page.cue(model, [x, 0]);
  near([cue(-1).distance, cue(-1).share], [1, 0.1]);
  near([cue(-1.05).share, cue(-6).share, cue(-105).share, cue(-200).share, cue(0).share], [0.105, 0.505, 1, 1, 0]);
  // Codes that coincide: nothing is nearer than none, and a step is where it stands.
  assert.equal(page.shareBelow([0, 0, 0, 1, 1], 0), 0);
  near([page.shareBelow([0, 0, 0, 1, 1], 1e-9), page.shareBelow([0, 0, 0, 1, 1], 1)], [0.5, 0.75]);
  assert.equal(page.shareBelow([1, 1], NaN), 0);
});

test('an ellipse has the axes of the covariance in the plane', () => {
  const whole = { axes: [[1, 0], [0, 1]] };
  near(Object.values(page.ellipseOf(whole, [4, 1])), [2, 1, 0]);
  near(Object.values(page.ellipseOf(whole, [1, 4])), [2, 1, Math.PI / 2]);
  // A plane turned by 0.3: the ellipse turns the other way in it.
  const [c, s] = [Math.cos(0.3), Math.sin(0.3)];
  near(Object.values(page.ellipseOf({ axes: [[c, s], [-s, c]] }, [9, 0.25])), [3, 0.5, -0.3]);
  near(Object.values(page.ellipseOf({ axes: [[c, s], [-s, c]] }, [2, 2])).slice(0, 2), [Math.SQRT2, Math.SQRT2]);
  near(Object.values(page.ellipseOf(whole, [0, 0])), [0, 0, 0]);
  // A plane of three variables has the variances of its directions.
  const { a, b } = page.ellipseOf({ axes: [[0.6, 0.8, 0], [0, 0, 1]] }, [1, 2, 0.5]);
  near([a * a, b * b], [0.36 + 1.28, 0.5]);
});

test('the nearest of ten thousand codes is found in less than a millisecond', () => {
  const next = numbersFrom(3);
  const model = modelOf(16, Array.from({ length: 160000 }, next));
  const times = Array.from({ length: 100 }, () => {
    const z = Float64Array.from({ length: 16 }, next);
    const start = performance.now();
    page.nearestCode(model, z);
    return performance.now() - start;
  }).sort((a, b) => a - b);
  assert.ok(times[50] < 1, `${times[50]} ms`);
});
