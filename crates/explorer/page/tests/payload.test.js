'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { gzipSync } = require('node:zlib');

const { opened, payloadOf, plainData, plainModel } = require('./cases.js');
const { loadPage } = require('./page.js');
const { Sections, packedBytes, writePayload } = require('./payload_writer.js');

const page = loadPage();

test('sections of every type and any order come back', async () => {
  const sections = new Sections();
  const numbers = {
    u8: [0, 255, 7], i8: [-128, 127, -1, 0, 5], u16: [0, 65535, 258], i16: [-32768, 32767, -2], u32: [4294967295, 1], f32: [0.5, -1e30, Infinity],
  };
  const manifest = { format: 1, title: 'größer ≥', sections: {} };
  for (const [type, values] of Object.entries(numbers)) manifest.sections[type] = sections.add(type, values);
  const payload = await page.openPayload(`\n ${writePayload(manifest, sections).replace(/(.{50})/g, '$1\n')} `);
  assert.equal(payload.manifest.title, 'größer ≥');
  for (const [type, values] of Object.entries(numbers)) {
    assert.deepEqual(Array.from(payload.section(manifest.sections[type])), values.map((value) => type === 'f32' ? Math.fround(value) : value));
  }
  assert.equal(payload.section(null), null);
});

for (const bits of [2, 5, 8, 9, 13, 16]) {
  test(`weights of ${bits} bits are their levels times the step`, async () => {
    const plain = plainModel({ bits, hidden: [7, 5] });
    const { model } = await opened(page, plain);
    const layers = [...plain.encoder, plain.head, ...plain.decoder];
    [...model.encoder, model.head, ...model.decoder].forEach((layer, index) => {
      const { weights, biases, activation } = layers[index];
      assert.equal(layer.activation, activation);
      assert.deepEqual(Array.from(layer.bias), biases.map(Math.fround));
      weights.forEach((row, o) => {
        const step = Math.max(...row.map(Math.abs)) / (2 ** (bits - 1) - 1);
        row.forEach((weight, i) => {
          const found = layer.weight[o * layer.inputs + i];
          assert.ok(Math.abs(found - weight) <= 0.5001 * step, `${found} for ${weight}`);
          assert.ok(Math.abs(found / step - Math.round(found / step)) < 1e-2);
        });
      });
    });
  });
}

test('codes lie between their bounds, variable by variable', async () => {
  const plain = plainModel({ latent: 3 });
  plain.codes.forEach((code) => { code[2] = 4; });
  const { model } = await opened(page, plain);
  const near = (found, expected, most) => expected.flat().forEach((value, at) =>
    assert.ok(Math.abs(found[at] - value) < most, `${at}: ${found[at]} for ${value}`));
  near(model.codes, plain.codes, 4 / 65535);
  near(model.logVariance, plain.log_variance, 2 / 65535);
  near(model.reconstruction, plain.reconstruction, 1e-6);
  assert.equal(model.codes[2], 4);
});

test('what a model has not is null', async () => {
  const plain = plainModel({ kind: 'ae', encoder: null, head: null });
  const { model, data } = await opened(page, plain, plainData({ labels: null, classes: [], colours: [] }));
  for (const missing of ['encoder', 'head', 'logVariance', 'trajectories', 'standardisation']) {
    assert.equal(model[missing], null, missing);
  }
  assert.equal(data.labels, null);
});

test('trajectories have a code for every snapshot and image', async () => {
  const mean = Array.from({ length: 6 }, (_, at) => [at, -at]);
  const plain = plainModel({ trajectories: { epochs: [0, 1, 5], steps: [0, 10, 50], index: [2, 9], labels: [1, 0], mean, log_variance: mean } });
  const { model: { trajectories } } = await opened(page, plain);
  assert.deepEqual([trajectories.snapshots, trajectories.count], [3, 2]);
  assert.deepEqual(Array.from(trajectories.index), [2, 9]);
  assert.deepEqual(Array.from(trajectories.labels), [1, 0]);
  Array.from(trajectories.mean).forEach((value, at) => assert.ok(Math.abs(value - mean[at >> 1][at & 1]) < 1e-4));
  assert.deepEqual(trajectories.logVariance, trajectories.mean);
});

test('images know their thumbnail', async () => {
  const { data } = await opened(page, plainModel({}));
  assert.deepEqual(Array.from(data.thumbnails.of).slice(0, 9), [-1, 0, -1, -1, 1, -1, -1, 2, -1]);
  assert.deepEqual(Array.from(data.index).slice(0, 3), [0, 3, 6]);
  assert.equal(data.thumbnails.pixels[13], 13 * 37 % 256);
});

test('damage is said and never passed over', async () => {
  const good = payloadOf(plainData(), [plainModel({})]);
  const damages = {
    'no base64': '%%%',
    'no gzip': Buffer.from('plain text, long enough').toString('base64'),
    'cut short': Buffer.from(good, 'base64').subarray(0, 600).toString('base64'),
    nothing: '',
    'two bytes': gzipSync(Buffer.from([1, 2])).toString('base64'),
    'a manifest longer than all': gzipSync(Buffer.from([255, 255, 0, 0, 1])).toString('base64'),
    'a manifest that is no JSON': gzipSync(Buffer.from([2, 0, 0, 0, 123, 34])).toString('base64'),
  };
  const flipped = Buffer.from(good, 'base64');
  flipped[flipped.length >> 1] ^= 1;
  damages['a bit'] = flipped.toString('base64');
  for (const [name, text] of Object.entries(damages)) {
    await assert.rejects(page.openPayload(text), /^Error: The page's data are damaged: /, name);
  }
  const empty = new Sections();
  await assert.rejects(page.openPayload(writePayload({ format: 2 }, empty)), /format 2, .* reads format 1/);
  await assert.rejects(page.openPayload(writePayload(null, empty)), /format null/);
  const payload = await page.openPayload(writePayload({ format: 1 }, empty));
  for (const sec of [{ at: 0, length: 9, type: 'u8' }, { at: -4, length: 1, type: 'f32' }, { at: 0, length: 1, type: 'f64' }]) {
    assert.throws(() => payload.section(sec), /damaged/);
  }
});

test('a layer that does not fit its section is damage', async () => {
  const sections = new Sections();
  const stored = JSON.parse(JSON.stringify({ format: 1, data: { range: [0, 1] } }));
  const layer = {
    inputs: 2, outputs: 3, activation: 'identity',
    weight: { bits: 8, step: sections.add('f32', [1, 1, 1]), low: sections.add('u8', [1, 2, 3]), high: null }, bias: sections.add('f32', [0, 0, 0]),
  };
  stored.models = [{ latent: 2, likelihood: { sigma: null, log_sigma: null }, decoder: [layer] }];
  const payload = await page.openPayload(writePayload(stored, sections));
  assert.throws(() => page.openModel(payload, 0), /a layer of 2 inputs and 3 outputs has 3 weights/);
});

test('sections begin at multiples of four whatever the manifest\'s length', async () => {
  for (let extra = 0; extra < 4; extra++) {
    const sections = new Sections();
    const sec = sections.add('f32', [1.5, 2.5]);
    const text = gzipSync(packedBytes({ format: 1, pad: 'x'.repeat(extra), sec }, sections)).toString('base64');
    const payload = await page.openPayload(text);
    assert.deepEqual(Array.from(payload.section(sec)), [1.5, 2.5]);
  }
});

test('a browser that cannot unpack says so', async () => {
  const old = loadPage({ missing: ['DecompressionStream'] });
  await assert.rejects(old.openPayload('AAAA'), /no DecompressionStream/);
});
