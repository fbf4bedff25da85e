'use strict';

// The page's scripts without a page: their functions in one scope, as the page
// has them.

const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const vm = require('node:vm');

// Those that need no document, in the order of the page.
const SCRIPTS = ['payload', 'likelihood', 'network'];

function loadPage(globals = { atob, Blob, Response, DecompressionStream, TextDecoder }) {
  const context = vm.createContext({ ...globals });
  for (const name of SCRIPTS) {
    const path = join(__dirname, '..', 'script', `${name}.js`);
    vm.runInContext(readFileSync(path, 'utf8'), context, { filename: path });
  }
  return context;
}

module.exports = { loadPage };
