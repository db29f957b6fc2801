// Recorded streams of real backends, replayed through Rein with rules that match nothing: byte for byte, however they
// are cut. Runs with REIN_DATA=<folder>; each exception that is seen is printed.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { chat } from '../lib/client.mjs';
import { startRein } from '../lib/rein.mjs';
import { startUpstream } from '../lib/upstream.mjs';

const data = process.env.REIN_DATA;

// The streams of OpenAI's chat dialect under the folder.
function recordings() {
  const root = path.join(data, 'wire'), found = [];
  for (const folder of fs.readdirSync(root))
    for (const file of fs.readdirSync(path.join(root, folder)).filter((name) => name.endsWith('.sse'))) {
      const bytes = fs.readFileSync(path.join(root, folder, file));
      const first = /^data: *(\{.*)/m.exec(bytes.toString())?.[1] ?? '';
      if (/"choices":/.test(first)) found.push({ name: `${folder}/${file}`, bytes });
    }
  return found;
}

const chunkings = {
  'one byte': () => 1,
  random: () => 1 + Math.floor(Math.random() * 700),
  whole: () => Infinity,
};

// Where two texts part, with what stands there.
function difference(sent, got) {
  let at = 0;
  while (at < sent.length && sent[at] === got[at]) at++;
  const around = (bytes) => JSON.stringify(bytes.subarray(Math.max(0, at - 60), at + 120).toString());
  return `at byte ${at} of ${sent.length} (${got.length} arrived)\n  sent ${around(sent)}\n  got  ${around(got)}`;
}

// The stream without events that say once more that a choice is finished.
function withoutSecondEnds(sent) {
  const finished = new Set();
  return sent.split(/(?<=\n\n)/).filter((part) => {
    const event = /^data: *\{/.test(part) ? JSON.parse(part.slice(5)) : {};
    if (event.error || !event.choices?.length || !event.choices.every((choice) => choice.finish_reason)) return true;
    const again = event.choices.every((choice) => finished.has(choice.index));
    for (const choice of event.choices) finished.add(choice.index);
    return !again;
  }).join('');
}

// The exceptions of docs/ARCHITECTURE.md that recordings show: what was sent, as it may arrive too.
const exceptions = [['a choice that is finished twice has one finish_reason', withoutSecondEnds]];

describe('recordings', { skip: data === undefined && 'REIN_DATA is not set', timeout: 170000 }, () => {
  let upstream, rein;
  before(async () => {
    upstream = await startUpstream(async (call) => {
      await call.begin();
      for (const piece of upstream.pieces) call.socket.write(piece);
      await call.end();
    });
    rein = await startRein({ upstream: upstream.url });
  });
  after(async () => {
    await rein?.clean();
    await upstream?.stop();
  });

  const replay = async (bytes, size) => {
    upstream.pieces = [];
    for (let at = 0; at < bytes.length;) {
      const piece = bytes.subarray(at, at + Math.min(size(), bytes.length - at));
      upstream.pieces.push(Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]));
      at += piece.length;
    }
    const n = (bytes.toString().match(/"index": ?1,/g) ?? []).length > 0 ? 2 : 1;
    return rein.ask({ body: chat('hello', { stream: true, n, stream_options: { include_usage: true } }) });
  };

  if (data !== undefined) {
    test('there are some', () => assert.ok(recordings().length > 10));
    for (const { name, bytes } of recordings())
      test(name, async (context) => {
        for (const [chunking, size] of Object.entries(chunkings)) {
          const answer = await replay(bytes, size);
          const got = Buffer.from(answer.text);
          assert.equal(answer.status, 200, answer.text);
          if (got.equals(bytes)) continue;
          const known = exceptions.find(([, changed]) => changed(bytes.toString()) === answer.text);
          assert.ok(known, `${chunking}: ${difference(bytes, got)}`);
          context.diagnostic(`${chunking}: ${known[0]}`);
        }
      });
  }
});
