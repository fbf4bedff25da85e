// Every English word of the page that its script writes.

// With fewer codes a share of them says nothing.
const FEWEST_FOR_SHARES = 20;

const TEXT = {
  labels: {
    layers: 'Layers', findImage: 'Find an image', find: 'Find', previous: 'Previous', next: 'Next',
    planesFollow: 'The other planes show', sameImage: 'the same image', sameCode: 'the same code',
    between: 'Between two codes', anchorA: 'A here', anchorB: 'B here', clear: 'Clear', path: 'Path',
    straight: 'straight', shortest: 'shortest for the decoder', placeOnPath: 'Place on the path',
    training: 'Training', moment: 'Moment', play: 'Play', back: 'Back', on: 'On', leave: 'Leave',
    trails: 'trails', latentVariables: 'Latent variables', ownImage: 'Your own image',
    encode: 'Encode', takeChosen: 'Take the chosen image',
    orFile: 'Or a file, which can also be dropped anywhere on the page',
    selectImages: 'Select images', lasso: 'lasso with the pointer',
    nearestToCursor: 'Nearest to the cursor', select: 'Select', csv: 'Download CSV', keep: 'Keep',
    png: 'Picture (PNG)', json: 'Code (JSON)', copyLink: 'Copy link', keys: 'Keys',
    wholePlane: 'Whole plane', classesShown: 'Classes shown', pad: 'Drawing pad: draw with the pointer',
    zoomIn: 'Zoom in', zoomOut: 'Zoom out',
  },
  plane: (model, labels) => `Latent ${labels.length > 1 ? 'plane' : 'line'} of ${model}, ${labels.join(' and ')}. Arrow keys move the cursor, `
    + 'with Shift in larger steps; Enter holds it, and once more chooses the nearest image; n and p go to the next '
    + 'and the previous image; a and b set the ends of a path; plus, minus and 0 zoom; Escape lets go.',
  about: (data, count) => `${number(count)} of ${number(data.rows)} ${data.split} of ${data.name}, `
    + `at their codes. What is decoded is the mean of every ${data.noun === 'image' ? 'pixel' : 'value'} under the likelihood.`,
  aboutAll: (data) => `The codes of all ${number(data.rows)} ${data.split} of ${data.name}. `
    + `What is decoded is the mean of every ${data.noun === 'image' ? 'pixel' : 'value'} under the likelihood.`,
  pictures: (data) => ` ${number(data.thumbnails.which.length)} of them have pictures in this page, and only these are shown as nearest.`,
  failed: (reason) => `This page cannot be opened: ${reason}`,
  code: (z) => `z = ${codeWords(z)}`,
  badge: (data, cue) => {
    if (data.images < FEWEST_FOR_SHARES) return 'There are too few codes to say what is far from them.';
    if (cue.isCode) return `At the data: the code of ${imageWords(data, cue.image)}.`;
    if (!(cue.share >= 0)) return 'How far this is from the data is not known.';
    if (cue.share < 0.005) return 'Near the data: nearer than almost any of them is to another.';
    const share = percentWords(cue.share);
    return cue.share > 0.95
      ? `Far from the data: farther from its nearest than ${share} of them are from theirs.`
      : `Within the data: ${share} of them are nearer to another; up to 95 % is usual.`;
  },
  place: (labels, at, latent) => `${labels.map((label, axis) => `${label} = ${shortNumber(at[axis])}`).join(', ')} of ${latent} latent variables`,
  underCursor: 'under your cursor',
  heldCursor: 'held: click it again or press Esc to let go',
  seen: (model, data, place, cue) => {
    const nearest = cue.isCode || cue.image < 0 ? '' : ` The nearest is ${imageWords(data, cue.image)}.`;
    return `${model.title}: ${place}. ${TEXT.badge(data, cue)}${nearest}`;
  },
  first: (model, data, image, place) => `The ring is the code of ${imageWords(data, image)}, ${place} in ${model.title}. `
    + `Below is what the decoder makes of it, beside the nearest ${data.noun}s and their reconstructions. `
    + 'Move over a plane, touch it or use the arrow keys to decode any other code.',
  image: (data, image) => imageWords(data, image, true),
  decoded: 'decoded',
  decodedLabel: (model, z) => `What ${model} decodes from ${codeWords(z)}`,
  neighbour: (data, image, distance) => `${imageWords(data, image, true)}, at distance ${shortNumber(distance)}`,
  neighbourLoss: (nats) => `${shortNumber(nats)} nats`,
  follows: (data, image) => `follows ${imageWords(data, image)}`,
  map: {
    legend: 'Decoded map',
    choices: { codes: 'over the codes', linear: '−4 … 4', quantile: 'prior quantiles', none: 'none' },
    said: {
      codes: 'What the decoder makes of equally spaced codes over the box that holds 99 % of the codes on each axis.',
      linear: 'What it makes of 21 codes from −4 to 4 on each axis.',
      quantile: 'What it makes of 21 codes on each axis that cut N(0, 1), the prior of a VAE, into parts of equal probability.',
      none: 'No decoded map.',
    },
    slice: ' Of more than two latent variables, a slice: the others are held.',
  },
  layer: {
    codes: ['Codes', 'A dot for each code (of a VAE, the mean of the posterior), in the colour of its class where there are classes; circles at 1 and 2 standard deviations of the prior where there is one.'],
    density: ['Aggregate posterior', 'How densely the codes fill the plane: the average of all posteriors; of an autoencoder, of equal kernels about its codes. The colour follows the root of the density.'],
    ellipses: ['Posterior ellipses', 'One standard deviation of q(z|x) about its mean, of up to 200 of those with pictures: where their codes are sampled from.'],
    stretch: ['Stretch of the decoder', 'By what factor the decoder enlarges a small piece of the plane, measured in brightness: bright where images change fast. The colours are logarithmic, from the 5 % quantile up.'],
    regions: ['Classes of the decoded map', 'The class of the picture in this page that is nearest to each decoded one, pixel by pixel.'],
  },
  noPosterior: 'no run here has posteriors',
  stretchRange: (model, low, high) => `${model}: colours from ${shortNumber(low)} to ${shortNumber(high)}.`,
  query: (data) => data.names ? 'Its row, file name or class' : (data.classes.length ? 'Its row or class' : 'Its row'),
  found: (data, count, image) => `${number(count)} found by row${data.classes.length ? ', class' : ''}${data.names ? ' or name' : ''}; this is ${imageWords(data, image)}. Find again for the next one.`,
  notFound: (query) => `Nothing in this page is called \u2068${query}\u2069.`,
  pathHelp: 'Put the cursor on a code and press A, on another and press B. The straight path is the shortest in latent space; the other one is the shortest that was found in what the decoder makes of it, near the straight one, and goes where that changes least.',
  pathSaid: (model, t, straight, shortest) => `${model}, ${Math.round(100 * t)} % of the way. Length in what is decoded: straight ${shortNumber(straight)}, shortest found ${shortNumber(shortest)}.`,
  pathStraightOnly: (model, t, most) => `${model}, ${Math.round(100 * t)} % of the way. A shorter path is looked for with up to ${most} latent variables.`,
  pathWorking: 'Looking for the shortest path …',
  pathPlace: (t) => `${Math.round(100 * t)} % of the way from A to B`,
  timeHelp: (model, count) => `Codes of ${number(count)} tracked images while ${model} was trained. The map and the decoder stay those of the end.`,
  moment: (epoch, step, metrics, radius) => `Epoch ${shortNumber(epoch)}, step ${number(step)}`
    + (metrics ? `; test loss ${shortNumber(metrics)} nats` : '')
    + (radius ? `; mean posterior radius ${shortNumber(radius)}` : '') + '.',
  pause: 'Pause',
  dimensionsHelp: (model) => `${model.latent} latent variables. Two span the plane; the others are held where the sliders are, at first at the code of the chosen image.`,
  mostStrips: (shown, model) => ` The ${shown} with most ${model.kl ? 'KL' : 'variance'} have a slider.`,
  axes: ['Horizontal axis', 'Vertical axis'],
  principal: (share) => Number.isFinite(share) ? `principal axes (${percentWords(share)} of the variance)` : 'principal axes',
  traversal: (name) => `${name}: what the decoder makes of it from low to high, the others held`,
  kl: (nats) => `${shortNumber(nats)} nats of KL`,
  variance: (value) => `variance ${shortNumber(value)}`,
  held: (name) => `${name} held at`,
  resetHeld: 'Hold at the chosen image',
  drawHelp: (data) => `Draw ${data.shape.channels === 1 ? 'in white on black' : 'on the pad'}, or take an image: the encoder puts it on every plane, with a ring of one standard deviation.`,
  drawn: (model, z, nats) => `${model}: z = ${codeWords(z)}, reconstruction ${shortNumber(nats)} nats`,
  drawnBound: (bound, samples) => `, −log p(x) ≤ ${shortNumber(bound)} nats (by ${samples} samples)`,
  noneChosen: 'No image is chosen.',
  withoutPicture: (data, image) => `${imageWords(data, image, true)} has no picture in this page.`,
  notAnImage: (name) => `${name} is no image that this browser can read.`,
  selectionHelp: 'Draw a line around codes, or take those nearest to the cursor. The selection is marked on every plane.',
  selected: (count) => count === 0 ? 'Nothing is selected.' : `${number(count)} selected.`,
  counts: (name, count) => `${name}: ${number(count)}`,
  withoutThumbnail: (count) => `${number(count)} more without a picture in this page`,
  kept: { png: 'The picture was handed to the browser.', json: 'The code was handed to the browser.', link: 'The link to this view is in the clipboard.', noClipboard: 'The address of this page now holds the view.' },
  keyList: [
    ['← ↑ → ↓', 'move the cursor; with Shift in larger steps'],
    ['Enter', 'hold the cursor; once more, take the nearest image'],
    ['n p', 'next and previous image'],
    ['a b', 'ends of a path'],
    ['+ − 0', 'zoom in, out, whole plane'],
    ['m', 'next kind of decoded map'],
    ['[ ]', 'earlier and later in training'],
    ['Esc', 'let go of the cursor, the path and the lasso'],
  ],
  footer: (data, models, program) => `${/[.!?]$/.test(data.attribution) ? data.attribution : `${data.attribution}.`} Made by ${program}. Weights are rounded: `
    + models.map((model) => `${model.title} to ${model.precision.decoder_bits} bits, by which values decoded at codes about the data were seen to differ by ${shortNumber(model.precision.decoded_error)} of their range`).join('; ') + '.',
};

