// Masked prompts: what rules redact never reaches the upstream, wherever it stands in a request of any API, and comes
// back only where the answer repeats its placeholder.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ask, chat, gather } from '../lib/client.mjs';
import * as messages from '../lib/messages.mjs';
import * as responses from '../lib/responses.mjs';
import { launch, startRein } from '../lib/rein.mjs';
import { completion, delta, startUpstream, stream } from '../lib/upstream.mjs';

const CARD = '4111 1111 1111 1111', OTHER = '5500 0055 5555 5559', MAIL = 'ada@example.com', SECRET = 'BADGE-123456';
const rules = `
  - { id: card-number, channels: [prompt], builtin: card_number, action: redact, restore: true }
  - { id: mail, channels: [prompt], builtin: email, action: redact, restore: true }
  - { id: badge, channels: [prompt], regex: 'BADGE-[0-9]{6}', action: redact, replacement: "[badge]" }
  - { id: never, channels: [prompt], literal: "forbidden words", action: refuse }
  - { id: shown, channels: [answer], builtin: card_number, action: redact }
  - { id: wish, channels: [answer], literal: "a wish", match: raw, action: steer }
`;
const policy = (more = '') => `
version: 1
name: default
prefix: { template: none, deliver: off, when: never }
steer: { max_attempts: 2, template: corrective }
reasoning: { show: stream, release: stream }
request: { unknown: pass, unjudged_parts: pass }
log: { text: full }
rules:${rules}${more}`;
const PLACEHOLDER = /\[card-number:[A-Z2-9]{8}\]/, NAME = /\[[a-z-]+:[A-Z2-9]{8}\]/g;
const spelled = [CARD, OTHER, MAIL, SECRET, CARD.replaceAll(' ', ''), OTHER.replaceAll(' ', '')];

// Pieces of a text, so small that every placeholder is cut.
const cut = (text, size = 5) => text.match(new RegExp(`[^]{1,${size}}`, 'gu')) ?? [''];
const user = (text) => [{ role: 'user', content: text }];
const dialects = {
  chat: {
    path: '/v1/chat/completions',
    body: (text, more) => ({ model: 'm', messages: user(text), ...more }),
    sent: (call) => call.json.messages.at(-1).content,
    answer: async (call, { reasoning, text, tool }, size) => {
      const calls = tool && [{ index: 0, id: 'c', type: 'function', function: { name: 'pay', arguments: tool } }];
      if (!call.json.stream) {
        const whole = completion({ reasoning, answer: text });
        if (tool) whole.choices[0].message.tool_calls = calls;
        return call.reply(200, whole);
      }
      await call.begin();
      if (tool) await call.event(delta({ tool_calls: calls }));
      await call.chunk(stream({ reasoning: cut(reasoning ?? '', size), answer: cut(text, size) }));
      return call.end();
    },
    read: ({ text, json }) => {
      if (!json) return { text: gather(text).content, reasoning: gather(text).reasoning, all: text };
      const { message } = json.choices[0];
      return { text: message.content, reasoning: message.reasoning_content ?? '', tool: message.tool_calls?.[0].function.arguments, all: text };
    },
  },
  messages: {
    path: '/v1/messages',
    body: (text, more) => ({ model: 'm', max_tokens: 100, messages: user(text), ...more }),
    sent: (call) => call.json.messages.at(-1).content,
    answer: (call, { reasoning, text, tool }, size) =>
      messages.say(call, { ...(reasoning && { thinking: cut(reasoning, size) }), text: cut(text, size), ...(tool && { tool: { name: 'pay', input: cut(tool, size) } }) }),
    read: ({ text, json }) => {
      if (!json) { const seen = messages.gatherMessages(text); return { text: seen.text, reasoning: seen.thinking, tool: seen.tools[0]?.input, all: text }; }
      const of = (type) => json.content.find((block) => block.type === type);
      return { text: of('text').text, reasoning: of('thinking')?.thinking ?? '', tool: of('tool_use') && JSON.stringify(of('tool_use').input), all: text };
    },
  },
  responses: {
    path: '/v1/responses',
    body: (text, more) => ({ model: 'm', input: text, ...more }),
    sent: (call) => call.json.input,
    answer: (call, { reasoning, text, tool }, size) =>
      responses.say(call, { ...(reasoning && { reasoning: cut(reasoning, size) }), text: cut(text, size), ...(tool && { tool: { name: 'pay', input: cut(tool, size) } }) }),
    read: ({ text, json }) => {
      if (!json) { const seen = responses.gatherResponses(text); return { text: seen.text, reasoning: seen.reasoning, tool: seen.calls[0]?.input, all: text }; }
      const of = (type) => json.output.find((item) => item.type === type);
      return { text: of('message').content[0].text, reasoning: of('reasoning')?.content[0].text ?? '', tool: of('function_call')?.arguments, all: text };
    },
  },
};

