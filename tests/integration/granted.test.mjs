// Who gets which policy: routes by key, group, tenant and API, policies that a key may choose, and what a key may use.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { chat } from '../lib/client.mjs';
import { launch, startRein } from '../lib/rein.mjs';
import { says, startUpstream } from '../lib/upstream.mjs';

const policy = (name, word) => `
version: 1
name: ${name}
rules:
  - { id: word, literal: ${word}, action: redact, replacement: "<${name}>" }
`;

describe('who gets which policy', { timeout: 240000 }, () => {
  let upstream, rein, folder;
  const keys = {}, file = () => path.join(folder, 'keys.yaml');
  const key = async (...words) => {
    const run = launch(['key', ...words], { cwd: folder });
    assert.deepEqual(await run.exited, { code: 0, signal: null }, run.log);
    return run.out.trim();
  };
  const config = () => `
version: 1
listen: { address: "127.0.0.1:0", keys_file: keys.yaml }
admin: { address: "127.0.0.1:0" }
workers: 2
upstreams:
  - { name: up, url: "${upstream.url}", apis: [chat] }
routes:
  - { name: one, match: { keys: [alice] }, upstream: up, policy: for-alice }
  - { name: bank, match: { tenants: [bank], models: ["m"] }, upstream: up, policy: for-bank }
  - { name: bots, match: { groups: [bots], apis: [chat] }, upstream: up, policy: for-bots }
  - { name: rest, match: { models: ["m"] }, upstream: up, policy: default }
policies: policies/
store: { url: "sqlite:rein.db" }
timeouts: { drain_ms: 200 }
`;
  before(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-granted-'));
    upstream = await startUpstream(says({ answer: ['alpha beta gamma delta'] }));
    keys.alice = await key('add', file(), 'alice', '--group', 'bots');
    keys.bob = await key('add', file(), 'bob', '--tenant', 'bank', '--group', 'bots');
    keys.bot = await key('add', file(), 'bot', '--group', 'bots');
    keys.guest = await key('add', file(), 'guest');
    keys.old = await key('add', file(), 'old', '--expires', '2020-01-01');
    keys.slow = await key('add', file(), 'slow', '--requests-per-minute', '2');
    keys.single = await key('add', file(), 'single', '--open-streams', '1');
    fs.writeFileSync(file(), fs.readFileSync(file(), 'utf8').replace('name: "bot", ', 'name: "bot", policies: [for-bank, default], '));
    rein = await startRein({ folder, config: config(), policy: policy('default', 'alpha'),
      policies: { alice: policy('for-alice', 'beta'), bank: policy('for-bank', 'gamma'), bots: policy('for-bots', 'delta') } });
  });
  after(async () => {
    await rein?.clean();
    await upstream?.stop();
    fs.rmSync(folder, { recursive: true, force: true });
  });
  const ask = (name, headers = {}, body = chat('hello')) =>
    rein.ask({ body, headers: { authorization: `Bearer ${keys[name]}`, ...headers } });
  const said = (answer) => answer.json.choices[0].message.content;

  for (const [name, route, tenant, text] of [
    ['alice', 'one', null, 'alpha <for-alice> gamma delta'],
    ['bob', 'bank', 'bank', 'alpha beta <for-bank> delta'],
    ['bot', 'bots', null, 'alpha beta gamma <for-bots>'],
    ['guest', 'rest', null, '<default> beta gamma delta'],
  ])
    test(`${name} gets the route ${route}`, async () => {
      const answer = await ask(name);
      assert.equal(answer.status, 200, answer.text);
      assert.equal(said(answer), text);
      const row = await rein.row(answer.headers['x-rein-decision']);
      assert.deepEqual([row.route, row.key, row.tenant ?? null], [route, name, tenant]);
    });

  test('a key chooses among the policies that it was granted, and among no others', async () => {
    const chosen = await ask('bot', { 'x-rein-policy': 'for-bank' });
    assert.equal(said(chosen), 'alpha beta <for-bank> delta');
    assert.match(chosen.headers['x-rein-policy'], /^for-bank@/);
    assert.equal((await rein.row(chosen.headers['x-rein-decision'])).policy, 'for-bank');
    const asked = upstream.calls.length;
    for (const [name, wanted] of [['bot', 'for-alice'], ['guest', 'default'], ['alice', 'for-alice'], ['bot', 'none'], ['bot', '']]) {
      const answer = await ask(name, { 'x-rein-policy': wanted });
      assert.equal(answer.status, 403, `${name} ${wanted}`);
      assert.equal(answer.json.error.code, 'policy_not_granted');
    }
    assert.equal(upstream.calls.length, asked);
  });

  test('no route for the key: 404, and the models are those that it can reach', async () => {
    assert.equal((await ask('guest', {}, { ...chat('x'), model: 'other' })).status, 404);
    assert.equal((await ask('bot', {}, { ...chat('x'), model: 'other' })).status, 200);
  });

  test('an expired key is refused and told so', async () => {
    const answer = await ask('old');
    assert.equal(answer.status, 401);
    assert.equal(answer.json.error.code, 'expired_api_key');
  });

  test('requests per minute: 429 with the time to wait', async () => {
    assert.equal((await ask('slow')).status, 200);
    assert.equal((await ask('slow')).status, 200);
    const answer = await ask('slow');
    assert.equal(answer.status, 429);
    assert.equal(answer.json.error.code, 'rate_limit_exceeded');
    const wait = Number(answer.headers['retry-after']);
    assert.ok(wait >= 1 && wait <= 31, answer.headers['retry-after']);
    assert.equal((await ask('guest')).status, 200);
  });

  test('open requests: one at a time, and the next when it has ended', async () => {
    for (let round = 0; round < 5; round++) {
      const answers = await Promise.all([1, 2, 3, 4].map(() => ask('single')));
      const statuses = answers.map((answer) => answer.status).sort();
      assert.ok(statuses.every((status) => status === 200 || status === 429), statuses.join());
      assert.ok(statuses.includes(200));
      assert.equal((await ask('single')).status, 200);
    }
  });

  test('a key has two secrets while it is rotated', async () => {
    const reload = async () => {
      const seen = rein.log.match(/config reloaded/g)?.length ?? 0;
      rein.child.kill('SIGHUP');
      await rein.said(new RegExp(`(config reloaded[^]*){${seen + 1}}`));
    };
    keys.next = await key('rotate', file(), 'guest');
    await reload();
    for (const name of ['guest', 'next']) assert.equal((await rein.row((await ask(name)).headers['x-rein-decision'])).key, 'guest');
    await key('retire', file(), 'guest');
    await reload();
    assert.equal((await ask('guest')).status, 401);
    assert.equal((await ask('next')).status, 200);
  });

  const route = async (...words) => {
    const run = launch(['route', '-c', path.join(folder, 'rein.yaml'), ...words], { cwd: folder });
    return { ...(await run.exited), out: run.out, log: run.log };
  };
  test('rein route says which, and why', async () => {
    const bot = await route('--key', 'bot', '--model', 'm', '--api', 'chat');
    assert.equal(bot.code, 0, bot.log);
    assert.match(bot.out, /^not route one: it is for other keys\nnot route bank: it is for other tenants\nroute bots, the first that matches; upstream up\npolicy for-bots@[0-9a-f]{12}, the route's\n$/);
    const chosen = await route('--key', 'bot', '--model', 'm', '--policy', 'default');
    assert.match(chosen.out, /policy default@[0-9a-f]{12}, chosen by the header x-rein-policy instead of the route's for-bots@/);
    for (const [words, message] of [
      [['--key', 'bot', '--model', 'm', '--policy', 'for-alice'], /refused: 403, because the key was not granted the policy `for-alice`/],
      [['--key', 'nobody', '--model', 'm'], /refused: 401, because there is no key `nobody`/],
      [['--key', 'old', '--model', 'm'], /refused: 401, because the key `old` has expired/],
      [['--model', 'm'], /refused: 401, because requests need a key/],
      [['--key', 'guest', '--model', 'other'], /refused: 404, because no route matches/],
      [['--key', 'bot', '--model', 'm', '--api', 'messages'], /not route bots: it does not take this API[^]*refused: 404/],
    ]) {
      const answer = await route(...words);
      assert.equal(answer.code, 1, words.join(' '));
      assert.match(answer.out, message);
    }
    assert.equal((await route('--key', 'bot')).code, 2);
  });

  test('rein check names what cannot be meant', async () => {
    const check = async (changes) => {
      const name = path.join(folder, 'checked.yaml');
      fs.writeFileSync(name, changes(config()));
      const run = launch(['check', name], { cwd: folder });
      return { ...(await run.exited), text: run.log + run.out };
    };
    for (const [changes, code, message] of [
      [(text) => text.replace('keys: [alice]', 'keys: [alise]'), 0, /warning: .*routes\[0\]\.match\.keys\[0\]: there is no key `alise` in the keys file; did you mean `alice`\?/],
      [(text) => text.replace(', keys_file: keys.yaml', ''), 3, /routes\[0\]\.match\.keys: matches nobody, because there are no keys: set listen\.keys_file/],
      [(text) => text.replace('apis: [chat] }, upstream', 'apis: [messages] }, upstream'), 3, /routes\[2\]\.match\.apis: names no API that the upstream serves/],
      [(text) => text.replace('models: ["m"] }, upstream: up, policy: default', 'groups: [bots] }, upstream: up, policy: default'), 0, /warning: .*routes\[3\]\.name: is never used: the earlier route `bots` takes all that it matches/],
    ]) {
      const answer = await check(changes);
      assert.match(answer.text, message);
      assert.equal(answer.code, code, answer.text);
    }
    const before = fs.readFileSync(file(), 'utf8');
    fs.writeFileSync(file(), before.replace('for-bank', 'for-bunk'));
    const answer = await check((text) => text);
    fs.writeFileSync(file(), before);
    assert.equal(answer.code, 3);
    assert.match(answer.text, /keys\.yaml:\d+:?.*policies: the key `bot` may choose the policy `for-bunk`, but there is none/);
  });
});
