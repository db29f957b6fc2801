// Rein behind the real nginx: streams arrive event by event, with nginx's defaults and with config/nginx.conf as it is.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ask, chat, gather, send } from '../lib/client.mjs';
import { HANGS_MS, startRein } from '../lib/rein.mjs';
import { delta, says, startUpstream } from '../lib/upstream.mjs';

const source = process.env.REIN_SOURCE_DIR ?? path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const binary = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/usr/local/sbin'].map((folder) => path.join(folder, 'nginx')).find((file) => fs.existsSync(file));

const freePort = () => new Promise((resolve) => {
  const server = net.createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});

const answers = (port) => new Promise((resolve) => {
  const socket = net.connect(port, '127.0.0.1', () => { socket.destroy(); resolve(true); });
  socket.on('error', () => resolve(false));
});

// nginx as this process's child, in a folder of its own, with these servers; the port it listens on.
async function startNginx(servers) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-nginx-'));
  for (let tries = 0; ; tries++) {
    const port = await freePort();
    fs.writeFileSync(path.join(folder, 'nginx.conf'), `
daemon off;
master_process off;
pid nginx.pid;
error_log stderr;
events { worker_connections 256; }
http {
  access_log off;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${name};`).join('\n  ')}
${servers(port)}
}
`);
    const child = spawn(binary, ['-p', `${folder}/`, '-c', 'nginx.conf', '-e', 'stderr'], { stdio: ['ignore', 'ignore', 'pipe'] });
    const end = () => child.kill('SIGKILL');
    process.once('exit', end);
    const nginx = { port, log: '' };
    let gone = false;
    child.stderr.on('data', (more) => { nginx.log += more; });
    const exited = new Promise((resolve) => child.once('exit', () => { gone = true; resolve(); }));
    nginx.stop = async () => {
      child.kill('SIGTERM');
      await exited;
      process.removeListener('exit', end);
      fs.rmSync(folder, { recursive: true, force: true });
    };
    for (const deadline = Date.now() + HANGS_MS; !gone && Date.now() < deadline;) {
      if (await answers(port)) return nginx;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    if (tries === 5 || !/Address already in use/.test(nginx.log)) throw new Error(`nginx does not start:\n${nginx.log}`);
  }
}

// nginx as one finds it: HTTP/1.0 to the upstream, buffering on.
const plain = (rein) => (port) => `  server { listen 127.0.0.1:${port}; location / { proxy_pass http://127.0.0.1:${rein.port}; } }`;

// The sample, with other addresses.
const sample = (rein) => (port) => {
  const text = fs.readFileSync(path.join(source, 'config/nginx.conf'), 'utf8');
  const placed = text.replace('listen 80;', `listen 127.0.0.1:${port};`).replace('server 127.0.0.1:8080;', `server 127.0.0.1:${rein.port};`);
  assert.ok(placed.includes(`listen 127.0.0.1:${port};`) && placed.includes(`server 127.0.0.1:${rein.port};`));
  return placed;
};

const skip = binary ? false : 'nginx is not installed';
for (const [name, servers] of [['its defaults', plain], ['config/nginx.conf', sample]]) {
  describe(`behind nginx with ${name}`, { timeout: 240000, skip }, () => {
    let upstream, rein, nginx;
    before(async () => {
      upstream = await startUpstream(says({ answer: ['fine'] }));
      rein = await startRein({ upstream: upstream.url, listen: 'trusted_proxies: [127.0.0.1]', limits: 'connections_per_address: 2' });
      nginx = await startNginx(servers(rein));
    });
    after(async () => {
      await nginx?.stop();
      await rein?.clean();
      await upstream?.stop();
    });

    test('FOUND R5: each event reaches the client before the upstream sends the next', async () => {
      const reached = Array.from({ length: 4 }, () => { const one = {}; one.promise = new Promise((resolve) => { one.resolve = resolve; }); return one; });
      upstream.serve = async (call) => {
        await call.begin();
        for (const [i, word] of ['one. ', 'two. ', 'three. '].entries()) {
          await call.event(delta({ content: word }));
          await reached[i].promise;
        }
        await call.event(delta({}, 'stop'));
        await call.event('[DONE]');
        await call.end();
      };
      const answer = await send(nginx.port, { body: chat('x', { stream: true }) });
      assert.equal(answer.status, 200);
      assert.equal(answer.headers['cache-control'], 'no-cache, no-transform');
      for (const [i, word] of ['one. ', 'two. ', 'three. '].entries()) {
        await answer.until(word);
        reached[i].resolve();
      }
      const { text, whole } = await answer.body;
      assert.ok(whole);
      const seen = gather(text);
      assert.equal(seen.content, 'one. two. three. ');
      assert.equal(seen.done, 1);
    });

    test('FOUND R5: a silent stream keeps the head, and its first event comes alone', async () => {
      let go;
      const seen = new Promise((resolve) => { go = resolve; });
      upstream.serve = async (call) => {
        await call.begin();
        await call.event(delta({ role: 'assistant', content: '' }));
        await seen;
        await call.chunk(`data: ${JSON.stringify(delta({ content: 'x'.repeat(30000) }, 'stop'))}\n\ndata: [DONE]\n\n`);
        await call.end();
      };
      const answer = await send(nginx.port, { body: chat('x', { stream: true }) });
      await answer.until('assistant');
      go();
      assert.equal(gather((await answer.body).text).content.length, 30000);
    });

    test('FOUND R11: an answer that breaks off does not look whole', async () => {
      upstream.serve = async (call) => {
        await call.begin();
        await call.event(delta({ content: 'one. ' }));
      };
      const answer = await send(nginx.port, { body: chat('x', { stream: true }) });
      await answer.until('one. ');
      upstream.calls.at(-1).breakOff();
      const { text } = await answer.body; // an error event says so, and there is no [DONE]
      const seen = gather(text);
      assert.deepEqual(seen.errors.map((error) => error.code), ['upstream_broke']);
      assert.equal(seen.done, 0);
    });

    test('unstreamed answers, errors and large tokens pass', async () => {
      upstream.serve = says({ answer: ['fine'] });
      const answer = await ask(nginx.port, { body: chat('x') });
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.json.choices[0].message.content, 'fine');
      assert.equal((await ask(nginx.port, { body: '{' })).json.error.code, 'invalid_json');
      assert.equal((await ask(nginx.port, { method: 'GET', path: '/nothing' })).json.error.code, 'not_found');
      if (name === 'config/nginx.conf') {
        const large = await ask(nginx.port, { body: chat('x'), headers: { authorization: `Bearer ${'k'.repeat(32 * 1024)}` } });
        assert.equal(large.status, 200, large.text);
      }
    });

    // With the defaults nginx says nothing of its clients, and what they say themselves passes.
    if (name !== 'config/nginx.conf') return;
    test('FOUND U15: what a client says of itself is overruled by nginx', async () => {
      upstream.serve = async (call) => { await call.begin(); await call.event(delta({ content: 'one. ' })); };
      const body = JSON.stringify(chat('x', { stream: true }));
      const sockets = [];
      const begin = (i) => new Promise((resolve, reject) => { // from an address that nobody trusts
        const socket = net.connect({ port: nginx.port, host: '127.0.0.1', localAddress: '127.0.0.2' });
        sockets.push(socket);
        socket.once('data', (data) => resolve(Number(String(data).split(' ')[1])));
        socket.on('error', reject);
        socket.write(`POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Forwarded-For: 50.0.0.${i}\r\n`
          + `Forwarded: for=50.0.0.${i}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
      });
      const statuses = [];
      for (let i = 0; i < 3; i++) statuses.push(await begin(i)); // each of them claims to be another
      assert.deepEqual(statuses, [200, 200, 429]);
      for (const socket of sockets) socket.destroy();
    });
  });
}
