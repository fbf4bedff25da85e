'use strict';

// Forward passes through the layers of a model, with derivatives along.

// Mean of every value under the likelihood, as the network sees values.
function decode(model, z) {
  const { outputs } = forwardPass(model.decoder, z, []);
  return likelihoodMeans(model.likelihood, outputs, new Float32Array(model.values));
}

// The decoder's outputs for the values (logits of a Bernoulli), and after them
// their ln σ where it comes from the decoder. Overwritten by the next pass.
function decoderOutputs(model, z) {
  return forwardPass(model.decoder, z, []).outputs;
}

// The decoded mean and its derivatives along directions of latent space, by
// forward mode: with h = act(W·x + b), a tangent ẋ becomes act′ ⊙ W·ẋ. At a
// kink of ReLU the derivative is that of the inactive side, 0.
function decodeWithTangents(model, z, directions) {
  const { outputs, tangents } = forwardPass(model.decoder, z, directions);
  const mean = likelihoodMeans(model.likelihood, outputs, new Float32Array(model.values));
  const slopes = likelihoodSlopes(model.likelihood, outputs, new Float64Array(model.values));
  return {
    mean,
    tangents: tangents.map((tangent) => {
      const along = new Float32Array(model.values);
      for (let k = 0; k < along.length; k++) along[k] = tangent[k] * slopes[k];
      return along;
    }),
  };
}

// μ and log σ² of what the encoder takes, where the page has posteriors; null of
// a page without the encoder.
function encode(model, x) {
  if (!model.head) return null;
  const { outputs } = forwardPass(encoderLayers(model), x, []);
  const { latent } = model;
  const mean = Float32Array.from(outputs.subarray(0, latent));
  if (!model.logVariance) return { mean, logVariance: null };
  const factor = model.posterior_scale === 'log-sigma' ? 2 : 1;
  const logVariance = Float32Array.from(outputs.subarray(latent, 2 * latent), (scale) => factor * scale);
  return { mean, logVariance };
}

// Singular values of the Jacobian along orthonormal directions in units of
// brightness: how far neighbouring codes are apart as pictures. The area is
// their product, √det(JᵀJ) (Arvanitidis, Hansen & Hauberg 2018).
function stretch(model, z, directions) {
  const { tangents } = decodeWithTangents(model, z, directions);
  const [low, high] = model.range;
  const columns = tangents.map((tangent) => Float64Array.from(tangent, (along, k) => {
    const deviation = model.standardisation ? model.standardisation.deviation[k] : 1;
    return along * deviation / (high - low);
  }));
  const values = singularValues(columns);
  return {
    area: values.reduce((product, value) => product * value, 1),
    largest: Math.max(...values),
    smallest: Math.min(...values),
  };
}

// Lists of layers → buffers that passes through them share.
const passBuffers = new WeakMap();
// Weights [out, in] → the same as [in, out].
const transposedWeights = new WeakMap();
// Model → encoder and head as one list of layers.
const wholeEncoders = new WeakMap();

function encoderLayers(model) {
  let layers = wholeEncoders.get(model);
  if (!layers) {
    layers = [...model.encoder, model.head];
    wholeEncoders.set(model, layers);
  }
  return layers;
}

function buffersOf(layers, directions) {
  let buffers = passBuffers.get(layers);
  if (!buffers) {
    const widest = layers.reduce((width, layer) => Math.max(width, layer.inputs, layer.outputs), 0);
    buffers = { active: new Int32Array(widest), values: layers.map((layer) => new Float64Array(layer.outputs)), tangents: [] };
    passBuffers.set(layers, buffers);
  }
  while (buffers.tangents.length < directions) {
    buffers.tangents.push(layers.map((layer) => new Float64Array(layer.outputs)));
  }
  return buffers;
}

// Through the layers in double precision: {outputs, tangents}, which the next
// pass overwrites.
function forwardPass(layers, input, directions) {
  const buffers = buffersOf(layers, directions.length);
  let x = input;
  let tangents = directions;
  layers.forEach((layer, index) => {
    const y = buffers.values[index];
    const along = directions.map((_, k) => buffers.tangents[k][index]);
    y.set(layer.bias);
    for (const tangent of along) tangent.fill(0);
    const count = listActive(layer.inputs, x, tangents, buffers.active);
    addProducts(layer, buffers.active, count, [x, ...tangents], [y, ...along]);
    activateLayer(layer.activation, y, along);
    x = y;
    tangents = along;
  });
  return { outputs: x, tangents };
}

