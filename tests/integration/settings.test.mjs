// The settings, through the running server: each limit and deadline is enforced at both ends of its range as far as that can
// be seen from outside, a reload changes it or names it, and no reload opens a door.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import { ask, chat, gather, send } from '../lib/client.mjs';
import { HANGS_MS, binary, launch, startRein } from '../lib/rein.mjs';
import { completion, delta, says, startUpstream } from '../lib/upstream.mjs';

// Every key of the config, from the schema: { 'limits.choices': { minimum, maximum, default, restart } }.
function readKeys() {
  const keys = {};
  const walk = (schema, at) => {
    for (const [name, value] of Object.entries(schema.properties ?? {})) {
      const key = at === '' ? name : `${at}.${name}`;
      if (value.type === 'object') walk(value, key);
      else keys[key] = { ...value, restart: value['x-restart'] === true };
    }
  };
  walk(JSON.parse(execFileSync(binary, ['check', '--schema', 'config'], { encoding: 'utf8' })), '');
  return keys;
}
const keys = readKeys();
const settings = Object.entries(keys).filter(([key, { type }]) => type === 'integer' && key.includes('.')).map(([key]) => key);

// A config with these keys. The addresses have to stay what they are: a port that the system chose is port 0 for the file.
function configOf(upstream, values = {}) {
  const all = { 'listen.address': '127.0.0.1:0', 'admin.address': '127.0.0.1:0', 'timeouts.drain_ms': 200, ...values };
  const sections = {};
  let text = 'version: 1\n';
  for (const [key, value] of Object.entries(all)) {
    const [section, name] = key.split('.');
    if (name === undefined) text += `${key}: ${value}\n`;
    else (sections[section] ??= []).push(`${name}: ${typeof value === 'string' ? JSON.stringify(value) : value}`);
  }
  for (const [section, lines] of Object.entries(sections)) text += `${section}: { ${lines.join(', ')} }\n`;
  return `${text}upstreams: [ { name: up, url: "${upstream}" } ]\nroutes: [ { name: default, upstream: up } ]\n`;
}

// Tells the server to reload and waits for what it says to it: true if it took the file.
async function reload(rein, config) {
  rein.rewrite({ config });
  rein.log = '';
  rein.child.kill('SIGHUP');
  return /config reloaded/.test((await rein.said(/config reloaded|not reloaded/))[0]);
}

// Sends these bytes and gives what comes back until it holds the pattern or the connection closes.
function raw(port, text, pattern = /\r\n\r\n/) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write(text));
    let answer = '';
    socket.on('data', (more) => { answer += more; if (pattern.test(answer)) { socket.destroy(); resolve(answer); } });
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
  });
}

const open = (port) => new Promise((resolve, reject) => {
  const socket = net.connect(port, '127.0.0.1', () => resolve(socket));
  socket.on('error', reject);
});

// What a connection is told without asking anything: '' if it is let in. Who is let in is asked for something.
const greeting = (socket) => new Promise((resolve) => {
  socket.once('data', (data) => resolve(String(data).startsWith('HTTP/1.1 200') ? '' : String(data)));
  socket.on('close', () => resolve('closed'));
  socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
});

