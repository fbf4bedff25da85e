// An image of the reader's own: drawn or from a file, encoded by every run.

const BOUND_SAMPLES = 64;
const BOUND_SEED = 1;
const BRUSH_SHARE = 0.045;

function setUpOwnImage(app) {
  const { data } = app;
  if (data.shape.kind !== 'image' || !app.models.some((model) => model.encoder && model.head)) return;
  document.getElementById('draw-tool').hidden = false;
  document.getElementById('draw-help').textContent = TEXT.drawHelp(data);
  const pad = document.getElementById('pad');
  // Drawn finer than it is encoded, so that lines are smooth.
  const { height, width } = data.shape;
  const factor = Math.max(1, Math.round(280 / Math.max(height, width)));
  pad.width = width * factor;
  pad.height = height * factor;
  pad.style.aspectRatio = `${width} / ${height}`;
  pad.style.height = 'auto';
  clearPad(pad);
  let last = null;
  const draw = (event) => {
    const bounds = pad.getBoundingClientRect();
    const x = (event.clientX - bounds.left) / bounds.width * pad.width;
    const y = (event.clientY - bounds.top) / bounds.height * pad.height;
    const context = pad.getContext('2d');
    context.strokeStyle = '#fff';
    context.lineCap = 'round';
    context.lineWidth = 2 * BRUSH_SHARE * Math.max(pad.width, pad.height);
    context.beginPath();
    context.moveTo(...(last || [x, y]));
    context.lineTo(x, y);
    context.stroke();
    last = [x, y];
  };
  pad.addEventListener('pointerdown', (event) => {
    pad.setPointerCapture(event.pointerId);
    last = null;
    draw(event);
  });
  pad.addEventListener('pointermove', (event) => {
    if (event.buttons) draw(event);
  });
  pad.addEventListener('pointerup', () => encodePad(app, pad));
  document.getElementById('pad-encode').addEventListener('click', () => encodePad(app, pad));
  document.getElementById('pad-clear').addEventListener('click', () => {
    clearPad(pad);
    app.state.drawn = null;
    document.getElementById('drawn').replaceChildren();
    app.draw();
  });
  document.getElementById('pad-take').addEventListener('click', () => {
    const row = app.state.image === null ? null : thumbnailOf(data, app.state.image);
    if (!row) {
      const said = app.state.image === null ? TEXT.noneChosen : TEXT.withoutPicture(data, app.state.image);
      document.getElementById('drawn').replaceChildren(elementOf('p', said));
      return;
    }
    const small = document.createElement('canvas');
    drawRow(small, data.thumbnails.shape, row);
    putOnPad(app, pad, small, small.width, small.height);
    // The pad's pixels are means of a larger picture; the image itself is encoded
    // where the page has it in full.
    const isWhole = lengthOf(data.thumbnails.shape) === lengthOf(data.shape);
    if (isWhole) encodeRow(app, Float32Array.from(row, (byte) => byte / 255));
  });
  const file = document.getElementById('file');
  file.addEventListener('change', () => file.files[0] && readFile(app, pad, file.files[0]));
  listenForDrops(app, pad);
}

function clearPad(pad) {
  const context = pad.getContext('2d', { willReadFrequently: true });
  context.fillStyle = '#000';
  context.fillRect(0, 0, pad.width, pad.height);
}

function listenForDrops(app, pad) {
  const body = document.body;
  body.addEventListener('dragover', (event) => {
    event.preventDefault();
    body.classList.add('dropping');
  });
  body.addEventListener('dragleave', () => body.classList.remove('dropping'));
  body.addEventListener('drop', (event) => {
    event.preventDefault();
    body.classList.remove('dropping');
    if (event.dataTransfer.files[0]) readFile(app, pad, event.dataTransfer.files[0]);
  });
}

async function readFile(app, pad, file) {
  document.getElementById('draw-tool').open = true;
  try {
    const bitmap = await createImageBitmap(file);
    putOnPad(app, pad, bitmap, bitmap.width, bitmap.height);
  } catch (error) {
    document.getElementById('drawn').replaceChildren(elementOf('p', TEXT.notAnImage(file.name)));
  }
}

// The whole image, as large as the pad holds it.
function putOnPad(app, pad, image, width, height) {
  clearPad(pad);
  const scale = Math.min(pad.width / width, pad.height / height);
  const context = pad.getContext('2d');
  // What is enlarged keeps its pixels, so that their means are what they were.
  context.imageSmoothingEnabled = scale < 1;
  context.imageSmoothingQuality = 'high';
  context.drawImage(image, (pad.width - width * scale) / 2, (pad.height - height * scale) / 2, width * scale, height * scale);
  encodePad(app, pad);
}

// Brightness of the pad at the size of the data, as means of its pixels.
function readPad(data, pad) {
  const { height, width, channels } = data.shape;
  const factor = pad.width / width;
  const pixels = pad.getContext('2d').getImageData(0, 0, pad.width, pad.height).data;
  const row = new Float32Array(height * width * channels);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const sums = [0, 0, 0];
      for (let dy = 0; dy < factor; dy++) {
        for (let dx = 0; dx < factor; dx++) {
          const at = 4 * ((y * factor + dy) * pad.width + x * factor + dx);
          for (let channel = 0; channel < 3; channel++) sums[channel] += pixels[at + channel];
        }
      }
      const [red, green, blue] = sums.map((sum) => sum / (255 * factor * factor));
      const at = (y * width + x) * channels;
      // Luma of ITU-R BT.601, as images are read.
      if (channels === 1) row[at] = 0.299 * red + 0.587 * green + 0.114 * blue;
      else row.set([red, green, blue], at);
    }
  }
  return row;
}

const encodePad = (app, pad) => encodeRow(app, readPad(app.data, pad));

function encodeRow(app, row) {
  const box = document.getElementById('drawn');
  const parts = [];
  const codes = app.models.map((model) => {
    if (!model.encoder || !model.head) return null;
    const x = seen(model, app.data, row);
    const code = encode(model, x);
    const nats = reconstructionLoss(model, code.mean, x);
    const shown = brightness(model, app.data, decode(model, code.mean));
    const estimate = model.logVariance ? bound(model, x, BOUND_SAMPLES, BOUND_SEED) : null;
    const words = TEXT.drawn(model.title, code.mean, nats) + (estimate ? TEXT.drawnBound(estimate.iwae, BOUND_SAMPLES) : '') + `. ${TEXT.badge(app.data, cueAt(model, code.mean))}`;
    const pair = elementOf('div', '', 'row');
    pair.append(tileOf(app.data.shape, row, NEIGHBOUR_SIDE), tileOf(app.data.shape, shown, NEIGHBOUR_SIDE));
    parts.push(pair, elementOf('p', words));
    return { mean: Float32Array.from(code.mean), logVariance: code.logVariance ? Float32Array.from(code.logVariance) : null };
  });
  box.replaceChildren(...parts);
  app.state.drawn = { codes };
  for (const view of app.views) {
    if (!codes[view.k]) continue;
    goToCode(app, view, codes[view.k].mean);
    follow(view, coordinatesOf(app, view));
  }
  app.state.pinned = true;
  leavePath(app);
  app.moved();
}
