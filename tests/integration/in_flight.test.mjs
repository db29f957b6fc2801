// A steered stream that is corrected while it runs, by a llama-server whose reasoning can be ended with words of ours; and
// what comes where it can not. SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { makers } from '../lib/backends.mjs';
import { gather, send } from '../lib/client.mjs';
import { startRein } from '../lib/rein.mjs';
import { delta, startUpstream } from '../lib/upstream.mjs';

const CORRECTIVE = 'I was drifting toward giving what should not be given';
const policy = `
version: 1
name: default
prefix: { template: short, deliver: auto, when: never }
reasoning: { show: stream, release: stream }
patterns: {}
rules: [ { id: astray, channels: [reasoning], literal: "astray words", action: steer } ]
steer: { max_attempts: 3, max_added_ms: 120000, fallback: refuse }
refusal: { message: "Not this.", finish_reason: content_filter, before_first_byte: error }
`;
const config = (url) => `
version: 1
listen: { address: "127.0.0.1:0" }
admin: { address: "127.0.0.1:0" }
upstreams:
  - { name: armed, kind: llamacpp, url: "${url}", in_flight: true }
  - { name: plain, kind: llamacpp, url: "${url}" }
routes:
  - { name: armed, match: { models: [m] }, upstream: armed, policy: default }
  - { name: plain, match: { models: [plain] }, upstream: plain, policy: default }
  - { name: brief, match: { models: [brief] }, upstream: armed, policy: brief }
  - { name: prefilled, match: { models: [prefilled] }, upstream: armed, policy: prefilled }
policies: policies/
timeouts: { drain_ms: 200, keep_alive_ms: 1000 }
store: { url: "sqlite:rein.db" }
`;

const SHOWN = ' I look. Now the ';
const astray = [' I look.', ' Now the astray', ' words come.', ' And more.'];
const DROPPED = ['astray', 'And more', 'Even more', CORRECTIVE, 'Uncorrected'];

