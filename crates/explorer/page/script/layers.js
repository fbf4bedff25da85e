// What lies on a plane, made in slices between frames and shown as far as it has come.

const LATTICE = 21;
const FIELD_CELLS = 128;
const STRETCH_CELLS = 33;
const TILE_PIXELS = 28;

// Columns and rows of a map: codes ascending, with the borders of their cells.
function latticeOf(view, kind) {
  if (kind === 'linear') return aboutPrior(view, evenly(LATTICE, -PRIOR_HALF_WIDTH, PRIOR_HALF_WIDTH));
  if (kind === 'quantile') {
    return aboutPrior(view, Float64Array.from({ length: LATTICE }, (_, k) => normalQuantile((k + 0.5) / LATTICE)));
  }
  const lengths = view.home.box.map(([low, high]) => high - low);
  const step = (isLine(view) ? lengths[0] : Math.max(...lengths)) / LATTICE;
  const [u, v] = view.home.box.map(([low, high], axis) => {
    const count = Math.min(LATTICE, Math.max(2, Math.ceil(lengths[axis] / step - 1e-9)));
    const half = step * (count - 1) / 2;
    return evenly(count, (low + high) / 2 - half, (low + high) / 2 + half);
  });
  return { u, v };
}

// Places about the mean of the prior, which a plane of principal axes has elsewhere
// than at its own origin.
function aboutPrior(view, places) {
  const mean = project(view.plane, new Float32Array(view.model.latent), view.model.latent);
  const [u, v] = [0, 1].map((axis) => places.map((place) => place + (isLine(view) ? 0 : mean[axis])));
  return { u, v };
}

function evenly(count, low, high) {
  return Float64Array.from({ length: count }, (_, k) => low + (high - low) * k / (count - 1));
}

// Half-way borders between ascending places; the outer cells are symmetric.
function bordersOf(places) {
  const last = places.length - 1;
  const middle = (k) => (places[k] + places[k + 1]) / 2;
  return Float64Array.from({ length: places.length + 1 }, (_, k) =>
    k === 0 ? 2 * places[0] - middle(0) : k > last ? 2 * places[last] - middle(last - 1) : middle(k - 1));
}

// Of one latent variable all rows of a lattice are the same.
const rowsOf = (view, lattice) => isLine(view) ? [0] : lattice.v;

// As high as a column is wide on average.
function rowAboveBand(view, places) {
  const low = 1.05 * view.band;
  return Float64Array.from([low, low + (places[places.length - 1] - places[0]) / (places.length - 1)]);
}

function* makeMap(app, view, kind) {
  const lattice = latticeOf(view, kind);
  const rows = rowsOf(view, lattice);
  const layer = {
    kind, u: lattice.u, v: lattice.v, rows,
    columnBorders: bordersOf(lattice.u),
    rowBorders: isLine(view) ? rowAboveBand(view, lattice.u) : bordersOf(lattice.v),
    tiles: [], classes: [],
  };
  view.layers.map = layer;
  // From the middle outwards the picture is whole earliest.
  const order = [];
  for (let row = 0; row < rows.length; row++) for (let column = 0; column < lattice.u.length; column++) order.push([row, column]);
  const away = ([row, column]) => Math.hypot(row - (rows.length - 1) / 2, column - (lattice.u.length - 1) / 2);
  order.sort((a, b) => away(a) - away(b));
  for (const [row, column] of order) {
    const z = embed(view.plane, lattice.u[column], rows[row]);
    const shown = brightness(view.model, app.data, decode(view.model, z));
    const canvas = document.createElement('canvas');
    drawRow(canvas, app.data.shape, shown);
    layer.tiles.push({ row, column, canvas: smaller(canvas), shown: app.data.classes.length ? Float32Array.from(shown) : null });
    view.isBaseStale = true;
    yield;
  }
}

// A tile is never drawn larger than about so many pixels on a map.
function smaller(canvas) {
  const longer = Math.max(canvas.width, canvas.height);
  const most = 2 * TILE_PIXELS;
  if (longer <= most) return canvas;
  const small = document.createElement('canvas');
  small.width = Math.max(1, Math.round(canvas.width * most / longer));
  small.height = Math.max(1, Math.round(canvas.height * most / longer));
  const context = small.getContext('2d');
  context.imageSmoothingQuality = 'high';
  context.drawImage(canvas, 0, 0, small.width, small.height);
  return small;
}

function* makeRegions(app, view) {
  const regions = [];
  view.layers.regions = regions;
  // The map itself is there from the first slice of its own work.
  const tilesOf = () => view.layers.map.tiles;
  for (let at = 0; at < tilesOf().length || app.schedule.isMaking(view, 'map'); at++) {
    while (at >= tilesOf().length) {
      if (!app.schedule.isMaking(view, 'map')) return;
      yield;
    }
    const { row, column, shown } = tilesOf()[at];
    regions.push({ row, column, label: nearestImageClass(app.data, shown) });
    view.isBaseStale = true;
    yield;
  }
}

