// POST /v1/messages on the wire: keys, headers, errors in Anthropic's form, requests that are dropped from and judged,
// silence, and answers that are steered.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import { after, before, describe, test } from 'node:test';
import { send } from '../lib/client.mjs';
import { ATTEMPTS, CORRECTIVE, policyOf, REFUSAL, releases, storyOf, tell } from '../lib/message_stories.mjs';
import { gatherMessages, message, say, streamed } from '../lib/messages.mjs';
import { binary, configText, patternsPolicy, startDemo, startRein } from '../lib/rein.mjs';
import { scenarios } from '../lib/scenarios.mjs';
import { startUpstream } from '../lib/upstream.mjs';

const COUNT = process.env.REIN_LONG ? 1000 : Number(process.env.REIN_STORIES ?? 100);
const path = '/v1/messages';
const ask = (user, more = {}) => ({ model: 'm', max_tokens: 64, messages: [{ role: 'user', content: user }], ...more });
const policy = (more = '') => `
version: 1
name: default
prefix: { template: none, deliver: off, when: never }
reasoning: { show: stream, release: stream }
patterns: {}
lexicons: []
rules:
  - { id: asked, channels: [prompt], literal: "forbidden question", action: refuse }
  - { id: said, channels: [answer], literal: "forbidden answer", action: refuse }
${more}`;

