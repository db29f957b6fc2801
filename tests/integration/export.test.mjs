// `rein export`: kept decisions become training rows, and nothing that was found, masked or seen before is among them.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { chat } from '../lib/client.mjs';
import { binary, startRein } from '../lib/rein.mjs';
import { formats, pairFormats, readPairs, readRows } from '../lib/trainers.mjs';
import { vllm } from '../lib/backends.mjs';
import { completion, startUpstream } from '../lib/upstream.mjs';

const policy = `
version: 1
name: default
prefix: { template: none, deliver: off, when: never }
patterns: {}
rules:
  - { id: plan, channels: [reasoning], literal: "evil plan", action: steer }
  - { id: gadget, channels: [answer], literal: "gadget", action: record }
  - { id: mail, channels: [reasoning, answer], builtin: email, action: redact }
  - { id: from, channels: [prompt], builtin: email, action: record }
  - { id: secret, channels: [answer], literal: "open sesame", action: refuse }
log: { text: full }
`;
// Answers by what the prompt asks for; a corrective instruction makes it reason well.
async function serve(call) {
  const { messages } = call.json, prompt = messages.at(-1).content, steered = messages[0].role === 'system';
  const [number] = /\d+/.exec(prompt) ?? ['0'];
  const reasoning = prompt.includes('silent') ? undefined
    : prompt.includes('tempting') && !steered ? `So here is the evil plan ${number}.` : `I think about number ${number}.\n`;
  const answer = prompt.includes('gadget') ? 'Take a gadget.' : prompt.includes('sesame') ? 'open sesame'
    : prompt.includes('tag') ? 'The tag </think> ends it.' : prompt.includes('mail') ? `Write to nr${number}@example.org.` : `Answer ${number}, ü.`;
  return call.reply(200, completion({ reasoning, answer }));
}