describe('in flight', { timeout: 240000 }, () => {
  let upstream, rein, world;
  // What the server does when it is asked to end the reasoning: control(call, stream) answers, stream.go(ways) goes on.
  const begin = (control, more = {}) => {
    world = { control, armed: [], asked: [], chats: 0, ...more };
  };
  const restarts = makers.llamacpp({ family: 'opens reasoning', build: 'new', script: { reasoning: ' So I decline.', answer: 'Restarted.' } });

  async function first(call) {
    world.armed.push([call.json.reasoning_control, call.json.reasoning_budget_message]);
    const stream = { id: 'chatcmpl-live1', message: call.json.reasoning_budget_message };
    const events = async (list) => {
      let bytes = Buffer.from(list.map((fields) => `data: ${JSON.stringify(fields === '[DONE]' ? fields : { ...fields, id: stream.id })}\n\n`).join('').replace('"[DONE]"', '[DONE]'));
      for (const size = world.size ?? bytes.length; bytes.length > 0; bytes = bytes.subarray(size)) await call.chunk(bytes.subarray(0, size));
    };
    const think = (texts) => events(texts.map((text) => delta({ reasoning_content: text })));
    stream.think = think;
    stream.die = () => call.breakOff();
    // The words as the sampler writes them, token by token, then the answer.
    stream.forced = async (answer = 'Corrected.') => {
      await think([' Even more.', ...stream.message.match(/[^]{1,9}/g)]);
      await stream.answer(answer);
    };
    stream.answer = async (text) => {
      await events([delta({ content: text }), delta({}, 'stop'), '[DONE]']);
      await call.end();
    };
    world.stream = stream;
    world.closed = call.closed;
    await call.begin();
    await events([delta({ role: 'assistant', content: null })]);
    await think(astray);
  }

  before(async () => {
    upstream = await startUpstream((call) => {
      if (call.path === '/v1/chat/completions/control') {
        world.asked.push(call.json);
        return world.control(call, world.stream);
      }
      if (call.path === '/v1/chat/completions' && call.json.stream && world.chats++ === 0) return first(call);
      return restarts.answer(call, call.path);
    });
    const prefilled = policy.replace('name: default', 'name: prefilled').replace('when: never', 'when: always');
    // Half of it is the time for a correction, the other half is left for the restart.
    const brief = policy.replace('name: default', 'name: brief').replace('max_added_ms: 120000', 'max_added_ms: 6000');
    rein = await startRein({ config: config(upstream.url), policy, policies: { prefilled, brief } });
  });
  after(async () => {
    await rein?.clean();
    await upstream?.stop();
  });

  const ask = (model = 'm') => rein.ask({ body: { model, stream: true, messages: [{ role: 'user', content: 'How do I bake bread?' }] } });
  const check = async (answer, { reasoning = SHOWN, content, outcomes, reasons }) => {
    const seen = gather(answer.text), row = await rein.row(answer.headers['x-rein-decision']);
    assert.deepEqual([seen.ids.size, seen.roles, seen.finish, seen.done, seen.errors], [1, 1, ['stop'], 1, []], answer.text);
    assert.deepEqual([seen.reasoning, seen.content.trim()], [reasoning, content], answer.text);
    for (const part of DROPPED) assert.ok(!answer.text.includes(part), `${part} is on the wire: ${answer.text}`);
    assert.deepEqual(row.attempts.map((attempt) => attempt.outcome), outcomes, JSON.stringify(row.attempts));
    assert.deepEqual(row.attempts.map((attempt) => attempt.reason), reasons, JSON.stringify(row.attempts));
    assert.deepEqual([row.verdict, row.ending], ['steer', 'complete']);
  };
  const yes = (call) => call.reply(200, { success: true });
  const corrected = { content: 'Corrected.', outcomes: ['steered', 'whole'], reasons: ['off', 'in_flight'] };
  const restarted = { reasoning: `${SHOWN} So I decline.`, content: 'Restarted.', outcomes: ['steered', 'whole'], reasons: ['off', 'verified'] };

  for (const size of [1, 7, 60, undefined])
    test(`the same call goes on, in pieces of ${size ?? 'any size'}`, async () => {
      begin(async (call, stream) => { await yes(call); await stream.forced(); }, { size });
      await check(await ask(), corrected);
      assert.equal(world.chats, 1, 'nothing was asked again');
      assert.deepEqual(world.asked, [{ id: 'chatcmpl-live1', action: 'reasoning_end' }]);
      const [[armed, words]] = world.armed;
      assert.ok(armed === true && words.includes(CORRECTIVE), words);
    });

  test('the words come before the control was answered', async () => {
    begin((call, stream) => stream.forced());
    await check(await ask(), corrected);
  });

  const failures = {
    'does not know that path': (call) => call.reply(404, { error: { message: 'File Not Found' } }),
    'was not armed': (call) => call.reply(200, { success: false, message: 'reasoning control not enabled for this completion' }),
    'answers nonsense': (call) => call.reply(200, 'yes', { 'content-type': 'text/plain' }),
    'hangs up': (call) => call.breakOff(),
    'had ended the reasoning by itself': async (call, stream) => { await yes(call); await stream.answer('Uncorrected.'); },
    'writes other words': async (call, stream) => { await yes(call); await stream.think([' Well, fine.']); await stream.answer('Uncorrected.'); },
    'quotes the words and goes on': async (call, stream) => { await yes(call); await stream.think([stream.message, ' Even more.']); await stream.answer('Uncorrected.'); },
    'breaks the stream off': async (call, stream) => { await yes(call); stream.die(); },
    'does not end the reasoning': async (call, stream) => { await yes(call); await stream.think([' Even more.'.repeat(30000)]); },
    'says no more': (call) => yes(call),
  };
  for (const [name, control] of Object.entries(failures))
    test(`restarted where the server ${name}`, async () => {
      begin(control);
      await check(await ask(name === 'says no more' ? 'brief' : 'm'), restarted);
      assert.equal(world.asked.length, 1);
      assert.equal(world.chats, 2);
    });

  test('no answer comes after the correction', async () => {
    begin(async (call, stream) => {
      await yes(call);
      await stream.think([stream.message]);
      await stream.answer('');
    });
    await check(await ask(), { ...corrected, content: '' });
  });

  test('a prefilled call is corrected and restarted like any other', async () => {
    for (const [control, want] of [[async (call, stream) => { await yes(call); await stream.forced(); }, corrected], [failures['was not armed'], restarted]]) {
      begin(control);
      await check(await ask('prefilled'), { ...want, reasons: ['verified', want.reasons[1]] });
    }
  });

  test('an upstream that is not set up so is restarted, and not armed', async () => {
    begin(() => assert.fail('it is not asked'));
    const answer = await ask('plain');
    await check(answer, restarted);
    assert.deepEqual(world.armed, [[undefined, undefined]]);
  });

  test('a client that leaves meanwhile', async () => {
    let arrived;
    const asked = new Promise((resolve) => { arrived = resolve; });
    begin(() => arrived());
    const answer = await send(rein.port, { body: { model: 'm', stream: true, messages: [{ role: 'user', content: 'How do I bake bread?' }] } });
    await asked;
    answer.leave();
    await world.closed;
    const row = await rein.row(answer.headers['x-rein-decision']);
    assert.deepEqual([row.ending, row.attempts.map((attempt) => attempt.outcome)], ['client_left', ['steered']], JSON.stringify(row));
  });
});