describe('Messages', { timeout: 120000 }, () => {
  let upstream, rein;
  const post = (body, more = {}) => rein.ask({ path, body, ...more });
  before(async () => {
    upstream = await startUpstream((call) => say(call, { thinking: 'Hm.', text: 'Yes.' }));
    rein = await startRein({ upstream: upstream.url, up: 'kind: anthropic',
      policy: policy('request: { unknown: drop, unjudged_parts: pass }\nrefusal: { message: "No.", before_first_byte: reply }\n'), timeouts: 'keep_alive_ms: 1000' });
  });
  after(async () => {
    await rein?.clean();
    await upstream?.stop();
  });

  test('an answer passes as it came, and its row says what it was', async () => {
    upstream.serve = (call) => say(call, { thinking: 'Hm.', text: 'Yes.' });
    const whole = await post(ask('clean')), stream = await post(ask('clean', { stream: true }));
    assert.deepEqual([whole.status, whole.json], [200, message({ thinking: 'Hm.', text: 'Yes.' })]);
    assert.equal(stream.text, streamed({ thinking: 'Hm.', text: 'Yes.' }).join(''));
    assert.match(stream.headers['content-type'], /^text\/event-stream/);
    const row = await rein.row(stream.headers['x-rein-decision']);
    assert.deepEqual([row.dialect, row.verdict, row.ending, row.prompt_tokens, row.completion_tokens], ['anthropic-messages', 'allow', 'complete', 11, 23]);
  });

  test('headers: the version and the betas pass, the key does not', async () => {
    const n = upstream.calls.length;
    const { status, headers } = await rein.ask({ path: `${path}?beta=true`, body: ask('x'),
      headers: { 'x-api-key': 'of the client', 'anthropic-version': '2023-06-01', 'anthropic-beta': 'a-1,b-2', 'request-id': 'req-7', cookie: 'c=1' } });
    const call = upstream.calls[n];
    assert.deepEqual([status, headers['request-id']], [200, 'req-7']);
    await post(ask('x'));
    assert.equal(upstream.calls[n + 1].headers['anthropic-version'], '2023-06-01', 'a client that names no version gets the first one');
    assert.deepEqual([call.path, call.headers['x-api-key'], call.headers['anthropic-version'], call.headers['anthropic-beta'], call.headers['request-id'], call.headers.cookie, call.headers.authorization],
      ['/v1/messages', 'upstream-secret', '2023-06-01', 'a-1,b-2', 'req-7', undefined, undefined]);
  });

  test('the list of models is asked for with the key and version of this API', async () => {
    const n = upstream.calls.length;
    upstream.serve = (call) => call.reply(200, { data: [{ type: 'model', id: 'm-2' }, { type: 'model', id: 'elsewhere' }] });
    const { status, json } = await rein.ask({ method: 'GET', path: '/v1/models' });
    const { headers } = upstream.calls[n];
    assert.deepEqual([status, headers['x-api-key'], headers.authorization, headers['anthropic-version']], [200, 'upstream-secret', undefined, '2023-06-01']);
    assert.ok(json.data.some(({ id }) => id === 'm-2') && !json.data.some(({ id }) => id === 'elsewhere'));
    upstream.serve = (call) => say(call, { thinking: 'Hm.', text: 'Yes.' });
  });

  test('what weakens the guard is dropped and named; images are counted', async () => {
    const image = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'aGVsbG8=' } };
    const n = upstream.calls.length;
    const { status, headers } = await post(ask([image, { type: 'text', text: 'what is it?' }], { thinking: { type: 'disabled' }, made_up: 1, system: 'be kind' }));
    assert.deepEqual([status, headers['x-rein-dropped']], [200, 'thinking, made_up']);
    assert.deepEqual(upstream.calls[n].json, ask([image, { type: 'text', text: 'what is it?' }], { system: 'be kind' }));
    const row = await rein.row(headers['x-rein-decision']);
    assert.equal(row.unjudged_parts, 1);
  });

  // What was shown whole keeps its signature and may come back; what was edited comes back without, and is judged like all text.
  test('thinking comes back as it was shown', async () => {
    const turns = (thinking) => ask('x', { messages: [{ role: 'user', content: 'x' }, { role: 'assistant', content: [thinking, { type: 'redacted_thinking', data: 'ZGF0YQ==' }, { type: 'text', text: 'y' }] }, { role: 'user', content: 'z' }] });
    const signed = turns({ type: 'thinking', thinking: 'It is so.', signature: 'c2lnbmVk' }), edited = turns({ type: 'thinking', thinking: 'It is [redacted].' });
    const bad = turns({ type: 'thinking', thinking: 'a forbidden question', signature: 'c2lnbmVk' });
    for (const body of [signed, edited]) {
      const n = upstream.calls.length;
      assert.equal((await post(JSON.stringify(body), { headers: { 'content-type': 'application/json' } })).status, 200);
      assert.equal(upstream.calls[n].text, JSON.stringify(body));
    }
    const n = upstream.calls.length, refused = await post(bad);
    assert.deepEqual([refused.json.stop_reason, upstream.calls.length], ['refusal', n]);
  });

  test('errors have the form of this API', async () => {
    const cases = [
      [ask('x', { tools: [{ type: 'web_search_20250305', name: 'web_search' }] }), {}, 400, 'invalid_request_error', 'tools[0]'],
      [{ model: 'm' }, {}, 400, 'invalid_request_error', 'messages'],
      ['{"model":', {}, 400, 'invalid_request_error', undefined],
      [ask('x', { model: 'other' }), {}, 404, 'not_found_error', 'model'],
      [ask('x'), { path: '/v1/messages/batches' }, 404, 'not_found_error', undefined],
      [ask('x'), { method: 'PUT' }, 405, 'invalid_request_error', undefined],
      [ask('x'), { headers: { 'content-type': 'text/plain' } }, 415, 'invalid_request_error', undefined],
    ];
    for (const [body, more, status, type, param] of cases) {
      const answer = await post(body, more);
      assert.deepEqual([answer.status, answer.json.type, answer.json.error.type, answer.json.error.param], [status, 'error', type, param], answer.text);
    }
    assert.match((await post(ask('x'), { path: '/v1/messages/batches' })).json.error.message, /POST \/v1\/messages, POST \/v1\/messages\/count_tokens/);
  });

  test('a prompt is refused with an answer, streamed and not', async () => {
    const whole = await post(ask('a forbidden question')), seen = gatherMessages((await post(ask('a forbidden question', { stream: true }))).text);
    assert.deepEqual([whole.status, whole.json.content, whole.json.stop_reason], [200, [{ type: 'text', text: 'No.' }], 'refusal']);
    assert.deepEqual([seen.text, seen.stops, seen.ended, seen.blocks], ['No.', ['refusal'], 1, 1]);
    assert.match(seen.ids[0], /^msg_/);
  });

  test('tokens are counted by the upstream, of a prompt that was judged', async () => {
    upstream.serve = (call) => call.reply(200, { input_tokens: 14 });
    const n = upstream.calls.length, counted = await post(ask('how long?', { max_tokens: undefined }), { path: `${path}/count_tokens` });
    assert.deepEqual([counted.status, counted.json, upstream.calls[n].path], [200, { input_tokens: 14 }, '/v1/messages/count_tokens']);
    const refused = await post(ask('a forbidden question'), { path: `${path}/count_tokens` });
    assert.deepEqual([refused.status, refused.json.error.code, upstream.calls.length], [400, 'content_filter', n + 1]);
    const streamedCount = await post(ask('x', { stream: true }), { path: `${path}/count_tokens` });
    assert.deepEqual([streamedCount.status, streamedCount.json.error.param], [400, 'stream']);
  });

  test('an error of the upstream keeps its type and status; its keys stay with it', async () => {
    upstream.serve = (call) => call.reply(529, { type: 'error', error: { type: 'overloaded_error', message: 'Too busy.' } });
    const busy = await post(ask('x'));
    assert.deepEqual([busy.status, busy.json.error], [529, { type: 'overloaded_error', message: 'Too busy.' }]);
    upstream.serve = (call) => call.reply(401, { type: 'error', error: { type: 'authentication_error', message: 'bad upstream-secret' } });
    const denied = await post(ask('x', { stream: true }));
    assert.deepEqual([denied.status, denied.json.error.code, denied.text.includes('upstream-secret')], [502, 'upstream_credentials', false]);
    upstream.serve = (call) => call.reply(200, '<html>', { 'content-type': 'text/html' });
    assert.equal((await post(ask('x', { stream: true }))).status, 502);
  });

  test('a silent stream gets pings, between two events', async () => {
    upstream.serve = async (call) => {
      await call.begin();
      await call.chunk(streamed({ text: 'Yes.' }).slice(0, 2).join(''));
      await call.waits;
      await call.chunk(streamed({ text: 'Yes.' }).slice(2).join(''));
      return call.end();
    };
    let go;
    const serve = upstream.serve;
    upstream.serve = (call) => serve(Object.assign(call, { waits: new Promise((resolve) => { go = resolve; }) }));
    const stream = await send(rein.port, { path, body: ask('x', { stream: true }) });
    await stream.until('event: ping\ndata: {"type": "ping"}\n\n');
    go();
    const { text, whole } = await stream.body;
    assert.ok(whole);
    assert.deepEqual(gatherMessages(text).text, 'Yes.');
  });
});

