// Ticks and names of the axes of a plane, written inside it.

function drawAxes(context, view, theme) {
  const unit = view.scale;
  context.font = `${Math.round(11 * unit)}px system-ui, sans-serif`;
  context.lineJoin = 'round';
  const write = (text, x, y, align, baseline) => {
    context.textAlign = align;
    context.textBaseline = baseline;
    context.strokeStyle = theme.paper;
    context.lineWidth = 3 * unit;
    context.strokeText(text, x, y);
    context.fillStyle = theme.ink;
    context.fillText(text, x, y);
  };
  const step = tickStep(view.half);
  for (const axis of isLine(view) ? [0] : [0, 1]) {
    const first = Math.ceil((view.centre[axis] - view.half * 0.9) / step);
    const last = Math.floor((view.centre[axis] + view.half * 0.86) / step);
    for (let k = first; k <= last; k++) {
      const text = shortTick(k * step, step);
      const [x, y] = toCanvas(view, axis === 0 ? k * step : 0, axis === 1 ? k * step : 0);
      context.strokeStyle = theme.ink;
      context.lineWidth = unit;
      context.beginPath();
      if (axis === 0) {
        context.moveTo(x, view.size);
        context.lineTo(x, view.size - 5 * unit);
        context.stroke();
        write(text, x, view.size - 7 * unit, 'center', 'bottom');
      } else {
        context.moveTo(0, y);
        context.lineTo(5 * unit, y);
        context.stroke();
        write(text, 8 * unit, y, 'left', 'middle');
      }
    }
  }
  write(view.plane.labels[0], view.size - 6 * unit, view.size - 22 * unit, 'right', 'bottom');
  if (!isLine(view)) write(view.plane.labels[1], 8 * unit, 6 * unit, 'left', 'top');
}

// 1, 2 or 5 times a power of ten, for about six ticks.
function tickStep(half) {
  const rough = 2 * half / 6;
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
}

function shortTick(value, step) {
  const decimals = Math.max(0, -Math.floor(Math.log10(step)));
  return value.toFixed(decimals).replace('-', '−').replace(/^−(0(\.0*)?)$/, '$1');
}
