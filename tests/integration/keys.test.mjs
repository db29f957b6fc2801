// Bearer keys: who comes in, who does not, and what is kept of them.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { chat, upload } from '../lib/client.mjs';
import { launch, startRein } from '../lib/rein.mjs';
import { says, startUpstream } from '../lib/upstream.mjs';

describe('keys', { timeout: 240000 }, () => {
  let upstream, rein, folder, alice, bob;
  const make = async (name) => {
    const run = launch(['key', 'add', path.join(folder, 'keys.yaml'), name], { cwd: folder });
    assert.deepEqual(await run.exited, { code: 0, signal: null }, run.log);
    return run.out.trim();
  };
  before(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-keys-'));
    upstream = await startUpstream(says({ answer: ['fine'] }));
    alice = await make('alice');
    bob = await make('bob');
    rein = await startRein({ folder, upstream: upstream.url, listen: 'keys_file: keys.yaml' });
  });
  after(async () => {
    await rein?.clean();
    await upstream?.stop();
    fs.rmSync(folder, { recursive: true });
  });
  const ask = (authorization, request = { body: chat('hello') }) => rein.ask({ ...request, headers: { ...(authorization && { authorization }) } });

  test('only hashes are kept', () => {
    const text = fs.readFileSync(path.join(folder, 'keys.yaml'), 'utf8');
    assert.ok(text.includes('alice') && !text.includes(alice), text);
    assert.equal(fs.statSync(path.join(folder, 'keys.yaml')).mode & 0o077, 0);
  });

  test('without a key, or with a wrong one: 401, and no upstream call', async () => {
    const asked = upstream.calls.length;
    for (const wrong of [undefined, 'Bearer', 'Bearer ', `Bearer ${alice}x`, `Bearer ${alice.slice(0, -1)}`, `Basic ${alice}`, alice]) {
      const answer = await ask(wrong);
      assert.equal(answer.status, 401, wrong);
      assert.equal(answer.json.error.code, 'invalid_api_key');
      assert.equal(answer.headers['www-authenticate'], 'Bearer');
    }
    for (const path of ['/v1/models', '/v1/guard/decisions/00000000-0000-7000-8000-000000000000'])
      assert.equal((await ask(undefined, { method: 'GET', path })).status, 401);
    assert.equal(upstream.calls.length, asked);
  });

  test('health needs none', async () => {
    for (const path of ['/healthz', '/readyz']) assert.equal((await ask(undefined, { method: 'GET', path })).status, 200);
  });

  test('with a key: its name is in the row, its text nowhere', async () => {
    const answer = await ask(`Bearer ${alice}`);
    assert.equal(answer.status, 200);
    assert.equal((await rein.row(answer.headers['x-rein-decision'])).key, 'alice');
    assert.ok(!upstream.calls.at(-1).head.includes(alice));
    assert.ok(!rein.log.includes(alice));
  });

  test('a decision is told to the key that made it, and to no other', async () => {
    const id = (await ask(`Bearer ${alice}`)).headers['x-rein-decision'];
    const mine = await ask(`Bearer ${alice}`, { method: 'GET', path: `/v1/guard/decisions/${id}` });
    assert.equal(mine.status, 200);
    assert.equal(mine.json.id, id);
    assert.equal(mine.json.verdict, 'allow');
    assert.ok(!mine.text.includes('evidence'), mine.text);
    const theirs = await ask(`Bearer ${bob}`, { method: 'GET', path: `/v1/guard/decisions/${id}` });
    assert.equal(theirs.status, 404);
    for (const path of ['/v1/guard/decisions/', '/v1/guard/decisions/nothing', `/v1/guard/decisions/${id}/x`])
      assert.equal((await ask(`Bearer ${alice}`, { method: 'GET', path })).status, 404, path);
  });

  test('a revoked key is out after a reload', async () => {
    const run = launch(['key', 'revoke', path.join(folder, 'keys.yaml'), 'bob'], { cwd: folder });
    assert.deepEqual(await run.exited, { code: 0, signal: null }, run.log);
    rein.child.kill('SIGHUP');
    await rein.said(/config reloaded/);
    assert.equal((await ask(`Bearer ${bob}`)).status, 401);
    assert.equal((await ask(`Bearer ${alice}`)).status, 200);
  });

  test('FOUND R2: no key, with 2 MB of body on its way: the answer arrives', async () => {
    const text = await upload(rein.port, 'POST /v1/chat/completions HTTP/1.1\r\nContent-Type: application/json');
    assert.match(text, /^HTTP\/1\.1 401 /, text);
    assert.match(text, /\r\n\r\n\{"error":\{/);
  });

  // What a request was granted at its head holds to its end, also if its key goes meanwhile; the next one is refused.
  for (const [what, request, isRight] of [
    ['a question for a decision', (id) => ({ method: 'GET', path: `/v1/guard/decisions/${id}`, body: 'x' }), (answer, id) => JSON.parse(answer.body).id === id],
    ['a chat', () => ({ method: 'POST', path: '/v1/chat/completions', body: JSON.stringify(chat('slowly')) }), (answer) => /fine/.test(answer.body)],
    ['a stream', () => ({ method: 'POST', path: '/v1/chat/completions', body: JSON.stringify(chat('slowly', { stream: true })) }), (answer) => /\[DONE\]/.test(answer.body)],
    ['the models', () => ({ method: 'GET', path: '/v1/models', body: 'x' }), (answer) => Array.isArray(JSON.parse(answer.body).data)],
  ]) {
    test(`FOUND S2: ${what}: the key of its head holds, though it is revoked before the last byte`, async () => {
      const name = `guest-${what.replaceAll(' ', '-')}`, key = await make(name);
      const reload = async () => {
        const seen = rein.log.match(/config reloaded/g)?.length ?? 0;
        rein.child.kill('SIGHUP');
        await rein.said(new RegExp(`(config reloaded[^]*){${seen + 1}}`));
      };
      await reload();
      const id = (await ask(`Bearer ${key}`)).headers['x-rein-decision'];
      await rein.row(id);
      const { method, path: where, body } = request(id);
      const socket = net.connect(rein.port, '127.0.0.1');
      let text = '';
      const closed = new Promise((resolve) => { socket.on('close', resolve); socket.on('error', () => {}); });
      const continued = new Promise((resolve) => socket.on('data', (more) => { text += more; resolve(); }));
      socket.write(`${method} ${where} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/json\r\n`
        + `Connection: close\r\nExpect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n`);
      await continued; // the head was judged, its body is waited for
      assert.match(text, /^HTTP\/1\.1 100 /);
      const run = launch(['key', 'revoke', path.join(folder, 'keys.yaml'), name], { cwd: folder });
      assert.deepEqual(await run.exited, { code: 0, signal: null }, run.log);
      await reload();
      assert.equal((await ask(`Bearer ${key}`)).status, 401);
      socket.write(body);
      await closed;
      const [, head, rest] = /^HTTP\/1\.1 100 [^]*?\r\n\r\n([^]*?)\r\n\r\n([^]*)$/.exec(text);
      assert.match(head, /^HTTP\/1\.1 200 /, text);
      assert.ok(isRight({ body: rest }, id), text);
      const mine = /x-rein-decision: *(\S+)/i.exec(head)?.[1];
      if (mine) assert.equal((await rein.row(mine)).key, name);
    });
  }
});
