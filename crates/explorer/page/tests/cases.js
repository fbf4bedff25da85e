'use strict';

// Payloads with known content for the tests: data of small images and models of
// random weights.

const { Sections, storedCodes, storedLayer, writePayload } = require('./payload_writer.js');

// Deterministic numbers within (−1, 1), for the tests alone (a linear
// congruential generator, Numerical Recipes).
function numbersFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2147483648 - 1;
  };
}

const matrix = (rows, columns, next, scale = 1) =>
  Array.from({ length: rows }, () => Array.from({ length: columns }, () => scale * next()));

// Layers of these widths, all but the last with the activation.
function layersOf(widths, activation, next, scale = 1) {
  return widths.slice(1).map((outputs, index) => ({
    weights: matrix(outputs, widths[index], next, scale),
    biases: matrix(1, outputs, next, 0.5)[0],
    activation: index === widths.length - 2 ? 'identity' : activation,
  }));
}

// A model in plain numbers; `overrides` replaces parts of it.
function plainModel({ inputs = 12, hidden = [9], latent = 2, activation = 'relu', images = 20, seed = 1, ...overrides }) {
  const next = numbersFrom(seed);
  const kind = overrides.kind || 'vae';
  const normal = { degree: 2, factor: 0.5, constant: 0.5 * Math.log(2 * Math.PI) };
  const density = overrides.likelihood?.sigma ? normal : null;
  const likelihood = { name: 'bernoulli', sigma: null, log_sigma: null, density, ...overrides.likelihood };
  const outputs = inputs * (likelihood.sigma === 'decoder' ? 2 : 1);
  const encoder = layersOf([inputs, ...hidden, latent * (kind === 'vae' ? 2 : 1)], activation, next);
  const head = encoder.pop();
  return {
    key: `m${seed}`, title: `model ${seed}`, about: '', latent, architecture: '',
    posterior_scale: 'log-variance', treatment: 'grey', standardisation: null,
    encoder, head,
    decoder: layersOf([latent, ...hidden.slice().reverse(), outputs], activation, next),
    codes: matrix(images, latent, next, 2),
    log_variance: kind === 'vae' ? matrix(images, latent, next) : null,
    reconstruction: matrix(1, images, next)[0],
    trajectories: null,
    distances: Array.from({ length: 101 }, (_, k) => k / 100),
    principal: null, bits: 16,
    ...overrides,
    kind, likelihood,
  };
}

function plainData({ shape = { kind: 'image', height: 4, width: 3, channels: 1 }, images = 20, ...overrides } = {}) {
  const length = shape.kind === 'vector' ? shape.length : shape.height * shape.width * shape.channels;
  const which = [1, 4, 7];
  return {
    name: 'test', shape, range: [0, 1], classes: ['a', 'b'], colours: ['#000000', '#ffffff'], images,
    index: Array.from({ length: images }, (_, k) => 3 * k),
    labels: Array.from({ length: images }, (_, k) => k % 2),
    names: null,
    thumbnails: { which, shape, pixels: Array.from({ length: which.length * length }, (_, k) => k * 37 % 256) },
    ...overrides,
  };
}

// The text of the payload of plain data and plain models.
function payloadOf(data, models) {
  const sections = new Sections();
  const all = (type, values) => values && sections.add(type, values);
  const stored = {
    format: 1, program: 'test', title: 'test',
    data: {
      ...data,
      index: all('u32', data.index),
      labels: all('u16', data.labels),
      thumbnails: {
        which: all('u32', data.thumbnails.which), shape: data.thumbnails.shape, pixels: all('u8', data.thumbnails.pixels),
      },
    },
    models: models.map((model) => storedModel(sections, model)),
  };
  return writePayload(stored, sections);
}

function storedModel(sections, model) {
  const { codes, log_variance: logVariance, bits, ...rest } = model;
  const layer = (plain) => plain && storedLayer(sections, { ...plain, bits });
  const { values: mean, low, high } = storedCodes(sections, codes);
  return {
    ...rest,
    likelihood: {
      ...model.likelihood,
      log_sigma: model.likelihood.log_sigma && sections.add('f32', model.likelihood.log_sigma),
    },
    standardisation: model.standardisation && {
      mean: sections.add('f32', model.standardisation.mean),
      deviation: sections.add('f32', model.standardisation.deviation),
    },
    encoder: model.encoder && model.encoder.map(layer),
    head: layer(model.head),
    decoder: model.decoder.map(layer),
    codes: { mean, low, high, log_variance: logVariance && storedCodes(sections, logVariance) },
    reconstruction: sections.add('f32', model.reconstruction),
    trajectories: model.trajectories && storedTrajectories(sections, model.trajectories),
  };
}

// Trajectories of codes [snapshots × tracked][L].
function storedTrajectories(sections, { epochs, steps, index, labels, mean, log_variance: logVariance }) {
  const { values, low, high } = storedCodes(sections, mean);
  return {
    epochs, steps, index: sections.add('u32', index), labels: labels && sections.add('u16', labels),
    mean: values, low, high, log_variance: logVariance && storedCodes(sections, logVariance),
  };
}

// A model and its data in a page, from a payload of it alone.
async function opened(page, model, data = plainData()) {
  const payload = await page.openPayload(payloadOf(data, [model]));
  return { model: page.openModel(payload, 0), data: page.openData(payload) };
}

// The same network in naive loops over the numbers that the page has.
function naivePass(layers, input) {
  return layers.reduce((x, { inputs, outputs, activation, weight, bias }) => {
    const act = { relu: (v) => v > 0 ? v : 0, tanh: Math.tanh, identity: (v) => v }[activation];
    return Array.from({ length: outputs }, (_, o) => {
      let sum = bias[o];
      for (let i = 0; i < inputs; i++) sum += weight[o * inputs + i] * x[i];
      return act(sum);
    });
  }, Array.from(input));
}

module.exports = { matrix, naivePass, numbersFrom, opened, payloadOf, plainData, plainModel };
