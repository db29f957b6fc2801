// The features of rows, made by `rein features`, so that training sees what the engine sees.
// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { BUCKETS } from './heads.mjs';

const ROOM = 1 << 30;

function linesOf(rein, folder, rows, args) {
  const file = path.join(folder, 'rows.jsonl');
  fs.writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  const text = execFileSync(rein, ['features', ...args, file], { encoding: 'utf8', maxBuffer: ROOM });
  return text.split('\n').filter((line) => line !== '');
}

// Gives each row what its texts have: `prompt`, `reasoning` and `answer` become lists of sentences, each the list of the
// features that are new in it.
export function addFeatures(rows, { rein, folder, answerBytes }) {
  const prompts = linesOf(rein, folder, rows.map((row) => ({ prompt: row.texts.prompt })), ['--text', 'prompt', '--sentences']);
  for (const row of rows) row.features = { prompt: [], reasoning: [], answer: [] };
  for (const line of prompts) {
    const [number, ...cells] = line.split(' ');
    if (cells.length > 0) rows[Number(number) - 1].features.prompt.push(cells.map((cell) => parseInt(cell, 10) - 1));
  }
  const traces = rows.filter((row) => row.texts.reasoning !== undefined || row.texts.answer !== undefined);
  const bare = traces.map(({ texts }) => ({ reasoning: texts.reasoning ?? '', answer: texts.answer ?? '' }));
  for (const line of linesOf(rein, folder, bare, ['--answer', String(answerBytes), '--sentences'])) {
    const [number, ...cells] = line.split(' ');
    const { features } = traces[Number(number) - 1];
    const all = cells.map((cell) => parseInt(cell, 10) - 1);
    for (const [key, list] of [['reasoning', all.filter((i) => i < BUCKETS)], ['answer', all.filter((i) => i >= BUCKETS)]])
      if (list.length > 0) features[key].push(list);
  }
}

// Gives each row the risk that the signals of the prompt see.
export function addSignals(rows, { rein, folder, policy }) {
  const file = path.join(folder, 'prompts.jsonl');
  const found = path.join(folder, 'found.jsonl');
  fs.writeFileSync(file, rows.map((row) => `${JSON.stringify({ prompt: row.texts.prompt, label: 'prompt' })}\n`).join(''));
  execFileSync(rein, ['eval', '-p', policy, '--rows', found, file], { maxBuffer: ROOM, stdio: ['ignore', 'ignore', 'inherit'] });
  const lines = fs.readFileSync(found, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
  if (lines.length !== rows.length) throw new Error(`rein eval read ${lines.length} of ${rows.length} prompts`);
  lines.forEach((line, i) => (rows[i].risk = line.scores['prompt risk']));
}
