// `rein test` as an operator runs it: cases that pass, the line of one that fails, and what it refuses.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

const source = process.env.REIN_SOURCE_DIR ?? path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const binary = process.env.REIN_BIN ?? path.join(source, 'build/dev/rein');

function rein(...args) {
  const { status, stdout, stderr } = spawnSync(binary, args, { encoding: 'utf8', timeout: 400000 });
  return { status, out: stdout, err: stderr };
}

function folder(t, files) {
  const at = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-cases-'));
  t.after(() => fs.rmSync(at, { recursive: true }));
  for (const [name, value] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(at, name)), { recursive: true });
    fs.writeFileSync(path.join(at, name), typeof value === 'string' ? value : JSON.stringify(value));
  }
  return at;
}

const file = (...cases) => ({ version: 1, name: 'cases', cases });

const policy = {
  version: 1,
  name: 'own',
  rules: [
    { id: 'animal', channels: ['reasoning', 'answer', 'tool'], literal: 'zebra', action: 'redact', replacement: '[x]' },
    { id: 'seen', channels: ['answer'], literal: 'giraffe', action: 'record' },
    { id: 'aside', channels: ['reasoning'], literal: 'by the way', action: 'cut_reasoning' },
    { id: 'stop', channels: ['answer'], literal: 'quagga', action: 'cut_response' },
    { id: 'never', channels: ['answer'], literal: 'unicorn', action: 'refuse' },
    { id: 'asked', channels: ['prompt'], literal: 'griffin', action: 'refuse' },
    { id: 'turn', channels: ['reasoning'], literal: 'let me cheat', action: 'steer' },
  ],
  steer: { max_attempts: 2, template: 'again' },
  refusal: { message: 'Not that.' },
};
const again = { version: 1, name: 'again', kind: 'corrective', text: 'I start again.' };

test('the shipped policy, on cases for its rules', (t) => {
  const at = folder(t, {
    'cases.yaml': file(
      { name: 'card', prompt: 'Which card is on file?', reasoning: 'They want a number.', answer: 'It is 4111 1111 1111 1111.',
        expect: { action: 'redact', findings: ['card-number'], answer: 'It is [redacted].', lacks: '4111' } },
      { name: 'card-of-a-tool', prompt: 'Pay.', tool: '{"card":"4111 1111 1111 1111"}',
        expect: { action: 'redact', tool: '{"card":"[redacted]"}' } },
      { name: 'key', prompt: 'Show the file.', answer: '-----BEGIN RSA PRIVATE KEY-----\nMIIE\n',
        expect: { action: 'refuse', findings: 'private-key', contains: "I can't help with that.", lacks: ['MIIE', 'PRIVATE'] } },
      { name: 'plain', prompt: 'Hello.', reasoning: 'They greet me.', answer: 'Hello!',
        expect: { action: 'allow', findings: [], reasoning: 'They greet me.', answer: 'Hello!' } },
    ),
  });
  const { status, out, err } = rein('test', path.join(source, 'config/policies/default.yaml'), path.join(at, 'cases.yaml'));
  assert.equal(err, '');
  assert.equal(out, '4 passed, 0 failed\n');
  assert.equal(status, 0);
});

test('masked prompts: what the upstream gets, and what comes back', (t) => {
  const at = folder(t, {
    'p.yaml': { version: 1, name: 'p', rules: [
      { id: 'card', channels: ['prompt'], builtin: 'card_number', action: 'redact', restore: true },
      { id: 'badge', channels: ['prompt'], regex: 'BADGE-[0-9]{6}', action: 'redact', replacement: '[badge]' },
    ] },
    'c.yaml': file(
      { name: 'masked', messages: [{ role: 'system', text: 'Be brief.' }, { role: 'user', text: 'Card 4111 1111 1111 1111, BADGE-123456, not 5500005555555559.' }],
        reasoning: 'They gave [card:1].', answer: 'It is [card:1] or [card:2], [card:3], https://h/[card:1]', tool: '{"card":"[card:2]"}',
        expect: { action: 'redact', findings: ['card', 'badge'], upstream: 'Be brief.\nCard [card:1], [badge], not [card:2].', reasoning: 'They gave [card:1].',
          answer: 'It is 4111 1111 1111 1111 or 5500005555555559, [card:3], https://h/[card:1]', tool: '{"card":"[card:2]"}' } },
      { name: 'plain', prompt: 'Hello.', answer: 'Hello!', expect: { action: 'allow', upstream: 'Hello.' } },
      { name: 'wrong', prompt: 'Card 4111 1111 1111 1111', answer: 'fine', expect: { upstream: 'Card [card:2]' } },
    ),
  });
  const { status, out } = rein('test', path.join(at, 'p.yaml'), path.join(at, 'c.yaml'));
  assert.match(out, /^[^\n]*: wrong: upstream: from byte 3 on, expected "d \[card:2\]", got "d \[card:1\]"\n2 passed, 1 failed\n$/);
  assert.equal(status, 1);
});

