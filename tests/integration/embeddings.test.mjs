// POST /v1/embeddings: its input is judged as a prompt, its answer passes as it came.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';
import { ask } from '../lib/client.mjs';
import { startRein } from '../lib/rein.mjs';
import { startUpstream } from '../lib/upstream.mjs';

const policy = `
version: 1
name: default
rules:
  - { id: never, channels: [prompt], literal: "forbidden words", action: refuse }
  - { id: noted, channels: [prompt], literal: "noted words", action: record }
  - { id: answers, channels: [answer], literal: "4111111111111111", action: refuse }
request: { unknown: drop }
`;
// Numbers that a card rule would find, spaced as no program of ours would space them.
const VECTORS = '{"object":"list", "data":[{"object":"embedding","index":0,"embedding":[0.25,-1.5e-3,\n4111111111111111]}],"model":"m","usage":{"prompt_tokens":3,"total_tokens":3}}\n';
const embed = (input, more = {}) => ({ path: '/v1/embeddings', body: { model: 'm', input, ...more } });

describe('embeddings', { timeout: 240000 }, () => {
  let upstream, rein, answer;
  before(async () => {
    upstream = await startUpstream((call) => answer(call));
    rein = await startRein({ upstream: upstream.url, policy, limits: 'upstream_body_bytes: 300000' });
  });
  after(async () => {
    await rein?.clean();
    await upstream?.stop();
  });
  const says = (text, status = 200, type = 'application/json') => (call) => call.reply(status, text, { 'content-type': type });

  for (const [name, input] of [['a text', 'hello'], ['several', ['hello', 'world']]])
    test(`${name}: the request and the answer pass as they came`, async () => {
      answer = says(VECTORS);
      const body = JSON.stringify({ input, model: 'm', encoding_format: 'float', dimensions: 3 }, null, 1);
      const { status, headers, text } = await ask(rein.port, { path: '/v1/embeddings', body });
      assert.deepEqual([status, text, headers['x-rein-verdict'], headers['x-rein-dropped']], [200, VECTORS, 'allow', undefined]);
      const call = upstream.calls.at(-1);
      assert.deepEqual([call.path, call.text], ['/v1/embeddings', body]);
      const row = await rein.row(headers['x-rein-decision']);
      assert.deepEqual([row.ending, row.verdict, row.status, row.dialect, row.attempts.length, row.attempts[0].reason], ['complete', 'allow', 200, 'openai-embeddings', 1, 'no_text']);
    });

  test('what is dropped is named', async () => {
    answer = says(VECTORS);
    const { status, headers } = await ask(rein.port, embed('hello', { made_up: 1 }));
    assert.deepEqual([status, headers['x-rein-dropped'], upstream.calls.at(-1).json.made_up], [200, 'made_up', undefined]);
  });

  for (const input of [[1, 2, 3], [[1, 2], [3]], ['a', 5]])
    test(`tokens are refused: ${JSON.stringify(input)}`, async () => {
      const { status, json } = await ask(rein.port, embed(input));
      assert.deepEqual([status, json.error.code, json.error.param], [400, 'field_not_accepted', 'input']);
    });
  for (const input of [undefined, [], {}, 5, [{}], [true]])
    test(`no input is refused: ${JSON.stringify(input)}`, async () => {
      const { status, json } = await ask(rein.port, embed(input));
      assert.deepEqual([status, json.error.code, json.error.param], [400, 'invalid_type', 'input']);
    });

  test('a forbidden input is refused, wherever it stands, and no upstream is called', async () => {
    const calls = upstream.calls.length;
    for (const request of [embed('the forbidden words'), embed(['fine', 'the forbidden words']), embed('fine', { user: 'forbidden words' }), embed('fine', { instruction: 'forbidden words' })]) {
      const { status, json, headers } = await ask(rein.port, request);
      assert.deepEqual([status, json.error.code], [400, 'content_filter']);
      assert.equal((await rein.row(headers['x-rein-decision'])).ending, 'refused');
    }
    assert.equal(upstream.calls.length, calls);
  });

  test('a recorded input is found in the row', async () => {
    answer = says(VECTORS);
    const { status, headers } = await ask(rein.port, embed('the noted words'));
    assert.equal(status, 200);
    const row = await rein.row(headers['x-rein-decision']);
    assert.deepEqual([row.verdict, row.findings.map(({ id }) => id)], ['allow', ['noted']]);
  });

  for (const [name, reply, status, code] of [
    ['an error', says('{"error":{"message":"too long","type":"invalid_request_error","code":"context_length_exceeded"}}', 400), 400, 'context_length_exceeded'],
    ['the operator\'s key refused', says('{"error":{"message":"bad key"}}', 401), 502, 'upstream_credentials'],
    ['an error inside a 200', says('{"error":{"message":"no"}}'), 502, 'upstream_malformed'],
    ['no JSON', says('hello'), 502, 'upstream_malformed'],
    ['nothing', says(''), 502, null],
    ['another type', says('<html>', 200, 'text/html'), 502, 'upstream_malformed'],
    ['too much', says(JSON.stringify({ data: 'x'.repeat(400000) })), 502, 'upstream_too_large'],
    ['an end in the middle', async (call) => { await call.reply(200, '{"data":', { 'content-length': 1000 }); call.breakOff(); }, 502, 'upstream_broke'],
  ])
    test(`an upstream that sends ${name}`, async () => {
      answer = reply;
      const { status: got, json, headers } = await ask(rein.port, embed('hello'));
      assert.equal(got, status);
      if (code) assert.equal(json.error.code, code);
      const row = await rein.row(headers['x-rein-decision']);
      assert.deepEqual([row.status, row.verdict, row.final], [status, row.ending === 'upstream_error' ? 'none' : row.verdict, true]);
      assert.match(row.ending, /^upstream_(error|broke)$/);
    });

  test('a client that leaves', async () => {
    let call;
    answer = (asked) => { call = asked; };
    const id = 'left-alone', calls = upstream.calls.length;
    const request = http.request({ port: rein.port, host: '127.0.0.1', path: '/v1/embeddings', method: 'POST', headers: { 'content-type': 'application/json', 'x-request-id': id } });
    request.on('error', () => {});
    request.end(JSON.stringify({ model: 'm', input: 'hello' }));
    while (upstream.calls.length === calls) await new Promise((resolve) => upstream.waiting.push(resolve));
    request.destroy();
    await call.closed;
    for (let row; row?.ending !== 'client_left';) row = (await rein.rows()).find(({ request_id: theirs }) => theirs === id);
  });
});

test('an upstream that serves no embeddings is not asked for them', { timeout: 60000 }, async () => {
  const upstream = await startUpstream((call) => call.reply(200, '{}')), rein = await startRein({ upstream: upstream.url, up: 'kind: openai, apis: [chat]' });
  const { status, json } = await ask(rein.port, embed('hello'));
  assert.deepEqual([status, json.error.code], [404, 'api_not_served']);
  const nowhere = await ask(rein.port, { path: '/v1/embedding', body: {} });
  assert.deepEqual([nowhere.status, nowhere.json.error.code], [404, 'not_found']);
  assert.doesNotMatch(nowhere.json.error.message, /embeddings/);
  await rein.clean();
  await upstream.stop();
});
