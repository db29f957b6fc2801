// Anthropic's Messages through the SDKs that applications use: what each shows of a clean, edited, refused, steered and
// broken answer. docs/CLIENTS.md is compared with what was seen.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { createAnthropic } from '@ai-sdk/anthropic';
import { ChatAnthropic } from '@langchain/anthropic';
import { AIMessage, HumanMessage, ToolMessage } from '@langchain/core/messages';
import { streamText, jsonSchema } from 'ai';
import { clientsTable } from '../lib/clients_page.mjs';
import { say, streamed } from '../lib/messages.mjs';
import { startRein } from '../lib/rein.mjs';
import { startUpstream } from '../lib/upstream.mjs';

const rules = (release, more = '') => `
reasoning: { show: stream, release: ${release} }
patterns: {}
lexicons: []
request: { unknown: drop, unjudged_parts: pass }
refusal: { message: "I stop here.", finish_reason: content_filter, before_first_byte: error }
rules:
  - { id: asked, channels: [prompt], literal: "forbidden question", action: refuse }
  - { id: said, channels: [answer], literal: "forbidden answer", action: refuse }
  - { id: hush, channels: [reasoning, answer, tool], literal: "hush-7", match: raw, action: redact }
${more}`;
const policy = `version: 1\nname: default\nprefix: { template: none, deliver: off, when: never }${rules('stream')}`;
const steering = `version: 1\nname: steering\nprefix: { template: short, deliver: instruct, when: always, show: false }${rules('sentence',
  '  - { id: astray, channels: [reasoning, answer], literal: "astray words", match: raw, action: steer }')}
steer: { max_attempts: 2, max_added_ms: 60000, fallback: refuse }\n`;

const IMAGE = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABpfZFQAAAAABJRU5ErkJggg==';
const tools = [{ name: 'weather', description: 'Says the weather.', input_schema: { type: 'object', properties: { city: { type: 'string' } } } }];

// What the upstream says to each question.
const THOUGHT = 'The sky scatters light.', ANSWER = 'It is blue.';
const answers = {
  clean: { thinking: ['The sky ', 'scatters light.'], text: ['It is ', 'blue.'] },
  tool: { thinking: 'A tool knows.', tool: { name: 'weather', input: ['{"city"', ':"Oslo"}'] } },
  result: { text: 'It rains in Oslo.' },
  'refused in the middle': { thinking: THOUGHT, text: ['Well: ', 'a forbidden ', 'answer, then.'] },
  'redacted reasoning': { thinking: ['The word is hu', 'sh-7.'], text: ANSWER },
  'redacted answer': { thinking: THOUGHT, text: ['The word is hu', 'sh-7.'] },
  'redacted arguments': { tool: { name: 'weather', input: ['{"city":"hu', 'sh-7"}'] } },
  image: { text: 'A dot.' },
  'forbidden question': { text: 'never' },
};
const asked = new Map(); // how often each question came

function questionOf(call) {
  const last = call.json.messages.at(-1);
  const blocks = Array.isArray(last.content) ? last.content : [{ type: 'text', text: last.content }];
  if (blocks.some((block) => block.type === 'tool_result')) return 'result';
  return blocks.find((block) => block.type === 'text').text;
}

async function serve(call) {
  const question = questionOf(call), said = answers[question];
  asked.set(question, (asked.get(question) ?? 0) + 1);
  if (question === 'steered') return say(call, asked.get(question) % 2 === 1
    ? { thinking: 'At first these astray words come.', text: 'a bad answer' } : { thinking: 'Better so.', text: ANSWER });
  if (question === 'error before') return call.reply(529, { type: 'error', error: { type: 'overloaded_error', message: 'Too busy.' } });
  if (said) return say(call, said);
  // The others fail in the middle.
  if (!call.json.stream) {
    if (question === 'error in the middle') return call.reply(500, { type: 'error', error: { type: 'api_error', message: 'It failed.' } });
    await call.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{"id":');
    return call.breakOff();
  }
  await call.begin();
  const events = streamed(answers.clean);
  await call.chunk(events.slice(0, -4).join(''));
  if (question === 'error in the middle') {
    await call.event({ type: 'error', error: { type: 'overloaded_error', message: 'Too busy.' } }, 'error');
    return call.end();
  }
  if (question === 'leaves') return call.closed;
  return call.breakOff();
}

// ---- the clients: each asks a question and gives { thinking, text, tools, finish, error } --------------------------

const nothing = () => ({ thinking: '', text: '', tools: [], finish: undefined, error: undefined });
const image = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: IMAGE } };

