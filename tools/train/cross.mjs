// Training of all heads on some rows, cross-validation by prompt, and what follows from it: calibration and thresholds.
// SPDX-License-Identifier: Apache-2.0
import { ANSWER_BUCKETS, BUCKETS, HEADS, headOf, scoreOf, sumOf, sumsAfter } from './heads.mjs';
import { fit } from './liblinear.mjs';
import { foldOf } from './rows.mjs';
import { auroc, calibrate, share } from './stats.mjs';

const RISKY = 0.5; // of the signals, and of prompt_harm

// ---- training ----

// Each prompt once.
function promptsOf(rows) {
  const seen = new Set();
  return rows.filter((row) => row.heads.includes('prompt_harm') && row.answers.prompt_harm !== undefined && !seen.has(row.hash) && seen.add(row.hash));
}

const isFor = (row, head) => row.heads.includes(head) && row.answers[head] !== undefined;

// The row as examples: whole, and cut to its beginnings, because the score is read while the text grows.
function examplesOf(row, yes, head, beginnings = []) {
  const sentences = head === 'prompt_harm' ? row.features.prompt : row.features.reasoning;
  const answer = head === 'complies_answer' ? row.features.answer.flat() : [];
  const lengths = [sentences.length, ...beginnings.map((part) => Math.max(4, Math.floor(sentences.length * part)))];
  return [...new Set(lengths.map((n) => Math.min(n, sentences.length)))]
    .map((n) => ({ yes, parts: [sentences.slice(0, n).flat(), answer].filter((part) => part.length > 0) }))
    .filter((example) => example.parts.length > 0);
}

const sumWithAnswer = (heads, row) => sumOf(heads.complies_answer, row.features.reasoning, row.features.answer);

// Half way between what `complies_answer` says of the rows that go along, and of the others.
function middleOf(heads, rows) {
  const mean = (yes) => {
    const sums = rows.filter((row) => row.answers.complies === yes).map((row) => sumWithAnswer(heads, row));
    return sums.reduce((a, b) => a + b, 0) / Math.max(1, sums.length);
  };
  return (mean(true) + mean(false)) / 2;
}

// Heads without calibration. Of reasoning without a label whose answer is there, `complies_answer` says how it ended: it
// reads an answer far better than the reasoning, so its word is a label for `complies`.
export function trainHeads(rows, recipe, folder) {
  const heads = {};
  for (const head of ['prompt_harm', 'reasoning_harm', 'complies_answer', 'complies']) {
    const used = head === 'prompt_harm' ? promptsOf(rows) : rows.filter((row) => isFor(row, head));
    const labelled = used.map((row) => ({ row, yes: row.answers[head] }));
    const middle = head === 'complies' ? middleOf(heads, used) : 0;
    if (head === 'complies')
      for (const row of rows.filter((r) => r.labelByAnswer && r.features.answer.length > 0 && r.features.reasoning.length > 0))
        labelled.push({ row, yes: sumWithAnswer(heads, row) > middle });
    const examples = labelled.flatMap(({ row, yes }) => Array.from({ length: row.repeat }, () => examplesOf(row, yes, head, recipe.heads[head].beginnings)).flat());
    const sentences = used.flatMap((row) => (head === 'prompt_harm' ? row.features.prompt : [...row.features.reasoning, ...(head === 'complies_answer' ? row.features.answer : [])]));
    try {
      heads[head] = headOf(fit(examples, { cost: recipe.heads[head].cost, folder }), head === 'complies_answer', sentences);
    } catch (error) {
      throw new Error(`${head}: ${error.message}`);
    }
  }
  return heads;
}

// ---- scores ----

// What the heads say about a row, before calibration.
export function sumsOf(heads, row, recipe) {
  const sum = sumOf(heads.prompt_harm, row.features.prompt);
  const evidence = (recipe.signals > 0 ? Math.max(sum, -recipe.signals) : sum) + recipe.signals * (2 * row.risk - 1);
  const { reasoning, answer } = row.features;
  return {
    evidence,
    harm: sumsAfter(heads.reasoning_harm, reasoning, recipe.prompt * evidence),
    complies: sumsAfter(heads.complies, reasoning),
    answer: answer.length > 0 ? sumOf(heads.complies_answer, reasoning, answer) : undefined,
  };
}

// Risks after each sentence of the reasoning, and with the answer's beginning.
export function risksOf(sums, calibration) {
  const score = (head, z) => scoreOf(calibration[head], z);
  const harms = sums.harm.map((z) => score('reasoning_harm', z));
  const prompt = score('prompt_harm', sums.evidence);
  return {
    prompt,
    reasoning: harms.map((harm, i) => harm * score('complies', sums.complies[i])),
    answer: sums.answer === undefined || harms.length === 0 ? 0 : harms.at(-1) * score('complies_answer', sums.answer),
  };
}

const last = (list) => list.at(-1);

// Slopes and offsets from rows that the heads were not trained on. `sums` belongs to the rows, by place.
function calibrationOf(rows, sums, recipe) {
  const points = (head, value) => rows.flatMap((row, i) => (isFor(row, head) && value(sums[i]) !== undefined ? [[value(sums[i]), row.answers[head]]] : []));
  return {
    prompt_harm: promptCalibration(rows, sums, recipe),
    reasoning_harm: calibrate(points('reasoning_harm', (s) => last(s.harm))),
    complies: calibrate(points('complies', (s) => last(s.complies))),
    complies_answer: calibrate(points('complies_answer', (s) => s.answer)),
  };
}

