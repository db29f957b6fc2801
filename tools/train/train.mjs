// `script/train`: rows become a file of weights, with its cross-validation. docs/EVAL.md says how to use it.
// SPDX-License-Identifier: Apache-2.0
//
//   1. The recipe's rows are read, and those of prompts in --without left out.
//   2. `rein features` makes their features, `rein eval` says what the prompts' signals see.
//   3. Cross-validation: rows of a prompt are in one fold. It gives calibration and thresholds.
//   4. The heads are trained on all rows with the same settings, and written.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { calibrated, crossValidate, groupsOf, isFor, metricsOf, promptsOf, trainHeads } from './cross.mjs';
import { addFeatures, addSignals } from './features.mjs';
import { HEADS, scoreOf } from './heads.mjs';
import { hasLiblinear } from './liblinear.mjs';
import { modelText } from './model_file.mjs';
import { calibrationPlot } from './plot.mjs';
import { foldOf, hashesOf, readRows } from './rows.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const source = path.resolve(here, '../..');

const USAGE = `usage: script/train --data DIR [OPTIONS]

Trains the learned score on labelled rows and writes its file of weights.

  --data DIR          the folder that the recipe's files are in
  --recipe FILE       which rows train which head; default: tools/train/harm-en.json
  --out FILE.yaml     where the weights go; default: build/train/NAME.yaml
  --without FILE      leave out all rows whose prompt is in this file of rows; may be repeated
  --folds N           of the cross-validation, 2 to 20; default: 5
  --plot FILE.svg     calibration of each head
  --keep DIR          keep the model of each fold with the rows that it has not seen, for script/measure`;

function options() {
  const { values } = parseArgs({
    options: {
      data: { type: 'string' }, recipe: { type: 'string', default: path.join(here, 'harm-en.json') }, out: { type: 'string' },
      without: { type: 'string', multiple: true, default: [] }, folds: { type: 'string', default: '5' }, plot: { type: 'string' },
      keep: { type: 'string' }, help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help || values.data === undefined) {
    console.error(USAGE);
    process.exit(values.help ? 0 : 2);
  }
  const folds = Number(values.folds);
  if (!Number.isInteger(folds) || folds < 2 || folds > 20) throw new Error(`--folds is a number from 2 to 20, not ${values.folds}`);
  return { ...values, folds };
}

const percent = (x) => `${(100 * x).toFixed(1)}%`;
const interval = (m) => (m.of === undefined ? `${m.value.toFixed(3)} [${m.low.toFixed(3)}, ${m.high.toFixed(3)}]` : `${percent(m.value)} [${percent(m.low)}, ${percent(m.high)}] (${m.count} of ${m.of})`);

function printMetrics(metrics, { thresholds }) {
  console.log('\ncross-validated by prompt          figure, 95% interval');
  for (const [name, value] of metrics) console.log(`  ${name.padEnd(32)} ${interval(value)}`);
  if (thresholds !== undefined)
    console.log(`\nthresholds for the policy: outcome_risk of the reasoning ${thresholds.reasoning} from sentence ${thresholds.minSentences} on, with the answer's beginning ${thresholds.answer}`);
}

function plotPoints(rows, cross) {
  const values = {
    prompt_harm: (s) => s.evidence, reasoning_harm: (s) => s.harm.at(-1), complies: (s) => s.complies.at(-1), complies_answer: (s) => s.answer,
  };
  const prompts = new Set(promptsOf(rows));
  return (head) => rows.flatMap((row, i) => {
    const z = values[head](cross.sums[i]);
    const counts = head === 'prompt_harm' ? prompts.has(row) : isFor(row, head);
    return counts && z !== undefined ? [[scoreOf(cross.calibration[head], z), row.answers[head]]] : [];
  });
}

// For script/measure: of each fold its model and the traces that it has not seen; the model of all rows.
function keepFolds(folder, rows, cross, text, finalText) {
  const lines = new Map(); // file: its lines
  const lineOf = ({ file, line }) => {
    if (!lines.has(file)) lines.set(file, fs.readFileSync(file, 'utf8').split('\n'));
    return lines.get(file)[line - 1];
  };
  const put = (name, content) => {
    fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    fs.writeFileSync(path.join(folder, name), content);
  };
  cross.models.forEach((heads, k) => {
    put(`fold${k}/models/model.yaml`, text(heads));
    const unseen = rows.filter((row) => row.file !== undefined && foldOf(row.hash, cross.models.length) === k);
    for (const file of new Set(unseen.map((row) => row.file)))
      put(`fold${k}/${path.basename(path.dirname(file))}/${path.basename(file)}`, unseen.filter((row) => row.file === file).map((row) => `${lineOf(row)}\n`).join(''));
  });
  put('all/models/model.yaml', finalText);
  put('thresholds.json', JSON.stringify(cross.thresholds ?? null));
}

function main() {
  const o = options();
  if (!hasLiblinear()) throw new Error('liblinear-train is not installed: run script/bootstrap train');
  const recipe = JSON.parse(fs.readFileSync(o.recipe, 'utf8'));
  const rein = process.env.REIN_BIN ?? path.join(source, 'build/release/rein');
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-train-'));
  try {
    const without = new Set(o.without.flatMap((file) => [...hashesOf(file)]));
    const { rows, repeated } = readRows(recipe, { data: o.data, recipeFolder: path.dirname(o.recipe), without });
    addFeatures(rows, { rein, folder, answerBytes: recipe.answer_bytes });
    addSignals(rows, { rein, folder, policy: path.join(source, 'config/policies/empty.yaml') });
    const counts = Object.entries(groupsOf(rows)).map(([name, list]) => `${list.length} ${name}`).join(', ');
    console.log(`${rows.length} rows; traces: ${counts}`);
    const cross = crossValidate(rows, recipe, { folds: o.folds, folder });
    const metrics = metricsOf(rows, cross);
    printMetrics(metrics, cross);
    const numbers = metrics.map(([name, m]) => [name, m.value]);
    if (cross.thresholds !== undefined)
      numbers.push(['threshold_reasoning', cross.thresholds.reasoning], ['threshold_answer', cross.thresholds.answer], ['min_sentences', cross.thresholds.minSentences]);
    const about = [`Weights of the learned score, made by script/train from ${path.basename(o.recipe)}. Do not edit.`, 'The metrics are from cross-validation by prompt on the rows below. docs/DETECTION.md says what else was measured.'];
    const text = (heads) => modelText({ recipe, heads: calibrated(heads, cross.calibration, recipe), metrics: numbers, about });
    const final = text(trainHeads(rows, recipe, folder));
    const out = o.out ?? path.join(source, 'build/train', `${recipe.name}.yaml`);
    fs.mkdirSync(path.dirname(out), { recursive: true });
    fs.writeFileSync(out, final);
    console.log(`\n${out}`);
    if (o.plot !== undefined) {
      const points = plotPoints(rows, cross);
      fs.writeFileSync(o.plot, calibrationPlot(`${recipe.name}: calibration of the heads`, HEADS.map((name, i) => ({ name, points: points(name), auroc: metrics[i][1] }))));
    }
    if (o.keep !== undefined) keepFolds(o.keep, [...rows, ...repeated], cross, text, final);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

try {
  main();
} catch (error) {
  console.error(`train: ${error.message}`);
  process.exit(1);
}
