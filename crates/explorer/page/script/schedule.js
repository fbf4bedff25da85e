// Work that takes longer than a frame, in slices between frames.

const SLICE_MILLISECONDS = 8;

// Runs generators side by side; one of a view and name that is made again begins anew.
function createSchedule(draw) {
  const running = new Map();
  let isAsked = false;
  const ask = () => {
    if (isAsked) return;
    isAsked = true;
    requestAnimationFrame(slice);
  };
  const slice = () => {
    isAsked = false;
    const end = performance.now() + SLICE_MILLISECONDS;
    while (running.size && performance.now() < end) {
      for (const [key, work] of Array.from(running)) {
        if (work.next().done && running.get(key) === work) running.delete(key);
        if (performance.now() >= end) break;
      }
    }
    draw();
    if (running.size) ask();
  };
  const keyOf = (view, name) => `${view.k} ${name}`;
  return {
    make(view, name, work) {
      // After what is under way: it may go on from what that makes.
      running.delete(keyOf(view, name));
      running.set(keyOf(view, name), work);
      ask();
    },
    stop: (view, name) => running.delete(keyOf(view, name)),
    isMaking: (view, name) => running.has(keyOf(view, name)),
    isIdle: () => running.size === 0,
  };
}