// `2,000`.
function number(value) {
  return value.toLocaleString('en-GB');
}

// Three significant digits, with a real minus.
function shortNumber(value) {
  if (!Number.isFinite(value)) return 'not a number';
  const magnitude = Math.abs(value);
  const digits = magnitude >= 100 ? value.toFixed(0)
    : magnitude >= 10 ? value.toFixed(1)
      : magnitude >= 0.01 || value === 0 ? value.toFixed(2) : value.toExponential(1);
  return digits.replace('-', '−');
}

function percentWords(share) {
  const percent = 100 * share;
  const words = percent > 99 && percent < 100 ? Math.min(99.9, percent).toFixed(1) : percent.toFixed(0);
  return `${words} %`;
}

function codeWords(z) {
  const shown = Array.from(z).slice(0, 4).map(shortNumber).join(', ');
  return z.length > 4 ? `(${shown}, …)` : `(${shown})`;
}

// `z₁₂` of variable 11.
function variableName(index) {
  const lowered = String(index + 1).replace(/\d/g, (digit) => String.fromCharCode(0x2080 + Number(digit)));
  return `z${lowered}`;
}

// `image 123, a 7`, with the file name where there is one; marks of right-to-left
// names do not run into the sentence (U+2068 … U+2069).
function imageWords(data, image, capital) {
  const isolated = (text) => `\u2068${text}\u2069`;
  const name = data.names ? isolated(data.names[image]) : `${data.noun} ${data.index[image]}`;
  const label = data.labels ? data.classes[data.labels[image]] : null;
  const words = label === null || label === undefined ? name : `${name} (class ${isolated(label)})`;
  return capital ? words.charAt(0).toUpperCase() + words.slice(1) : words;
}
