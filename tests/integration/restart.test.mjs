// A steer where the prefix is prefilled: the restart goes on from what the client was shown, in one clean stream.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makers } from '../lib/backends.mjs';
import { events, gather } from '../lib/client.mjs';
import { startRein } from '../lib/rein.mjs';
import { openMarks } from '../lib/templates.mjs';
import { startUpstream } from '../lib/upstream.mjs';

const CORRECTIVE = 'I was drifting toward giving what should not be given';
const PREFIX = 'First, safety: could answering this enable real harm to someone? If yes, I decline and stop there; if not, I answer helpfully.';

// The model goes astray until its prompt holds the correction; `relapses`: even then.
const script = (relapses) => (prompt) => (prompt.includes(CORRECTIVE) && !relapses
  ? { reasoning: ' So I decline that part.', answer: 'I would rather not, but here is bread.' }
  : { reasoning: ' I look at it. It seems fine. Now the astray words come. And more of it.', answer: 'Never shown.' });

const cases = [
  { kind: 'vllm', build: 'parser', family: 'opens reasoning' },
  { kind: 'vllm', build: 'parser', family: 'rewrites a continued turn' },
  { kind: 'vllm', build: 'inline', family: 'leaves it to the model' },
  { kind: 'llamacpp', build: 'new', family: 'writes [THINK]' },
  { kind: 'llamacpp', build: 'old', family: 'opens reasoning' },
  { kind: 'sglang', build: 'tokens', family: 'leaves it to the model' },
  { kind: 'ollama', build: 'plain', family: 'leaves it to the model' },
  { kind: 'deepseek', build: 'continues', family: 'leaves it to the model' },
  { kind: 'vllm', build: 'parser', family: 'opens reasoning', relapses: true },
  { kind: 'vllm', build: 'parser', family: 'opens reasoning', policy: 'shown' },
  { kind: 'llamacpp', build: 'old', family: 'leaves it to the model', policy: 'shown' },
  { kind: 'deepseek', build: 'continues', family: 'leaves it to the model', policy: 'shown' },
  { kind: 'vllm', build: 'bare', family: 'opens reasoning' },
  // The prompt is not risky, so the first call has no prefix; the restart goes on from what was shown all the same.
  { kind: 'vllm', build: 'parser', family: 'opens reasoning', policy: 'calm' },
  { kind: 'vllm', build: 'inline', family: 'leaves it to the model', policy: 'calm' },
  { kind: 'vllm', build: 'inline', family: 'opens reasoning', policy: 'calm', opened: true },
  { kind: 'vllm', build: 'parser', family: 'rewrites a continued turn', policy: 'calm' },
  { kind: 'llamacpp', build: 'new', family: 'writes [THINK]', policy: 'calm' },
  { kind: 'llamacpp', build: 'old', family: 'opens reasoning', policy: 'calm' },
  { kind: 'sglang', build: 'tokens', family: 'leaves it to the model', policy: 'calm' },
  { kind: 'vllm', build: 'parser', family: 'leaves it to the model', policy: 'calm' },
  { kind: 'ollama', build: 'plain', family: 'opens reasoning', policy: 'calm' },
  { kind: 'deepseek', build: 'continues', family: 'leaves it to the model', policy: 'calm' },
  { kind: 'vllm', build: 'parser', family: 'opens reasoning', policy: 'calm', relapses: true },
  // Where that can not be verified, it takes the fallback: words could contradict what was shown.
  { kind: 'vllm', build: 'bare', family: 'opens reasoning', policy: 'calm', falls: true },
  { kind: 'deepseek', build: 'drops', family: 'leaves it to the model', policy: 'calm', falls: true },
  { kind: 'openai', build: '-', family: 'opens reasoning', policy: 'calm', falls: true },
  { kind: 'vllm', build: 'parser', family: 'opens reasoning', policy: 'calm', falls: true, tools: true },
];
cases.forEach((one, i) => Object.assign(one, { name: `c${i}`, backend: makers[one.kind]({ ...one, script: script(one.relapses) }) }));

const policy = `
version: 1
name: default
prefix: { template: short, deliver: auto, when: always, show: false }
reasoning: { show: stream, release: sentence }
patterns: {}
rules: [ { id: astray, channels: [reasoning], literal: "astray words", action: steer } ]
steer: { max_attempts: 2, max_added_ms: 10000, fallback: refuse }
refusal: { message: "Not this.", finish_reason: content_filter, before_first_byte: error }
`;
const config = (url) => `
version: 1
listen: { address: "127.0.0.1:0" }
admin: { address: "127.0.0.1:0" }
upstreams:
${cases.map(({ kind, name, opened }) => `  - { name: ${name}, kind: ${kind}, url: "${url}", path_prefix: /${name}/v1${opened ? ', reasoning: { opened: true }' : ''} }`).join('\n')}
routes:
${cases.map(({ name, policy: its = 'default' }) => `  - { name: ${name}, match: { models: [${name}] }, upstream: ${name}, policy: ${its} }`).join('\n')}
policies: policies/
timeouts: { drain_ms: 200 }
store: { url: "sqlite:rein.db" }
`;

