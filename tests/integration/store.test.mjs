// A disk that is full: nothing is served that cannot be recorded, or everything is, as the config says; then it recovers.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import { chat, send } from '../lib/client.mjs';
import { HANGS_MS, plainPolicy, startRein } from '../lib/rein.mjs';
import { says, startUpstream } from '../lib/upstream.mjs';

// No file of the process may be longer than that from now on: writing more fails as on a full disk.
const limitFiles = (rein, bytes) => execFileSync('prlimit', ['--pid', String(rein.child.pid), `--fsize=${bytes}:`]);

const policy = plainPolicy.replace('rules:', 'rules:\n  - { id: secret, channels: [answer], literal: "open sesame", action: refuse }');

async function withRein(store, run) {
  const upstream = await startUpstream(says({ answer: ['fine'] }));
  const rein = await startRein({ upstream: upstream.url, policy, store });
  try {
    assert.equal((await rein.ask({ body: chat('before') })).status, 200);
    await run(rein, upstream);
  } finally {
    await rein.clean();
    await upstream.stop();
  }
}

// Asks until it works again, HANGS_MS at most; the store tries twice a second.
async function untilServed(rein) {
  const deadline = Date.now() + HANGS_MS;
  for (;;) {
    const answer = await rein.ask({ body: chat('after') });
    if (answer.status === 200) return answer;
    assert.ok(Date.now() < deadline, answer.text);
  }
}

describe('a full disk', { timeout: 240000 }, () => {
  test('refuse: the answer is withheld, the next requests are refused, then served again', () =>
    withRein('on_error: refuse', async (rein) => {
      limitFiles(rein, 1);
      const withheld = await rein.ask({ body: chat('during') });
      assert.equal(withheld.status, 503);
      assert.equal(withheld.json.error.code, 'store_unavailable');
      assert.ok(!withheld.text.includes('fine'), withheld.text);
      assert.equal((await rein.ask({ body: chat('during') })).status, 503);
      assert.equal((await rein.admin('/readyz')).status, 503);
      assert.match((await rein.admin('/metrics')).text, /\nrein_store_healthy 0\n/);
      limitFiles(rein, 'unlimited');
      await untilServed(rein);
      assert.equal((await rein.admin('/readyz')).status, 200);
      const row = await rein.row(withheld.headers['x-rein-decision']);
      assert.equal(row.ending, 'store_failed');
    }));

  for (const on_error of ['refuse', 'serve']) {
    test(`FOUND M9: ${on_error}: it does not fill the log as well, whatever clients do meanwhile`, () =>
      withRein(`on_error: ${on_error}`, async (rein) => {
        limitFiles(rein, 1);
        const before = rein.log.length, began = Date.now();
        for (let i = 0; i < 300; i++) await rein.ask({ body: chat('during') });
        const lines = rein.log.slice(before).split('\n').length;
        // The first few of each of a few kinds, and one of each in ten seconds: however long the machine takes.
        const periods = 1 + (Date.now() - began) / 10000;
        assert.ok(lines < 30 + 10 * periods, `${lines} lines for 300 requests\n${rein.log}`);
        limitFiles(rein, 'unlimited');
        await rein.said(/decisions can be written again/);
      }));
  }

  test('serve: answers go on, and their rows come when the disk is back', () =>
    withRein('on_error: serve', async (rein, upstream) => {
      limitFiles(rein, 1);
      const ids = [];
      for (let i = 0; i < 5; i++) {
        const answer = await rein.ask({ body: chat('during') });
        assert.equal(answer.status, 200);
        ids.push(answer.headers['x-rein-decision']);
      }
      upstream.serve = says({ answer: ['it is open sesame'] });
      const refused = await rein.ask({ body: chat('during') });
      assert.ok(!refused.text.includes('sesame'), refused.text);
      assert.equal((await rein.admin('/readyz')).status, 200);
      limitFiles(rein, 'unlimited');
      await rein.said(/decisions can be written again/);
      for (const id of ids) assert.equal((await rein.row(id)).ending, 'complete');
      assert.equal((await rein.row(refused.headers['x-rein-decision'])).verdict, 'refuse');
    }));
});

const files = ['', '-wal', '-shm', '-lock'];
const database = (rein, suffix = '') => path.join(rein.folder, `rein.db${suffix}`);

// How a database can go, and how it comes back: by itself if nothing is said.
const ways = [
  { name: 'removed', go: (rein) => files.forEach((suffix) => fs.rmSync(database(rein, suffix))), kept: false },
  { name: 'removed but for its log', go: (rein) => fs.rmSync(database(rein)), kept: false },
  { name: 'without its log', go: (rein) => fs.rmSync(database(rein, '-wal')), kept: true },
  { name: 'without its index', go: (rein) => fs.rmSync(database(rein, '-shm')), kept: true },
  { name: 'renamed', go: (rein) => fs.renameSync(database(rein), database(rein, '-old')), kept: false },
  {
    name: 'replaced by a copy', kept: undefined, // a copy has what was in the file by then
    go: (rein) => {
      execFileSync('cp', [database(rein), database(rein, '-copy')]);
      fs.renameSync(database(rein, '-copy'), database(rein));
    },
  },
];

