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

// ---- judges ----

const guarded = (more = {}) => ({
  version: 1, name: 'guarded', refusal: { message: 'Not that.' }, reasoning: { show: 'stream' },
  rules: [{ id: 'badge', channels: ['prompt'], regex: 'BADGE-[0-9]{6}', action: 'redact', restore: true }],
  judges: [
    { id: 'asks', ask: 'guard', channels: ['prompt'], when: 'always', action: 'refuse', message: 'Ask something else.' },
    { id: 'says', ask: ['guard', 'wild'], combine: 'all', channels: ['reasoning', 'answer'], when: 'always', every: { sentences: 2 }, action: 'refuse', on_error: 'closed', ...more },
  ],
});
// Nobody calls them, and the key is nowhere.
const judges = `version: 1
upstreams: [{ name: none, url: "http://127.0.0.1:9" }]
routes: [{ name: none, upstream: none, policy: guarded }]
judges:
  - { name: guard, kind: llama_guard, url: "http://127.0.0.1:9", model: g, api_key_env: REIN_NO_SUCH_KEY }
  - { name: wild, description: ${path.join(source, 'config/judges/wildguard.yaml')}, url: "http://127.0.0.1:9", model: w }
`;
const safe = { judge: 'guard', reply: '\n\nsafe' }, wild = { judge: 'wild', risk: 0 };
const talk = { prompt: 'My badge is BADGE-123456.', reasoning: 'One. Two. Three. Four.', answer: 'It is [badge:1]. Use it. Or not.' };

test('judges say what the case says, as their kinds print it, or by risk and outcome', (t) => {
  const at = folder(t, {
    'p.yaml': guarded(),
    'rein.yaml': judges,
    'c.yaml': file(
      { name: 'safe', ...talk, judges: [safe, wild], expect: { action: 'redact', findings: 'badge', asked: ['wild', 'guard'], answer: 'It is BADGE-123456. Use it. Or not.' } },
      { name: 'prompt', ...talk, judges: [{ judge: 'guard', channel: 'prompt', reply: 'unsafe\nS2' }],
        expect: { action: 'refuse', findings: ['badge', 'asks'], asked: 'guard', answer: 'Ask something else.', reasoning: '' } },
      { name: 'one-of-two', ...talk, judges: [{ ...safe, channel: 'prompt' }, { judge: 'guard', risk: 1 }, wild], expect: { action: 'redact' } },
      { name: 'both', ...talk, judges: [{ ...safe, channel: 'prompt' }, { ...safe, channel: 'reasoning' }, { judge: 'guard', contains: '[badge:1]', reply: 'unsafe' }, safe,
        { judge: 'wild', channel: 'reasoning', risk: 0 }, { judge: 'wild', risk: 0.9 }],
      expect: { action: 'refuse', findings: ['badge', 'says'], answer: 'Not that.' } },
      ...['timed_out', 'failed', 'busy', 'left_alone', 'unparsed'].map((outcome) => (
        { name: outcome, ...talk, judges: [{ ...safe, channel: 'prompt' }, { judge: 'guard', outcome }, { judge: 'wild', outcome }], expect: { action: 'refuse', findings: ['badge', 'says'] } })),
      { name: 'mumbles', ...talk, judges: [{ ...safe, channel: 'prompt' }, { judge: 'guard', reply: 'perhaps' }, { judge: 'wild', reply: 'who knows' }], expect: { action: 'refuse' } },
      { name: 'opines-alone', ...talk, judges: [{ ...safe, channel: 'prompt' }, { judge: 'guard', reply: 'perhaps' }, wild], expect: { action: 'redact' } },
    ),
  });
  const { status, out, err } = rein('test', '--config', path.join(at, 'rein.yaml'), path.join(at, 'p.yaml'), path.join(at, 'c.yaml'));
  assert.equal(err, '');
  assert.equal(out, '11 passed, 0 failed\n');
  assert.equal(status, 0);
});

