'use strict';

// The parts of the page that need no document.

const test = require('node:test');
const assert = require('node:assert');
const { loadPage } = require('./page.js');

const page = () => loadPage();

const models = [
  { latent: 2, kind: 'vae', plane: 'whole', variables: [0, 1], principal: null },
  { latent: 5, kind: 'vae', plane: 'variables', variables: [3, 1], principal: { mean: [1, 2, 3, 4, 5] } },
];
const data = {
  noun: 'image', images: 6, index: [10, 11, 12, 13, 14, 1], labels: [0, 1, 0, 1, 2, 2], classes: ['7', 'b,"', '</script>'],
  names: ['seven.png', 'x7.png', 'c.png', 'd.png', 'e.png', 'f.png'],
};
const plain = (value) => JSON.parse(JSON.stringify(value));

test('the fragment gives back what it was made of', () => {
  const { initialState, fragmentOf, readFragment } = page();
  const state = initialState(models, data);
  state.active = 1;
  state.image = 4;
  state.pinned = true;
  state.link = 'position';
  state.cursors[1] = Float64Array.from([0.12345, -2, 1e-7, 3, 40]);
  state.layers.map = 'quantile';
  state.layers.stretch = true;
  state.layers.codes = false;
  state.hidden.add(2);
  state.anchors[1] = { a: Float64Array.from([1, 2, 3, 4, 5]), b: null };
  state.anchors[0] = { a: Float64Array.from([0.5, 0.25]), b: Float64Array.from([1, 2]) };
  state.pathShape = 'shortest';
  state.pathAt = 0.25;
  state.moment = 7;
  state.choices[1] = { kind: 'variables', variables: [0, 4], changed: true };
  const again = initialState(models, data);
  const found = readFragment(`#${fragmentOf(state)}`, again, models, data);
  assert.deepStrictEqual(plain(Array.from(found.codes[1])), [0.12345, -2, 1e-7, 3, 40]);
  assert.deepStrictEqual(plain(Array.from(found.codes[0])), [0, 0]);
  assert.strictEqual(found.image, 4);
  for (const name of ['active', 'image', 'pinned', 'link', 'layers', 'pathShape', 'pathAt', 'moment']) {
    assert.deepStrictEqual(plain(again[name]), plain(state[name]), name);
  }
  assert.deepStrictEqual(Array.from(again.hidden), [2]);
  assert.deepStrictEqual(Array.from(again.anchors[1].a), [1, 2, 3, 4, 5]);
  assert.strictEqual(again.anchors[1].b, null);
  assert.deepStrictEqual(Array.from(again.anchors[0].b), [1, 2]);
  assert.deepStrictEqual(plain(again.choices[1].variables), [0, 4]);
});

test('what a fragment says wrongly is passed over', () => {
  const { initialState, readFragment } = page();
  const state = initialState(models, data);
  const before = plain(state);
  const found = readFragment('#run=9&image=-1&z=1,NaN&map=all&layers=walls&hidden=8,x&at=7&moment=-3&axes1=1,1&axes0=1,2,3', state, models, data);
  assert.deepStrictEqual(plain(found.codes), [null, null]);
  assert.strictEqual(found.image, null);
  assert.deepStrictEqual(plain(state), before);
});

test('images are found by row, class and part of a name', () => {
  const { matching } = page();
  assert.deepStrictEqual(plain(matching(data, '12')), [2]);
  // Row 7 is not there; class 7 is, and names have it.
  assert.deepStrictEqual(plain(matching(data, '7')), [0, 2, 1]);
  assert.deepStrictEqual(plain(matching(data, 'SEVEN')), [0]);
  assert.deepStrictEqual(plain(matching(data, 'class </script>')), [4, 5]);
  assert.deepStrictEqual(plain(matching(data, 'nothing')), []);
  assert.deepStrictEqual(plain(matching({ ...data, names: null, labels: null, classes: [] }, '7')), []);
});

test('a lasso holds what is inside of it', () => {
  const { isInside } = page();
  const dent = [[0, 0], [4, 0], [4, 4], [2, 1], [0, 4]];
  assert.ok(isInside(dent, 1, 1));
  assert.ok(!isInside(dent, 2, 2));
  assert.ok(!isInside(dent, 5, 1));
  assert.ok(!isInside([], 0, 0));
});

test('cells of a table are quoted, and none is a formula', () => {
  const { csvCell } = page();
  assert.strictEqual(csvCell('a,"b"'), '"a,""b"""');
  assert.strictEqual(csvCell('=1+1'), "'=1+1");
  assert.strictEqual(csvCell(-2.5), '-2.5');
});

test('ticks are few and round', () => {
  const { tickStep, shortTick } = page();
  for (const half of [1e-4, 0.7, 4.32, 31, 2e5]) {
    const count = 2 * half / tickStep(half);
    assert.ok(count >= 2 && count <= 6.0001, `${half}: ${count}`);
  }
  assert.strictEqual(shortTick(-0, 1), '0');
  assert.strictEqual(shortTick(-1.5, 0.5), '−1.5');
});

test('quantiles of the normal distribution', () => {
  const { normalQuantile, bordersOf } = page();
  assert.ok(Math.abs(normalQuantile(0.975) - 1.959963984540054) < 1e-8);
  assert.ok(Math.abs(normalQuantile(0.001) + 3.090232306167813) < 1e-8);
  assert.strictEqual(normalQuantile(0.5), 0);
  assert.deepStrictEqual(Array.from(bordersOf([0, 1, 3])), [-0.5, 0.5, 2, 4]);
});

test('a place on a path of unequal steps', () => {
  const { alongPath, straightPath } = page();
  const codes = [[0, 0], [1, 0], [5, 4]];
  assert.deepStrictEqual(Array.from(alongPath(codes, 0.75)), [3, 2]);
  assert.deepStrictEqual(Array.from(alongPath(codes, 1)), [5, 4]);
  assert.deepStrictEqual(Array.from(alongPath(codes, -1)), [0, 0]);
  const straight = straightPath(Float64Array.from([0, 2]), Float64Array.from([16, 2]));
  assert.deepStrictEqual(Array.from(straight[4]), [4, 2]);
});

test('numbers in words', () => {
  const { shortNumber, percentWords, variableName, imageWords } = page();
  assert.strictEqual(shortNumber(-1.2345), '−1.23');
  assert.strictEqual(shortNumber(0.00012), '1.2e−4');
  assert.strictEqual(shortNumber(NaN), 'not a number');
  assert.strictEqual(percentWords(0.997), '99.7 %');
  assert.strictEqual(variableName(11), 'z₁₂');
  assert.ok(imageWords(data, 5).includes('f.png') && imageWords(data, 5).includes('</script>'));
});
