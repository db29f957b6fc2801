// Several workers on one port: the load is spread, limits hold over all of them, and they drain together.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { chat, gather, send } from '../lib/client.mjs';
import { HANGS_MS, startRein } from '../lib/rein.mjs';
import { delta, startUpstream, stream } from '../lib/upstream.mjs';

const WORKERS = 3, OPEN = 60, SPREAD = 240;

describe('workers', { timeout: 240000 }, () => {
  let upstream, rein, hold;
  before(async () => {
    upstream = await startUpstream(async (call) => {
      await call.begin();
      await call.event(delta({ role: 'assistant', content: 'Once' }));
      if (hold) await hold;
      await call.chunk(stream({ answer: [' upon'] }));
      await call.end();
    });
    rein = await startRein({ upstream: upstream.url, workers: WORKERS, limits: `connections: ${OPEN}`, timeouts: 'drain_ms: 20000' });
  });
  after(() => upstream.stop());

  const begin = () => send(rein.port, { body: chat('hello', { stream: true }) });
  const whole = async (answer) => {
    const { text, whole } = await answer.body;
    assert.ok(whole);
    assert.equal(gather(text).content, 'Once upon');
  };

  // Connections are dealt out by a hash of addresses and ports. With a third each, the share of one of three workers in
  // 240 lies between 40 and 120 but for once in some millions of runs.
  test('each gets its part of the connections', async () => {
    for (let i = 0; i < SPREAD; i++) await whole(await begin());
    // A request is counted when its exchange is over, a moment after the client has its last byte.
    let shares = [];
    for (const deadline = Date.now() + HANGS_MS; shares.reduce((a, b) => a + b, 0) < SPREAD && Date.now() < deadline;) {
      if (shares.length > 0) await new Promise((resolve) => setTimeout(resolve, 10));
      const { text } = await rein.admin('/metrics');
      shares = [...text.matchAll(/^rein_worker_requests_total\{worker="\d+"\} (\d+)$/gm)].map(([, n]) => Number(n));
    }
    assert.equal(shares.length, WORKERS);
    assert.equal(shares.reduce((a, b) => a + b), SPREAD);
    for (const share of shares) assert.ok(share > SPREAD / 6 && share < SPREAD / 2, `uneven: ${shares}`);
  });

  test('the limit of connections holds over all of them; all drain, none is cut', async () => {
    let release;
    hold = new Promise((resolve) => (release = resolve));
    const open = [];
    for (let i = 0; i < OPEN; i++) open.push(await begin());
    for (const answer of open) await answer.until('Once');
    for (let i = 0; i < 2 * WORKERS; i++) {
      const late = await rein.ask({ body: chat('hello') });
      assert.equal(late.status, 503, late.text);
      assert.equal(late.json.error.code, 'overloaded');
    }
    rein.child.kill('SIGTERM');
    await rein.said(/draining/);
    release();
    for (const answer of open) await whole(answer);
    assert.deepEqual(await rein.exited, { code: 0, signal: null });
    await rein.clean();
  });
});
