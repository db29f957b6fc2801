// `rein distill`, and the whole way from prompts to training files: asked, kept, repaired, mixed, written in each format; an
// interrupted run comes to the same bytes. SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { cleanTrace, harmfulPrompt, isPlanted, plantedTrace } from '../../tools/distill/planted.mjs';
import { vllm } from '../lib/backends.mjs';
import { chat } from '../lib/client.mjs';
import { binary, startRein } from '../lib/rein.mjs';
import { formats, readRows } from '../lib/trainers.mjs';
import { completion, startUpstream } from '../lib/upstream.mjs';

const PROMPTS = process.env.REIN_LONG ? 1000 : 100;
const source = process.env.REIN_SOURCE_DIR ?? path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const policy = `
version: 1
name: careful
prefix: { template: none, deliver: off, when: never }
patterns: {}
steer: { max_attempts: 2 }
rules:
  - { id: mail, channels: [reasoning, answer], builtin: email, action: redact }
  - { id: from, channels: [prompt], builtin: email, action: record }
judges:
  - { id: patterns, ask: [guard], channels: [reasoning, answer], when: always, every: { sentences: 4 }, action: steer, on_error: closed }
refusal: { message: "No.", finish_reason: content_filter, before_first_byte: error }
`;

// What becomes of prompt n: how many of its calls are planted, and whether steering helps.
const fate = (n) => (n % 10 < 6 ? 'clean' : n % 10 < 8 ? 'steered' : n % 10 === 8 ? 'again' : 'never');
const numberOf = (text) => Number(/Case (\d+)\./.exec(text)[1]);
async function model(call) {
  const { messages, seed } = call.json, n = numberOf(messages.at(-1).content), steered = messages[0].role === 'system';
  const bad = { clean: false, steered: !steered, again: seed % 16 < 2, never: true }[fate(n)];
  const { reasoning, answer } = bad ? plantedTrace(n) : cleanTrace(n);
  return call.reply(200, completion({ reasoning, answer: n % 10 === 1 ? `${answer} Write to help${n}@example.org.` : answer }));
}
const judge = async (call) => call.reply(200, completion({ answer: isPlanted(call.json.messages.at(-1).content) ? 'unsafe\nS2' : 'safe' }));