describe('masked prompts', { timeout: 240000 }, () => {
  let upstream, rein, serve;
  before(async () => {
    upstream = await startUpstream((call) => serve(call));
    rein = await startRein({ upstream: upstream.url, up: 'kind: openai, apis: [chat, messages, responses, embeddings]', policy: policy() });
  });
  after(async () => {
    await rein?.clean();
    await upstream?.stop();
  });
  const lastSent = () => upstream.calls.at(-1).text;
  // No value reached the upstream with this request, in whatever spelling; the request is still JSON.
  function checkSent(from) {
    for (const call of upstream.calls.slice(from))
      for (const value of spelled) {
        assert.ok(!call.head.includes(value) && !call.text.includes(value), call.text);
        assert.ok(!JSON.stringify(call.json).includes(value), call.text);
      }
  }

  for (const [name, d] of Object.entries(dialects))
    for (const streamed of [false, true])
      describe(`${name}${streamed ? ', streamed' : ''}`, () => {
        const run = async (prompt, says, { more = {}, size } = {}) => {
          const from = upstream.calls.length;
          serve = (call) => d.answer(call, typeof says === 'function' ? says(d.sent(call)) : says, size);
          const answer = await ask(rein.port, { path: d.path, body: d.body(prompt, { ...more, ...(streamed && { stream: true }) }) });
          checkSent(from);
          assert.equal(answer.status, 200, answer.text);
          return { ...d.read(answer), headers: answer.headers, sent: upstream.calls.length > from ? d.sent(upstream.calls.at(-1)) : undefined };
        };

        test('a value is masked, and comes back in the answer', async () => {
          const seen = await run(`Pay with ${CARD}, not ${OTHER}.`, (sent) => ({ text: `You said: ${sent} Done.` }));
          assert.match(seen.sent, /^Pay with \[card-number:[A-Z2-9]{8}\], not \[card-number:[A-Z2-9]{8}\]\.$/);
          assert.equal(seen.text, `You said: Pay with ${CARD}, not ${OTHER}. Done.`);
          const row = await rein.row(seen.headers['x-rein-decision']);
          assert.deepEqual(row.findings.map((f) => [f.id, f.channel, f.action, f.offset, f.len]), [['card-number', 'prompt', 'redact', 9, 19], ['card-number', 'prompt', 'redact', 34, 19]]);
          assert.equal(row.verdict, 'redact');
          const flow = row.flow?.prompt ?? { redacted: row.prompt_redacted };
          assert.equal(flow.redacted, 38);
          assert.ok(!JSON.stringify(row).includes('4111'), JSON.stringify(row));
        });
        for (const size of [1, 2, 3, 7, 19, 1000])
          test(`in pieces of ${size}`, async () => {
            const seen = await run(`Card ${CARD}`, (sent) => ({ text: `${sent} ${sent}` }), { size });
            assert.equal(seen.text, `Card ${CARD} Card ${CARD}`);
          });
        test('without restore, a fixed text stands there and stays', async () => {
          const seen = await run(`I am ${SECRET}.`, (sent) => ({ text: sent }));
          assert.deepEqual([seen.sent, seen.text], ['I am [badge].', 'I am [badge].']);
        });
        test('only in the answer: reasoning and tools keep the placeholder', async () => {
          const seen = await run(`Card ${CARD}`, (sent) => ({ reasoning: `They gave ${sent}.`, text: sent, tool: JSON.stringify({ card: sent.slice(5) }) }));
          assert.match(seen.reasoning, PLACEHOLDER);
          assert.equal(seen.text, `Card ${CARD}`);
          assert.equal(seen.all.split(CARD).length - 1 > 0, true);
          assert.match(seen.tool ?? seen.all, PLACEHOLDER);
          assert.ok(!(seen.tool ?? '').includes('4111') && !seen.reasoning.includes('4111'));
        });
        test('not in links', async () => {
          const seen = await run(`Card ${CARD}`, (sent) => {
            const mark = sent.slice(5);
            return { text: `![x](https://h.example/?q=${mark}) <img src="//h/ ${mark}"> https://h.example/${mark} [y]: ${mark}\n\nand ${mark}` };
          });
          assert.equal(seen.text.split(CARD).length - 1, 1);
          assert.ok(seen.text.endsWith(`and ${CARD}`), seen.text);
        });
        test('not where it is spelled otherwise, or is of another request', async () => {
          const first = await run(`Card ${OTHER}`, (sent) => ({ text: sent }));
          const foreign = PLACEHOLDER.exec(first.sent)[0];
          const said = (mark) => `${foreign} ${mark.toLowerCase()} ${mark.slice(0, -1)} ${mark.replace(':', ': ')} [card-number:AAAAAAAA]`;
          let mark;
          const seen = await run(`Card ${CARD}`, (sent) => ({ text: said(mark = PLACEHOLDER.exec(sent)[0]) }));
          assert.equal(seen.text, said(mark));
        });
        test('the same value has the same placeholder in the next request', async () => {
          const one = await run(`${CARD} and ${CARD}`, { text: 'ok' }), two = await run(`It is ${CARD}`, { text: 'ok' });
          const marks = [...one.sent.match(NAME), ...two.sent.match(NAME)];
          assert.equal(marks.length, 3);
          assert.equal(new Set(marks).size, 1);
        });
        test('rules of the answer see the placeholder, and the value of the client passes', async () => {
          const seen = await run(`Card ${CARD}`, (sent) => ({ text: `${sent}, ${OTHER}` }));
          assert.equal(seen.text, `Card ${CARD}, [redacted]`);
        });
        test('an answer that is JSON stays JSON', async () => {
          const value = `He said "${CARD}"`;
          const seen = await run(`Quote: ${CARD} and ${MAIL}`, (sent) => {
            const [card, mail] = sent.match(NAME);
            return { text: JSON.stringify({ card, text: `"${card}"\n`, mail, list: [card], url: `https://h.example/${card}`, [card]: 1 }).replace('/', '\\/') };
          });
          const read = JSON.parse(seen.text);
          assert.deepEqual([read.card, read.text, read.mail, read.list], [CARD, `"${CARD}"\n`, MAIL, [CARD]], value);
          assert.match(read.url, PLACEHOLDER);
          assert.match(Object.keys(read).at(-1), PLACEHOLDER);
        });
        test('kept text has the placeholder', async () => {
          const seen = await run(`Card ${CARD}`, (sent) => ({ text: sent }));
          const row = await rein.row(seen.headers['x-rein-decision']);
          const kept = Object.fromEntries(row.texts.map(({ channel, text }) => [channel, text]));
          assert.match(kept.answer, /^Card \[card-number:[A-Z2-9]{8}\]$/);
          assert.equal(kept.prompt, `Card ${'*'.repeat(CARD.length)}`);
        });
        test('a prompt that is refused is refused', async () => {
          const from = upstream.calls.length;
          const answer = await ask(rein.port, { path: d.path, body: d.body(`forbidden words ${CARD}`, streamed ? { stream: true } : {}) });
          assert.equal(upstream.calls.length, from, answer.text);
        });
        test('a steered answer is asked for with the masked prompt', async () => {
          const from = upstream.calls.length;
          serve = (call) => d.answer(call, upstream.calls.length === from + 1 ? { text: 'a wish' } : { text: `Your card is ${JSON.stringify(call.json).match(PLACEHOLDER)[0]}.` });
          const answer = await ask(rein.port, { path: d.path, body: d.body(`Card ${CARD}`, streamed ? { stream: true } : {}) });
          checkSent(from);
          assert.equal(upstream.calls.length, from + 2, answer.text);
          assert.equal(d.read(answer).text, `Your card is ${CARD}.`);
        });
      });

  // ---- where a value may stand ----
  const ok = {
    chat: (call) => dialects.chat.answer(call, { text: 'ok' }),
    messages: (call) => dialects.messages.answer(call, { text: 'ok' }),
    responses: (call) => dialects.responses.answer(call, { text: 'ok' }),
    embeddings: (call) => call.reply(200, { object: 'list', data: [{ object: 'embedding', index: 0, embedding: [0.5] }], model: 'm', usage: { prompt_tokens: 1, total_tokens: 1 } }),
    count: (call) => call.reply(200, { input_tokens: 3 }),
  };
  const asked = (more) => ({ model: 'm', messages: user('hello'), ...more });
  const turn = (...items) => ({ model: 'm', messages: [...items, ...user('go on')] });
  const called = (fields) => turn({ role: 'assistant', content: null, tool_calls: [{ id: 'c1', type: 'function', function: { name: 'f', arguments: '{}' }, ...fields }] }, { role: 'tool', tool_call_id: 'c1', content: 'x' });
  const block = (...blocks) => ({ model: 'm', max_tokens: 9, messages: [{ role: 'user', content: 'x' }, { role: 'assistant', content: blocks }, { role: 'user', content: 'y' }] });
  const result = (...content) => ({ model: 'm', max_tokens: 9, messages: [{ role: 'user', content: 'x' }, { role: 'assistant', content: [{ type: 'tool_use', id: 't1', name: 'f', input: {} }] }, { role: 'user', content: [{ type: 'tool_result', tool_use_id: 't1', content }] }] });
  const items = (...input) => ({ model: 'm', input: [...input, { role: 'user', content: 'go on' }] });
  const tool = (fields) => ({ type: 'function', function: { name: 'f', ...fields } });
  const masked = {
    chat: {
      'a message of each role': turn({ role: 'system', content: `Card ${CARD}` }, { role: 'assistant', content: CARD }, { role: 'user', content: CARD }),
      'parts': { model: 'm', messages: [{ role: 'user', content: [{ type: 'text', text: `a ${CARD}` }, { type: 'text', text: MAIL }] }] },
      'a value over two parts': { model: 'm', messages: [{ role: 'user', content: [{ type: 'text', text: 'a 4111 1111' }, { type: 'text', text: ' 1111 1111 b' }] }] },
      'a result of a tool': turn({ role: 'assistant', content: null, tool_calls: [{ id: 'c1', type: 'function', function: { name: 'f', arguments: `{"card":"${CARD}","n":4111111111111111}` } }] }, { role: 'tool', tool_call_id: 'c1', content: `{"card":"${CARD}","n":4111111111111111}` }),
      'earlier reasoning': turn({ role: 'assistant', content: 'x', reasoning_content: CARD }),
      'a definition of a tool': asked({ tools: [tool({ description: `for ${CARD}`, parameters: { type: 'object', properties: { a: { type: 'string', description: CARD, enum: [CARD, 'x'], default: CARD } } } })] }),
      'metadata, user, stop, prediction': asked({ metadata: { who: MAIL, card: CARD }, user: MAIL, stop: [CARD], prediction: { type: 'content', content: CARD } }),
      'a schema of the answer': asked({ response_format: { type: 'json_schema', json_schema: { name: 'f', description: CARD, schema: { type: 'object', properties: { a: { type: 'string', description: CARD } } } } } }),
      'a dropped field beside it': turn({ role: 'assistant', content: CARD, parsed: { card: CARD } }),
      'unknown text': asked({ instructions: CARD }),
    },
    messages: {
      'a system prompt': { ...block({ type: 'text', text: 'a' }), system: `Card ${CARD}` },
      'a system prompt in blocks': { ...block({ type: 'text', text: 'a' }), system: [{ type: 'text', text: CARD, cache_control: { type: 'ephemeral' } }] },
      'text and unsigned thinking': block({ type: 'thinking', thinking: CARD, signature: '' }, { type: 'text', text: CARD }),
      'a call of a tool': block({ type: 'tool_use', id: 't1', name: 'f', input: { card: CARD, n: 4111111111111111, list: [{ a: CARD }] } }),
      'a result of a tool': result({ type: 'text', text: CARD }),
      'a document': result({ type: 'document', source: { type: 'text', media_type: 'text/plain', data: CARD }, title: CARD, context: CARD }),
      'metadata, stops, tools': { ...block({ type: 'text', text: 'a' }), metadata: { user_id: MAIL }, stop_sequences: [CARD], tools: [{ name: 'f', description: CARD, input_schema: { type: 'object' } }] },
    },
    responses: {
      'items': items({ role: 'user', content: [{ type: 'input_text', text: CARD }] }, { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: CARD, annotations: [] }] }),
      'calls and their results': items({ type: 'function_call', call_id: 'c', name: 'f', arguments: `{"a":"${CARD}"}` }, { type: 'function_call_output', call_id: 'c', output: CARD },
        { type: 'custom_tool_call', call_id: 'd', name: 'g', input: CARD }, { type: 'custom_tool_call_output', call_id: 'd', output: [{ type: 'input_text', text: CARD }] }),
      'a summary that is not sealed': items({ type: 'reasoning', id: 'r', summary: [{ type: 'summary_text', text: CARD }] }),
      'instructions and metadata': { model: 'm', input: CARD, instructions: `Card ${CARD}`, metadata: { a: CARD }, safety_identifier: MAIL, prompt_cache_key: MAIL, store: true },
    },
    embeddings: {
      'one': { model: 'm', input: `Card ${CARD}` },
      'several': { model: 'm', input: ['a', CARD, MAIL], user: MAIL },
    },
    count: { 'a count of tokens': { model: 'm', messages: user(`Card ${CARD}`), system: MAIL } },
  };
  const paths = { chat: '/v1/chat/completions', messages: '/v1/messages', responses: '/v1/responses', embeddings: '/v1/embeddings', count: '/v1/messages/count_tokens' };
  for (const [api, cases] of Object.entries(masked))
    for (const [name, body] of Object.entries(cases))
      test(`${api}: ${name}`, async () => {
        const from = upstream.calls.length;
        serve = ok[api];
        for (const spell of [JSON.stringify, (value) => JSON.stringify(value, null, 2).replaceAll('1', '\\u0031').replaceAll(/(?<=[:[,] ?)\\u0031(?=[\d.,\]}])/g, '1').replaceAll(/: (4[\\u0031]{50,})/g, (_, n) => `: ${n.replaceAll('\\u0031', '1')}`)]) {
          const text = spell(body);
          JSON.parse(text);
          const answer = await ask(rein.port, { path: paths[api], body: text });
          assert.equal(answer.status, 200, answer.text);
          checkSent(from);
          assert.match(lastSent(), /\[(card-number|mail):[A-Z2-9]{8}\]/);
          assert.equal(answer.headers['x-rein-verdict'], 'redact');
        }
      });

  // ---- where it cannot be changed ----
  const refused = {
    chat: [
      ['messages[0].tool_calls[0].id', called({ id: CARD })],
      ['messages[0].tool_calls[0].function.name', called({ function: { name: SECRET, arguments: '{}' } })],
      ['messages[1].name', { model: 'm', messages: [...user('a'), { role: 'user', name: SECRET, content: 'x' }] }],
      ['tools[0].function.parameters.properties', asked({ tools: [tool({ parameters: { type: 'object', properties: { [CARD]: { type: 'string' } } } })] })],
      ['tools[0].function.parameters.properties.a.maximum', asked({ tools: [tool({ parameters: { type: 'object', properties: { a: { maximum: 4111111111111111 } } } })] })],
      ['tools[0].function.parameters.properties.a.pattern', asked({ tools: [tool({ parameters: { type: 'object', properties: { a: { type: 'string', pattern: SECRET } } } })] })],
      ['metadata', asked({ metadata: { [MAIL]: 'x' } })],
      ['messages[0].content[0].image_url.url', { model: 'm', messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: `https://h/${SECRET}` } }] }] }],
      ['messages[0].thinking_blocks[0].thinking', turn({ role: 'assistant', content: 'x', thinking_blocks: [{ type: 'thinking', thinking: CARD, signature: 'c2ln' }] })],
      ['made_up', asked({ made_up: CARD })],
      ['made_up', asked({ made_up: 4111111111111111 })],
    ],
    messages: [
      ['messages[1].content[0].thinking', block({ type: 'thinking', thinking: `so ${CARD}`, signature: 'c2lnbmVk' }, { type: 'text', text: 'x' })],
      ['messages[1].content[0].id', block({ type: 'tool_use', id: SECRET, name: 'f', input: {} })],
      ['messages[1].content[0].input', block({ type: 'tool_use', id: 't1', name: 'f', input: { [CARD]: 1 } })],
    ],
    responses: [
      ['input[0].summary[0].text', items({ type: 'reasoning', id: 'r', summary: [{ type: 'summary_text', text: CARD }], encrypted_content: 'c2VhbGVk' })],
      ['input[0].call_id', items({ type: 'function_call_output', call_id: SECRET, output: 'x' })],
    ],
    embeddings: [['encoding_format', { model: 'm', input: 'a', encoding_format: SECRET }]],
  };
  for (const [api, cases] of Object.entries(refused))
    for (const [param, body] of cases)
      test(`${api}: what cannot be changed is refused: ${param}`, async () => {
        const from = upstream.calls.length;
        serve = ok[api];
        const answer = await ask(rein.port, { path: paths[api], body });
        assert.equal(answer.status, 400, answer.text);
        assert.equal(upstream.calls.length, from);
        const { message, param: named } = answer.json.error;
        if (api !== 'messages') assert.equal(named, param);
        assert.ok(message.includes(`'${param}'`) && /policy masks/.test(message), message);
        for (const value of spelled) assert.ok(!answer.text.includes(value), answer.text);
        const row = await rein.row(answer.headers['x-rein-decision']);
        assert.equal(row.ending, 'rejected');
      });

  test('beside the body: the name of the model, headers, the id of the request', async () => {
    const number = CARD.replaceAll(' ', '');
    serve = ok.chat;
    const from = upstream.calls.length;
    const named = await ask(rein.port, { body: { ...chat('hello'), model: `m-${SECRET}` } });
    assert.deepEqual([named.status, named.json.error.param], [400, 'model']);
    assert.ok(!named.text.includes(SECRET), named.text);
    serve = ok.messages;
    const beta = await ask(rein.port, { path: paths.messages, headers: { 'anthropic-beta': SECRET }, body: dialects.messages.body('hello') });
    assert.equal(beta.status, 400);
    assert.ok(beta.json.error.message.includes('header') && !beta.text.includes(SECRET), beta.text);
    assert.equal(upstream.calls.length, from);
    serve = ok.chat;
    for (const [id, stays] of [[number, false], ['mine-1', true]]) {
      const { status, headers } = await ask(rein.port, { path: `${paths.chat}?card=${number}`, headers: { 'x-request-id': id, 'x-card': number }, body: chat('hello') });
      assert.deepEqual([status, headers['x-request-id'] === id], [200, stays]);
      assert.equal(upstream.calls.at(-1).headers['x-request-id'] === id, stays);
    }
    checkSent(from);
  });

  test('several choices', async () => {
    const mark = () => PLACEHOLDER.exec(lastSent())[0];
    serve = async (call) => {
      await call.begin();
      const text = `It is ${mark()}.`;
      for (const piece of cut(text, 4)) for (const i of [0, 1]) await call.event(delta({ content: piece }, null, i));
      for (const i of [0, 1]) await call.event(delta({}, 'stop', i));
      await call.event('[DONE]');
      return call.end();
    };
    const { text } = await ask(rein.port, { body: chat(CARD, { n: 2, stream: true }) });
    const of = ['', ''];
    for (const event of text.split('\n\n').filter((part) => part.startsWith('data: {')).map((part) => JSON.parse(part.slice(6))))
      for (const choice of event.choices) of[choice.index] += choice.delta.content ?? '';
    assert.deepEqual(of, [`It is ${CARD}.`, `It is ${CARD}.`]);
  });
  test('text that is no text passes: base64', async () => {
    serve = ok.chat;
    const url = `data:image/png;base64,${Buffer.from(CARD.repeat(9)).toString('base64')}`;
    const { status } = await ask(rein.port, { body: { model: 'm', messages: [{ role: 'user', content: [{ type: 'text', text: CARD }, { type: 'image_url', image_url: { url } }] }] } });
    assert.equal(status, 200);
    assert.equal(upstream.calls.at(-1).json.messages[0].content[1].image_url.url, url);
    assert.match(upstream.calls.at(-1).json.messages[0].content[0].text, PLACEHOLDER);
  });
  test('a whole request is what it was but for the masks', async () => {
    serve = ok.chat;
    const body = { model: 'm', temperature: 0.5, seed: 12345678901234567890n, messages: user('x') };
    const text = JSON.stringify({ ...body, seed: 0, messages: user(`\u{1f642} "é" \\ ${CARD}\n`) }).replace('"seed":0', '"seed": 12345678901234567890');
    const { status } = await ask(rein.port, { body: text });
    assert.equal(status, 200);
    assert.equal(lastSent(), text.replace(CARD, PLACEHOLDER.exec(lastSent())[0]));
  });
  test('a broken request is refused as ever', async () => {
    const { status } = await ask(rein.port, { body: `{"model":"m","messages":[{"role":"user","content":"${CARD}\\ud800"}]}` });
    assert.equal(status, 400);
  });
  test('no value is in the log, and the secret is for its owner alone', async () => {
    for (const value of spelled) assert.ok(!rein.log.includes(value), rein.log);
    assert.equal(fs.statSync(path.join(rein.folder, 'rein.secret')).mode & 0o777, 0o600);
  });
});

