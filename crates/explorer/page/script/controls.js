// The switches of layers and classes.

function setUpControls(app) {
  const { state, data } = app;
  const box = document.getElementById('layers');
  const maps = document.createElement('fieldset');
  maps.append(elementOf('legend', TEXT.map.legend));
  const choices = elementOf('div', '', 'choices');
  for (const kind of MAPS) {
    const label = elementOf('label', '', 'check');
    const input = document.createElement('input');
    input.type = 'radio';
    input.name = 'map';
    input.value = kind;
    input.addEventListener('change', () => setMap(app, kind));
    label.append(input, document.createTextNode(TEXT.map.choices[kind]));
    choices.append(label);
  }
  const said = elementOf('p', '', 'said');
  said.id = 'map-said';
  maps.append(choices, said);
  box.append(maps);
  const hasPosterior = app.models.some((model) => model.logVariance);
  for (const [name, [title, words]] of Object.entries(TEXT.layer)) {
    if (name === 'regions' && (!data.labels || !data.thumbnails.which.length)) continue;
    const row = elementOf('div', '', 'layer');
    const label = elementOf('label', '', 'check');
    const input = document.createElement('input');
    input.type = 'checkbox';
    input.id = `layer-${name}`;
    input.checked = state.layers[name];
    input.disabled = name === 'ellipses' && !hasPosterior;
    const explained = elementOf('p', input.disabled ? TEXT.noPosterior : words, 'said');
    explained.id = `layer-${name}-said`;
    explained.hidden = !input.checked && !input.disabled;
    input.setAttribute('aria-describedby', explained.id);
    input.addEventListener('change', () => {
      state.layers[name] = input.checked;
      explained.hidden = !input.checked;
      layersChanged(app);
    });
    label.append(input, document.createTextNode(title));
    row.append(label, explained);
    box.append(row);
  }
  setUpClasses(app);
  showMap(app);
}

// The numbers behind the colours, as far as they are known.
function showStretch(app) {
  const known = app.views.filter((view) => view.layers.stretch && view.layers.stretch.isDone);
  const ranges = known.map((view) => TEXT.stretchRange(view.model.title, 10 ** view.layers.stretch.low, 10 ** view.layers.stretch.high));
  document.getElementById('layer-stretch-said').textContent = [TEXT.layer.stretch[1], ...ranges].join(' ');
}

function setMap(app, kind) {
  app.state.layers.map = kind;
  showMap(app);
  layersChanged(app);
}

function showMap(app) {
  const { map } = app.state.layers;
  for (const input of document.querySelectorAll('input[name=map]')) input.checked = input.value === map;
  const isSlice = map !== 'none' && app.models.some((model) => model.latent > 2);
  document.getElementById('map-said').textContent = TEXT.map.said[map] + (isSlice ? TEXT.map.slice : '');
}

function nextMap(app) {
  setMap(app, MAPS[(MAPS.indexOf(app.state.layers.map) + 1) % MAPS.length]);
  app.say(TEXT.map.said[app.state.layers.map]);
}

function layersChanged(app) {
  for (const view of app.views) view.isStale = true;
  app.changed();
  app.draw();
}

function setUpClasses(app) {
  const { data, state } = app;
  if (!data.labels) return;
  document.getElementById('classes').append(...data.classes.map((name, label) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.setAttribute('aria-pressed', String(!state.hidden.has(label)));
    const swatch = elementOf('span', '', 'swatch');
    swatch.style.background = data.colours[label];
    button.append(swatch, elementOf('bdi', name));
    button.addEventListener('click', () => {
      if (state.hidden.has(label)) state.hidden.delete(label); else state.hidden.add(label);
      button.setAttribute('aria-pressed', String(!state.hidden.has(label)));
      layersChanged(app);
    });
    return button;
  }));
}
