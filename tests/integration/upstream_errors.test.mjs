// What a client is told of an upstream that takes its time, answers with an error, or gives the reason in an odd place.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { makers } from '../lib/backends.mjs';
import { chat, gather, send } from '../lib/client.mjs';
import { configText, startRein } from '../lib/rein.mjs';
import { completion, delta, says, startUpstream, stream } from '../lib/upstream.mjs';

describe('an upstream that thinks before it answers', { timeout: 120000 }, () => {
  let upstream, rein, go;
  before(async () => {
    upstream = await startUpstream(says({}));
    rein = await startRein({ upstream: upstream.url, timeouts: 'keep_alive_ms: 100' });
  });
  after(async () => {
    await rein?.clean();
    await upstream?.stop();
  });
  // Answers once the test says so.
  const later = (answer) => {
    const wait = new Promise((resolve) => { go = resolve; });
    upstream.serve = async (call) => { await wait; return answer(call); };
  };
  const waitFor = async () => {
    const answer = await send(rein.port, { body: chat('hello', { stream: true }) });
    assert.equal(answer.status, 200);
    assert.match(answer.headers['content-type'], /^text\/event-stream/);
    await answer.until(': keep-alive\n\n: keep-alive\n\n');
    go();
    return { headers: answer.headers, ...(await answer.body) };
  };
  const rowOf = (answer) => rein.row(answer.headers['x-rein-decision']);

  test('FOUND R3: a stream is kept alive before the head of the upstream has come', async () => {
    later(says({ reasoning: ['long.'], answer: ['late'] }));
    const answer = await waitFor();
    const seen = gather(answer.text);
    assert.deepEqual([seen.content, seen.done, seen.errors.length], ['late', 1, 0]);
    assert.deepEqual([(await rowOf(answer)).ending, (await rowOf(answer)).status], ['complete', 200]);
  });

  test('FOUND R3: an error that comes after that is an error event', async () => {
    const ways = [[(call) => call.reply(429, { error: { message: 'busy', type: 'rate_limit_error' } }, { 'retry-after': '7' }), 429],
      [(call) => call.breakOff(), 0], [(call) => call.reply(200, completion({ answer: 'x' })), 200]];
    for (const [way, status] of ways) {
      later(way);
      const answer = await waitFor();
      const seen = gather(answer.text);
      assert.deepEqual([answer.whole, seen.errors.length, seen.content, seen.finish.length], [true, 1, '', 0]);
      const row = await rowOf(answer);
      assert.deepEqual([row.ending, row.status, row.attempts[0].status], ['upstream_error', 200, status]);
    }
  });

  test('FOUND R3: an answer in one piece keeps its status', async () => {
    later((call) => call.reply(429, { error: { message: 'busy' } }));
    const answer = send(rein.port, { body: chat('hello') });
    await send(rein.port, { body: chat('hello', { stream: true }) }).then((other) => other.until(': keep-alive\n\n: keep-alive\n\n').then(other.leave));
    go();
    assert.equal((await answer).status, 429);
  });
});

