'use strict';

// Planes of latent space, and what lies where in it.

// The plane {origin, axes, labels} of a choice: (u, v) ↦ origin + u·a + v·b with
// orthonormal axes. Its coordinates are the latent variables themselves, or the
// principal directions from the codes' mean, whatever point it is held at; the
// held point gives what the axes leave open, the codes' mean without one.
function planeOf(model, choice, held) {
  const { latent } = model;
  if (choice.kind === 'principal' && model.principal) return principalPlane(model, held);
  const most = choice.kind === 'line' ? 1 : 2;
  const variables = (choice.kind === 'whole' || !choice.variables ? [0, 1] : Array.from(choice.variables))
    .filter((variable) => variable < latent).slice(0, most);
  const origin = Float64Array.from(held || meanCode(model));
  for (const variable of variables) origin[variable] = 0;
  return {
    origin,
    axes: variables.map((variable) => unitCode(latent, variable)),
    labels: variables.map(variableName),
  };
}

function principalPlane(model, held) {
  const { mean } = model.principal;
  const axes = model.principal.axes.map((axis) => Float64Array.from(axis));
  const origin = Float64Array.from(held || mean);
  for (const axis of axes) {
    let along = 0;
    for (let l = 0; l < mean.length; l++) along += (origin[l] - mean[l]) * axis[l];
    for (let l = 0; l < mean.length; l++) origin[l] -= along * axis[l];
  }
  return { origin, axes, labels: axes.map((_, rank) => `principal direction ${rank + 1}`) };
}

function meanCode({ codes, latent }) {
  const mean = new Float64Array(latent);
  const count = codes.length / latent;
  for (let at = 0; at < codes.length; at++) mean[at % latent] += codes[at] / count;
  return mean;
}

function unitCode(latent, variable) {
  const unit = new Float64Array(latent);
  unit[variable] = 1;
  return unit;
}

// Coordinates [u, v, u, v …] of codes one after the other; v is 0 of a line.
function project(plane, codes, latent) {
  const count = codes.length / latent;
  const points = new Float32Array(2 * count);
  plane.axes.forEach((axis, k) => {
    let start = 0;
    for (let l = 0; l < latent; l++) start -= plane.origin[l] * axis[l];
    for (let row = 0, at = 0; row < count; row++) {
      let along = start;
      for (let l = 0; l < latent; l++) along += codes[at++] * axis[l];
      points[2 * row + k] = along;
    }
  });
  return points;
}

// The code of a point of the plane.
function embed(plane, u, v) {
  const code = Float64Array.from(plane.origin);
  plane.axes.forEach((axis, k) => {
    const at = k === 0 ? u : v;
    for (let l = 0; l < code.length; l++) code[l] += at * axis[l];
  });
  return code;
}

// The image whose code is nearest to z, of all or of the positions `among`:
// {image, distance}, image −1 where there is none.
function nearestCode(model, z, among) {
  const { codes, latent } = model;
  const count = among ? among.length : codes.length / latent;
  let [image, least] = [-1, Infinity];
  for (let k = 0; k < count; k++) {
    const row = among ? among[k] : k;
    let at = row * latent;
    let sum = 0;
    for (let l = 0; l < latent;) {
      for (const end = Math.min(latent, l + 8); l < end; l++) {
        const difference = codes[at++] - z[l];
        sum += difference * difference;
      }
      if (sum >= least) break;
    }
    if (sum < least) {
      image = row;
      least = sum;
    }
  }
  return { image, distance: Math.sqrt(least) };
}

// The square of how far the code of an image is from z.
function squareDistance({ codes, latent }, image, z) {
  let square = 0;
  for (let l = 0; l < latent; l++) square += (codes[image * latent + l] - z[l]) ** 2;
  return square;
}

// How far z is from the data: the distance of the nearest code, and the share
// of the images whose nearest other code is nearer than that.
function cue(model, z) {
  const { image, distance } = nearestCode(model, z);
  return { image, distance, share: shareBelow(model.distances, distance) };
}

// Share of a distribution below a value, by its quantiles in equal steps from
// the least to the largest.
function shareBelow(quantiles, value) {
  const last = quantiles.length - 1;
  if (!(value > quantiles[0])) return 0;
  if (value > quantiles[last]) return 1;
  // quantiles[low] < value ≤ quantiles[high].
  let [low, high] = [0, last];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (quantiles[middle] < value) low = middle;
    else high = middle;
  }
  return (low + (value - quantiles[low]) / (quantiles[high] - quantiles[low])) / last;
}

// The covariance [uu, vv, uv] in the plane of a diagonal one of all variables.
function planeCovariance(plane, variance) {
  const [a, b] = plane.axes;
  let [uu, vv, uv] = [0, 0, 0];
  for (let l = 0; l < a.length; l++) {
    uu += a[l] * a[l] * variance[l];
    if (!b) continue;
    vv += b[l] * b[l] * variance[l];
    uv += a[l] * b[l] * variance[l];
  }
  return [uu, vv, uv];
}

// The ellipse of one deviation of N(·, diag variance) in the plane: half axes
// a ≥ b, and the angle from the plane's first axis to that of a.
function ellipseOf(plane, variance) {
  const [uu, vv, uv] = planeCovariance(plane, variance);
  const middle = (uu + vv) / 2;
  const reach = Math.hypot((uu - vv) / 2, uv);
  return {
    a: Math.sqrt(middle + reach),
    // The determinant over the larger eigenvalue keeps digits that a difference loses.
    b: Math.sqrt(Math.max(0, (uu * vv - uv * uv) / (middle + reach || 1))),
    angle: 0.5 * Math.atan2(2 * uv, uu - vv),
  };
}
