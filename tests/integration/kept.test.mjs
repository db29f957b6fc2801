// Kept connections to an upstream that ends them: no request of a client fails for that.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';
import { ask, chat, gather } from '../lib/client.mjs';
import { startRein } from '../lib/rein.mjs';
import { completion, stream } from '../lib/upstream.mjs';

const REQUESTS = process.env.REIN_LONG ? 3000 : 250;

// Answers the first request of each connection with keep-alive. Then, as `end` says:
//   before  ends the connection at a moment of its own, which may be before, while or after the next request comes
//   unread  the same, and never looks at the next request: what is unread makes of the end a reset
//   after   ends it once the next request was read whole
function startEnding() {
  const upstream = { how: 'fin', when: 'before', answered: 0, unanswered: 0 };
  const sockets = new Set();
  const close = (socket) => (upstream.how === 'rst' ? socket.resetAndDestroy() : socket.end());
  const answer = (socket, request) => {
    const body = request.stream ? stream({ answer: ['kept'] }) : JSON.stringify(completion({ answer: 'kept' }));
    socket.write(`HTTP/1.1 200 OK\r\ncontent-type: ${request.stream ? 'text/event-stream' : 'application/json'}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
    upstream.answered++;
    if (upstream.when === 'after') return;
    if (upstream.when === 'unread') socket.pause();
    // Most at once, as servers do that keep nothing but say so; some a little later.
    if (upstream.answered % 4 !== 0) setImmediate(() => close(socket));
    else setTimeout(() => (upstream.when === 'unread' ? socket.destroy() : close(socket)), upstream.answered % 3);
  };
  const server = net.createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    let data = '', requests = 0;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    socket.on('end', () => socket.end());
    socket.on('data', (more) => {
      data += more;
      const at = data.indexOf('\r\n\r\n'), length = Number(/content-length: *(\d+)/i.exec(data)?.[1]);
      if (at < 0 || data.length < at + 4 + length) return;
      const body = JSON.parse(data.slice(at + 4, at + 4 + length));
      data = data.slice(at + 4 + length);
      if (requests++ === 0) return answer(socket, body);
      upstream.unanswered++;
      close(socket);
    });
  });
  upstream.stop = () => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  };
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => {
    upstream.url = `http://127.0.0.1:${server.address().port}`;
    resolve(upstream);
  }));
}

describe('an upstream that ends its kept connections', { timeout: 900000 }, () => {
  let upstream, rein;
  before(async () => {
    upstream = await startEnding();
    rein = await startRein({ upstream: upstream.url });
  });
  after(async () => {
    await rein?.clean();
    await upstream?.stop();
  });

  // One client: streams back to back, and now and then an unstreamed request.
  async function client(requests, counts) {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    for (let i = 0; i < requests; i++) {
      const streamed = i % 3 !== 2;
      const answer = await ask(rein.port, { body: chat('hello', { stream: streamed }), agent });
      const said = streamed ? gather(answer.text).content : answer.json?.choices?.[0].message.content;
      const outcome = answer.status === 200 && said === 'kept' ? 'good' : `${answer.status} ${answer.text.slice(0, 200)}`;
      counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
    }
    agent.destroy();
  }

  for (const [how, when] of [['fin', 'before'], ['fin', 'after'], ['rst', 'before'], ['rst', 'after'], ['fin', 'unread']]) {
    for (const clients of [1, 4]) {
      test(`FOUND R1, L1: ${how.toUpperCase()}, ${when}, ${clients} at once: every request is answered`, async (t) => {
        Object.assign(upstream, { how, when, answered: 0, unanswered: 0 });
        const counts = new Map();
        await Promise.all(Array.from({ length: clients }, () => client(Math.ceil(REQUESTS / clients), counts)));
        t.diagnostic(`${JSON.stringify(Object.fromEntries(counts))}, ${upstream.unanswered} read and not answered`);
        assert.deepEqual([...counts.keys()], ['good']);
        if (when === 'after') assert.ok(upstream.unanswered > 0, 'no kept connection was used again');
      });
    }
  }
});
