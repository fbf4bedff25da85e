// More than two latent variables: which two are shown, a strip for each, and
// where the others are held.

const TRAVERSAL_TILES = 9;
const TRAVERSAL_SIDE = 32;
const MOST_STRIPS = 64;

function setUpDimensions(app) {
  const views = app.views.filter((view) => view.model.latent > 2);
  if (views.length === 0) return;
  document.getElementById('dimensions-tool').hidden = false;
  const box = document.getElementById('dimensions');
  box.replaceChildren(...views.map((view) => dimensionsOf(app, view)));
}

// Variables by KL, of an autoencoder by variance, the most first.
function orderOf(model) {
  const by = model.kl || model.variance;
  return Array.from(by.keys()).sort((a, b) => by[b] - by[a] || a - b);
}

function dimensionsOf(app, view) {
  const { model } = view;
  const part = document.createElement('div');
  if (app.views.length > 1) part.append(elementOf('h3', model.title));
  part.append(elementOf('p', TEXT.dimensionsHelp(model) + (model.latent > MOST_STRIPS ? TEXT.mostStrips(MOST_STRIPS, model) : ''), 'soft'), axesOf(app, view));
  const reset = elementOf('button', TEXT.resetHeld);
  reset.type = 'button';
  reset.addEventListener('click', () => {
    if (app.state.image !== null) chooseImage(app, app.state.image);
  });
  part.append(reset);
  const list = elementOf('div', '', 'dimensions');
  part.append(list);
  view.strips = { list, shown: null };
  return part;
}

function elementOf(name, text, className) {
  const element = document.createElement(name);
  element.textContent = text;
  if (className) element.className = className;
  return element;
}

function axesOf(app, view) {
  const { model, k } = view;
  const row = elementOf('div', '', 'row');
  const order = orderOf(model);
  const choice = app.state.choices[k];
  const selects = [0, 1].map((axis) => {
    const select = document.createElement('select');
    select.setAttribute('aria-label', TEXT.axes[axis]);
    for (const l of order) select.append(new Option(variableName(l), l));
    select.value = choice.variables[axis];
    return select;
  });
  const principal = document.createElement('input');
  principal.type = 'checkbox';
  principal.checked = choice.kind === 'principal';
  principal.disabled = !model.principal;
  const label = elementOf('label', '', 'check');
  label.append(principal, document.createTextNode(TEXT.principal(model.principal ? model.principal.share : NaN)));
  const change = () => {
    let variables = selects.map((select) => Number(select.value));
    if (variables[0] === variables[1]) {
      // The other axis gives way.
      const other = order.find((l) => l !== variables[0]);
      variables = [variables[0], other];
      selects[1].value = other;
    }
    selects.forEach((select) => { select.disabled = principal.checked; });
    app.state.choices[k] = { kind: principal.checked ? 'principal' : 'variables', variables, changed: true };
    setPlane(app, view);
    goHome(app, view);
    app.changed();
    app.moved();
  };
  selects.forEach((select) => {
    select.disabled = principal.checked;
    select.addEventListener('change', change);
  });
  principal.addEventListener('change', change);
  row.append(...selects, label);
  return row;
}

// Begins the strips of a view anew when the held code has changed.
function prepareStrips(app, view) {
  if (!view.strips) return;
  const key = app.state.held[view.k].join(' ');
  if (view.strips.shown === key) return;
  view.strips.shown = key;
  app.schedule.make(view, 'strips', makeStrips(app, view));
}

function* makeStrips(app, view) {
  const { model } = view;
  const order = orderOf(model).slice(0, MOST_STRIPS);
  const rows = view.strips.rows || (view.strips.rows = new Map());
  for (const l of order) {
    if (!rows.has(l)) {
      const row = stripRow(app, view, l);
      rows.set(l, row);
      view.strips.list.append(row.element);
    }
    const row = rows.get(l);
    const held = app.state.held[view.k];
    if (document.activeElement !== row.slider) row.slider.value = held[l];
    for (let at = 0; at < TRAVERSAL_TILES; at++) {
      const z = Float64Array.from(held);
      z[l] = row.low + (row.high - row.low) * at / (TRAVERSAL_TILES - 1);
      const shown = brightness(model, app.data, decode(model, z));
      const tile = tileOf(app.data.shape, shown, TRAVERSAL_SIDE);
      const old = row.strip.children[at];
      if (old) old.replaceWith(tile); else row.strip.append(tile);
      yield;
    }
  }
}

function stripRow(app, view, l) {
  const { model, k } = view;
  const name = variableName(l);
  const values = Float64Array.from({ length: app.data.images }, (_, image) => model.codes[image * model.latent + l]).sort();
  const at = (share) => values[Math.round(share * (values.length - 1))];
  const isPrior = model.kind !== 'ae';
  const [low, high] = isPrior ? [-3, 3] : [at(0.01), at(0.99)];
  const element = elementOf('div', '', `dimension${model.active[l] ? '' : ' collapsed'}`);
  const head = elementOf('div', '', 'head');
  head.append(elementOf('b', name), elementOf('span', model.kl ? TEXT.kl(model.kl[l]) : TEXT.variance(model.variance[l]), 'soft'));
  const by = model.kl || model.variance;
  const most = Math.max(...by.filter(Number.isFinite));
  const bar = elementOf('div', '', 'bar');
  bar.style.width = `${Math.max(0.5, 100 * by[l] / (most > 0 ? most : 1))}%`;
  const strip = elementOf('div', '', 'strip');
  strip.setAttribute('role', 'img');
  strip.setAttribute('aria-label', TEXT.traversal(name));
  const slider = document.createElement('input');
  slider.type = 'range';
  slider.min = Math.min(low, at(0));
  slider.max = Math.max(high, at(1));
  slider.step = 'any';
  slider.setAttribute('aria-label', TEXT.held(name));
  slider.addEventListener('input', () => hold(app, view, l, Number(slider.value)));
  element.append(head, bar, strip, slider);
  return { element, strip, slider, low, high };
}

// One variable of the held code; the cursor moves with it.
function hold(app, view, l, value) {
  const { state } = app;
  const moved = Float64Array.from(state.cursors[view.k]);
  moved[l] += value - state.held[view.k][l];
  state.held[view.k][l] = value;
  setPlane(app, view);
  moveToCode(app, view, moved);
}
