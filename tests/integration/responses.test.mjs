// POST /v1/responses: what goes upstream, what comes back for each channel and action, and what is refused by name.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { shippedPolicy, startDemo, startRein } from '../lib/rein.mjs';
import { eventsOf, gatherResponses, response, say, streamed } from '../lib/responses.mjs';
import { scenarios } from '../lib/scenarios.mjs';
import { sse, startUpstream } from '../lib/upstream.mjs';

const REFUSAL = 'I stop here.', HINT = 'I was drifting toward giving what should not be given';
const actions = ['record', 'redact', 'cut_reasoning', 'cut_response', 'refuse', 'steer'];
const policyOf = (action) => `
version: 1
name: ${action === 'none' ? 'default' : action}
prefix: { template: ${action === 'steer' ? 'short, deliver: instruct, when: always, show: false' : 'none, deliver: off, when: never'} }
reasoning: { show: stream, release: stream }
patterns: {}
lexicons: []
request: { unknown: drop, unjudged_parts: pass }
refusal: { message: "${REFUSAL}", finish_reason: content_filter, before_first_byte: error }
${action === 'steer' ? 'steer: { max_attempts: 2, max_added_ms: 60000, fallback: refuse }' : ''}
rules:
  - { id: mark, channels: [reasoning${action === 'cut_reasoning' ? '' : ', answer, tool'}], literal: "hush-7", match: raw, action: ${action === 'none' ? 'record' : action} }
`;

