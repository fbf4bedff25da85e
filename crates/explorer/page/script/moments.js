// Tracked codes while the run was trained.

const FRAME_MILLISECONDS = 160;

function setUpMoments(app) {
  const tracked = app.views.filter((view) => view.model.trajectories && view.model.trajectories.snapshots > 1);
  const tool = document.getElementById('time-tool');
  if (tracked.length === 0) {
    app.state.moment = null;
    return;
  }
  tool.hidden = false;
  const longest = Math.max(...tracked.map((view) => view.model.trajectories.snapshots));
  app.moments = longest;
  if (app.state.moment !== null) {
    app.state.moment = Math.min(app.state.moment, longest - 1);
    tool.open = true;
  }
  const first = tracked[0].model;
  document.getElementById('time-help').textContent = TEXT.timeHelp(first.title, first.trajectories.count);
  const slider = document.getElementById('moment');
  slider.max = longest - 1;
  slider.value = app.state.moment === null ? longest - 1 : app.state.moment;
  slider.addEventListener('input', () => showMoment(app, Number(slider.value)));
  document.getElementById('step-back').addEventListener('click', () => stepMoment(app, -1));
  document.getElementById('step-on').addEventListener('click', () => stepMoment(app, 1));
  document.getElementById('play').addEventListener('click', () => (app.playing ? pause(app) : play(app)));
  const trails = document.getElementById('trails');
  trails.addEventListener('change', () => {
    app.state.trails = trails.checked;
    app.draw();
  });
  document.getElementById('time-off').addEventListener('click', () => leaveMoments(app));
  if (app.state.moment !== null) showMoment(app, app.state.moment);
}

function showMoment(app, moment) {
  const { state } = app;
  if (state.moment === null) for (const view of app.views) view.isStale = true;
  state.moment = Math.min(app.moments - 1, Math.max(0, moment));
  const slider = document.getElementById('moment');
  slider.value = state.moment;
  const said = [];
  for (const view of app.views) {
    const { trajectories, metrics } = view.model;
    if (!trajectories) continue;
    const at = Math.min(state.moment, trajectories.snapshots - 1);
    const epoch = trajectories.epochs[at];
    const line = metrics.find((line) => line.epoch === epoch);
    const size = trajectories.count * view.model.latent;
    let radius = null;
    if (trajectories.logVariance) {
      let sum = 0;
      for (let k = at * size; k < (at + 1) * size; k++) sum += Math.exp(0.5 * trajectories.logVariance[k]);
      radius = sum / size;
    }
    const name = app.views.length > 1 ? `${view.model.title}: ` : '';
    said.push(name + TEXT.moment(epoch, trajectories.steps[at], line && line.test ? line.test.loss : null, radius));
  }
  document.getElementById('moment-said').textContent = said.join(' ');
  slider.setAttribute('aria-valuetext', said.join(' '));
  app.changed();
  app.draw();
}

function stepMoment(app, by) {
  if (!app.moments) return;
  pause(app);
  showMoment(app, (app.state.moment === null ? app.moments - 1 : app.state.moment) + by);
}

// Nothing moves by itself unless it is asked to; asked to, it does also where
// less motion is wanted, in larger and rarer steps.
function play(app) {
  const isCalm = window.matchMedia('(prefers-reduced-motion: reduce)').matches;
  const by = isCalm ? Math.max(1, Math.ceil(app.moments / 8)) : 1;
  const { state } = app;
  if (state.moment === null || state.moment >= app.moments - 1) state.moment = 0;
  showMoment(app, state.moment);
  app.playing = setInterval(() => {
    if (state.moment >= app.moments - 1) pause(app);
    else showMoment(app, state.moment + by);
  }, isCalm ? 1200 : FRAME_MILLISECONDS);
  // Who listens would hear every moment.
  document.getElementById('moment-said').setAttribute('aria-live', 'off');
  const button = document.getElementById('play');
  button.textContent = TEXT.pause;
  button.setAttribute('aria-pressed', 'true');
}

function pause(app) {
  clearInterval(app.playing);
  app.playing = null;
  document.getElementById('moment-said').setAttribute('aria-live', 'polite');
  const button = document.getElementById('play');
  button.textContent = TEXT.labels.play;
  button.setAttribute('aria-pressed', 'false');
}

function leaveMoments(app) {
  pause(app);
  app.state.moment = null;
  document.getElementById('moment-said').textContent = '';
  layersChanged(app);
}
