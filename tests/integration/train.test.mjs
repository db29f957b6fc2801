// script/train on made-up rows: the same bytes again, the scores that the engine computes, folds by prompt, and what is said
// about wrong rows. And of what ships: thresholds are those of the cross-validation.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { binary } from '../lib/rein.mjs';

const source = process.env.REIN_SOURCE_DIR ?? path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const tools = path.join(source, 'tools/train');
const { calibrated, crossValidate, risksOf, sumsOf, trainHeads } = await import(path.join(tools, 'cross.mjs'));
const { addFeatures, addSignals } = await import(path.join(tools, 'features.mjs'));
const { hasLiblinear } = await import(path.join(tools, 'liblinear.mjs'));
const { modelText } = await import(path.join(tools, 'model_file.mjs'));
const { foldOf, promptHash, readRows } = await import(path.join(tools, 'rows.mjs'));
const { auroc, calibrate, logistic, share } = await import(path.join(tools, 'stats.mjs'));

const RUN_MS = 400000; // ends what hangs; no bar on a busy machine
const needsTool = { skip: hasLiblinear() ? false : 'liblinear-train is not installed (script/bootstrap train)' };

// ---- made-up rows: one set of words for each question, the rest at random from a small set ----

const WORDS = 'stone river window table green walk paper seven under letter garden number candle yellow corner market silver branch'.split(' ');

function randomOf(seed) {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

function textOf(below, words) {
  const sentences = Array.from({ length: 7 + below(4) }, () => {
    const list = Array.from({ length: 5 + below(4) }, () => WORDS[below(WORDS.length)]);
    list.splice(below(list.length), 0, words[below(words.length)]);
    return `${list.join(' ')}.`;
  });
  return sentences.join(' ');
}

function madeUp(count, seed) {
  const below = randomOf(seed);
  const rows = [];
  for (let i = 0; i < count; i++) {
    const harmful = i % 3 !== 0;
    const along = i % 2 === 0;
    const topic = harmful ? ['blorg', 'grubnik'] : ['teapot', 'daisy'];
    rows.push({
      id: `m${i}`, prompt: `Tell me of the ${topic[i % 2]} and number ${WORDS[below(WORDS.length)]} ${i}`,
      reasoning: textOf(below, [...topic, ...(along ? ['gladly', 'surely'] : ['never', 'refuse'])]),
      answer: textOf(below, along ? ['here', 'steps'] : ['sorry', 'cannot']),
      prompt_kind: harmful ? 'harmful' : 'benign', label_answer: along ? 'unsafe' : 'safe',
    });
  }
  return rows;
}

const HEADS = ['prompt_harm', 'reasoning_harm', 'complies', 'complies_answer'];
const recipe = () => ({
  name: 'made-up', language: 'en', licence: 'Apache-2.0', seed: 1, notices: ['made up'], answer_bytes: 300, signals: 1, prompt: 0.5,
  heads: Object.fromEntries(HEADS.map((head) => [head, { cost: 1, beginnings: [0.5] }])),
  limits: { min_sentences: 3, reasoning: { safe: 0.05, benign: 0.05 }, both: { safe: 0.05, benign: 0.05 } },
  sources: [{ name: 'made up', file: 'rows.jsonl', licence: 'Apache-2.0', heads: HEADS }, { name: 'ordinary', phrases: 'ordinary.json', rows: 20, licence: 'Apache-2.0', heads: ['prompt_harm'] }],
});

let folder;
const at = (name) => path.join(folder, name);
const lines = (rows) => rows.map((row) => `${typeof row === 'string' ? row : JSON.stringify(row)}\n`).join('');

function train(args, env = {}) {
  const got = spawnSync(process.execPath, [path.join(tools, 'train.mjs'), '--data', folder, '--recipe', at('recipe.json'), ...args], { encoding: 'utf8', timeout: RUN_MS, env: { ...process.env, REIN_BIN: binary, ...env } });
  assert.equal(got.error, undefined);
  return got;
}

before(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-train-test-'));
  fs.writeFileSync(at('rows.jsonl'), lines(madeUp(60, 1)));
  fs.writeFileSync(at('recipe.json'), JSON.stringify(recipe()));
  fs.copyFileSync(path.join(tools, 'ordinary.json'), at('ordinary.json'));
});
after(() => fs.rmSync(folder, { recursive: true, force: true }));