describe('Responses', { timeout: 240000 }, () => {
  let rein, upstream, said, how, calls;
  const serve = async (call) => {
    const attempt = calls.push(call.json) - 1;
    return how === undefined ? say(call, Array.isArray(said) ? said[Math.min(attempt, said.length - 1)] : said) : how(call);
  };
  before(async () => {
    upstream = await startUpstream(serve);
    rein = await startRein({
      policy: policyOf('none'), policies: { ...Object.fromEntries(actions.map((action) => [action, policyOf(action)])), shipped: shippedPolicy().replace(/^name: .*$/m, 'name: shipped') },
      config: `
version: 1
listen: { address: "127.0.0.1:0" }
admin: { address: "127.0.0.1:0" }
upstreams:
  - { name: up, kind: openai, url: "${upstream.url}", api_key_env: REIN_TEST_UPSTREAM_KEY }
  - { name: chats, kind: openai, url: "${upstream.url}", apis: [chat] }
routes:
${actions.map((action) => `  - { name: ${action}, match: { models: ["m-${action}"] }, upstream: up, policy: ${action} }`).join('\n')}
  - { name: shipped, match: { models: ["m-shipped"] }, upstream: up, policy: shipped }
  - { name: chats, match: { models: ["m-chats"] }, upstream: chats, policy: default }
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

  const ask = async (more = {}, what = { text: 'Hello.' }, answer = undefined) => {
    [said, how, calls] = [what, answer, []];
    return rein.ask({ path: '/v1/responses', body: { model: 'm', input: 'Hi', ...more } });
  };

  test('a stream and a body pass as they are; nothing is stored', async () => {
    const what = { summary: ['I ', 'think.'], text: ['Hel', 'lo.'], tool: { name: 'f', input: ['{"a"', ':1}'] } };
    const stream = await ask({ stream: true }, what);
    assert.equal(stream.status, 200);
    assert.equal(stream.headers['content-type'], 'text/event-stream; charset=utf-8');
    assert.equal(stream.text, streamed(what).join(''));
    assert.deepEqual(calls, [{ store: false, model: 'm', input: 'Hi', stream: true }]);
    const body = await ask({ store: true }, what);
    assert.deepEqual(body.json, response(what));
    assert.equal(body.headers['x-rein-dropped'], 'store');
    assert.deepEqual(calls, [{ model: 'm', input: 'Hi', store: false }]);
    const row = await rein.row(body.headers['x-rein-decision']);
    assert.deepEqual([row.api ?? row.dialect, row.ending, row.prompt_tokens, row.completion_tokens, row.reasoning_tokens],
      ['openai-responses', 'complete', 11, 23, 7]);
  });

  test('what is kept elsewhere or runs elsewhere is refused by name, in the form of the API', async () => {
    const cases = {
      previous_response_id: { previous_response_id: 'resp_1' }, conversation: { conversation: 'conv_1' }, background: { background: true },
      prompt: { prompt: { id: 'pmpt_1' } }, 'tools[0]': { tools: [{ type: 'web_search' }] }, 'input[0]': { input: [{ type: 'item_reference', id: 'msg_1' }] },
    };
    for (const [param, more] of Object.entries(cases)) {
      const { status, json } = await ask(more);
      assert.deepEqual([status, json.error.type, json.error.param, calls.length], [400, 'invalid_request_error', param, 0], JSON.stringify(json));
      assert.match(json.error.message, /not accepted/);
    }
  });

  test('other paths and upstreams say what there is', async () => {
    for (const [method, path] of [['GET', '/v1/responses/resp_1'], ['DELETE', '/v1/responses/resp_1'], ['POST', '/v1/responses/resp_1/cancel']]) {
      const { status, json } = await rein.ask({ method, path, body: method === 'POST' ? {} : undefined });
      assert.deepEqual([status, json.error.code], [404, 'not_found']);
      assert.match(json.error.message, /Answers are not kept/);
    }
    const { status, json } = await ask({ model: 'm-chats' });
    assert.deepEqual([status, calls.length], [404, 0], JSON.stringify(json));
  });

  test('an instruction that was added to the request is in no event', async () => {
    const bad = { summary: 'hush-7 is here.', text: 'Bad.' }, good = { summary: 'Better.', text: 'Good.' };
    for (const stream of [true, false]) {
      const repeat = (call) => {
        const answer = calls.length === 1 ? bad : good, { instructions } = call.json;
        if (!stream) return call.reply(200, { ...response(answer), instructions });
        return call.begin().then(() => call.chunk(eventsOf(answer).map((event) =>
          sse(event.response ? { ...event, response: { ...event.response, instructions } } : event, event.type)).join(''))).then(() => call.end());
      };
      const { text } = await ask({ model: 'm-steer', stream, instructions: 'Be kind.' }, undefined, repeat);
      assert.equal(calls.length, 2);
      assert.ok(calls[1].instructions.startsWith('Be kind.') && calls[1].instructions.includes(HINT), calls[1].instructions);
      assert.ok(!text.includes(HINT) && !text.includes('hush-7') && text.includes('Good.'), text);
      if (stream) assert.deepEqual(gatherResponses(text).ended, ['response.completed']);
    }
  });

  test('what servers leave out or call by other names is set right', async () => {
    const what = { reasoning: ['I ', 'think.'], text: ['Hel', 'lo.'] };
    const ways = {
      'vLLM: parts of reasoning have another name': eventsOf(what, { other: true }),
      'llama.cpp: no numbers, no output at the beginning': eventsOf(what).filter((event) => !/reasoning.*done|reasoning_part/.test(event.type)).map((event) => {
        const { sequence_number: _1, output_index: _2, content_index: _3, ...rest } = event;
        if (event.type === 'response.content_part.added' && event.part.type === 'reasoning_text') return undefined;
        if (event.type === 'response.content_part.done' && event.part.type === 'reasoning_text') return undefined;
        if (rest.response && event.type !== 'response.completed') { const { output: _4, ...short } = rest.response; rest.response = short; }
        return rest;
      }).filter(Boolean),
    };
    for (const [name, events] of Object.entries(ways)) {
      const { text } = await ask({ stream: true }, undefined, (call) => call.begin().then(() => call.chunk(events.map((event) => sse(event)).join('') + 'data: [DONE]\n\n')).then(() => call.end()));
      const seen = gatherResponses(text);
      assert.deepEqual([seen.reasoning, seen.text, seen.ended, seen.begun], ['I think.', 'Hello.', ['response.completed'], 1], `${name}: ${text}`);
      for (const { data } of text.split('\n\n').filter(Boolean).map((part) => ({ data: JSON.parse(/^data: (.*)$/m.exec(part)[1]) })))
        assert.equal(typeof data.sequence_number, 'number', name);
    }
  });

  test('reasoning that only the upstream can read is not evaluable', async () => {
    const sealed = { ...response({ text: 'Hello.' }) };
    sealed.output.unshift({ id: 'rs_1', type: 'reasoning', summary: [], encrypted_content: 'c2VhbGVk' });
    const { headers } = await ask({ include: ['reasoning.encrypted_content'] }, undefined, (call) => call.reply(200, sealed));
    const row = await rein.row(headers['x-rein-decision']);
    assert.match(JSON.stringify(row), /not_evaluable/);
  });

  test('a pattern is found in reasoning that comes in several parts, as if it were one', async () => {
    const demo = await startDemo();
    const answer = await fetch(`${demo.url}/v1/chat/completions`, {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ model: 'demo', messages: [{ role: 'user', content: scenarios.vacillates.user }] }),
    });
    const { message } = (await answer.json()).choices[0], sentences = message.reasoning_content.match(/[^.!?]+[.!?]+\s*/g);
    await demo.stop();
    assert.ok(sentences.length >= 4, message.reasoning_content);
    const found = {};
    for (const [name, what] of Object.entries({ one: { summary: message.reasoning_content }, many: { summaries: sentences } }))
      for (const stream of [true, false]) {
        const got = await ask({ model: 'm-shipped', input: scenarios.vacillates.user, stream }, { ...what, text: message.content });
        const row = await rein.row(got.headers['x-rein-decision']);
        found[`${name} ${stream}`] = [row.verdict, row.findings.map((finding) => [finding.id ?? finding.rule, finding.channel])];
      }
    assert.ok(found['one true'][1].length > 0, JSON.stringify(found));
    assert.deepEqual(found['many true'], found['one true']);
    assert.deepEqual(found['many false'], found['one false']);
  });

  // ---- every channel with every action, streamed and not ------------------------------------------------------------

  const channels = {
    summary: { make: (text) => ({ summary: text, text: 'Done.' }), isReasoning: true, read: (seen) => seen.reasoning },
    'reasoning text': { make: (text) => ({ reasoning: text, text: 'Done.' }), isReasoning: true, read: (seen) => seen.reasoning },
    answer: { make: (text) => ({ text }), read: (seen) => seen.text },
    'function call': { make: (text) => ({ tool: { name: 'f', input: ['{"say":"', ...text, '"}'] } }), isCall: true, read: (seen) => seen.calls },
    'custom tool call': { make: (text) => ({ custom: { name: 'f', input: text } }), isCall: true, read: (seen) => seen.calls },
  };

  // A body as a client reads it.
  function readBody(json) {
    const seen = { reasoning: '', text: '', calls: '', ended: [`response.${json.status}`], reason: json.incomplete_details?.reason };
    for (const item of json.output) {
      if (item.type === 'reasoning') seen.reasoning += [...item.summary, ...(item.content ?? [])].map((part) => part.text).join('');
      if (item.type === 'message') seen.text += item.content.map((part) => part.text).join('');
      seen.calls += item.arguments ?? item.input ?? '';
    }
    return seen;
  }
  function readStream(text) {
    const seen = gatherResponses(text), last = text.trimEnd().split('\n\n').at(-1);
    return { ...seen, calls: seen.items.map((item) => item.call).join(''), closed: seen.calls.length, reason: JSON.parse(/^data: (.*)$/m.exec(last)[1]).response?.incomplete_details?.reason };
  }

  for (const [name, channel] of Object.entries(channels))
    for (const action of actions)
      for (const stream of [true, false])
        test(`${name}, ${action}, ${stream ? 'streamed' : 'a body'}`, async () => {
          // What was shown cannot be taken back, so a text that is steered begins with its mark.
          const text = action === 'steer' && stream ? ['hush', '-7 ends.'] : ['The ', 'hu', 'sh-7 ends.'];
          const answers = [channel.make(text), channel.make(['Good.'])];
          const got = await ask({ model: `m-${action}`, stream }, answers);
          assert.equal(got.status, 200, got.text);
          const seen = stream ? readStream(got.text) : readBody(got.json), shown = channel.read(seen);
          const braces = (inside) => (name === 'function call' ? `{"say":"${inside}"}` : inside);
          const passes = action === 'record' || (action === 'cut_reasoning' && !channel.isReasoning); // such a rule is for reasoning alone
          const cuts = action === 'cut_response';
          // The name of a call was shown already: the fallback is taken.
          const isRefused = action === 'refuse' || (action === 'steer' && channel.isCall && stream), isCut = cuts || isRefused;
          assert.deepEqual(seen.ended, [isCut ? 'response.incomplete' : 'response.completed'], got.text);
          assert.equal(seen.reason, isCut ? 'content_filter' : undefined);
          if (passes) assert.equal(shown, braces('The hush-7 ends.'));
          else assert.ok(!got.text.includes('hush-7'), got.text);
          if (action === 'redact') assert.equal(shown, braces('The [redacted] ends.'));
          if (action === 'steer' && !isRefused) assert.deepEqual([shown, calls.length], [braces('Good.'), 2]);
          if (action === 'cut_reasoning' && channel.isReasoning) assert.deepEqual([shown, seen.text], ['The ', 'Done.']);
          if (cuts) assert.ok(['The ', '{"say":"The '].includes(shown), shown);
          if (isRefused && stream) assert.ok(channel.isReasoning || channel.isCall ? seen.text === REFUSAL : shown === `The \n${REFUSAL}`, got.text);
          if (action === 'refuse' && !stream) assert.deepEqual([seen.text, seen.reasoning, seen.calls], [REFUSAL, '', '']);
          if (isCut && channel.isCall && stream) assert.equal(seen.closed, 0); // clients run calls that are closed
        });
});
