// `rein mix`: what is chosen, how it is split, and that the same mix gives the same bytes.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { binary } from '../lib/rein.mjs';

const rowsOf = (file) => fs.readFileSync(file, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
const promptOf = (row) => row.messages?.[0].content ?? row.prompt ?? row.instruction ?? row.conversations[0].value;

describe('rein mix', { timeout: 120000 }, () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-mix-'));
  const at = (name) => path.join(folder, name);
  const mix = (...words) => spawnSync(binary, ['mix', ...words], { encoding: 'utf8' });
  const ok = (...words) => {
    const ran = mix(...words);
    assert.equal(ran.status, 0, ran.stderr);
    return ran;
  };
  const inputs = ['--safety', at('safety.jsonl'), '--math', at('math.json'), '--benign', at('benign.jsonl')];

  before(() => {
    const trace = (kind) => (_, i) => ({ id: `${kind}${i}`, prompt: `${kind} question number ${i}`,
      reasoning: `I look at ${kind} ${i}.`, answer: `Answer ${i}` });
    const lines = (rows) => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
    const safety = Array.from({ length: 300 }, trace('safety'));
    fs.writeFileSync(at('safety.jsonl'),
      `${lines([...safety, { ...safety[3], prompt: ' SAFETY question, number 3!' }])}{"prompt":"p"}\n`);
    fs.writeFileSync(at('math.json'), JSON.stringify(Array.from({ length: 200 }, (_, i) => ({
      prompt: `What is ${i} + ${i}?`, response: `<think>\nTwice ${i}.\n</think>\n\n${2 * i}` })), null, 1));
    fs.writeFileSync(at('benign.jsonl'), lines(Array.from({ length: 50 }, (_, i) => ({ messages: [
      { role: 'user', content: `benign ${i}` }, { role: 'assistant', content: 'Certainly.' }] }))));
  });
  after(() => fs.rmSync(folder, { recursive: true, force: true }));

  test('takes what was asked for and leaves out what is no row of its own', () => {
    const ran = ok(...inputs, '--take', 'safety=100,math=80,benign=20', '--out', at('a.jsonl'));
    assert.match(ran.stderr, /safety\.jsonl:302: the row has a prompt, but no text "answer"/);
    assert.match(ran.stdout, /200 rows \(100 safety, 80 math, 20 benign\)/);
    assert.match(ran.stdout, /left out: 1 with a prompt that was there, 0 with one nearly the same, 1 not usable/);
    const rows = rowsOf(at('a.jsonl')), prompts = rows.map(promptOf);
    assert.equal(new Set(prompts).size, 200);
    assert.ok(rows.every((row) => row.messages.length === 2 && row.messages[1].role === 'assistant'));
    const kinds = prompts.map((prompt) => prompt.split(' ')[0]);
    assert.ok(kinds.slice(0, 40).includes('safety') && kinds.slice(0, 40).includes('What'), 'the kinds are mixed');
  });

  test('the same inputs, options and seed give the same bytes, another seed gives others', () => {
    const bytes = (seed, name) => {
      ok(...inputs, '--take', 'safety=90,math=60,benign=10', '--seed', seed, '--test', '0.2', '--out', at(name));
      const manifest = fs.readFileSync(at(`${name}.manifest.json`), 'utf8').replaceAll(name.split('.')[0], '');
      return [name, name.replace('.', '.test.')].map((n) => fs.readFileSync(at(n), 'utf8')).join('|') + manifest;
    };
    assert.equal(bytes('7', 'one.jsonl'), bytes('7', 'two.jsonl'));
    assert.notEqual(bytes('7', 'one.jsonl'), bytes('8', 'three.jsonl'));
  });

  test('no prompt of the test split is in the training split, for any seed', () => {
    for (let seed = 0; seed < 20; seed++) {
      ok(...inputs, '--seed', String(seed), '--test', '0.3', '--format', 'prompt-completion', '--out', at('s.jsonl'));
      const train = new Set(rowsOf(at('s.jsonl')).map(promptOf)), held = rowsOf(at('s.test.jsonl')).map(promptOf);
      assert.equal(train.size + held.length, 550);
      assert.ok(held.length > 100 && held.length < 230, `${held.length} held out`);
      assert.deepEqual(held.filter((prompt) => train.has(prompt)), []);
    }
  });

  test('a ratio takes as many rows as there are', () => {
    const ran = ok(...inputs, '--ratio', 'safety=10,math=40,benign=1', '--out', at('r.jsonl'));
    assert.match(ran.stdout, /255 rows \(50 safety, 200 math, 5 benign\)/);
  });

  test("the paper's layout: mathematics first, then safety, in a file of its name", () => {
    ok(...inputs, '--layout', 'lrm-study', '--take', 'safety=200,math=100', '--type', 'short', '--out', folder);
    const text = fs.readFileSync(at('sft_train_short_safety200_math100.json'), 'utf8'), rows = JSON.parse(text);
    assert.deepEqual(rows.map((row) => row.data_type), [...Array(100).fill('math'), ...Array(200).fill('safety')]);
    assert.equal(text, `${JSON.stringify(rows, null, 4)}\n`);
    assert.match(rows[0].response, /^<think>\nTwice \d+\.\n<\/think>\n\n\d+$/);
  });

  for (const format of ['messages', 'prompt-completion', 'sharegpt', 'alpaca', 'lrm-study', 'trace'])
    test(`${format}: what is written is read again as the same rows`, () => {
      ok(...inputs, '--take', 'safety=30,math=30,benign=30', '--format', format, '--out', at(`f-${format}.json`));
      const again = at(`again-${format}.jsonl`);
      ok('--safety', at(`f-${format}.json`), '--format', 'trace', '--out', again);
      const first = at('first.jsonl');
      ok(...inputs, '--take', 'safety=30,math=30,benign=30', '--format', 'trace', '--out', first);
      const plain = (file) => rowsOf(file).map(({ kind, ...row }) => JSON.stringify(row)).sort();
      assert.deepEqual(plain(again), plain(first));
    });

  test('LLaMA-Factory is told how to read its files, and keeps what it knows of others', () => {
    const info = at('dataset_info.json');
    fs.writeFileSync(info, '{"mine":{"file_name":"mine.json"}}');
    ok(...inputs, '--format', 'sharegpt', '--out', at('talk.json'));
    ok(...inputs, '--format', 'alpaca', '--out', at('task.json'));
    assert.deepEqual(JSON.parse(fs.readFileSync(info, 'utf8')), {
      mine: { file_name: 'mine.json' },
      talk: { file_name: 'talk.json', formatting: 'sharegpt', columns: { messages: 'conversations' } },
      task: { file_name: 'task.json', formatting: 'alpaca',
        columns: { prompt: 'instruction', query: 'input', response: 'output' } },
    });
    fs.writeFileSync(info, '[1]');
    const ran = mix(...inputs, '--format', 'alpaca', '--out', at('task.json'));
    assert.equal(ran.status, 1);
    assert.match(ran.stderr, /dataset_info\.json beside it is not a JSON object/);
    assert.equal(fs.readFileSync(info, 'utf8'), '[1]');
    fs.rmSync(info);
  });

  test('the manifest names inputs and outputs by their hashes', () => {
    ok(...inputs, '--test', '0.1', '--out', at('m.jsonl'));
    const manifest = JSON.parse(fs.readFileSync(at('m.jsonl.manifest.json'), 'utf8'));
    const digest = (file) => crypto.createHash('sha256').update(fs.readFileSync(at(file))).digest('hex');
    for (const { file, sha256 } of [...manifest.inputs, ...manifest.outputs]) assert.equal(sha256, digest(file), file);
    assert.deepEqual(manifest.inputs[0], { file: 'safety.jsonl', kind: 'safety', sha256: digest('safety.jsonl'),
      rows: 302, unusable: 1, same_prompt: 1, near_prompt: 0 });
    const rows = manifest.outputs.map((output) => Object.values(output.rows).reduce((a, b) => a + b));
    assert.equal(rows[0] + rows[1], 550);
  });

  test('what cannot be done is said, and nothing is left behind', () => {
    const cases = [
      [[], 2, /name at least one file/],
      [['--safety', at('safety.jsonl')], 2, /name the file to write/],
      [[...inputs, '--format', 'parquet', '--out', at('x')], 2, /--format/],
      [[...inputs, '--take', 'safety=1,cake=2', '--out', at('x')], 2, /--take/],
      [[...inputs, '--test', '0.9', '--out', at('x')], 2, /--test/],
      [['--safety', at('safety.jsonl'), '--take', 'math=1', '--out', at('x')], 2, /no --math names a file/],
      [[...inputs, '--take', 'safety=1000', '--out', at('x')], 1, /1000 rows of 'safety' are wanted, there are 300/],
      [['--safety', at('none.jsonl'), '--out', at('x')], 1, /none\.jsonl: No such file/],
      [[...inputs, '--out', at('no/such/folder')], 1, /No such file or directory/],
    ];
    for (const [words, status, message] of cases) {
      const ran = mix(...words);
      assert.equal(ran.status, status, words.join(' '));
      assert.match(ran.stderr, message);
    }
    fs.writeFileSync(at('bad.jsonl'), '{"prompt":"p","answer":"a"}\nnot json\n');
    const ran = mix('--safety', at('bad.jsonl'), '--out', at('x'));
    assert.equal(ran.status, 1);
    assert.match(ran.stderr, /bad\.jsonl:2: expects JSON objects/);
    assert.deepEqual(fs.readdirSync(folder).filter((name) => name === 'x' || name.endsWith('.unfinished')), []);
  });
});
