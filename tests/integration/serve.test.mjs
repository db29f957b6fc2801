// The way of a request through the service: clean, refused, redacted; streamed and not.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';
import { chat, events, gather, send } from '../lib/client.mjs';
import { rulesPolicy as policy, startRein } from '../lib/rein.mjs';
import { completion, delta, says, startUpstream, stream } from '../lib/upstream.mjs';

describe('a request', { timeout: 240000 }, () => {
  let upstream, rein;
  before(async () => {
    upstream = await startUpstream(says({ answer: ['fine'] }));
    rein = await startRein({ upstream: upstream.url, policy });
  });
  after(async () => {
    await rein?.clean();
    await upstream?.stop();
  });
  const ask = (texts, more, headers) => {
    upstream.serve = typeof texts === 'function' ? texts : says(texts);
    return rein.ask({ body: chat(more?.user ?? 'hello', more?.fields), headers });
  };
  const rowOf = (answer) => rein.row(answer.headers['x-rein-decision']);
  const streamed = { fields: { stream: true } };

  test('unstreamed arrives byte for byte, and says who decided', async () => {
    const answer = await ask({ reasoning: ['I think.'], answer: ['Hello.'] }, {}, { 'x-request-id': 'mine-1' });
    assert.equal(answer.status, 200);
    assert.equal(answer.text, JSON.stringify(completion({ reasoning: 'I think.', answer: 'Hello.' })));
    assert.equal(answer.headers['x-request-id'], 'mine-1');
    assert.equal(answer.headers['x-rein-verdict'], 'allow');
    assert.match(answer.headers['x-rein-policy'], /^default@[0-9a-f]{12}$/);
    const row = await rowOf(answer);
    assert.equal(row.ending, 'complete');
    assert.equal(row.verdict, 'allow');
  });

  test('FOUND R11: over HTTP/1.0 a stream has no chunks, and its connection ends behind its last event', async () => {
    upstream.serve = says({ answer: ['Hel', 'lo.'] });
    const body = JSON.stringify(chat('hello', { stream: true }));
    for (const kept of ['', 'Connection: keep-alive\r\n']) {
      const { text, whole } = await new Promise((resolve, reject) => {
        const socket = net.connect(rein.port, '127.0.0.1');
        const got = { text: '', whole: false };
        socket.on('data', (more) => { got.text += more; });
        socket.on('end', () => { got.whole = true; });
        socket.on('close', () => resolve(got));
        socket.on('error', reject);
        socket.write(`POST /v1/chat/completions HTTP/1.0\r\n${kept}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
      });
      const at = text.indexOf('\r\n\r\n'), head = text.slice(0, at).toLowerCase();
      assert.match(head, /^http\/1\.1 200 /);
      assert.ok(head.includes('\r\nconnection: close') && !head.includes('transfer-encoding'), head);
      assert.ok(head.includes('\r\nx-accel-buffering: no') && head.includes('\r\ncache-control: no-cache, no-transform'), head);
      assert.ok(whole && text.endsWith('data: [DONE]\n\n'), text);
      assert.equal(gather(text.slice(at + 4)).content, 'Hello.');
    }
  });

  test('streamed arrives byte for byte when the client asked for usage', async () => {
    const texts = { reasoning: ['I ', 'think.'], answer: ['Hel', 'lo.'] };
    const answer = await ask(texts, { fields: { stream: true, stream_options: { include_usage: true } } });
    assert.equal(answer.status, 200);
    assert.equal(answer.text, stream({ ...texts, usage: true }));
  });

  test('PEERS 3: the row counts what was scanned and released in each channel', async () => {
    for (const stream of [true, false]) {
      const answer = await ask({ reasoning: ['I think.'], answer: ['It is BADGE-123456.'] }, { fields: { stream } });
      const row = await rowOf(answer);
      assert.equal(row.reasoning_scanned, 8);
      assert.equal(row.reasoning_released, 8);
      assert.equal(row.answer_received, 19);
      assert.equal(row.answer_scanned, 19);
      assert.equal(row.answer_redacted, 12);
      assert.equal(row.answer_released, 7);
      assert.ok(row.bytes_out > 0 && row.client_first_byte_us > 0 && row.duration_us >= row.client_first_byte_us, JSON.stringify(row));
      assert.equal(row.attempts.length, 1);
      assert.equal(row.attempts[0].outcome, 'whole');
    }
  });

  test('usage that only Rein asked for is taken out', async () => {
    const answer = await ask({ answer: ['Hello.'] }, streamed);
    assert.equal(upstream.calls.at(-1).json.stream_options.include_usage, true);
    assert.equal(answer.text, stream({ answer: ['Hello.'] }));
  });

  test('PEERS 12: the content type follows `stream`', async () => {
    for (const user of ['hello', 'these are forbidden words']) {
      const plain = await ask({ answer: ['open sesame'] }, { user });
      assert.match(plain.headers['content-type'], /^application\/json/);
    }
    const answer = await ask({ answer: ['open sesame'] }, streamed);
    assert.match(answer.headers['content-type'], /^text\/event-stream/);
  });

  test('PEERS 19: a refused prompt never reaches the upstream', async () => {
    const asked = upstream.calls.length;
    for (const stream of [false, true]) {
      const answer = await ask({ answer: ['x'] }, { user: 'these are Forbidden words', fields: { stream } });
      assert.equal(answer.status, 400, answer.text);
      assert.equal(answer.json.error.code, 'content_filter');
      assert.equal(answer.json.error.message, 'Not this.');
      const row = await rowOf(answer);
      assert.equal(row.verdict, 'refuse');
      assert.equal(row.ending, 'refused');
      assert.equal(row.status, 400);
    }
    assert.equal(upstream.calls.length, asked);
  });

  test('PEERS 27: every message and every part of the prompt is judged', async () => {
    const hidden = 'these are forbidden words';
    const call = { id: '1', type: 'function', function: { name: 'f', arguments: hidden } };
    const prompts = [
      [{ role: 'system', content: hidden }, { role: 'user', content: 'hello' }],
      [{ role: 'user', content: hidden }, { role: 'assistant', content: 'no' }, { role: 'user', content: 'hello' }],
      [{ role: 'user', content: 'hello' }, { role: 'assistant', content: hidden }, { role: 'user', content: 'hello' }],
      [{ role: 'user', content: [{ type: 'text', text: 'hello' }, { type: 'text', text: hidden }] }],
      [{ role: 'user', content: [{ type: 'text', text: 'these are forbid' }, { type: 'text', text: 'den words' }] }],
      [{ role: 'user', content: 'hello' }, { role: 'assistant', content: null, tool_calls: [call] }, { role: 'tool', tool_call_id: '1', content: 'done' }],
      [{ role: 'user', content: 'hello' }, { role: 'assistant', content: 'a', reasoning_content: hidden }, { role: 'user', content: 'b' }],
    ];
    for (const messages of prompts) {
      const answer = await ask({ answer: ['x'] }, { fields: { messages } });
      assert.equal(answer.status, 400, JSON.stringify(messages));
    }
    const tools = [{ type: 'function', function: { name: 'f', description: hidden } }];
    assert.equal((await ask({ answer: ['x'] }, { fields: { tools } })).status, 400);
  });

  test('FOUND R9, H5: a number that nothing here holds, and a null that means something, reach the upstream', async () => {
    const call = '{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}';
    const messages = `[{"role":"user","content":"a"},{"role":"assistant","content":null,"tool_calls":[${call}]},{"role":"tool","tool_call_id":"1","content":"b"}]`;
    const body = `{"model":"m","seed":18446744073709551615,"messages":${messages}}`;
    upstream.serve = says({ answer: ['fine'] });
    const answer = await rein.ask({ body });
    assert.equal(answer.status, 200, answer.text);
    assert.equal(upstream.calls.at(-1).text, body);
    const without = await rein.ask({ body: body.replace('{', '{"n":null,') }); // what is removed changes nothing of the rest
    assert.equal(without.status, 200, without.text);
    assert.equal(upstream.calls.at(-1).text, body);
    const asked = upstream.calls.length;
    const changed = await rein.ask({ body: body.replace('{', '{"stream":true,"stream_options":{"include_usage":false},') }); // has to be built anew
    assert.equal(changed.status, 400);
    assert.equal(changed.json.error.param, 'seed');
    assert.equal(changed.json.error.code, 'number_too_large');
    assert.equal(upstream.calls.length, asked);
    await ask({ answer: ['fine'] });
  });

  test('PEERS 2, 4, 13: a refusal in a stream is said, and no byte of the match is on the wire', async () => {
    const answer = await ask({ answer: [...'It is open sesame, you know.'] }, streamed);
    const seen = gather(answer.text);
    assert.equal(answer.status, 200);
    assert.match(seen.content, /^It is *\nNot this\.$/);
    assert.deepEqual(seen.finish, ['content_filter']);
    assert.equal(seen.done, 1);
    assert.equal(seen.roles, 1);
    assert.equal(seen.ids.size, 1);
    assert.equal((await rowOf(answer)).verdict, 'refuse');
  });

  test('PEERS 1: the same text has the same verdict streamed and not', async () => {
    for (const [text, verdict] of [['all is well', 'allow'], ['say open sesame', 'refuse'], ['it is BADGE-123456.', 'redact']]) {
      for (const stream of [false, true]) {
        const answer = await ask({ answer: [text] }, { fields: { stream } });
        assert.equal((await rowOf(answer)).verdict, verdict, `${text}, stream: ${stream}`);
      }
    }
  });

  test('PEERS 5: a redaction holds at one character per event', async () => {
    const cut = [...'It is BADGE-123456, not BADGE-1.'];
    const seen = gather((await ask({ answer: cut, reasoning: cut }, streamed)).text);
    assert.equal(seen.content, 'It is [badge], not BADGE-1.');
    assert.equal(seen.reasoning, 'It is [badge], not BADGE-1.');
    assert.deepEqual(seen.finish, ['stop']);
  });

  test('PEERS 7: a secret that is only in the reasoning is found in both modes', async () => {
    for (const stream of [false, true]) {
      const answer = await ask({ reasoning: ['The word is open sesame.'], answer: ['I can not say.'] }, { fields: { stream } });
      assert.ok(!answer.text.includes('open sesame'), answer.text);
      assert.equal((await rowOf(answer)).verdict, 'refuse');
    }
  });

  test('PEERS 16: tool arguments are judged', async () => {
    const answer = await ask(async (call) => {
      const tool = (fields) => call.event(delta({ tool_calls: [{ index: 0, ...fields }] }));
      await call.begin();
      await call.event(delta({ role: 'assistant', content: null }));
      await tool({ id: 'c', type: 'function', function: { name: 'f', arguments: '' } });
      for (const text of ['{"word":"op', 'en ses', 'ame"}']) await tool({ function: { arguments: text } });
      await call.event(delta({}, 'tool_calls'));
      await call.event('[DONE]');
      await call.end();
    }, streamed);
    assert.ok(!/sesame|"op|en ses/.test(answer.text), answer.text);
    assert.equal(gather(answer.text).done, 1);
    assert.equal((await rowOf(answer)).verdict, 'refuse');
  });

  test('PEERS 10: replies that are only reasoning, or nothing at all', async () => {
    for (const texts of [{ reasoning: ['Nothing to add.'] }, { reasoning: [''], answer: [''] }, {}]) {
      for (const stream of [false, true]) {
        const answer = await ask(texts, { fields: { stream } });
        assert.equal(answer.status, 200);
        assert.equal((await rowOf(answer)).ending, 'complete');
        if (stream) assert.deepEqual(gather(answer.text).finish, ['stop']);
      }
    }
  });

  test('PEERS 11: one finish_reason per choice', async () => {
    const answer = await ask(async (call) => {
      await call.begin();
      for (const index of [0, 1]) await call.event(delta({ role: 'assistant', content: `number ${index}` }, null, index));
      for (const index of [1, 0]) await call.event(delta({}, 'stop', index));
      await call.event('[DONE]');
      await call.end();
    }, { fields: { stream: true, n: 2 } });
    assert.deepEqual(gather(answer.text).finish, ['stop', 'stop']);
  });

  // Each event is sent when the one before it has arrived: a guard that gathered any would wait for ever.
  test('PEERS 6: each event goes out before the next one comes in', async () => {
    const words = Array.from({ length: 60 }, (_, i) => `word${i}.`);
    let arrived, answer, sent = 0;
    upstream.serve = async (call) => {
      await call.begin();
      for (const [i, word] of words.entries()) {
        const seen = new Promise((resolve) => { arrived = { word, resolve }; });
        await call.event(delta(i < 30 ? { reasoning_content: word } : { content: word }));
        await seen;
        sent++;
      }
      await call.chunk(stream({}));
      await call.end();
    };
    answer = await send(rein.port, { body: chat('hello', { stream: true }) });
    while (sent < words.length - 1) {
      await answer.until(arrived.word);
      arrived.resolve();
      await new Promise(setImmediate);
    }
    arrived.resolve();
    assert.ok((await answer.body).whole);
    assert.equal(sent, words.length);
  });

  test('PEERS 9: the order of events is kept', async () => {
    const texts = [{ reasoning_content: 'one ' }, { content: 'BADGE-12' }, { content: '3456 two' }, { reasoning_content: ' three' }, { content: ' four' }];
    const answer = await ask(async (call) => {
      await call.begin();
      for (const text of texts) await call.event(delta(text));
      await call.chunk(stream({}));
      await call.end();
    }, streamed);
    const order = events(answer.text).map((e) => e.choices?.[0]?.delta?.reasoning_content ?? e.choices?.[0]?.delta?.content ?? '');
    assert.equal(order.join(''), 'one [badge] two three four');
  });

  test('what a client sends as credentials stays here; the upstream gets its own', async () => {
    await ask({ answer: ['ok'] }, {}, { authorization: 'Bearer client-secret', 'x-api-key': 'client-secret', cookie: 'a=client-secret' });
    const call = upstream.calls.at(-1);
    assert.equal(call.headers.authorization, 'Bearer upstream-secret');
    assert.ok(!call.head.includes('client-secret'), call.head);
    assert.ok(!/(client|upstream)-secret/.test(rein.log), rein.log);
  });

  test('an x-request-id that is not fit for logs is replaced', async () => {
    for (const id of ['a b', 'x'.repeat(129), '"']) {
      const answer = await ask({ answer: ['ok'] }, {}, { 'x-request-id': id });
      assert.match(answer.headers['x-request-id'], /^[0-9a-f-]{36}$/);
    }
  });
});

describe('a refusal as a reply', { timeout: 240000 }, () => {
  let upstream, rein;
  before(async () => {
    upstream = await startUpstream(says({ answer: ['fine'] }));
    rein = await startRein({ upstream: upstream.url, policy: policy.replace('before_first_byte: error', 'before_first_byte: reply') });
  });
  after(async () => {
    await rein?.clean();
    await upstream?.stop();
  });

  test('is a whole answer in the mode of the client', async () => {
    const plain = await rein.ask({ body: chat('forbidden words') });
    assert.equal(plain.status, 200);
    assert.equal(plain.json.choices[0].message.content, 'Not this.');
    assert.equal(plain.json.choices[0].finish_reason, 'content_filter');
    const streamed = await rein.ask({ body: chat('forbidden words', { stream: true }) });
    assert.match(streamed.headers['content-type'], /^text\/event-stream/);
    assert.equal(gather(streamed.text).content, 'Not this.');
    assert.deepEqual(gather(streamed.text).finish, ['content_filter']);
    assert.equal(gather(streamed.text).done, 1);
    assert.equal(upstream.calls.length, 0);
  });
});

// What a policy held is released at once, and redactions can make it much longer.
describe('much at once', { timeout: 240000 }, () => {
  let upstream, rein;
  const long = 'x'.repeat(200);
  const policy = (release) => `
version: 1
name: default
prefix: { template: none, deliver: off, when: never }
reasoning: { show: stream, release: ${release} }
rules:
  - { id: ab, channels: [reasoning, answer], literal: "ab", match: raw, action: redact, replacement: "${long}" }
  - { id: never, channels: [reasoning, answer], literal: "zzz-never-said-zzz", action: refuse }
limits: { stream_bytes: 4194304 }
`;
  before(async () => {
    upstream = await startUpstream(says({ answer: ['fine'] }));
    rein = await startRein({ upstream: upstream.url, policy: policy('end') });
  });
  after(async () => {
    await rein?.clean();
    await upstream?.stop();
  });
  const ask = async (texts, stream) => {
    upstream.serve = says(texts);
    const answer = await rein.ask({ body: chat('hello', { stream }) });
    assert.equal(answer.status, 200, answer.text.slice(0, 300));
    assert.ok(answer.whole);
    const row = await rein.row(answer.headers['x-rein-decision']);
    assert.equal(row.ending, 'complete');
    if (!stream) {
      const { message } = answer.json.choices[0];
      return { reasoning: message.reasoning_content ?? '', content: message.content };
    }
    const seen = gather(answer.text);
    assert.deepEqual(seen.errors, []);
    assert.equal(seen.done, 1);
    return seen;
  };

  for (const stream of [true, false]) {
    const mode = stream ? 'streamed' : 'unstreamed';
    test(`FOUND M3: 2 MB of reasoning that were held to its end, ${mode}`, async () => {
      const reasoning = Array.from({ length: 2000 }, (_, i) => `${String(i).padStart(8)} `.padEnd(1000, 'thinking '));
      const seen = await ask({ reasoning, answer: ['Hello.'] }, stream);
      assert.equal(seen.reasoning, reasoning.join(''));
      assert.equal(seen.content, 'Hello.');
    });

    test(`FOUND M3: 120 KB of short words with a long replacement, in many events and in one, ${mode}`, async () => {
      const all = 'ab '.repeat(40000), wanted = `${long} `.repeat(40000);
      for (const size of [30, 3000, 60000, 120000]) {
        const texts = Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size));
        const seen = await ask({ reasoning: texts, answer: texts }, stream);
        assert.ok(seen.reasoning === wanted, `${seen.reasoning.length} of ${wanted.length} bytes, ${size} an event`);
        assert.ok(seen.content === wanted, `${seen.content.length} of ${wanted.length} bytes, ${size} an event`);
      }
    });
  }

  test('FOUND M3: a client that does not read stops the source, not the answer', async () => {
    const texts = Array.from({ length: 4000 }, () => 'ab '.repeat(10));
    upstream.serve = says({ answer: texts });
    const answer = await send(rein.port, { body: chat('hello', { stream: true }) });
    answer.pause();
    await rein.rows(); // others are served meanwhile
    answer.resume();
    const { text, whole } = await answer.body;
    assert.ok(whole);
    assert.ok(gather(text).content === `${long} `.repeat(40000));
  });
});
