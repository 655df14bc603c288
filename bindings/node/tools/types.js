'use strict';

// Writes types/config.d.ts from CONFIGURATION.md, and types/errors.d.ts from the library's error codes.
// Part of `make node`, so that they are always those of the library in the package.

const fs = require('node:fs');
const path = require('node:path');
const native = require('../lib/native');
const { codes } = require('../lib/error');

const ROOT = path.join(__dirname, '..', '..', '..');
const TYPES = path.join(__dirname, '..', 'types');
const NOTE = '// Made by tools/types.js; do not edit.\n';

/** The table's rows for producers, by section. */
function properties() {
  const sections = { global: [], topic: [] };
  let into = null;
  for (const line of fs.readFileSync(path.join(ROOT, 'CONFIGURATION.md'), 'utf8').split('\n')) {
    if (line.startsWith('## ')) into = sections[(/^## (\w+) properties$/.exec(line) || ['', ''])[1].toLowerCase()] || null;
    const cells = line.split(' | ').map((c) => c.trim());
    if (!into || cells.length < 6 || !/^[a-z0-9._]+$/.test(cells[0]) || cells[1] === 'C') continue;
    const [name, , range, , , ...rest] = cells;
    const text = rest.join(' | ');
    // Callbacks and pointers are no texts, so they are not among what can be set by name.
    if (/\*Type: |^Alias for/.test(text)) into.push({ name, range, text });
  }
  return sections;
}

function typeOf({ name, range, text }, all) {
  if (name === 'request.required.acks') return "number | 'all'";
  const alias = /^Alias for `([^`]+)`/.exec(text);
  if (alias) {
    const target = all.find((p) => p.name === alias[1]);
    return target ? typeOf(target, all) : 'string | number | boolean';
  }
  const type = (/\*Type: ([^*]+)\*/.exec(text) || [])[1];
  if (type === 'boolean') return 'boolean';
  if (type === 'integer' || type === 'float') return 'number';
  if (/^enum/.test(type || '')) {
    return range.split(', ').map((v) => (/^-?\d+$/.test(v) ? v : `'${v}'`)).join(' | ');
  }
  return 'string';
}

/** The first sentence, without what only the table says. */
function sentence(text) {
  const plain = text.replace(/\*Type: [^*]+\*/, '').replace(/\*\*/g, '').replace(/\*\//g, '').trim();
  const end = /[.:](\s|$)/.exec(plain);
  return end ? plain.slice(0, end.index + 1).replace(/:$/, '.') : plain;
}

function interfaceOf(name, list, all) {
  const rows = list.map((p) => `  /** ${sentence(p.text)} */\n  '${p.name}'?: ${typeOf(p, all)} | undefined;`);
  return `export interface ${name} {\n${rows.join('\n')}\n}\n`;
}

function config() {
  const { global, topic } = properties();
  const all = [...global, ...topic];
  return `${NOTE}\n/** Properties of a client; see CONFIGURATION.md for all there is to say about each. */\n` +
    `${interfaceOf('GlobalProperties', global, all)}\n/** Properties of topics, which are those of all topics of the client. */\n` +
    `${interfaceOf('TopicProperties', topic, all)}`;
}

function errors() {
  const rows = Object.entries(codes).sort((a, b) => a[1] - b[1])
    .map(([name, code]) => `  /** ${native.err2str(code)} (**${code}**) */\n  ${name}: number;`);
  return `${NOTE}\n/** Error codes by name. */\nexport interface ErrorCodes {\n${rows.join('\n')}\n}\n`;
}

fs.writeFileSync(path.join(TYPES, 'config.d.ts'), config());
fs.writeFileSync(path.join(TYPES, 'errors.d.ts'), errors());