test('keys have placeholders of their own, which a restart of the server keeps', { timeout: 240000 }, async () => {
  const upstream = await startUpstream((call) => dialects.chat.answer(call, { text: call.json.messages[0].content }));
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-test-')), keys = {};
  for (const name of ['a', 'b']) {
    const run = launch(['key', 'add', path.join(folder, 'keys.yaml'), name], { cwd: folder });
    await run.exited;
    keys[name] = run.out.trim();
  }
  const options = { folder, upstream: upstream.url, listen: 'keys_file: keys.yaml', policy: policy() };
  const marks = async (rein) => {
    const found = [];
    for (const key of Object.values(keys)) {
      const answer = await ask(rein.port, { headers: { authorization: `Bearer ${key}` }, body: chat(`Card ${CARD}`) });
      assert.equal(answer.json.choices[0].message.content, `Card ${CARD}`, answer.text);
      found.push(PLACEHOLDER.exec(upstream.calls.at(-1).text)[0]);
    }
    return found;
  };
  let rein = await startRein(options);
  const first = await marks(rein);
  assert.notEqual(first[0], first[1]);
  // The other key's placeholder stays what it is.
  upstream.serve = (call) => dialects.chat.answer(call, { text: `${first[0]} ${first[1]}` });
  const { json } = await ask(rein.port, { headers: { authorization: `Bearer ${keys.a}` }, body: chat(CARD) });
  assert.equal(json.choices[0].message.content, `${CARD} ${first[1]}`);
  upstream.serve = (call) => dialects.chat.answer(call, { text: call.json.messages[0].content });
  await rein.clean();
  rein = await startRein(options);
  assert.deepEqual(await marks(rein), first);
  await rein.clean();
  fs.rmSync(folder, { recursive: true });
  await upstream.stop();
});