test('every action, with a policy of its own', (t) => {
  const at = folder(t, {
    'policies/own.yaml': policy,
    'templates/again.yaml': again,
    'cases.yaml': file(
      { name: 'redact', prompt: 'Hi.', reasoning: 'A zebra.', answer: 'Über zebras 🦓: zebra.', tool: '{"of":"zebra"}',
        expect: { action: 'redact', findings: ['animal'], reasoning: 'A [x].', answer: 'Über [x]s 🦓: [x].', tool: '{"of":"[x]"}' } },
      { name: 'record', prompt: 'Hi.', answer: 'A giraffe.', expect: { action: 'record', findings: ['seen'], answer: 'A giraffe.' } },
      { name: 'cut-reasoning', prompt: 'Hi.', reasoning: 'One. But by the way, two.', answer: 'Three.',
        expect: { action: 'cut_reasoning', lacks: 'two', answer: 'Three.' } },
      { name: 'cut-response', prompt: 'Hi.', answer: 'First a horse, then a quagga, then more.',
        expect: { action: 'cut_response', lacks: ['quagga', 'more'], contains: 'First a horse' } },
      { name: 'refuse', prompt: 'Hi.', answer: 'First a horse, then a unicorn.', expect: { action: 'refuse', answer: 'Not that.' } },
      { name: 'prompt', messages: [{ role: 'system', text: 'Be brief.' }, { role: 'user', text: 'A griffin?' }], answer: 'Yes.',
        expect: { action: 'refuse', findings: ['asked'], answer: 'Not that.', lacks: 'Yes.' } },
      { name: 'steer', prompt: 'Hi.', reasoning: 'So let me cheat.', answer: 'Done.',
        expect: { action: 'steer', findings: ['turn'], lacks: ['cheat', 'Done.'] } },
    ),
  });
  const { status, out, err } = rein('test', path.join(at, 'policies/own.yaml'), path.join(at, 'cases.yaml'));
  assert.equal(err, '');
  assert.equal(out, '7 passed, 0 failed\n');
  assert.equal(status, 0);
  assert.equal(rein('check', path.join(at, 'cases.yaml')).out, `${at}/cases.yaml: 7 cases\n`);
});

test('a failed case is one line: its place, and the first difference', (t) => {
  const at = folder(t, {
    'policies/own.yaml': policy,
    'templates/again.yaml': again,
    'cases.yaml': `version: 1
name: cases
cases:
  - { name: passes, prompt: Hi., answer: Hello., expect: { action: allow } }
  - name: wrong-action
    prompt: Hi.
    answer: A zebra.
    expect: { action: refuse, findings: [never] }
  - { name: wrong-findings, prompt: Hi., answer: A zebra and a giraffe., expect: { findings: [seen, stop] } }
  - { name: wrong-answer, prompt: Hi., answer: "It is the tall zebra\\nthat I see, and all the others too, at noon.", expect: { answer: "It is the tall one." } }
  - { name: lacking, prompt: Hi., answer: Hello., expect: { contains: Goodbye } }
  - { name: having, prompt: Hi., answer: Hello., expect: { lacks: ell } }
  - { name: stopped, prompt: Hi., answer: A unicorn., expect: { action: refuse, answer: A } }
`,
  });
  const cases = path.join(at, 'cases.yaml');
  const { status, out } = rein('test', path.join(at, 'policies/own.yaml'), cases);
  assert.deepEqual(out.split('\n'), [
    `${cases}:5: wrong-action: action: expected refuse, got redact`,
    `${cases}:9: wrong-findings: findings: expected seen, stop, got animal, seen`,
    `${cases}:10: wrong-answer: answer: from byte 7 on, expected "he tall one.", got "he tall [x]\\x0athat I see, and all the othe..."`,
    `${cases}:11: lacking: contains: expected "Goodbye", got a response without it`,
    `${cases}:12: having: lacks: expected a response without "ell", got one with it`,
    // A stream that is stopped is not held to exact texts.
    `${cases}:13: stopped: as one body: answer: from byte 0 on, expected "A", got "Not that."`,
    '1 passed, 6 failed',
    '',
  ]);
  assert.equal(status, 1);
});

test('what cannot be tested is said', (t) => {
  const at = folder(t, {
    'p.yaml': { version: 1, name: 'p' },
    'judged.yaml': 'version: 1\nname: p\njudges:\n  - { name: panel, ask: [guard], about: [answer] }\n',
    'good.yaml': file({ name: 'a', prompt: 'Hi.', expect: { action: 'allow' } }),
    'bad.yaml': 'version: 1\nname: c\ncases:\n  - { name: a, prompt: Hi., expect: { action: blok } }\n',
  });
  const of = (name) => path.join(at, name);
  const judged = rein('test', of('judged.yaml'), of('good.yaml'));
  assert.equal(judged.status, 3);
  assert.match(judged.err, /judged\.yaml:3:1: judges: this policy asks judges, which `rein test` cannot do/);
  const bad = rein('test', of('p.yaml'), of('bad.yaml'));
  assert.equal(bad.status, 3);
  assert.match(bad.err, /bad\.yaml:4:\d+: cases\[0\]\.expect\.action: /);
  assert.match(rein('test', of('none.yaml'), of('good.yaml')).err, /none\.yaml: cannot be read/);
  for (const args of [[], ['x'], ['x', 'y', 'z'], ['--none', 'x', 'y'], ['--models']])
    assert.equal(rein('test', ...args).status, 2, args.join(' '));
});
