// Streams that go astray at random places and are steered: what each model says, what a client has to see of it, and the
// checks of the wire. A story is all in its number, so that one that fails can be played again.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { makers } from './backends.mjs';
import { events, gather } from './client.mjs';
import { continuation, openMarks } from './templates.mjs';
import { startRein } from './rein.mjs';
import { startUpstream } from './upstream.mjs';

export const CORRECTIVE = 'Wait. I was drifting toward giving what should not be given';
const REFUSAL = 'Not this.';
const ATTEMPTS = 3;

// Random numbers (mulberry32): pick one of a list, or a number below one.
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

// Backends that continue a prefix where the model reasons, each in its own way.
export const kinds = [
  { kind: 'vllm', build: 'parser', family: 'opens reasoning' },
  { kind: 'vllm', build: 'parser', family: 'rewrites a continued turn' },
  { kind: 'vllm', build: 'inline', family: 'leaves it to the model' },
  { kind: 'llamacpp', build: 'new', family: 'writes [THINK]' },
  { kind: 'llamacpp', build: 'old', family: 'opens reasoning' },
  { kind: 'sglang', build: 'tokens', family: 'leaves it to the model' },
  { kind: 'ollama', build: 'plain', family: 'leaves it to the model' },
  { kind: 'deepseek', build: 'continues', family: 'leaves it to the model' },
  { kind: 'completions', build: 'continues', family: 'opens reasoning' },
];
// How much of the reasoning was shown when it is cut.
export const releases = ['stream', 'sentence', 'end', 'hide'];

const policy = (release) => `
version: 1
name: ${release}
prefix: { template: short, deliver: prefill, when: always, show: false }
reasoning: { show: ${release === 'hide' ? 'hide' : 'stream'}, release: ${release === 'hide' ? 'sentence' : release} }
patterns: { weak_vacillation: { action: record } } # so that sentences are judged
lexicons: []
rules:
  - { id: astray, channels: [reasoning, answer], literal: "astray words", match: raw, action: steer }
  - { id: lost, channels: [reasoning, answer], regex: 'LOST-[0-9]{3}', action: steer }
steer: { max_attempts: ${ATTEMPTS}, max_added_ms: 60000, fallback: refuse }
refusal: { message: "${REFUSAL}", finish_reason: content_filter, before_first_byte: error }
`;
const config = (url) => `
version: 1
listen: { address: "127.0.0.1:0" }
admin: { address: "127.0.0.1:0" }
upstreams:
${kinds.map((one, i) => `  - { name: k${i}, kind: ${one.kind}, url: "${url}", path_prefix: /k${i}/v1${makers[one.kind].config?.(one) ?? ''} }`).join('\n')}
routes:
${kinds.flatMap((_, i) => releases.map((release) => `  - { name: k${i}-${release}, match: { models: ["k${i}-${release}"] }, upstream: k${i}, policy: ${release} }`)).join('\n')}
policies: policies/
timeouts: { drain_ms: 200 }
store: { url: "sqlite:rein.db" }
`;

const words = ['the cat', 'größer als', '漢字も', 'a "quoted" one', 'back\\slash', 'tab\there', '🙂 smiles', 'naïve', '<b>bold</b>', 'ends'];

// One attempt: { text: its reasoning, in sentences with marks that occur nowhere else, answer: one that goes astray,
// at: the first byte of the reasoning that a rule claims, sentence: where its sentence begins }.
function trace(random, story, attempt, astray) {
  const sentence = (i) => ` Q${story}a${attempt}s${i} says ${random.pick(words)} and ${random.pick(words)}${random.pick(['.', '!', '?', '.\n'])}`;
  const sentences = Array.from({ length: random.below(6) }, (_, i) => sentence(i)), before = sentences.join('');
  if (!astray) return { text: before + sentence('z') };
  const claimed = random.pick(['astray words', 'LOST-123']);
  if (random.below(6) === 0) { // in the first words of the answer: the reasoning was shown whole
    const text = before + sentence('z');
    return { text, answer: `${claimed} and more.`, at: text.length, sentence: text.length };
  }
  const lead = random.pick(['', ' Now the ', ' Then, as it were, ', ' So ']);
  const after = ` come${Array.from({ length: random.below(4) }, (_, i) => sentence(`x${i}`)).join('')}`;
  // Only white space ends a sentence, and belongs to it; a line break does without.
  const whole = before.endsWith('\n') || lead !== '' ? before : sentences.slice(0, -1).join('');
  const glue = whole === '' || whole.endsWith('\n') ? '' : ' ';
  return { text: before + lead + claimed + after, at: (before + lead).length, sentence: (whole + glue).length };
}

// The story of a number: { id, kind, release, model, attempts: [{ text, at, sentence }], answer, question }.
export function storyOf(id) {
  const random = dice(id * 7919 + 17);
  const kind = random.below(kinds.length), release = random.pick(releases);
  const failures = random.pick([1, 1, 1, 1, 2, 2, 3]);
  const attempts = Array.from({ length: Math.min(failures + 1, ATTEMPTS) }, (_, i) => trace(random, id, i, i < failures));
  return {
    id, kind, release, attempts, failures, random,
    model: `k${kind}-${release}`, question: `Story ${id}.`, answer: `Q${id} is answered: ${random.pick(words)}, ${random.pick(words)}.`,
    limit: random.pick([1, 3, 8, 40, 1000]),
  };
}

// What a client is shown of an attempt that is cut.
function shownOf(story, { text, answer, at, sentence }) {
  return text.slice(0, { stream: at, sentence, end: answer ? at : 0, hide: 0 }[story.release]);
}

