// `rein check` and `rein key` as an operator runs them: output, errors and exit statuses.
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

function rein(...args) {
  const { status, stdout, stderr } = spawnSync(binary, args, { encoding: 'utf8', timeout: 150000 });
  return { status, out: stdout, err: stderr };
}

function folder(t, files) {
  const at = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-check-'));
  t.after(() => fs.rmSync(at, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(at, name)), { recursive: true });
    fs.writeFileSync(path.join(at, name), text);
  }
  return at;
}

test('what is shipped has no errors', () => {
  const { status, out, err } = rein('check', path.join(source, 'config'));
  assert.equal(err, '');
  assert.equal(status, 0);
  assert.match(out, /rein\.yaml: config, 1 routes, 1 upstreams, \d+ policies\n/);
  assert.match(out, /default\.yaml: policy default, version [0-9a-f]{64}, holds at most \d+ bytes\n/);
  assert.match(out, /empty\.yaml: policy empty, version [0-9a-f]{64}, holds at most 0 bytes\n/);
  assert.match(out, /checklist\.yaml: template\n/);
  assert.match(out, /english\.yaml: lexicon\n/);
  assert.match(out, /scenarios\.yaml: demo script, \d+ scenarios\n/);
});

test('errors of all files come at once, each with its place', (t) => {
  const at = folder(t, {
    'policies/a.yaml': 'version: 1\nname: a\nlog: { txt: full }\n',
    'policies/b.yaml': 'version: 1\nname: b\n',
    'templates/t.yaml': 'version: 1\nname: t\nkind: prefix\n',
  });
  const { status, out, err } = rein('check', at);
  assert.equal(status, 3);
  assert.equal(out, ''); // a broken template is a part of what every policy resolves to
  assert.deepEqual(err.split('\n'), [
    `${at}/policies/a.yaml:3:8: log.txt: unknown key; did you mean \`text\`?`,
    `${at}/templates/t.yaml:1:1: text: this key is missing`,
    '',
  ]);
});

test('templates and lexicons may be elsewhere', (t) => {
  const at = folder(t, {
    'p.yaml': 'version: 1\nname: p\nprefix: { template: t, when: always }\n',
    'elsewhere/t.yaml': 'version: 1\nname: t\nkind: prefix\ntext: I look first.\n',
  });
  assert.equal(rein('check', path.join(at, 'p.yaml')).status, 3);
  assert.equal(rein('check', '--templates', path.join(at, 'elsewhere'), path.join(at, 'p.yaml')).status, 0);
});

test('a schema is JSON, a reference page is Markdown', () => {
  for (const name of ['config', 'policy', 'template', 'lexicon', 'keys', 'demo']) {
    const schema = rein('check', '--schema', name);
    assert.equal(schema.status, 0);
    assert.equal(JSON.parse(schema.out).type, 'object');
    const page = fs.readFileSync(path.join(source, `docs/reference/${name}.md`), 'utf8');
    assert.equal(rein('check', '--reference', name).out, page);
  }
});

test('wrong usage is said', () => {
  for (const args of [['check'], ['check', '--schema'], ['check', '--schema', 'nothing'], ['check', '--none', 'x'], ['key'], ['key', 'add', 'x'], ['key', 'add', 'x', 'a b']]) {
    const { status, out, err } = rein(...args);
    assert.equal(status, 2, args.join(' '));
    assert.equal(out, '');
    assert.match(err, /--help/);
  }
});

test('a file that is not there is an error', () => {
  const { status, err } = rein('check', '/nowhere/at/all.yaml');
  assert.equal(status, 3);
  assert.equal(err, '/nowhere/at/all.yaml: cannot be read: No such file or directory\n');
});

test('a key is made, listed and revoked', (t) => {
  const file = path.join(folder(t, {}), 'keys.yaml');
  const made = rein('key', 'add', file, 'alice');
  assert.equal(made.status, 0);
  assert.match(made.out, /^rein-[A-Za-z0-9_-]{43}\n$/);
  assert.equal(fs.statSync(file).mode & 0o777, 0o600);
  assert.equal(rein('key', 'add', file, 'alice').status, 1);
  assert.equal(rein('key', 'list', file).out, 'alice\n');
  assert.equal(rein('check', file).out, `${file}: 1 keys\n`);
  assert.equal(rein('key', 'revoke', file, 'alice').status, 0);
  assert.equal(rein('key', 'revoke', file, 'alice').status, 1);
  assert.equal(rein('key', 'list', file).out, '');
  assert.match(rein('key', 'token', file).out, /^rein-admin-[A-Za-z0-9_-]{43}\n$/);
});

test('a keys file with errors is left alone', (t) => {
  const file = path.join(folder(t, { 'keys.yaml': 'version: 1\nkeys: all\n' }), 'keys.yaml');
  const { status, out, err } = rein('key', 'add', file, 'alice');
  assert.equal(status, 3);
  assert.equal(out, '');
  assert.equal(err, `${file}:2:7: keys: expects a list, not \`all\`\n`);
  assert.equal(fs.readFileSync(file, 'utf8'), 'version: 1\nkeys: all\n');
});