// That many connections are let in, the next is not. The ones of other tests may still be on their way out.
async function letsIn(port, count, refusal) {
  for (const deadline = Date.now() + HANGS_MS; ;) {
    const sockets = [];
    const said = [];
    for (let i = 0; i <= count; i++) {
      sockets.push(await open(port));
      said.push(await greeting(sockets[i]));
    }
    for (const socket of sockets) socket.destroy();
    if (said.slice(0, count).every((text) => text === '')) {
      assert.match(said[count], refusal);
      return;
    }
    assert.ok(Date.now() < deadline, said.join('\n'));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

// That many bytes of bodies are held, those of one body more are not: of all that are begun one is refused, and the others can
// be ended.
async function holdsBodies(port, bytes, refusal) {
  const size = 1024, count = bytes / size + 1;
  const head = `POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: ${size}\r\n\r\n`;
  for (const deadline = Date.now() + HANGS_MS; ;) {
    const bodies = await Promise.all(Array.from({ length: count }, async () => {
      const socket = await open(port), body = { socket, text: '' };
      socket.on('error', () => {});
      socket.on('data', (more) => { body.text += more; });
      body.closed = new Promise((resolve) => socket.on('close', resolve));
      socket.write(`${head}{`);
      return body;
    }));
    await Promise.race(bodies.map((body) => body.closed));
    for (const body of bodies) if (body.text === '') body.socket.write('x'.repeat(size - 1));
    await Promise.all(bodies.map((body) => body.closed));
    const refused = bodies.filter((body) => refusal.test(body.text));
    if (refused.length === 1) {
      for (const body of bodies) if (body !== refused[0]) assert.match(body.text, /^HTTP\/1\.1 400 [^]*"code":"invalid_json"/);
      return;
    }
    assert.ok(refused.length > 1 && Date.now() < deadline, bodies.map((body) => body.text).join('\n')); // those before may still be on their way out
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function counts(rein, value, request, code) {
  const over = await rein.ask({ body: request(value + 1) });
  assert.equal(over.status, 400, over.text);
  assert.equal(over.json.error.code, code);
  const fits = await rein.ask({ body: request(value) });
  assert.notEqual(fits.json.error?.code, code, fits.text);
  if (fits.status !== 200) assert.equal(code, 'too_deep', fits.text);
}

const many = (choices) => ({ ...completion({ answer: 'x' }), choices: Array.from({ length: choices }, (_, index) => ({ index, message: { role: 'assistant', content: 'x' }, finish_reason: 'stop' })) });
const never = () => new Promise(() => {});

// For each setting: values to try, `serve`, how the upstream answers, and `holds`, which fails unless the server enforces the
// value. `values` begins with the lowest and ends with the highest, where both can be seen from outside. Deadlines of an hour
// are not waited for: what is seen is that the one after a reload ends what the one before would have let wait.
const probes = {
  'limits.body_bytes': {
    holds: async (rein, value) => {
      const head = (length) => `POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: ${length}\r\n\r\n`;
      assert.match(await raw(rein.port, head(value + 1)), /^HTTP\/1\.1 413 /);
      assert.match(await raw(rein.port, head(value)), /^HTTP\/1\.1 100 /);
    },
  },
  'limits.messages': {
    more: { 'limits.body_bytes': 16777216 },
    holds: (rein, value) => counts(rein, value, (n) => chat('x', { messages: Array(n).fill({ role: 'user', content: 'x' }) }), 'too_many'),
  },
  'limits.choices': {
    serve: (call) => call.reply(200, many(call.json.n)),
    holds: async (rein, value) => {
      await counts(rein, value, (n) => chat('x', { n }), 'too_many');
      assert.equal((await rein.ask({ body: chat('x', { n: value }) })).json.choices.length, value);
    },
  },
  'limits.tools': {
    holds: (rein, value) => counts(rein, value, (n) => chat('x', { tools: Array(n).fill({ type: 'function', function: { name: 'f' } }) }), 'too_many'),
  },
  'limits.json_depth': {
    holds: async (rein, value) => {
      const nested = (depth) => `{"model":"m","messages":[{"role":"user","content":"x"}],"user":${depth > 1 ? '['.repeat(depth - 1) + ']'.repeat(depth - 1) : '""'}}`;
      if (value >= 3) return counts(rein, value, nested, 'too_deep'); // messages are three deep
      assert.equal((await rein.ask({ body: chat('x') })).json.error.code, 'too_deep');
    },
  },
  'limits.connections': {
    values: [1, 3],
    holds: (rein, value) => letsIn(rein.port, value, /^HTTP\/1\.1 503 /),
  },
  'limits.connections_per_address': {
    values: [1, 3],
    holds: (rein, value) => letsIn(rein.port, value, /^HTTP\/1\.1 429 /),
  },
  'limits.bodies_bytes': {
    values: [4096, 1024, 8192],
    more: { 'limits.body_bytes': 1024 },
    holds: (rein, value) => holdsBodies(rein.port, value, /HTTP\/1\.1 503 [^]*"code":"overloaded"/),
  },
  'limits.bodies_bytes_per_address': {
    values: [4096, 1024, 8192],
    more: { 'limits.body_bytes': 1024 },
    holds: (rein, value) => holdsBodies(rein.port, value, /HTTP\/1\.1 429 [^]*"code":"too_many_bytes"/),
  },
  'limits.upstream_body_bytes': {
    values: [1024, 3000000], // more than a policy's `limits.stream_bytes`, which is about events
    serve: async (call) => {
      const wanted = Number(call.json.messages[0].content);
      const text = JSON.stringify(completion({ answer: '' }));
      await call.reply(200, text.replace('"content":""', `"content":"${'x'.repeat(wanted - text.length)}"`));
    },
    holds: async (rein, value) => {
      const over = await rein.ask({ body: chat(String(value + 1)) });
      assert.equal(over.status, 502);
      assert.equal(over.json.error.code, 'upstream_too_large');
      assert.equal((await rein.ask({ body: chat(String(value)) })).status, 200);
    },
  },
  'timeouts.connect_ms': {
    values: [3600000 / 6, 1],
    scheme: 'https', // the handshake is a part of connecting, and this upstream has none
    serve: never,
    ends: async (rein) => assert.match((await rein.ask({ body: chat('x') })).json.error.code, /^upstream_(timeout|unreachable)$/),
  },
  'timeouts.first_byte_ms': {
    values: [3600000, 1],
    serve: never,
    ends: async (rein) => assert.equal((await rein.ask({ body: chat('x') })).json.error.code, 'upstream_timeout'),
  },
  'timeouts.idle_ms': {
    values: [3600000, 1],
    serve: async (call) => { await call.begin(); await call.event(delta({ role: 'assistant', content: 'Once' })); await never(); },
    ends: async (rein) => { // at 1 ms it may end before the event is there
      const { json, text } = await rein.ask({ body: chat('x', { stream: true }) });
      assert.match((json?.error ?? gather(text).errors[0]).code, /^upstream_(timeout|broke)$/);
    },
  },
  'timeouts.client_idle_ms': {
    values: [3600000, 1],
    ends: async (rein) => { await raw(rein.port, 'POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n', /never/); },
  },
  'timeouts.keep_alive_ms': {
    values: [3600000, 1],
    serve: async (call) => { await call.begin(); await call.event(delta({ role: 'assistant', content: 'Once' })); await never(); },
    ends: async (rein) => {
      const answer = await send(rein.port, { body: chat('x', { stream: true }) });
      await answer.until(': keep-alive');
      answer.leave();
    },
  },
  'timeouts.drain_ms': {
    values: [3600000, 0],
    serve: async (call) => { await call.begin(); await call.event(delta({ role: 'assistant', content: 'Once' })); await never(); },
    ends: async (rein) => {
      const answer = await send(rein.port, { body: chat('x', { stream: true }) });
      await answer.until('Once');
      rein.child.kill('SIGTERM');
      assert.equal(gather((await answer.body).text).errors[0].code, 'shutting_down');
      assert.deepEqual(await rein.exited, { code: 0, signal: null });
    },
  },
  'store.keep_days': {
    values: [0, 36500],
    holds: async () => {}, // what goes and what stays: tests/unit/test_store_purge.c
  },
};

describe('settings', { timeout: 10 * HANGS_MS }, () => {
  test('FOUND S3: each limit and deadline of the schema has its probe here', () => {
    assert.deepEqual(Object.keys(probes).sort(), settings.sort());
  });

  for (const [key, probe] of Object.entries(probes)) {
    const { minimum, maximum, restart } = keys[key];
    test(`FOUND S3: ${key} is enforced, and ${restart ? 'a reload that changes it is refused' : 'a reload changes it'}`, async () => {
      const upstream = await startUpstream(probe.serve ?? says({ answer: ['fine'] }));
      const url = probe.scheme ? upstream.url.replace('http', probe.scheme) : upstream.url;
      const values = probe.values ?? [minimum, maximum];
      assert.ok(values.every((value) => value >= minimum && value <= maximum));
      const rein = await startRein({ upstream: url, config: configOf(url, { ...probe.more, [key]: values[0] }) });
      await probe.holds?.(rein, values[0]);
      for (const [i, value] of values.slice(1).entries()) {
        const taken = await reload(rein, configOf(url, { ...probe.more, [key]: value }));
        assert.equal(taken, !restart, rein.log);
        if (restart) assert.match(rein.log, new RegExp(`Z error config: .*${key}: cannot be changed by a reload, from \`${values[i]}\` to \`${value}\``));
        else assert.match(rein.log, new RegExp(`Z info serve: ${key} is now ${value}; it was ${values[i]}`));
        await probe.holds?.(rein, restart ? values[0] : value);
      }
      await probe.ends?.(rein);
      await rein.clean();
      await upstream.stop();
    });
  }

  test('FOUND S3: every other key that takes a restart is refused by its name, and all stays as it was', async () => {
    const upstream = await startUpstream(says({ answer: ['fine'] }));
    const rein = await startRein({ upstream: upstream.url, config: configOf(upstream.url, { 'limits.choices': 2 }) });
    const others = { 'listen.address': '127.0.0.1:1', 'admin.address': '127.0.0.1:1', 'store.url': 'sqlite:other.db', workers: 3, 'limits.connections': 7, 'cache.folder': 'other', 'telemetry.endpoint': 'http://127.0.0.1:9', 'telemetry.traces': false, 'telemetry.logs': true };
    const needing = Object.keys(keys).filter((key) => keys[key].restart);
    assert.deepEqual(needing.sort(), Object.keys(others).sort());
    for (const key of needing) {
      assert.equal(await reload(rein, configOf(upstream.url, { 'limits.choices': 5, [key]: others[key] })), false);
      assert.match(rein.log, new RegExp(`Z error config: .*: ${key}: cannot be changed by a reload`));
      assert.match(rein.log, /Z error serve: the config was not reloaded/);
      assert.equal((await rein.ask({ body: chat('x', { n: 3 }) })).json.error.code, 'too_many', 'nothing of a refused file is applied');
    }
    assert.equal(fs.existsSync(path.join(rein.folder, 'other.db')), false);
    await rein.clean();
    await upstream.stop();
  });

  test('FOUND S3: as many upstreams as a config may have can all be called', async () => {
    const count = keys.upstreams.maxItems;
    const upstream = await startUpstream(says({ answer: ['fine'] }));
    const numbers = Array.from({ length: count }, (_, i) => i);
    // Each is an origin of its own: a name may end with a dot, and it may be written in capitals or not.
    const host = (i) => [...'localhost'].map((c, k) => ((i >> k) & 1 ? c.toUpperCase() : c)).join('') + (i >> 9 & 1 ? '.' : '');
    const config = `${configOf(upstream.url).split('upstreams:')[0]}
upstreams: [ ${numbers.map((i) => `{ name: up-${i}, url: "http://${host(i)}:${upstream.port}" }`).join(', ')} ]
routes: [ ${numbers.map((i) => `{ name: r-${i}, match: { models: [ m-${i} ] }, upstream: up-${i} }`).join(', ')} ]
`;
    const rein = await startRein({ upstream: upstream.url, config });
    for (let round = 0; round < 2; round++) {
      const models = await rein.ask({ method: 'GET', path: '/v1/models' });
      assert.equal(models.json.data.length, count);
      for (const i of numbers) {
        const answer = await rein.ask({ body: chat('x', { model: `m-${i}` }) });
        assert.equal(answer.status, 200, `upstream ${i} of ${count}: ${answer.text}`);
      }
    }
    await rein.clean();
    await upstream.stop();
  });
});

describe('doors', { timeout: 5 * HANGS_MS }, () => {
  const make = async (folder, ...args) => {
    const run = launch(['key', ...args], { cwd: folder });
    assert.deepEqual(await run.exited, { code: 0, signal: null }, run.log);
    return run.out.trim();
  };

  test('FOUND S1: no edit of the config opens a socket that was opened with keys', async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-door-'));
    const upstream = await startUpstream(says({ answer: ['fine'] }));
    const key = await make(folder, 'add', 'keys.yaml', 'alice');
    const token = await make(folder, 'token', 'token.yaml');
    const closed = { 'listen.address': '0.0.0.0:0', 'listen.keys_file': 'keys.yaml', 'admin.address': '0.0.0.0:0', 'admin.token_file': 'token.yaml' };
    fs.mkdirSync(path.join(folder, 'policies'));
    fs.writeFileSync(path.join(folder, 'policies/default.yaml'), 'version: 1\nname: default\n');
    fs.writeFileSync(path.join(folder, 'rein.yaml'), configOf(upstream.url, closed));
    const rein = launch(['serve', '-c', path.join(folder, 'rein.yaml')], { cwd: folder });
    rein.rewrite = ({ config }) => fs.writeFileSync(path.join(folder, 'rein.yaml'), config);
    const port = Number((await rein.said(/serve: listening on http:\/\/0\.0\.0\.0:(\d+)/))[1]);
    const adminPort = Number((await rein.said(/admin listening on http:\/\/0\.0\.0\.0:(\d+)/))[1]);
    const without = (...names) => Object.fromEntries(Object.entries(closed).filter(([name]) => !names.includes(name)));
    fs.writeFileSync(path.join(folder, 'empty.yaml'), 'version: 1\nkeys: []\n');
    const edits = {
      'on loopback, without keys': { ...without('listen.keys_file'), 'listen.address': '127.0.0.1:0' },
      'without keys': without('listen.keys_file'),
      'without an address or keys': without('listen.keys_file', 'listen.address'),
      'a keys file that is not there': { ...closed, 'listen.keys_file': 'none.yaml' },
      'a keys file without keys': { ...closed, 'listen.keys_file': 'empty.yaml' },
      'a keys file that is a folder': { ...closed, 'listen.keys_file': 'policies' },
      'the admin on loopback, without a token': { ...without('admin.token_file'), 'admin.address': '127.0.0.1:0' },
      'the admin without a token': without('admin.token_file'),
      'the admin without anything': without('admin.token_file', 'admin.address'),
      'a token file without a token': { ...closed, 'admin.token_file': 'empty.yaml' },
      'nothing of all': {},
    };
    const states = async () => Promise.all([
      ask(port, { body: chat('x') }), ask(port, { body: chat('x'), headers: { authorization: `Bearer ${key}` } }),
      ask(adminPort, { method: 'GET', path: '/metrics' }), ask(adminPort, { method: 'GET', path: '/metrics', headers: { authorization: `Bearer ${token}` } }),
    ].map(async (answer) => (await answer).status));
    assert.deepEqual(await states(), [401, 200, 401, 200]);
    for (const [name, edit] of Object.entries(edits)) {
      assert.equal(await reload(rein, configOf(upstream.url, edit)), false, name);
      assert.deepEqual(await states(), [401, 200, 401, 200], name);
    }
    // The same file with other keys is taken, and only those come in.
    const other = await make(folder, 'add', 'other.yaml', 'bob');
    assert.equal(await reload(rein, configOf(upstream.url, { ...closed, 'listen.keys_file': 'other.yaml' })), true, rein.log);
    assert.deepEqual(await states(), [401, 401, 401, 200]);
    assert.equal((await ask(port, { body: chat('x'), headers: { authorization: `Bearer ${other}` } })).status, 200);
    await rein.stop();
    await upstream.stop();
    fs.rmSync(folder, { recursive: true });
  });
});
