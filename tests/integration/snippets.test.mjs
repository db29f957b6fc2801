// Every YAML snippet of README.md and docs/ is checked as a reader would use it, and those of the README are served.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { chat, gather } from '../lib/client.mjs';
import { source, temporaryFolder } from '../lib/install.mjs';
import { binary, plainPolicy, startRein } from '../lib/rein.mjs';
import { says, startUpstream } from '../lib/upstream.mjs';

const pages = ['README.md', ...fs.readdirSync(path.join(source, 'docs'), { recursive: true }).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)];

// [{ page, line, text }]
const snippets = pages.flatMap((page) => {
  const text = fs.readFileSync(path.join(source, page), 'utf8');
  return [...text.matchAll(/^( *)```ya?ml\n(.*?)^ *```$/gms)].map((found) => ({
    page, line: text.slice(0, found.index).split('\n').length + 1,
    text: found[2].split('\n').map((line) => line.slice(found[1].length)).join('\n'),
  }));
});
const ofReadme = snippets.filter((snippet) => snippet.page === 'README.md');

// A snippet that is a part of a config stands in one that has the rest.
const isPolicy = (text) => /^(rules|log|patterns|extends|reasoning|request|model):/m.test(text) && !/^(listen|upstreams|routes|store|cases|entries):/m.test(text);
function wholeConfig(text) {
  if (/^version:/m.test(text)) return text;
  if (isPolicy(text)) return `version: 1\nname: snippet\nmodel: harm-en\n${text}`;
  const name = /name: *(\w+)/.exec(text)[1];
  const rest = {
    upstreams: '  - { name: local, url: "http://127.0.0.1:9000" }',
    routes: `  - { name: all, upstream: ${/^upstreams:/m.test(text) ? name : 'local'}, policy: default }`,
  };
  const missing = Object.keys(rest).filter((key) => !new RegExp(`^${key}:`, 'm').test(text));
  return ['version: 1', ...missing.map((key) => `${key}:\n${rest[key]}`), text].join('\n');
}

// A folder like config/, with what a snippet refers to.
function likeConfig(t, text) {
  const folder = path.join(temporaryFolder(t, 'snippet'), 'config');
  fs.mkdirSync(path.join(folder, 'policies'), { recursive: true });
  for (const name of ['default', ...[...text.matchAll(/policy: *(\w+)/g)].map((found) => found[1])])
    fs.writeFileSync(path.join(folder, `policies/${name}.yaml`), plainPolicy.replace('name: default', `name: ${name}`));
  for (const name of ['templates', 'lexicons', 'models'].filter((part) => fs.existsSync(path.join(source, 'config', part)))) fs.symlinkSync(path.join(source, 'config', name), path.join(folder, name));
  fs.mkdirSync(path.join(folder, 'lists'));
  for (const [name] of text.matchAll(/\w+\.txt/g)) fs.writeFileSync(path.join(folder, 'lists', name), 'High Street\n');
  return folder;
}

describe('snippets', { timeout: 470000 }, () => {
  test('FOUND U17: there are some for each usual backend, and detection is said to know English only in the first screen', () => {
    assert.deepEqual(ofReadme.map(({ text }) => /kind: (\w+)/.exec(text)[1]), ['vllm', 'llamacpp', 'ollama', 'openai']);
    for (const { text } of ofReadme) assert.ok(text.split('\n').length <= 11, text);
    assert.match(fs.readFileSync(path.join(source, 'README.md'), 'utf8').split('\n').slice(0, 30).join(' '), /know English only/);
  });

  for (const { page, line, text } of snippets)
    test(`${page}:${line} has no errors`, (t) => {
      const whole = wholeConfig(text), folder = likeConfig(t, whole);
      const file = path.join(folder, isPolicy(text) ? 'policies' : '', path.basename(/^# config\/(\S+\.yaml)$/m.exec(text)?.[1] ?? 'snippet.yaml'));
      fs.writeFileSync(file, whole);
      const { status, stdout, stderr } = spawnSync(binary, ['check', file], { encoding: 'utf8', timeout: 400000 });
      assert.equal(status, 0, stderr);
      assert.match(stdout, /: (config|lexicon|policy|template|judge)\b|: \d+ cases$/m);
    });

  for (const { line, text } of ofReadme) {
    const kind = /kind: (\w+)/.exec(text)[1];
    test(`README.md:${line} serves a backend of the kind ${kind}`, async (t) => {
      const upstream = await startUpstream((call) => (call.path.endsWith('/chat/completions') ? says({ answer: ['fine'] })(call) : call.reply(404, {})));
      const folder = likeConfig(t, text);
      const config = text.replace(/url: "[^"]*:\/\/[^"]*" ?([,}])/, `url: "${upstream.url}"$1`)
        .replace(/(address: "127\.0\.0\.1:)\d+/g, '$10');
      assert.ok(config.includes(upstream.url), config);
      const rein = await startRein({ folder, config, env: { OPENAI_API_KEY: 'sk-not-in-any-file' } });
      const answer = await rein.ask({ body: chat('hello', { model: 'any-model', stream: true }), headers: { authorization: 'Bearer of-the-client' } });
      assert.equal(gather(answer.text).content, 'fine', rein.log);
      const call = upstream.calls.findLast((one) => one.path.endsWith('/chat/completions'));
      assert.equal(call.path, '/v1/chat/completions');
      assert.equal(call.headers.authorization, kind === 'openai' ? 'Bearer sk-not-in-any-file' : undefined);
      assert.ok(!rein.log.includes('sk-not-in'), rein.log);
      await rein.row(answer.headers['x-rein-decision']);
      assert.ok(fs.existsSync(path.join(folder, '../data/rein.db')));
      await rein.clean();
      await upstream.stop();
    });
  }
});