describe('training', needsTool, () => {
  test('gives the same bytes again, and a file that rein accepts', () => {
    const digests = ['a.yaml', 'b.yaml'].map((name) => {
      const got = train(['--out', at(name), '--folds', '3', '--plot', at('plot.svg')]);
      assert.equal(got.status, 0, got.stderr);
      assert.match(got.stdout, /auroc_complies +[01]\.\d{3} \[/);
      return crypto.createHash('sha256').update(fs.readFileSync(at(name))).digest('hex');
    });
    assert.equal(digests[0], digests[1]);
    const checked = spawnSync(binary, ['check', at('a.yaml')], { encoding: 'utf8', timeout: RUN_MS });
    assert.equal(checked.status, 0, checked.stderr);
    const svg = fs.readFileSync(at('plot.svg'), 'utf8');
    for (const head of HEADS) assert.ok(svg.includes(`${head}, AUROC`), head);
  });

  test('follows its rows', () => {
    fs.writeFileSync(at('rows.jsonl'), lines(madeUp(60, 2)));
    assert.equal(train(['--out', at('c.yaml'), '--folds', '3']).status, 0);
    assert.notEqual(fs.readFileSync(at('c.yaml'), 'utf8'), fs.readFileSync(at('a.yaml'), 'utf8'));
    fs.writeFileSync(at('rows.jsonl'), lines(madeUp(60, 1)));
  });

  test('learns what separates the rows, and computes the scores that the engine computes', () => {
    const plan = recipe();
    const { rows } = readRows(plan, { data: folder, recipeFolder: folder });
    const work = at('work');
    fs.mkdirSync(work);
    const options = { rein: binary, folder: work, answerBytes: plan.answer_bytes };
    addFeatures(rows, options);
    addSignals(rows, { ...options, policy: path.join(source, 'config/policies/empty.yaml') });
    const cross = crossValidate(rows, plan, { folds: 3, folder: work });
    const traces = rows.filter((row) => row.texts.reasoning !== undefined);
    const z = (yes) => rows.flatMap((row, i) => (row.kind === 'harmful' && row.answers.complies === yes ? [cross.sums[i].answer] : []));
    assert.ok(auroc(z(true), z(false)).value > 0.9);
    const heads = calibrated(trainHeads(rows, plan, work), cross.calibration, plan);
    for (const name of ['models', 'policies', 'templates']) fs.mkdirSync(at(`lib/${name}`), { recursive: true });
    fs.cpSync(path.join(source, 'config/lexicons'), at('lib/lexicons'), { recursive: true });
    fs.writeFileSync(at('lib/models/made-up.yaml'), modelText({ recipe: plan, heads, metrics: [['none', 0]], about: [] }));
    fs.writeFileSync(at('lib/policies/p.yaml'), 'version: 1\nname: p\npatterns:\n  outcome_risk: { reasoning: { action: record, min_sentences: 1 }, answer: { action: record, bytes: 300 } }\nlexicons: [english]\nmodel: made-up\n');
    fs.writeFileSync(at('traces.jsonl'), lines(traces.map((row) => row.texts)));
    const ran = spawnSync(binary, ['eval', '-p', at('lib/policies/p.yaml'), '--rows', at('found.jsonl'), at('traces.jsonl')], { encoding: 'utf8', timeout: RUN_MS });
    assert.equal(ran.status, 0, ran.stderr);
    const found = fs.readFileSync(at('found.jsonl'), 'utf8').trim().split('\n').map((line) => JSON.parse(line));
    assert.equal(found.length, traces.length);
    traces.forEach((row, i) => {
      const risks = risksOf(sumsOf(heads, row, plan), heads);
      const { scores, risky } = found[i];
      assert.ok(Math.abs(scores['outcome risk, reasoning'] - risks.reasoning.at(-1)) < 1e-4, `reasoning ${i}: ${scores['outcome risk, reasoning']}, ${risks.reasoning.at(-1)}`);
      assert.ok(Math.abs(scores['outcome risk, answer'] - risks.answer) < 1e-4, `answer ${i}: ${scores['outcome risk, answer']}, ${risks.answer}`);
      assert.equal(risky, risks.prompt >= 0.5, `prompt ${i}`);
    });
  });

  test('without the prompts of a file: none of their rows is used', () => {
    fs.writeFileSync(at('without.jsonl'), lines(madeUp(60, 1).slice(0, 12).map((row) => ({ ...row, prompt: `  ${row.prompt.toUpperCase()} ` }))));
    const got = train(['--out', at('d.yaml'), '--folds', '3', '--without', at('without.jsonl'), '--keep', at('keep')]);
    assert.equal(got.status, 0, got.stderr);
    assert.match(fs.readFileSync(at('d.yaml'), 'utf8'), /name: "made up", rows: 48,/);
    const unseen = [0, 1, 2].flatMap((k) => fs.readdirSync(at(`keep/fold${k}`)).filter((name) => name !== 'models').flatMap((kind) => {
      const file = path.join(at(`keep/fold${k}`), kind, 'rows.jsonl');
      return fs.readFileSync(file, 'utf8').trim().split('\n').map((line) => [JSON.parse(line), k]);
    }));
    assert.equal(unseen.length, 48);
    for (const [row, k] of unseen) assert.equal(foldOf(promptHash(row.prompt), 3), k);
  });

  test('says which head has rows of one kind only', () => {
    fs.writeFileSync(at('rows.jsonl'), lines(madeUp(60, 1).map((row) => ({ ...row, label_answer: 'safe' }))));
    const got = train(['--out', at('e.yaml')]);
    fs.writeFileSync(at('rows.jsonl'), lines(madeUp(60, 1)));
    assert.equal(got.status, 1);
    assert.match(got.stderr, /train: complies(_answer)?: a head needs rows of both kinds/);
  });
});

describe('rows', () => {
  test('of a wrong shape are named with their line', () => {
    for (const [line, why] of [['no JSON', /rows\.jsonl:2: /], ['{"reasoning": "r"}', /rows\.jsonl:2: a row needs a prompt/], ['{"prompt": "p", "answer": 7}', /rows\.jsonl:2: "answer" is not a string/]]) {
      fs.writeFileSync(at('rows.jsonl'), lines([madeUp(1, 1)[0], line]));
      assert.throws(() => readRows(recipe(), { data: folder, recipeFolder: folder }), why);
    }
    fs.writeFileSync(at('rows.jsonl'), lines(madeUp(60, 1)));
  });

  test('count once, and only in the heads that their labels answer', () => {
    const plan = recipe();
    plan.sources = [plan.sources[0], { ...plan.sources[0], name: 'again' }];
    const { rows, repeated } = readRows(plan, { data: folder, recipeFolder: folder });
    assert.equal(rows.length, 60);
    assert.equal(repeated.length, 60);
    const benign = rows.find((row) => row.kind === 'benign');
    assert.deepEqual(benign.answers, { prompt_harm: false, reasoning_harm: false, complies: undefined, complies_answer: undefined });
    const harmful = rows.find((row) => row.kind === 'harmful' && row.label === 'unsafe');
    assert.deepEqual(harmful.answers, { prompt_harm: true, reasoning_harm: true, complies: true, complies_answer: true });
  });

  test('of a share are the same in every run', () => {
    const plan = recipe();
    plan.sources = [{ ...plan.sources[0], share: { complies: 0.5 } }];
    const picks = () => readRows(plan, { data: folder, recipeFolder: folder }).rows.map((row) => row.heads.includes('complies'));
    assert.deepEqual(picks(), picks());
    const count = picks().filter(Boolean).length;
    assert.ok(count > 15 && count < 45, String(count));
  });

  test('of a prompt are in one fold, whatever its case and white space', () => {
    assert.equal(promptHash(' One\n  two '), promptHash('one two'));
    assert.notEqual(promptHash('one two'), promptHash('one too'));
  });
});

describe('statistics', () => {
  test('ranking counts ties half', () => {
    assert.equal(auroc([3, 2, 2], [2, 1]).value, (2 + 1.5 + 1.5) / 6);
    assert.ok(Number.isNaN(auroc([], [1]).value));
  });

  test('calibration finds the curve that the points are from, and stays finite', () => {
    const below = randomOf(7);
    const points = Array.from({ length: 4000 }, () => {
      const z = below(1000) / 100 - 5;
      return [z, below(1e6) / 1e6 < logistic(2 * z)];
    });
    const { slope, offset } = calibrate(points);
    assert.ok(Math.abs(slope - 2) < 0.2, String(slope));
    assert.ok(Math.abs(offset) < 0.2, String(offset));
    for (const far of [1, 1000]) {
      const apart = calibrate([[-far, false], [-2 * far, false], [far, true], [3 * far, true]]);
      assert.ok(Number.isFinite(apart.slope) && apart.slope > 0 && logistic(apart.slope * far + apart.offset) > 0.7, JSON.stringify(apart));
    }
  });

  test('shares have Wilson intervals', () => {
    assert.ok(Math.abs(share(5, 10).low - 0.2366) < 1e-4);
    assert.ok(Math.abs(share(0, 20).high - 0.1611) < 1e-4);
  });
});

test('without liblinear, training says what to install', () => {
  const got = train(['--out', at('f.yaml')], { PATH: folder });
  assert.equal(got.status, 1);
  assert.match(got.stderr, /liblinear-train is not installed: run script\/bootstrap train/);
});

test('the shipped policy acts from the thresholds of the cross-validation of its weights', () => {
  const model = fs.readFileSync(path.join(source, 'config/models/harm-en.yaml'), 'utf8');
  const policy = fs.readFileSync(path.join(source, 'config/policies/default.yaml'), 'utf8');
  const metric = (name) => Number(model.match(new RegExp(`name: ${name}, value: ([\\d.]+)`))[1]);
  const set = (part, key) => Number(policy.match(new RegExp(`^    ${part}: .*\\b${key}: ([\\d.]+)`, 'm'))[1]);
  assert.equal(set('reasoning', 'threshold'), metric('threshold_reasoning'));
  assert.equal(set('reasoning', 'min_sentences'), metric('min_sentences'));
  assert.equal(set('answer', 'threshold'), metric('threshold_answer'));
  assert.match(model, /^ {2}- "Built with Llama/m);
});