// The request as Anthropic's own SDK takes it.
function body(question) {
  const turns = [{ role: 'user', content: question === 'image' ? [image, { type: 'text', text: 'image' }] : question }];
  if (question === 'result')
    turns.splice(0, 1, { role: 'user', content: 'tool' },
      { role: 'assistant', content: [{ type: 'thinking', thinking: 'A tool knows.', signature: 'c2lnbmVk' }, { type: 'tool_use', id: 'toolu_1', name: 'weather', input: { city: 'Oslo' } }] },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_1', content: 'rain' }] });
  return { model: question === 'steered' ? 'm-steering' : 'm', max_tokens: 2048, thinking: { type: 'enabled', budget_tokens: 1024 }, messages: turns, tools };
}

function takeMessage(seen, { content, stop_reason }) {
  for (const block of content) {
    if (block.type === 'thinking') seen.thinking += block.thinking;
    if (block.type === 'text') seen.text += block.text;
    if (block.type === 'tool_use') seen.tools.push({ name: block.name, input: block.input });
  }
  seen.finish = stop_reason;
}

const named = (error) => error.error?.error?.type ?? error.error?.type ?? error.name;

const clients = {
  async '@anthropic-ai/sdk'(question, base) {
    const seen = nothing(), client = new Anthropic({ baseURL: base, apiKey: 'any', maxRetries: 0 }), json = {};
    try {
      const stream = await client.messages.create({ ...body(question), stream: true });
      for await (const event of stream) {
        if (event.type === 'content_block_start' && event.content_block.type === 'tool_use') json[event.index] = { name: event.content_block.name, text: '' };
        if (event.type === 'content_block_delta') {
          seen.thinking += event.delta.thinking ?? '';
          seen.text += event.delta.text ?? '';
          if (event.delta.partial_json) json[event.index].text += event.delta.partial_json;
        }
        if (event.type === 'message_delta') seen.finish = event.delta.stop_reason;
        if (question === 'leaves' && seen.text) { stream.controller.abort(); break; }
      }
    } catch (error) { seen.error = named(error); }
    seen.tools = Object.values(json).map(({ name, text }) => ({ name, input: JSON.parse(text) }));
    return seen;
  },

  async 'its MessageStream'(question, base) {
    const seen = nothing(), client = new Anthropic({ baseURL: base, apiKey: 'any', maxRetries: 0 });
    const stream = client.messages.stream(body(question));
    const begun = nothing();
    stream.on('text', (text) => { begun.text += text; if (question === 'leaves') stream.abort(); });
    stream.on('thinking', (thinking) => { begun.thinking += thinking; });
    try {
      takeMessage(seen, await stream.finalMessage());
      assert.equal(seen.text, begun.text);
      assert.equal(seen.thinking, begun.thinking);
    } catch (error) {
      if (error.code === 'ERR_ASSERTION') throw error;
      Object.assign(seen, begun, { error: question === 'leaves' ? undefined : named(error) });
    }
    return seen;
  },

  async 'it, not streamed'(question, base) {
    const seen = nothing(), client = new Anthropic({ baseURL: base, apiKey: 'any', maxRetries: 0 });
    if (question === 'leaves') return undefined;
    try { takeMessage(seen, await client.messages.create(body(question))); } catch (error) { seen.error = named(error); }
    return seen;
  },

  async 'ai with @ai-sdk/anthropic'(question, base) {
    const seen = nothing(), provider = createAnthropic({ baseURL: `${base}/v1`, apiKey: 'any' }), leaving = new AbortController();
    const user = question === 'image' ? [{ type: 'image', image: Buffer.from(IMAGE, 'base64'), mediaType: 'image/png' }, { type: 'text', text: 'image' }] : question;
    const messages = question !== 'result' ? [{ role: 'user', content: user }] : [{ role: 'user', content: 'tool' },
      { role: 'assistant', content: [{ type: 'reasoning', text: 'A tool knows.', providerOptions: { anthropic: { signature: 'c2lnbmVk' } } },
        { type: 'tool-call', toolCallId: 'toolu_1', toolName: 'weather', input: { city: 'Oslo' } }] },
      { role: 'tool', content: [{ type: 'tool-result', toolCallId: 'toolu_1', toolName: 'weather', output: { type: 'text', value: 'rain' } }] }];
    const result = streamText({
      model: provider(body(question).model), messages, maxRetries: 0, abortSignal: leaving.signal, onError: () => {},
      providerOptions: { anthropic: { thinking: { type: 'enabled', budgetTokens: 1024 } } },
      tools: { weather: { description: 'Says the weather.', inputSchema: jsonSchema(tools[0].input_schema) } },
    });
    for await (const part of result.fullStream) {
      if (part.type === 'reasoning-delta') seen.thinking += part.text;
      if (part.type === 'text-delta') seen.text += part.text;
      if (part.type === 'tool-call') seen.tools.push({ name: part.toolName, input: part.input });
      if (part.type === 'finish') seen.finish = part.finishReason;
      if (part.type === 'error') seen.error = part.error?.data?.error?.type ?? part.error?.name ?? part.error?.type ?? 'error';
      if (question === 'leaves' && seen.text) leaving.abort();
    }
    if (seen.error !== undefined || question === 'leaves') seen.finish = undefined;
    return seen;
  },

  async '@langchain/anthropic'(question, base) {
    const seen = nothing(), leaving = new AbortController();
    const model = new ChatAnthropic({ model: body(question).model, apiKey: 'any', anthropicApiUrl: base, maxRetries: 0, maxTokens: 2048, thinking: { type: 'enabled', budget_tokens: 1024 } }).bindTools(tools);
    const user = question === 'image' ? [{ type: 'image', source_type: 'base64', mime_type: 'image/png', data: IMAGE }, { type: 'text', text: 'image' }] : question;
    const messages = question !== 'result' ? [new HumanMessage({ content: user })] : [new HumanMessage('tool'),
      new AIMessage({ content: [{ type: 'thinking', thinking: 'A tool knows.', signature: 'c2lnbmVk' }, { type: 'tool_use', id: 'toolu_1', name: 'weather', input: { city: 'Oslo' } }],
        tool_calls: [{ id: 'toolu_1', name: 'weather', args: { city: 'Oslo' } }] }), new ToolMessage({ tool_call_id: 'toolu_1', content: 'rain' })];
    let whole;
    try {
      for await (const chunk of await model.stream(messages, { signal: leaving.signal })) {
        whole = whole === undefined ? chunk : whole.concat(chunk);
        for (const block of Array.isArray(chunk.content) ? chunk.content : [{ type: 'text', text: chunk.content }]) {
          seen.thinking += block.thinking ?? '';
          seen.text += block.type?.startsWith('text') ? (block.text ?? '') : '';
        }
        if (chunk.additional_kwargs.stop_reason) seen.finish = chunk.additional_kwargs.stop_reason;
        if (question === 'leaves' && seen.text) { leaving.abort(); break; }
      }
      seen.tools = (whole?.tool_calls ?? []).map(({ name, args }) => ({ name, input: args }));
    } catch (error) { seen.error = named(error); }
    return seen;
  },
};

// ---- what has to be seen ---------------------------------------------------------------------------------------------

const steps = [
  ['a clean answer', 'clean', { thinking: THOUGHT, text: ANSWER, finish: 'end_turn' }],
  ['a tool is called', 'tool', { thinking: 'A tool knows.', tools: [{ name: 'weather', input: { city: 'Oslo' } }], finish: 'tool_use' }],
  ['and its result is sent', 'result', { text: 'It rains in Oslo.', finish: 'end_turn' }],
  ['the prompt is refused', 'forbidden question', { error: 'invalid_request_error' }],
  ['the answer is refused in its middle', 'refused in the middle', { thinking: THOUGHT, text: 'Well: a \nI stop here.', finish: 'refusal' }],
  ['a redaction in the reasoning', 'redacted reasoning', { thinking: 'The word is [redacted].', text: ANSWER, finish: 'end_turn' }],
  ['in the answer', 'redacted answer', { thinking: THOUGHT, text: 'The word is [redacted].', finish: 'end_turn' }],
  ['in arguments', 'redacted arguments', { tools: [{ name: 'weather', input: { city: '[redacted]' } }], finish: 'tool_use' }],
  ['steered, with a restart', 'steered', { thinking: 'Better so.', text: ANSWER, finish: 'end_turn' }],
  ['the upstream fails before', 'error before', { error: 'overloaded_error' }],
  ['in the middle', 'error in the middle', { thinking: THOUGHT, text: 'It is ', error: 'overloaded_error' }],
  ['it breaks off', 'breaks off', { thinking: THOUGHT, text: 'It is ', error: 'api_error' }],
  ['the client leaves', 'leaves', { thinking: THOUGHT, text: 'It is ' }],
  ['an image', 'image', { text: 'A dot.', finish: 'end_turn' }],
];

// What differs from one client to the other, each with its reason.
const own = {
  'it, not streamed': {
    // The whole answer is the refusal.
    'refused in the middle': { text: 'I stop here.', finish: 'refusal' },
    'error in the middle': { error: 'api_error' }, 'breaks off': { error: 'api_error' },
  },
  'ai with @ai-sdk/anthropic': {
    finishes: { end_turn: 'stop', tool_use: 'tool-calls', refusal: 'content-filter' },
  },
};

function cell(seen) {
  if (seen === undefined) return '-';
  const part = (name, text) => (text === '' ? [] : [text.includes('[redacted]') ? `${name} redacted` : name]);
  return [...part('reasoning', seen.thinking), ...part('answer', seen.text.replace(/\n?I stop here\./, '')), ...(seen.text.includes('I stop here.') ? ['refusal'] : []),
    ...seen.tools.flatMap(({ input }) => part('call', JSON.stringify(input))), seen.error ?? seen.finish ?? 'gone'].join(', ');
}

describe('clients of Messages', { timeout: 240000 }, () => {
  const table = clientsTable('messages');
  let rein, upstream;
  before(async () => {
    upstream = await startUpstream(serve);
    rein = await startRein({
      policy, policies: { steering },
      config: `
version: 1
listen: { address: "127.0.0.1:0" }
admin: { address: "127.0.0.1:0" }
upstreams:
  - { name: up, kind: anthropic, url: "${upstream.url}", api_key_env: REIN_TEST_UPSTREAM_KEY }
routes:
  - { name: steering, match: { models: ["m-steering"] }, upstream: up, policy: steering }
  - { name: default, match: { models: ["m"] }, upstream: up, policy: default }
timeouts: { drain_ms: 200 }
store: { url: "sqlite:rein.db" }
`,
    });
  });
  after(async () => {
    await rein?.clean();
    await upstream?.stop();
  });

  for (const [situation, question, common] of steps)
    for (const [name, ask] of Object.entries(clients))
      test(`${name}: ${situation}`, async () => {
        const before = upstream.calls.length;
        const seen = await ask(question, `http://127.0.0.1:${rein.port}`);
        table.note(name, situation, cell(seen));
        if (seen === undefined) return;
        const want = { ...nothing(), ...(own[name]?.[question] ?? common) };
        if (want.finish !== undefined) want.finish = own[name]?.finishes?.[want.finish] ?? want.finish;
        assert.deepEqual(seen, want);
        const call = upstream.calls[before];
        if (question === 'forbidden question') {
          assert.equal(call, undefined);
        } else {
          assert.deepEqual([call.headers['x-api-key'], call.headers.authorization], ['upstream-secret', undefined]);
          assert.match(call.headers['anthropic-version'], /^20\d\d-\d\d-\d\d$/);
        }
        if (question === 'image') assert.ok(call.text.includes(IMAGE));
        if (question === 'leaves') await call.closed;
      });

  test('the page says what was seen', () => table.check());
});
