// Drawing what lies on a plane: decoded map, densities, codes.

const MOST_ELLIPSES = 200;
const MOST_RINGS = 300;

function drawBase(app, view, theme) {
  const context = view.base.getContext('2d');
  const { layers } = app.state;
  context.clearRect(0, 0, view.size, view.size);
  if (layers.stretch && view.layers.stretch && view.layers.stretch.canvas) drawField(context, view, view.layers.stretch);
  if (layers.map !== 'none' && view.layers.map) drawMap(context, view, layers);
  if (layers.density && view.layers.density && view.layers.density.canvas) {
    context.globalAlpha = layers.map === 'none' ? 1 : 0.75;
    drawField(context, view, view.layers.density);
    context.globalAlpha = 1;
  }
  if (layers.regions && view.layers.regions) drawRegions(app, context, view);
  if (layers.ellipses && view.model.logVariance) drawEllipses(app, context, view);
}

// Codes, names and axes change seldom; the fields below them grow while they are made.
function drawDots(app, view, theme) {
  const context = view.dots.getContext('2d');
  context.clearRect(0, 0, view.size, view.size);
  if (view.model.kind !== 'ae' && app.state.choices[view.k].kind !== 'principal') drawPrior(context, view, theme);
  // The codes of the end would lie over those of another moment.
  if (app.state.layers.codes && !(app.state.moment !== null && view.model.trajectories)) drawCodes(app, context, view, theme);
  drawSelection(app, context, view, theme);
  drawAxes(context, view, theme);
}

function drawField(context, view, { box, canvas }) {
  const [left, top] = toCanvas(view, box[0][0], box[1][1]);
  const [right, bottom] = toCanvas(view, box[0][1], box[1][0]);
  context.imageSmoothingEnabled = true;
  context.drawImage(canvas, left, top, right - left, bottom - top);
}

function cellOf(view, map, row, column) {
  const [left, top] = toCanvas(view, map.columnBorders[column], map.rowBorders[row + 1]);
  const [right, bottom] = toCanvas(view, map.columnBorders[column + 1], map.rowBorders[row]);
  return [left, top, right - left, bottom - top];
}

// To whole pixels, so that no line shows between neighbours.
function fillCell(context, view, map, row, column) {
  const [left, top, width, height] = cellOf(view, map, row, column);
  const [x, y] = [Math.round(left), Math.round(top)];
  context.fillRect(x, y, Math.round(left + width) - x, Math.round(top + height) - y);
}

function drawMap(context, view, layers) {
  const { map } = view.layers;
  context.globalAlpha = layers.stretch ? 0.55 : 1;
  context.fillStyle = '#000';
  if (!layers.stretch) for (const { row, column } of map.tiles) fillCell(context, view, map, row, column);
  for (const { row, column, canvas } of map.tiles) {
    let [left, top, width, height] = cellOf(view, map, row, column);
    if (left > view.size || top > view.size || left + width < 0 || top + height < 0) continue;
    const scale = Math.min(width / canvas.width, height / canvas.height);
    const [across, down] = [canvas.width * scale, canvas.height * scale];
    left += (width - across) / 2;
    top += (height - down) / 2;
    context.imageSmoothingEnabled = scale < 1;
    context.imageSmoothingQuality = 'medium';
    context.drawImage(canvas, left, top, across, down);
  }
  context.globalAlpha = 1;
}

function drawRegions(app, context, view) {
  const { map, regions } = view.layers;
  context.globalAlpha = 0.6;
  for (const { row, column, label } of regions) {
    if (label < 0) continue;
    context.fillStyle = app.data.colours[label];
    fillCell(context, view, map, row, column);
  }
  context.globalAlpha = 1;
}

function drawPrior(context, view, theme) {
  context.strokeStyle = theme.guide;
  context.lineWidth = view.scale;
  for (const radius of [1, 2]) {
    context.beginPath();
    if (isLine(view)) {
      for (const side of [-radius, radius]) {
        context.moveTo(...toCanvas(view, side, -view.band));
        context.lineTo(...toCanvas(view, side, view.band));
      }
    } else {
      const [x, y] = toCanvas(view, 0, 0);
      context.arc(x, y, radius * view.size / (2 * view.half), 0, 2 * Math.PI);
    }
    context.stroke();
  }
}

function drawEllipses(app, context, view) {
  const { data } = app;
  const shown = data.thumbnails.which;
  const every = Math.max(1, Math.ceil(shown.length / MOST_ELLIPSES));
  context.lineWidth = view.scale;
  for (let at = 0; at < shown.length; at += every) {
    const image = shown[at];
    if (isHidden(app, image)) continue;
    context.strokeStyle = colourOf(data, image);
    strokeEllipse(context, view, view.points[2 * image], view.points[2 * image + 1], varianceOf(view.model, image), 1);
  }
}

