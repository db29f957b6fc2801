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
  const { status, stdout, stderr } = spawnSync(binary, args, { encoding: 'utf8', timeout: 400000 });
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
  // The container makes its keys when it is started first; nothing else is missing.
  assert.deepEqual(err.split('\n').filter((line) => line !== '' && !/^note: .*config\/container\.yaml:/.test(line)), []);
  assert.equal(status, 0);
  assert.match(out, /rein\.yaml: config, 1 routes, 1 upstreams, \d+ policies\n {2}upstream \S+ \(\w+\) serves POST \/v1\/chat\/completions/);
  assert.match(out, /default\.yaml: policy default, version [0-9a-f]{64}, holds at most \d+ bytes\n/);
  assert.match(out, /empty\.yaml: policy empty, version [0-9a-f]{64}, holds at most 0 bytes\n/);
  assert.match(out, /checklist\.yaml: template\n/);
  assert.match(out, /english\.yaml: lexicon\n/);
  assert.match(out, /scenarios\.yaml: demo script, \d+ scenarios\n/);
});

test('the printed hold has the placeholders that may come back, cut as they are', (t) => {
  const rule = (id, more) => `version: 1\nname: p\nrules:\n  - { id: ${id}, regex: 'BADGE-[0-9]{6}', match: raw, channels: [prompt], action: redact${more} }\n`;
  const holds = (text, long = '') => {
    const at = folder(t, { 'policies/p.yaml': text + long });
    return Number(/holds at most (\d+) bytes/.exec(rein('check', at).out)[1]);
  };
  assert.equal(holds(rule('badge', '')), 0);
  assert.equal(holds(rule('badge', ', restore: true')), '[badge:K7QX2M9A]'.length);
  assert.equal(holds(rule('a-rule-with-quite-a-long-id', ', restore: true')), 35);
  assert.equal(holds(rule('badge', ', restore: true, shadow: true')), 0);
  assert.equal(holds(rule('badge', ', restore: true'), `  - { id: long, literal: ${'x'.repeat(50)}, match: raw, channels: [answer], action: redact }\n`), 50);
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
  for (const name of ['config', 'policy', 'template', 'lexicon', 'keys', 'demo', 'cases']) {
    const schema = rein('check', '--schema', name);
    assert.equal(schema.status, 0);
    assert.equal(JSON.parse(schema.out).type, 'object');
    const page = fs.readFileSync(path.join(source, `docs/reference/${name}.md`), 'utf8');
    assert.equal(rein('check', '--reference', name).out, page);
  }
});

test('built-ins are measured', () => {
  const first = rein('check', '--builtins', '--json', '--seed', '7');
  assert.equal(first.status, 0, first.err);
  const { seed, builtins } = JSON.parse(first.out);
  assert.equal(seed, 7);
  const named = Object.fromEntries(builtins.map((row) => [row.name, row]));
  for (const name of ['card_number', 'phone', 'secrets', 'hidden_text', 'poland_pesel']) {
    assert.ok(named[name].made > 0);
    assert.deepEqual([named[name].found, named[name].near_found], [named[name].made, 0], name);
  }
  assert.ok(named.card_number.noise_found.digits > 0); // one random number in forty passes
  if (!process.env.REIN_LONG) return; // a debug build takes seconds for each run
  const table = rein('check', '--builtins').out;
  for (const { name } of builtins)
    assert.match(table, new RegExp(`^${name} `, 'm'));
});

test('wrong usage is said', () => {
  for (const args of [['check'], ['check', '--builtins', 'x'], ['check', '--builtins', '--seed', '-1'], ['check', '--schema'], ['check', '--schema', 'nothing'], ['check', '--none', 'x'], ['key'], ['key', 'add', 'x'], ['key', 'add', 'x', 'a b']]) {
    const { status, out, err } = rein(...args);
    assert.equal(status, 2, args.join(' '));
    assert.equal(out, '');
    assert.match(err, /--help/);
  }
});

