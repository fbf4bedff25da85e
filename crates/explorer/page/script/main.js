// Puts the page together: opens the payload, makes the planes and tools, and
// draws what has changed once a frame.

const REMEMBER_MILLISECONDS = 400;
const MOST_TRIED = 30;

function themeOf() {
  const style = getComputedStyle(document.documentElement);
  const value = (name) => style.getPropertyValue(name).trim();
  return { paper: value('--paper'), ink: value('--ink'), accent: value('--accent'), plane: value('--plane'), guide: value('--soft') };
}

function writeTexts(root) {
  for (const element of root.querySelectorAll('[data-text]')) element.textContent = TEXT.labels[element.dataset.text];
  for (const element of root.querySelectorAll('[data-label]')) element.setAttribute('aria-label', TEXT.labels[element.dataset.label]);
}

function createApp(data, models) {
  const app = { data, models, state: initialState(models, data), views: [], paths: models.map(() => null), theme: themeOf() };
  let isAsked = false;
  app.draw = () => {
    if (isAsked) return;
    isAsked = true;
    requestAnimationFrame(() => {
      isAsked = false;
      drawFrame(app);
    });
  };
  app.moved = () => {
    app.hasMoved = true;
    app.draw();
    settle(app);
  };
  app.changed = () => {
    clearTimeout(app.remembering);
    app.remembering = setTimeout(app.remember, REMEMBER_MILLISECONDS);
  };
  app.remember = () => {
    const fragment = `#${fragmentOf(app.state)}`;
    if (fragment === location.hash) return;
    app.ownFragment = fragment;
    try {
      history.replaceState(null, '', fragment);
    } catch (error) {
      // Inside a frame without an address of its own the view has none either.
    }
  };
  app.say = (words) => { document.getElementById('seen').textContent = words; };
  app.schedule = createSchedule(app.draw);
  return app;
}

function drawFrame(app) {
  for (const view of app.views) {
    fitCanvases(view);
    prepareLayers(app, view);
    prepareStrips(app, view);
    if (view.isStale || view.isBaseStale) drawBase(app, view, app.theme);
    if (view.isStale) drawDots(app, view, app.theme);
    view.isStale = view.isBaseStale = false;
    drawOverlay(app, view, app.theme);
    showHold(app, view);
    if (app.hasMoved) inspect(app, view);
  }
  app.hasMoved = false;
}

// An image that a first look understands: about as hard to reconstruct as most for
// the first run, and of which every run makes something of its own class.
function firstImage(data, models) {
  const { reconstruction } = models[0];
  const pictured = data.thumbnails.which.length ? Array.from(data.thumbnails.which) : Array.from(reconstruction.keys());
  const order = pictured.sort((a, b) => reconstruction[a] - reconstruction[b] || a - b);
  const from = Math.floor(order.length / 3);
  const tried = order.slice(from, from + MOST_TRIED);
  const isClear = (image) => models.every((model) =>
    nearestImageClass(data, brightness(model, data, decode(model, codeOf(model, image)))) === data.labels[image]);
  const clear = data.labels && data.thumbnails.which.length ? tried.find(isClear) : undefined;
  const middle = order.length ? order[Math.floor(order.length / 2)] : null;
  return clear === undefined ? middle : clear;
}

function setUpViews(app) {
  const planes = document.getElementById('planes');
  planes.dataset.count = app.models.length;
  app.views = app.models.map((_, k) => createView(app, k));
  for (const view of app.views) {
    planes.append(view.section);
    setPlane(app, view);
    view.home = homeOf(view);
    view.centre = view.home.centre.slice();
    view.half = view.home.half;
    listen(app, view);
    new ResizeObserver(() => fitCanvases(view) && app.draw()).observe(view.element);
  }
}

function setUpTheme(app) {
  window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    app.theme = themeOf();
    layersChanged(app);
  });
}

// What the fragment says, and the first image where it says nothing.
function startFrom(app, found) {
  const { state } = app;
  // To go anywhere is to leave a path; its own place is gone to once it is there.
  const { pathAt } = state;
  const image = found.image === null && found.codes.every((code) => code === null) ? firstImage(app.data, app.models) : found.image;
  if (image !== null) chooseImage(app, image);
  for (const view of app.views) {
    const code = found.codes[view.k];
    if (!code) continue;
    goToCode(app, view, code);
    if (isLine(view)) view.lineHeight = 0;
  }
  state.pathAt = pathAt;
  activateView(app, state.active);
  app.moved();
}

async function openExplorer() {
  const payload = await openPayload(document.getElementById('payload').textContent);
  const data = openData(payload);
  const models = payload.manifest.models.map((_, k) => openModel(payload, k));
  const app = createApp(data, models);
  writeTexts(document);
  writeTexts(document.getElementById('plane-template').content);
  const found = readFragment(location.hash, app.state, models, data);
  document.getElementById('static').hidden = true;
  document.getElementById('explorer').hidden = false;
  document.getElementById('about').textContent = (data.images < data.rows ? TEXT.about(data, data.images) : TEXT.aboutAll(data))
    + (data.thumbnails.which.length < data.images ? TEXT.pictures(data) : '');
  document.getElementById('footer').textContent = TEXT.footer(data, models, payload.manifest.program);
  document.getElementById('keys').append(...TEXT.keyList.flatMap(([keys, words]) => {
    const term = document.createElement('dt');
    term.append(...keys.split(' ').flatMap((key) => [elementOf('kbd', key), document.createTextNode(' ')]));
    return [term, elementOf('dd', words)];
  }));
  setUpViews(app);
  setUpControls(app);
  setUpSearch(app);
  setUpDimensions(app);
  startFrom(app, found);
  setUpPaths(app);
  setUpMoments(app);
  setUpOwnImage(app);
  setUpSelection(app);
  setUpKeep(app);
  setUpTheme(app);
  window.addEventListener('hashchange', () => {
    if (location.hash !== app.ownFragment) location.reload();
  });
  drawFrame(app);
  for (const view of app.views) showNeighbours(app, view);
  const view = app.views[app.state.active];
  // What is shown first is told first; a view that was linked is told as it is.
  if (view.cue.isCode && view.cue.image === app.state.image) {
    app.say(TEXT.first(view.model, data, app.state.image, placeWords(view, app.state.cursors[view.k])));
    clearTimeout(app.saying);
  }
  window.atlas = {
    state: () => ({
      active: app.state.active, image: app.state.image, codes: app.state.cursors.map((z) => Array.from(z)),
      pinned: app.state.pinned, layers: { ...app.state.layers }, anchors: app.state.anchors, path: app.state.pathShape,
      pathAt: app.state.pathAt, moment: app.state.moment, selection: app.state.selection.slice(),
      hidden: Array.from(app.state.hidden), drawn: app.state.drawn !== null, isIdle: app.schedule.isIdle(),
      views: app.views.map(({ centre, half }) => ({ centre, half })),
    }),
    app,
  };
  window.atlasReady = performance.now();
  document.documentElement.dataset.state = 'ready';
}

openExplorer().catch((error) => {
  document.getElementById('seen').textContent = TEXT.failed(error.message);
  document.documentElement.dataset.state = 'failed';
  throw error;
});
