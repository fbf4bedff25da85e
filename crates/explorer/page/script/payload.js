'use strict';

// The payload of a page: base64 of gzip of a manifest and of sections of
// numbers, and the numbers of a model from it.

const PAYLOAD_FORMAT = 1;

const SECTION_TYPES = {
  u8: Uint8Array, i8: Int8Array, u16: Uint16Array, i16: Int16Array, u32: Uint32Array, f32: Float32Array,
};

// Opens the text of the payload: {manifest, section}. `section` gives the
// numbers of a section of the manifest, and null of null.
async function openPayload(base64) {
  const buffer = await gunzip(bytesOfBase64(base64));
  if (buffer.byteLength < 4) {
    throw damagedPayload(`it unpacks to ${buffer.byteLength} bytes, which hold no manifest`);
  }
  const length = new DataView(buffer).getUint32(0, true);
  if (4 + length > buffer.byteLength) {
    throw damagedPayload(`its manifest should have ${length} bytes of ${buffer.byteLength}`);
  }
  let manifest;
  try {
    manifest = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array(buffer, 4, length)));
  } catch (error) {
    throw damagedPayload(`its manifest cannot be read (${error.message})`);
  }
  if (manifest === null || manifest.format !== PAYLOAD_FORMAT) {
    const found = manifest === null ? null : manifest.format;
    throw new Error(`The page's data are of format ${found}, and its script reads format ${PAYLOAD_FORMAT}; make the page again.`);
  }
  const area = Math.ceil((4 + length) / 4) * 4;
  const section = (sec) => {
    if (sec === null || sec === undefined) return null;
    const Numbers = SECTION_TYPES[sec.type];
    if (!Numbers) throw damagedPayload(`a section has numbers of the unknown type ${sec.type}`);
    const isThere = Number.isInteger(sec.at) && Number.isInteger(sec.length) && sec.at >= 0 && sec.length >= 0
      && sec.at % Numbers.BYTES_PER_ELEMENT === 0
      && area + sec.at + sec.length * Numbers.BYTES_PER_ELEMENT <= buffer.byteLength;
    if (!isThere) throw damagedPayload(`a section of ${sec.length} numbers at byte ${sec.at} is not in it`);
    return new Numbers(buffer, area + sec.at, sec.length);
  };
  return { manifest, section };
}

// Model k of the payload with all its numbers.
function openModel(payload, k) {
  const { section } = payload;
  const stored = payload.manifest.models[k];
  const { latent } = stored;
  const decoder = stored.decoder.map((layer) => dequantisedLayer(section, layer));
  const fromDecoder = stored.likelihood.sigma === 'decoder';
  return {
    ...stored,
    likelihood: { ...stored.likelihood, log_sigma: section(stored.likelihood.log_sigma) },
    standardisation: stored.standardisation && {
      mean: section(stored.standardisation.mean), deviation: section(stored.standardisation.deviation),
    },
    range: payload.manifest.data.range,
    values: decoder[decoder.length - 1].outputs / (fromDecoder ? 2 : 1),
    encoder: stored.encoder && stored.encoder.map((layer) => dequantisedLayer(section, layer)),
    head: stored.head && dequantisedLayer(section, stored.head),
    decoder,
    codes: dequantised(section(stored.codes.mean), stored.codes.low, stored.codes.high),
    logVariance: dequantisedScale(section, stored.codes.log_variance),
    reconstruction: section(stored.reconstruction),
    trajectories: stored.trajectories && openTrajectories(section, stored.trajectories, latent),
  };
}

// The data of the payload with all their numbers.
function openData(payload) {
  const { section } = payload;
  const stored = payload.manifest.data;
  const which = section(stored.thumbnails.which);
  const of = new Int32Array(stored.images).fill(-1);
  which.forEach((image, thumbnail) => { of[image] = thumbnail; });
  return {
    ...stored,
    index: section(stored.index),
    labels: section(stored.labels),
    thumbnails: { which, shape: stored.thumbnails.shape, pixels: section(stored.thumbnails.pixels), of },
  };
}

function damagedPayload(how) {
  return new Error(`The page's data are damaged: ${how}; save or make the page again.`);
}

function bytesOfBase64(base64) {
  let text;
  try {
    text = atob(base64);
  } catch (error) {
    throw damagedPayload('they are no base64');
  }
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

async function gunzip(bytes) {
  if (typeof DecompressionStream === 'undefined') {
    throw new Error('This browser cannot unpack the page\'s data (it has no DecompressionStream); open the page in a newer one.');
  }
  try {
    const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
    return await new Response(unpacked).arrayBuffer();
  } catch (error) {
    throw damagedPayload('they do not unpack');
  }
}

function openTrajectories(section, stored, latent) {
  const snapshots = stored.epochs.length;
  const mean = dequantised(section(stored.mean), stored.low, stored.high);
  return {
    epochs: stored.epochs,
    steps: stored.steps,
    index: section(stored.index),
    labels: section(stored.labels),
    mean,
    logVariance: dequantisedScale(section, stored.log_variance),
    snapshots,
    count: snapshots > 0 ? mean.length / (snapshots * latent) : 0,
  };
}

// weight[o][i] = q·step[o], with q in one signed byte, or in two that stand apart.
function dequantisedLayer(section, stored) {
  const { inputs, outputs, activation } = stored;
  const step = section(stored.weight.step);
  const low = section(stored.weight.low);
  const high = section(stored.weight.high);
  const bias = section(stored.bias);
  const count = inputs * outputs;
  if (low.length !== count || (high && high.length !== count) || step.length !== outputs || bias.length !== outputs) {
    throw damagedPayload(`a layer of ${inputs} inputs and ${outputs} outputs has ${low.length} weights and ${bias.length} biases`);
  }
  const weight = new Float32Array(count);
  for (let o = 0, at = 0; o < outputs; o++) {
    const unit = step[o];
    if (high) {
      for (const end = at + inputs; at < end; at++) weight[at] = ((high[at] << 24 | low[at] << 16) >> 16) * unit;
    } else {
      for (const end = at + inputs; at < end; at++) weight[at] = (low[at] << 24 >> 24) * unit;
    }
  }
  return { inputs, outputs, activation, weight, bias };
}

// low + q/65535·(high − low), with bounds for every latent variable.
function dequantised(levels, low, high) {
  const latent = low.length;
  const values = new Float32Array(levels.length);
  for (let at = 0, l = 0; at < levels.length; at++) {
    values[at] = low[l] + levels[at] / 65535 * (high[l] - low[l]);
    if (++l === latent) l = 0;
  }
  return values;
}

const dequantisedScale = (section, stored) => stored && dequantised(section(stored.values), stored.low, stored.high);