// The inputs that count: about half the outputs of a ReLU are zero, and so are
// most pixels of a drawing.
function listActive(inputs, x, tangents, active) {
  let count = 0;
  for (let i = 0; i < inputs; i++) {
    let isActive = x[i] !== 0;
    for (let k = 0; k < tangents.length && !isActive; k++) isActive = tangents[k][i] !== 0;
    if (isActive) active[count++] = i;
  }
  return count;
}

// Adds W·x to y for each x of `from` and y of `to`. Four inputs at a time, as
// every sum is then read and written a quarter as often; value and tangents one
// after the other, as the four rows of weights stay in the cache.
function addProducts(layer, active, count, from, to) {
  const weights = transposedWeight(layer);
  const { outputs } = layer;
  let at = 0;
  for (; at + 4 <= count; at += 4) {
    const [a, b, c, d] = [active[at], active[at + 1], active[at + 2], active[at + 3]];
    for (let k = 0; k < from.length; k++) {
      const x = from[k];
      addFourRows(weights, outputs, a * outputs, b * outputs, c * outputs, d * outputs, x[a], x[b], x[c], x[d], to[k]);
    }
  }
  for (; at < count; at++) {
    for (let k = 0; k < from.length; k++) addRow(weights, active[at] * outputs, from[k][active[at]], to[k]);
  }
}

function addFourRows(weights, outputs, a, b, c, d, xa, xb, xc, xd, y) {
  for (let o = 0; o < outputs; o++) {
    y[o] += xa * weights[a + o] + xb * weights[b + o] + (xc * weights[c + o] + xd * weights[d + o]);
  }
}

function addRow(weights, a, xa, y) {
  for (let o = 0; o < y.length; o++) y[o] += xa * weights[a + o];
}

// Made when a layer is first used: pages of many runs open sooner.
function transposedWeight({ inputs, outputs, weight }) {
  let transposed = transposedWeights.get(weight);
  if (!transposed) {
    transposed = new Float32Array(weight.length);
    for (let o = 0, at = 0; o < outputs; o++) {
      for (let i = 0; i < inputs; i++) transposed[i * outputs + o] = weight[at++];
    }
    transposedWeights.set(weight, transposed);
  }
  return transposed;
}

// The activation's values, and tangents by its derivative: [y > 0] or 1 − y².
function activateLayer(activation, y, tangents) {
  if (activation === 'relu') {
    // Of NaN Math.max makes NaN.
    for (let o = 0; o < y.length; o++) y[o] = Math.max(0, y[o]);
    for (const tangent of tangents) {
      for (let o = 0; o < y.length; o++) if (!(y[o] > 0)) tangent[o] = 0;
    }
  } else if (activation === 'tanh') {
    for (let o = 0; o < y.length; o++) y[o] = Math.tanh(y[o]);
    for (const tangent of tangents) {
      for (let o = 0; o < y.length; o++) tangent[o] *= 1 - y[o] * y[o];
    }
  }
}

// Singular values of a matrix of few columns, which are overwritten, by
// one-sided Jacobi rotations (Hestenes 1958; Golub & Van Loan, Matrix
// Computations, §8.6.3): small ones keep their digits.
function singularValues(columns) {
  const MOST_SWEEPS = 30;
  for (let sweep = 0, isTurning = true; isTurning && sweep < MOST_SWEEPS; sweep++) {
    isTurning = false;
    for (let i = 1; i < columns.length; i++) {
      for (let j = 0; j < i; j++) isTurning = turnApart(columns[j], columns[i]) || isTurning;
    }
  }
  return columns.map((column) => Math.sqrt(innerProduct(column, column)));
}

// Turns two columns in their plane until they are orthogonal; whether they were not.
function turnApart(a, b) {
  const [aa, bb, ab] = [innerProduct(a, a), innerProduct(b, b), innerProduct(a, b)];
  if (!(Math.abs(ab) > 1e-14 * Math.sqrt(aa * bb))) return false;
  const zeta = (bb - aa) / (2 * ab);
  const t = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(1, zeta));
  const cosine = 1 / Math.hypot(1, t);
  const sine = cosine * t;
  for (let k = 0; k < a.length; k++) {
    const turned = cosine * a[k] - sine * b[k];
    b[k] = sine * a[k] + cosine * b[k];
    a[k] = turned;
  }
  return true;
}

function innerProduct(a, b) {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += a[k] * b[k];
  return sum;
}
