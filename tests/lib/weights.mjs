// Files of weights for tests: all zero but for the words that a test names, found with `rein features`.
// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { binary } from './rein.mjs';

const BUCKETS = 32768, ANSWER_BUCKETS = 8192;
const heads = ['prompt_harm', 'reasoning_harm', 'complies', 'complies_answer'];

// The buckets of a text's words and pairs.
function bucketsOf(text) {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'rein-words-')), 'row.jsonl');
  fs.writeFileSync(file, JSON.stringify({ reasoning: text, answer: text }) + '\n');
  const line = execFileSync(binary, ['features', '--answer', '600', file], { encoding: 'utf8' });
  fs.rmSync(path.dirname(file), { recursive: true });
  const all = line.trim().split(' ').slice(1).map((pair) => parseInt(pair, 10) - 1);
  return { text: all.filter((index) => index < BUCKETS), answer: all.filter((index) => index >= BUCKETS).map((index) => index - BUCKETS) };
}

// A model that is sure of harm where a word of `harm` stands, and of going along where one of `along` does.
export function weightsText({ name = 'tiny', harm = ['bomb'], along = ['gladly'] } = {}) {
  const weights = heads.map(() => Buffer.alloc(BUCKETS)), answer = Buffer.alloc(ANSWER_BUCKETS);
  for (const word of harm) for (const bucket of bucketsOf(word).text) weights[0][bucket] = weights[1][bucket] = 120;
  for (const word of along) {
    const { text, answer: there } = bucketsOf(word);
    for (const bucket of text) weights[2][bucket] = weights[3][bucket] = 60;
    for (const bucket of there) answer[bucket] = 120;
  }
  const checksum = createHash('sha256').update(Buffer.concat([...weights, answer])).digest('hex');
  return `version: 1\nname: ${name}\nlanguage: en\nfeatures: 1\nlicence: Apache-2.0\n`
    + `sources: [{ name: made up, rows: 1, licence: Apache-2.0 }]\nchecksum: ${checksum}\nheads:\n`
    + heads.map((head, i) => `  ${head}:\n    bias: -4\n    scale: 1\n    clip: 1000\n    weights: ${weights[i].toString('base64')}\n`).join('')
    + `    answer_weights: ${answer.toString('base64')}\n`;
}