function varianceOf(model, image) {
  return Float64Array.from({ length: model.latent }, (_, l) => Math.exp(model.logVariance[image * model.latent + l]));
}

function strokeEllipse(context, view, u, v, variance, deviations) {
  const { a, b, angle } = ellipseOf(view.plane, variance);
  const unit = deviations * view.size / (2 * view.half);
  const [x, y] = toCanvas(view, u, v);
  if (![x, y, a, b, angle].every(Number.isFinite)) return;
  context.beginPath();
  if (isLine(view)) {
    context.moveTo(x - a * unit, y);
    context.lineTo(x + a * unit, y);
  } else {
    // The canvas has its second axis downwards.
    context.ellipse(x, y, a * unit, b * unit, -angle, 0, 2 * Math.PI);
  }
  context.stroke();
}

const isHidden = (app, image) => app.data.labels !== null && app.state.hidden.has(app.data.labels[image]);
// Of what has no class.
const PLAIN_COLOUR = '#3f90da';
const colourOf = (data, image) => data.labels ? data.colours[data.labels[image]] : PLAIN_COLOUR;

function drawCodes(app, context, view, theme) {
  const { data } = app;
  const radius = (data.images > 4000 ? 1.3 : data.images > 800 ? 2 : 3) * view.scale;
  const side = Math.ceil(2 * radius + 2);
  const dots = new Map();
  const dotOf = (colour) => {
    if (!dots.has(colour)) {
      const dot = document.createElement('canvas');
      dot.width = dot.height = side;
      const pen = dot.getContext('2d');
      pen.fillStyle = colour;
      pen.beginPath();
      pen.arc(side / 2, side / 2, radius, 0, 2 * Math.PI);
      pen.fill();
      dots.set(colour, dot);
    }
    return dots.get(colour);
  };
  context.globalAlpha = app.state.layers.map === 'none' ? 0.85 : 0.65;
  for (let image = 0; image < data.images; image++) {
    if (isHidden(app, image)) continue;
    const [x, y] = toCanvas(view, view.points[2 * image], view.points[2 * image + 1]);
    if (!(x > -side && y > -side && x < view.size + side && y < view.size + side)) continue;
    context.drawImage(dotOf(colourOf(data, image)), Math.round(x - side / 2), Math.round(y - side / 2));
  }
  context.globalAlpha = 1;
  if (data.labels) drawClassNames(app, context, view, theme);
}

// Colour is not the only mark of a class: its name stands at the median of its codes.
function drawClassNames(app, context, view, theme) {
  const { data } = app;
  context.font = `600 ${Math.round(13 * view.scale)}px system-ui, sans-serif`;
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  context.lineJoin = 'round';
  if (!view.classPlaces || view.classPlaces.points !== view.points) view.classPlaces = classPlaces(data, view.points);
  data.classes.forEach((name, label) => {
    const place = view.classPlaces.places[label];
    if (!place || app.state.hidden.has(label)) return;
    const [x, y] = toCanvas(view, ...place);
    const short = Array.from(name).slice(0, 8).join('');
    context.strokeStyle = theme.paper;
    context.lineWidth = 3.5 * view.scale;
    context.strokeText(short, x, y);
    context.fillStyle = theme.ink;
    context.fillText(short, x, y);
  });
}

function classPlaces(data, points) {
  const places = data.classes.map(() => [[], []]);
  for (let image = 0; image < data.images; image++) {
    const of = places[data.labels[image]];
    if (of && Number.isFinite(points[2 * image])) [0, 1].forEach((axis) => of[axis].push(points[2 * image + axis]));
  }
  const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
  return { points, places: places.map((of) => of[0].length ? of.map(median) : null) };
}

// Rings about a few, paler dots for many, so that what is below stays in sight.
function drawSelection(app, context, view, theme) {
  const { selection } = app.state;
  const isMany = selection.length > MOST_RINGS;
  context.strokeStyle = context.fillStyle = theme.ink;
  context.lineWidth = 1.2 * view.scale;
  context.globalAlpha = isMany ? 0.5 : 1;
  for (const image of selection) {
    const [x, y] = toCanvas(view, view.points[2 * image], view.points[2 * image + 1]);
    context.beginPath();
    context.arc(x, y, (isMany ? 1.2 : 3.5) * view.scale, 0, 2 * Math.PI);
    if (isMany) context.fill(); else context.stroke();
  }
  context.globalAlpha = 1;
}