// One signal, so that no prompt of these tests is risky, and nothing takes seconds to compile.
const tiny = `
version: 1
name: tiny
language: en
entries: [ { id: harm, class: names_harm, phrases: [poison the well], match: [I poison the well.], unlike: [A well.] } ]
`;
const tools = [{ type: 'function', function: { name: 'look', parameters: { type: 'object', properties: {} } } }];

// What a client reads that looks for reasoning in one field, the first that it came in; inline is one too.
function read(text) {
  const seen = gather(text);
  const fields = events(text).flatMap((event) => Object.keys(event.choices?.[0]?.delta ?? {})).filter((name) => name.startsWith('reasoning'));
  assert.ok(new Set(fields).size <= 1, `reasoning comes in one field: ${text}`);
  const inline = /^(?:<think>|\[THINK\])?([^]*?)(?:<\/think>|\[\/THINK\])([^]*)$/.exec(seen.content);
  return inline && !seen.reasoning ? { ...seen, reasoning: inline[1], content: inline[2] } : seen;
}

describe('a restart', { timeout: 240000 }, () => {
  let upstream, rein, folder;
  before(async () => {
    upstream = await startUpstream((call) => {
      const [, name, rest] = /^\/(c\d+)(\/.*)$/.exec(call.path);
      return cases[Number(name.slice(1))].backend.answer(call, rest);
    });
    const named = (name) => policy.replace('name: default', `name: ${name}`);
    const policies = { shown: named('shown').replace('show: false', 'show: true'),
      calm: `${named('calm').replace('when: always', 'when: risky')}\nlexicons: [tiny]\n` };
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-test-'));
    fs.mkdirSync(path.join(folder, 'lexicons'));
    fs.writeFileSync(path.join(folder, 'lexicons/tiny.yaml'), tiny);
    rein = await startRein({ config: config(upstream.url), policy, policies, folder });
  });
  after(async () => {
    await rein?.clean();
    await upstream?.stop();
    fs.rmSync(folder, { recursive: true, force: true });
  });
  const bread = (one) => one.backend.prompts.filter((prompt) => prompt.includes('bake bread'));

  for (const one of cases) test(`${one.kind}, ${one.build}, ${one.family}${one.relapses ? ', and again astray' : ''}${one.policy ? `, ${one.policy}` : ''}${one.tools ? ', with tools' : ''}`, async () => {
    const answer = await rein.ask({ body: { model: one.name, stream: true, messages: [{ role: 'user', content: 'How do I bake bread?' }], ...(one.tools && { tools }) } });
    assert.equal(answer.status, 200, answer.text);
    const seen = read(answer.text);
    const row = await rein.row(answer.headers['x-rein-decision']);
    const isPrefilled = one.build !== 'bare';
    const [first, then] = one.policy === 'calm' ? ['off', 'prefill'] : isPrefilled ? ['prefill', 'prefill'] : ['instruct', 'instruct'];
    assert.deepEqual(row.attempts.map((attempt) => attempt.delivery), one.falls ? [first] : [first, then], JSON.stringify(row.attempts));
    const may = row.attempts.map((attempt) => attempt.may_continue);
    assert.deepEqual(may, [first === 'off' && one.kind !== 'openai' && !one.tools, false].slice(0, may.length), JSON.stringify(row.attempts));
    assert.deepEqual([seen.ids.size, seen.roles, seen.finish.length, seen.done, seen.errors], [1, 1, 1, 1, []], answer.text);
    assert.ok(!answer.text.includes('astray') && !answer.text.includes('And more') && !answer.text.includes('Never shown'), answer.text);
    assert.ok(!answer.text.includes(CORRECTIVE), 'the correction is not shown');
    if (one.relapses || one.falls) {
      assert.deepEqual([seen.content, seen.finish[0]], ['Not this.', 'content_filter']);
      assert.match(seen.reasoning, /^\s*I look at it\. It seems fine\./, seen.reasoning);
      return;
    }
    assert.equal(seen.content.trim(), 'I would rather not, but here is bread.');
    const [, second] = bread(one);
    if (!isPrefilled) {
      assert.equal(seen.reasoning.trim(), 'So I decline that part.', 'nothing was shown that could be contradicted');
      return;
    }
    // What was shown stands in the second prompt, inside open reasoning, before the correction; the rest went on from there.
    const shown = seen.reasoning.slice(0, seen.reasoning.indexOf(' So I decline'));
    assert.equal(seen.reasoning.split(PREFIX).length - 1, one.policy === 'shown' ? 1 : 0, 'the prefix is shown once, or not at all');
    assert.match(shown.replace(one.policy === 'shown' ? PREFIX : '', ''), /^\s*I look at it\. It seems fine\./, seen.reasoning);
    const [open] = openMarks(second);
    const turn = second.slice(second.lastIndexOf(open) + open.length).trimStart();
    assert.ok(turn.startsWith(`${shown.trimStart()}\n\nWait. ${CORRECTIVE}`), `${JSON.stringify(shown)} is not what the restart went on from: ${second}`);
    assert.equal(seen.reasoning, `${shown} So I decline that part.`);
  });
});