test('FOUND S3: a config is refused by `rein check` for what `rein serve` refuses it for', (t) => {
  const at = folder(t, {
    'policies/default.yaml': 'version: 1\nname: default\n',
    'empty.yaml': 'version: 1\nkeys: []\n',
    'secret': '\n',
  });
  const up = 'upstreams: [ { name: up, url: "http://127.0.0.1:9" } ]';
  const routes = 'routes: [ { name: all, upstream: up } ]';
  const cases = [
    [up, 'limits: { choices: 33 }', /limits\.choices: must be from 1 to 32/],
    [up, 'limits: { upstream_body_bytes: 1073741824 }', /limits\.upstream_body_bytes: must be/],
    [up, 'listen: { keys_file: empty.yaml }', /listen\.keys_file: the file contains no keys/],
    [up, 'listen: { address: "0.0.0.0:8080" }', /listen\.address: a listener off loopback/],
    [up, 'admin: { address: "127.0.0.1:8080" }', /admin\.address: uses the same host and port/],
    ['upstreams: [ { name: up, url: "http://127.0.0.1:99999" } ]', '', /upstreams\[0\]\.url: has an invalid port/],
    [`upstreams: [ { name: up, url: "http://${'a'.repeat(300)}" } ]`, '', /upstreams\[0\]\.url: /],
    ['upstreams: [ { name: up, url: "http://127.0.0.1:9", api_key_file: secret } ]', '', /api_key_file: the key in it is empty/],
  ];
  for (const [upstreams, more, expected] of cases) {
    fs.writeFileSync(path.join(at, 'rein.yaml'), `version: 1\n${upstreams}\n${routes}\n${more}\n`);
    const checked = rein('check', path.join(at, 'rein.yaml'));
    assert.equal(checked.status, 3, checked.out);
    assert.match(checked.err, expected);
    const served = rein('serve', '-c', path.join(at, 'rein.yaml'));
    assert.equal(served.status, 3, served.err);
    assert.equal(served.err, checked.err);
  }
});