describe('an error inside a 200', { timeout: 120000 }, () => {
  let upstream, rein;
  before(async () => {
    upstream = await startUpstream(says({}));
    rein = await startRein({ upstream: upstream.url });
  });
  after(async () => {
    await rein?.clean();
    await upstream?.stop();
  });
  const error = { code: 502, message: 'the provider failed' };
  const ask = async (serve, streamed) => {
    upstream.serve = serve;
    const answer = await rein.ask({ body: chat('hello', { stream: streamed }) });
    const row = await rein.row(answer.headers['x-rein-decision']);
    assert.ok(/^upstream_/.test(row.ending), row.ending);
    assert.notEqual(row.verdict, 'allow');
    return { ...answer, row };
  };
  const said = { status: 502, type: null, code: null, text: error.message };

  test('FOUND R6: in one piece, it is a 502', async () => {
    const inChoice = completion({ answer: '' });
    inChoice.choices[0].error = error;
    const rows = [[{ error }, said], [{ error: 'plain' }, { ...said, status: 200, text: 'plain' }],
      [{ object: 'error', message: 'no', code: 400 }, { ...said, status: 400, text: 'no' }], [inChoice, said],
      [{ ...completion({}), choices: [] }, null], [{}, null]];
    for (const [body, reason] of rows) {
      const answer = await ask((call) => call.reply(200, body), false);
      assert.deepEqual(answer.row.upstream_error, reason, JSON.stringify(body));
      assert.equal(answer.status, 502, JSON.stringify(body));
      assert.equal(answer.json.error.type, 'upstream_error');
    }
  });

  test('FOUND R6: in a stream, it is an error event', async () => {
    const inChoice = delta({}, 'error');
    inChoice.choices[0].error = error;
    const rows = [[{ error }, said], [{ object: 'error', message: 'no', code: 400 }, { ...said, status: 400, text: 'no' }], [inChoice, said],
      [{ ...delta({}), choices: [] }, null]];
    for (const [event, reason] of rows) {
      const answer = await ask(async (call) => {
        await call.begin();
        await call.event(event);
        await call.event('[DONE]');
        await call.end();
      }, true);
      assert.equal(answer.status, 200);
      assert.equal(gather(answer.text).errors.length, 1, answer.text);
      assert.deepEqual(answer.row.upstream_error, reason, JSON.stringify(event));
    }
  });

  test('FOUND R6: after text that the client has, the row says both', async () => {
    upstream.serve = async (call) => {
      await call.begin();
      await call.event(delta({ role: 'assistant', content: 'Once' }));
      await call.event({ error: { ...error, message: `no key like ${'sk-'.padEnd(40, 'x1')} is known here` } });
      await call.end();
    };
    const answer = await rein.ask({ body: chat('hello', { stream: true }) });
    assert.deepEqual([gather(answer.text).content, gather(answer.text).errors.length], ['Once', 1]);
    const row = await rein.row(answer.headers['x-rein-decision']);
    assert.deepEqual([row.ending, row.verdict, row.upstream_error.status], ['upstream_broke', 'allow', 502]);
    assert.match(row.upstream_error.text, /^no key like \*+ is known here$/);
  });
});

describe('the reason of an upstream that fails', { timeout: 120000 }, () => {
  const policy = `
version: 1
name: default
prefix: { template: none, deliver: off, when: never }
reasoning: { show: stream, release: stream }
patterns: {}
rules:
  - { id: secret, channels: [answer], literal: "zx-violet", match: raw, action: refuse }
  - { id: masked, channels: [answer], literal: "zx-lemon", match: raw, action: redact }
`;
  let upstream, rein, secretive;
  before(async () => {
    upstream = await startUpstream(says({}));
    rein = await startRein({ upstream: upstream.url, policy });
    secretive = await startRein({ upstream: upstream.url, policy: `${policy}upstream_errors: withhold\nlog: { text: none }\n` });
  });
  after(async () => {
    await rein?.clean();
    await secretive?.clean();
    await upstream?.stop();
  });
  const ask = async (status, body, headers = {}, which = rein, streamed = false) => {
    upstream.serve = (call) => call.reply(status, body, headers);
    const answer = await which.ask({ body: chat('hello', { stream: streamed }) });
    return { answer, error: answer.json.error, row: await which.row(answer.headers['x-rein-decision']) };
  };
  const GENERAL = 'The upstream did not accept the request.';

  test('FOUND R7: reaches the client, the log and the row', async () => {
    const text = "This model's maximum context length is 4096 tokens.";
    for (const streamed of [false, true]) {
      const { answer, error, row } = await ask(400, { object: 'error', message: text, type: 'BadRequestError', code: 400 }, {}, rein, streamed);
      assert.equal(answer.status, 400);
      assert.deepEqual(error, { message: text, type: 'BadRequestError', param: null, code: 'context_length_exceeded' });
      assert.deepEqual(row.upstream_error, { status: 400, type: 'BadRequestError', code: null, text });
      assert.deepEqual([row.ending, row.verdict], ['upstream_error', 'none']);
    }
    assert.ok(rein.log.includes(text), rein.log);
  });

  test('FOUND R7, T13: what the rules forbid is not passed, in no word of it', async () => {
    for (const word of ['zx-violet', 'zx-lemon'])
      for (const body of [{ message: `it says ${word}` }, { message: 'it says', type: word }, { message: 'it says', code: word }]) {
        const { answer, error } = await ask(400, { error: body });
        assert.equal(answer.status, 400);
        assert.deepEqual(error, { message: GENERAL, type: 'upstream_error', param: null, code: null });
      }
  });

  test('FOUND R7: credentials of ours are no business of the client, and their text nobody\'s', async () => {
    for (const status of [401, 403, 407]) {
      const { answer, error, row } = await ask(status, { error: { message: 'Incorrect API key provided: upstream-secret, call Bob', type: 'invalid_request_error', code: 'invalid_api_key' } }, { 'retry-after': '7' });
      assert.equal(answer.status, 502);
      assert.deepEqual(error, { message: "The upstream did not accept the server's credentials.", type: 'upstream_error', param: null, code: 'upstream_credentials' });
      assert.deepEqual(row.upstream_error, { status, type: 'invalid_request_error', code: 'invalid_api_key', text: null });
      assert.ok(!rein.log.includes('call Bob'), rein.log);
    }
  });

  test('FOUND R7: keys are masked wherever they turn up', async () => {
    const { error, row } = await ask(400, { error: { message: 'no such key: upstream-secret or sk-0123456789abcdef', type: 'x' } });
    for (const text of [error.message, row.upstream_error.text]) assert.match(text, /^no such key: \*+ or \*+$/);
    assert.ok(!/upstream-secret|sk-0123/.test(rein.log), rein.log);
  });

  test('FOUND R7: a policy may withhold it, and keep no text', async () => {
    const { error, row } = await ask(400, { error: { message: 'a reason', type: 'some_type', code: 'some_code' } }, {}, secretive);
    assert.deepEqual(error, { message: GENERAL, type: 'some_type', param: null, code: 'some_code' });
    assert.deepEqual(row.upstream_error, { status: 400, type: 'some_type', code: 'some_code', text: null });
    assert.ok(!secretive.log.includes('a reason'));
  });

  test('FOUND T13: Retry-After is a time, or is not passed', async () => {
    for (const [value, passes] of [['7', true], ['Sun, 06 Nov 1994 08:49:37 GMT', true], ['soon', false], ['7; zx-violet', false]]) {
      const { answer } = await ask(429, { error: { message: 'busy' } }, { 'retry-after': value });
      assert.equal(answer.headers['retry-after'], passes ? value : undefined);
    }
  });
});

