// Moving over the planes: pointer, touch and keys, and what follows from a move.

const CLICK_PIXELS = 5;
const PICK_PIXELS = 12;
const KEY_STEP = 1 / 40;
const COARSE = 5;

// The cursor of a view at a place of its plane; other views follow.
function moveTo(app, view, u, v) {
  if (isLine(view)) view.lineHeight = v;
  moveToCode(app, view, embed(view.plane, u, v));
}

function moveToCode(app, view, z) {
  const { state } = app;
  if (state.active !== view.k) activateView(app, view.k);
  state.cursors[view.k] = Float64Array.from(z);
  view.follows = null;
  leavePath(app);
  for (const other of app.views) if (other !== view) followFrom(app, view, other);
  app.moved();
}

// The same code where both have as many variables, else (or if so asked) the code
// of the image that is nearest.
function followFrom(app, view, other) {
  const { state } = app;
  const z = state.cursors[view.k];
  if (state.link === 'position' && other.model.latent === view.model.latent) {
    state.cursors[other.k] = Float64Array.from(z);
    other.follows = null;
  } else {
    const { image } = nearestCode(view.model, z);
    if (image < 0) return;
    state.cursors[other.k] = codeOf(other.model, image);
    other.follows = image;
  }
}

function activateView(app, k) {
  app.state.active = k;
  app.views.forEach((view) => view.section.classList.toggle('active', view.k === k));
  sayPath(app);
  app.changed();
}

// The cursor of a view at a code, and its plane through it.
function goToCode(app, view, code) {
  const { state } = app;
  state.cursors[view.k] = Float64Array.from(code);
  view.follows = null;
  if (view.model.latent > 2) {
    state.held[view.k] = Float64Array.from(code);
    setPlane(app, view);
  }
}

// Beside the title of the plane that the cursor is in.
function showHold(app, view) {
  const isActive = view.k === app.state.active;
  const words = isActive && app.state.pinned ? TEXT.heldCursor : isActive && app.views.length > 1 ? TEXT.underCursor : '';
  if (view.hold.textContent !== words) view.hold.textContent = words;
}

// An image in all planes: cursors at its codes, and planes through them.
function chooseImage(app, image) {
  const { state } = app;
  state.image = image;
  leavePath(app);
  for (const view of app.views) {
    goToCode(app, view, codeOf(view.model, image));
    follow(view, [view.points[2 * image], view.points[2 * image + 1]]);
    if (isLine(view)) view.lineHeight = view.points[2 * image + 1];
  }
  app.changed();
  app.moved();
}

// The next or previous image of a class that is shown.
function stepImage(app, by) {
  const { data, state } = app;
  let image = state.image === null ? (by > 0 ? -1 : 0) : state.image;
  for (let tried = 0; tried < data.images; tried++) {
    image = (image + by + data.images) % data.images;
    if (!isHidden(app, image)) break;
  }
  chooseImage(app, image);
}

function letGo(app) {
  const { state } = app;
  state.pinned = false;
  state.lasso = false;
  app.lassoPoints = null;
  state.anchors = state.anchors.map(() => ({ a: null, b: null }));
  state.pathAt = null;
  document.getElementById('lasso').checked = false;
  pathsChanged(app);
  app.changed();
  app.draw();
}

// The first time the cursor is held where it is, the second time it takes the
// nearest image that is shown.
function pin(app, view) {
  const { state } = app;
  if (!state.pinned) {
    state.pinned = true;
    app.changed();
    app.draw();
    return;
  }
  const [image] = nearestImages(app, view, 1);
  if (image !== undefined) chooseImage(app, image);
}