describe('who serves Messages', { timeout: 120000 }, () => {
  let chat, both, rein;
  before(async () => {
    chat = await startUpstream((call) => call.reply(500, {}));
    both = await startUpstream((call) => say(call, { text: 'Yes.' }));
    rein = await startRein({
      policy: policy(),
      config: `
version: 1
listen: { address: "127.0.0.1:0" }
admin: { address: "127.0.0.1:0" }
upstreams:
  - { name: chat, kind: mistral, url: "${chat.url}" }
  - { name: both, kind: mistral, url: "${both.url}", apis: [chat, messages], api_key_env: REIN_TEST_UPSTREAM_KEY }
routes:
  - { name: one, match: { models: ["m", "only-chat"] }, upstream: chat }
  - { name: two, match: { models: ["m"] }, upstream: both }
timeouts: { drain_ms: 200 }
store: { url: "sqlite:rein.db" }
` });
  });
  after(async () => {
    await rein?.clean();
    await Promise.all([chat?.stop(), both?.stop()]);
  });

  test('the first route whose upstream has the API, with the key as its kind reads it', async () => {
    const { status } = await rein.ask({ path, body: ask('x') });
    assert.deepEqual([status, chat.calls.length, both.calls[0].headers.authorization], [200, 0, 'Bearer upstream-secret']);
  });

  test('a model that is there for another API says which', async () => {
    const { status, json } = await rein.ask({ path, body: ask('x', { model: 'only-chat' }) });
    assert.deepEqual([status, json.error.type, json.error.code], [404, 'not_found_error', 'api_not_served']);
    assert.match(json.error.message, /do not serve POST \/v1\/messages\. For this model there are: POST \/v1\/chat\/completions[,.]/);
  });
});

describe('the scripted model', { timeout: 240000 }, () => {
  const stops = { stop: 'end_turn', content_filter: 'refusal', length: 'max_tokens', tool_calls: 'tool_use' };
  let demo, rein;
  before(async () => {
    demo = await startDemo(['--chunk', 'random']);
    rein = await startRein({ upstream: demo.url, up: 'kind: openai, apis: [messages]', policy: patternsPolicy('lack_of_safety_awareness') });
  });
  after(async () => {
    await rein?.clean();
    await demo?.stop();
  });

  for (const [name, expected] of Object.entries(scenarios))
    for (const stream of [true, false])
      test(`${name}, ${stream ? 'streamed' : 'whole'}`, async () => {
        const answer = await rein.ask({ path, body: ask(expected.user, { model: 'demo', stream }) });
        const block = (type, field) => answer.json.content.filter((one) => one.type === type).map((one) => one[field]).join('');
        const seen = stream ? gatherMessages(answer.text) : { text: block('text', 'text'), thinking: block('thinking', 'thinking'), stops: [answer.json.stop_reason] };
        const row = await rein.row(answer.headers['x-rein-decision']);
        assert.deepEqual([row.verdict, row.ending, row.attempts.length, seen.stops], [expected.verdict, expected.ending, expected.attempts ?? 1, [stops[expected.finish]]], answer.text);
        if (expected.says) assert.ok(seen.text.includes(expected.says), seen.text);
        if (expected.thinks && (stream || expected.verdict !== 'refuse')) assert.ok(seen.thinking.includes(expected.thinks), seen.thinking);
        for (const text of expected.never ?? []) assert.ok(!answer.text.includes(text), answer.text);
      });
});

