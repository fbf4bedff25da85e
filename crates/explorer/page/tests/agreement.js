'use strict';

// What the page's numerics make of a payload, for whoever compares them with
// the program:
//
//   node agreement.js PAYLOAD.base64 REQUEST.json
//
// PAYLOAD.base64 is the text of a page's payload. REQUEST.json says what is
// asked of which models; every field but "model" may be left out:
//
//   {"models": [{
//     "model": 0,                      // its position in the payload
//     "codes": [[L numbers], …],       // decoded; their cue and stretch
//     "axes": [[L numbers], …],        // orthonormal directions of the stretch
//     "rows": [[values], …],           // as the network sees them: encoded;
//                                      // losses of row i at code i
//     "shown": [[values], …],          // brightness 0 … 1: what is seen of it
//     "bound": {"samples": K, "seed": S},   // bounds of the rows
//     "path": {"from": [L], "to": [L], "segments": T}
//   }]}
//
// Prints one line of JSON, with fields null where a field was not asked for or
// the model has no such thing, and null for numbers that are not finite:
//
//   {"models": [{
//     "key": "vae",
//     "decoded": [[values], …],        // means as the network sees them
//     "brightness": [[values], …],     // of the decoded means, 0 … 1
//     "encoded": {"mean": [[L], …], "log_variance": [[L], …] | null},
//     "losses": [nats, …],             // −log p(row i | code i), of as many as
//                                      // there are both of
//     "kl": [[L], …],                  // of the encoded rows
//     "bounds": [{"elbo", "iwae"}, …], // nats, bounds of −log p from above
//     "cues": [{"image", "distance", "share"}, …],
//     "stretches": [{"area", "largest", "smallest"}, …],   // brightness units
//     "seen": [[values], …],
//     "path": {"straight": length, "shortest": length, "codes": [[L], …]}
//                                      // codes of the shortest
//   }]}

const { readFileSync } = require('node:fs');

const { loadPage } = require('./page.js');

async function answer(base64, request) {
  const page = loadPage();
  const payload = await page.openPayload(base64);
  const data = page.openData(payload);
  return { models: request.models.map((asked) => answerOfModel(page, payload, data, asked)) };
}

function answerOfModel(page, payload, data, asked) {
  const model = page.openModel(payload, asked.model);
  const { codes = null, axes = null, rows = null, shown = null, bound = null, path = null } = asked;
  const each = (list, of) => list && list.map(of);
  const decoded = each(codes, (z) => page.decode(model, z));
  const encoded = rows && model.head ? rows.map((x) => page.encode(model, x)) : null;
  const isVariational = encoded !== null && encoded.every((posterior) => posterior.logVariance);
  return {
    key: model.key,
    decoded: each(decoded, plain),
    brightness: each(decoded, (row) => plain(page.brightness(model, data, row))),
    encoded: encoded && {
      mean: encoded.map((posterior) => plain(posterior.mean)),
      log_variance: isVariational ? encoded.map((posterior) => plain(posterior.logVariance)) : null,
    },
    losses: codes && rows && rows.slice(0, codes.length).map((x, i) => page.reconstructionLoss(model, codes[i], x)),
    kl: isVariational ? encoded.map(({ mean, logVariance }) => plain(page.klDivergence(mean, logVariance))) : null,
    bounds: bound && each(rows, (x) => page.bound(model, x, bound.samples, bound.seed)),
    cues: each(codes, (z) => page.cue(model, z)),
    stretches: axes && each(codes, (z) => page.stretch(model, z, axes)),
    seen: each(shown, (row) => plain(page.seen(model, data, row))),
    path: path && lengths(page.geodesic(model, path.from, path.to, path.segments)),
  };
}

const plain = (values) => Array.from(values);

function lengths(steps) {
  let step = steps.next();
  while (!step.done) step = steps.next();
  const { straight, shortest } = step.value;
  return { straight: straight.length, shortest: shortest.length, codes: shortest.codes.map(plain) };
}

module.exports = { answer };

if (require.main === module) {
  const [payload, request] = process.argv.slice(2);
  if (!request) {
    console.error('Two files are needed: node agreement.js PAYLOAD.base64 REQUEST.json');
    process.exit(2);
  }
  answer(readFileSync(payload, 'latin1'), JSON.parse(readFileSync(request, 'utf8')))
    .then((found) => process.stdout.write(`${JSON.stringify(found)}\n`))
    .catch((error) => {
      console.error(error.message);
      process.exitCode = 1;
    });
}
