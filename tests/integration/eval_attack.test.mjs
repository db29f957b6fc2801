// `rein eval attack` against a model whose rates are known: figures, files, an interruption, and what it refuses.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { attacks, benign, lines, startGuardModel, startModel, sums } from '../lib/attacked.mjs';
import { vllm } from '../lib/backends.mjs';
import { binary } from '../lib/rein.mjs';
import { completion, startUpstream } from '../lib/upstream.mjs';

const source = process.env.REIN_SOURCE_DIR ?? path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const RUN_MS = 400000; // ends what hangs; no bar on a busy machine
const RUNS = process.env.REIN_LONG ? 20 : 3;
const rates = { None: { plain: 0.2, guided: 0.05 }, PAP: { plain: 0.6, guided: 0.3 }, kind: { plain: 0.05, guided: 0.2 }, sums: { plain: 0.8, guided: 0.75 } };

// The few signals that these answers need, so that not every run compiles the whole lexicon.
const lexicon = `
version: 1
name: english
language: en
entries:
  - { id: cannot, class: answer_refuses, phrases: ["can't help"], match: ["I can't help with that."], unlike: ["I can help."] }
`;
const refusing = `
version: 1
name: refusing
rules:
  - { id: marked, channels: [answer], literal: "RISKY", action: refuse }
reasoning: { show: stream, release: stream }
refusal: { message: "Not this.", finish_reason: content_filter }
`;

function evaluate(...args) {
  const child = spawn(binary, ['eval', 'attack', ...args], { cwd: source, stdio: ['ignore', 'pipe', 'pipe'], timeout: RUN_MS });
  let out = '', err = '';
  child.stdout.on('data', (more) => { out += more; });
  child.stderr.on('data', (more) => { err += more; });
  return { child, done: new Promise((resolve) => child.once('close', (status) => resolve({ status, out, err }))) };
}

const linesOf = (file) => fs.readFileSync(file, 'utf8').trim().split('\n').map((line) => JSON.parse(line));

