// Clients that leave, stall, or read slowly.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';
import { chat, send } from '../lib/client.mjs';
import { HANGS_MS, plainPolicy, startRein } from '../lib/rein.mjs';
import { delta, says, startUpstream, stream } from '../lib/upstream.mjs';

describe('a client', { timeout: 240000 }, () => {
  let upstream, rein;
  before(async () => {
    upstream = await startUpstream(says({}));
    // No timer ends anything here: what ends was seen to end.
    rein = await startRein({ upstream: upstream.url, timeouts: 'first_byte_ms: 3600000, idle_ms: 3600000, client_idle_ms: 3600000, keep_alive_ms: 3600000' });
  });
  after(async () => {
    await rein?.clean();
    await upstream?.stop();
  });

  // Until the answer's head is there a client has no decision id: its row is found by its request id.
  const rowOf = async (requestId) => {
    for (const deadline = Date.now() + HANGS_MS; Date.now() < deadline;) {
      const found = (await rein.rows()).find((row) => row.request_id === requestId);
      if (found && found.final !== false) return found;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error(`no row for ${requestId}`);
  };

  test('PEERS 20: who leaves a stream cancels the upstream at once and leaves a row', async () => {
    upstream.serve = async (call) => {
      await call.begin();
      await call.event(delta({ role: 'assistant', content: 'Once' }));
    };
    for (let i = 0; i < 5; i++) {
      const n = upstream.calls.length;
      const answer = await send(rein.port, { body: chat('hello', { stream: true }) });
      await answer.until('Once');
      answer.leave();
      await (await upstream.call(n)).closed; // no timer would do it
      const row = await rein.row(answer.headers['x-rein-decision']);
      assert.equal(row.ending, 'client_left');
      assert.ok(row.attempts.length === 1 && row.attempts[0].outcome === 'client_left', JSON.stringify(row.attempts));
    }
  });

  test('PEERS 20: who leaves before the head does so too', async () => {
    upstream.serve = () => {};
    for (const stream of [false, true]) {
      const n = upstream.calls.length, id = `early-${stream}`;
      const body = JSON.stringify(chat('hello', { stream }));
      const socket = net.connect(rein.port, '127.0.0.1');
      socket.write(`POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nX-Request-Id: ${id}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
      const call = await upstream.call(n);
      socket.destroy();
      await call.closed;
      assert.equal((await rowOf(id)).ending, 'client_left');
      assert.equal((await rein.rows()).filter((row) => row.request_id === id).length, 1);
    }
  });

  test('a client that does not read pauses its upstream, and loses nothing', async () => {
    const piece = 'x'.repeat(1000), count = 20000;
    let sent = 0;
    upstream.serve = async (call) => {
      await call.begin();
      for (let i = 0; i < count && !call.socket.destroyed; i++) {
        const text = `data: ${JSON.stringify(delta({ content: piece }))}\n\n`;
        if (!call.socket.write(`${text.length.toString(16)}\r\n${text}\r\n`))
          await new Promise((resolve) => { call.socket.once('drain', resolve); call.socket.once('close', resolve); });
        sent++;
      }
      await call.chunk(stream({}));
      await call.end();
    };
    const answer = await send(rein.port, { body: chat('hello', { stream: true }) });
    answer.pause();
    let before = -1;
    while (before !== sent) {
      before = sent;
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    assert.ok(sent < count, `the upstream sent all ${count} events to a client that does not read`);
    answer.resume();
    const { text, whole } = await answer.body;
    assert.ok(whole);
    assert.equal(text.split(piece).length - 1, count);
  });

  test('the row of a client that takes its time says how long it took', async () => {
    const patient = await startRein({ upstream: upstream.url, policy: `${plainPolicy}limits: { stream_bytes: 16777216 }\n` });
    const length = 15 << 20; // more than sockets hold
    upstream.serve = says({ answer: ['x'.repeat(length)] });
    const start = Date.now();
    const answer = await send(patient.port, { body: chat('hello') });
    answer.pause();
    await new Promise((resolve) => setTimeout(resolve, 2 * (Date.now() - start) + 100));
    const least = (Date.now() - start) / 2; // the row was first written before a third of that time
    answer.resume();
    const { text, whole } = await answer.body;
    assert.ok(whole && text.length > length, `${text.length} bytes`);
    const duration = async () => (await patient.row(answer.headers['x-rein-decision'])).duration_us / 1000;
    for (const deadline = Date.now() + HANGS_MS; (await duration()) < least && Date.now() < deadline;) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.ok((await duration()) >= least, `${await duration()} ms, expected ${least}`);
    await patient.clean();
  });

  test('connections are kept and used again', async () => {
    const { Agent } = await import('node:http');
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    upstream.serve = says({ answer: ['hi'] });
    const before = new Set(upstream.calls.map((call) => call.socket)).size;
    for (let i = 0; i < 10; i++) {
      const answer = await send(rein.port, { body: chat('hello', { stream: i % 2 === 0 }), agent });
      assert.equal(answer.status, 200);
      assert.ok((await answer.body).whole);
    }
    agent.destroy();
    assert.ok(new Set(upstream.calls.map((call) => call.socket)).size - before <= 1, 'upstream connections');
  });
});
