'use strict';

// The page's scripts without a page: their functions in one scope, one file
// after the other, as the page has them. No vm context of its own, in which
// V8 looks every function up anew: times would be ten times those of a browser.

const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const vm = require('node:vm');

// Those that need no document, in the order of the page.
const SCRIPTS = ['payload', 'likelihood', 'network', 'rows', 'latent', 'density', 'path'];

// The functions at the top level, by name. `missing` names what a browser may
// not have.
function loadPage({ missing = [] } = {}) {
  const source = SCRIPTS.map((name) => readFileSync(join(__dirname, '..', 'script', `${name}.js`), 'utf8')).join('\n');
  const names = Array.from(source.matchAll(/^(?:async )?function\*? (\w+)|^const (\w+) =/gm), (match) => match[1] || match[2]);
  return vm.runInThisContext(`(function (${missing.join(', ')}) {${source}\nreturn { ${names.join(', ')} };\n})`, { filename: 'page.js' })();
}

module.exports = { loadPage };
