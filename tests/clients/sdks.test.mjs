// Steered, redacted and refused streams through the AI SDK and LangChain: each is one valid stream to them.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { ChatOpenAI } from '@langchain/openai';
import { streamText } from 'ai';
import { patternsPolicy, startDemo, startRein } from '../lib/rein.mjs';
import { scenarios } from '../lib/scenarios.mjs';

const ROUNDS = 5; // of each scenario, cut at random each time
const names = ['benign', 'unaware', 'vacillates', 'card', 'inconsistent', 'key', 'guided'];

describe('other clients', { timeout: 240000 }, () => {
  let demo, rein, baseURL;
  before(async () => {
    demo = await startDemo(['--chunk', 'random']);
    rein = await startRein({ upstream: demo.url, policy: patternsPolicy('lack_of_safety_awareness') });
    baseURL = `http://127.0.0.1:${rein.port}/v1`;
  });
  after(async () => {
    await rein?.clean();
    await demo?.stop();
  });

  const check = (expected, text, reasoning) => {
    if (expected.says) assert.ok(text.includes(expected.says), text);
    if (expected.thinks && reasoning !== undefined) assert.ok(reasoning.includes(expected.thinks), reasoning);
    for (const never of expected.never ?? []) assert.ok(!(text + (reasoning ?? '')).includes(never), text + reasoning);
  };

  for (const name of names)
    test(`ai with @ai-sdk/openai-compatible: ${name}`, async () => {
      const expected = scenarios[name];
      const provider = createOpenAICompatible({ name: 'rein', baseURL, apiKey: 'any' });
      for (let round = 0; round < ROUNDS; round++) {
        const seen = { text: '', reasoning: '', finishes: [], errors: [], texts: 0 };
        for await (const part of streamText({ model: provider('demo'), prompt: expected.user, maxRetries: 0 }).fullStream) {
          if (part.type === 'text-delta') seen.text += part.text;
          if (part.type === 'reasoning-delta') seen.reasoning += part.text;
          if (part.type === 'text-start') seen.texts++;
          if (part.type === 'finish') seen.finishes.push(part.finishReason);
          if (part.type === 'error') seen.errors.push(part.error);
        }
        assert.deepEqual(seen.errors, []);
        assert.deepEqual(seen.finishes, [expected.finish === 'content_filter' ? 'content-filter' : expected.finish]);
        assert.equal(seen.texts, 1);
        check(expected, seen.text, seen.reasoning);
      }
    });

  for (const name of names)
    test(`@langchain/openai: ${name}`, async () => {
      const expected = scenarios[name];
      const model = new ChatOpenAI({ model: 'demo', apiKey: 'any', configuration: { baseURL }, maxRetries: 0 });
      for (let round = 0; round < ROUNDS; round++) {
        let text = '';
        const ids = new Set();
        for await (const chunk of await model.stream(expected.user)) {
          text += chunk.content;
          if (chunk.id) ids.add(chunk.id);
        }
        assert.ok(ids.size <= 1, [...ids].join(' '));
        check(expected, text);
      }
    });
});
