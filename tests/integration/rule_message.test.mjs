// A rule refuses in its own words: in each API, streamed and not, and before the first byte, as an error object and as a
// reply; and what the decision keeps of it. SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { gather } from '../lib/client.mjs';
import { gatherMessages, say as sayMessage } from '../lib/messages.mjs';
import { configText, startRein } from '../lib/rein.mjs';
import { gatherResponses, say as sayResponse } from '../lib/responses.mjs';
import { delta, startUpstream } from '../lib/upstream.mjs';

const policy = (name, before) => `
version: 1
name: ${name}
lexicons: [english]
reasoning: { show: stream, release: stream }
refusal: { message: The policy refuses., before_first_byte: ${before} }
rules:
  - { id: crisis, words: [dark thoughts], action: refuse, message: Please talk to somebody., finish_reason: stop, severity: critical, tags: [care, "team:night"] }
  - { id: fraud, words: [swindle], action: refuse }
  - { id: crisis-asked, prompt: { harms: [self_harm] }, action: refuse, message: You are not alone., severity: critical }
  - { id: codes, words: { file: codes.txt }, channels: [prompt], roles: [user], action: refuse, message: No code names. }
`;

async function sayChat(request, { text }) {
  const whole = text.join('');
  if (!request.json.stream)
    return request.reply(200, { id: 'up', object: 'chat.completion', created: 1, model: 'm', choices: [{ index: 0, message: { role: 'assistant', content: whole }, finish_reason: 'stop' }] });
  await request.begin();
  for (const piece of text) await request.event(delta({ content: piece }));
  await request.event(delta({}, 'stop'));
  await request.event('[DONE]');
  return request.end();
}

const textOf = (parts) => parts.map(({ text }) => text ?? '').join('');
const apis = {
  '/v1/chat/completions': {
    ask: (model, stream, text) => ({ model, stream, messages: [{ role: 'user', content: text }] }),
    say: sayChat,
    read: (answer, stream) => (stream ? gather(answer.text).content : answer.json.choices[0].message.content),
    why: (answer, stream) => (stream ? gather(answer.text).finish[0] : answer.json.choices[0].finish_reason),
    ends: { stop: 'stop', content_filter: 'content_filter' },
  },
  '/v1/messages': {
    ask: (model, stream, text) => ({ model, stream, max_tokens: 99, messages: [{ role: 'user', content: text }] }),
    say: sayMessage,
    read: (answer, stream) => (stream ? gatherMessages(answer.text).text : textOf(answer.json.content)),
    why: (answer, stream) => (stream ? gatherMessages(answer.text).stops[0] : answer.json.stop_reason),
    ends: { stop: 'end_turn', content_filter: 'refusal' },
  },
  '/v1/responses': {
    ask: (model, stream, text) => ({ model, stream, input: text }),
    say: sayResponse,
    read: (answer, stream) => (stream ? gatherResponses(answer.text).text : textOf(answer.json.output.flatMap(({ content }) => content ?? []))),
    why: (answer, stream) => /"incomplete_details":\{"reason":"(\w+)"/.exec(answer.text)?.[1] ?? 'stop',
    ends: { stop: 'stop', content_filter: 'content_filter' },
  },
};

describe('a rule refuses in its own words', { timeout: 120000 }, () => {
  let upstream, rein, said;
  before(async () => {
    upstream = await startUpstream((request) => apis[request.path].say(request, { text: said }));
    rein = await startRein({
      config: configText({ upstream: upstream.url, up: 'kind: openai, apis: [chat, messages, responses]' })
        .replace(/^routes:\n.*\n/m, 'routes:\n  - { name: replies, match: { models: [replies] }, upstream: up, policy: replies }\n  - { name: errors, match: { models: [errors] }, upstream: up, policy: errors }\n'),
      policies: { errors: policy('errors', 'error'), replies: policy('replies', 'reply') },
      lists: { codes: '# Projects\nBlue  Heron\n' },
    });
  });
  after(async () => {
    await rein?.clean();
    await upstream?.stop();
  });

  const found = async (answer) => (await rein.row(answer.headers['x-rein-decision'])).findings.map(({ id, severity, tags }) => ({ id, severity, tags }));

  for (const [path, api] of Object.entries(apis)) for (const stream of [false, true]) {
    const how = `${path}, ${stream ? 'streamed' : 'whole'}`;

    test(`${how}: the answer ends with the words of the rule that refuses, and nothing of the match`, async () => {
      said = ['So many dark', '  thoughts come.'];
      let answer = await rein.ask({ path, body: api.ask('errors', stream, 'Good morning.') });
      assert.equal(answer.status, 200, answer.text);
      assert.equal(api.read(answer, stream), stream ? 'So many \nPlease talk to somebody.' : 'Please talk to somebody.');
      assert.equal(api.why(answer, stream), api.ends.stop);
      assert.ok(!/dark/.test(answer.text), answer.text);
      assert.deepEqual(await found(answer), [{ id: 'crisis', severity: 'critical', tags: ['care', 'team:night'] }]);
      said = ['A small swin', 'dle.'];
      answer = await rein.ask({ path, body: api.ask('errors', stream, 'Good morning.') });
      assert.equal(api.read(answer, stream), stream ? 'A small \nThe policy refuses.' : 'The policy refuses.');
      assert.equal(api.why(answer, stream), api.ends.content_filter);
      assert.deepEqual(await found(answer), [{ id: 'fraud', severity: null, tags: [] }]);
    });

    test(`${how}: a prompt is refused with them, as an error and as a reply`, async () => {
      for (const [prompt, words] of [['How can I kill myself?', 'You are not alone.'], ['What is blue heron?', 'No code names.']]) {
        const error = await rein.ask({ path, body: api.ask('errors', stream, prompt) });
        assert.equal(error.status, 400, error.text);
        assert.equal(error.json.error.message, words);
        const reply = await rein.ask({ path, body: api.ask('replies', stream, prompt) });
        assert.equal(reply.status, 200, reply.text);
        assert.equal(api.read(reply, stream), words);
      }
    });
  }
});
