// `rein diff` as an operator runs it: what differs, what does not, and what it refuses.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

const source = process.env.REIN_SOURCE_DIR ?? path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const binary = process.env.REIN_BIN ?? path.join(source, 'build/dev/rein');

/** Writes the texts as policies, and runs `rein diff` on them. */
function diff(t, ...texts) {
  const at = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-diff-'));
  t.after(() => fs.rmSync(at, { recursive: true }));
  const files = texts.map((text, i) => path.join(at, `${i}.yaml`));
  files.forEach((file, i) => fs.writeFileSync(file, texts[i]));
  const { status, stdout, stderr } = spawnSync(binary, ['diff', ...files], { encoding: 'utf8', timeout: 60000 });
  return { status, out: stdout, err: stderr };
}

const shipped = fs.readFileSync(path.join(source, 'config/policies/default.yaml'), 'utf8');

test('a policy is as it was, in other words', (t) => {
  const asJson = '{"name":"a","version":1,"hold":{"max_bytes":4096}}';
  assert.deepEqual(diff(t, shipped, shipped.replace(/^#.*\n/gm, '')), { status: 0, out: '', err: '' });
  assert.deepEqual(diff(t, 'version: 1\nname: a\n', asJson), { status: 0, out: '', err: '' });
});

test('each key that differs is a line', (t) => {
  const changed = shipped
    .replace('builtin: card_number, action: redact', 'builtin: card_number, action: refuse')
    .replace('max_attempts: 2', 'max_attempts: 3')
    .replace(/^model: .*\n/m, '');
  const { status, out, err } = diff(t, shipped, changed);
  assert.equal(err, '');
  assert.deepEqual(out.split('\n'), [
    'rules[card-number].action: redact -> refuse',
    'model: harm-en -> (none)',
    'steer.max_attempts: 2 -> 3',
    '',
  ]);
  assert.equal(status, 1);
});

test('rules go by their ids, and their order is told', (t) => {
  const rule = (id, literal) => `  - { id: ${id}, channels: [answer], literal: "${literal}", action: record }\n`;
  const head = 'version: 1\nname: a\nrules:\n';
  assert.deepEqual(diff(t, head + rule('a', 'one') + rule('b', 'two'), head + rule('b', 'two') + rule('c', 'x\\ny')).out.split('\n'), [
    'rules: [a, b] -> [b, c]',
    'rules[a].channels: [answer] -> (none)',
    'rules[a].literal: ["one"] -> (none)',
    'rules[a].action: record -> (none)',
    'rules[c].channels: (none) -> [answer]',
    'rules[c].literal: (none) -> ["x\\x0ay"]',
    'rules[c].action: (none) -> record',
    '',
  ]);
  const swapped = diff(t, head + rule('a', 'one') + rule('b', 'two'), head + rule('b', 'two') + rule('a', 'one'));
  assert.deepEqual(swapped, { status: 1, out: 'rules: [a, b] -> [b, a]\n', err: '' });
});

test('of long values, what is around the first difference', (t) => {
  const policy = (message) => `version: 1\nname: a\nrefusal: { message: "${message}" }\n`;
  const { out } = diff(t, policy(`${'é'.repeat(60)} is old${' and long'.repeat(20)}`), policy(`${'é'.repeat(60)} is new`));
  assert.match(out, /^refusal\.message: \.\.\.é+ is old( and long)+.{0,9}\.\.\. -> \.\.\.é+ is new"\n$/);
  assert.ok(Buffer.byteLength(out) < 250, out);
});

test('what is no policy is said', (t) => {
  const bad = diff(t, 'version: 1\nname: a\nrulez: []\n', 'version: 1\nname: [b]\n');
  assert.equal(bad.status, 3);
  assert.equal(bad.out, '');
  assert.match(bad.err, /0\.yaml:3:1: rulez: unknown key; did you mean `rules`\?\n.*1\.yaml:2:1: name: /);
  assert.equal(diff(t).status, 2);
  assert.equal(diff(t, shipped).status, 2);
  const { status, stderr } = spawnSync(binary, ['diff', 'none.yaml', 'none.yaml'], { encoding: 'utf8', timeout: 60000 });
  assert.equal(status, 3);
  assert.match(stderr, /none\.yaml: cannot be read/);
});

test('a policy is what it extends, and what it says itself', (t) => {
  const base = 'version: 1\nname: base\nhold: { max_bytes: 2048 }\nrules:\n  - { id: a, builtin: email, action: redact }\n';
  const child = 'version: 1\nname: child\nextends: base\nrules:\n  - { id: a, action: refuse }\n  - { id: b, words: nova, action: record }\n';
  const { status, out, err } = diff(t, base, child);
  assert.equal(err, '');
  assert.equal(status, 1);
  const lines = out.trim().split('\n');
  assert.ok(lines.includes('rules[a].action: redact -> refuse'), out);
  assert.ok(lines.includes('rules: [a] -> [a, b]'), out);
  assert.ok(!/hold|builtin/.test(out), out);
});
