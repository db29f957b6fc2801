// What is judged is the same on every route: one matrix of the places where text can stand, by the routes, streamed and
// not. Kinds of upstream and endpoints come from the binary and its source, so that a new one has to join.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { makers } from '../lib/backends.mjs';
import { events, gather } from '../lib/client.mjs';
import { gatherMessages, say as sayMessage } from '../lib/messages.mjs';
import { binary, startRein } from '../lib/rein.mjs';
import { gatherResponses, say as sayResponse } from '../lib/responses.mjs';
import { startUpstream } from '../lib/upstream.mjs';

const source = process.env.REIN_SOURCE_DIR ?? path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const schema = JSON.parse(execFileSync(binary, ['check', '--schema', 'config'], { encoding: 'utf8' }));
const kinds = schema.properties.upstreams.items.properties.kind.enum;

const SECRET = 'zx-violet-42-lantern', MARK = '[gone]';
const FRAGMENTS = ['so zx-vio', 'let-42', '-lantern it is'];
const WHOLE = FRAGMENTS.join(''), SAID = `so ${MARK} it is`;

const policy = (name, prefix) => `
version: 1
name: ${name}
prefix: ${prefix}
reasoning: { show: stream, release: stream }
patterns: {}
rules: [ { id: secret, channels: [reasoning, answer, tool], literal: "${SECRET}", match: raw, action: redact, replacement: "${MARK}" } ]
`;

// ---- dialects: a row for each endpoint that answers with a model's words ----

const event = (fields, finish = null, more = {}) => ({ id: 'up', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta: fields, finish_reason: finish }], ...more });
const call = (fields) => ({ tool_calls: [{ index: 0, ...fields }] });
const inParts = (text) => [{ type: 'thinking', thinking: [{ type: 'text', text }] }];

// A place: the delta of a fragment, the message of the whole, how a client reads either, the channel it is judged in.
// `whole`: it comes in one piece. `more`: it stands beside the choices.
const chatPlaces = {
  'reasoning_content': { channel: 'reasoning', fields: (reasoning_content) => ({ reasoning_content }), read: (m) => m.reasoning_content },
  'reasoning': { channel: 'reasoning', fields: (reasoning) => ({ reasoning }), read: (m) => m.reasoning },
  'inline reasoning': { channel: 'reasoning', before: '<think>', after: '</think>', fields: (content) => ({ content }), read: (m) => m.content },
  'reasoning in parts': { channel: 'reasoning', fields: (text) => ({ content: inParts(text) }), read: (m) => m.content?.[0]?.thinking?.[0]?.text },
  'answer': { channel: 'answer', fields: (content) => ({ content }), read: (m) => m.content },
  'refusal': { channel: 'answer', fields: (refusal) => ({ refusal }), read: (m) => m.refusal },
  'tool arguments': { channel: 'tool', fields: (text) => call({ function: { arguments: text } }), read: (m) => m.tool_calls?.[0]?.function?.arguments },
  'function call': { channel: 'tool', fields: (text) => ({ function_call: { arguments: text } }), read: (m) => m.function_call?.arguments },
  'tool name': { channel: 'other', whole: true, fields: (name) => call({ function: { name } }), read: (m) => m.tool_calls?.[0]?.function?.name },
  'unknown string': { channel: 'other', whole: true, fields: (note) => ({ vendor: { note } }), read: (m) => m.vendor?.note },
  'string beside the choices': { channel: 'other', whole: true, more: (note) => ({ vendor_note: note }), fields: () => ({}), readEvent: (e) => e.vendor_note },
};

async function sayChat(request, place, whole, fragments) {
  if (!request.json.stream) {
    const message = { role: 'assistant', content: 'ok', ...place.fields(whole) };
    return request.reply(200, { id: 'up', object: 'chat.completion', created: 1, model: 'm', choices: [{ index: 0, message, finish_reason: 'stop' }], ...place.more?.(whole) });
  }
  await request.begin();
  await request.event(event({ role: 'assistant', content: '' }));
  for (const text of place.whole ? [whole] : fragments) await request.event(event(place.fields(text), null, place.more?.(text)));
  await request.event(event({}, 'stop'));
  await request.event('[DONE]');
  return request.end();
}

function readChat(answer, place, streamed) {
  const read = (e, m) => (place.readEvent ? place.readEvent(e) : m && place.read(m)) ?? '';
  if (!streamed) return read(answer.json, answer.json.choices[0].message);
  return events(answer.text).filter((e) => e !== '[DONE]').map((e) => read(e, e.choices?.[0]?.delta)).join('');
}

// Of the other two, what is said has the form of their own library.
const inside = ({ input }) => JSON.parse(input).q;
const messagePlaces = {
  'thinking': { channel: 'reasoning', said: (thinking) => ({ thinking, text: 'ok' }), read: (seen) => seen.thinking },
  'text': { channel: 'answer', said: (text) => ({ text }), read: (seen) => seen.text },
  'tool input': { channel: 'tool', said: (text) => ({ tool: { name: 'f', input: ['{"q":"', ...text, '"}'] } }), read: (seen) => inside(seen.tools[0]) },
};
function readMessages(answer, place, streamed) {
  if (streamed) return place.read(gatherMessages(answer.text));
  const of = (type) => answer.json.content.filter((block) => block.type === type);
  return place.read({ thinking: of('thinking')[0]?.thinking, text: of('text')[0]?.text, tools: of('tool_use').map(({ input }) => ({ input: JSON.stringify(input) })) });
}

