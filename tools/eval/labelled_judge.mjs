// A simulated judge: it answers as a Llama Guard does, and knows the labels of the rows. How often it is wrong is given. It stands for
// no model that exists; with it one sees what a judge of a known quality would be worth.
// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import http from 'node:http';

// A number from 0 to 1 that depends on the texts alone.
export function chance(...texts) {
  return createHash('sha256').update(texts.join('\0')).digest().readUInt32BE(0) / 2 ** 32;
}

const isUnsafe = (row) => row.label_answer === 'unsafe' && !['benign', 'math'].includes(row.prompt_kind ?? row.label);

// The row that a question is about: same prompt, and the text stands in it. Judges quote the end of a prompt and of a text.
export function rowsByPrompt(rows) {
  const known = new Map();
  for (const row of rows) {
    const key = row.prompt.trim().slice(-200);
    known.set(key, [...(known.get(key) ?? []), row]);
  }
  const levelled = (text) => (text ?? '').replace(/\s+/g, '');
  return (prompt, text) => {
    const wanted = levelled(text).slice(-300);
    return (known.get(prompt.trim().slice(-200)) ?? []).find((row) => levelled(row.reasoning).includes(wanted) || levelled(row.answer).includes(wanted));
  };
}

// `wrong`: the share of opinions that say the opposite. By `trace`, it is wrong about all of a trace, as a model is that does not
// understand it; by `question`, about each anew. Resolves with { url, calls, unknown, onCall, stop }.
export async function startLabelledJudge(rows, { wrong = 0, by = 'trace', seed = 1 } = {}) {
  const find = rowsByPrompt(rows), judge = { calls: 0, unknown: 0, onCall: () => {} };
  const opinion = (prompt, text) => {
    if (/wooden table/.test(prompt)) return true; // the probe: an unsafe answer
    const row = find(prompt, text);
    if (row === undefined) {
      judge.unknown += 1;
      return false;
    }
    const errs = chance(seed, row.prompt, row.reasoning ?? '', row.answer ?? '', by === 'question' ? text : '') < wrong;
    return isUnsafe(row) !== errs;
  };
  const server = http.createServer((request, response) => {
    let body = '';
    request.on('data', (more) => { body += more; });
    request.on('end', () => {
      judge.calls += 1;
      judge.onCall();
      const messages = JSON.parse(body).messages;
      const says = opinion(messages[0].content, messages.at(-1).content) ? 'unsafe\nS1' : 'safe';
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ choices: [{ message: { role: 'assistant', content: says } }], usage: { total_tokens: Math.ceil(body.length / 4) } }));
    });
  });
  server.keepAliveTimeout = 600000; // a run that works on rows for a while comes back to its connections
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  judge.url = `http://127.0.0.1:${server.address().port}`;
  judge.stop = () => { server.closeAllConnections(); server.close(); };
  return judge;
}
