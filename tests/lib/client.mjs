// A plain HTTP client for tests: it sees every byte of an answer, and whether the answer was whole.
// SPDX-License-Identifier: Apache-2.0
import http from 'node:http';
import net from 'node:net';

// Resolves when the head is there. `body` resolves when all is: { text, whole }. `leave()` drops the connection.
export function send(port, { method = 'POST', path = '/v1/chat/completions', headers = {}, body, agent = false } = {}) {
  const text = body === undefined ? undefined : typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  const all = { ...(text !== undefined ? { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) } : {}), ...headers };
  for (const name of Object.keys(all)) if (all[name] === null) delete all[name];
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, method, path, headers: all, agent }, (response) => {
      const answer = { status: response.statusCode, headers: response.headers, text: '', waiting: [] };
      response.setEncoding('utf8');
      response.on('data', (more) => {
        answer.text += more;
        answer.waiting.splice(0).forEach((wake) => wake());
      });
      answer.body = new Promise((done) => {
        const finish = (whole) => {
          done({ text: answer.text, whole });
          answer.waiting.splice(0).forEach((wake) => wake());
        };
        response.on('end', () => finish(response.complete));
        response.on('error', () => finish(false));
        response.on('close', () => finish(response.complete));
      });
      // Resolves once the text so far holds `part`.
      answer.until = async (part) => {
        while (!answer.text.includes(part)) await new Promise((wake) => answer.waiting.push(wake));
      };
      answer.leave = () => request.destroy();
      answer.pause = () => response.pause();
      answer.resume = () => response.resume();
      resolve(answer);
    });
    request.on('error', reject);
    request.end(text);
  });
}

// The whole answer: { status, headers, text, whole, json }.
export async function ask(port, options) {
  const answer = await send(port, options);
  const { text, whole } = await answer.body;
  const result = { status: answer.status, headers: answer.headers, text, whole };
  if (/^application\/json(;|$)/.test(answer.headers['content-type'])) result.json = JSON.parse(text);
  return result;
}

export function chat(user, more = {}) {
  return { model: 'm', messages: [{ role: 'user', content: user }], ...more };
}

// The events of a stream: parsed data, '[DONE]' as it is. Comments and names are left out.
export function events(text) {
  return namedEvents(text).map(({ data }) => data);
}

// The same with the names of the events: { name, data }; without one, name is undefined.
export function namedEvents(text) {
  return text.split('\n\n').filter((part) => /^data:/m.test(part)).map((part) => {
    const data = /^data:(.*)$/m.exec(part)[1].trim();
    return { name: /^event: ?(.*)$/m.exec(part)?.[1], data: data === '[DONE]' ? data : JSON.parse(data) };
  });
}

// What a client makes of a stream: texts per field, finish reasons, the ids and roles seen, the errors.
export function gather(text) {
  const seen = { reasoning: '', content: '', finish: [], ids: new Set(), roles: 0, errors: [], done: 0, usage: 0 };
  for (const event of events(text)) {
    if (event === '[DONE]') { seen.done++; continue; }
    if (event.error) { seen.errors.push(event.error); continue; }
    seen.ids.add(event.id);
    if (event.usage) seen.usage++;
    for (const choice of event.choices ?? []) {
      seen.reasoning += choice.delta?.reasoning_content ?? choice.delta?.reasoning ?? '';
      seen.content += choice.delta?.content ?? '';
      if (choice.delta?.role) seen.roles++;
      if (choice.finish_reason) seen.finish.push(choice.finish_reason);
    }
  }
  return seen;
}

// What comes back when all of a body of 2 MB is sent before anything is read, as simple clients do it. `length`: the
// length that the head claims.
export function upload(port, head, length = 2 << 20) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1');
    let got = '';
    socket.pause();
    socket.on('data', (more) => { got += more; });
    socket.on('end', () => { socket.end(); resolve(got); });
    socket.on('error', reject);
    socket.write(`${head}\r\nHost: localhost\r\nContent-Length: ${length}\r\n\r\n`);
    socket.write('b'.repeat(2 << 20), () => socket.resume());
  });
}