// Of a prompt the score's half is what counts, so the offset puts it where the votes together raise fewer false alarms
// than the signals alone, on each of the recipe's benign sets.
function promptCalibration(rows, sums, recipe) {
  const prompts = new Set(promptsOf(rows));
  const at = rows.flatMap((row, i) => (prompts.has(row) ? [[sums[i].evidence, row.answers.prompt_harm]] : []));
  const { slope, offset } = calibrate(at);
  const limit = recipe.limits?.prompt;
  if (limit === undefined) return { slope, offset };
  let threshold = -offset / slope;
  const sets = limit.like_signals.map((name) => rows.flatMap((row, i) => (row.source === name && row.answers.prompt_harm === false ? [[sums[i].evidence, row.risk]] : [])));
  const isFewer = (t) => sets.every((set) => set.filter(([e]) => e >= t).length <= limit.share * set.filter(([, risk]) => risk >= RISKY).length);
  for (threshold = -6; threshold < 6 && !isFewer(threshold); threshold += 0.05);
  return { slope, offset: -slope * threshold };
}

// ---- thresholds ----

export function actsOn(risks, { reasoning, answer, minSentences }) {
  return risks.reasoning.some((risk, i) => i + 1 >= minSentences && risk >= reasoning) || risks.answer >= answer;
}

// The rows that the thresholds are held to: safe answers to harmful prompts (of the sources of `complies`, and of all
// others), and ordinary rows. Only rows with reasoning count.
export function groupsOf(rows) {
  const own = (row) => row.heads.includes('complies');
  const trace = rows.filter((row) => row.texts.reasoning !== undefined);
  return {
    unsafe: trace.filter((row) => row.kind === 'harmful' && row.label === 'unsafe'),
    safe: trace.filter((row) => row.kind === 'harmful' && row.label === 'safe' && own(row)),
    other_safe: trace.filter((row) => row.kind === 'harmful' && row.label === 'safe' && !own(row)),
    benign: trace.filter((row) => row.kind === 'benign'),
  };
}

const GRID = [...Array.from({ length: 79 }, (_, i) => (20 + i) / 100), ...Array.from({ length: 19 }, (_, i) => (9900 + 5 * i) / 10000), 1];

function thresholdsOf(rows, risks, { limits }) {
  const groups = groupsOf(rows);
  const byRow = new Map(rows.map((row, i) => [row, risks[i]]));
  const keeps = (at, limit) => Object.entries(limit).every(([name, most]) => groups[name].filter((row) => actsOn(byRow.get(row), at)).length <= most * groups[name].length);
  const at = { reasoning: 1.1, answer: 1.1, minSentences: limits.min_sentences };
  at.reasoning = GRID.find((t) => keeps({ ...at, reasoning: t }, limits.reasoning)) ?? 1;
  at.answer = GRID.find((t) => keeps({ ...at, answer: t }, limits.both)) ?? 1;
  return at;
}

// ---- all of it ----

// Cross-validation by prompt. Returns the heads of each fold, the calibration, the thresholds, and for each row its sums and
// risks by heads that have not seen its prompt.
export function crossValidate(rows, recipe, { folds, folder }) {
  const models = [];
  const sums = new Array(rows.length);
  for (let k = 0; k < folds; k++) {
    const heads = trainHeads(rows.filter((row) => foldOf(row.hash, folds) !== k), recipe, folder);
    models.push(heads);
    rows.forEach((row, i) => {
      if (foldOf(row.hash, folds) === k) sums[i] = sumsOf(heads, row, recipe);
    });
  }
  const calibration = calibrationOf(rows, sums, recipe);
  const risks = sums.map((s) => risksOf(s, calibration));
  return { models, calibration, sums, risks, thresholds: recipe.limits === undefined ? undefined : thresholdsOf(rows, risks, recipe) };
}

export function calibrated(heads, calibration, recipe) {
  const round = (x) => Number(x.toPrecision(6));
  const out = {};
  for (const head of HEADS) out[head] = { ...heads[head], slope: round(calibration[head].slope), offset: round(calibration[head].offset) };
  out.prompt_harm.signals = recipe.signals;
  out.reasoning_harm.prompt = recipe.prompt;
  return out;
}

// The table of the cross-validation: [name, what, value].
export function metricsOf(rows, cross) {
  const groups = groupsOf(rows);
  const at = new Map(rows.map((row, i) => [row, i]));
  const column = (list, value) => list.map((row) => value(at.get(row))).filter((x) => x !== undefined);
  const rank = (value, yes, no) => auroc(column(yes, value), column(no, value));
  const prompts = promptsOf(rows);
  const harm = (i) => last(cross.sums[i].harm);
  const out = [
    ['auroc_prompt_harm', rank((i) => cross.sums[i].evidence, prompts.filter((r) => r.answers.prompt_harm), prompts.filter((r) => !r.answers.prompt_harm))],
    ['auroc_reasoning_harm', rank(harm, [...groups.unsafe, ...groups.safe, ...groups.other_safe], groups.benign)],
    ['auroc_complies', rank((i) => last(cross.sums[i].complies), groups.unsafe, groups.safe)],
    ['auroc_complies_answer', rank((i) => cross.sums[i].answer, groups.unsafe, groups.safe)],
  ];
  if (cross.thresholds !== undefined)
    for (const name of Object.keys(groups))
      out.push([`acted_on_${name}`, share(groups[name].filter((row) => actsOn(cross.risks[at.get(row)], cross.thresholds)).length, groups[name].length)]);
  return out;
}

export const bucketsOf = (head) => (head === 'complies_answer' ? BUCKETS + ANSWER_BUCKETS : BUCKETS);
export { RISKY, isFor, promptsOf };
