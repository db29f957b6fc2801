// Streams that go astray at random places and are steered, through three clients: what each makes of them, and what was
// on the wire meanwhile. SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { ChatOpenAI } from '@langchain/openai';
import { streamText } from 'ai';
import OpenAI from 'openai';
import { expected, kinds, playAll, startStories } from '../lib/stories.mjs';

const COUNT = process.env.REIN_LONG ? 1000 : Number(process.env.REIN_STORIES ?? 64);

// A fetch that keeps what came: { fetch, text() }.
function listening() {
  let kept;
  return {
    fetch: async (...request) => {
      const response = await fetch(...request);
      const [theirs, ours] = response.body.tee();
      kept = new Response(ours).text();
      return new Response(theirs, response);
    },
    text: () => kept,
  };
}

// Each reads a story's stream with its client: { reasoning, content, finish }, undefined where the client tells nothing.
const clients = {
  async openai(story, baseURL, fetch) {
    const client = new OpenAI({ baseURL, apiKey: 'any', maxRetries: 0, fetch });
    const seen = { reasoning: '', content: '', finish: [] };
    for await (const { choices: [choice] } of await client.chat.completions.create({ model: story.model, stream: true, messages: [{ role: 'user', content: story.question }] })) {
      if (!choice) continue;
      seen.reasoning += choice.delta.reasoning_content ?? choice.delta.reasoning ?? '';
      seen.content += choice.delta.content ?? '';
      if (choice.finish_reason) seen.finish.push(choice.finish_reason);
    }
    return seen;
  },

  // The helper that insists on a whole stream: one role, a finish reason.
  async 'openai, its helper'(story, baseURL, fetch) {
    const client = new OpenAI({ baseURL, apiKey: 'any', maxRetries: 0, fetch });
    const final = await client.chat.completions.stream({ model: story.model, stream: true, messages: [{ role: 'user', content: story.question }] }).finalChatCompletion();
    assert.equal(final.choices.length, 1);
    return { content: final.choices[0].message.content, finish: [final.choices[0].finish_reason] };
  },

  async 'ai with @ai-sdk/openai-compatible'(story, baseURL, fetch) {
    const provider = createOpenAICompatible({ name: 'rein', baseURL, apiKey: 'any', fetch });
    const seen = { reasoning: '', content: '', finish: [] }, errors = [];
    for await (const part of streamText({ model: provider(story.model), prompt: story.question, maxRetries: 0 }).fullStream) {
      if (part.type === 'text-delta') seen.content += part.text;
      if (part.type === 'reasoning-delta') seen.reasoning += part.text;
      if (part.type === 'finish') seen.finish.push(part.finishReason.replace('-', '_'));
      if (part.type === 'error') errors.push(part.error);
    }
    assert.deepEqual(errors, []);
    return seen;
  },

  async '@langchain/openai'(story, baseURL, fetch) {
    const model = new ChatOpenAI({ model: story.model, apiKey: 'any', configuration: { baseURL, fetch }, maxRetries: 0 });
    const seen = { reasoning: '', content: '', finish: [] };
    for await (const chunk of await model.stream(story.question)) {
      seen.content += chunk.content;
      seen.reasoning += chunk.additional_kwargs.reasoning_content ?? '';
      if (chunk.response_metadata.finish_reason) seen.finish.push(chunk.response_metadata.finish_reason);
    }
    // It knows reasoning by one of its two names only.
    if (kinds[story.kind].kind === 'vllm') delete seen.reasoning;
    return seen;
  },
};

describe('a cut at any place', { timeout: process.env.REIN_LONG ? 1800000 : 400000 }, () => {
  let world;
  before(async () => { world = await startStories(); });
  after(() => world?.stop());

  for (const [name, read] of Object.entries(clients))
    test(`${name}: ${COUNT} streams`, async () => {
      world.forget();
      await playAll(world, COUNT, async (story) => {
        const wire = listening(), want = expected(story);
        const seen = await read(story, `http://127.0.0.1:${world.rein.port}/v1`, wire.fetch);
        assert.deepEqual(seen.finish, [want.finish], `story ${story.id}`);
        assert.equal(seen.content.trim(), want.content, `story ${story.id}`);
        if (seen.reasoning !== undefined) assert.equal(seen.reasoning, want.reasoning, `story ${story.id}`);
        return wire.text();
      });
    });
});
