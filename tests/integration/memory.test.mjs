// Memory does not grow with the number of streams that were served, however they ended.
// SPDX-License-Identifier: Apache-2.0
//
// 6,000 streams; REIN_LONG=1: 100,000. What is measured is the process's own memory (RssAnon), once its caches are full and
// again at the end. In a sanitized build freed memory is kept back, so nothing is measured.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import { test } from 'node:test';
import { chat, send } from '../lib/client.mjs';
import { sanitized, startRein } from '../lib/rein.mjs';
import { delta, startUpstream, stream } from '../lib/upstream.mjs';

const STREAMS = process.env.REIN_LONG ? 100000 : 6000;
const FILLS = 100; // streams with so many findings that the database's page cache (2 MiB) is full after them
const AT_ONCE = 32;
const GROWTH_MAX = process.env.REIN_LONG ? 8 : 64; // bytes for each stream

const policy = `
version: 1
name: default
prefix: { template: none, deliver: off, when: never }
reasoning: { show: stream, release: stream }
rules:
  - { id: secret, channels: [reasoning, answer, tool], literal: "open sesame", action: refuse }
  - { id: badge, channels: [reasoning, answer, tool], regex: 'BADGE-[0-9]{6}', action: redact, replacement: "[badge]" }
  - { id: number, channels: [answer], regex: 'NUMBER-[0-9]{6,200}', action: record }
`;

const words = (n) => Array.from({ length: n }, (_, i) => ` word${i}`);
const plain = stream({ reasoning: words(10), answer: words(10), usage: true });
const inline = stream({ answer: ['<thi', 'nk>', ...words(5), '</think>', ...words(5)] });
const redacted = stream({ reasoning: ['BADGE-12', '3456'], answer: ['it is BADGE', '-654321.'] });
const refused = stream({ answer: [...words(3), ' open ses', 'ame', ...words(3)] });
const noisy = stream({ answer: [Array.from({ length: 200 }, (_, i) => `NUMBER-${i}${'0'.repeat(180)}`).join(' ')] });
const begun = `data: ${JSON.stringify(delta({ role: 'assistant', content: 'Once' }))}\n\n`;

// How a stream goes: what the upstream sends, whether it ends properly, whether the client stays. The first is for filling.
const ways = [
  { says: noisy },
  { says: plain }, { says: plain }, { says: inline }, { says: redacted }, { says: refused }, { says: plain, whole: true },
  { says: begun, breaks: true }, { says: begun, leaves: true }, { says: `data: {garbage\n\n${plain}` }, { says: plain.replaceAll('\n\n', '\r\n\r\n') },
];

async function serve(call) {
  const way = ways[call.json.seed];
  if (way.whole) return call.reply(200, { id: 'up', object: 'chat.completion', created: 1, model: 'm', choices: [{ index: 0, message: { role: 'assistant', content: 'all' }, finish_reason: 'stop' }] });
  await call.begin();
  await call.chunk(way.says);
  if (way.breaks) return call.breakOff();
  return way.leaves ? undefined : call.end();
}

async function one(port, agent, seed) {
  const way = ways[seed];
  const answer = await send(port, { agent: way.leaves ? false : agent, body: chat('hello', { stream: !way.whole, seed }) });
  if (way.leaves) {
    await answer.until('Once');
    answer.leave();
  }
  await answer.body;
}

async function run(port, agent, count, { atOnce = AT_ONCE, seedOf = (i) => 1 + (i % (ways.length - 1)) } = {}) {
  let next = 0;
  await Promise.all(Array.from({ length: atOnce }, async () => {
    while (next < count) await one(port, agent, seedOf(next++));
  }));
}

const own = (pid) => Number(/^RssAnon:\s+(\d+) kB$/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;

test('PEERS 23: memory is flat over many streams', { skip: sanitized && 'a sanitizer keeps freed memory', timeout: 3600000 }, async () => {
  const upstream = await startUpstream(serve);
  const rein = await startRein({ upstream: upstream.url, policy });
  const agent = new http.Agent({ keepAlive: true, maxSockets: AT_ONCE });
  try {
    await run(rein.port, agent, FILLS, { atOnce: 2, seedOf: () => 0 });
    const seen = [own(rein.child.pid)];
    for (const part of [STREAMS / 4, STREAMS / 4, STREAMS / 4, STREAMS / 4]) {
      await run(rein.port, agent, part);
      upstream.calls.length = 0;
      seen.push(own(rein.child.pid));
    }
    console.log(`${STREAMS} streams: ${seen.map((bytes) => `${(bytes / 1024).toFixed(0)} KiB`).join(', ')} after filling and each quarter`);
    const growth = (seen[4] - seen[2]) / (STREAMS / 2);
    assert.ok(growth < GROWTH_MAX, `${growth.toFixed(0)} bytes for each stream of the second half`);
  } finally {
    agent.destroy();
    await rein.clean();
    await upstream.stop();
  }
});
