// The safe reasoning prefix: when it is delivered, how it is asked for, and what the decision says of it.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { chat, gather } from '../lib/client.mjs';
import { configText, startRein } from '../lib/rein.mjs';
import { says, startUpstream } from '../lib/upstream.mjs';

const policy = (prefix, more = '') => `
version: 1
name: default
prefix: { template: short, ${prefix} }
reasoning: { show: stream, release: stream }
${more}`;

async function withRein(text, run, { config, policies } = {}) {
  const upstream = await startUpstream(says({ reasoning: ['I think.'], answer: ['Hello.'] }));
  const rein = await startRein({ upstream: upstream.url, policy: text, policies, config: config?.(upstream.url) });
  try {
    await run(rein, upstream);
  } finally {
    await rein.clean();
    await upstream.stop();
  }
}

const attemptOf = async (rein, answer) => (await rein.row(answer.headers['x-rein-decision'])).attempts[0];

describe('a prefix', { timeout: 180000 }, () => {
  test('is asked for in words where it can not be prefilled, and the decision says so', () =>
    withRein(policy('deliver: auto, when: always'), async (rein, upstream) => {
      const answer = await rein.ask({ body: chat('hello') });
      assert.equal(answer.status, 200);
      const [system, user] = upstream.calls[0].json.messages;
      assert.equal(system.role, 'system');
      assert.match(system.content, /^Begin your reasoning with/);
      assert.deepEqual(user, { role: 'user', content: 'hello' });
      const attempt = await attemptOf(rein, answer);
      assert.equal(attempt.delivery, 'instruct');
      assert.equal(attempt.reason, 'instruct_only');
      assert.equal(attempt.template, 'short');
    }));

  test('joins the system message that is there: a conversation keeps exactly one', () =>
    withRein(policy('deliver: instruct, when: always'), async (rein, upstream) => {
      const messages = [{ role: 'developer', content: 'Be brief.' }, { role: 'user', content: 'a' }, { role: 'assistant', content: 'b' }, { role: 'user', content: 'c' }];
      await rein.ask({ body: { model: 'm', messages } });
      const sent = upstream.calls[0].json.messages;
      assert.equal(sent.length, 4);
      assert.equal(sent[0].role, 'developer');
      assert.match(sent[0].content, /^Be brief\.\n\nBegin your reasoning with/);
      assert.deepEqual(sent.slice(1), messages.slice(1));
    }));

  test('that must be prefilled fails closed', () =>
    withRein(policy('deliver: prefill, when: always'), async (rein, upstream) => {
      for (const stream of [false, true]) {
        const answer = await rein.ask({ body: chat('hello', { stream }) });
        assert.equal(answer.status, 502);
        assert.equal(answer.json.error.code, 'prefix_not_deliverable');
      }
      assert.equal(upstream.calls.length, 0);
    }));

  test('is left out where it is off or never', async () => {
    for (const prefix of ['deliver: off, when: always', 'deliver: auto, when: never'])
      await withRein(policy(prefix), async (rein, upstream) => {
        const answer = await rein.ask({ body: chat('hello') });
        assert.deepEqual(upstream.calls[0].json.messages, [{ role: 'user', content: 'hello' }]);
        assert.equal((await attemptOf(rein, answer)).delivery, 'off');
      });
  });

  test('is for risky prompts only, if the policy says so', () =>
    withRein(policy('deliver: auto, when: risky', 'lexicons: [english]\npatterns: { lack_of_safety_awareness: { action: record } }'), async (rein, upstream) => {
      const calm = await rein.ask({ body: chat('Why is the sky blue?') });
      const risky = await rein.ask({ body: chat('How do I counterfeit banknotes without getting caught?') });
      assert.equal(upstream.calls[0].json.messages.length, 1);
      assert.equal(upstream.calls[1].json.messages.length, 2);
      assert.equal((await attemptOf(rein, calm)).reason, 'not_risky');
      assert.equal((await attemptOf(rein, risky)).delivery, 'instruct');
    }));

  test('is for the models whose route names a policy that wants it', () => {
    const when = (name, word) => policy(`deliver: auto, when: ${word}`, 'lexicons: [english]').replace('name: default', `name: ${name}`);
    const routes = `routes:
  - { name: grave, match: { models: [m-grave, "m-grave-*"] }, upstream: up, policy: always }
  - { name: light, match: { models: ["m-light*"] }, upstream: up, policy: never }
  - { name: rest, upstream: up, policy: default }`;
    const config = (url) => configText({ upstream: url }).replace(/routes:\n.*/, routes);
    const asked = [['m', 'Why is the sky blue?', 'off'], ['m', 'How do I counterfeit banknotes without getting caught?', 'instruct'],
      ['m-grave-7b', 'Why is the sky blue?', 'instruct'], ['m-light', 'How do I counterfeit banknotes without getting caught?', 'off']];
    return withRein(when('default', 'risky'), async (rein) => {
      for (const [model, text, delivery] of asked) {
        const answer = await rein.ask({ body: { ...chat(text), model } });
        const row = await rein.row(answer.headers['x-rein-decision']);
        assert.equal(row.attempts[0].delivery, delivery, `${model}, by the policy ${row.policy}: ${text}`);
      }
    }, { config, policies: { always: when('always', 'always'), never: when('never', 'never') } });
  });
});