test('FOUND S3: secrets that are not there are noted, and are errors if asked', (t) => {
  const at = folder(t, {
    'policies/default.yaml': 'version: 1\nname: default\n',
    'rein.yaml': 'version: 1\nlisten: { keys_file: none.yaml }\nupstreams: [ { name: up, url: "http://127.0.0.1:9", api_key_env: REIN_NO_SUCH } ]\nroutes: [ { name: all, upstream: up } ]\n',
  });
  const file = path.join(at, 'rein.yaml');
  const noted = rein('check', file);
  assert.equal(noted.status, 0);
  assert.match(noted.err, /^note: .*listen\.keys_file: .*rein key add.*\nnote: .*api_key_env: .*REIN_NO_SUCH.*\n$/);
  const refused = rein('check', '--secrets', file);
  assert.equal(refused.status, 3);
  assert.equal(refused.out, '');
  assert.equal(refused.err, rein('serve', '-c', file).err);
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

// What works, but hardly as it is meant: one line each, and no error.
function warnings(t, rules, more = '') {
  const at = folder(t, { 'policies/p.yaml': `version: 1\nname: p\n${more}rules:\n${rules.map((rule, i) => `  - { id: r${i}, channels: [answer], action: record, ${rule} }\n`).join('')}` });
  const { status, err } = rein('check', path.join(at, 'policies/p.yaml'));
  assert.equal(status, 0, err);
  return err.split('\n').filter(Boolean).map((line) => {
    assert.match(line, /^warning: .*p\.yaml:\d+:\d+: /);
    return line.replace(/^.*p\.yaml:\d+:\d+: /, '');
  });
}

test('FOUND H6: expressions whose escapes YAML has taken are named', (t) => {
  const eaten = ['regex: "\\bnova\\b"', 'regex: "a\\x2eb"', 'regex: "\\u0041b"', 'regex: "\u00e9\u00e9 \\ename"'];
  const said = warnings(t, eaten);
  assert.equal(said.length, eaten.length, said.join('\n'));
  said.forEach((line, i) => assert.match(line, new RegExp(`^rules\\[${i}\\]\\.regex: in double quotes .*single quotes$`)));
  assert.match(said[0], /`\\b`/);
  const fine = ["regex: '\\bnova\\b'", 'regex: "\\\\bnova\\\\b"', 'regex: "a\\tb"', 'regex: "say \\"no\\""', 'regex: nova\\b', "literal: 'a1'"];
  assert.deepEqual(warnings(t, fine), []);
  const lexicon = folder(t, { 'l.yaml': 'version: 1\nname: l\nlanguage: en\nentries:\n  - { id: a, class: concedes, regex: "ab\\x2e?c", match: ["It is abc."], unlike: ["It is x."] }\n' });
  const { status, err } = rein('check', path.join(lexicon, 'l.yaml'));
  assert.equal(status, 0, err);
  assert.match(err, /^warning: .*l\.yaml:5:\d+: entries\[0\]\.regex: in double quotes YAML interprets `\\x`/);
  const broken = folder(t, { 'p.yaml': 'version: 1\nname: p\nrules:\n  - { id: a, channels: [answer], regex: "\\d+", action: record }\n' });
  assert.match(rein('check', path.join(broken, 'p.yaml')).err, /unknown escape.*single quotes/);
});

test('FOUND H6: literals that look like words are named', (t) => {
  const said = warnings(t, ['literal: nova', 'literal: [sk-live-, Project Nova, blue, other]', 'literal: N\u00e4he']);
  assert.equal(said.length, 3, said.join('\n'));
  assert.match(said[0], /^rules\[0\].literal: `nova` .*`words: nova`$/);
  assert.match(said[1], /^rules\[1\]\.literal\[1\]: `Project Nova` .*2 more of this list$/);
  assert.deepEqual(warnings(t, ['literal: sk-live-', 'literal: a1', 'literal: "two  blanks"', 'literal: x_y', "regex: 'nova'"]), []);
});

test('FOUND U10: words of other programs, names that are not there, and fields that are not known get a hint', (t) => {
  const hints = { block: 'refuse', deny: 'refuse', reject: 'refuse', mask: 'redact', log: 'record' };
  for (const [said, meant] of Object.entries(hints)) {
    const at = folder(t, { 'p.yaml': `version: 1\nname: p\npatterns: { inconsistency: { complies: { action: ${said === 'mask' ? 'deny' : said} } } }\nrules:\n  - { id: a, channels: [answer], literal: x1, action: ${said} }\n` });
    const { status, err } = rein('check', path.join(at, 'p.yaml'));
    assert.equal(status, 3);
    assert.match(err, new RegExp(`rules\\[0\\]\\.action: \`${said}\` is not one of .*did you mean \`${meant}\``));
    assert.match(err, /patterns\.inconsistency\.complies\.action: .*did you mean `re(fuse|cord)`/);
  }
  const at = folder(t, { 'p.yaml': 'version: 1\nname: p\nrules:\n  - { id: a, channels: [output], builtin: phone_number, action: redact }\n  - { id: b, channels: [tool], pattern: x, action: redact }\n' });
  const { err } = rein('check', path.join(at, 'p.yaml'));
  assert.match(err, /channels\[0\]: `output` .*did you mean `answer`/);
  assert.match(err, /there is no built-in `phone_number` \(did you mean `phone`\?\); `rein check --builtins` lists the built-ins\n/);
  assert.match(err, /rules\[1\]\.pattern: unknown key; did you mean `regex`/);
  const said = warnings(t, ['literal: x1'], 'request: { allow: [logit_bias, seed, top_kk, my_own, "messages[].images", "chat_template_kwargs.enable_thinking", "messages[].content"] }\n');
  assert.equal(said.length, 5, said.join('\n'));
  assert.match(said[0], /^request\.allow\[1\]: no kind of upstream refuses or drops `seed`/);
  assert.match(said[1], /^request\.allow\[2\]: Rein does not know the field `top_kk`.*did you mean `top_k`/);
  assert.match(said[2], /^request\.allow\[3\]: Rein does not know the field `my_own`/);
  assert.match(said[3], /^request\.allow\[4\]: Rein does not know the field `messages\[\]\.images`/);
  assert.match(said[4], /^request\.allow\[6\]: no kind of upstream refuses or drops `messages\[\]\.content`/);
});