// While something changes at its place, a database is not opened again: so an outage lasts as long as a test looks at it.
// Ends with what was there.
function stirred(rein) {
  const lock = database(rein, '-lock'), aside = `${lock}-aside`, had = fs.existsSync(lock);
  if (!had) fs.writeFileSync(aside, '');
  const move = () => fs.renameSync(...(fs.existsSync(lock) ? [lock, aside] : [aside, lock]));
  const timer = setInterval(move, 200);
  move();
  return () => {
    clearInterval(timer);
    if (fs.existsSync(lock) !== had) move();
    if (!had) fs.rmSync(aside);
  };
}

describe('a database that goes away under the server', { timeout: 300000, concurrency: 5 }, () => {
  for (const { name, go, kept } of ways) {
    test(`FOUND S8: ${name}: noticed without a request, refused, then served again`, () =>
      withRein('on_error: refuse', async (rein) => {
        const before = (await rein.ask({ body: chat('before') })).headers['x-rein-decision'];
        await rein.row(before);
        go(rein);
        const settle = stirred(rein);
        await rein.said(/was removed, renamed or replaced while it was in use/);
        await rein.said(/decisions cannot be written; Rein tries again/); // which is said once requests are refused
        assert.equal((await rein.admin('/readyz')).status, 503);
        const metrics = (await rein.admin('/metrics')).text;
        assert.match(metrics, /\nrein_store_healthy 0\n/);
        assert.match(metrics, /\nrein_store_gone_total 1\n/);
        const refused = await rein.ask({ body: chat('during') });
        assert.equal(refused.status, 503);
        assert.equal(refused.json.error.code, 'store_unavailable');
        assert.equal((await rein.admin('/admin/v1/decisions')).status, 503);
        settle();
        const after = await untilServed(rein);
        assert.equal((await rein.admin('/readyz')).status, 200);
        assert.equal((await rein.row(after.headers['x-rein-decision'])).ending, 'complete');
        assert.equal((await rein.row(refused.headers['x-rein-decision'])).status, 503);
        const found = (await rein.admin(`/admin/v1/decisions/${before}`)).status;
        if (kept !== undefined) assert.equal(found, kept ? 200 : 404);
      }));
  }

  test('FOUND S8: an answer under way that meets it is withheld', () =>
    withRein('on_error: refuse', async (rein, upstream) => {
      const { folder } = rein, answers = says({ answer: ['fine'] });
      upstream.serve = (call) => {
        fs.renameSync(folder, `${folder}-away`); // so nothing can be made anew, however long the answer takes from here
        return answers(call);
      };
      const withheld = await rein.ask({ body: chat('during') });
      assert.equal(withheld.status, 503);
      assert.ok(!withheld.text.includes('fine'), withheld.text);
      upstream.serve = answers;
      fs.renameSync(`${folder}-away`, folder);
      await untilServed(rein);
      assert.equal((await rein.row(withheld.headers['x-rein-decision'])).ending, 'store_failed');
    }));

  test('FOUND S8: serve: answers go on, and their rows are in the new database', () =>
    withRein('on_error: serve', async (rein) => {
      files.forEach((suffix) => fs.rmSync(database(rein, suffix)));
      const ids = [];
      for (let i = 0; i < 5; i++) {
        const answer = await rein.ask({ body: chat('during') });
        assert.equal(answer.status, 200);
        ids.push(answer.headers['x-rein-decision']);
      }
      await rein.said(/a new, empty database was made/);
      await rein.said(/decisions can be written again/);
      for (const id of ids) assert.equal((await rein.row(id)).ending, 'complete');
    }));

  test('FOUND S8: a folder that is away: nothing is made in its place', () =>
    withRein('on_error: refuse', async (rein) => {
      const before = (await rein.ask({ body: chat('before') })).headers['x-rein-decision'];
      await rein.row(before);
      const folder = rein.folder;
      fs.renameSync(folder, `${folder}-away`);
      await rein.said(/cannot make .*rein\.db-lock/);
      assert.ok(!fs.existsSync(folder));
      assert.equal((await rein.ask({ body: chat('during') })).status, 503);
      fs.renameSync(`${folder}-away`, folder);
      await untilServed(rein);
      assert.equal((await rein.row(before)).ending, 'complete');
    }));
});

