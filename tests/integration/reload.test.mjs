// Reloading over HTTP: versions before and after, or problems with their places; and the texts of all versions that were in use.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import { ask, chat } from '../lib/client.mjs';
import { binary, configText, startRein } from '../lib/rein.mjs';
import { says, startUpstream } from '../lib/upstream.mjs';

const policyOf = (word, name = 'default') => `version: 1
name: ${name}
prefix: { template: short, deliver: instruct, when: always } # a remark
rules:
  - { id: word, channels: [answer], literal: "${word}", action: refuse }
`;

const withRein = async (t, options, run) => {
  const upstream = await startUpstream(says({ answer: ['plain red'] }));
  const rein = await startRein({ upstream: upstream.url, policy: policyOf('blue'), ...options });
  t.after(async () => {
    await rein.clean();
    await upstream.stop();
  });
  rein.reload = (headers = {}) => ask(rein.adminPort, { method: 'POST', path: '/admin/v1/reload', headers, body: '' });
  rein.policies = async (headers = {}) => (await ask(rein.adminPort, { method: 'GET', path: '/admin/v1/policies', headers })).json.data;
  // The writer notes a reload soon, not at once.
  rein.noted = async (is, headers) => {
    for (;;) {
      const list = await rein.policies(headers);
      if (is(list)) return list;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  };
  return run(rein, upstream);
};
const counts = async (rein) => Object.fromEntries([...(await rein.admin('/metrics')).text.matchAll(/^rein_reloads_total\{result="(\w+)"\} (\d+)$/gm)].map(([, result, n]) => [result, Number(n)]));

describe('POST /admin/v1/reload', { timeout: 240000 }, () => {
  test('a good config counts from the answer on; each version keeps its text', (t) => withRein(t, {}, async (rein) => {
    const first = await rein.ask({ body: chat('x') });
    assert.equal(first.status, 200);
    const { policy_version: before } = await rein.row(first.headers['x-rein-decision']);

    rein.rewrite({ policy: policyOf('red'), policies: { other: policyOf('green', 'other') } });
    const answer = await rein.reload();
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.json.result, 'reloaded');
    const changes = Object.fromEntries(answer.json.policies.map((each) => [each.name, each]));
    assert.equal(changes.default.before, before);
    assert.notEqual(changes.default.after, before);
    assert.equal(changes.other.before, null);
    assert.match(changes.other.after, /^[0-9a-f]{64}$/);
    assert.match(rein.log, /admin: a reload was asked for over HTTP by \(no token\)/);
    assert.match(rein.log, /serve: config reloaded/);

    // The next request is judged by it.
    const second = await rein.ask({ body: chat('x') });
    assert.equal((await rein.row(second.headers['x-rein-decision'])).policy_version, changes.default.after);
    assert.equal(second.status === 200 && second.json.choices[0].finish_reason === 'stop', false);
    assert.deepEqual(await counts(rein), { applied: 1, refused: 0 });
    assert.match((await rein.admin('/metrics')).text, /^rein_reload_last_ok 1$/m);

    const list = await rein.noted((all) => all.length === 3 && all.filter((each) => each.in_use).length === 2);
    assert.deepEqual(list.filter((each) => each.in_use).map((each) => each.version).sort(), [changes.default.after, changes.other.after].sort());
    const old = list.find((each) => each.version === before);
    assert.equal(old.in_use, false);
    assert.ok(Date.parse(old.first_active_at) <= Date.parse(old.last_active_at));
    assert.equal(list.find((each) => each.version === changes.default.after).last_active_at, null);
    assert.ok(!('source' in list[0]));
    for (const [version, word] of [[before, 'blue'], [changes.default.after, 'red']]) {
      const { status, json } = await rein.admin(`/admin/v1/policies/${version}`);
      assert.equal(status, 200);
      assert.equal(json.source, policyOf(word));
      assert.deepEqual(json.resolved.rules[0].literal, word);
      assert.equal(json.resolved.hold.max_bytes > 0, true); // a default
      const template = json.documents.find((each) => each.kind === 'template');
      assert.equal(template.name, 'short');
      assert.match(template.sha256, /^[0-9a-f]{64}$/);
      assert.equal(typeof template.resolved.text, 'string');
      // What was resolved is a policy: the same one.
      const file = path.join(rein.folder, `${word}.json.yaml`);
      fs.writeFileSync(file, JSON.stringify(json.resolved));
      const checked = spawnSync(binary, ['check', '--templates', path.join(rein.folder, 'templates'), '--lexicons', path.join(rein.folder, 'lexicons'), file], { encoding: 'utf8' });
      assert.match(checked.stdout, new RegExp(version), checked.stderr);
    }
    assert.equal((await rein.admin(`/admin/v1/policies/${'0'.repeat(64)}`)).status, 404);
    assert.equal((await rein.admin('/admin/v1/policies/short')).status, 404);
    assert.equal((await rein.admin('/admin/v1/policies?x=1')).status, 400);
    assert.equal((await rein.admin('/admin/v1/reload')).status, 405);
  }));

  test('a broken config is a 422 with every problem and its place; the old one stays', (t) => withRein(t, {}, async (rein) => {
    const [{ version }] = await rein.noted((all) => all.length === 1);
    rein.rewrite({ policy: 'version: 1\nname: default\nrules:\n  - { id: a, channels: [answer], builtin: phon, action: refuse }\n  - { id: b, channels: [answer], literal: x, action: block }\n' });
    const answer = await rein.reload();
    assert.equal(answer.status, 422);
    assert.equal(answer.json.result, 'refused');
    const [first, second] = answer.json.problems;
    assert.equal(answer.json.problems.length, 2, answer.text);
    assert.match(first.file, /policies\/default\.yaml$/);
    assert.deepEqual([first.line, first.key], [4, 'rules[0].builtin']);
    assert.ok(first.column > 1);
    assert.match(first.message, /did you mean `phone`/);
    assert.deepEqual([second.line, second.key], [5, 'rules[1].action']);
    assert.match(rein.log, /serve: the config was not reloaded/);
    assert.deepEqual(await counts(rein), { applied: 0, refused: 1 });
    assert.equal((await rein.ask({ body: chat('x') })).status, 200);
    assert.deepEqual((await rein.policies()).map((each) => each.version), [version]);
  }));

  test('reloads at the same time are serialised: each answer is of one that began after it was asked for', (t) => withRein(t, {}, async (rein) => {
    const asked = [];
    for (let i = 0; i < 12; i++) {
      rein.rewrite({ policy: policyOf(`word ${i}`) });
      asked.push(rein.reload());
      if (i % 4 === 3) rein.child.kill('SIGHUP');
    }
    const answers = await Promise.all(asked);
    assert.deepEqual(answers.map((answer) => answer.status), answers.map(() => 200));
    const last = (await rein.reload()).json.policies[0];
    assert.equal(last.before, last.after);
    assert.equal(answers.at(-1).json.policies[0].after, last.after);
    const { json } = await rein.admin(`/admin/v1/policies/${(await rein.noted((all) => all.some((each) => each.version === last.after && each.in_use))).find((each) => each.in_use).version}`);
    assert.equal(json.source, policyOf('word 11'));
    const { applied } = await counts(rein);
    assert.ok(applied >= 2 && applied <= 16, `${applied}`);
  }));

  test('it takes a token that may operate, and texts take one that may read text', async (t) => {
    const rights = ['counts', 'text', 'operate'];
    const tokens = Object.fromEntries(rights.map((right) => [right, `${right}-${'t'.repeat(24)}`]));
    const rows = rights.map((right) => `    - { name: ${right}, rights: ${right}, token_env: REIN_${right.toUpperCase()} }`).join('\n');
    const config = configText({ upstream: 'http://127.0.0.1:9' }).replace(/^admin: .*$/m, `admin:\n  address: "127.0.0.1:0"\n  tokens:\n${rows}`);
    const env = Object.fromEntries(rights.map((right) => [`REIN_${right.toUpperCase()}`, tokens[right]]));
    await withRein(t, { config, env }, async (rein) => {
      const of = (right) => ({ authorization: `Bearer ${tokens[right]}` });
      assert.equal((await rein.reload()).status, 401);
      assert.equal((await rein.reload({ authorization: 'Bearer rein-wrong' })).status, 401);
      for (const right of ['counts', 'text']) assert.equal((await rein.reload(of(right))).status, 403);
      assert.equal((await rein.reload(of('operate'))).status, 200);
      assert.match(rein.log, /over HTTP by operate/);
      const get = (path, right) => ask(rein.adminPort, { method: 'GET', path, headers: of(right) });
      assert.equal((await get('/admin/v1/policies', 'counts')).status, 200);
      const [{ version }] = await rein.noted((list) => list.length > 0, of('counts'));
      assert.equal((await get(`/admin/v1/policies/${version}`, 'counts')).status, 403);
      assert.equal((await get(`/admin/v1/policies/${version}`, 'text')).status, 200);
      // A page of another site cannot send it.
      assert.equal((await rein.reload({ ...of('operate'), 'sec-fetch-site': 'cross-site' })).status, 403);
    });
  });

  test('an end of the server, and a start with another policy, are in the record', async (t) => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-reload-'));
    t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
    const first = await startRein({ folder, upstream: 'http://127.0.0.1:9', policy: policyOf('blue') });
    await first.clean();
    const second = await startRein({ folder, upstream: 'http://127.0.0.1:9', policy: policyOf('red') });
    t.after(() => second.clean());
    for (;;) {
      const { data } = (await second.admin('/admin/v1/policies')).json;
      if (data.length < 2) continue;
      assert.deepEqual(data.map((each) => each.in_use), [true, false]);
      assert.ok(Date.parse(data[1].last_active_at) <= Date.parse(data[0].first_active_at));
      return;
    }
  });
});
