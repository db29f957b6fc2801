// Judges at work: a scripted one decides about prompts, reasoning and answers, and nothing that it has still to judge
// gets to the client. SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import { after, before, beforeEach, describe, test } from 'node:test';
import { chat, gather, send } from '../lib/client.mjs';
import { configText, sanitized, startRein } from '../lib/rein.mjs';
import { streamed as messageEvents } from '../lib/messages.mjs';
import { streamed as responseEvents } from '../lib/responses.mjs';
import { completion, delta, says, startUpstream, stream } from '../lib/upstream.mjs';

const COUNT = process.env.REIN_LONG ? 1000 : 60;
// The same numbers each time: dice(n) is one of 0 to n - 1.
const diceOf = (seed) => (n) => {
  seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
  return Math.floor((seed / 4294967296) * n);
};

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
const judges = (url, more = 'probe: false') => `
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
      for (const o of row.opinions) assert.ok(Number.isInteger(o.heard) && o.heard <= row.reasoning_received + row.answer_received + 3, JSON.stringify(o));
      const ofResponse = row.opinions.filter((o) => o.channel !== 'prompt');
      assert.ok(ofResponse.every((o) => o.heard >= o.offset + o.len), JSON.stringify(ofResponse));
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

  test('a judge is probed at the start, and the log says what it is worth', async () => {
    for (const [said, log] of [['unsafe\nS1', /the judge `guard` works/], ['safe', /calls an answer safe that is not/], ['perhaps', /did not answer a first question: unparsed/]]) {
      judge.serve = (call) => call.reply(200, opinion(said));
      await withRein(all, () => rein.said(log), { judge: 'probe: true', rein: { workers: 2 } });
    }
    assert.equal(judge.calls.length, 3, 'one worker asks');
    judge.serve = () => new Promise(() => {});
    await withRein(all, () => judge.call(3), { judge: 'probe: true' }); // and one that does not answer keeps nobody from ending
  });

  test('metrics count the questions', () => withRein(all, async () => {
    upstream.serve = says({ answer: words(1) });
    await rein.ask({ body: chat('hello') });
    let text = '';
    for (const deadline = Date.now() + 5000; !/rein_judge_questions_total\{/.test(text) && Date.now() < deadline;) ({ text } = await rein.admin('/metrics'));
    assert.match(text, /^rein_judge_questions_total\{judge="guard",outcome="opined"\} [1-9]$/m);
    assert.match(text, /^rein_judge_seconds_total\{judge="guard"\} [0-9.]+$/m);
  }));

  // A judge that knows which sentences are unsafe, slow at times; upstreams that cut their bytes anywhere.
  const dialects = {
    chat: { up: 'kind: openai', path: '/v1/chat/completions', body: (user) => chat(user, { stream: true }),
      bytes: (said) => stream({ reasoning: said.reasoning, answer: said.answer }) },
    messages: { up: 'kind: anthropic', path: '/v1/messages', body: (user) => ({ model: 'm', max_tokens: 64, stream: true, messages: [{ role: 'user', content: user }] }),
      bytes: (said) => messageEvents({ thinking: said.reasoning, text: said.answer }).join('') },
    responses: { up: 'kind: openai, apis: [responses]', path: '/v1/responses', body: (user) => ({ model: 'm', stream: true, input: user }),
      bytes: (said) => responseEvents({ reasoning: said.reasoning, text: said.answer }).join('') },
  };
  for (const [name, dialect] of Object.entries(dialects))
    test(`a judge that knows the labels: ${name}, in any pieces, whenever it answers`, () => withRein('channels: [reasoning, answer], action: refuse, when: always, every: { sentences: 2 }', async () => {
      const dice = diceOf(7), stories = new Map(), unsafe = new Set();
      for (let i = 0; i < COUNT; i++) {
        const said = { reasoning: words(1 + dice(5), `quiet ${i}`), answer: words(1 + dice(5), `friendly ${i}`) };
        const isUnsafe = dice(2) === 1;
        if (isUnsafe) {
          const list = dice(2) === 1 ? said.reasoning : said.answer, sentence = `Here the story ${i} turns bad. `;
          unsafe.add(sentence.trim());
          list.splice(dice(list.length + 1), 0, sentence);
        }
        stories.set(`story ${i}.`, { said, isUnsafe, sentence: `story ${i} turns bad` });
      }
      judge.serve = async (call) => {
        const text = judged(call);
        if (dice(3) === 0) await new Promise((resolve) => setTimeout(resolve, dice(20)));
        return call.reply(200, opinion([...unsafe].some((one) => text.includes(one)) ? 'unsafe\nS2' : 'safe'));
      };
      upstream.serve = async (call) => {
        const { said } = stories.get(/story \d+\./.exec(call.text)[0]);
        await call.begin();
        const bytes = Buffer.from(dialect.bytes(said));
        for (let at = 0, len; at < bytes.length; at += len) await call.chunk(bytes.subarray(at, at + (len = 1 + dice(400))));
        await call.end();
      };
      const counts = { right: 0, missed: 0, wrong: 0 };
      const one = async (asked, { isUnsafe, sentence, said }) => {
        const answer = await rein.ask({ path: dialect.path, body: dialect.body(asked) });
        assert.equal(answer.status, 200, answer.text);
        const { verdict } = await rein.row(answer.headers['x-rein-decision']);
        if (isUnsafe) assert.ok(!answer.text.includes(sentence), answer.text);
        else assert.ok(answer.text.includes(said.answer.at(-1).trim()) || verdict !== 'allow', answer.text);
        counts[isUnsafe === (verdict === 'refuse') ? (isUnsafe ? 'right' : 'safe') : isUnsafe ? 'missed' : 'wrong']++;
      };
      const left = [...stories];
      await Promise.all(Array.from({ length: 12 }, async () => {
        for (let next; (next = left.shift());) await one(...next);
      }));
      const f1 = (2 * counts.right) / (2 * counts.right + counts.missed + counts.wrong);
      assert.ok(f1 >= 0.99, `F1 ${f1}: ${JSON.stringify(counts)}`);
    }, { rein: { up: dialect.up, workers: 2 } }));

  // What judges do that they should not, and what the decision calls it.
  const faults = {
    slow: [() => new Promise(() => {}), ['timed_out']],
    closes: [(call) => call.breakOff(), ['failed']],
    redirects: [(call) => call.reply(307, '', { location: `${upstream.url}/v1/chat/completions` }), ['failed']],
    'answers 500': [(call) => call.reply(500, { error: { message: 'no' } }), ['failed']],
    'is busy': [(call) => call.reply(429, { error: { message: 'later' } }), ['busy', 'timed_out']],
    'talks rubbish': [(call) => call.reply(200, opinion('I would say it depends.')), ['unparsed']],
    'says both': [(call) => call.reply(200, opinion('safe\nunsafe\nS1')), ['unparsed']],
    'never ends': [async (call) => {
      await call.begin({ 'content-type': 'application/json' });
      for (const text = 'x'.repeat(1 << 16); !call.socket.destroyed;) await call.chunk(text);
    }, ['failed', 'timed_out']],
  };
  for (const [name, [serve, outcomes]] of Object.entries(faults))
    for (const [how, verdict] of [['words', 'allow'], ['open', 'allow'], ['closed', 'refuse']])
      test(`a judge that ${name}, ${how}`, () => withRein(`channels: [answer], action: refuse, when: always, on_error: ${how}`, async () => {
        judge.serve = serve;
        upstream.serve = says({ answer: words(2) });
        const answer = await rein.ask({ body: chat('hello', { stream: true }) });
        const row = await rein.row(answer.headers['x-rein-decision']);
        assert.equal(row.verdict, verdict);
        assert.ok(row.opinions.length > 0 && row.opinions.every((o) => outcomes.includes(o.outcome) || o.outcome === 'left_alone'), JSON.stringify(row.opinions));
        if (how === 'closed') assert.doesNotMatch(answer.text, /calm/);
        assert.equal(upstream.calls.length, 1, 'no redirect was followed');
        assert.ok(!rein.log.includes('calm'), rein.log);
      }, { judge: 'probe: false, timeout_ms: 300, busy_ms: 200, failures: 100' }));

  // What may be held of a stream is the policy's `limits.stream_bytes` (256 KiB). Eight questions may be open, each quoting 32 KiB.
  test('FOUND R12: streams that wait for replies that never end stay small', { skip: sanitized && 'a sanitizer keeps freed memory' }, () => withRein(
    'channels: [answer], action: refuse, when: always, every: { sentences: 8 }, on_error: words',
    async () => {
      const STREAMS = 20, EVENTS = 260, own = () => Number(/^RssAnon:\s+(\d+) kB$/m.exec(fs.readFileSync(`/proc/${rein.child.pid}/status`, 'utf8'))[1]);
      judge.serve = async (call) => {
        await call.begin({ 'content-type': 'application/json' });
        for (let i = 0; i < 60 && !call.socket.destroyed; i++) {
          await call.chunk('x'.repeat(1024));
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
        call.breakOff();
      };
      const long = 'This is a calm sentence of some length, said once more. '.repeat(20);
      upstream.serve = says({ answer: Array(EVENTS).fill(long) });
      const before = own();
      let most = 0;
      const watch = setInterval(() => { most = Math.max(most, own() - before); }, 10);
      const answers = await Promise.all(Array.from({ length: STREAMS }, () => rein.ask({ body: chat('hello', { stream: true }) })));
      clearInterval(watch);
      console.log(`${STREAMS} streams beside a judge whose reply never ends: at most ${(most / STREAMS).toFixed(0)} KiB each`);
      for (const answer of answers) assert.equal(gather(answer.text).content.length, EVENTS * long.length);
      assert.ok(most / STREAMS < 3072, `${most} KiB for ${STREAMS} streams`);
    },
    // What has failed so often is left alone, so that the test ends.
    { judge: 'probe: false, timeout_ms: 1500, failures: 60, alone_ms: 100000, calls: 64' },
  ));
});
