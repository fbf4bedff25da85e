'use strict';

// Rows between what is shown, brightness from 0 to 1, and what a network sees.

const BINARISATION_SEED = 0;

// Brightness of values as the network sees them; NaN stays NaN.
function brightness(model, data, row) {
  const [low, high] = data.range;
  const scale = 1 / (high - low || 1);
  const { standardisation } = model;
  return Float32Array.from(row, (value, k) => {
    const unscaled = standardisation ? value * standardisation.deviation[k] + standardisation.mean[k] : value;
    return Math.min(1, Math.max(0, (unscaled - low) * scale));
  });
}

// What the encoder takes for a row of brightness. A treatment is of what the
// standardisation has made, as in training; every treatment that draws draws
// the same each time, though not what the program draws.
function seen(model, data, row01) {
  const [low, high] = data.range;
  const { standardisation, treatment } = model;
  const uniform = uniformDeviates(BINARISATION_SEED);
  return Float32Array.from(row01, (bright, k) => {
    const value = low + bright * (high - low);
    const scaled = standardisation ? (value - standardisation.mean[k]) / standardisation.deviation[k] : value;
    if (treatment === 'threshold') return scaled >= 0.5 ? 1 : 0;
    if (treatment === 'binarised') return uniform() < scaled ? 1 : 0;
    return scaled;
  });
}

// The class of the thumbnail nearest in pixels, −1 where there is none.
function nearestImageClass(data, row01) {
  const { which, pixels, shape } = data.thumbnails;
  if (!data.labels) return -1;
  const row = resizedRow(row01, data.shape, shape);
  const length = row.length;
  let [nearest, least] = [-1, Infinity];
  for (let thumbnail = 0; thumbnail < which.length; thumbnail++) {
    let sum = 0;
    for (let k = 0, at = thumbnail * length; k < length;) {
      // Most are out of the question after a part of their pixels.
      for (const end = Math.min(length, k + 64); k < end; k++) {
        const difference = 255 * row[k] - pixels[at++];
        sum += difference * difference;
      }
      if (sum >= least) break;
    }
    if (sum < least) [nearest, least] = [thumbnail, sum];
  }
  return nearest < 0 ? -1 : data.labels[which[nearest]];
}

// A row brought to another shape by area means; channels stay.
function resizedRow(row, from, to) {
  if (from.kind === 'vector') return shrunkLines(row, 1, from.length, 1, to.length);
  const { height, width, channels } = from;
  const narrow = shrunkLines(row, height, width, channels, to.width);
  return shrunkLines(narrow, 1, height, to.width * channels, to.height);
}

// Each of `lines` lines of `length` places × `parts` values as so many places.
function shrunkLines(row, lines, length, parts, places) {
  if (length === places) return row;
  const shrunk = new Float32Array(lines * places * parts);
  const scale = length / places;
  for (let place = 0; place < places; place++) {
    const [begin, end] = [place * scale, (place + 1) * scale];
    for (let at = Math.floor(begin); at < Math.min(length, Math.ceil(end)); at++) {
      const share = (Math.min(end, at + 1) - Math.max(begin, at)) / scale;
      for (let line = 0; line < lines; line++) {
        const target = (line * places + place) * parts;
        const source = (line * length + at) * parts;
        for (let part = 0; part < parts; part++) shrunk[target + part] += share * row[source + part];
      }
    }
  }
  return shrunk;
}
