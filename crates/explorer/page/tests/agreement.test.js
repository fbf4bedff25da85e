'use strict';

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const { mkdtempSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { test } = require('node:test');

const { payloadOf, plainData, plainModel } = require('./cases.js');

test('a request is answered model by model', () => {
  const folder = mkdtempSync(join(tmpdir(), 'agreement-'));
  try {
    const [payload, request] = ['payload.base64', 'request.json'].map((name) => join(folder, name));
    writeFileSync(payload, payloadOf(plainData(), [plainModel({}), plainModel({ kind: 'ae', latent: 3, seed: 2 })]));
    const row = new Array(12).fill(0.5);
    writeFileSync(request, JSON.stringify({
      models: [
        { model: 0, codes: [[0, 1], [2, 3]], axes: [[1, 0], [0, 1]], rows: [row], shown: [row], bound: { samples: 3, seed: 1 }, path: { from: [0, 0], to: [1, 1], segments: 4 } },
        { model: 1, rows: [row], bound: { samples: 3, seed: 1 } },
      ],
    }));
    const [vae, ae] = JSON.parse(execFileSync(process.execPath, [join(__dirname, 'agreement.js'), payload, request], { encoding: 'utf8' })).models;
    assert.deepEqual([vae.key, ae.key], ['m1', 'm2']);
    assert.deepEqual([vae.decoded.length, vae.decoded[0].length, vae.brightness[1].length], [2, 12, 12]);
    assert.deepEqual([vae.losses.length, vae.cues.length, vae.stretches.length, vae.bounds.length, vae.seen.length], [1, 2, 2, 1, 1]);
    assert.deepEqual([vae.encoded.mean[0].length, vae.encoded.log_variance[0].length, vae.kl[0].length], [2, 2, 2]);
    assert.ok(vae.path.shortest <= vae.path.straight);
    assert.equal(vae.path.codes.length, 5);
    assert.deepEqual([ae.decoded, ae.path, ae.kl, ae.encoded.log_variance, ae.bounds], [null, null, null, null, [null]]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
