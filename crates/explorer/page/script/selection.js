// Finding images, and selecting many of them.

const SELECTED_SIDE = 34;
const MOST_SHOWN = 300;

function setUpSearch(app) {
  const { data, state } = app;
  document.getElementById('query-label').textContent = TEXT.query(data);
  let last = { query: null, found: [], at: 0 };
  document.getElementById('search').addEventListener('submit', (event) => {
    event.preventDefault();
    const query = document.getElementById('query').value.trim();
    if (query === '') {
      document.getElementById('found').textContent = '';
      return;
    }
    if (query !== last.query) last = { query, found: matching(data, query), at: 0 };
    else if (last.found.length) last.at = (last.at + 1) % last.found.length;
    const said = document.getElementById('found');
    if (last.found.length === 0) {
      said.textContent = TEXT.notFound(query);
      return;
    }
    const image = last.found[last.at];
    state.pinned = true;
    chooseImage(app, image);
    said.textContent = TEXT.found(data, last.found.length, image);
  });
  document.getElementById('next-image').addEventListener('click', () => stepImage(app, 1));
  document.getElementById('previous-image').addEventListener('click', () => stepImage(app, -1));
  const row = document.getElementById('link-row');
  row.hidden = app.views.length < 2;
  const link = document.getElementById('link');
  link.value = state.link;
  link.addEventListener('change', () => {
    state.link = link.value;
    const view = app.views[state.active];
    for (const other of app.views) if (other !== view) followFrom(app, view, other);
    app.moved();
    app.changed();
  });
}

// Images by row, then by exact class, then by part of a name.
function matching(data, query) {
  const lower = query.toLowerCase();
  const images = Array.from({ length: data.images }, (_, image) => image);
  const byRow = /^\d+$/.test(query) ? images.filter((image) => data.index[image] === Number(query)) : [];
  const named = lower.replace(/^class /, '');
  const label = data.classes.findIndex((name) => [lower, named].includes(name.toLowerCase()));
  const byClass = label < 0 || !data.labels ? [] : images.filter((image) => data.labels[image] === label);
  const byName = data.names ? images.filter((image) => data.names[image].toLowerCase().includes(lower)) : [];
  return Array.from(new Set([...byRow, ...byClass, ...byName]));
}

function setUpSelection(app) {
  document.getElementById('selection-help').textContent = TEXT.selectionHelp;
  const lasso = document.getElementById('lasso');
  lasso.addEventListener('change', () => {
    app.state.lasso = lasso.checked;
    app.draw();
  });
  document.getElementById('select-nearest').addEventListener('click', () => {
    const view = app.views[app.state.active];
    const count = Math.min(2000, Math.max(1, Math.round(Number(document.getElementById('radius').value)) || 1));
    select(app, nearestImages(app, view, count));
  });
  document.getElementById('selection-clear').addEventListener('click', () => select(app, []));
  document.getElementById('selection-csv').addEventListener('click', () => download('selection.csv', selectionTable(app), 'text/csv'));
  select(app, []);
}

function nearestImages(app, view, count) {
  const { model } = view;
  const z = app.state.cursors[view.k];
  const distances = Float64Array.from({ length: app.data.images }, (_, image) => squareDistance(model, image, z));
  return Array.from(distances.keys()).filter((image) => !isHidden(app, image))
    .sort((a, b) => distances[a] - distances[b] || a - b).slice(0, count);
}

function selectInside(app, view, points) {
  app.state.lasso = false;
  document.getElementById('lasso').checked = false;
  const inside = [];
  for (let image = 0; image < app.data.images; image++) {
    if (!isHidden(app, image) && isInside(points, view.points[2 * image], view.points[2 * image + 1])) inside.push(image);
  }
  select(app, inside);
}

// Whether a point is inside a polygon, by the number of its edges to the right.
function isInside(polygon, u, v) {
  let inside = false;
  for (let k = 0, before = polygon.length - 1; k < polygon.length; before = k++) {
    const [u1, v1] = polygon[k];
    const [u2, v2] = polygon[before];
    if (v1 > v !== v2 > v && u < u1 + (u2 - u1) * (v - v1) / (v2 - v1)) inside = !inside;
  }
  return inside;
}

function select(app, images) {
  const { data, state } = app;
  state.selection = images;
  document.getElementById('selection-said').textContent = TEXT.selected(images.length);
  document.getElementById('selection-csv').disabled = images.length === 0;
  document.getElementById('selection-clear').disabled = images.length === 0;
  if (images.length) document.getElementById('selection-tool').open = true;
  const counts = new Map();
  if (data.labels) for (const image of images) counts.set(data.labels[image], (counts.get(data.labels[image]) || 0) + 1);
  document.getElementById('selection-counts').textContent = Array.from(counts.entries())
    .sort((a, b) => b[1] - a[1]).map(([label, count]) => TEXT.counts(data.classes[label], count)).join(' · ');
  const withPictures = images.filter((image) => data.thumbnails.of[image] >= 0);
  const parts = withPictures.slice(0, MOST_SHOWN).map((image) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.append(tileOf(data.thumbnails.shape, thumbnailOf(data, image), SELECTED_SIDE, TEXT.image(data, image)));
    button.addEventListener('click', () => chooseImage(app, image));
    return button;
  });
  const rest = images.length - parts.length;
  if (rest > 0) parts.push(elementOf('p', TEXT.withoutThumbnail(rest), 'soft'));
  document.getElementById('selection-images').replaceChildren(...parts);
  for (const view of app.views) view.isStale = true;
  app.draw();
}

function selectionTable(app) {
  const { data, state, models } = app;
  const several = models.length > 1;
  const header = ['index'];
  if (data.names) header.push('name');
  if (data.labels) header.push('label');
  models.forEach((model) => {
    for (let l = 0; l < model.latent; l++) header.push(`${several ? `${model.key} ` : ''}mu${l + 1}`);
  });
  const lines = state.selection.map((image) => {
    const cells = [data.index[image]];
    if (data.names) cells.push(data.names[image]);
    if (data.labels) cells.push(data.classes[data.labels[image]]);
    models.forEach((model) => cells.push(...model.codes.subarray(image * model.latent, (image + 1) * model.latent)));
    return cells;
  });
  return [header, ...lines].map((cells) => cells.map(csvCell).join(',')).join('\r\n') + '\r\n';
}

// Quoted as RFC 4180 says; a text that a spreadsheet would take for a formula
// begins with a quote mark of its own.
function csvCell(value) {
  if (typeof value === 'number') return String(value);
  const text = /^[=+\-@\t]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}
