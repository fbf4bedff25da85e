// What is shown, and its text in the fragment of the address.

const MAPS = ['codes', 'linear', 'quantile', 'none'];

function initialState(models, data) {
  return {
    active: 0,
    link: 'image',
    image: null,
    held: models.map((model) => Float64Array.from(model.principal ? model.principal.mean : new Array(model.latent).fill(0))),
    cursors: models.map((model) => new Float64Array(model.latent)),
    pinned: false,
    choices: models.map((model) => ({ kind: model.plane, variables: model.variables || [0, 1] })),
    layers: { map: 'codes', codes: true, density: false, ellipses: false, stretch: false, regions: false },
    hidden: new Set(),
    anchors: models.map(() => ({ a: null, b: null })),
    pathShape: 'straight',
    pathAt: null,
    moment: null,
    trails: true,
    selection: [],
    drawn: null,
    lasso: false,
    classes: data.classes.length,
  };
}

const fragmentNumber = (value) => String(Number(value.toPrecision(9)));
const fragmentCode = (code) => Array.from(code).map(fragmentNumber).join(',');

// Only what differs from the first view is written.
function fragmentOf(state) {
  const parts = new URLSearchParams();
  if (state.active) parts.set('run', state.active);
  if (state.image !== null) parts.set('image', state.image);
  parts.set('z', state.cursors.map(fragmentCode).join(';'));
  if (state.pinned) parts.set('held', '1');
  if (state.link !== 'image') parts.set('link', state.link);
  if (state.layers.map !== 'codes') parts.set('map', state.layers.map);
  const others = ['density', 'ellipses', 'stretch', 'regions'].filter((name) => state.layers[name]);
  if (!state.layers.codes) others.push('nocodes');
  if (others.length) parts.set('layers', others.join(','));
  if (state.hidden.size) parts.set('hidden', Array.from(state.hidden).join(','));
  for (const end of ['a', 'b']) {
    if (state.anchors.some((anchors) => anchors[end])) {
      parts.set(end, state.anchors.map((anchors) => anchors[end] ? fragmentCode(anchors[end]) : '').join(';'));
    }
  }
  if (state.pathShape !== 'straight') parts.set('path', state.pathShape);
  if (state.pathAt !== null) parts.set('at', fragmentNumber(state.pathAt));
  if (state.moment !== null) parts.set('moment', state.moment);
  state.choices.forEach((choice, k) => {
    if (choice.changed) parts.set(`axes${k}`, choice.kind === 'principal' ? 'principal' : choice.variables.map((v) => v + 1).join(','));
  });
  return parts.toString().replace(/%2C/g, ',').replace(/%3B/g, ';');
}

// Takes over what a fragment says and this page can show; anything else in it,
// such as a code of another length, is passed over.
function readFragment(text, state, models, data) {
  const parts = new URLSearchParams(text.replace(/^#/, ''));
  const whole = (name, below) => {
    const value = Number(parts.get(name));
    return parts.has(name) && Number.isInteger(value) && value >= 0 && value < below ? value : null;
  };
  const codeIn = (text, latent) => {
    const values = (text || '').split(',').map(Number);
    return text && values.length === latent && values.every(Number.isFinite) ? Float64Array.from(values) : null;
  };
  const active = whole('run', models.length);
  if (active !== null) state.active = active;
  models.forEach((model, k) => {
    const axes = parts.get(`axes${k}`);
    if (axes === 'principal' && model.principal && model.latent > 2) {
      state.choices[k] = { kind: 'principal', variables: [0, 1], changed: true };
    } else if (axes) {
      const variables = axes.split(',').map((value) => Number(value) - 1);
      const fits = variables.length === 2 && variables[0] !== variables[1]
        && variables.every((value) => Number.isInteger(value) && value >= 0 && value < model.latent);
      if (fits) state.choices[k] = { kind: 'variables', variables, changed: true };
    }
  });
  const image = whole('image', data.images);
  if (image !== null) state.image = image;
  const codes = (parts.get('z') || '').split(';');
  const found = { image, codes: models.map((model, k) => codeIn(codes[k], model.latent)) };
  state.pinned = parts.get('held') === '1';
  if (parts.get('link') === 'position') state.link = 'position';
  if (MAPS.includes(parts.get('map'))) state.layers.map = parts.get('map');
  for (const name of (parts.get('layers') || '').split(',')) {
    if (name === 'nocodes') state.layers.codes = false;
    else if (['density', 'ellipses', 'stretch', 'regions'].includes(name)) state.layers[name] = true;
  }
  for (const text of (parts.get('hidden') || '').split(',')) {
    const hidden = Number(text);
    if (text !== '' && Number.isInteger(hidden) && hidden >= 0 && hidden < data.classes.length) state.hidden.add(hidden);
  }
  for (const end of ['a', 'b']) {
    const texts = (parts.get(end) || '').split(';');
    models.forEach((model, k) => { state.anchors[k][end] = codeIn(texts[k], model.latent); });
  }
  if (parts.get('path') === 'shortest') state.pathShape = 'shortest';
  const at = Number(parts.get('at'));
  if (parts.has('at') && at >= 0 && at <= 1) state.pathAt = at;
  state.moment = whole('moment', 1e6);
  return found;
}
