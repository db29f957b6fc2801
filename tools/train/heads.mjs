// The heads as the engine computes them (tools/train/README.md has the formula): a fit becomes int8 weights, and weights
// become scores.
// SPDX-License-Identifier: Apache-2.0
import { logistic } from './stats.mjs';

export const BUCKETS = 32768;
export const ANSWER_BUCKETS = 8192;
export const HEADS = ['prompt_harm', 'reasoning_harm', 'complies', 'complies_answer'];

// A linear fit ({ weights, bias }, features from 0) as a head without calibration. The clip is such that of 1,000
// sentences of the rows one is clipped: `sentences` are lists of features.
export function headOf(fit, hasAnswer, sentences) {
  const count = hasAnswer ? BUCKETS + ANSWER_BUCKETS : BUCKETS;
  let most = 1e-9;
  for (let i = 0; i < count; i++) most = Math.max(most, Math.abs(fit.weights[i] ?? 0));
  const scale = Number((most / 127).toPrecision(6));
  const weights = new Int8Array(count);
  for (let i = 0; i < count; i++) weights[i] = Math.max(-127, Math.min(127, Math.round((fit.weights[i] ?? 0) / scale)));
  const head = { bias: Number(fit.bias.toPrecision(6)), scale, clip: 32767, slope: 1, offset: 0, weights };
  const sums = sentences.map((list) => Math.abs(sum(head, list))).sort((a, b) => a - b);
  const clip = sums.length > 0 ? sums[Math.floor(0.999 * (sums.length - 1))] : 1;
  head.clip = Math.max(1, Math.min(32767, Math.ceil(clip)));
  return head;
}

function sum(head, features) {
  let s = 0;
  for (const feature of features) s += head.weights[feature];
  return s;
}

function clipped(head, features) {
  return Math.max(-head.clip, Math.min(head.clip, sum(head, features)));
}

// The sums z after each sentence; each is the list of what is new in it. `more` is what other votes add.
export function sumsAfter(head, sentences, more = 0) {
  const out = [];
  let total = 0;
  let n = 0;
  for (const sentence of sentences) {
    total += clipped(head, sentence);
    n += sentence.length;
    out.push(head.bias + head.scale * (n > 0 ? total / Math.sqrt(n) : 0) + more);
  }
  return out;
}

// The sum of all, with the answer's beginning.
export function sumOf(head, sentences, answer = [], more = 0) {
  let z = head.bias + more;
  for (const part of [sentences, answer]) {
    let total = 0;
    let n = 0;
    for (const sentence of part) {
      total += clipped(head, sentence);
      n += sentence.length;
    }
    z += head.scale * (n > 0 ? total / Math.sqrt(n) : 0);
  }
  return z;
}

export const scoreOf = (head, z) => logistic(head.slope * z + head.offset);
