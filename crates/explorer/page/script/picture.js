// Pixels of images, lines of vectors, and the colours of fields.

const LINE_WIDTH = 96;
const LINE_HEIGHT = 64;

// Draws brightnesses 0…1 (or bytes) of a row; the canvas takes the row's own size.
function drawRow(canvas, shape, values) {
  const full = values instanceof Uint8Array ? 1 : 255;
  if (shape.kind === 'vector') {
    drawLine(canvas, [[values, '#ffffff']], full);
    return;
  }
  const { height, width, channels } = shape;
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const context = canvas.getContext('2d');
  const image = context.createImageData(width, height);
  const pixels = image.data;
  for (let at = 0; at < width * height; at++) {
    for (let channel = 0; channel < 3; channel++) {
      pixels[4 * at + channel] = Math.round(full * values[at * channels + (channels === 1 ? 0 : channel)]);
    }
    pixels[4 * at + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

// Lines over the positions of a vector, the first one below the others.
function drawLine(canvas, lines, full) {
  canvas.width = LINE_WIDTH;
  canvas.height = LINE_HEIGHT;
  const context = canvas.getContext('2d');
  context.fillStyle = '#000';
  context.fillRect(0, 0, LINE_WIDTH, LINE_HEIGHT);
  context.lineWidth = 1.5;
  for (const [values, colour] of lines) {
    context.strokeStyle = colour;
    context.beginPath();
    const last = Math.max(1, values.length - 1);
    for (let at = 0; at < values.length; at++) {
      const x = 1 + (at / last) * (LINE_WIDTH - 2);
      const y = LINE_HEIGHT - 2 - (full * values[at] / 255) * (LINE_HEIGHT - 4);
      if (at === 0) context.moveTo(x, y); else context.lineTo(x, y);
    }
    context.stroke();
  }
}

// A canvas of a row, `side` CSS pixels on its longer side.
function tileOf(shape, values, side, label) {
  const canvas = document.createElement('canvas');
  canvas.className = 'tile';
  drawRow(canvas, shape, values);
  const longer = Math.max(canvas.width, canvas.height);
  canvas.style.width = `${Math.round(side * canvas.width / longer)}px`;
  canvas.style.height = `${Math.round(side * canvas.height / longer)}px`;
  if (label) {
    canvas.setAttribute('role', 'img');
    canvas.setAttribute('aria-label', label);
  } else {
    canvas.setAttribute('aria-hidden', 'true');
  }
  return canvas;
}

// The bytes of an image that has a thumbnail; null of others.
function thumbnailOf(data, image) {
  const at = data.thumbnails.of[image];
  if (at < 0) return null;
  const length = lengthOf(data.thumbnails.shape);
  return data.thumbnails.pixels.subarray(at * length, (at + 1) * length);
}

function lengthOf(shape) {
  return shape.kind === 'vector' ? shape.length : shape.height * shape.width * shape.channels;
}

// Viridis (CC0, Smith & van der Walt 2015) at nine equal steps.
const FIELD_COLOURS = [[68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141],
  [39, 173, 129], [92, 200, 99], [170, 220, 50], [253, 231, 37]];

function fieldColour(share) {
  const at = Math.min(1, Math.max(0, share)) * (FIELD_COLOURS.length - 1);
  const low = Math.min(FIELD_COLOURS.length - 2, Math.floor(at));
  return FIELD_COLOURS[low].map((value, channel) =>
    Math.round(value + (at - low) * (FIELD_COLOURS[low + 1][channel] - value)));
}

// A small canvas of a field [rows × columns], its first row at the bottom; what
// is not finite stays clear.
function fieldImage(values, columns, rows, low, high, alpha) {
  const canvas = document.createElement('canvas');
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext('2d');
  const image = context.createImageData(columns, rows);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const value = values[row * columns + column];
      if (!Number.isFinite(value)) continue;
      const share = high > low ? (value - low) / (high - low) : 0.5;
      const at = 4 * ((rows - 1 - row) * columns + column);
      const [red, green, blue] = fieldColour(share);
      image.data.set([red, green, blue, Math.round(255 * alpha(share))], at);
    }
  }
  context.putImageData(image, 0, 0);
  return canvas;
}