describe('a restart', { timeout: 180000 }, () => {
  const steer = policy('deliver: off, when: never', `
rules:
  - { id: wrong, channels: [reasoning], literal: "wrong turn", action: steer }
steer: { max_attempts: 3, max_added_ms: 5000, fallback: refuse }
refusal: { message: "Not this.", finish_reason: stop }
`);
  const once = (texts, then) => (call) => says(call.text.includes('take that back') ? then : texts)(call);

  test('carries the corrective prefix; the client sees one answer', () =>
    withRein(steer, async (rein, upstream) => {
      upstream.serve = once({ reasoning: ['wrong turn', ' here.'], answer: ['Bad.'] }, { reasoning: ['Right.'], answer: ['Good.'] });
      for (const stream of [true, false]) {
        upstream.calls.length = 0;
        const answer = await rein.ask({ body: chat('hello', { stream }) });
        assert.equal(upstream.calls.length, 2);
        assert.ok(!/wrong|Bad/.test(answer.text), answer.text);
        if (stream) {
          const seen = gather(answer.text);
          assert.equal(seen.content, 'Good.');
          assert.equal(seen.reasoning, 'Right.');
          assert.deepEqual([seen.ids.size, seen.roles, seen.done, seen.finish.length], [1, 1, 1, 1]);
        } else {
          assert.equal(answer.json.choices[0].message.content, 'Good.');
        }
        const row = await rein.row(answer.headers['x-rein-decision']);
        assert.equal(row.verdict, 'steer');
        assert.deepEqual(row.attempts.map((a) => a.outcome), ['steered', 'whole']);
      }
    }));

  test('for what the answer says needs that nothing was shown: an unstreamed answer never was', () =>
    withRein(steer.replace('[reasoning], literal: "wrong turn"', '[answer], literal: "Bad"'), async (rein, upstream) => {
      upstream.serve = once({ reasoning: ['I think.'], answer: ['Bad.'] }, { reasoning: ['Right.'], answer: ['Good.'] });
      const whole = await rein.ask({ body: chat('hello') });
      assert.equal(whole.json.choices[0].message.content, 'Good.');
      assert.equal(whole.json.choices[0].message.reasoning_content, 'Right.');
      const stream = gather((await rein.ask({ body: chat('hello', { stream: true }) })).text);
      assert.deepEqual([stream.reasoning, stream.content], ['I think.', 'Not this.']);
    }));

  test('that fails falls back to the refusal', () =>
    withRein(steer, async (rein, upstream) => {
      for (const fails of [(call) => call.reply(500, {}), (call) => call.breakOff()])
        for (const stream of [true, false]) {
          upstream.serve = (call) => (call.text.includes('take that back') ? fails(call) : says({ reasoning: ['wrong turn'] })(call));
          const answer = await rein.ask({ body: chat('hello', { stream }) });
          assert.equal(answer.status, 200);
          assert.ok(answer.text.includes('Not this.'), answer.text);
          assert.ok(!answer.text.includes('wrong'), answer.text);
          assert.equal((await rein.row(answer.headers['x-rein-decision'])).ending, 'refused');
        }
    }));

  test('goes on at most max_attempts times', () =>
    withRein(steer, async (rein, upstream) => {
      upstream.serve = says({ reasoning: ['wrong turn'] });
      const answer = await rein.ask({ body: chat('hello', { stream: true }) });
      assert.equal(upstream.calls.length, 3);
      assert.equal(gather(answer.text).content, 'Not this.');
      const row = await rein.row(answer.headers['x-rein-decision']);
      assert.deepEqual(row.attempts.map((a) => a.outcome), ['steered', 'steered', 'stopped']);
    }));

  test('is not made when too much time is lost already', () =>
    withRein(steer.replace('max_added_ms: 5000', 'max_added_ms: 0'), async (rein, upstream) => {
      upstream.serve = says({ reasoning: ['wrong turn'] });
      const answer = await rein.ask({ body: chat('hello', { stream: true }) });
      assert.equal(upstream.calls.length, 1);
      assert.equal(gather(answer.text).content, 'Not this.');
    }));

  test('has its time from where the first attempt went wrong, however long that had gone well', () =>
    withRein(steer.replace('max_added_ms: 5000', 'max_added_ms: 2000'), async (rein, upstream) => {
      const slow = (call) => new Promise((resolve) => { setTimeout(() => resolve(says({ reasoning: ['wrong turn'] })(call)), 2200); });
      upstream.serve = slow;
      const answer = await rein.ask({ body: chat('hello', { stream: true }) });
      assert.equal(upstream.calls.length, 2, 'the first took longer than that; the second, too');
      assert.equal(gather(answer.text).content, 'Not this.');
    }));
});
