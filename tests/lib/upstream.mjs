// A scripted upstream on raw sockets: each request is handed to a function that writes whatever bytes it likes.
// SPDX-License-Identifier: Apache-2.0
import net from 'node:net';
import { after } from 'node:test';

const running = new Set();
after(() => Promise.all([...running].map((upstream) => upstream.stop())));

// One event, as bytes.
export function sse(value, name) {
  return `${name === undefined ? '' : `event: ${name}\n`}data: ${typeof value === 'string' ? value : JSON.stringify(value)}\n\n`;
}

// One request as it came in, and how to answer it.
class Call {
  constructor(socket, head, body) {
    this.socket = socket;
    this.head = head;
    this.text = body;
    this.requestLine = head.split('\r\n')[0];
    this.path = this.requestLine.split(' ')[1];
    this.headers = Object.fromEntries(
      head.split('\r\n').slice(1).map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]));
    this.closed = new Promise((resolve) => socket.once('close', () => resolve(process.hrtime.bigint())));
  }
  get json() { return JSON.parse(this.text); }
  write(bytes) { return new Promise((resolve) => this.socket.write(bytes, () => resolve())); }

  // A whole JSON answer.
  reply(status, value, headers = {}) {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    const lines = Object.entries({ 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), ...headers });
    return this.write(`HTTP/1.1 ${status} Status\r\n${lines.map(([k, v]) => `${k}: ${v}\r\n`).join('')}\r\n${text}`);
  }
  begin(headers = {}) {
    const lines = Object.entries({ 'content-type': 'text/event-stream', 'transfer-encoding': 'chunked', ...headers });
    return this.write(`HTTP/1.1 200 OK\r\n${lines.map(([k, v]) => `${k}: ${v}\r\n`).join('')}\r\n`);
  }
  chunk(bytes) {
    const data = Buffer.from(bytes);
    return data.length === 0 ? Promise.resolve()
      : this.write(Buffer.concat([Buffer.from(data.length.toString(16) + '\r\n'), data, Buffer.from('\r\n')]));
  }
  // Some dialects name their events too, in a line of its own.
  event(value, name) { return this.chunk(sse(value, name)); }
  end() { return this.write('0\r\n\r\n'); }
  breakOff() { this.socket.destroy(); }
}

// Starts an upstream. `serve(call)` may be changed at any time; `calls` holds all that came.
export async function startUpstream(serve) {
  const upstream = { serve, calls: [], waiting: [] };
  const sockets = new Set();
  const server = net.createServer({ noDelay: true }, (socket) => {
    let data = Buffer.alloc(0);
    socket.setMaxListeners(0); // each of its calls watches it
    sockets.add(socket);
    socket.setMaxListeners(0); // one for each of its calls
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    socket.on('data', (more) => {
      data = Buffer.concat([data, more]);
      for (;;) {
        const at = data.indexOf('\r\n\r\n');
        if (at < 0) return;
        const head = data.subarray(0, at).toString();
        const length = Number(/content-length: *(\d+)/i.exec(head)?.[1] ?? 0);
        if (data.length < at + 4 + length) return;
        const call = new Call(socket, head, data.subarray(at + 4, at + 4 + length).toString());
        data = data.subarray(at + 4 + length);
        upstream.calls.push(call);
        upstream.waiting.splice(0).forEach((resolve) => resolve());
        Promise.resolve(upstream.serve(call)).catch((error) => socket.destroy(error));
      }
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  upstream.port = server.address().port;
  upstream.url = `http://127.0.0.1:${upstream.port}`;
  // The nth call, as soon as it is there.
  upstream.call = async (n) => {
    while (upstream.calls.length <= n) await new Promise((resolve) => upstream.waiting.push(resolve));
    return upstream.calls[n];
  };
  upstream.stop = () => {
    for (const socket of sockets) socket.destroy();
    running.delete(upstream);
    return new Promise((resolve) => server.close(resolve));
  };
  running.add(upstream);
  return upstream;
}

// ---- chat completions ----

export function delta(fields, finish = null, index = 0) {
  return {
    id: 'chatcmpl-up', object: 'chat.completion.chunk', created: 1700000000, model: 'm',
    choices: [{ index, delta: fields, finish_reason: finish }],
  };
}

export function usageEvent() {
  return { ...delta({}), choices: [], usage: { prompt_tokens: 3, completion_tokens: 5, total_tokens: 8 } };
}

// All events of a plain answer, as one text.
export function stream({ reasoning = [], answer = [], finish = 'stop', usage = false }) {
  const events = [delta({ role: 'assistant', content: '' }), ...reasoning.map((text) => delta({ reasoning_content: text })),
    ...answer.map((text) => delta({ content: text })), delta({}, finish)];
  if (usage) events.push(usageEvent());
  return events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('') + 'data: [DONE]\n\n';
}

export function completion({ reasoning, answer = '', finish = 'stop' }) {
  const message = { role: 'assistant', content: answer };
  if (reasoning !== undefined) message.reasoning_content = reasoning;
  return {
    id: 'chatcmpl-up', object: 'chat.completion', created: 1700000000, model: 'm',
    choices: [{ index: 0, message, finish_reason: finish }],
    usage: { prompt_tokens: 3, completion_tokens: 5, total_tokens: 8 },
  };
}

// Answers streamed and unstreamed requests with the same texts.
export function says(texts) {
  return async (call) => {
    if (!call.json.stream) return call.reply(200, completion({ reasoning: texts.reasoning?.join(''), answer: (texts.answer ?? []).join(''), finish: texts.finish }));
    await call.begin();
    await call.chunk(stream({ ...texts, usage: call.json.stream_options?.include_usage }));
    return call.end();
  };
}
