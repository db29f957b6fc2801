// Judges at work: a scripted one decides about prompts, reasoning and answers, and nothing that it has still to judge
// gets to the client. SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, beforeEach, describe, test } from 'node:test';
import { chat, gather, send } from '../lib/client.mjs';
import { configText, startRein } from '../lib/rein.mjs';
import { completion, delta, says, startUpstream } from '../lib/upstream.mjs';

const policy = (panel, more = '') => `
version: 1
name: default
prefix: { template: none, deliver: off, when: never }
reasoning: { show: stream, release: stream }
patterns: {}
rules:
  - { id: password, channels: [answer], literal: "open sesame", action: refuse }
judges:
  - { id: harm, ask: [guard], ${panel} }
refusal: { message: "Not this.", finish_reason: content_filter }
${more}`;
const judges = (url, more = '') => `
judges:
  - { name: guard, kind: llama_guard, url: "${url}", model: guard-8b, ${more} }
`;
// The last turn is the one that is judged.
const judged = (call) => call.json.messages.at(-1).content;
const opinion = (text) => completion({ answer: text });
const all = 'channels: [prompt, reasoning, answer], action: refuse, when: always, every: { sentences: 1 }';
const words = (n, word = 'calm') => Array.from({ length: n }, (_, i) => `This is ${word} sentence number ${i}. `);

describe('judges', { timeout: 240000 }, () => {
  let upstream, judge, rein;
  const guard = async (call) => call.reply(200, opinion(/risky/.test(judged(call)) ? 'unsafe\nS1' : 'safe'));
  before(async () => {
    upstream = await startUpstream(says({ reasoning: words(4), answer: words(3) }));
    judge = await startUpstream(guard);
  });
  beforeEach(() => { judge.serve = guard; judge.calls.length = upstream.calls.length = 0; });
  after(async () => {
    await upstream?.stop();
    await judge?.stop();
  });
  const withRein = async (panel, run, more = {}) => {
    rein = await startRein({ upstream: upstream.url, policy: policy(panel, more.policy), more: judges(judge.url, more.judge), ...more.rein });
    try {
      await run(rein);
    } finally {
      await rein.clean();
    }
  };

  for (const streamed of [true, false]) {
    const how = streamed ? 'a stream' : 'a whole answer';
    const ask = (text) => rein.ask({ body: chat(text, { stream: streamed }) });
    const said = (answer) => (streamed ? gather(answer.text) : { content: answer.json.choices[0].message.content, reasoning: answer.json.choices[0].message.reasoning_content });

    test(`${how} that judges call safe passes as it is`, () => withRein(all, async () => {
      upstream.serve = says({ reasoning: words(4), answer: words(3) });
      const answer = await ask('hello');
      assert.equal(answer.status, 200, answer.text);
      assert.equal(said(answer).content, words(3).join(''));
      assert.ok(judge.calls.length >= 3, `${judge.calls.length} questions`);
      const row = await rein.row(answer.headers['x-rein-decision']);
      assert.equal(row.verdict, 'allow');
      assert.deepEqual(new Set(row.opinions.map((o) => o.channel)), new Set(['prompt', 'reasoning', 'answer']));
      for (const o of row.opinions) assert.deepEqual([o.panel, o.judge, o.outcome, o.risk], ['harm', 'guard', 'opined', 0]);
    }));

    test(`${how} that a judge calls unsafe is refused, and nothing unsafe leaves`, () => withRein(all, async () => {
      upstream.serve = says({ reasoning: words(2), answer: [...words(1), ...words(2, 'risky')] });
      const answer = await ask('hello');
      assert.doesNotMatch(answer.text, /risky/);
      assert.match(answer.text, /Not this\./);
      const row = await rein.row(answer.headers['x-rein-decision']);
      assert.deepEqual([row.verdict, row.findings[0].kind, row.findings[0].id, row.findings[0].judge], ['refuse', 'judge', 'harm', 'guard']);
      const last = row.opinions.filter((o) => o.outcome === 'opined').at(-1);
      assert.deepEqual([last.risk, last.categories], [1, 'S1']);
    }));

    test(`${how}: a prompt that a judge calls unsafe reaches no model`, () => withRein(all, async () => {
      const answer = await ask('something risky');
      assert.match(answer.text, /Not this\./);
      assert.equal(upstream.calls.length, 0);
    }));
  }

  test('a broken judge: words, open and closed', async () => {
    judge.serve = (call) => call.reply(500, { error: { message: 'no' } });
    upstream.serve = says({ answer: words(2) });
    for (const [how, verdict] of [['words', 'allow'], ['open', 'allow'], ['closed', 'refuse']])
      await withRein(`${all}, on_error: ${how}`, async () => {
        const answer = await rein.ask({ body: chat('hello') });
        assert.equal((await rein.row(answer.headers['x-rein-decision'])).verdict, verdict, how);
      });
  });

  test('what a judge has not judged yet is held, what it has judged is not', () => withRein(all, async () => {
    let release;
    const held = new Promise((resolve) => { release = resolve; });
    judge.serve = async (call) => {
      if (/second/.test(judged(call))) await held;
      return guard(call);
    };
    upstream.serve = async (call) => {
      await call.begin();
      await call.event(delta({ content: 'The first sentence is here. ' }));
      await call.event(delta({ content: 'The second one is too. ' }));
      await call.event(delta({ content: 'And a third.' }));
      await call.event(delta({}, 'stop'));
      await call.chunk('data: [DONE]\n\n');
      await call.end();
    };
    const answer = await send(rein.port, { body: chat('hello', { stream: true }) });
    await answer.until('first sentence');
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.doesNotMatch(answer.text, /second/);
    release();
    const { text } = await answer.body;
    assert.equal(gather(text).content, 'The first sentence is here. The second one is too. And a third.');
  }));

  test('a client that leaves while a judge is asked', () => withRein(all, async () => {
    judge.serve = () => new Promise(() => {});
    const body = JSON.stringify(chat('hello', { stream: true }));
    const socket = net.connect(rein.port, '127.0.0.1');
    socket.write(`POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    await judge.call(0);
    socket.destroy();
    for (const deadline = Date.now() + 5000; ;) {
      const rows = await rein.rows();
      if (rows.length === 1 && rows[0].final) {
        assert.equal(rows[0].ending, 'client_left');
        break;
      }
      assert.ok(Date.now() < deadline, 'the row is final');
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    assert.equal(upstream.calls.length, 0);
  }));

  test('a reload brings other judges; requests keep those that they began with', () => withRein(all, async () => {
    const other = await startUpstream(guard);
    upstream.serve = says({ answer: words(1) });
    const config = configText({ upstream: upstream.url, more: judges(other.url) });
    rein.rewrite({ config });
    rein.child.kill('SIGHUP');
    await rein.said(/reloaded/);
    assert.equal((await rein.ask({ body: chat('hello') })).status, 200);
    assert.ok(other.calls.length > 0);
    assert.equal(judge.calls.length, 0);
    await other.stop();
  }));
});
