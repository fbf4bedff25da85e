'use strict';

// Writes small payloads in the format of the page, from plain numbers.

const { gzipSync } = require('node:zlib');

const SIZES = { u8: 1, i8: 1, u16: 2, i16: 2, u32: 4, f32: 4 };
const WRITERS = { u8: 'setUint8', i8: 'setInt8', u16: 'setUint16', i16: 'setInt16', u32: 'setUint32', f32: 'setFloat32' };

class Sections {
  constructor() {
    this.parts = [];
    this.bytes = 0;
  }

  // A section of numbers, as the manifest names it.
  add(type, values) {
    const numbers = Array.from(values);
    const at = this.bytes;
    const padded = Math.ceil(numbers.length * SIZES[type] / 4) * 4;
    const view = new DataView(new ArrayBuffer(padded));
    numbers.forEach((value, k) => view[WRITERS[type]](k * SIZES[type], value, true));
    this.parts.push(Buffer.from(view.buffer));
    this.bytes += padded;
    return { at, length: numbers.length, type };
  }
}

// The manifest and what its sections hold, unpacked.
function packedBytes(manifest, sections) {
  const text = Buffer.from(JSON.stringify(manifest), 'utf8');
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  const padding = Buffer.alloc((4 - (4 + text.length) % 4) % 4);
  return Buffer.concat([length, text, padding, ...sections.parts]);
}

const writePayload = (manifest, sections) => gzipSync(packedBytes(manifest, sections)).toString('base64');

// A layer of `bits` from weights [out][in].
function storedLayer(sections, { weights, biases, activation, bits = 16 }) {
  const top = 2 ** (bits - 1) - 1;
  const steps = weights.map((row) => Math.max(...row.map(Math.abs), 1e-12) / top);
  const levels = weights.flatMap((row, o) => row.map((weight) => Math.round(weight / steps[o])));
  return {
    inputs: weights[0].length,
    outputs: weights.length,
    activation,
    weight: {
      bits,
      step: sections.add('f32', steps),
      low: sections.add('u8', levels.map((q) => q & 0xff)),
      high: bits > 8 ? sections.add('u8', levels.map((q) => (q >> 8) & 0xff)) : null,
    },
    bias: sections.add('f32', biases),
  };
}

// Codes [n][L] as 16-bit levels between their extremes.
function storedCodes(sections, codes) {
  const latent = codes[0].length;
  const low = Array.from({ length: latent }, (_, l) => Math.min(...codes.map((code) => code[l])));
  const high = Array.from({ length: latent }, (_, l) => Math.max(...codes.map((code) => code[l])));
  const levels = codes.flatMap((code) => code.map((value, l) =>
    high[l] > low[l] ? Math.round((value - low[l]) / (high[l] - low[l]) * 65535) : 0));
  return { values: sections.add('u16', levels), low, high };
}

module.exports = { Sections, packedBytes, writePayload, storedLayer, storedCodes };