test('a key is taken from either header', { timeout: 120000 }, async () => {
  const upstream = await startUpstream((call) => say(call, { text: 'Yes.' }));
  const folder = fs.mkdtempSync(`${os.tmpdir()}/rein-keys-`);
  const key = /\S+$/m.exec(execFileSync(binary, ['key', 'add', `${folder}/keys.yaml`, 'app'], { encoding: 'utf8' }).trim())[0];
  const rein = await startRein({ folder, policy: policy(), config: configText({ upstream: upstream.url, up: 'kind: anthropic', listen: 'keys_file: keys.yaml' }) });
  const post = (headers) => rein.ask({ path, body: ask('x'), headers });
  try {
    assert.equal((await post({ 'x-api-key': key })).status, 200);
    assert.equal((await post({ authorization: `Bearer ${key}` })).status, 200);
    const denied = await post({ 'x-api-key': 'other' });
    assert.deepEqual([denied.status, denied.json.error.type], [401, 'authentication_error']);
  } finally {
    await rein.clean();
    await upstream.stop();
    fs.rmSync(folder, { recursive: true });
  }
});

describe(`${COUNT} answers that are steered`, { timeout: process.env.REIN_LONG ? 1800000 : 240000 }, () => {
  let upstream, rein;
  const prompts = new Map();
  before(async () => {
    upstream = await startUpstream((call) => {
      const id = Number(/Story (\d+)\./.exec(call.text)[1]), seen = prompts.get(id) ?? [];
      prompts.set(id, [...seen, call.json]);
      return tell(call, storyOf(id), seen.length);
    });
    rein = await startRein({
      policy: policyOf('end').replace('name: end', 'name: default'), policies: Object.fromEntries(releases.map((release) => [release, policyOf(release)])),
      config: `
version: 1
listen: { address: "127.0.0.1:0" }
admin: { address: "127.0.0.1:0" }
upstreams: [ { name: up, kind: anthropic, url: "${upstream.url}" } ]
routes:
${releases.map((release) => `  - { name: ${release}, match: { models: [${release}] }, upstream: up, policy: ${release} }`).join('\n')}
timeouts: { drain_ms: 200 }
store: { url: "sqlite:rein.db" }
` });
  });
  after(async () => {
    await rein?.clean();
    await upstream?.stop();
  });

  test('one id, the right order, one end, nothing of what failed', async () => {
    let next = 1;
    const play = async () => {
      while (next <= COUNT) {
        const story = storyOf(next++), said = `story ${story.id} (${story.release}, ${story.failures} failures)`;
        const { status, text, whole } = await rein.ask({ path, body: ask(story.question, { model: story.release, stream: true, system: 'Be kind.' }) });
        const seen = gatherMessages(text), isLost = story.failures === ATTEMPTS, good = story.attempts.at(-1);
        assert.deepEqual([status, whole, seen.ids.length, seen.ended, seen.errors], [200, true, 1, 1, []], said);
        assert.ok(!/FAILED/.test(text), `${said}: ${text}`);
        assert.deepEqual(seen.stops, [isLost ? 'refusal' : good.tool ? 'tool_use' : 'end_turn'], said);
        if (isLost) {
          assert.equal(seen.text, REFUSAL, said);
        } else {
          assert.equal(seen.thinking, story.release === 'hide' ? '' : (good.thinking ?? []).join(''), said);
          assert.equal(seen.text, (good.text ?? []).join(''), said);
          assert.deepEqual(seen.tools.map(({ input }) => JSON.parse(input)), good.tool ? [JSON.parse(good.tool.input.join(''))] : [], said);
          assert.equal(seen.signatures, good.thinking && story.release !== 'hide' ? 1 : 0, said);
        }
        const asked = prompts.get(story.id);
        assert.equal(asked.length, story.attempts.length, said);
        asked.forEach(({ system }, i) => assert.ok(system.startsWith('Be kind.\n\n') && system.includes(CORRECTIVE) === i > 0, `${said}: ${system}`));
      }
    };
    await Promise.all(Array.from({ length: 8 }, play));
  });
});
