// Below each plane: what is decoded at its cursor, how far that is from the
// data, and the nearest real images.

const NEIGHBOURS = 3;
const NEIGHBOUR_SIDE = 56;
const SETTLED_MILLISECONDS = 150;
const SAID_MILLISECONDS = 700;
const MOVING_MILLISECONDS = 1500;
const MOST_KEPT_RECONSTRUCTIONS = 500;

// At once: the decoded row and the words beside it.
function inspect(app, view) {
  const z = app.state.cursors[view.k];
  drawRow(view.decoded, app.data.shape, brightness(view.model, app.data, decode(view.model, z)));
  const far = cueAt(view.model, z);
  view.cue = far;
  view.code.textContent = placeWords(view, z);
  view.badge.textContent = TEXT.badge(app.data, far);
  view.badge.classList.toggle('far', far.share > 0.95);
  view.caption.textContent = view.follows === null ? TEXT.decoded : TEXT.follows(app.data, view.follows);
}

// How far a code is from the data, and whose code it is where it is one.
function cueAt(model, z) {
  const { image, distance, share } = cue(model, z);
  return { share, image, isCode: image >= 0 && distance <= CODE_TOLERANCE * spreadOf(model) };
}

// A code of the page is stored to about a part in 65,536 of its range.
const CODE_TOLERANCE = 1e-5;

const spreadOf = (model) => Math.sqrt(model.variance.reduce((sum, value) => sum + value, 0));

// Once the cursor rests: the neighbours, and one sentence for who listens.
function settle(app) {
  clearTimeout(app.settling);
  app.settling = setTimeout(() => {
    for (const view of app.views) showNeighbours(app, view);
    app.remember();
  }, SETTLED_MILLISECONDS);
  clearTimeout(app.saying);
  // While it moves, what is said follows once a second.
  const since = performance.now() - (app.saidAt || 0);
  app.saying = setTimeout(() => {
    const view = app.views[app.state.active];
    const z = app.state.cursors[view.k];
    app.saidAt = performance.now();
    app.say(TEXT.seen(view.model, app.data, placeWords(view, z), view.cue));
  }, since > MOVING_MILLISECONDS ? 0 : SAID_MILLISECONDS);
}

// A code as its place on the axes, where it has more variables than are read.
function placeWords(view, z) {
  if (z.length <= 3) return TEXT.code(z);
  const [u, v] = project(view.plane, Float32Array.from(z), view.model.latent);
  return TEXT.place(view.plane.labels, [u, v], z.length);
}

function showNeighbours(app, view) {
  const { data } = app;
  const z = app.state.cursors[view.k];
  view.decoded.setAttribute('aria-label', TEXT.decodedLabel(view.model.title, z));
  const nearest = nearestWithPictures(app, view, z, NEIGHBOURS);
  const key = nearest.map(({ image }) => image).join(' ');
  if (view.neighbourKey === key) {
    // The same images from elsewhere: the buttons stay, with who is at one of them.
    Array.from(view.neighbours.querySelectorAll('.name')).forEach((name, at) => {
      name.textContent = neighbourWords(app, view, nearest[at]);
    });
    return;
  }
  view.neighbourKey = key;
  view.neighbours.replaceChildren(...nearest.map((found) => {
    const { image } = found;
    const button = document.createElement('button');
    button.type = 'button';
    const pair = document.createElement('span');
    pair.className = 'pair';
    pair.append(
      tileOf(data.thumbnails.shape, thumbnailOf(data, image), NEIGHBOUR_SIDE),
      tileOf(data.shape, reconstructionOf(view, app, image), NEIGHBOUR_SIDE),
    );
    const name = document.createElement('span');
    name.className = 'name';
    name.textContent = neighbourWords(app, view, found);
    button.append(pair, name);
    button.addEventListener('click', () => chooseImage(app, image));
    return button;
  }));
}

function neighbourWords(app, view, { image, distance }) {
  return `${TEXT.neighbour(app.data, image, distance)}, ${TEXT.neighbourLoss(view.model.reconstruction[image])}`;
}

// The nearest codes of images whose pictures the page has.
function nearestWithPictures(app, view, z, count) {
  const { model } = view;
  const { which } = app.data.thumbnails;
  const found = [];
  for (const image of which) {
    const square = squareDistance(model, image, z);
    if (found.length < count || square < found[found.length - 1].square) {
      let at = found.length;
      while (at > 0 && found[at - 1].square > square) at--;
      found.splice(at, 0, { image, square, distance: Math.sqrt(square) });
      if (found.length > count) found.pop();
    }
  }
  return found;
}

// Brightness of the decoded mean code of an image.
function reconstructionOf(view, app, image) {
  const kept = view.reconstructions || (view.reconstructions = new Map());
  if (!kept.has(image)) {
    if (kept.size >= MOST_KEPT_RECONSTRUCTIONS) kept.delete(kept.keys().next().value);
    const code = codeOf(view.model, image);
    kept.set(image, Float32Array.from(brightness(view.model, app.data, decode(view.model, code))));
  }
  return kept.get(image);
}

function codeOf(model, image) {
  return Float64Array.from(model.codes.subarray(image * model.latent, (image + 1) * model.latent));
}