// The text of a client's whole stream, as it should be.
export function expected(story) {
  const isLost = story.failures === ATTEMPTS;
  const parts = story.attempts.map((attempt) => (attempt.at === undefined ? (story.release === 'hide' ? '' : attempt.text) : shownOf(story, attempt)));
  return { reasoning: parts.join(''), parts, content: isLost ? REFUSAL : story.answer, finish: isLost ? 'content_filter' : 'stop' };
}

// Starts the backends and Rein before them. prompts: what each story's calls were asked, by its number.
export async function startStories(options = {}) {
  const prompts = new Map();
  const script = (prompt) => {
    const id = Number(/Story (\d+)\./.exec(prompt)?.[1]);
    const story = storyOf(id), seen = prompts.get(id) ?? [];
    prompts.set(id, [...seen, prompt]);
    return { reasoning: story.attempts[seen.length]?.text ?? ' Asked too often.', answer: story.attempts[seen.length]?.answer ?? story.answer };
  };
  const backends = kinds.map((one) => makers[one.kind]({ ...one, script }));
  const upstream = await startUpstream(async (call) => {
    const [, number, rest] = /^\/k(\d+)(\/.*)$/.exec(call.path);
    const asked = Array.isArray(call.json.prompt) ? String.fromCodePoint(...call.json.prompt) : call.text; // tokens
    const id = Number(/Story (\d+)\./.exec(asked)?.[1] ?? 0);
    if (call.json.stream) cutAtRandom(call, dice(id * 31 + (prompts.get(id)?.length ?? 0)));
    return (await (options.before?.(call, id, prompts.get(id)?.length ?? 0) ?? true)) && backends[Number(number)].answer(call, rest);
  });
  const rein = await startRein({ config: config(upstream.url), policy: policy('sentence').replace('name: sentence', 'name: default'),
    policies: Object.fromEntries(releases.map((release) => [release, policy(release)])) });
  const stop = async () => {
    await rein.clean();
    await upstream.stop();
  };
  return { rein, upstream, prompts, stop, forget: () => prompts.clear() };
}

// Events of random sizes, written in random pieces that part where they like.
function cutAtRandom(call, random) {
  const cut = (list, limit) => {
    const parts = [];
    for (let at = 0, n; at < list.length; at += n) parts.push(list.slice(at, at + (n = 1 + random.below(limit))));
    return parts;
  };
  const limit = random.pick([1, 3, 8, 40, 1000]), slice = random.pick([50, 400, 4000, 1 << 20]);
  call.cut = (text) => cut(Array.from(text), limit).map((part) => part.join(''));
  call.writes = (bytes) => cut(bytes, slice);
}

const known = { event: ['id', 'object', 'created', 'model', 'choices', 'usage'], choice: ['index', 'delta', 'finish_reason'], delta: ['role', 'content', 'reasoning', 'reasoning_content'] };
const strangers = (value, list) => Object.keys(value).filter((key) => !list.includes(key) && value[key] !== null);

// The bytes that a client got, and what the backend was asked for them.
export function checkWire(story, text, prompts) {
  const said = `story ${story.id} (${story.model}, ${story.failures} failures)`;
  const want = expected(story), seen = gather(text);
  assert.deepEqual([seen.ids.size, seen.roles, seen.finish, seen.done, seen.errors], [1, 1, [want.finish], 1, []], `${said}: ${text}`);
  assert.ok(text.endsWith('data: [DONE]\n\n'), said);
  assert.equal(seen.reasoning, want.reasoning, said);
  assert.equal(seen.content.trim(), want.content, said);
  for (const event of events(text).slice(0, -1)) {
    const odd = [...strangers(event, known.event), ...event.choices.flatMap((choice) => [...strangers(choice, known.choice), ...strangers(choice.delta, known.delta)])];
    assert.deepEqual(odd, [], `${said}: text in an unknown place`);
  }
  assert.equal(prompts.length, story.attempts.length, `${said}: calls`);
  prompts.forEach((prompt, i) => {
    const shown = want.parts.slice(0, i).join('');
    const [open] = openMarks(prompt) ?? assert.fail(`${said}: attempt ${i} does not begin in open reasoning: ${prompt}`);
    const turn = prompt.slice(prompt.lastIndexOf(open) + open.length).replace(/^\n/, '');
    if (i === 0) assert.match(turn, /^First, safety: [^]* helpfully\.$/, said);
    else assert.ok(turn.startsWith(`${shown}${shown && '\n\n'}${CORRECTIVE}`) && turn.endsWith('I simply help.'), `${said}: attempt ${i} goes on from ${JSON.stringify(turn)}, shown was ${JSON.stringify(shown)}`);
  });
}

// Plays stories 1..count, a few at a time: `play(story)` gives the bytes that came.
export async function playAll(world, count, play, atOnce = 8) {
  let next = 1;
  const run = async () => {
    while (next <= count) {
      const story = storyOf(next++);
      const text = await play(story);
      checkWire(story, text, world.prompts.get(story.id) ?? []);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, run));
}

// What was remembered of it: every attempt prefilled, those that failed named.
export function checkRow(story, row) {
  const want = expected(story), said = JSON.stringify(row);
  assert.deepEqual(row.attempts.map((attempt) => attempt.delivery), story.attempts.map(() => 'prefill'), said);
  const failed = row.attempts.map((attempt) => attempt.outcome).filter((outcome) => outcome === 'steered').length;
  assert.equal(failed, Math.min(story.failures, ATTEMPTS - 1), said);
  assert.deepEqual([row.verdict, row.ending], want.finish === 'stop' ? ['steer', 'complete'] : ['refuse', 'refused'], said);
  assert.equal(row.findings.length, story.failures, said);
}
