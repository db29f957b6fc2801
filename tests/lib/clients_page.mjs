// docs/CLIENTS.md: what each client shows, as its tests have seen it. Each API has a table between two marks.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const page = path.join(process.env.REIN_SOURCE_DIR ?? path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..'), 'docs/CLIENTS.md');

// { note(client, situation, what), check() }: rows are situations in the order in which they were noted, columns clients.
export function clientsTable(api) {
  const seen = new Map(), clients = [];
  const note = (client, situation, what) => {
    if (!clients.includes(client)) clients.push(client);
    if (!seen.has(situation)) seen.set(situation, new Map());
    seen.get(situation).set(client, what);
  };
  const table = () => [
    `| | ${clients.join(' | ')} |`, `|---|${clients.map(() => '---').join('|')}|`,
    ...[...seen].map(([situation, cells]) => `| ${situation} | ${clients.map((client) => cells.get(client) ?? '-').join(' | ')} |`),
  ].join('\n');
  const check = () => {
    const begin = `<!-- seen: ${api} -->\n`, end = '<!-- end -->', now = `${table()}\n`;
    const text = fs.readFileSync(page, 'utf8'), from = text.indexOf(begin) + begin.length, to = text.indexOf(end, from);
    assert.ok(from >= begin.length && to >= from, `docs/CLIENTS.md has no place for ${api}`);
    if (process.env.REIN_UPDATE) fs.writeFileSync(page, text.slice(0, from) + now + text.slice(to));
    else assert.equal(text.slice(from, to), now, 'docs/CLIENTS.md differs; REIN_UPDATE=1 writes it');
  };
  return { note, check };
}
