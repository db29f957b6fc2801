// Erasing: kept text goes for good, next to a running server, and nothing else does.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ask as http, chat } from '../lib/client.mjs';
import { binary, startRein } from '../lib/rein.mjs';
import { says, startUpstream } from '../lib/upstream.mjs';

const policy = `
version: 1
name: default
prefix: { template: none, deliver: off, when: never }
reasoning: { show: stream, release: stream }
patterns: {}
log: { text: full }
rules:
  - { id: marked, channels: [prompt, reasoning, answer], regex: 'quoted-[a-z]{1,9}-[0-9]{1,9}', action: record }
`;

const erase = (...args) => spawnSync(binary, ['erase', ...args], { encoding: 'utf8' });

// How often a text stands in the files of a database.
function occurs(db, text) {
  let found = 0;
  for (const name of [db, `${db}-wal`, `${db}-shm`, `${db}-journal`])
    if (fs.existsSync(name))
      for (let bytes = fs.readFileSync(name), at = -1; (at = bytes.indexOf(text, at + 1)) >= 0;) found++;
  return found;
}

describe('rein erase', { timeout: 240000 }, () => {
  let upstream, folder, rein, db, ids;
  before(async () => {
    upstream = await startUpstream(says({}));
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-erase-'));
    rein = await startRein({ upstream: upstream.url, policy, folder });
    db = path.join(folder, 'rein.db');
    ids = { jo: [], al: [], none: [] };
    const names = { jo: { user: 'jo@example.org' }, al: { safety_identifier: 'al', user: 'jo@example.org' }, none: {} };
    // Short texts lie next to each other in a page, long ones have pages of their own.
    for (let i = 0; i < 60; i++)
      for (const [name, more] of Object.entries(names)) {
        const long = i % 10 === 0 ? ' and so on'.repeat(900) : '';
        upstream.serve = says({ reasoning: [`A thought of ${name}-${i}.`], answer: [`Answer ${name}-${i}: quoted-${name}-${i}${long}.`] });
        const answer = await rein.ask({ body: chat(`Question ${name}-${i}?`, { ...more, stream: i % 2 === 0 }) });
        assert.equal(answer.status, 200, answer.text);
        ids[name].push(answer.headers['x-rein-decision']);
      }
    for (const list of Object.values(ids)) for (const id of list) await rein.row(id);
  });
  after(async () => {
    await rein?.clean();
    await upstream?.stop();
    fs.rmSync(folder, { recursive: true });
  });

  test('what is kept is there, and the user is a hash', async () => {
    for (const name of ['jo', 'al', 'none']) {
      assert.ok(occurs(db, `Question ${name}-`) >= 60);
      assert.ok(occurs(db, `quoted-${name}-`) >= 120, 'text and evidence');
    }
    assert.equal(occurs(db, 'jo@example.org'), 0);
    const rows = { jo: await rein.row(ids.jo[0]), al: await rein.row(ids.al[0]), none: await rein.row(ids.none[0]) };
    assert.match(rows.jo.user, /^[0-9a-f]{32}$/);
    assert.match(rows.al.user, /^[0-9a-f]{32}$/);
    assert.notEqual(rows.jo.user, rows.al.user);
    assert.equal((await rein.row(ids.jo[1])).user, rows.jo.user);
    assert.equal(rows.none.user, null);
    assert.equal(rows.jo.findings[0].evidence, 'quoted-jo-0');
  });

  test('a user\'s text is erased while the server runs; others\' stays', async () => {
    const done = erase('--db', db, '--user', 'jo@example.org');
    assert.equal(done.status, 0, done.stderr);
    assert.equal(done.stdout, 'erased 180 texts, 60 pieces of evidence and 0 notes of 60 decisions\n');
    for (const text of ['Question jo-', 'thought of jo-', 'Answer jo-', 'quoted-jo-']) assert.equal(occurs(db, text), 0, text);
    for (const text of ['Question al-', 'Question none-']) assert.ok(occurs(db, text) >= 60, text);
    const row = await rein.row(ids.jo[0]);
    assert.equal(row.user, null);
    assert.equal(row.verdict, 'allow');
    assert.deepEqual([row.findings[0].id, row.findings[0].evidence], ['marked', null]);
    const again = erase('--db', db, '--user', 'jo@example.org', '--json');
    assert.deepEqual(JSON.parse(again.stdout), { decisions: 0, texts: 0, evidence: 0, notes: 0, log_left: false });
    // The server writes on.
    upstream.serve = says({ answer: ['fine'] });
    const answer = await rein.ask({ body: chat('One more question', { user: 'jo@example.org' }) });
    assert.equal((await rein.row(answer.headers['x-rein-decision'])).ending, 'complete');
  });

  test('one request, and all that meet two conditions', async () => {
    const one = erase('--db', db, '--request', ids.al[5], '--json');
    assert.deepEqual(JSON.parse(one.stdout), { decisions: 1, texts: 3, evidence: 1, notes: 0, log_left: false });
    assert.equal(occurs(db, 'Question al-5?'), 0);
    assert.ok(occurs(db, 'Question al-6?') > 0);
    const none = erase('--db', db, '--user', 'al', '--before', '2001-01-01', '--json');
    assert.equal(JSON.parse(none.stdout).decisions, 0);
    const rest = erase('--db', db, '--before', '0d', '--json');
    assert.equal(JSON.parse(rest.stdout).decisions, 120);
    for (const text of ['Question', 'thought of', 'quoted-jo-', 'quoted-al-', 'quoted-none-']) assert.equal(occurs(db, text), 0, text);
  });

  // The server does it, between its commits.
  const ask = (body, headers = {}) => http(rein.adminPort, { method: 'POST', path: '/admin/v1/erase', headers, body: typeof body === 'string' ? body : JSON.stringify(body) });

  test('over HTTP: by each selector, with counts, while streams run', async () => {
    upstream.serve = says({ reasoning: ['A thought of mine.'], answer: ['Answer: quoted-http-1.'] });
    const made = [];
    const say = async (name) => {
      const answer = await rein.ask({ body: chat(`Question ${name}?`, { user: `${name}@example.org`, stream: true }), headers: { 'x-request-id': `ask-${name}` } });
      made.push(answer.headers['x-rein-decision']);
      return answer;
    };
    for (const name of ['http-a', 'http-b', 'http-c']) await say(name);
    let running = true;
    const load = Promise.all(Array.from({ length: 4 }, async () => { for (let n = 0; running; n++) assert.equal((await say('busy')).status, 200); }));
    // What has ended is erased, also if it is not written yet.
    const a = await ask({ user: 'http-a@example.org' });
    assert.equal(a.status, 200, a.text);
    assert.deepEqual(a.json, { object: 'erased', decisions: 1, texts: 3, evidence: 1, notes: 0, log_left: false });
    assert.equal(occurs(db, 'Question http-a?'), 0);
    assert.ok(occurs(db, 'Question http-b?') > 0);
    const b = await ask({ request: 'ask-http-b' });
    assert.deepEqual([b.json.decisions, b.json.texts], [1, 3]);
    const c = await ask({ request: made[2], before: '0d' });
    assert.equal(c.json.decisions, 1);
    const early = await ask({ user: 'busy@example.org', before: '2001-01-01' });
    assert.equal(early.json.decisions, 0);
    running = false;
    await load;
    const both = await Promise.all([ask({ user: 'busy@example.org' }), ask({ before: '0d' })]);
    for (const answer of both) assert.equal(answer.status, 200, answer.text);
    assert.ok(both[0].json.decisions + both[1].json.decisions >= made.length - 3);
    for (const text of ['Question http-', 'Question busy', 'A thought of mine', 'quoted-http-1']) assert.equal(occurs(db, text), 0, text);
    assert.match(rein.log, /erasing by user was asked for by/);
    assert.doesNotMatch(rein.log, /example\.org/, 'the log has the kinds of selectors, not who it was');
    assert.equal((await rein.ask({ body: chat('after') })).status, 200);
  });

  test('over HTTP: what is wrong is said', async () => {
    for (const [body, param, message] of [
      ['', 'body', /JSON object/], ['[]', 'body', /JSON object/], ['{}', 'body', /Say what to erase/], [{ user: '' }, 'user', /not empty/], [{ user: 7 }, 'user', /text/],
      [{ usr: 'a' }, 'usr', /no such selector/], [{ before: 'yesterday' }, 'before', /2026-11-30/], ['{"key":"a","key":"b"}', 'body', /JSON object/], ['{"user":"a\\u0000b"}', 'body', /JSON object/],
    ]) {
      const answer = await ask(body);
      assert.equal(answer.status, 400, answer.text);
      assert.equal(answer.json.error.param, param, answer.text);
      assert.match(answer.json.error.message, message);
    }
    assert.equal((await rein.admin('/admin/v1/erase')).status, 405);
    assert.equal((await ask({ user: 'x' }, { origin: 'https://elsewhere.example', 'sec-fetch-site': 'cross-site' })).status, 403);
  });

  test('a wrong command line says what to do', () => {
    assert.match(erase('--db', db).stderr, /say what to erase, with --key, --user, --request or --before/);
    assert.match(erase('--key', 'a').stderr, /name the database, with --db/);
    assert.match(erase('--db', db, '--before', 'yesterday').stderr, /--before/);
    const missing = erase('--db', `${db}.not`, '--key', 'a');
    assert.match(missing.stderr, /rein\.db\.not: No such file/);
    assert.equal(missing.status, 1);
  });
});
