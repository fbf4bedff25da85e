// What moves over a plane: cursor, chosen image, path, trails, selection.

function drawOverlay(app, view, theme) {
  const context = view.overlay.getContext('2d');
  const { state } = app;
  context.clearRect(0, 0, view.size, view.size);
  context.lineJoin = 'round';
  if (state.moment !== null && view.model.trajectories) drawTrails(app, context, view);
  drawPath(app, context, view, theme);
  if (state.image !== null) drawChosen(app, context, view, theme);
  if (state.drawn && state.drawn.codes[view.k]) drawOwn(app, context, view, theme);
  drawCursor(app, context, view, theme);
  if (app.lassoPoints && app.lassoPoints.view === view) drawLasso(app, context, view, theme);
}

// A line that is seen on light and on dark.
function strokeTwice(context, view, theme, draw, width) {
  context.strokeStyle = theme.paper;
  context.lineWidth = (width + 2) * view.scale;
  draw();
  context.strokeStyle = theme.accent;
  context.lineWidth = width * view.scale;
  draw();
}

function drawCursor(app, context, view, theme) {
  const [x, y] = toCanvas(view, ...coordinatesOf(app, view));
  if (!Number.isFinite(x + y)) return;
  const arm = 11 * view.scale;
  const gap = 4 * view.scale;
  strokeTwice(context, view, theme, () => {
    context.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      context.moveTo(x + dx * gap, y + dy * gap);
      context.lineTo(x + dx * arm, y + dy * arm);
    }
    if (app.state.pinned && view.k === app.state.active) {
      context.moveTo(x + gap * 0.9, y);
      context.arc(x, y, gap * 0.9, 0, 2 * Math.PI);
    }
    context.stroke();
  }, 2);
}

function drawChosen(app, context, view, theme) {
  const { image } = app.state;
  const [u, v] = [view.points[2 * image], view.points[2 * image + 1]];
  const [x, y] = toCanvas(view, u, v);
  if (!Number.isFinite(x + y)) return;
  strokeTwice(context, view, theme, () => {
    context.beginPath();
    context.arc(x, y, 7 * view.scale, 0, 2 * Math.PI);
    context.stroke();
  }, 2.5);
  if (view.model.logVariance) {
    for (const deviations of [1, 2]) {
      strokeTwice(context, view, theme, () => strokeEllipse(context, view, u, v, varianceOf(view.model, image), deviations), 1.2);
    }
  }
}

function drawOwn(app, context, view, theme) {
  const { mean, logVariance } = app.state.drawn.codes[view.k];
  const [u, w] = project(view.plane, mean, view.model.latent);
  const v = isLine(view) ? 0 : w;
  const [x, y] = toCanvas(view, u, v);
  if (!Number.isFinite(x + y)) return;
  const arm = 7 * view.scale;
  strokeTwice(context, view, theme, () => {
    context.beginPath();
    context.moveTo(x - arm, y - arm);
    context.lineTo(x + arm, y + arm);
    context.moveTo(x - arm, y + arm);
    context.lineTo(x + arm, y - arm);
    context.stroke();
  }, 2.5);
  if (logVariance) {
    strokeTwice(context, view, theme, () => strokeEllipse(context, view, u, v, Array.from(logVariance, Math.exp), 1), 1.5);
  }
}

function drawPath(app, context, view, theme) {
  const { a, b } = app.state.anchors[view.k];
  const path = app.paths[view.k];
  const placeOf = (z) => toCanvas(view, ...projectOne(view, z));
  if (a && b && path) {
    for (const shape of ['straight', 'shortest']) {
      const line = path[shape];
      if (!line) continue;
      const isShown = shape === app.state.pathShape;
      context.setLineDash(isShown ? [] : [4 * view.scale, 4 * view.scale]);
      strokeTwice(context, view, theme, () => {
        context.beginPath();
        line.codes.forEach((z, at) => {
          const place = placeOf(z);
          if (at === 0) context.moveTo(...place); else context.lineTo(...place);
        });
        context.stroke();
      }, isShown ? 2.5 : 1.2);
    }
    context.setLineDash([]);
  }
  context.font = `700 ${Math.round(14 * view.scale)}px system-ui, sans-serif`;
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  for (const [name, z] of [['A', a], ['B', b]]) {
    if (!z) continue;
    const [x, y] = placeOf(z);
    context.fillStyle = theme.accent;
    context.beginPath();
    context.arc(x, y, 10 * view.scale, 0, 2 * Math.PI);
    context.fill();
    context.fillStyle = theme.paper;
    context.fillText(name, x, y + view.scale);
  }
}

// A code in the plane; of one latent variable in the middle of its band.
function projectOne(view, z) {
  const [u, v] = project(view.plane, Float32Array.from(z), view.model.latent);
  return isLine(view) ? [u, 0] : [u, v];
}

function drawTrails(app, context, view) {
  const { trajectories, latent } = view.model;
  const moment = Math.min(app.state.moment, trajectories.snapshots - 1);
  const size = trajectories.count * latent;
  const at = (snapshot) => trajectories.mean.subarray(snapshot * size, (snapshot + 1) * size);
  const first = app.state.trails ? Math.max(0, moment - 8) : moment;
  const places = [];
  for (let snapshot = first; snapshot <= moment; snapshot++) places.push(project(view.plane, at(snapshot), latent));
  const now = places[places.length - 1];
  for (let tracked = 0; tracked < trajectories.count; tracked++) {
    const label = trajectories.labels ? trajectories.labels[tracked] : null;
    if (label !== null && app.state.hidden.has(label)) continue;
    const lane = isLine(view) ? laneOf(app.data, view, label || 0, 0.5) : null;
    const placeOf = (points) => toCanvas(view, points[2 * tracked], lane === null ? points[2 * tracked + 1] : lane);
    context.strokeStyle = context.fillStyle = label === null ? PLAIN_COLOUR : app.data.colours[label];
    context.lineWidth = view.scale;
    context.globalAlpha = 0.55;
    context.beginPath();
    places.forEach((points, k) => {
      const place = placeOf(points);
      if (k === 0) context.moveTo(...place); else context.lineTo(...place);
    });
    context.stroke();
    context.globalAlpha = 1;
    const [x, y] = placeOf(now);
    context.beginPath();
    context.arc(x, y, 3 * view.scale, 0, 2 * Math.PI);
    context.fill();
    if (trajectories.logVariance) {
      const from = moment * size + tracked * latent;
      const variance = Array.from(trajectories.logVariance.subarray(from, from + latent), Math.exp);
      context.globalAlpha = 0.7;
      strokeEllipse(context, view, now[2 * tracked], lane === null ? now[2 * tracked + 1] : lane, variance, 1);
      context.globalAlpha = 1;
    }
  }
}

function drawLasso(app, context, view, theme) {
  strokeTwice(context, view, theme, () => {
    context.beginPath();
    app.lassoPoints.points.forEach(([u, v], k) => {
      const place = toCanvas(view, u, v);
      if (k === 0) context.moveTo(...place); else context.lineTo(...place);
    });
    context.stroke();
  }, 1.5);
}
