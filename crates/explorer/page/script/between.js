// Two anchors, the paths between them, and the strip of what lies on a path.

const SEGMENTS = 16;
// One step of the search for a shorter path would take longer than a frame or two.
const MOST_LATENT = 32;
const STRIP_TILES = 11;
const STRIP_SIDE = 27;

// An end in every plane, where its cursor is: runs that follow one image are
// compared between the same two images.
function setAnchor(app, which) {
  for (const view of app.views) app.state.anchors[view.k][which] = Float64Array.from(app.state.cursors[view.k]);
  document.getElementById('path-tool').open = true;
  pathsChanged(app);
  app.changed();
  app.draw();
}

// Begins the paths anew where both ends are set.
function pathsChanged(app) {
  for (const view of app.views) {
    const { a, b } = app.state.anchors[view.k];
    app.schedule.stop(view, 'path');
    app.paths[view.k] = null;
    if (!a || !b) continue;
    app.paths[view.k] = { straight: { codes: straightPath(a, b), length: NaN }, shortest: null, isDone: false };
    if (view.model.latent <= MOST_LATENT) app.schedule.make(view, 'path', findPath(app, view, a, b));
    else app.paths[view.k].isDone = true;
  }
  showPaths(app);
}

function straightPath(a, b) {
  return Array.from({ length: SEGMENTS + 1 }, (_, k) => a.map((from, l) => from + (b[l] - from) * k / SEGMENTS));
}

function* findPath(app, view, a, b) {
  yield;
  const search = geodesic(view.model, a, b, SEGMENTS);
  let step = search.next();
  while (!step.done) {
    yield;
    step = search.next();
  }
  app.paths[view.k] = { ...step.value, isDone: true };
  showPaths(app);
  // Who is on the way meanwhile was on the straight one.
  if (app.state.pathAt !== null) goAlong(app, app.state.pathAt);
}

// A place on a path, between its codes.
function alongPath(codes, t) {
  const at = Math.min(1, Math.max(0, t)) * (codes.length - 1);
  const low = Math.min(codes.length - 2, Math.floor(at));
  return Float64Array.from(codes[low], (from, l) => from + (at - low) * (codes[low + 1][l] - from));
}

function chosenPath(app, view) {
  const path = app.paths[view.k];
  return path ? path[app.state.pathShape] || path.straight : null;
}

function showPaths(app) {
  const { state } = app;
  const strips = document.getElementById('path-strips');
  const shown = app.views.filter((view) => chosenPath(app, view));
  const focused = strips.contains(document.activeElement) ? document.activeElement.dataset.t : null;
  strips.replaceChildren(...shown.map((view) => {
    const { codes } = chosenPath(app, view);
    const box = document.createElement('div');
    const name = document.createElement('p');
    name.className = 'soft';
    name.textContent = view.model.title;
    const strip = document.createElement('div');
    strip.className = 'strip';
    for (let k = 0; k < STRIP_TILES; k++) {
      const t = k / (STRIP_TILES - 1);
      const row = brightness(view.model, app.data, decode(view.model, alongPath(codes, t)));
      const button = document.createElement('button');
      button.type = 'button';
      button.dataset.t = t;
      button.append(tileOf(app.data.shape, row, STRIP_SIDE, TEXT.pathPlace(t)));
      button.addEventListener('click', () => goAlong(app, t));
      strip.append(button);
    }
    box.append(name, strip);
    return box;
  }));
  if (focused !== null) {
    const again = Array.from(strips.querySelectorAll('button')).find((button) => button.dataset.t === focused);
    if (again) again.focus();
  }
  const slider = document.getElementById('path-at');
  slider.disabled = shown.length === 0;
  slider.value = Math.round(100 * (state.pathAt || 0));
  sayPath(app);
}

function sayPath(app) {
  const path = app.paths[app.state.active];
  const model = app.models[app.state.active];
  const t = app.state.pathAt || 0;
  document.getElementById('path-said').textContent = !path ? ''
    : !path.isDone ? TEXT.pathWorking
      : path.shortest ? TEXT.pathSaid(model.title, t, path.straight.length, path.shortest.length)
        : TEXT.pathStraightOnly(model.title, t, MOST_LATENT);
}

// Every view that has a path goes to the same share of its way.
function goAlong(app, t) {
  app.state.pathAt = t;
  app.state.pinned = true;
  for (const view of app.views) {
    const path = chosenPath(app, view);
    if (!path) continue;
    app.state.cursors[view.k] = alongPath(path.codes, t);
    view.follows = null;
  }
  document.getElementById('path-at').value = Math.round(100 * t);
  sayPath(app);
  app.moved();
}

// The cursor has gone elsewhere.
function leavePath(app) {
  if (app.state.pathAt === null) return;
  app.state.pathAt = null;
  document.getElementById('path-at').value = 0;
}

function setUpPaths(app) {
  const { state } = app;
  document.getElementById('path-help').textContent = TEXT.pathHelp;
  document.getElementById('anchor-a').addEventListener('click', () => setAnchor(app, 'a'));
  document.getElementById('anchor-b').addEventListener('click', () => setAnchor(app, 'b'));
  document.getElementById('anchors-clear').addEventListener('click', () => {
    state.anchors = state.anchors.map(() => ({ a: null, b: null }));
    state.pathAt = null;
    pathsChanged(app);
    app.changed();
    app.draw();
  });
  const shape = document.getElementById('path-shape');
  shape.value = state.pathShape;
  shape.addEventListener('change', () => {
    state.pathShape = shape.value;
    showPaths(app);
    if (state.pathAt !== null) goAlong(app, state.pathAt);
    app.changed();
    app.draw();
  });
  document.getElementById('path-at').addEventListener('input', (event) => goAlong(app, event.target.value / 100));
  if (state.anchors.some(({ a, b }) => a || b)) document.getElementById('path-tool').open = true;
  pathsChanged(app);
  if (state.pathAt !== null) goAlong(app, state.pathAt);
}