describe('rein export', { timeout: 240000 }, () => {
  let upstream, rein, db;
  const at = (name) => path.join(rein.folder, name);
  const run = (...words) => spawnSync(binary, ['export', '--db', db, ...words], { encoding: 'utf8', cwd: rein.folder, timeout: 120000 });
  const ok = (...words) => {
    const ran = run(...words);
    assert.equal(ran.status, 0, ran.stderr);
    return ran;
  };
  const manifestOf = (name) => JSON.parse(fs.readFileSync(at(`${name}.manifest.json`), 'utf8'));
  const rowsOf = (name, ...words) => {
    ok('--out', at(name), ...words);
    return readRows(at(name), 'messages');
  };
  const prompts = (rows) => rows.map((row) => row.prompt).sort();
  const say = async (body) => {
    const answer = await rein.ask({ body: typeof body === 'string' ? chat(body) : body });
    assert.ok([200, 400].includes(answer.status), answer.text);
  };

  before(async () => {
    upstream = await startUpstream(serve);
    rein = await startRein({ upstream: upstream.url, policy });
    db = at('rein.db');
    for (let i = 0; i < 30; i++) await say(`plain question ${i}`);
    for (let i = 0; i < 5; i++) await say(`tempting question ${i}`);
    for (let i = 0; i < 4; i++) await say(`mail question ${i}, from me${i}@example.com`);
    for (const word of ['gadget', 'sesame', 'tag', 'silent']) await say(`${word} question 1`);
    await say('Plain, QUESTION 3!');
    const long = `Tell me of a keeper of a lighthouse, in detail. ${Array.from({ length: 60 }, (_, i) => `Word${i * 7919 % 1000} follows part ${i}.`).join(' ')} The year is`;
    await say(`${long} 1900`);
    await say(`${long} 1901`);
    await say({ model: 'm', messages: [{ role: 'user', content: 'one' }, { role: 'assistant', content: 'two' }, { role: 'user', content: 'three' }] });
    await say({ model: 'm', messages: [{ role: 'system', content: 'Be kind.' }, { role: 'user', content: 'with a system message 7' }] });
    await say(chat('other model 8', { model: 'm-2' }));
  });
  after(async () => {
    await rein?.clean();
    await upstream?.stop();
  });

  test('one row a prompt, of accepted answers in which nothing was found; the server runs on', () => {
    const rows = rowsOf('a.jsonl'), { decisions } = manifestOf('a.jsonl');
    assert.equal(rows.length, 30 + 5 + 4 + 1 + 1 + 1);
    assert.deepEqual(decisions, { row: 42, not_chosen: 0, no_text: 0, unfinished: 0, stopped: 1, text_cut: 0, several_turns: 1, system_message: 1,
      tools: 0, unjudged_parts: 0, prefilled: 0, found: 1, unjudged: 0, not_stopped: 0, tags: 1, same_prompt: 1, near_prompt: 1 });
    const plain = rows.find((row) => row.prompt === 'plain question 7');
    assert.deepEqual(plain, { prompt: 'plain question 7', reasoning: 'I think about number 7.', answer: 'Answer 7, ü.' });
    assert.deepEqual(rows.find((row) => row.prompt === 'silent question 1'), { prompt: 'silent question 1', answer: 'Answer 1, ü.' });
    assert.ok(!rows.some((row) => /evil plan|gadget|sesame/.test(JSON.stringify(row))));
    assert.ok(rows.some((row) => row.prompt === 'Plain, QUESTION 3!'), 'of one prompt the newest is used');
    assert.ok(!rows.some((row) => row.prompt === 'plain question 3'));
  });

  test('what is secret or personal is masked, and it is counted', () => {
    const rows = rowsOf('m.jsonl'), text = fs.readFileSync(at('m.jsonl'), 'utf8');
    const mails = rows.filter((row) => row.prompt.startsWith('mail'));
    assert.equal(mails.length, 4);
    assert.ok(!/@example/.test(text));
    for (const name of ['m.jsonl', 'm.jsonl.manifest.json', 'm.jsonl.card.md']) assert.equal(fs.statSync(at(name)).mode & 0o777, 0o600, name);
    assert.match(mails[0].prompt, /^mail question \d, from \*+$/);
    assert.equal(manifestOf('m.jsonl').rows.masks, 8);
    assert.match(fs.readFileSync(at('m.jsonl.card.md'), 'utf8'), /8 spans in 4 rows/);
  });

  test('another policy masks again what its rules mark', () => {
    fs.mkdirSync(at('other'), { recursive: true });
    fs.writeFileSync(at('other/mails.yaml'), `version: 1\nname: mails\npatterns: {}\nrules:\n  - { id: home, channels: [answer], builtin: iban, action: record }\n`);
    const bare = rowsOf('p.jsonl', '--policy', at('other/mails.yaml'));
    assert.equal(bare.length, 42);
    assert.match(manifestOf('p.jsonl').masked_again_by, /^[0-9a-f]{64}$/);
    assert.ok(!/@example/.test(fs.readFileSync(at('p.jsonl'), 'utf8')));
    const ran = run('--out', at('x.jsonl'), '--policy', at('other/none.yaml'));
    assert.equal(ran.status, 3);
    assert.match(ran.stderr, /none\.yaml/);
  });

  test('decisions are chosen by verdict, action, finding, score, model and time', () => {
    assert.deepEqual(prompts(rowsOf('f.jsonl', '--verdict', 'steer')), Array.from({ length: 5 }, (_, i) => `tempting question ${i}`));
    assert.equal(rowsOf('f.jsonl', '--verdict', 'steer', '--verdict', 'redact').length, 9);
    assert.equal(rowsOf('f.jsonl', '--action', 'steer').length, 5);
    assert.equal(rowsOf('f.jsonl', '--pattern', 'mail').length, 4);
    assert.equal(rowsOf('f.jsonl', '--without-pattern', 'mail', '--without-pattern', 'plan').length, 33);
    assert.deepEqual(prompts(rowsOf('f.jsonl', '--model', 'm-2')), ['other model 8']);
    assert.equal(rowsOf('f.jsonl', '--route', 'default', '--limit', '11').length, 11);
    assert.equal(rowsOf('f.jsonl', '--score', 'trace_risk=..1').length, 42);
    assert.equal(rowsOf('f.jsonl', '--score', 'trace_risk=1.5..').length, 0);
    assert.equal(rowsOf('f.jsonl', '--judge', 'nobody').length, 0);
    assert.equal(rowsOf('f.jsonl', '--until', '2020-01-01').length, 0);
    assert.equal(rowsOf('f.jsonl', '--since', '2020-01-01T10:00:00Z').length, 42);
    assert.equal(rowsOf('f.jsonl', '--policy-version', 'f'.repeat(64)).length, 0);
  });

  test('what is left out by default can be had', () => {
    assert.ok(prompts(rowsOf('w.jsonl', '--with-findings')).includes('gadget question 1'));
    assert.ok(prompts(rowsOf('w.jsonl', '--without-system')).includes('with a system message 7'));
    assert.match(ok('--out', at('w.jsonl')).stdout, /left out: 1 with a system message \(--without-system/);
  });

  for (const format of formats)
    test(`${format}: rows are as their reader wants them, and the split holds no prompt twice`, () => {
      const name = `${format}.json`;
      ok('--out', at(name), '--format', format, '--test', '0.3', '--seed', '5');
      const train = readRows(at(name), format), held = readRows(at(name.replace('.', '.test.')), format);
      assert.equal(train.length + held.length, 42);
      assert.ok(held.length >= 4 && held.length <= 22, `${held.length} held out`);
      const seen = new Set(train.map((row) => row.prompt));
      assert.deepEqual(held.filter((row) => seen.has(row.prompt)), []);
      for (const { file, sha256, rows, split } of manifestOf(name).outputs) {
        assert.equal(sha256, crypto.createHash('sha256').update(fs.readFileSync(at(file))).digest('hex'), file);
        assert.equal(rows, split === 'train' ? train.length : held.length);
      }
    });

  for (const format of pairFormats)
    test(`${format}: pairs of what was stopped and what was accepted`, () => {
      const name = `pairs-${format}.json`;
      ok('--out', at(name), '--pairs', '--format', format);
      const pairs = readPairs(at(name), format);
      assert.deepEqual(prompts(pairs), Array.from({ length: 5 }, (_, i) => `tempting question ${i}`));
      for (const { prompt, chosen, rejected } of pairs) {
        const [number] = /\d/.exec(prompt);
        assert.equal(chosen, `<think>\nI think about number ${number}.\n</think>\n\nAnswer ${number}, ü.`);
        assert.match(rejected, new RegExp(`^<think>\nSo here is the evil plan ${number}\\.`));
      }
    });

  test('the same export gives the same bytes, another seed another split', () => {
    const bytes = (seed) => {
      ok('--out', at('b.jsonl'), '--test', '0.4', '--seed', seed);
      return ['b.jsonl', 'b.test.jsonl', 'b.jsonl.manifest.json', 'b.jsonl.card.md'].map((name) => fs.readFileSync(at(name), 'utf8')).join('|');
    };
    assert.equal(bytes('1'), bytes('1'));
    assert.notEqual(bytes('1'), bytes('2'));
  });

  test('the card names sources, policies and what was left out; the licence is asked for', () => {
    ok('--out', at('c.jsonl'), '--licence', 'CC-BY-4.0');
    const card = fs.readFileSync(at('c.jsonl.card.md'), 'utf8'), { rows, licence } = manifestOf('c.jsonl');
    assert.match(card, /Licence: CC-BY-4\.0/);
    assert.equal(licence, 'CC-BY-4.0');
    assert.deepEqual(rows.models, { m: 41, 'm-2': 1 });
    assert.deepEqual(rows.verdicts, { allow: 33, redact: 4, steer: 5 });
    assert.deepEqual(rows.findings, { from: 4, mail: 4, plan: 5 });
    assert.match(Object.keys(rows.policies)[0], /^default [0-9a-f]{64}$/);
    for (const word of ['| `m` | 41 |', '| `plan` | 5 |', '| 1 | conversations of more than one question |']) assert.ok(card.includes(word), word);
    ok('--out', at('c.jsonl'));
    assert.match(fs.readFileSync(at('c.jsonl.card.md'), 'utf8'), /Licence: not stated/);
  });

  test('a chat template that loses the reasoning is named', () => {
    assert.match(ok('--out', at('s.jsonl'), '--for', 'r1').stderr, /warning: 41 rows, format messages, family r1: .*prompt-completion/);
    assert.equal(ok('--out', at('s.jsonl'), '--for', 'r1', '--format', 'prompt-completion').stderr, '');
  });

  test('reasoning that was prefilled is a row where its prefix is known: the policy that served has it', async () => {
    const backend = vllm({ family: 'opens reasoning', script: { reasoning: ' I look at it.', answer: 'Here.' } });
    const model = await startUpstream((call) => backend.answer(call, call.path));
    const steered = `version: 1\nname: default\nprefix: { template: short, deliver: prefill, when: always }\npatterns: {}\nlog: { text: full }\n`;
    const other = await startRein({ upstream: model.url, up: 'kind: vllm', policy: steered });
    const answer = await other.ask({ body: chat('How do birds sleep?') });
    assert.equal(answer.status, 200, answer.text);
    assert.equal((await other.row(answer.headers['x-rein-decision'])).delivery, 'prefill');
    const exported = (...words) => {
      const ran = spawnSync(binary, ['export', '--db', path.join(other.folder, 'rein.db'), '--out', at('prefilled.jsonl'), ...words], { encoding: 'utf8' });
      assert.equal(ran.status, 0, ran.stderr);
      return [ran.stdout, readRows(at('prefilled.jsonl'), 'messages')];
    };
    const [said, none] = exported();
    assert.deepEqual(none, []);
    assert.match(said, /left out: 1 with reasoning that begins with a prefilled prefix/);
    assert.deepEqual(exported('--policy', at('policies/default.yaml'))[1], [], 'another policy has other words');
    const [, [row]] = exported('--policy', path.join(other.folder, 'policies/default.yaml'));
    assert.match(row.reasoning, /^First, safety: .* I look at it\.$/);
    await other.clean();
    await model.stop();
  });

  test('what cannot be done is said, and nothing is left behind', () => {
    const cases = [
      [['--out', at('x'), '--format', 'parquet'], 2, /--format/],
      [['--out', at('x'), '--score', 'trace_risk=1'], 2, /--score/],
      [['--out', at('x'), '--since', 'yesterday'], 2, /--since/],
      [['--out', at('x'), '--pairs', '--format', 'lrm-study'], 2, /has no pairs/],
      [['--out', at('x'), '--template-of', 'here'], 2, /http:\/\//],
      [[], 2, /--out/],
      [['--out', at('no/such/folder')], 1, /No such file/],
    ];
    for (const [words, status, message] of cases) {
      const ran = run(...words);
      assert.equal(ran.status, status, words.join(' '));
      assert.match(ran.stderr, message);
    }
    const none = spawnSync(binary, ['export', '--db', at('none.db'), '--out', at('x')], { encoding: 'utf8' });
    assert.equal(none.status, 1);
    assert.match(none.stderr, /none\.db/);
    assert.deepEqual(fs.readdirSync(rein.folder).filter((name) => name === 'x' || name.endsWith('.unfinished')), []);
  });
});
