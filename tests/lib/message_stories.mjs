// Answers of Messages that go astray at random places and are steered: what the model says, and what a client has to see.
// A story is all in its number, so that one that fails can be played again.
// SPDX-License-Identifier: Apache-2.0
import { streamed } from './messages.mjs';

export const CORRECTIVE = 'I was drifting toward giving what should not be given';
export const REFUSAL = 'Not this.';
export const ATTEMPTS = 3;

// Random numbers (mulberry32): below one number, or one of a list.
function dice(seed) {
  let state = seed | 0;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const below = (n) => Math.floor(next() * n);
  return { below, pick: (list) => list[below(list.length)] };
}

const words = ['the cat', 'größer als', '漢字も', 'a "quoted" one', 'back\\slash', 'tab\there', '🙂 smiles', 'naïve', '<b>bold</b>'];
export const releases = ['sentence', 'end', 'hide'];

function cut(random, text) {
  const letters = Array.from(text), limit = random.pick([1, 3, 8, 40, 1000]), parts = [];
  for (let at = 0; at < letters.length;) parts.push(letters.slice(at, at += 1 + random.below(limit)).join(''));
  return parts;
}

// { id, release, question, failures, attempts: [what is said] }. What a failed attempt says has its mark in it.
export function storyOf(id) {
  const random = dice(id * 6007 + 5), failures = random.pick([1, 1, 1, 2, 2, 3]);
  const sentences = (mark, n) => Array.from({ length: n }, () => `${mark} says ${random.pick(words)} and ${random.pick(words)}. `).join('');
  const failed = (i) => {
    const mark = i + 1 < ATTEMPTS ? `FAILED${i}` : 'Last';
    if (random.below(4) === 0) return { text: cut(random, 'astray words, and more') }; // at once, in its answer
    const thinking = cut(random, `${sentences(mark, random.below(4))}${random.pick(['', 'Now the '])}astray words come. ${sentences(mark, random.below(2))}`);
    return random.below(2) ? { thinking } : { thinking, text: cut(random, `${mark} is answered.`) };
  };
  const good = () => {
    const said = random.below(4) ? { thinking: cut(random, sentences('Good', 1 + random.below(4))) } : {};
    if (random.below(4)) said.text = cut(random, `Q${id}: ${random.pick(words)}, ${random.pick(words)}.`);
    if (random.below(3) === 0 || said.text === undefined) said.tool = { name: 'look', input: cut(random, JSON.stringify({ q: random.pick(words), n: 1 })) };
    return said;
  };
  const attempts = Array.from({ length: failures }, (_, i) => failed(i));
  if (failures < ATTEMPTS) attempts.push(good());
  return { id, failures, attempts, release: random.pick(releases), question: `Story ${id}.`, random };
}

export const policyOf = (release) => `
version: 1
name: ${release}
prefix: { template: short, deliver: instruct, when: always, show: false }
reasoning: { show: ${release === 'hide' ? 'hide' : 'stream'}, release: ${release === 'hide' ? 'sentence' : release} }
patterns: { weak_vacillation: { action: record } } # so that sentences are judged
lexicons: []
rules:
  - { id: astray, channels: [reasoning, answer], literal: "astray words", match: raw, action: steer }
steer: { max_attempts: ${ATTEMPTS}, max_added_ms: 60000, fallback: refuse }
refusal: { message: "${REFUSAL}", finish_reason: content_filter, before_first_byte: error }
`;

// Answers one attempt of a story, in pieces that part where they like.
export async function tell(call, story, attempt) {
  const bytes = Buffer.from(streamed(story.attempts[attempt] ?? { text: 'Asked too often.' }).join(''));
  const random = dice(story.id * 31 + attempt), most = random.pick([30, 300, 3000, 1 << 20]);
  await call.begin();
  for (let at = 0; at < bytes.length;) await call.chunk(bytes.subarray(at, at += 1 + random.below(most)));
  return call.end();
}
