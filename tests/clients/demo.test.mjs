// The demo upstream's scenarios over the `openai` client.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import OpenAI from 'openai';
import { patternsPolicy, startDemo, startRein } from '../lib/rein.mjs';
import { scenarios } from '../lib/scenarios.mjs';

for (const chunk of ['1', 'random', 'whole']) describe(`scenarios, chunk ${chunk}`, { timeout: 240000 }, () => {
  let demo, rein, client;
  before(async () => {
    demo = await startDemo(['--chunk', chunk]);
    rein = await startRein({ upstream: demo.url, policy: patternsPolicy('lack_of_safety_awareness') });
    client = new OpenAI({ baseURL: `http://127.0.0.1:${rein.port}/v1`, apiKey: 'any', maxRetries: 0 });
  });
  after(async () => {
    await rein?.clean();
    await demo?.stop();
  });

  for (const [name, expected] of Object.entries(scenarios)) {
    const request = { model: 'demo', messages: [{ role: 'user', content: expected.user }] };
    const check = (choice) => {
      assert.equal(choice.finish_reason, expected.finish);
      if (expected.says) assert.ok(choice.message.content.includes(expected.says), choice.message.content);
      for (const text of expected.never ?? []) assert.ok(!JSON.stringify(choice).includes(text));
    };
    test(`${name}, whole`, async () => check((await client.chat.completions.create(request)).choices[0]));
    test(`${name}, streamed`, async () => check((await client.chat.completions.stream({ ...request, stream: true }).finalChatCompletion()).choices[0]));
  }

  test('an upstream that breaks off, one that fails, one that limits', async () => {
    for (const model of ['demo-breaks-off', 'demo-fails'])
      await assert.rejects(client.chat.completions.stream({ model, stream: true, messages: [{ role: 'user', content: 'x' }] }).finalChatCompletion(), OpenAI.OpenAIError, model);
    await assert.rejects(client.chat.completions.create({ model: 'demo-limited', messages: [{ role: 'user', content: 'x' }] }), OpenAI.RateLimitError);
  });
});