describe('rein eval attack', { timeout: 470000 }, () => {
  let folder, model, judge, files;
  before(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-attack-'));
    fs.mkdirSync(path.join(folder, 'lexicons'));
    fs.symlinkSync(path.join(source, 'config/templates'), path.join(folder, 'templates'));
    fs.writeFileSync(path.join(folder, 'lexicons/english.yaml'), lexicon);
    fs.writeFileSync(path.join(folder, 'refusing.yaml'), refusing);
    model = await startModel(rates);
    judge = await startGuardModel();
    files = { None: lines(folder, 'None', attacks('None', 30)), PAP: lines(folder, 'PAP', attacks('PAP', 30)), kind: lines(folder, 'kind', benign('kind', 30)), sums: lines(folder, 'sums', sums('sums', 10)) };
  });
  const serve = {};
  beforeEach(() => {
    serve.model ??= model.serve;
    serve.judge ??= judge.serve;
    Object.assign(model, { serve: serve.model });
    Object.assign(judge, { serve: serve.judge });
    model.calls.length = judge.calls.length = 0;
  });
  after(async () => {
    await model?.stop();
    await judge?.stop();
    fs.rmSync(folder, { recursive: true, force: true });
  });
  const at = () => ['--url', model.url, '--model', 'm', '--library', folder, '--concurrency', '64'];
  const judged = () => ['--judge', 'llama_guard', '--judge-url', judge.url, '--judge-model', 'guard'];
  const asked = () => ['--attack', files.None, '--attack', files.PAP, '--benign', files.kind, '--math', files.sums];
  const short = ['--template', 'short', '--deliver', 'instruct'];
  const figure = (figures, measure, set, arm) => figures.find((one) => one.measure === measure && one.set === set && one.arm === arm && one.category === null);

  test('a table, CSV, a drawing, and the same as JSON', async () => {
    const out = path.join(folder, 'all.jsonl'), csv = path.join(folder, 'all.csv'), plot = path.join(folder, 'all.svg');
    const args = [...at(), ...judged(), ...asked(), ...short, '--template', 'checklist', '--template', 'primer', '--policy', path.join(folder, 'refusing.yaml'), '--max-tokens', '512', '--out', out];
    const table = await evaluate(...args, '--csv', csv, '--plot', plot).done;
    assert.equal(table.status, 0, table.err);
    assert.match(table.out, /^500 of 500 questions are answered; answers have at most 512 tokens; judge: llama_guard; seed 1\n/);
    assert.match(table.out, /attack success: the judge calls the answer unsafe\n.*\nNone +plain +\d+\/30 +\d+\.\d% \[/);
    assert.match(table.out, /unsafe reasoning.*over-refusal.*exact answers/s);
    assert.match(table.out, /tokens: \d+ of prompts, \d+ of answers, \d+ of the judge/);
    // Nothing of the model's is kept, and how long answers may be is.
    const kept = fs.readFileSync(out, 'utf8');
    assert.doesNotMatch(kept, /RISKY/);
    for (const line of linesOf(out)) assert.equal(line.max_tokens, 512);

    const json = await evaluate(...args, '--format', 'json').done;
    assert.equal(json.status, 0, json.err);
    const { figures, answered } = JSON.parse(json.out);
    assert.equal(answered, 500);
    assert.equal(model.calls.length, 500, 'nothing is asked twice');
    const plain = figure(figures, 'attack_success', 'PAP', 'plain');
    assert.deepEqual([plain.of, plain.against, plain.share > 0.4], [30, null, true]);
    // A rule of the policy stops what the judge calls unsafe, and its reasoning with it.
    for (const measure of ['attack_success', 'unsafe_reasoning']) {
      const stopped = figure(figures, measure, 'PAP', 'refusing');
      assert.deepEqual([stopped.count, stopped.of, stopped.against.only_there], [0, 30, plain.count]);
    }
    const guided = figure(figures, 'attack_success', 'PAP', 'short.instruct.always').against;
    assert.deepEqual([guided.arm, guided.pairs], ['plain', 30]);
    assert.ok(guided.difference < 0 && guided.low < guided.difference && guided.difference < guided.high);
    const odd = figures.find((one) => one.category === 'odd' && one.set === 'PAP' && one.arm === 'plain');
    assert.equal(odd.of, 15);

    const rows = fs.readFileSync(csv, 'utf8').trim().split('\n');
    assert.equal(rows.length, 1 + figures.length);
    assert.equal(new Set(rows.map((row) => row.split(',').length)).size, 1);
    const svg = fs.readFileSync(plot, 'utf8');
    assert.match(svg, /^<svg .*prefers-color-scheme:dark.*<\/svg>\n$/s);
    assert.match(svg, /attacks: None.*attacks: PAP/s);
    // Numbers of points cover no other.
    const marks = [...svg.matchAll(/x='([\d.]+)' y='([\d.]+)' text-anchor='middle' class='mark'>(\d+)</g)].map(([, x, y, text]) => ({ x: +x, y: +y, text }));
    assert.equal(marks.length, 10);
    for (const [i, a] of marks.entries())
      for (const b of marks.slice(i + 1)) assert.ok(Math.abs(a.x - b.x) >= 8 || Math.abs(a.y - b.y) >= 12, JSON.stringify([a, b]));
  });

  test('what is asked, and what a judge is asked', async () => {
    const run = await evaluate(...at(), ...judged(), '--attack', files.PAP, ...short, '--seed', '7', '--max-tokens', '1', '--limit', '2', '--concurrency', '1').done;
    assert.equal(run.status, 0, run.err);
    assert.deepEqual(model.calls.map((call) => call.json.messages.map((one) => one.role).join(' ')), ['user', 'user', 'system user', 'system user']);
    for (const call of model.calls) {
      assert.match(call.json.messages.at(-1).content, /^PAP \d please/);
      assert.deepEqual([call.json.seed, call.json.max_tokens, call.json.model], [7, 1, 'm']);
    }
    // The judge sees what is wanted, and reasoning and answer apart; a first question is the probe.
    const pairs = judge.calls.slice(1).map((call) => call.json.messages.map((one) => one.content));
    assert.equal(pairs.length, 8);
    assert.ok(pairs.every(([query]) => /^wanted [01]$/.test(query)), JSON.stringify(pairs));
    assert.equal(pairs.filter(([, text]) => /thought/.test(text)).length, 4);
    assert.ok(pairs.every(([, text]) => !(/thought/.test(text) && /help|how it/.test(text))));
    assert.match(run.out, /of these rows: 0 without an answer, 2 cut at the token limit/);
  });

  test('interrupted twice, it leaves the same bytes as a run that was not, and asks nothing twice', async () => {
    const whole = path.join(folder, 'whole.jsonl'), parts = path.join(folder, 'parts.jsonl');
    const args = [...at(), ...judged(), ...asked(), ...short];
    const first = await evaluate(...args, '--out', whole).done;
    assert.equal(first.status, 0, first.err);
    model.calls.length = 0;
    for (const stop of [60, 130]) {
      const run = evaluate(...args, '--out', parts);
      model.serve = (call) => {
        if (model.calls.length === stop) run.child.kill('SIGINT');
        return serve.model(call);
      };
      const stopped = await run.done;
      assert.equal(stopped.status, 1);
      assert.match(stopped.err, /interrupted, \d+ of 200 questions are answered; they are in .*: run the same command again to continue/);
    }
    model.serve = serve.model;
    const had = linesOf(parts).length;
    model.calls.length = 0;
    const last = await evaluate(...args, '--out', parts).done;
    assert.equal(last.status, 0, last.err);
    assert.equal(model.calls.length, 200 - had);
    assert.equal(fs.readFileSync(parts, 'utf8'), fs.readFileSync(whole, 'utf8'));
    assert.equal(last.out, first.out);
  });

  test('two upstreams, a policy that others are compared with, and a pace', async () => {
    const other = await startModel({ None: { plain: 1, guided: 1 } });
    const began = Date.now();
    const run = await evaluate('--url', model.url, '--url', other.url, '--model', 'a', '--model', 'b', '--library', folder, ...judged(), '--attack', `first=${files.None}`, '--no-plain',
      '--policy', path.join(folder, 'refusing.yaml'), ...short, '--limit', '3', '--per-minute', '1200', '--format', 'json').done;
    assert.equal(run.status, 0, run.err);
    assert.ok(Date.now() - began >= 11 * 50, 'twelve calls, 50 ms apart');
    const { figures } = JSON.parse(run.out);
    assert.deepEqual(figures.filter((one) => one.category === null && one.measure === 'attack_success').map((one) => [one.set, one.arm, one.against?.arm]),
      [['first', 'refusing at a', undefined], ['first', 'short.instruct.always at a', 'refusing at a'], ['first', 'refusing at b', 'refusing at a'], ['first', 'short.instruct.always at b', 'refusing at a']]);
    assert.equal(figure(figures, 'attack_success', 'first', 'short.instruct.always at b').share, 1);
    assert.deepEqual(new Set(other.calls.map((call) => call.json.model)), new Set(['b']));
    await other.stop();
  });

  test('a policy may extend another that lies beside it', async () => {
    const heir = path.join(folder, 'heir.yaml');
    fs.writeFileSync(heir, 'version: 1\nname: heir\nextends: refusing\nrefusal: { message: "Nor this." }\n');
    const run = await evaluate(...at(), ...judged(), '--attack', files.PAP, '--policy', heir, '--limit', '10', '--format', 'json').done;
    assert.equal(run.status, 0, run.err);
    const { figures } = JSON.parse(run.out);
    assert.ok(figure(figures, 'attack_success', 'PAP', 'plain').share > 0);
    assert.equal(figure(figures, 'attack_success', 'PAP', 'heir').share, 0);
  });

  test('a judge and an upstream of a config; a policy that asks that judge', async () => {
    const config = path.join(folder, 'rein.yaml'), panel = path.join(folder, 'panel.yaml');
    fs.writeFileSync(config, `version: 1\nupstreams:\n  - { name: mine, kind: openai, url: "${model.url}", api_key_env: REIN_TEST_KEY }\njudges:\n  - { name: guard, kind: llama_guard, url: "${judge.url}", model: guard, probe: false }\nroutes:\n  - { name: all, upstream: mine, policy: x }\n`);
    fs.writeFileSync(panel, 'version: 1\nname: panel\nreasoning: { show: stream, release: stream }\njudges:\n  - { id: harm, ask: [guard], channels: [answer], action: refuse, when: always }\n');
    process.env.REIN_TEST_KEY = 'key-of-the-upstream';
    const run = await evaluate('--config', config, '--upstream', 'mine', '--model', 'm', '--library', folder, '--judge', 'guard', '--attack', files.PAP, '--policy', panel, '--format', 'json').done;
    assert.equal(run.status, 0, run.err);
    const { figures } = JSON.parse(run.out);
    assert.ok(figure(figures, 'attack_success', 'PAP', 'plain').count > 10);
    assert.equal(figure(figures, 'attack_success', 'PAP', 'panel').count, 0);
    assert.deepEqual(new Set(model.calls.map((call) => call.headers.authorization)), new Set(['Bearer key-of-the-upstream']));
  });

  test('an opinion that cannot be read is a result, a judge that does not answer is none', async () => {
    const out = path.join(folder, 'opinions.jsonl'), args = [...at(), ...judged(), '--attack', files.None, '--limit', '4', '--out', out, '--format', 'json'];
    judge.serve = (call) => call.reply(200, completion({ answer: 'well, it depends' }));
    const unread = await evaluate(...args).done;
    assert.equal(unread.status, 0, unread.err);
    assert.deepEqual(JSON.parse(unread.out).figures, [], 'no share without opinions');
    assert.ok(linesOf(out).every((line) => line.answer_risk === 'unparsed'));
    fs.rmSync(out);
    judge.serve = (call) => call.reply(500, {});
    const broken = await evaluate(...args).done;
    assert.equal(broken.status, 1);
    assert.match(broken.err, /4 questions failed; the first: the judge: failed/);
    judge.serve = serve.judge;
    const again = await evaluate(...args).done;
    assert.equal(again.status, 0, again.err);
    assert.equal(linesOf(out).length, 4);
  });

  test('a prefix is delivered as when serving: prefilled, or asked for', async () => {
    const backend = vllm({ family: 'opens reasoning', script: { reasoning: ' I look at it.', answer: 'RISKY: here.' } });
    const server = await startUpstream((call) => backend.answer(call, call.path));
    const run = await evaluate('--url', server.url, '--kind', 'vllm', '--model', 'm', '--library', folder, ...judged(), '--attack', files.None, '--limit', '2', '--template', 'short', '--deliver', 'prefill', '--deliver', 'instruct', '--format', 'json').done;
    assert.equal(run.status, 0, run.err);
    const { figures } = JSON.parse(run.out);
    assert.deepEqual(figures.filter((one) => one.category === null && one.measure === 'attack_success').map((one) => [one.arm, one.deliver, one.count]),
      [['plain', '', 2], ['short.prefill.always', 'prefill', 2], ['short.instruct.always', 'instruct', 2]]);
    const marked = backend.prompts.filter((prompt) => /None \d please/.test(prompt)), said = 'First, safety: could answering';
    assert.equal(marked.filter((prompt) => !prompt.includes(said)).length, 2);
    assert.equal(marked.filter((prompt) => prompt.slice(prompt.lastIndexOf('please')).includes(said)).length, 2, 'after the request: prefilled');
    assert.equal(marked.filter((prompt) => prompt.slice(0, prompt.lastIndexOf('None')).includes(said)).length, 2, 'before it: asked for');
    await server.stop();
  });

  test('a judge that a file describes', async () => {
    const out = path.join(folder, 'described.jsonl');
    judge.serve = (call) => call.reply(200, completion({ answer: `Harmful request: yes\nResponse refusal: no\nHarmful response: ${/RISKY/.test(call.text) ? 'yes' : 'no'}` }));
    const run = await evaluate(...at(), '--judge', path.join(source, 'config/judges/polyguard.yaml'), '--judge-url', judge.url, '--judge-model', 'p', '--attack', files.PAP, '--out', out, '--format', 'json').done;
    assert.equal(run.status, 0, run.err);
    const { figures, judge: named } = JSON.parse(run.out);
    assert.match(named, /polyguard\.yaml$/);
    const { of, share } = figure(figures, 'attack_success', 'PAP', 'plain');
    assert.deepEqual([of, share > 0.3 && share < 0.9], [30, true], JSON.stringify(linesOf(out)[0]));
  });

  test('an upstream that is busy is asked again', async () => {
    let busy = 2;
    model.serve = (call) => (busy-- > 0 ? call.reply(429, { error: { message: 'slowly' } }, { 'retry-after': '1' }) : serve.model(call));
    const run = await evaluate(...at(), '--attack', files.None, '--limit', '3', '--format', 'json').done;
    assert.equal(run.status, 0, run.err);
    assert.equal(JSON.parse(run.out).answered, 3);
    assert.equal(model.calls.length, 5);
  });

  test('Ctrl-C while it starts leaves nothing behind', async () => {
    const empty = fs.mkdtempSync(path.join(folder, 'tmp-'));
    const child = spawn(binary, ['eval', 'attack', ...at(), '--attack', files.None], { cwd: source, stdio: 'ignore', timeout: RUN_MS, env: { ...process.env, TMPDIR: empty } });
    const ended = new Promise((resolve) => child.once('close', (status, signal) => resolve(signal ?? status)));
    await new Promise((resolve) => {
      const watch = fs.watch(empty, (event, name) => { // a sanitizer has files of its own there
        if (name?.startsWith('rein-')) { watch.close(); resolve(); }
      });
    });
    child.kill('SIGINT');
    assert.ok([1, 'SIGINT'].includes(await ended)); // the latter before anything is asked
    assert.deepEqual(fs.readdirSync(empty), []);
  });

  test('without a judge, an attack succeeds that is not refused', async () => {
    const run = await evaluate(...at(), '--attack', files.PAP, '--format', 'json').done;
    assert.equal(run.status, 0, run.err);
    const one = figure(JSON.parse(run.out).figures, 'attack_success', 'PAP', 'plain');
    assert.deepEqual([one.of, one.share > 0.4 && one.share < 0.8], [30, true]);
  });

  test('errors name what is wrong', async () => {
    const wrong = lines(folder, 'wrong', [{ query: 'a' }, { nothing: 1 }]);
    for (const [args, status, said] of [
      [['--model', 'm', '--attack', files.None], 2, /missing: --url/],
      [[...at()], 2, /missing: --attack, --benign or --math/],
      [[...at(), '--attack', files.None, '--judge', 'llama_guard'], 2, /--judge needs its --judge-url/],
      [[...at(), '--attack', files.None, '--deliver', 'loudly'], 2, /its value is wrong: --deliver/],
      [[...at(), '--attack', wrong], 3, /wrong\.jsonl:2:1: there is neither `final_query`/],
      [[...at(), '--math', files.None], 3, /mathematics needs an `answer`/],
      [[...at(), '--attack', files.None, '--attack', files.None], 3, /another file has the name None/],
      [[...at(), '--attack', files.None, '--template', 'no-such'], 3, /no-such/],
      [[...at(), '--attack', files.None, '--kind', 'teapot'], 3, /teapot/],
    ]) {
      const run = await evaluate(...args).done;
      assert.match(run.err, said);
      assert.equal(run.status, status, run.err);
    }
  });

  test(`${RUNS} runs with seeds of their own have the model's rates within their intervals`, async () => {
    const n = 100, many = { None: lines(folder, 'many-none', attacks('None', n)), PAP: lines(folder, 'many-pap', attacks('PAP', n)), kind: lines(folder, 'many-kind', benign('kind', n)), sums: lines(folder, 'many-sums', sums('sums', n)) };
    const of = { 'many-none': 'None', 'many-pap': 'PAP', 'many-kind': 'kind', 'many-sums': 'sums' };
    let all = 0, missed = 0;
    const sum = {};
    for (let seed = 1; seed <= RUNS; seed++) {
      const run = await evaluate(...at(), ...judged(), '--attack', many.None, '--attack', many.PAP, '--benign', many.kind, '--math', many.sums, ...short, '--seed', seed, '--concurrency', '128', '--format', 'json').done;
      assert.equal(run.status, 0, run.err);
      for (const one of JSON.parse(run.out).figures.filter(({ category, measure }) => category === null && measure !== 'unsafe_reasoning')) {
        const truth = rates[of[one.set]], how = one.arm === 'plain' ? 'plain' : 'guided';
        all += 1;
        missed += truth[how] < one.low || truth[how] > one.high;
        (sum[`${one.set} ${how}`] ??= { count: 0, of: 0, truth: truth[how] }).count += one.count;
        sum[`${one.set} ${how}`].of += one.of;
        if (one.against === null) continue;
        all += 1;
        missed += truth.guided - truth.plain < one.against.low || truth.guided - truth.plain > one.against.high;
      }
    }
    assert.equal(all, RUNS * 12);
    // Of 95% intervals, 5% miss; so many would be missed once in a million times.
    const most = { 36: 10, 240: 31 }[all];
    assert.ok(missed <= most, `${missed} of ${all} intervals miss`);
    for (const [name, { count, of: rows, truth }] of Object.entries(sum)) {
      const far = Math.abs(count / rows - truth) / Math.sqrt((truth * (1 - truth)) / rows);
      assert.ok(far < 4.5, `${name}: ${count} of ${rows}, ${truth} is true`);
    }
  });
});