const responsePlaces = {
  'summary': { channel: 'reasoning', said: (summary) => ({ summary, text: 'ok' }), read: (seen) => seen.reasoning },
  'reasoning': { channel: 'reasoning', said: (reasoning) => ({ reasoning, text: 'ok' }), read: (seen) => seen.reasoning },
  'text': { channel: 'answer', said: (text) => ({ text }), read: (seen) => seen.text },
  'arguments': { channel: 'tool', said: (text) => ({ tool: { name: 'f', input: ['{"q":"', ...text, '"}'] } }), read: (seen) => inside(seen.calls[0]) },
};
function readResponses(answer, place, streamed) {
  if (streamed) return place.read(gatherResponses(answer.text));
  const of = (type) => answer.json.output.filter((item) => item.type === type), texts = (parts) => (parts ?? []).map(({ text }) => text).join('');
  return place.read({ reasoning: of('reasoning').map((item) => texts(item.summary) + texts(item.content)).join(''), text: of('message').map((item) => texts(item.content)).join(''), calls: of('function_call').map((item) => ({ input: item.arguments })) });
}

const dialects = {
  '/v1/messages': {
    ask: (model, stream) => ({ model, stream, max_tokens: 99, messages: [{ role: 'user', content: 'How do I bake bread?' }] }),
    places: messagePlaces, say: (request, place, whole, fragments) => sayMessage(request, place.said(fragments)), read: readMessages,
  },
  '/v1/responses': {
    ask: (model, stream) => ({ model, stream, input: 'How do I bake bread?' }),
    places: responsePlaces, say: (request, place, whole, fragments) => sayResponse(request, place.said(fragments)), read: readResponses,
  },
  '/v1/chat/completions': {
    ask: (model, stream) => ({ model, stream, messages: [{ role: 'user', content: 'How do I bake bread?' }] }),
    places: chatPlaces, say: sayChat, read: readChat,
  },
};

// ---- routes: each kind of upstream by its own name, by a pattern, and the one that takes what is left ----

const routes = [...kinds.map((kind) => ({ model: kind, kind })), { model: 'any-model', kind: 'openai' }, { model: 'what-no-route-names', kind: 'openai' }];
// Raw ways, whose events Rein makes itself: what a model says behind a prefix that was put into its prompt.
const raw = [{ kind: 'vllm', build: 'parser', family: 'rewrites a continued turn' }, { kind: 'llamacpp', build: 'old' }, { kind: 'ollama', build: 'plain' }, { kind: 'ollama', build: 'parser' }, { kind: 'completions', build: 'continues' }]
  .flatMap((way) => ['reasoning', 'answer'].map((channel) => ({ ...way, channel, model: `raw-${way.kind}-${way.build}-${channel}` })));
for (const way of raw)
  way.backend = makers[way.kind]({ family: way.family ?? 'opens reasoning', build: way.build, script: { reasoning: ' I look at it.', answer: 'Here you are.', [way.channel]: ` ${WHOLE}.` } });

// What a kind wants in the config beside its name.
const moreOf = ({ kind, family = 'opens reasoning' }) => makers[kind].config?.({ family }) ?? '';

const config = (url) => `
version: 1
listen: { address: "127.0.0.1:0" }
admin: { address: "127.0.0.1:0" }
upstreams:
${kinds.map((kind) => `  - { name: ${kind}, kind: ${kind}, url: "${url}", path_prefix: /plain/v1${kind === 'completions' ? '' : ', apis: [chat, messages, responses]'}${moreOf({ kind })} }`).join('\n')}
  - { name: opened, kind: openai, url: "${url}", path_prefix: /plain/v1, reasoning: { opened: true } }
${raw.map((way) => `  - { name: ${way.model}, kind: ${way.kind}, url: "${url}", path_prefix: /${way.model}/v1${moreOf(way)} }`).join('\n')}
routes:
${kinds.map((kind) => `  - { name: ${kind}, match: { models: [${kind}] }, upstream: ${kind}, policy: plain }`).join('\n')}
  - { name: opened, match: { models: [opened] }, upstream: opened, policy: plain }
${raw.map(({ model }) => `  - { name: ${model}, match: { models: [${model}] }, upstream: ${model}, policy: prefilled }`).join('\n')}
  - { name: pattern, match: { models: ["any-*"] }, upstream: openai, policy: plain }
  - { name: rest, upstream: openai, policy: plain }
policies: policies/
timeouts: { drain_ms: 200 }
store: { url: "sqlite:rein.db" }
`;