function listen(app, view) {
  const { element } = view;
  const pointers = new Map();
  let pressed = null;
  let pinch = null;
  element.addEventListener('pointerdown', (event) => {
    pointers.set(event.pointerId, event);
    element.setPointerCapture(event.pointerId);
    if (pointers.size === 2) {
      pinch = spread(pointers);
      if (pressed && pressed.before) takeBack(app, pressed.before);
      pressed = null;
      return;
    }
    if (event.button !== 0) return;
    element.focus({ preventScroll: true });
    pressed = { x: event.clientX, y: event.clientY, isDrag: false };
    if (app.state.lasso) {
      app.lassoPoints = { view, points: [fromPointer(view, event)] };
    } else if (event.pointerType !== 'mouse') {
      pressed.before = app.views.map((other) => ({ z: app.state.cursors[other.k], follows: other.follows }));
      moveTo(app, view, ...fromPointer(view, event));
    }
  });
  element.addEventListener('pointermove', (event) => {
    if (pointers.has(event.pointerId)) pointers.set(event.pointerId, event);
    if (pinch && pointers.size === 2) {
      const now = spread(pointers);
      zoom(app, view, pinch.distance / now.distance, fromPointer(view, now));
      pinch = now;
      return;
    }
    if (pressed && Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y) > CLICK_PIXELS) pressed.isDrag = true;
    if (app.lassoPoints && app.lassoPoints.view === view && pressed) {
      app.lassoPoints.points.push(fromPointer(view, event));
      app.draw();
    } else if (pressed ? pressed.isDrag : event.pointerType === 'mouse' && !app.state.pinned && !app.state.lasso) {
      moveTo(app, view, ...fromPointer(view, event));
    }
  });
  const release = (event) => {
    pointers.delete(event.pointerId);
    if (pointers.size < 2) pinch = null;
    const was = pressed;
    pressed = null;
    if (!was || event.type === 'pointercancel') return;
    if (app.lassoPoints && app.lassoPoints.view === view) {
      const { points } = app.lassoPoints;
      app.lassoPoints = null;
      selectInside(app, view, points);
    } else if (!was.isDrag) {
      clicked(app, view, event);
    }
  };
  element.addEventListener('pointerup', release);
  element.addEventListener('pointercancel', release);
  element.addEventListener('wheel', (event) => {
    if (document.activeElement !== element && !event.ctrlKey) return;
    event.preventDefault();
    zoom(app, view, 1.0015 ** event.deltaY, fromPointer(view, event));
  }, { passive: false });
  element.addEventListener('keydown', (event) => onKey(app, view, event));
  element.addEventListener('focus', () => {
    if (app.state.active !== view.k) {
      activateView(app, view.k);
      app.draw();
    }
  });
}

// The first of two fingers was not meant to move the cursor.
function takeBack(app, before) {
  app.views.forEach((view, k) => {
    app.state.cursors[k] = before[k].z;
    view.follows = before[k].follows;
  });
  app.moved();
}

function spread(pointers) {
  const [a, b] = Array.from(pointers.values());
  return {
    distance: Math.max(1, Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY)),
    clientX: (a.clientX + b.clientX) / 2, clientY: (a.clientY + b.clientY) / 2,
  };
}

// A click holds the cursor where it is, at an image if one is near; a click on a
// held cursor lets it go.
function clicked(app, view, event) {
  const { state } = app;
  const [u, v] = fromPointer(view, event);
  const within = PICK_PIXELS * 2 * view.half / view.element.clientWidth;
  const at = coordinatesOf(app, view);
  if (state.pinned && state.active === view.k && Math.hypot(at[0] - u, at[1] - v) < within) {
    state.pinned = false;
    app.changed();
    app.draw();
    return;
  }
  const near = nearestDot(app, view, u, v);
  if (near !== null && near.distance < within) {
    activateView(app, view.k);
    chooseImage(app, near.image);
  } else {
    moveTo(app, view, u, v);
  }
  state.pinned = true;
  app.changed();
  app.draw();
}

function nearestDot(app, view, u, v) {
  let best = null;
  for (let image = 0; image < app.data.images; image++) {
    if (isHidden(app, image)) continue;
    const distance = Math.hypot(view.points[2 * image] - u, view.points[2 * image + 1] - v);
    if (best === null || distance < best.distance) best = { image, distance };
  }
  return best;
}

function onKey(app, view, event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const step = 2 * view.half * KEY_STEP * (event.shiftKey ? COARSE : 1);
  const [u, v] = coordinatesOf(app, view);
  const go = (du, dv) => {
    if (isLine(view)) view.lineHeight = v + dv;
    // From where the cursor is, which may be beside the plane.
    const z = Float64Array.from(app.state.cursors[view.k]);
    for (let l = 0; l < z.length; l++) z[l] += view.plane.axes.reduce((sum, axis, k) => sum + [du, dv][k] * axis[l], 0);
    moveToCode(app, view, z);
    follow(view, [u + du, v + dv]);
    app.draw();
  };
  const actions = {
    ArrowLeft: () => go(-step, 0), ArrowRight: () => go(step, 0),
    ArrowUp: () => go(0, step), ArrowDown: () => go(0, -step),
    Enter: () => pin(app, view),
    n: () => stepImage(app, 1), p: () => stepImage(app, -1),
    a: () => setAnchor(app, 'a'), b: () => setAnchor(app, 'b'),
    '+': () => zoom(app, view, 1 / 1.5), '=': () => zoom(app, view, 1 / 1.5),
    '-': () => zoom(app, view, 1.5), '−': () => zoom(app, view, 1.5),
    0: () => goHome(app, view),
    m: () => nextMap(app),
    '[': () => stepMoment(app, -1), ']': () => stepMoment(app, 1),
    Escape: () => letGo(app),
  };
  const action = actions[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}
