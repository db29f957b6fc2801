// The `openai` client against Rein: clean, refused, redacted, upstream error, broken off, client that leaves.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import OpenAI from 'openai';
import { rulesPolicy as policy, startRein } from '../lib/rein.mjs';
import { completion, delta, says, startUpstream } from '../lib/upstream.mjs';

describe('openai', { timeout: 60000 }, () => {
  let upstream, rein, client;
  before(async () => {
    upstream = await startUpstream(says({ answer: ['fine'] }));
    rein = await startRein({ upstream: upstream.url, policy });
    client = new OpenAI({ baseURL: `http://127.0.0.1:${rein.port}/v1`, apiKey: 'any', maxRetries: 0 });
  });
  after(async () => {
    await rein?.clean();
    await upstream?.stop();
  });
  const request = (user = 'hello') => ({ model: 'm', messages: [{ role: 'user', content: user }] });
  const plain = (user) => client.chat.completions.create(request(user));
  // The raw stream, read to its end.
  const read = async (user) => {
    const seen = { content: '', finish: [], chunks: 0 };
    for await (const chunk of await client.chat.completions.create({ ...request(user), stream: true })) {
      seen.chunks++;
      seen.content += chunk.choices[0]?.delta?.content ?? '';
      if (chunk.choices[0]?.finish_reason) seen.finish.push(chunk.choices[0].finish_reason);
    }
    return seen;
  };
  // The helper, which checks that the stream is whole.
  const collect = (user) => client.chat.completions.stream({ ...request(user), stream: true }).finalChatCompletion();

  test('clean', async () => {
    upstream.serve = says({ reasoning: ['I think.'], answer: ['Hello ', 'there.'] });
    const whole = await plain();
    assert.equal(whole.choices[0].message.content, 'Hello there.');
    assert.equal(whole.choices[0].message.reasoning_content, 'I think.');
    assert.deepEqual(await read(), { content: 'Hello there.', finish: ['stop'], chunks: 5 });
    const final = await collect();
    assert.equal(final.choices[0].message.content, 'Hello there.');
    assert.equal(final.choices[0].finish_reason, 'stop');
  });

  test('refused before the first byte', async () => {
    for (const call of [plain, read, collect])
      await assert.rejects(call('forbidden words'), (error) => {
        assert.ok(error instanceof OpenAI.BadRequestError || error.constructor.name.includes('Error'), error);
        assert.match(String(error.message), /Not this\./);
        assert.equal(error.code ?? error.cause?.code, 'content_filter');
        return true;
      });
  });

  test('refused in the middle', async () => {
    upstream.serve = says({ answer: ['It is ', 'open ', 'sesame', '.'] });
    const whole = await plain();
    assert.equal(whole.choices[0].message.content, 'Not this.');
    assert.equal(whole.choices[0].finish_reason, 'content_filter');
    const seen = await read();
    assert.match(seen.content, /Not this\.$/);
    assert.ok(!seen.content.includes('open'), seen.content);
    assert.deepEqual(seen.finish, ['content_filter']);
    const final = await collect();
    assert.equal(final.choices[0].finish_reason, 'content_filter');
    assert.match(final.choices[0].message.content, /Not this\.$/);
  });

  test('redacted', async () => {
    upstream.serve = says({ answer: [...'It is BADGE-123456.'] });
    for (const content of [(await plain()).choices[0].message.content, (await read()).content, (await collect()).choices[0].message.content])
      assert.equal(content, 'It is [badge].');
  });

  test('an error of the upstream', async () => {
    upstream.serve = (call) => call.reply(429, { error: { message: 'slow down', type: 'rate_limit', code: 'rate' } }, { 'retry-after': '3' });
    for (const call of [plain, read, collect])
      await assert.rejects(call(), (error) => {
        assert.ok(error instanceof OpenAI.RateLimitError || error.cause instanceof OpenAI.RateLimitError, error);
        return true;
      });
  });

  test('an upstream that breaks off', async () => {
    upstream.serve = async (call) => {
      if (!call.json.stream) {
        const text = JSON.stringify(completion({ answer: 'x' }));
        await call.write(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${text.length}\r\n\r\n${text.slice(0, 20)}`);
      } else {
        await call.begin();
        await call.event(delta({ role: 'assistant', content: 'Once' }));
      }
      call.breakOff();
    };
    await assert.rejects(plain(), OpenAI.APIError);
    await assert.rejects(read(), OpenAI.APIError);
    await assert.rejects(collect(), OpenAI.OpenAIError);
  });

  test('a client that leaves', async () => {
    upstream.serve = async (call) => {
      await call.begin();
      await call.event(delta({ role: 'assistant', content: 'Once' }));
    };
    const n = upstream.calls.length;
    const { data, response } = await client.chat.completions.create({ ...request(), stream: true }).withResponse();
    for await (const chunk of data) {
      assert.equal(chunk.choices[0].delta.content, 'Once');
      break; // which aborts the request
    }
    await (await upstream.call(n)).closed;
    assert.equal((await rein.row(response.headers.get('x-rein-decision'))).ending, 'client_left');
  });

  test('the list of models', async () => {
    upstream.serve = (call) => call.reply(200, { object: 'list', data: [{ id: 'm-1', object: 'model' }, { id: 'other', object: 'model' }] });
    const names = [];
    for await (const model of client.models.list()) names.push(model.id);
    assert.ok(names.includes('m-1') && names.includes('m'), names);
    assert.ok(!names.includes('other'), names);
  });

  test('usage comes when it is asked for', async () => {
    upstream.serve = says({ answer: ['Hello.'] });
    let usage;
    for await (const chunk of await client.chat.completions.create({ ...request(), stream: true, stream_options: { include_usage: true } }))
      usage = chunk.usage ?? usage;
    assert.equal(usage.total_tokens, 8);
    for await (const chunk of await client.chat.completions.create({ ...request(), stream: true }))
      assert.equal(chunk.usage ?? undefined, undefined);
  });
});