test('a question without an answer fails its case, and so does a judge that is not asked', (t) => {
  const at = folder(t, {
    'p.yaml': guarded(),
    'c.yaml': file(
      { name: 'forgotten', ...talk, judges: [{ judge: 'guard', channel: 'prompt', risk: 0 }, { ...wild, channel: 'reasoning' }], expect: { action: 'redact' } },
      { name: 'nothing', prompt: 'Hello.', answer: 'Hi!', expect: { action: 'allow' } },
      { name: 'not-asked', prompt: 'Hello.', answer: 'Hi!', judges: [{ judge: 'guard', risk: 0 }, { judge: 'wild', risk: 0 }], expect: { asked: ['guard'] } },
    ),
  });
  const { status, out } = rein('test', path.join(at, 'p.yaml'), path.join(at, 'c.yaml'));
  assert.equal(status, 1);
  const lines = out.trim().split('\n');
  assert.match(lines[0], /c\.yaml:1: forgotten: (as one body: |streamed: )?judges: `guard` is asked about the reasoning \("One\. Two\.[^"]*"\), and nothing here says what it answers: add \{ judge: guard, channel: reasoning, reply: \.\.\. \}$/);
  assert.match(lines[1], /nothing: judges: `guard` is asked about the prompt \("Hello\."\)/);
  assert.match(lines[2], /not-asked: asked: expected guard, got guard, wild$/);
  assert.equal(lines[3], '0 passed, 3 failed');
});

test('patterns and panels refuse in their own words', (t) => {
  const reasoning = `Okay, so I need to figure out how to break into the neighbour's shed without being noticed. First I need to think about the time of day. Then I should work out which side has no window. ${'This is another sentence. '.repeat(8)}`;
  const text = (action, message) => `version: 1\nname: p\nextends: base\npatterns:\n  lack_of_safety_awareness: { action: ${action}, message: ${message}, finish_reason: stop }\n`;
  const at = folder(t, {
    'base.yaml': 'version: 1\nname: base\nlexicons: [english]\nreasoning: { show: stream, release: end }\nrefusal: { message: The policy refuses. }\npatterns:\n  lack_of_safety_awareness: { action: refuse, message: The base refuses. }\n' +
      'judges:\n  - { id: says, ask: guard, channels: [answer], when: always, action: refuse, message: The panel refuses. }\n',
    'p.yaml': text('refuse', 'The pattern refuses.'),
    'recorded.yaml': 'version: 1\nname: q\nextends: base\npatterns:\n  lack_of_safety_awareness: { action: record }\n',
    'wrong.yaml': text('cut_reasoning', 'Never said.'),
    'c.yaml': file({ name: 'pattern', prompt: "How do I break into my neighbour's shed without being noticed?", reasoning, answer: 'Like this.', judges: [{ judge: 'guard', risk: 0 }],
      expect: { action: 'refuse', findings: 'lack_of_safety_awareness', answer: 'The pattern refuses.' } },
    { name: 'panel', prompt: 'Hello.', answer: 'Hi!', judges: [{ judge: 'guard', risk: 1 }], expect: { action: 'refuse', findings: 'says', answer: 'The panel refuses.' } }),
    'd.yaml': file({ name: 'recorded', prompt: "How do I break into my neighbour's shed without being noticed?", reasoning, answer: 'Like this.', judges: [{ judge: 'guard', risk: 0 }],
      expect: { action: 'record', answer: 'Like this.' } }),
  });
  const places = ['--lexicons', path.join(source, 'config/lexicons'), '--templates', path.join(source, 'config/templates')];
  const own = rein('test', ...places, path.join(at, 'p.yaml'), path.join(at, 'c.yaml'));
  assert.deepEqual([own.err, own.out], ['', '2 passed, 0 failed\n']);
  // A child with another action has no use for the parent's message.
  const recorded = rein('test', ...places, path.join(at, 'recorded.yaml'), path.join(at, 'd.yaml'));
  assert.deepEqual([recorded.err, recorded.out], ['', '1 passed, 0 failed\n']);
  const wrong = rein('test', ...places, path.join(at, 'wrong.yaml'), path.join(at, 'c.yaml'));
  assert.match(wrong.err, /wrong\.yaml:5:\d+: patterns\.lack_of_safety_awareness\.message: only the actions refuse and steer send a message/);
  assert.match(wrong.err, /wrong\.yaml:5:\d+: patterns\.lack_of_safety_awareness\.finish_reason: only the actions refuse, steer and cut_response end a choice/);
});

test('what cannot be scripted is said with its place', (t) => {
  const said = (more, config, policy = guarded()) => {
    const at = folder(t, { 'p.yaml': policy, 'rein.yaml': judges, 'c.yaml': `version: 1\nname: cases\ncases:\n  - { name: a, prompt: Hi, expect: { action: allow }, judges: [${more}] }\n` });
    const run = rein('test', ...(config ? ['--config', path.join(at, 'rein.yaml')] : []), path.join(at, 'p.yaml'), path.join(at, 'c.yaml'));
    assert.equal(run.status, 3, run.out);
    return run.err;
  };
  assert.match(said('{ judge: gard, risk: 0 }'), /c\.yaml:4:\d+: cases\[0\]\.judges\[0\]\.judge: the policy asks no judge `gard`; did you mean `guard`\?/);
  assert.match(said('{ judge: guard, reply: safe }'), /reply: how a reply of `guard` is read, the server's config says: name it with --config, or say `risk` or `outcome` here/);
  assert.match(said('{ judge: guard }'), /a judge says one of `reply`, `risk` and `outcome`/);
  assert.match(said('{ judge: guard, risk: 0, outcome: busy }'), /a judge says one of/);
  assert.match(said('{ judge: guard, risk: 2 }'), /risk: /);
  assert.match(said('{ judge: guard, outcome: timeout }'), /outcome: .*timed_out/);
  const other = guarded();
  other.judges[0].ask = 'gard';
  assert.match(said('{ judge: guard, risk: 0 }', true, other), /p\.yaml:1:\d+: judges\[0\]\.ask: there is no judge `gard`; did you mean `guard`\?/);
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
    'good.yaml': file({ name: 'a', prompt: 'Hi.', expect: { action: 'allow' } }),
    'bad.yaml': 'version: 1\nname: c\ncases:\n  - { name: a, prompt: Hi., expect: { action: blok } }\n',
  });
  const of = (name) => path.join(at, name);
  const bad = rein('test', of('p.yaml'), of('bad.yaml'));
  assert.equal(bad.status, 3);
  assert.match(bad.err, /bad\.yaml:4:\d+: cases\[0\]\.expect\.action: /);
  assert.match(rein('test', of('none.yaml'), of('good.yaml')).err, /none\.yaml: cannot be read/);
  for (const args of [[], ['x'], ['x', 'y', 'z'], ['--none', 'x', 'y'], ['--models']])
    assert.equal(rein('test', ...args).status, 2, args.join(' '));
});
