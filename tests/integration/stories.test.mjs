// A thousand responses that go astray at random places and are steered by a prefilled restart: each is one clean stream.
// And what comes of a restart that is disturbed. SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { gather, send } from '../lib/client.mjs';
import { checkRow, expected, kinds, playAll, releases, startStories, storyOf } from '../lib/stories.mjs';
import { delta } from '../lib/upstream.mjs';

const COUNT = Number(process.env.REIN_STORIES ?? 1000); // the first so many
const bodyOf = (story, more = {}) => ({ model: story.model, stream: true, messages: [{ role: 'user', content: story.question }], ...more });

describe('a cut at any place', { timeout: 400000 }, () => {
  let world, hook;
  before(async () => { world = await startStories({ before: (...call) => hook?.(...call) ?? true }); });
  after(() => world?.stop());
  const ask = (story, more) => world.rein.ask({ body: bodyOf(story, more) });
  // Some stories, one after the other, told anew.
  const some = async (from, count, wants, play) => {
    world.forget();
    for (let id = from, found = 0; found < count; id++) {
      const story = storyOf(id);
      if (!wants(story)) continue;
      found++;
      await play(story);
    }
  };

  test(`${COUNT} streams`, async () => {
    const rows = new Map();
    await playAll(world, COUNT, async (story) => {
      const wants = story.id % 3 === 0;
      const answer = await ask(story, wants ? { stream_options: { include_usage: true } } : {});
      // Usage is what the last attempt's backend said; one that was stopped said nothing.
      assert.equal(gather(answer.text).usage, wants && story.failures < story.attempts.length ? 1 : 0, answer.text);
      if (story.id % 10 === 0) rows.set(story, answer.headers['x-rein-decision']);
      return answer.text;
    });
    for (const [story, id] of rows) checkRow(story, await world.rein.row(id));
  });

  test('not streamed: the last attempt alone', () => some(2000, 60, () => true, async (story) => {
    const want = expected(story), answer = await ask(story, { stream: false });
    const [choice] = answer.json.choices;
    assert.deepEqual([answer.status, answer.json.choices.length, choice.finish_reason], [200, 1, want.finish], answer.text);
    assert.equal(choice.message.content.trim(), want.content, answer.text);
    const thought = choice.message.reasoning_content ?? choice.message.reasoning ?? '';
    if (want.finish === 'stop') assert.equal(thought.trim(), story.release === 'hide' ? '' : story.attempts.at(-1).text.trim(), answer.text);
    for (const failed of story.attempts.filter((attempt) => attempt.at !== undefined)) assert.ok(!answer.text.includes(failed.text.trim().slice(0, 8)), answer.text);
    checkRow(story, await world.rein.row(answer.headers['x-rein-decision']));
  }));

  // What the backend does instead of answering the restart, and how the stream ends then.
  const failures = {
    'answers 500': { break: (call) => call.reply(500, { error: { message: 'Q-secret' } }), outcome: 'refused' },
    'answers 429': { break: (call) => call.reply(429, { error: { message: 'Q-secret' } }), outcome: 'refused' },
    'says something else': { break: (call) => call.reply(200, { what: 'Q-secret' }, { 'content-type': 'text/html' }), outcome: 'refused' },
    'hangs up': { break: (call) => call.breakOff(), outcome: 'refused' },
    'breaks off at once': { break: async (call) => { await call.begin(); call.breakOff(); }, outcome: 'broke' },
    'ends without an end': { break: async (call) => { await call.begin(); await call.end(); }, outcome: 'broke' },
    'breaks off halfway': {
      break: async (call) => {
        await call.begin();
        await call.event(delta({ role: 'assistant', content: '' }));
        await call.event(delta({ reasoning_content: ' Half a sentence.', reasoning: ' Half a sentence.' }));
        call.breakOff();
      },
      outcome: 'broke', chat: true, says: ' Half a sentence.',
    },
  };
  for (const [name, { break: breaks, outcome, chat, says = '' }] of Object.entries(failures))
    test(`the restart's backend ${name}`, async () => {
      let asked = 0;
      hook = (call, id, attempt) => {
        if (!call.json?.stream || attempt === 0) return true;
        asked++;
        breaks(call);
        return false;
      };
      const isChat = ({ kind }) => kinds[kind].kind === 'deepseek' || kinds[kind].build === 'new';
      await some(3000, 12, (story) => !chat || isChat(story), async (story) => {
        asked = 0;
        const answer = await ask(story), seen = gather(answer.text), [shown] = expected(story).parts;
        assert.ok(asked >= 1, 'it was asked again');
        assert.deepEqual([seen.ids.size, seen.roles], [1, 1], answer.text);
        assert.ok(!answer.text.includes('Q-secret'), answer.text);
        assert.equal(seen.reasoning, shown + (story.release === 'hide' ? '' : says), `${story.model}: ${answer.text}`);
        if (outcome === 'refused') assert.deepEqual([seen.content, seen.finish, seen.done, seen.errors], ['Not this.', ['content_filter'], 1, []], answer.text);
        else assert.deepEqual([seen.content.trim(), seen.finish, seen.errors.length], ['', [], 1], answer.text);
        const row = await world.rein.row(answer.headers['x-rein-decision']);
        assert.deepEqual([row.ending, row.attempts.length, row.attempts[0].outcome], [outcome === 'refused' ? 'refused' : 'upstream_broke', 2, 'steered'], JSON.stringify(row));
      });
      hook = undefined;
    });

  test('the client leaves while the restart is asked for', async () => {
    await some(4000, 12, () => true, async (story) => {
      let arrived;
      const second = new Promise((resolve) => { arrived = resolve; });
      hook = (call, id, attempt) => {
        if (!call.json?.stream || attempt === 0) return true;
        arrived(call);
        return false; // never answered
      };
      const answer = await send(world.rein.port, { body: bodyOf(story) });
      const call = await second;
      answer.leave();
      await call.closed;
      const row = await world.rein.row(answer.headers['x-rein-decision']);
      assert.deepEqual([row.ending, row.attempts.map((attempt) => attempt.outcome)], ['client_left', ['steered', 'client_left']], JSON.stringify(row));
      hook = undefined;
    });
  });

  test('clients that leave anywhere', async () => {
    world.forget();
    const run = async (first) => {
      for (let id = first; id < 5160; id += 8) {
        const story = storyOf(id), answer = await send(world.rein.port, { body: bodyOf(story) });
        let isOver = false;
        answer.body.then(() => { isOver = true; });
        for (const enough = (id * 131) % 4000; answer.text.length < enough && !isOver;) await Promise.race([answer.body, new Promise((wake) => { answer.waiting.push(wake); })]);
        answer.leave();
        const row = await world.rein.row(answer.headers['x-rein-decision']);
        assert.ok(['client_left', 'complete', 'refused'].includes(row.ending), JSON.stringify(row));
        // What did come is the beginning of what would have come.
        const whole = answer.text.slice(0, answer.text.lastIndexOf('\n\n') + 2);
        assert.ok(expected(story).reasoning.startsWith(gather(whole).reasoning), `story ${id}: ${whole}`);
      }
    };
    await Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map((n) => run(5000 + n)));
  });

  // With several choices a restart would take back what is well: the one that went astray ends as the fallback says.
  test('of two choices one goes astray', async () => {
    const at = kinds.findIndex((one) => one.kind === 'deepseek');
    for (const release of releases) {
      let calls = 0;
      hook = async (call) => {
        if (call.json.n !== 2) return true;
        calls++;
        await call.begin();
        for (const index of [0, 1]) await call.event(delta({ role: 'assistant', content: '' }, null, index));
        for (const [index, text] of [[0, ' I look.'], [1, ' I think.'], [0, ' Now the astray'], [1, ' It is fine.'], [0, ' words come.']]) await call.event(delta({ reasoning_content: text }, null, index));
        for (const index of [0, 1]) await call.event(delta({ content: `Answer ${index}.` }, null, index));
        for (const index of [0, 1]) await call.event(delta({}, 'stop', index));
        await call.event('[DONE]');
        await call.end();
        return false;
      };
      // What is remembered as verified of one choice holds for two.
      const answer = await world.rein.ask({ body: { model: `k${at}-${release}`, n: 2, stream: true, messages: [{ role: 'user', content: 'Two, please.' }] } });
      const chunks = answer.text.split('\n\n').filter((line) => line.startsWith('data: {')).map((line) => JSON.parse(line.slice(6))).flatMap((event) => event.choices);
      const of = (index, field) => chunks.filter((choice) => choice.index === index).map((choice) => choice.delta[field] ?? '').join('');
      const finish = [0, 1].map((index) => chunks.filter((choice) => choice.index === index && choice.finish_reason).map((choice) => choice.finish_reason));
      assert.equal(calls, 1, 'nothing was asked again');
      assert.deepEqual(finish, [['content_filter'], ['stop']], answer.text);
      assert.deepEqual([of(0, 'content'), of(1, 'content')], ['Not this.', 'Answer 1.'], answer.text);
      const shown = { stream: ' I look. Now the ', sentence: ' I look. ', end: '', hide: '' }[release];
      assert.deepEqual([of(0, 'reasoning_content'), of(1, 'reasoning_content')], [shown, release === 'hide' ? '' : ' I think. It is fine.'], answer.text);
      assert.equal(gather(answer.text).done, 1);
    }
    hook = undefined;
  });
});