// A server whose disk holds up every sync while `stall` is a file.
async function startStalling(folder, upstream, more = {}) {
  const stall = path.join(folder, 'stall');
  const rein = await startRein({
    folder, upstream, policy: prompts, ...more,
    env: {
      LD_PRELOAD: process.env.REIN_STALLED_SYNC, REIN_TEST_STALL: stall,
      ASAN_OPTIONS: `${process.env.ASAN_OPTIONS ?? ''}:verify_asan_link_order=0`,
    },
  });
  return { rein, begin: () => fs.writeFileSync(stall, ''), end: () => fs.rmSync(stall, { force: true }) };
}

const prompts = plainPolicy.replace('rules:', 'rules:\n  - { id: secret, channels: [prompt], literal: "open sesame", action: refuse }');

async function rowsAfter(folder, upstream) {
  const rein = await startRein({ folder, upstream });
  const rows = await rein.rows();
  await rein.clean();
  return new Map(rows.map((row) => [row.request_id, row]));
}

describe('a disk that is slow while the server ends', { timeout: 120000, concurrency: true, skip: !process.env.REIN_STALLED_SYNC }, () => {
  test('FOUND M1: workers stay until the store has answered, and no row is lost', async () => {
    const upstream = await startUpstream(says({ answer: ['fine'] }));
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-store-'));
    const { rein, begin, end } = await startStalling(folder, upstream.url, { workers: 2 });
    begin();
    const ids = Array.from({ length: 8 }, (_, i) => `late-${i}`);
    const asked = ids.map((id) => rein.ask({ body: chat('open sesame'), headers: { 'x-request-id': id } }).catch(() => {}));
    await inHand(rein, 8);
    rein.child.kill('SIGTERM');
    await rein.said(/waiting for the store to write the decisions of \d+ requests/);
    end();
    assert.deepEqual(await rein.exited, { code: 0, signal: null }, rein.log);
    assert.doesNotMatch(rein.log, /Sanitizer|runtime error/);
    await Promise.all(asked);
    const rows = await rowsAfter(folder, upstream.url);
    for (const id of ids) assert.ok(rows.has(id), `${id} is lost\n${rein.log}`);
    await upstream.stop();
    fs.rmSync(folder, { recursive: true });
  });

  test('FOUND M1: a disk that does not come back does not keep the process for ever', async () => {
    const upstream = await startUpstream(says({ answer: ['fine'] }));
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-store-'));
    const { rein, begin, end } = await startStalling(folder, upstream.url);
    begin();
    const asked = rein.ask({ body: chat('open sesame') }).catch(() => {});
    await inHand(rein, 1);
    rein.child.kill('SIGTERM');
    const { code } = await rein.exited;
    end();
    assert.equal(code, 1, rein.log);
    assert.match(rein.log, /stopping with decisions that are not written/);
    assert.doesNotMatch(rein.log, /Sanitizer|runtime error/);
    await asked;
    await upstream.stop();
    fs.rmSync(folder, { recursive: true });
  });
});

describe('a disk that is slow while an answer is steered', { timeout: 240000, skip: !process.env.REIN_STALLED_SYNC }, () => {
  const steers = `
version: 1
name: default
prefix: { template: short, deliver: instruct, when: always }
reasoning: { show: stream, release: sentence }
patterns: {}
rules: [ { id: astray, channels: [reasoning], literal: "astray words", action: steer } ]
steer: { max_attempts: 2, max_added_ms: 600000, fallback: refuse }
`;

  // What a restart costs is measured by script/bench restart; here is what it may wait for, and what it may not.
  test('FOUND U8: the next attempt is asked for while the decision is written, and shown only after that', async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-store-'));
    const upstream = await startUpstream((call) => says(upstream.calls.length > 1
      ? { reasoning: ['So I decline that part.'], answer: ['Fine.'] }
      : { reasoning: ['I look.', ' Now the astray words come.'], answer: ['Never shown.'] })(call));
    const { rein, begin, end } = await startStalling(folder, upstream.url, { policy: steers });
    begin();
    const answer = await send(rein.port, { body: chat('hello', { stream: true }) });
    await upstream.call(1); // while the disk has not answered: a restart that waited for it would never come
    assert.ok(!answer.text.includes('decline'), answer.text);
    end();
    const { text, whole } = await answer.body;
    assert.ok(whole && text.includes('decline') && !text.includes('astray words'), text);
    assert.equal((await rein.row(answer.headers['x-rein-decision'])).attempts.length, 2);
    await rein.clean();
    await upstream.stop();
    fs.rmSync(folder, { recursive: true });
  });
});

// Until so many requests wait for their decision.
async function inHand(rein, count) {
  for (const deadline = Date.now() + HANGS_MS; Date.now() < deadline;) {
    const found = /\nrein_open_requests (\d+)\n/.exec((await rein.admin('/metrics')).text);
    if (Number(found?.[1]) === count) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  assert.fail(`${count} requests are not in hand\n${rein.log}`);
}
