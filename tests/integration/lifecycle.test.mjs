// Reload, drain, and the worst: a process that is killed.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import { chat, gather, send } from '../lib/client.mjs';
import { HANGS_MS, configText, launch, plainPolicy, shippedPolicy, startRein } from '../lib/rein.mjs';
import { delta, says, startUpstream, stream } from '../lib/upstream.mjs';

const STREAMS = 100;
const KILLS = process.env.REIN_LONG ? 20 : 3;

// An upstream whose streams end when they are told to.
async function startPatient() {
  const upstream = await startUpstream(async (call) => {
    await call.begin();
    await call.event(delta({ role: 'assistant', content: 'Once' }));
    await new Promise((resolve) => upstream.held.push(resolve));
    await call.chunk(stream({ answer: [' upon'] }));
    await call.end();
  });
  upstream.held = [];
  return upstream;
}

const openStreams = (rein, count) => Promise.all(Array.from({ length: count }, async () => {
  const answer = await send(rein.port, { body: chat('hello', { stream: true }) });
  await answer.until('Once');
  return answer;
}));

const threads = (rein) => fs.readdirSync(`/proc/${rein.child.pid}/task`).length;

// Once the workers know of the drain nobody comes in any more; who came just before is served.
async function refused(rein) {
  for (const deadline = Date.now() + HANGS_MS; Date.now() < deadline;) {
    try {
      (await send(rein.port, { body: '{}' })).leave();
    } catch {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail('new connections are still accepted');
}

// The rows of a folder's store, read by a server that is started for it.
async function rowsOf(folder, upstream) {
  const rein = await startRein({ folder, upstream: upstream.url });
  const rows = await rein.rows();
  await rein.stop();
  return new Map(rows.map((row) => [row.id, row]));
}

describe('SIGTERM', { timeout: 240000 }, () => {
  test(`${STREAMS} open streams finish within the drain time, and no row is lost`, async () => {
    const upstream = await startPatient();
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-drain-'));
    const rein = await startRein({ folder, upstream: upstream.url, timeouts: 'drain_ms: 20000' });
    const open = await openStreams(rein, STREAMS);
    rein.child.kill('SIGTERM');
    await rein.said(/draining/);
    await refused(rein);
    for (const go of upstream.held) go();
    for (const answer of open) {
      const { text, whole } = await answer.body;
      assert.ok(whole);
      assert.equal(gather(text).content, 'Once upon');
      assert.equal(gather(text).done, 1);
    }
    assert.deepEqual(await rein.exited, { code: 0, signal: null });
    const rows = await rowsOf(folder, upstream);
    for (const answer of open) assert.equal(rows.get(answer.headers['x-rein-decision'])?.ending, 'complete');
    await upstream.stop();
    fs.rmSync(folder, { recursive: true });
  });

  test('what is still open at the end of the drain time is cut with an error event and a row', async () => {
    const upstream = await startPatient();
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-drain-'));
    const rein = await startRein({ folder, upstream: upstream.url, timeouts: 'drain_ms: 100' });
    const open = await openStreams(rein, 5);
    rein.child.kill('SIGTERM');
    for (const answer of open) {
      const seen = gather((await answer.body).text);
      assert.equal(seen.errors.length, 1);
      assert.equal(seen.errors[0].code, 'shutting_down');
      assert.deepEqual(seen.finish, []);
    }
    assert.deepEqual(await rein.exited, { code: 0, signal: null });
    const rows = await rowsOf(folder, upstream);
    for (const answer of open) assert.equal(rows.get(answer.headers['x-rein-decision'])?.ending, 'shutdown');
    await upstream.stop();
    fs.rmSync(folder, { recursive: true });
  });

  test('a second signal ends at once', async () => {
    const upstream = await startPatient();
    const rein = await startRein({ upstream: upstream.url, timeouts: 'drain_ms: 60000' });
    await openStreams(rein, 1);
    rein.child.kill('SIGTERM');
    await rein.said(/draining/);
    rein.child.kill('SIGTERM');
    assert.deepEqual(await rein.exited, { code: 1, signal: null });
    await rein.clean();
    await upstream.stop();
  });

  test('a second signal ends at once, also when workers have ended', async () => {
    const upstream = await startPatient();
    const rein = await startRein({ upstream: upstream.url, workers: 4, timeouts: 'drain_ms: 60000' });
    await openStreams(rein, 1);
    const running = threads(rein);
    rein.child.kill('SIGTERM');
    while (threads(rein) > running - 3) await new Promise((resolve) => setTimeout(resolve, 10));
    rein.child.kill('SIGTERM');
    assert.deepEqual(await rein.exited, { code: 1, signal: null });
    await rein.clean();
    await upstream.stop();
  });
});

describe('SIGHUP', { timeout: 240000 }, () => {
  const strict = `${plainPolicy}  - { id: new, channels: [answer], literal: "fine weather", action: refuse }\n`;

  test('PEERS 21: a good policy is taken, a bad one leaves the last good in place and says why', async () => {
    const upstream = await startUpstream(says({ answer: ['fine weather'] }));
    const rein = await startRein({ upstream: upstream.url });
    const version = async () => {
      const answer = await rein.ask({ body: chat('hello') });
      const { policy, policy_version: hash } = await rein.row(answer.headers['x-rein-decision']);
      assert.equal(answer.headers['x-rein-policy'], `${policy}@${hash.slice(0, 12)}`);
      return { policy: hash, said: answer.json.choices[0].message.content };
    };
    const first = await version();
    assert.equal(first.said, 'fine weather');

    rein.rewrite({ policy: strict });
    rein.child.kill('SIGHUP');
    await rein.said(/config reloaded/);
    const second = await version();
    assert.notEqual(second.policy, first.policy);
    assert.ok(!second.said.includes('fine'), second.said);

    rein.rewrite({ policy: strict.replace('literal: "fine weather"', 'regex: "(unclosed"') });
    rein.child.kill('SIGHUP');
    await rein.said(/not reloaded/);
    assert.match(rein.log, /default\.yaml:\d+:\d+: rules\[1\]\.regex: /);
    assert.deepEqual(await version(), second);
    await rein.clean();
    await upstream.stop();
  });

  test('FOUND U10: what is wrong with a file is a line of the log, with its time and level', async () => {
    const upstream = await startUpstream(says({ answer: ['fine'] }));
    const rein = await startRein({ upstream: upstream.url });
    rein.rewrite({ policy: 'version: 1\nname: default\nrules:\n  - { id: a, regex: "(", action: blok }\n' });
    rein.log = '';
    rein.child.kill('SIGHUP');
    await rein.said(/not reloaded/);
    const lines = rein.log.trim().split('\n');
    assert.ok(lines.length >= 3, rein.log);
    for (const line of lines) assert.match(line, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z error (config|serve): /);
    await rein.clean();
    await upstream.stop();
  });

  test('FOUND M9: signals that come close together: each reload ends, the last file is the one that runs', async () => {
    const upstream = await startUpstream(says({ answer: ['fine'] }));
    const rein = await startRein({ upstream: upstream.url, policy: shippedPolicy() });
    for (let n = 2; n <= 9; n++) {
      rein.rewrite({ config: configText({ upstream: upstream.url, limits: `choices: ${n}` }), policy: shippedPolicy() });
      rein.child.kill('SIGHUP');
    }
    await rein.said(/limits\.choices is now 9[^]*config reloaded/);
    assert.equal((await rein.ask({ body: chat('x', { n: 9 }) })).status, 200);
    assert.equal((await rein.ask({ body: chat('x', { n: 10 }) })).json.error.code, 'too_many');
    await rein.clean();
    await upstream.stop();
  });

  test('FOUND M9: a signal before the config is read for the first time is no end', async () => {
    const upstream = await startUpstream(says({ answer: ['fine'] }));
    const options = { upstream: upstream.url, policy: shippedPolicy() };
    const first = await startRein(options);
    await first.stop();
    const rein = launch(['serve', '-c', path.join(first.folder, 'rein.yaml')], { cwd: first.folder });
    // Its own code runs, and has for a while: the lexicon is being compiled.
    const used = () => Number(fs.readFileSync(`/proc/${rein.child.pid}/stat`, 'utf8').replace(/.*\) /, '').split(' ')[11]);
    for (const deadline = Date.now() + HANGS_MS; used() < 20 && !/listening/.test(rein.log);) {
      assert.ok(Date.now() < deadline, 'it does nothing');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    rein.child.kill('SIGHUP');
    await rein.said(/serve: listening/);
    await rein.said(/config reloaded/);
    assert.deepEqual(await rein.stop(), { code: 0, signal: null });
    await first.clean();
    await upstream.stop();
  });

  // A lexicon that has changed takes seconds to compile; this one is in no cache.
  test('FOUND M9: SIGTERM does not wait for a reload', async () => {
    const upstream = await startPatient();
    const rein = await startRein({ upstream: upstream.url, policy: shippedPolicy(), timeouts: 'drain_ms: 20000' });
    const [answer] = await openStreams(rein, 1);
    const lexicon = fs.readFileSync(path.join(rein.folder, 'lexicons/english.yaml'), 'utf8');
    const changed = lexicon.replace("regex: '", `regex: 'zq${process.pid}q${Date.now()}|`);
    assert.notEqual(changed, lexicon);
    fs.mkdirSync(path.join(rein.folder, 'more'));
    fs.writeFileSync(path.join(rein.folder, 'more/english.yaml'), changed);
    rein.rewrite({ config: configText({ upstream: upstream.url, timeouts: 'drain_ms: 20000', more: 'lexicons: more/' }) });
    rein.child.kill('SIGHUP');
    rein.child.kill('SIGTERM');
    await rein.said(/draining/);
    upstream.held[0]();
    assert.equal(gather((await answer.body).text).content, 'Once upon');
    assert.deepEqual(await rein.exited, { code: 0, signal: null });
    assert.doesNotMatch(rein.log, /reloaded/);
    await rein.clean();
    await upstream.stop();
  });

  test('a running request keeps the policy that it began with', async () => {
    const upstream = await startPatient();
    const rein = await startRein({ upstream: upstream.url });
    const [answer] = await openStreams(rein, 1);
    rein.rewrite({ policy: plainPolicy.replace('zzz-never-said-zzz', 'upon') });
    rein.child.kill('SIGHUP');
    await rein.said(/config reloaded/);
    upstream.held[0]();
    assert.equal(gather((await answer.body).text).content, 'Once upon');
    await rein.clean();
    await upstream.stop();
  });
});

describe('SIGKILL', { timeout: 300000 }, () => {
  test(`${KILLS} times under load: no row of an answer whose end a client saw is lost`, async () => {
    const upstream = await startUpstream(says({ reasoning: ['I think.'], answer: ['Hello ', 'there.'] }));
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-kill-'));
    let total = 0;
    for (let round = 0; round < KILLS; round++) {
      const rein = await startRein({ folder, upstream: upstream.url });
      const ended = [];
      let running = true;
      const load = Array.from({ length: 8 }, async (_, i) => {
        while (running) {
          try {
            const answer = await send(rein.port, { body: chat('hello', { stream: (i & 1) === 0 }) });
            const { text, whole } = await answer.body;
            if (whole || text.includes('[DONE]')) ended.push(answer.headers['x-rein-decision']);
          } catch {
            return; // the server is gone
          }
        }
      });
      const enough = 20 + Math.floor(Math.random() * 200);
      while (ended.length < enough) await new Promise((resolve) => setImmediate(resolve));
      rein.child.kill('SIGKILL');
      running = false;
      await rein.exited;
      await Promise.all(load);
      const rows = await rowsOf(folder, upstream);
      const lost = ended.filter((id) => !rows.has(id));
      assert.deepEqual(lost, [], `round ${round}: ${lost.length} of ${ended.length} rows lost`);
      total += ended.length;
    }
    assert.ok(total >= 20 * KILLS);
    await upstream.stop();
    fs.rmSync(folder, { recursive: true });
  });
});

describe('starting', { timeout: 30000 }, () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-start-'));

  test('exit statuses and where errors go', async () => {
    for (const [args, code, pattern] of [
      [[], 2, /usage: rein/],
      [['nonsense'], 2, /no command 'nonsense'/],
      [['serve'], 2, /config is missing/],
      [['serve', '--nonsense'], 2, /unexpected argument/],
      [['serve', '-c', path.join(folder, 'absent.yaml')], 3, /absent\.yaml/],
      [['demo-upstream', '--listen', 'nowhere'], 2, /unexpected argument/],
    ]) {
      const run = launch(args, { cwd: folder });
      assert.deepEqual(await run.exited, { code, signal: null }, args.join(' '));
      assert.match(run.log, pattern);
      assert.equal(run.out, '');
    }
    for (const args of [['--help'], ['serve', '--help'], ['demo-upstream', '--help'], ['version']]) {
      const run = launch(args, { cwd: folder });
      assert.deepEqual(await run.exited, { code: 0, signal: null }, args.join(' '));
      assert.match(run.out, /rein/);
      assert.equal(run.log, '');
    }
    fs.rmSync(folder, { recursive: true });
  });

  test('FOUND R10: a port that is taken is one clear error, and nothing is said before it', async () => {
    const taken = net.createServer();
    await new Promise((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address();
    const upstream = await startUpstream(says({}));
    for (const workers of [1, 2])
      for (const which of ['listen', 'admin']) {
        const at = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-taken-'));
        fs.mkdirSync(path.join(at, 'policies'));
        fs.writeFileSync(path.join(at, 'policies/default.yaml'), 'version: 1\nname: default\n');
        const config = configText({ upstream: upstream.url, workers }).replace(`${which}: { address: "127.0.0.1:0"`, `${which}: { address: "127.0.0.1:${port}"`);
        fs.writeFileSync(path.join(at, 'rein.yaml'), config);
        const run = launch(['serve', '-c', path.join(at, 'rein.yaml')], { cwd: at });
        assert.deepEqual(await run.exited, { code: 1, signal: null }, run.log);
        assert.match(run.log, new RegExp(`^[^\n]* error http: cannot listen on 127\\.0\\.0\\.1 port ${port}: Address already in use[^\n]*\n$`));
        assert.equal(fs.existsSync(path.join(at, 'rein.db')), false);
        fs.rmSync(at, { recursive: true });
      }
    await new Promise((resolve) => taken.close(resolve));
    await upstream.stop();
  });

  test('FOUND R10: two programs never share a port', async () => {
    const upstream = await startUpstream(says({}));
    const first = await startRein({ upstream: upstream.url, workers: 2 });
    await assert.rejects(startRein({ upstream: upstream.url, config: configText({ upstream: upstream.url, workers: 2 }).replace('listen: { address: "127.0.0.1:0"', `listen: { address: "127.0.0.1:${first.port}"`) }), /Address already in use/);
    await first.clean();
    await upstream.stop();
  });

  test('a listener off loopback needs keys', async () => {
    const upstream = await startUpstream(says({}));
    await assert.rejects(startRein({ upstream: upstream.url, config: `
version: 1
listen: { address: "0.0.0.0:0" }
upstreams: [ { name: up, kind: openai, url: "${upstream.url}" } ]
routes: [ { name: default, match: { models: ["*"] }, upstream: up, policy: default } ]
` }), /keys_file/);
    await upstream.stop();
  });
});