function* makeDensity(app, view) {
  const { model } = view;
  const box = squareOf(view.home);
  const variances = model.logVariance ? planeVariances(app, view) : null;
  yield;
  const values = density(view.points, variances, box, FIELD_CELLS, FIELD_CELLS);
  let most = 0;
  for (const value of values) most = Math.max(most, value);
  // The root, since densities of codes span decades.
  const roots = values.map((value) => Math.sqrt(value / most));
  view.layers.density = { box, canvas: fieldImage(roots, FIELD_CELLS, FIELD_CELLS, 0, 1, (share) => Math.min(1, 3 * share)) };
  view.isBaseStale = true;
}

// Posterior covariances [uu, vv, uv] in the plane, or [uu, vv] where they are
// along its axes.
function planeVariances(app, view) {
  const { model, plane } = view;
  const size = app.state.choices[view.k].kind === 'principal' ? 3 : 2;
  const variances = new Float32Array(size * app.data.images);
  for (let image = 0; image < app.data.images; image++) {
    const covariance = planeCovariance(plane, varianceOf(model, image));
    // Across the band of one latent variable there is no posterior.
    if (isLine(view)) covariance[1] = (view.band / 10) ** 2;
    variances.set(covariance.slice(0, size), size * image);
  }
  return variances;
}

const squareOf = ({ centre, half }) => centre.map((at) => [at - half, at + half]);

function* makeStretch(app, view) {
  const box = squareOf(view.home);
  const values = new Float64Array(STRETCH_CELLS ** 2).fill(NaN);
  const layer = { box, canvas: null, low: 0, high: 0 };
  view.layers.stretch = layer;
  const place = (axis, k) => box[axis][0] + (k + 0.5) * (box[axis][1] - box[axis][0]) / STRETCH_CELLS;
  for (let row = 0; row < STRETCH_CELLS; row++) {
    for (let column = 0; column < STRETCH_CELLS; column++) {
      if (isLine(view) && row > 0) {
        values[row * STRETCH_CELLS + column] = values[column];
        continue;
      }
      const z = embed(view.plane, place(0, column), place(1, row));
      const { area } = stretch(view.model, z, view.plane.axes);
      values[row * STRETCH_CELLS + column] = Math.log10(Math.max(area, 1e-12));
      yield;
    }
    const known = Array.from(values).filter(Number.isFinite).sort((a, b) => a - b);
    layer.low = known[Math.floor(0.05 * known.length)];
    layer.high = known[known.length - 1];
    layer.canvas = fieldImage(values, STRETCH_CELLS, STRETCH_CELLS, layer.low, layer.high, () => 1);
    view.isBaseStale = true;
  }
  layer.isDone = true;
  showStretch(app);
}

// Begins what is asked for and not there.
function prepareLayers(app, view) {
  const { layers } = app.state;
  const wanted = layers.map === 'none' ? (layers.regions ? 'codes' : null) : layers.map;
  if (wanted && (!view.layers.map || view.layers.map.kind !== wanted)) {
    delete view.layers.regions;
    app.schedule.make(view, 'map', makeMap(app, view, wanted));
    // Until its first slice there is an empty one.
    view.layers.map = { kind: wanted, tiles: [] };
  }
  if (layers.regions && app.data.labels && !view.layers.regions) {
    view.layers.regions = [];
    app.schedule.make(view, 'regions', makeRegions(app, view));
  }
  if (layers.density && !view.layers.density) {
    view.layers.density = {};
    app.schedule.make(view, 'density', makeDensity(app, view));
  }
  if (layers.stretch && !view.layers.stretch) {
    view.layers.stretch = {};
    app.schedule.make(view, 'stretch', makeStretch(app, view));
  }
}

// Inverse of the standard normal distribution function (Acklam 2003, relative
// error below 1.2e-9).
function normalQuantile(p) {
  const a = [-3.969683028665376e1, 2.209460984245205e2, -2.759285104469687e2, 1.38357751867269e2, -3.066479806614716e1, 2.506628277459239];
  const b = [-5.447609879822406e1, 1.615858368580409e2, -1.556989798598866e2, 6.680131188771972e1, -1.328068155288572e1, 1];
  const c = [-7.784894002430293e-3, -3.223964580411365e-1, -2.400758277161838, -2.549732539343734, 4.374664141464968, 2.938163982698783];
  const d = [7.784695709041462e-3, 3.224671290700398e-1, 2.445134137142996, 3.754408661907416, 1];
  const polynomial = (coefficients, x) => coefficients.reduce((sum, coefficient) => sum * x + coefficient, 0);
  if (p < 0.02425) {
    const q = Math.sqrt(-2 * Math.log(p));
    return polynomial(c, q) / polynomial(d, q);
  }
  if (p > 1 - 0.02425) return -normalQuantile(1 - p);
  const q = p - 0.5;
  return q * polynomial(a, q * q) / polynomial(b, q * q);
}
