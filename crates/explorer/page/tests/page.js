'use strict';

// The page's scripts without a page: their functions in one scope, one file
// after the other, as the page has them. No vm context of its own, in which
// V8 looks every function up anew: times would be ten times those of a browser.

const { readdirSync, readFileSync } = require('node:fs');
const { join } = require('node:path');
const vm = require('node:vm');

const FOLDER = join(__dirname, '..', 'script');
// All but the one that begins at once; the others only declare, in any order.
const SCRIPTS = readdirSync(FOLDER).filter((name) => name.endsWith('.js') && name !== 'main.js').sort();

// The functions at the top level, by name. `missing` names what a browser may
// not have.
function loadPage({ missing = [] } = {}) {
  const source = SCRIPTS.map((name) => readFileSync(join(FOLDER, name), 'utf8')).join('\n');
  const names = Array.from(source.matchAll(/^(?:async )?function\*? (\w+)|^const (\w+) =/gm), (match) => match[1] || match[2]);
  return vm.runInThisContext(`(function (${missing.join(', ')}) {${source}\nreturn { ${names.join(', ')} };\n})`, { filename: 'page.js' })();
}

module.exports = { loadPage };