// A model that was steered after bytes that are no characters were shown.
test('FOUND M4: bytes that are not UTF-8 in shown reasoning do not stand in the way of a restart', { timeout: 120000 }, async () => {
  const policy = `
version: 1
name: default
prefix: { template: none, deliver: off, when: never }
reasoning: { show: stream, release: stream }
patterns: {}
rules: [ { id: wrong, channels: [reasoning], literal: "wrong turn", match: raw, action: steer } ]
steer: { max_attempts: 2, max_added_ms: 60000, fallback: refuse }
refusal: { message: "Not this." }
`;
  const restarted = makers.llamacpp({ family: 'opens reasoning', build: 'new', script: { reasoning: ' Right.', answer: 'Good.' } });
  let first;
  const upstream = await startUpstream(async (call) => {
    if (call.path !== '/v1/chat/completions' || !first) return restarted.answer(call, call.path);
    first = false;
    await call.begin();
    const bytes = Buffer.from(stream({ reasoning: [' A broken ~ byte. ', 'Then a wrong turn.'] }), 'latin1').map((byte) => (byte === 0x7e ? 0xff : byte));
    return call.chunk(bytes);
  });
  const rein = await startRein({ upstream: upstream.url, policy, config: configText({ upstream: upstream.url }).replace('kind: openai', 'kind: llamacpp') });
  try {
    first = true;
    const answer = await rein.ask({ body: chat('hello', { stream: true }) });
    const seen = gather(answer.text);
    assert.deepEqual([seen.content, seen.errors.length], ['Good.', 0], answer.text);
    assert.ok(restarted.prompts.at(-1).includes(' A broken \ufffd byte.'), restarted.prompts.at(-1));
    const row = await rein.row(answer.headers['x-rein-decision']);
    assert.deepEqual([row.ending, row.attempts.map((attempt) => attempt.outcome)], ['complete', ['steered', 'whole']]);
  } finally {
    await rein.clean();
    await upstream.stop();
  }
});
