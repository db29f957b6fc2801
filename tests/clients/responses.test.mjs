// OpenAI's Responses through the SDKs that applications use: what each shows of a clean, edited, refused, steered and
// broken answer. docs/CLIENTS.md is compared with what was seen.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createOpenAI } from '@ai-sdk/openai';
import { AIMessage, HumanMessage, ToolMessage } from '@langchain/core/messages';
import { ChatOpenAI } from '@langchain/openai';
import { jsonSchema, streamText } from 'ai';
import OpenAI from 'openai';
import { clientsTable } from '../lib/clients_page.mjs';
import { startRein } from '../lib/rein.mjs';
import { say, streamed } from '../lib/responses.mjs';
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
const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false };

// What the upstream says to each question.
const THOUGHT = 'The sky scatters light.', ANSWER = 'It is blue.';
const answers = {
  clean: { summary: ['The sky ', 'scatters light.'], text: ['It is ', 'blue.'] },
  'reasoning as text': { reasoning: ['The sky ', 'scatters light.'], text: ['It is ', 'blue.'] },
  tool: { summary: 'A tool knows.', tool: { name: 'weather', input: ['{"city"', ':"Oslo"}'] } },
  result: { text: 'It rains in Oslo.' },
  'refused in the middle': { summary: THOUGHT, text: ['Well: ', 'a forbidden ', 'answer, then.'] },
  'redacted reasoning': { summary: ['The word is hu', 'sh-7.'], text: ANSWER },
  'redacted answer': { summary: THOUGHT, text: ['The word is hu', 'sh-7.'] },
  'redacted arguments': { tool: { name: 'weather', input: ['{"city":"hu', 'sh-7"}'] } },
  image: { text: 'A dot.' },
  'forbidden question': { text: 'never' },
};
const asked = new Map(); // how often each question came

function questionOf(call) {
  const { input } = call.json;
  if (typeof input === 'string') return input;
  const last = input.at(-1);
  if (last.type === 'function_call_output') return 'result';
  return typeof last.content === 'string' ? last.content : last.content.find((part) => part.type === 'input_text').text;
}

