// What is not served: each limit and each malformed request has its own error, and no request of theirs goes upstream.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';
import { ask, chat, send, upload } from '../lib/client.mjs';
import { startRein } from '../lib/rein.mjs';
import { delta, says, startUpstream } from '../lib/upstream.mjs';

describe('limits', { timeout: 240000 }, () => {
  let upstream, rein;
  before(async () => {
    upstream = await startUpstream(says({ answer: ['fine'] }));
    rein = await startRein({ upstream: upstream.url, limits: 'body_bytes: 20000, messages: 5, choices: 2, tools: 2, json_depth: 10, connections_per_address: 20' });
  });
  after(async () => {
    assert.equal(upstream.calls.length, 0, 'upstream calls');
    await rein?.clean();
    await upstream?.stop();
  });

  // Sends exactly these bytes and returns all that comes back until the connection closes.
  const raw = (text) => new Promise((resolve, reject) => {
    const socket = net.connect(rein.port, '127.0.0.1');
    let answer = '';
    socket.on('data', (more) => { answer += more; });
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
    socket.write(text);
  });

  const cases = [
    ['an unknown path', { path: '/v1/completions', body: chat('x') }, 404, 'not_found'],
    ['a path that only begins like one of ours', { path: '/v1/chat/completions/x', body: chat('x') }, 404, 'not_found'],
    ['a wrong method', { method: 'GET' }, 405, 'method_not_allowed'],
    ['a wrong content type', { body: '{}', headers: { 'content-type': 'text/plain' } }, 415, 'unsupported_media_type'],
    ['no content type', { body: '{}', headers: { 'content-type': null } }, 415, 'unsupported_media_type'],
    ['an encoded body', { body: '{}', headers: { 'content-encoding': 'gzip' } }, 415, 'encoded_body'],
    ['a body that is too large', { body: chat('x'.repeat(30000)) }, 413, 'body_too_large'],
    ['no JSON', { body: '{"model":' }, 400, 'invalid_json'],
    ['JSON that is no object', { body: '[1]' }, 400, 'invalid_json'],
    ['a key that stands twice', { body: '{"model":"m","model":"m","messages":[{"role":"user","content":"x"}]}' }, 400, 'duplicate_key'],
    ['a key that stands twice deep inside', { body: '{"model":"m","messages":[{"role":"user","content":"x","content":"y"}]}' }, 400, 'duplicate_key'],
    ['JSON that is too deep', { body: chat('x', { user: JSON.parse('['.repeat(11) + ']'.repeat(11)) }) }, 400, 'too_deep'],
    ['too many messages', { body: chat('x', { messages: Array(6).fill({ role: 'user', content: 'x' }) }) }, 400, 'too_many', 'messages'],
    ['too many choices', { body: chat('x', { n: 3 }) }, 400, 'too_many', 'n'],
    ['too many tools', { body: chat('x', { tools: Array(3).fill({ type: 'function', function: { name: 'f' } }) }) }, 400, 'too_many', 'tools'],
    ['a model that no route serves', { body: chat('x', { model: 'other' }) }, 404, 'model_not_found', 'model'],
    ['an unknown field', { body: chat('x', { made_up: 1 }) }, 400, 'unknown_field', 'made_up'],
    ['a field that moves the text', { body: chat('x', { chat_template: 'x' }) }, 400, 'field_not_accepted', 'chat_template'],
    ['a prefilled turn', { body: chat('x', { messages: [{ role: 'user', content: 'x' }, { role: 'assistant', content: 'Sure' }] }) }, 400, 'field_not_accepted', 'messages[1]'],
    ['an image', { body: chat('x', { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:' } }] }] }) }, 400, 'unsupported_content', 'messages[0].content[0]'],
    ['text that is no UTF-8', { body: Buffer.from('{"model":"m","messages":[{"role":"user","content":"\xff"}]}', 'latin1') }, 400, 'invalid_json', 'messages[0].content'],
    ['FOUND S4: an unknown field whose quoted name would end inside a character', { body: chat('x', { ['\u00e9'.repeat(41)]: 1 }) }, 400, 'unknown_field', '\u00e9'.repeat(30)],
    ['FOUND R9: half of a surrogate pair', { body: '{"model":"m","messages":[{"role":"user","content":"x"}],"user":"\\ud800"}' }, 400, 'invalid_json', 'user'],
    ['FOUND R9: U+0000', { body: chat('x', { metadata: { a: ['b', '\u0000'] } }) }, 400, 'invalid_json', 'metadata.a[1]'],
  ];
  for (const [name, request, status, code, param] of cases) {
    test(name, async () => {
      const answer = await rein.ask(request);
      assert.equal(answer.status, status, answer.text);
      assert.equal(answer.json.error.code, code, answer.text);
      assert.equal(answer.json.error.param ?? undefined, param, answer.text);
      assert.equal(typeof answer.json.error.message, 'string');
      assert.equal(answer.json.error.type, 'invalid_request_error');
      if (status === 405) assert.equal(answer.headers.allow, 'POST');
    });
  }

  const openai = ({ error, ...rest }) => [Object.keys(rest), Object.keys(error), error.type, error.code];
  const anthropic = ({ type, error }) => [type, error.type, typeof error.message];
  for (const [path, form, wanted] of [
    ...['/v1/completions', '/chat/completions', '/', '/v1/embeddings/x', '/v1/responses/x', '/v1/', '/v2/messages']
      .map((path) => [path, openai, [[], ['message', 'type', 'param', 'code'], 'invalid_request_error', 'not_found']]),
    ...['/v1/messages/x', '/v1/messages/batches', '/v1/messages/']
      .map((path) => [path, anthropic, ['error', 'not_found_error', 'string']]),
  ])
    test(`${path} does not exist: the error has the form that the path suggests, and names the APIs`, async () => {
      const answer = await rein.ask({ path, body: chat('x') });
      assert.equal(answer.status, 404, answer.text);
      assert.deepEqual(form(answer.json), wanted);
      assert.match(answer.json.error.message, /POST \/v1\/chat\/completions.*POST \/v1\/responses.*POST \/v1\/embeddings/);
      assert.doesNotMatch(answer.json.error.message, /POST \/v1\/messages/, 'the upstream serves none');
    });

  test('each request that reached the router left one row', async () => {
    const answer = await rein.ask({ body: chat('x', { n: 3 }), headers: { 'x-request-id': 'counted' } });
    const row = await rein.row(answer.headers['x-rein-decision']);
    assert.equal(row.ending, 'rejected');
    assert.equal(row.status, 400);
    assert.equal((await rein.rows()).filter((r) => r.request_id === 'counted').length, 1);
  });

  test('two lengths, or a length and a coding, are refused', async () => {
    for (const framing of ['Content-Length: 5\r\nContent-Length: 6', 'Content-Length: 5\r\nTransfer-Encoding: chunked']) {
      const answer = await raw(`POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n${framing}\r\n\r\nhello`);
      assert.match(answer, /^HTTP\/1\.1 400 /, framing);
    }
  });

  test('health and readiness', async () => {
    assert.deepEqual((await rein.ask({ method: 'GET', path: '/healthz' })).json, { status: 'ok' });
    const ready = await rein.ask({ method: 'GET', path: '/readyz' });
    assert.equal(ready.status, 200);
    assert.equal(ready.json.status, 'ready');
  });
});

// A page of another site that points its own name at this address sends that name.
describe('hosts', { timeout: 60000 }, () => {
  let upstream, rein;
  before(async () => {
    upstream = await startUpstream(says({ answer: ['fine'] }));
    rein = await startRein({ upstream: upstream.url, listen: 'hosts: [rein.example.org, Box]' });
  });
  after(async () => {
    await rein?.clean();
    await upstream?.stop();
  });
  const requests = [
    { body: chat('hello') },
    { body: chat('hello', { stream: true }) },
    { method: 'GET', path: '/v1/models' },
    { method: 'GET', path: '/healthz' },
  ];

  test('FOUND S11: without keys, a name that does not lead here is refused', async () => {
    const asked = upstream.calls.length;
    for (const host of ['evil.example.com', 'evil.example.com:8080', '10.0.0.1', 'localhost.evil.example.com', 'xlocalhost', '127.0.0.1.evil.example.com',
      '[::2]', '[127.0.0.1]x', 'rein.example.org.evil.example.com', 'xrein.example.org', '127.0.0.1@evil.example.com', '0.0.0.0', ' ']) {
      for (const request of requests) {
        const answer = await rein.ask({ ...request, headers: { host } });
        assert.equal(answer.status, 403, host);
        assert.equal(answer.json.error.code, 'host_not_allowed');
      }
    }
    assert.equal(upstream.calls.length, asked);
  });

  test('FOUND S11: loopback names, and those that the config allows, are served', async () => {
    for (const host of ['localhost', 'LOCALHOST:1234', '127.0.0.1', '127.1.2.3:80', '[::1]', '[::1]:8080', 'rein.example.org', 'REIN.example.org:443', 'box'])
      for (const request of requests)
        assert.equal((await rein.ask({ ...request, headers: { host } })).status, 200, host);
  });

  for (const [what, head, status] of [
    ['too large', 'POST /v1/chat/completions HTTP/1.1\r\nContent-Type: application/json', 413],
    ['a wrong path', 'POST /v1/completions HTTP/1.1\r\nContent-Type: application/json', 404],
    ['a wrong method', 'PUT /v1/chat/completions HTTP/1.1\r\nContent-Type: application/json', 405],
    ['a wrong type', 'POST /v1/chat/completions HTTP/1.1\r\nContent-Type: text/plain', 415],
    ['an encoding', 'POST /v1/chat/completions HTTP/1.1\r\nContent-Type: application/json\r\nContent-Encoding: gzip', 415],
  ]) {
    test(`FOUND R2: ${what}, with 2 MB of body on its way: the answer arrives`, async () => {
      const text = await upload(rein.port, head, what === 'too large' ? 8 << 20 : 2 << 20);
      assert.match(text, new RegExp(`^HTTP/1\\.1 ${status} `), text);
      assert.match(text, /\r\n\r\n\{"error":\{/);
    });
  }

  test('FOUND S11: names that are no names are refused by the check', async () => {
    rein.rewrite({ config: fs.readFileSync(`${rein.folder}/rein.yaml`, 'utf8').replace('Box', '"http://box", "box:80", "*"') });
    rein.child.kill('SIGHUP');
    await rein.said(/config was not reloaded/);
    for (const name of ['http:\\/\\/box', 'box:80', '\\*']) assert.match(rein.log, new RegExp(`listen.hosts: expects a name without port[^\n]*${name}`));
    assert.equal((await rein.ask({ ...requests[0], headers: { host: 'box' } })).status, 200);
  });
});

// Requests that came through a trusted proxy count for the client that it names.
describe('trusted proxies', { timeout: 60000 }, () => {
  let upstream, rein;
  before(async () => {
    upstream = await startUpstream(async (call) => { await call.begin(); await call.event(delta({ content: 'one' })); });
    rein = await startRein({ upstream: upstream.url, listen: 'trusted_proxies: [127.0.0.1, "fd00::/8"]', limits: 'connections_per_address: 2' });
  });
  after(async () => {
    await rein?.clean();
    await upstream?.stop();
  });
  const begin = (client) => send(rein.port, { body: chat('x', { stream: true }), headers: { 'x-forwarded-for': client } });

  test('FOUND U15: one client behind a proxy does not lock out the others', async () => {
    const open = [];
    for (const client of ['50.0.0.1', '50.0.0.2', '6.6.6.6, 50.0.0.3', '2a00::1']) {
      for (let i = 0; i < 2; i++) open.push(await begin(client));
      const late = await ask(rein.port, { body: chat('x', { stream: true }), headers: { 'x-forwarded-for': client } });
      assert.equal(late.status, 429, client);
      assert.equal(late.json.error.code, 'too_many_connections');
      assert.equal(late.headers['retry-after'], '1');
    }
    for (const answer of open) assert.equal(answer.status, 200);
    for (const answer of open) answer.leave();
  });

  test('FOUND U15: networks that are none are refused by the check', async () => {
    rein.rewrite({ config: fs.readFileSync(`${rein.folder}/rein.yaml`, 'utf8').replace('"fd00::/8"', '"10.0.0.1/8", "box", "10.0.0.0/40"') });
    rein.child.kill('SIGHUP');
    await rein.said(/config was not reloaded/);
    for (const name of ['10.0.0.1\\/8', 'box', '10.0.0.0\\/40']) assert.match(rein.log, new RegExp(`listen.trusted_proxies: expects a network[^\n]*${name}`));
  });
});
