// What is not served: each limit and each malformed request has its own error, and no request of theirs goes upstream.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';
import { chat } from '../lib/client.mjs';
import { startRein } from '../lib/rein.mjs';
import { says, startUpstream } from '../lib/upstream.mjs';

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

  test('each request that reached the router left one row', async () => {
    const answer = await rein.ask({ body: chat('x', { n: 3 }), headers: { 'x-request-id': 'counted' } });
    const row = await rein.row(answer.headers['x-rein-decision']);
    assert.equal(row.ending, 'rejected');
    assert.equal(row.status, 400);
    assert.equal((await rein.rows()).filter((r) => r.request_id === 'counted').length, 1);
  });

  test('a stream over HTTP/1.0 is refused: its end could not be told from a truncation', async () => {
    const body = JSON.stringify(chat('hello', { stream: true }));
    const answer = await raw(`POST /v1/chat/completions HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    assert.match(answer, /^HTTP\/1\.\d 400 /);
    assert.match(answer, /http_version/);
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