async function serve(call) {
  const question = questionOf(call), said = answers[question];
  asked.set(question, (asked.get(question) ?? 0) + 1);
  if (question === 'steered') return say(call, asked.get(question) % 2 === 1
    ? { summary: 'At first these astray words come.', text: 'a bad answer' } : { summary: 'Better so.', text: ANSWER });
  if (question === 'error before') return call.reply(429, { error: { type: 'rate_limit_error', code: 'rate_limit_exceeded', message: 'Too busy.' } });
  if (said) return say(call, said, { other: question === 'reasoning as text' });
  // The others fail in the middle.
  if (!call.json.stream) {
    if (question === 'error in the middle') return call.reply(500, { error: { type: 'server_error', code: 'server_error', message: 'It failed.' } });
    await call.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{"id":');
    return call.breakOff();
  }
  await call.begin();
  const events = streamed(answers.clean), at = events.findIndex((event) => event.includes('blue'));
  await call.chunk(events.slice(0, at).join(''));
  if (question === 'error in the middle') {
    await call.event({ type: 'error', code: 'server_error', message: 'It failed.', param: null, sequence_number: at }, 'error');
    return call.end();
  }
  if (question === 'leaves') return call.closed;
  return call.breakOff();
}

// ---- the clients: each asks a question and gives { reasoning, text, tools, finish, error } -------------------------

const nothing = () => ({ reasoning: '', text: '', tools: [], finish: undefined, error: undefined });
const modelOf = (question) => (question === 'steered' ? 'm-steering' : 'm');

// The request as OpenAI's own SDK takes it.
function body(question) {
  let input = question;
  if (question === 'image')
    input = [{ role: 'user', content: [{ type: 'input_text', text: 'image' }, { type: 'input_image', detail: 'auto', image_url: `data:image/png;base64,${IMAGE}` }] }];
  if (question === 'result')
    input = [{ role: 'user', content: 'tool' }, { type: 'reasoning', id: 'rs_1', summary: [{ type: 'summary_text', text: 'A tool knows.' }], encrypted_content: 'c2VhbGVk' },
      { type: 'function_call', id: 'fc_1', call_id: 'call_1', name: 'weather', arguments: '{"city":"Oslo"}' }, { type: 'function_call_output', call_id: 'call_1', output: 'rain' }];
  return {
    model: modelOf(question), input, store: false, include: ['reasoning.encrypted_content'], reasoning: { effort: 'low', summary: 'auto' },
    tools: [{ type: 'function', name: 'weather', description: 'Says the weather.', parameters: schema, strict: true }],
  };
}

function takeResponse(seen, response) {
  for (const item of response.output) {
    for (const part of [...(item.type === 'reasoning' ? [...item.summary, ...(item.content ?? [])] : [])]) seen.reasoning += part.text;
    for (const part of item.type === 'message' ? item.content : []) seen.text += part.text ?? part.refusal;
    if (item.type === 'function_call') seen.tools.push({ name: item.name, input: JSON.parse(item.arguments) });
  }
  seen.finish = response.incomplete_details?.reason ?? response.status;
}

const named = (error) => error.code ?? error.error?.code ?? error.name;
const openai = (base) => new OpenAI({ baseURL: `${base}/v1`, apiKey: 'any', maxRetries: 0 });

const clients = {
  async openai(question, base) {
    const seen = nothing();
    try {
      const stream = await openai(base).responses.create({ ...body(question), stream: true });
      for await (const event of stream) {
        if (/^response\.reasoning.*_text\.delta$/.test(event.type)) seen.reasoning += event.delta;
        if (event.type === 'response.output_text.delta') seen.text += event.delta;
        if (event.type === 'response.output_item.done' && event.item.type === 'function_call') seen.tools.push({ name: event.item.name, input: JSON.parse(event.item.arguments) });
        if (event.type === 'response.completed' || event.type === 'response.incomplete') seen.finish = event.response.incomplete_details?.reason ?? event.response.status;
        if (event.type === 'error') seen.error = event.code;
        if (question === 'leaves' && seen.text) { stream.controller.abort(); break; }
      }
    } catch (error) { seen.error = named(error); }
    return seen;
  },

  async 'its ResponseStream'(question, base) {
    const seen = nothing(), begun = nothing(), stream = openai(base).responses.stream(body(question));
    stream.on('response.output_text.delta', ({ delta }) => { begun.text += delta; if (question === 'leaves') stream.abort(); });
    stream.on('event', (event) => { if (/^response\.reasoning.*_text\.delta$/.test(event.type)) begun.reasoning += event.delta; });
    try {
      takeResponse(seen, await stream.finalResponse());
      assert.deepEqual([seen.text, seen.reasoning], [begun.text, begun.reasoning]);
    } catch (error) {
      if (error.code === 'ERR_ASSERTION') throw error;
      Object.assign(seen, begun, { error: question === 'leaves' ? undefined : named(error) });
    }
    return seen;
  },

  async 'it, not streamed'(question, base) {
    const seen = nothing();
    if (question === 'leaves') return undefined;
    try { takeResponse(seen, await openai(base).responses.create(body(question))); } catch (error) { seen.error = named(error); }
    return seen;
  },

  async 'ai with @ai-sdk/openai'(question, base) {
    const seen = nothing(), provider = createOpenAI({ baseURL: `${base}/v1`, apiKey: 'any' }), leaving = new AbortController();
    const user = question === 'image' ? [{ type: 'text', text: 'image' }, { type: 'image', image: Buffer.from(IMAGE, 'base64'), mediaType: 'image/png' }] : question;
    const messages = question !== 'result' ? [{ role: 'user', content: user }] : [{ role: 'user', content: 'tool' },
      { role: 'assistant', content: [{ type: 'reasoning', text: 'A tool knows.', providerOptions: { openai: { itemId: 'rs_1', reasoningEncryptedContent: 'c2VhbGVk' } } },
        { type: 'tool-call', toolCallId: 'call_1', toolName: 'weather', input: { city: 'Oslo' } }] },
      { role: 'tool', content: [{ type: 'tool-result', toolCallId: 'call_1', toolName: 'weather', output: { type: 'text', value: 'rain' } }] }];
    const result = streamText({
      model: provider.responses(modelOf(question)), messages, maxRetries: 0, abortSignal: leaving.signal, onError: () => {},
      providerOptions: { openai: { store: false, reasoningSummary: 'auto', forceReasoning: true } },
      tools: { weather: { description: 'Says the weather.', inputSchema: jsonSchema(schema) } },
    });
    for await (const part of result.fullStream) {
      if (part.type === 'reasoning-delta') seen.reasoning += part.text;
      if (part.type === 'text-delta') seen.text += part.text;
      if (part.type === 'tool-call') seen.tools.push({ name: part.toolName, input: part.input });
      if (part.type === 'finish') seen.finish = part.finishReason;
      if (part.type === 'error') seen.error = part.error?.data?.error?.code ?? part.error?.error?.code ?? part.error?.code ?? part.error?.name ?? 'error';
      if (question === 'leaves' && seen.text) leaving.abort();
    }
    if (seen.error !== undefined || question === 'leaves') seen.finish = undefined;
    return seen;
  },

  async '@langchain/openai'(question, base) {
    const seen = nothing(), leaving = new AbortController();
    const model = new ChatOpenAI({
      model: modelOf(question), apiKey: 'any', configuration: { baseURL: `${base}/v1` }, maxRetries: 0, useResponsesApi: true, zdrEnabled: true,
      reasoning: { effort: 'low', summary: 'auto' },
    }).bindTools([{ type: 'function', function: { name: 'weather', description: 'Says the weather.', parameters: schema } }]);
    const user = question === 'image' ? [{ type: 'text', text: 'image' }, { type: 'image_url', image_url: { url: `data:image/png;base64,${IMAGE}` } }] : question;
    const messages = question !== 'result' ? [new HumanMessage({ content: user })] : [new HumanMessage('tool'),
      new AIMessage({ content: '', tool_calls: [{ id: 'call_1', name: 'weather', args: { city: 'Oslo' } }] }), new ToolMessage({ tool_call_id: 'call_1', content: 'rain' })];
    let whole;
    try {
      for await (const chunk of await model.stream(messages, { signal: leaving.signal })) {
        whole = whole === undefined ? chunk : whole.concat(chunk);
        for (const block of Array.isArray(chunk.content) ? chunk.content : [{ type: 'text', text: chunk.content }]) seen.text += block.type === 'text' ? (block.text ?? '') : '';
        for (const part of chunk.additional_kwargs.reasoning?.summary ?? []) seen.reasoning += part.text ?? '';
        const { status, incomplete_details: details } = chunk.response_metadata;
        if (status === 'completed' || status === 'incomplete') seen.finish = details?.reason ?? status;
        if (question === 'leaves' && seen.text) { leaving.abort(); break; }
      }
      seen.tools = (whole?.tool_calls ?? []).map(({ name, args }) => ({ name, input: args }));
    } catch (error) { seen.error = named(error); }
    return seen;
  },
};

// ---- what has to be seen ---------------------------------------------------------------------------------------------

const steps = [
  ['a clean answer', 'clean', { reasoning: THOUGHT, text: ANSWER, finish: 'completed' }],
  ['reasoning as text', 'reasoning as text', { reasoning: THOUGHT, text: ANSWER, finish: 'completed' }],
  ['a tool is called', 'tool', { reasoning: 'A tool knows.', tools: [{ name: 'weather', input: { city: 'Oslo' } }], finish: 'completed' }],
  ['and its result is sent', 'result', { text: 'It rains in Oslo.', finish: 'completed' }],
  ['the prompt is refused', 'forbidden question', { error: 'content_filter' }],
  ['the answer is refused in its middle', 'refused in the middle', { reasoning: THOUGHT, text: 'Well: a \nI stop here.', finish: 'content_filter' }],
  ['a redaction in the reasoning', 'redacted reasoning', { reasoning: 'The word is [redacted].', text: ANSWER, finish: 'completed' }],
  ['in the answer', 'redacted answer', { reasoning: THOUGHT, text: 'The word is [redacted].', finish: 'completed' }],
  ['in arguments', 'redacted arguments', { tools: [{ name: 'weather', input: { city: '[redacted]' } }], finish: 'completed' }],
  ['steered, with a restart', 'steered', { reasoning: 'Better so.', text: ANSWER, finish: 'completed' }],
  ['the upstream fails before', 'error before', { error: 'rate_limit_exceeded' }],
  ['in the middle', 'error in the middle', { reasoning: THOUGHT, text: 'It is ', error: 'server_error' }],
  ['it breaks off', 'breaks off', { reasoning: THOUGHT, text: 'It is ', error: 'upstream_broke' }],
  ['the client leaves', 'leaves', { reasoning: THOUGHT, text: 'It is ' }],
  ['an image', 'image', { text: 'A dot.', finish: 'completed' }],
];

// What differs from one client to the other, each with its reason.
const own = {
  'it, not streamed': {
    // The whole answer is the refusal.
    'refused in the middle': { text: 'I stop here.', finish: 'content_filter' },
    'error in the middle': { error: 'server_error' }, 'breaks off': { error: 'upstream_broke' },
  },
  'ai with @ai-sdk/openai': {
    finishes: { completed: 'stop', content_filter: 'content-filter' },
    // It shows summaries alone.
    'reasoning as text': { text: ANSWER, finish: 'completed' },
    tool: { reasoning: 'A tool knows.', tools: [{ name: 'weather', input: { city: 'Oslo' } }], finish: 'tool-calls' },
    'redacted arguments': { tools: [{ name: 'weather', input: { city: '[redacted]' } }], finish: 'tool-calls' },
  },
  '@langchain/openai': {
    'reasoning as text': { text: ANSWER, finish: 'completed' },
    'error in the middle': { reasoning: THOUGHT, text: 'It is ' }, // it overlooks OpenAI's own event of an error
  },
};

function cell(seen) {
  if (seen === undefined) return '-';
  const part = (name, text) => (text === '' ? [] : [text.includes('[redacted]') ? `${name} redacted` : name]);
  return [...part('reasoning', seen.reasoning), ...part('answer', seen.text.replace(/\n?I stop here\./, '')), ...(seen.text.includes('I stop here.') ? ['refusal'] : []),
    ...seen.tools.flatMap(({ input }) => part('call', JSON.stringify(input))), seen.error ?? seen.finish ?? 'gone'].join(', ');
}

describe('clients of Responses', { timeout: 240000 }, () => {
  const table = clientsTable('responses');
  let rein, upstream, base;
  before(async () => {
    upstream = await startUpstream(serve);
    rein = await startRein({
      policy, policies: { steering },
      config: `
version: 1
listen: { address: "127.0.0.1:0" }
admin: { address: "127.0.0.1:0" }
upstreams:
  - { name: up, kind: openai, url: "${upstream.url}", api_key_env: REIN_TEST_UPSTREAM_KEY }
routes:
  - { name: steering, match: { models: ["m-steering"] }, upstream: up, policy: steering }
  - { name: default, match: { models: ["m"] }, upstream: up, policy: default }
timeouts: { drain_ms: 200 }
store: { url: "sqlite:rein.db" }
`,
    });
    base = `http://127.0.0.1:${rein.port}`;
  });
  after(async () => {
    await rein?.clean();
    await upstream?.stop();
  });

  for (const [situation, question, common] of steps)
    for (const [name, ask] of Object.entries(clients))
      test(`${name}: ${situation}`, async () => {
        const before = upstream.calls.length;
        const seen = await ask(question, base);
        table.note(name, situation, cell(seen));
        if (seen === undefined) return;
        const want = { ...nothing(), ...(own[name]?.[question] ?? common) };
        if (want.finish !== undefined) want.finish = own[name]?.finishes?.[want.finish] ?? want.finish;
        assert.deepEqual(seen, want);
        const call = upstream.calls[before];
        if (question === 'forbidden question') {
          assert.equal(call, undefined);
        } else {
          assert.deepEqual([call.path, call.headers.authorization, call.json.store], ['/v1/responses', 'Bearer upstream-secret', false]);
        }
        if (question === 'image') assert.ok(call.text.includes(IMAGE));
        if (question === 'steered') assert.match(upstream.calls.at(-1).json.instructions, /./);
        if (question === 'leaves') await call.closed;
      });

  // By default this client keeps its answers at OpenAI, and refers to them.
  test('ai with @ai-sdk/openai, as it is by default: the message says what to set', async () => {
    const provider = createOpenAI({ baseURL: `${base}/v1`, apiKey: 'any' });
    const errors = [];
    const { fullStream } = streamText({
      model: provider.responses('m'), maxRetries: 0, onError: () => {},
      messages: [{ role: 'user', content: 'clean' },
        { role: 'assistant', content: [{ type: 'text', text: ANSWER, providerOptions: { openai: { itemId: 'msg_1' } } }] }, { role: 'user', content: 'clean' }],
    });
    for await (const part of fullStream) if (part.type === 'error') errors.push(part.error);
    assert.equal(errors.length, 1);
    assert.equal(errors[0].statusCode, 400);
    assert.match(errors[0].message, /item_reference.*Set 'store' to false/s);
  });

  test('the page says what was seen', () => table.check());
});