describe('rein distill', { timeout: process.env.REIN_LONG ? 3600000 : 400000 }, () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-distill-'));
  const at = (name) => path.join(folder, name);
  let upstream, guard;
  const wordsOf = (out, ...more) => ['distill', '--url', upstream.url, '--model', 'm', '--policy', at('policy.yaml'), '--config', at('judges.yaml'),
    '--library', path.join(source, 'config'), '--out', at(out), ...more, at('prompts.jsonl')];
  // `stop`: a signal, and after how many calls of the upstream it is sent.
  const run = (words, stop) => new Promise((resolve) => {
    const child = spawn(binary, words, { stdio: ['ignore', 'pipe', 'pipe'], cwd: folder, env: { ...process.env, TMPDIR: folder, SECRET_KEY: 'upstream-secret' } });
    let stdout = '', stderr = '';
    child.stdout.on('data', (text) => { stdout += text; });
    child.stderr.on('data', (text) => { stderr += text; });
    if (stop) upstream.call(upstream.calls.length + stop.calls).then(() => child.kill(stop.signal));
    child.on('close', (status, signal) => resolve({ status, signal, stdout, stderr }));
  });
  const ok = async (words) => {
    const ran = await run(words);
    assert.equal(ran.status, 0, ran.stderr);
    return ran;
  };
  const lines = (name) => fs.readFileSync(at(name), 'utf8').trim().split('\n').map((line) => JSON.parse(line));
  const bytes = (name) => [name, `${name}.outcomes.jsonl`].map((file) => fs.readFileSync(at(file), 'utf8'));
  const manifestOf = (name) => JSON.parse(fs.readFileSync(at(`${name}.manifest.json`), 'utf8'));

  before(async () => {
    upstream = await startUpstream(model);
    guard = await startUpstream(judge);
    fs.writeFileSync(at('policy.yaml'), policy);
    fs.writeFileSync(at('judges.yaml'), `judges:\n  - { name: guard, kind: llama_guard, url: "${guard.url}", model: guard-8b, probe: false }\n`);
    fs.writeFileSync(at('prompts.jsonl'), Array.from({ length: PROMPTS }, (_, n) => `${JSON.stringify({ id: `q${n}`, query: harmfulPrompt(n), category: 'made-up' })}\n`).join(''));
  });
  after(async () => {
    await upstream?.stop();
    await guard?.stop();
    fs.rmSync(folder, { recursive: true, force: true });
  });

  test('keeps what is clean, repairs by steering, asks again, and says why', async () => {
    const ran = await ok(wordsOf('rows.jsonl', '--concurrency', '8', '--api-key-env', 'SECRET_KEY'));
    const rows = lines('rows.jsonl'), outcomes = lines('rows.jsonl.outcomes.jsonl'), tenth = PROMPTS / 10;
    assert.equal(outcomes.length, PROMPTS);
    for (const name of ['rows.jsonl', 'rows.jsonl.outcomes.jsonl', 'rows.jsonl.manifest.json']) assert.equal(fs.statSync(at(name)).mode & 0o777, 0o600, name);
    assert.equal(rows.length, 9 * tenth);
    const [style] = manifestOf('rows.jsonl').styles;
    const { style: name, questions, kept, clean, repaired, asked_again: again, not_kept: why } = style;
    assert.deepEqual({ name, questions, kept, clean, repaired, again, why },
      { name: 'improved', questions: PROMPTS, kept: 9 * tenth, clean: 6 * tenth, repaired: 2 * tenth, again: tenth, why: { stopped: tenth } });
    assert.match(ran.stdout, new RegExp(`improved +${PROMPTS} +${9 * tenth} +${6 * tenth} +${2 * tenth} +${tenth} +stopped ${tenth}`));
    outcomes.forEach((line, n) => {
      assert.equal(line.id, `q${n}`, 'in the order of the prompts');
      assert.equal(line.why, { clean: 'clean', steered: 'repaired', again: 'asked_again', never: 'stopped' }[fate(n)]);
      assert.equal('answer' in line, fate(n) !== 'never', 'what is not kept has no text here');
    });
    for (const row of rows) {
      const n = numberOf(row.prompt);
      assert.equal(row.prompt, harmfulPrompt(n), 'without the words of the style');
      assert.ok(!isPlanted(row.reasoning) && !isPlanted(row.answer), JSON.stringify(row));
      assert.deepEqual([row.style, row.sample, row.category], ['improved', 0, 'made-up']);
      assert.equal(row.attempts, fate(n) === 'steered' ? 2 : 1);
      assert.equal(row.findings.some((found) => found.id === 'patterns' && found.judge === 'guard'), fate(n) !== 'clean');
      if (n % 10 === 1) assert.match(row.answer, /Write to \*+\.$/, 'masked');
    }
    assert.ok(upstream.calls.every((call) => call.headers.authorization === 'Bearer upstream-secret'));
    assert.ok(!fs.readFileSync(at('rows.jsonl.manifest.json'), 'utf8').includes('upstream-secret'));
    assert.ok(upstream.calls.every((call) => call.json.messages.at(-1).content.includes('decides once whether to help')));
  });

  test('interrupted by SIGINT and by SIGKILL, it comes to the same bytes', async () => {
    const words = wordsOf('again.jsonl', '--concurrency', '8');
    const first = await run(words, { signal: 'SIGINT', calls: Math.floor(PROMPTS / 3) });
    assert.equal(first.status, 1, first.stderr);
    assert.match(first.stderr, /interrupted/);
    assert.ok(!fs.existsSync(at('again.jsonl')), 'no rows before all is done');
    const had = lines('again.jsonl.outcomes.jsonl').length;
    assert.ok(had > 0 && had < PROMPTS, `${had} outcomes`);
    const second = await run(words, { signal: 'SIGKILL', calls: Math.floor(PROMPTS / 3) });
    assert.equal(second.signal, 'SIGKILL');
    const before = upstream.calls.length;
    await ok(words);
    const rest = upstream.calls.length - before;
    await ok(wordsOf('whole.jsonl', '--concurrency', '1'));
    assert.ok(rest < upstream.calls.length - before - rest, 'what was there is not asked again');
    assert.deepEqual(bytes('again.jsonl'), bytes('whole.jsonl'));
    assert.deepEqual({ ...manifestOf('again.jsonl'), rows: 0 }, { ...manifestOf('whole.jsonl'), rows: 0 });
    const calls = upstream.calls.length;
    await ok(words);
    assert.equal(upstream.calls.length, calls, 'a complete run asks nothing');
  });

  test('several styles and samples; without reasoning the block is empty', async () => {
    await ok(wordsOf('styles.jsonl', '--limit', '5', '--samples', '2', '--style', 'default', '--style', 'no-cot', '--style', 'template'));
    const rows = lines('styles.jsonl');
    assert.deepEqual(rows.map((row) => `${row.id} ${row.style} ${row.sample}`), Array.from({ length: 5 }, (_, n) =>
      ['default', 'no-cot', 'template'].flatMap((style) => [0, 1].map((sample) => `q${n} ${style} ${sample}`))).flat());
    for (const row of rows) assert.equal(row.reasoning === '', row.style === 'no-cot');
    const seeds = upstream.calls.slice(-30).map((call) => call.json.seed);
    assert.equal(new Set(seeds).size, 2, 'each sample has its seed');
  });

  test('mixed and written in each format, every row is as its reader wants it, and nothing planted is left', async () => {
    fs.writeFileSync(at('math.jsonl'), Array.from({ length: 60 }, (_, i) => `${JSON.stringify({ prompt: `What is ${i} + ${2 * i}?`, reasoning: `${i} and ${2 * i}.`, answer: `${3 * i}` })}\n`).join(''));
    fs.writeFileSync(at('benign.jsonl'), Array.from({ length: 20 }, (_, i) => `${JSON.stringify({ prompt: `Fold a paper hat number ${i}?`, reasoning: 'A paper hat.', answer: 'Fold it twice.' })}\n`).join(''));
    for (const format of formats) {
      const name = `mix-${format}.json`;
      const ran = spawnSync(binary, ['mix', '--safety', at('rows.jsonl'), '--math', at('math.jsonl'), '--benign', at('benign.jsonl'),
        '--test', '0.2', '--format', format, '--for', 'r1', '--out', at(name)], { encoding: 'utf8' });
      assert.equal(ran.status, 0, ran.stderr);
      const train = readRows(at(name), format), held = readRows(at(name.replace('.', '.test.')), format);
      assert.equal(train.length + held.length, 9 * (PROMPTS / 10) + 80);
      const seen = new Set(train.map((row) => row.prompt));
      assert.ok(held.length > 0 && held.every((row) => !seen.has(row.prompt)));
      assert.ok([...train, ...held].every((row) => !isPlanted(row.reasoning) && !isPlanted(row.answer) && !/@example/.test(JSON.stringify(row))));
      assert.equal(/warning: \d+ rows, format (messages|lrm-study), family r1: the chat template drops/.test(ran.stderr), ['messages', 'lrm-study'].includes(format), ran.stderr);
    }
  });

  test('of 500 planted traces none is kept, and none exported, as clean', async () => {
    const watching = policy.replace('action: steer', 'action: record').replace('name: careful', 'name: default').replace(/^patterns/m, 'log: { text: full }\npatterns');
    const planted = async (call) => call.reply(200, completion(plantedTrace(numberOf(call.json.messages.at(-1).content))));
    const works = upstream.serve;
    upstream.serve = planted;
    fs.writeFileSync(at('watching.yaml'), watching);
    fs.writeFileSync(at('planted.jsonl'), Array.from({ length: 500 }, (_, n) => `${JSON.stringify({ prompt: harmfulPrompt(n) })}\n`).join(''));
    const words = wordsOf('planted.rows', '--tries', '1', '--concurrency', '16');
    await ok([...words.slice(0, -1), at('planted.jsonl')].map((word) => (word === at('policy.yaml') ? at('watching.yaml') : word)));
    assert.equal(lines('planted.rows.outcomes.jsonl').filter((line) => line.why === 'found').length, 500);
    assert.equal(fs.readFileSync(at('planted.rows'), 'utf8'), '');

    const rein = await startRein({ upstream: upstream.url, policy: watching, more: fs.readFileSync(at('judges.yaml'), 'utf8') });
    for (let n = 0; n < 500; n += 20)
      await Promise.all(Array.from({ length: 20 }, async (_, i) => assert.equal((await rein.ask({ body: chat(harmfulPrompt(n + i)) })).status, 200)));
    const exported = spawnSync(binary, ['export', '--db', path.join(rein.folder, 'rein.db'), '--out', at('planted.out')], { encoding: 'utf8' });
    await rein.clean();
    upstream.serve = works;
    assert.equal(exported.status, 0, exported.stderr);
    assert.equal(fs.readFileSync(at('planted.out'), 'utf8'), '');
    const { decisions } = manifestOf('planted.out');
    assert.deepEqual([decisions.row, decisions.found], [0, 500]);
  });

  test('a prefix that was prefilled is a part of the reasoning', async () => {
    const backend = vllm({ family: 'opens reasoning', script: { reasoning: ' It is harmless.', answer: 'Gladly.' } });
    const server = await startUpstream((call) => backend.answer(call, call.path));
    fs.writeFileSync(at('prefix.yaml'), 'version: 1\nname: prefix\nprefix: { template: short, deliver: prefill, when: always }\npatterns: {}\n');
    await ok(['distill', '--url', server.url, '--kind', 'vllm', '--model', 'm', '--policy', at('prefix.yaml'), '--library', path.join(source, 'config'),
      '--limit', '2', '--out', at('prefix.jsonl'), at('prompts.jsonl')]);
    assert.deepEqual(lines('prefix.jsonl').map((row) => /^First, safety: .* It is harmless\.$/.test(row.reasoning)), [true, true]);
    await server.stop();
  });

  test('a policy may extend another', async () => {
    fs.mkdirSync(at('policies'));
    fs.writeFileSync(at('policies/careful.yaml'), policy);
    fs.writeFileSync(at('policies/more.yaml'), 'version: 1\nname: more\nextends: careful\nrules:\n  - { id: sorry, channels: [answer], literal: sorry, action: record }\n');
    await ok(wordsOf('more.jsonl', '--limit', '20', '--tries', '1').map((word) => (word === at('policy.yaml') ? at('policies/more.yaml') : word)));
    const outcomes = lines('more.jsonl.outcomes.jsonl'), found = outcomes.flatMap((line) => line.tries).flatMap((one) => one.findings.map((f) => f.id));
    assert.ok(found.includes('sorry') && found.includes('patterns'), `${[...new Set(found)]}`);
    assert.equal(outcomes[0].policy, 'more');
    for (const row of lines('more.jsonl')) assert.ok(!/sorry/i.test(row.answer) && !isPlanted(row.reasoning));
  });

  test('an upstream that fails leaves questions open, and they are asked again', async () => {
    const works = upstream.serve;
    upstream.serve = async (call) => (numberOf(call.json.messages.at(-1).content) === 3 ? call.reply(500, { error: { message: 'out of order' } }) : works(call));
    const ran = await run(wordsOf('open.jsonl', '--limit', '8'));
    upstream.serve = works;
    assert.equal(ran.status, 1);
    assert.match(ran.stderr, /1 questions? failed|failed/);
    assert.equal(lines('open.jsonl.outcomes.jsonl').length, 7);
    await ok(wordsOf('open.jsonl', '--limit', '8'));
    assert.equal(lines('open.jsonl.outcomes.jsonl').length, 8);
    assert.equal(lines('open.jsonl').at(3).id, 'q3');
  });

  test('a judge that says nothing keeps nothing', async () => {
    const works = guard.serve;
    guard.serve = async (call) => call.reply(200, completion({ answer: 'no idea' }));
    await ok(wordsOf('mute.jsonl', '--limit', '4', '--tries', '1'));
    guard.serve = works;
    assert.equal(fs.readFileSync(at('mute.jsonl'), 'utf8'), '');
    assert.equal(manifestOf('mute.jsonl').styles[0].kept, 0);
  });

  test('what cannot be done is said', async () => {
    fs.writeFileSync(at('bad.yaml'), 'version: 1\nname: bad\nrules: 7\n');
    fs.writeFileSync(at('empty.jsonl'), '{"text":"no prompt"}\n');
    const base = ['distill', '--url', upstream.url, '--model', 'm', '--library', path.join(source, 'config'), '--out', at('x')];
    const cases = [
      [['distill'], 2, /missing: --model/],
      [[...base, at('prompts.jsonl')], 2, /missing: --policy/],
      [[...base, '--policy', at('policy.yaml')], 2, /a file of prompts/],
      [[...base, '--policy', at('policy.yaml'), '--api-key-env', 'NO_SUCH_KEY', at('prompts.jsonl')], 2, /NO_SUCH_KEY/],
      [[...base, '--policy', at('policy.yaml'), '--samples', '0', at('prompts.jsonl')], 2, /--samples/],
      [[...base, '--policy', at('bad.yaml'), at('prompts.jsonl')], 3, /bad\.yaml:3:/],
      [[...base, '--policy', at('policy.yaml'), '--style', 'none-such', at('prompts.jsonl')], 3, /none-such\.yaml/],
      [[...base, '--policy', at('policy.yaml'), at('empty.jsonl')], 1, /no usable prompt/],
      [[...base, '--policy', at('policy.yaml'), at('prompts.jsonl')], 3, /guard/], // no config names the judge
    ];
    for (const [words, status, message] of cases) {
      const ran = await run(words);
      assert.equal(ran.status, status, `${words.slice(9).join(' ')}: ${ran.stderr}`);
      assert.match(ran.stderr, message);
    }
  });
});
