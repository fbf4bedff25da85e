// The plane of one run: what part of it is seen, and its points.

const MARGIN = 1.08;
const PRIOR_HALF_WIDTH = 4;
const MOST_PIXELS_PER_POINT = 2;

function createView(app, k) {
  const model = app.models[k];
  const template = document.getElementById('plane-template');
  const section = template.content.firstElementChild.cloneNode(true);
  const part = (selector) => section.querySelector(selector);
  const view = {
    k, model, section,
    element: part('.plane'), base: part('canvas.base'), dots: part('canvas.dots'), overlay: part('canvas.overlay'),
    decoded: part('canvas.decoded'), caption: part('figcaption'), code: part('.code'), badge: part('.badge'),
    neighbours: part('.neighbours'), hold: part('.hold'),
    plane: null, points: null, home: null, centre: [0, 0], half: 1,
    size: 0, scale: 1, isStale: true, isBaseStale: true, layers: {}, follows: null,
  };
  part('.title').textContent = model.title;
  part('.about').textContent = model.about;
  part('.closer').addEventListener('click', () => zoom(app, view, 1 / 1.5));
  part('.wider').addEventListener('click', () => zoom(app, view, 1.5));
  part('.home').addEventListener('click', () => goHome(app, view));
  return view;
}

// The plane through the held point, and the codes in it. What is held moves no
// code within the plane: only what is decoded changes.
function setPlane(app, view) {
  const { model, k } = view;
  const choice = app.state.choices[k];
  view.plane = planeOf(model, choice, app.state.held[k]);
  const axes = `${choice.kind} ${choice.variables}`;
  view.layers = axes === view.axes ? { density: view.layers.density } : {};
  view.isBaseStale = true;
  if (axes === view.axes) return;
  view.axes = axes;
  view.points = project(view.plane, model.codes, model.latent);
  if (isLine(view)) spreadOverLine(app.data, view);
  view.element.setAttribute('aria-label', TEXT.plane(model.title, view.plane.labels.filter(Boolean)));
  view.isStale = true;
}

const isLine = (view) => view.model.latent === 1;

// Height of the band of codes of one latent variable, as a share of the width
// that is shown.
const BAND_SHARE = 0.55;

// One latent variable has no second axis: classes lie below one another in a band
// about 0, and the map above it.
function spreadOverLine(data, view) {
  const { points } = view;
  const [low, high] = withPrior(view, boxOf(points)[0]);
  view.band = BAND_SHARE * (high - low) / 2;
  for (let image = 0; image < data.images; image++) {
    const label = data.labels ? data.labels[image] : 0;
    const jitter = (image * 0.618033988749895) % 1;
    points[2 * image + 1] = laneOf(data, view, label, 0.1 + 0.8 * jitter);
  }
}

// A height within the lane of a class, from 0 to 1.
function laneOf(data, view, label, share) {
  return view.band * (2 * (label + share) / Math.max(1, data.classes.length) - 1);
}

// The square that shows 99 % of the codes on each axis and, of a run with a
// prior, its map from −4 to 4.
function homeOf(view) {
  const box = boxOf(view.points);
  if (isLine(view)) box[1] = [-view.band, view.band];
  const ranges = box.map((range, axis) => isLine(view) && axis === 1 ? range : withPrior(view, range));
  const half = Math.max(...ranges.map(([low, high]) => (high - low) / 2)) * MARGIN;
  return {
    centre: ranges.map(([low, high]) => (low + high) / 2),
    half: half > 0 && Number.isFinite(half) ? half : 1,
    box,
  };
}

// A range of codes that, of a run with a prior, shows that too.
function withPrior(view, [low, high]) {
  if (view.model.kind === 'ae') return [low, high];
  // Codes that have not left the middle yet would be a spot in it.
  const reach = Math.min(PRIOR_HALF_WIDTH, 2 * Math.max(Math.abs(low), Math.abs(high)));
  return [Math.min(low, -reach), Math.max(high, reach)];
}

// 99 % of points on each axis.
function boxOf(points) {
  return [0, 1].map((axis) => {
    const values = Float64Array.from({ length: points.length / 2 }, (_, at) => points[2 * at + axis])
      .filter(Number.isFinite).sort();
    if (values.length === 0) return [-1, 1];
    const at = (share) => values[Math.round(share * (values.length - 1))];
    const [low, high] = [at(0.005), at(0.995)];
    return high > low ? [low, high] : [low - 1, high + 1];
  });
}

function goHome(app, view) {
  view.home = homeOf(view);
  view.centre = view.home.centre.slice();
  view.half = view.home.half;
  view.isStale = true;
  app.draw();
}

function zoom(app, view, factor, about) {
  const fixed = about || coordinatesOf(app, view);
  const half = Math.min(view.home.half * 4, Math.max(view.home.half / 200, view.half * factor));
  const shrink = half / view.half;
  view.centre = view.centre.map((centre, axis) => fixed[axis] + (centre - fixed[axis]) * shrink);
  view.half = half;
  view.isStale = true;
  app.draw();
}

// Keeps a point in sight.
function follow(view, [u, v]) {
  const reach = view.half * 0.96;
  const moved = [u, v].map((at, axis) => {
    const over = at - view.centre[axis];
    return Number.isFinite(over) && Math.abs(over) > reach ? over - Math.sign(over) * reach : 0;
  });
  if (moved[0] === 0 && moved[1] === 0) return;
  view.centre = view.centre.map((centre, axis) => centre + moved[axis]);
  view.isStale = true;
}

// Places in the plane to canvas pixels, and back from CSS pixels.
function toCanvas(view, u, v) {
  const unit = view.size / (2 * view.half);
  return [(u - view.centre[0] + view.half) * unit, (view.centre[1] + view.half - v) * unit];
}

function fromPointer(view, event) {
  const bounds = view.element.getBoundingClientRect();
  const x = (event.clientX - bounds.left) / bounds.width;
  const y = (event.clientY - bounds.top) / bounds.height;
  return [view.centre[0] + (2 * x - 1) * view.half, view.centre[1] + (1 - 2 * y) * view.half];
}

// Where the cursor of a view is in its plane.
function coordinatesOf(app, view) {
  const [u, v] = project(view.plane, Float32Array.from(app.state.cursors[view.k]), view.model.latent);
  return isLine(view) ? [u, view.lineHeight || 0] : [u, v];
}

function fitCanvases(view) {
  const css = view.element.clientWidth;
  view.scale = Math.min(MOST_PIXELS_PER_POINT, window.devicePixelRatio || 1);
  const size = Math.max(1, Math.round(css * view.scale));
  if (size === view.size) return false;
  view.size = size;
  for (const canvas of [view.base, view.dots, view.overlay]) {
    canvas.width = size;
    canvas.height = size;
  }
  view.isStale = true;
  return true;
}
