// Writes a file of weights (docs/reference/model.md).
// SPDX-License-Identifier: Apache-2.0
import crypto from 'node:crypto';
import { BUCKETS, HEADS } from './heads.mjs';

const FEATURES = 1; // of core/detect/model_features.h
const quoted = (text) => JSON.stringify(text);

function block(weights, indent) {
  const text = Buffer.from(weights.buffer, weights.byteOffset, weights.length).toString('base64');
  return `|\n${text.match(/.{1,110}/g).map((line) => `${indent}${line}\n`).join('')}`;
}

// `metrics` are [name, number].
export function modelText({ recipe, heads, metrics, about }) {
  const reasoning = HEADS.map((head) => heads[head].weights.subarray(0, BUCKETS));
  const answer = heads.complies_answer.weights.subarray(BUCKETS);
  const digest = crypto.createHash('sha256');
  for (const weights of [...reasoning, answer]) digest.update(weights);
  let out = about.map((line) => `# ${line}\n`).join('');
  out += `version: 1\nname: ${recipe.name}\nlanguage: ${recipe.language}\nfeatures: ${FEATURES}\nlicence: ${quoted(recipe.licence)}\n`;
  out += `notices:\n${recipe.notices.map((notice) => `  - ${quoted(notice)}\n`).join('')}`;
  out += `seed: ${recipe.seed}\nsources:\n`;
  for (const source of recipe.sources.filter((s) => s.used > 0)) out += `  - { name: ${quoted(source.name)}, rows: ${source.used}, licence: ${quoted(source.licence)} }\n`;
  out += `metrics:\n${metrics.map(([name, value]) => `  - { name: ${name}, value: ${Number(value.toFixed(4))} }\n`).join('')}`;
  out += `checksum: ${digest.digest('hex')}\nheads:\n`;
  HEADS.forEach((name, i) => {
    const { bias, scale, clip, slope, offset, signals, prompt } = heads[name];
    out += `  ${name}:\n    bias: ${bias}\n    scale: ${scale}\n    clip: ${clip}\n    slope: ${slope}\n    offset: ${offset}\n`;
    if (signals !== undefined) out += `    signals: ${signals}\n`;
    if (prompt !== undefined) out += `    prompt: ${prompt}\n`;
    out += `    weights: ${block(reasoning[i], '      ')}`;
    if (name === 'complies_answer') out += `    answer_weights: ${block(answer, '      ')}`;
  });
  return out;
}
