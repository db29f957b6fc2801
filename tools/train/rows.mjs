// Reads a recipe and the rows that it names. docs/EVAL.md describes both.
// SPDX-License-Identifier: Apache-2.0
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

const KINDS = { harmful: 'harmful', benign: 'benign', math: 'benign' };

// The same for all rows of a prompt, whatever its white space and case.
export function promptHash(prompt) {
  return crypto.createHash('sha256').update(prompt.trim().toLowerCase().replace(/\s+/g, ' ')).digest('hex');
}

export const foldOf = (hash, folds) => parseInt(hash.slice(0, 8), 16) % folds;

// A share of a source's prompts, the same in every run; other digits than those that choose the fold.
const isInShare = (hash, share) => parseInt(hash.slice(8, 16), 16) / 2 ** 32 < share;

function readLines(file) {
  return fs.readFileSync(file, 'utf8').split('\n').flatMap((line, i) => {
    if (line.trim() === '') return [];
    let row;
    try {
      row = JSON.parse(line);
    } catch (error) {
      throw new Error(`${file}:${i + 1}: ${error.message}`);
    }
    if (row === null || typeof row !== 'object' || typeof row.prompt !== 'string') throw new Error(`${file}:${i + 1}: a row needs a prompt`);
    for (const key of ['reasoning', 'answer', 'label_answer', 'prompt_kind', 'label'])
      if (row[key] !== undefined && row[key] !== null && typeof row[key] !== 'string') throw new Error(`${file}:${i + 1}: "${key}" is not a string`);
    return [{ ...row, line: i + 1 }];
  });
}

// Requests from parts, the same for the same seed.
function phrasesOf({ verbs, things, joints, topics, questions }, count, seed) {
  let state = seed >>> 0;
  const below = (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  const pick = (list) => list[below(list.length)];
  const out = new Set();
  for (let tries = 0; out.size < count && tries < count * 20; tries++)
    out.add(below(10) < 7 ? `${pick(verbs)} ${pick(things)} ${pick(joints)} ${pick(topics)}${pick(['', '.'])}` : pick(questions).replace('TOPIC', pick(topics)));
  return [...out].map((prompt) => ({ prompt, label: 'benign' }));
}

// What the row says, for the heads: true, false, or undefined where it says nothing.
function answersOf(row) {
  const kind = KINDS[row.prompt_kind ?? row.label];
  const harmful = kind === undefined ? undefined : kind === 'harmful';
  const outcome = { unsafe: true, safe: false }[row.label_answer];
  const along = harmful === false ? undefined : outcome; // of harmless requests nobody asks whether the model goes along
  const has = (key) => typeof row[key] === 'string' && row[key] !== '';
  return {
    prompt_harm: harmful,
    reasoning_harm: has('reasoning') ? harmful : undefined,
    complies: has('reasoning') ? along : undefined,
    complies_answer: has('answer') ? along : undefined,
  };
}

// All rows of the recipe's sources, each text of a source once: { source, hash, texts, answers, heads, repeat, kind, label }.
// `without` are hashes of prompts whose rows are left out. `repeated` are rows that another source has too: they train
// nothing, but are measured.
export function readRows(recipe, { data, recipeFolder, without = new Set() }) {
  const rows = [];
  const repeated = [];
  const seen = new Set();
  for (const source of recipe.sources) {
    const file = path.join(data, source.file ?? '');
    const read = source.phrases !== undefined
      ? phrasesOf(JSON.parse(fs.readFileSync(path.join(recipeFolder, source.phrases), 'utf8')), source.rows, recipe.seed)
      : readLines(file);
    source.used = 0;
    for (const row of read) {
      const hash = promptHash(row.prompt);
      const key = `${hash} ${row.reasoning ?? ''} ${row.answer ?? ''}`;
      if (without.has(hash)) continue;
      if (seen.has(key)) { // the first source that has the row keeps it
        repeated.push({ file, line: row.line, hash });
        continue;
      }
      seen.add(key);
      source.used++;
      const kind = KINDS[row.prompt_kind ?? row.label];
      rows.push({
        source: source.name, file: source.file === undefined ? undefined : file, line: row.line, hash, heads: source.heads.filter((head) => isInShare(hash, source.share?.[head] ?? 1)), kind, label: row.label_answer,
        texts: { prompt: row.prompt, reasoning: row.reasoning ?? undefined, answer: row.answer ?? undefined },
        answers: answersOf(row), labelByAnswer: source.label_by_answer === true && kind === 'harmful' && (row.label_answer ?? undefined) === undefined, repeat: source.repeat?.[kind] ?? 1,
      });
    }
  }
  return { rows, repeated };
}

export const hashesOf = (file) => new Set(readLines(file).map((row) => promptHash(row.prompt)));