describe('PEERS 8: the scope of the guard', { timeout: 150000 }, () => {
  let upstream, rein, say;
  before(async () => {
    upstream = await startUpstream((request) => {
      const [, name, rest] = /^\/([^/]+)(\/.*)$/.exec(request.path);
      return name === 'plain' ? say(request) : raw.find(({ model }) => model === name).backend.answer(request, rest);
    });
    rein = await startRein({
      config: config(upstream.url),
      policies: { plain: policy('plain', '{ template: none, deliver: off, when: never }'), prefilled: policy('prefilled', '{ template: short, deliver: prefill, when: always }') },
    });
  });
  after(async () => {
    await rein?.clean();
    await upstream?.stop();
  });

  const check = async (answer, channel) => {
    assert.equal(answer.status, 200, answer.text);
    assert.ok(!/zx-v|viol|let-42|lantern/.test(answer.text), answer.text);
    const row = await rein.row(answer.headers['x-rein-decision']);
    assert.equal(row.verdict, 'redact');
    assert.deepEqual(row.findings.map((f) => [f.id ?? f.name, f.channel]), [['secret', channel]]);
    for (const name of ['reasoning', 'answer', 'tool', 'other']) assert.equal(row[`${name}_scanned`], row[`${name}_received`], name);
    assert.ok(row[`${channel}_scanned`] >= SECRET.length, JSON.stringify(row));
    assert.equal(row.ending, 'complete');
    return row;
  };

  test('PEERS 8: every endpoint that answers with words has its row here', () => {
    // Every API of the server is a `struct api`, and says if its answer is data; a route that takes a body outside of them would be a row of routes.c.
    const apis = fs.readdirSync(path.join(source, 'server/api'), { recursive: true }).filter((name) => name.endsWith('.c'));
    const texts = apis.map((name) => fs.readFileSync(path.join(source, 'server/api', name), 'utf8'));
    texts.push(fs.readFileSync(path.join(source, 'server/service/routes.c'), 'utf8'));
    const posts = texts.flatMap((text) => [
      ...[...text.matchAll(/^const struct api \w+ = \{(.*?)^\};/gms)].filter(([, body]) => !/\.is_data = true/.test(body)).map(([, body]) => /\.path = "([^"]+)"/.exec(body)[1]),
      ...[...text.matchAll(/\{"(\/[^"]+)", "POST",/g)].map((m) => m[1])]);
    assert.deepEqual(posts.sort(), Object.keys(dialects).sort());
  });

  for (const [endpoint, dialect] of Object.entries(dialects)) for (const { model, kind } of routes.filter(({ kind }) => kind !== 'completions' || endpoint === '/v1/chat/completions')) for (const stream of [false, true])
    test(`PEERS 8: ${endpoint}, ${kind} by the name ${model}, ${stream ? 'streamed' : 'whole'}: every place is judged`, async () => {
      for (const [name, place] of Object.entries(dialect.places)) {
        const fragments = [place.before, ...FRAGMENTS, place.after].filter(Boolean);
        say = (request) => dialect.say(request, place, fragments.join(''), fragments);
        const answer = await rein.ask({ path: endpoint, body: dialect.ask(model, stream) });
        try {
          // Where the kind sends reasoning in fields alone, a tag in the answer is its text (T11).
          const isAnswer = place.before && ['anthropic', 'deepseek'].includes(kind);
          await check(answer, isAnswer ? 'answer' : place.channel);
          assert.equal(dialect.read(answer, place, stream), `${place.before ?? ''}${SAID}${place.after ?? ''}`);
        } catch (error) {
          error.message = `${name}: ${error.message}`;
          throw error;
        }
      }
    });

  // Behind a template that opens the reasoning, a backend without a parser sends no opener.
  for (const stream of [false, true])
    test(`reasoning that the prompt opened is reasoning from its first byte on, ${stream ? 'streamed' : 'whole'}`, async () => {
      const place = { ...chatPlaces['answer'], channel: 'reasoning' };
      for (const fragments of [[...FRAGMENTS, '</thi', 'nk>Yes.'], [...FRAGMENTS, '.']]) {
        say = (request) => sayChat(request, place, fragments.join(''), fragments);
        const row = await check(await rein.ask({ body: dialects['/v1/chat/completions'].ask('opened', stream) }), 'reasoning');
        assert.equal(row.answer_received, fragments.length > 4 ? 4 : 0);
      }
    });

  for (const { model, kind, build, channel } of raw) for (const stream of [false, true])
    test(`PEERS 8: a raw way of ${kind} (${build}), ${stream ? 'streamed' : 'whole'}: its ${channel} is judged`, async () => {
      const answer = await rein.ask({ body: dialects['/v1/chat/completions'].ask(model, stream) });
      const row = await check(answer, channel);
      assert.equal(row.attempts[0].delivery, 'prefill', JSON.stringify(row.attempts));
      assert.match(upstream.calls.at(-1).path, /\/v1\/completions$|\/api\/generate$/);
      const { reasoning_content, content } = answer.json?.choices[0].message ?? {};
      const said = stream ? gather(answer.text) : { reasoning: reasoning_content, content };
      assert.equal(said[channel === 'answer' ? 'content' : channel].trim(), `${SAID}.`, answer.text);
    });
});
