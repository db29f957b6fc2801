// Where findings stand in a kept text: offsets in bytes, masks that changed the length, overlaps, long stretches.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { diffLines, foldLines } from '../../server/admin/page/policy_lines.js';
import { fold, keptOffset, segments } from '../../server/admin/page/spans.js';

const finding = (n, offset, len, steps = []) => ({ n, id: `f${n}`, offset, len, steps });
const step = (signal, offset, len) => ({ signal, offset, len, sentence: 0 });
const brief = (list) => list.map((s) => [s.text, s.findings.map((f) => f.n).join(), s.steps.map((each) => each.signal).join(), s.starts.map((f) => f.n).join()]);

test('offsets are bytes, and never cut a character', () => {
  assert.deepEqual(brief(segments('aé😀z', [], [finding(0, 1, 2)])), [['a', '', '', ''], ['é', '0', '', '0'], ['😀z', '', '', '']]);
  // An offset within a character means the whole of it.
  assert.deepEqual(brief(segments('aé😀z', [], [finding(0, 4, 1)])).map(([text]) => text).join(''), 'aé😀z');
});

test('findings overlap, and steps are marked within them', () => {
  const list = brief(segments('one two three four', [], [finding(0, 0, 13, [step('plans', 4, 3)]), finding(1, 8, 10)]));
  assert.deepEqual(list, [['one ', '0', '', '0'], ['two', '0', 'plans', ''], [' ', '0', '', ''], ['three', '0,1', '', '1'], [' four', '1', '', '']]);
});

test('a mask moves what stands behind it', () => {
  // Received: "card 4111111111111111 end"; kept: "card [x] end".
  const masks = [{ offset: 5, len: 3, rule: 'card', restored_len: 16 }];
  assert.equal(keptOffset(masks, 3), 3);
  assert.equal(keptOffset(masks, 9), 5);
  assert.equal(keptOffset(masks, 9, true), 8);
  assert.equal(keptOffset(masks, 21), 8);
  assert.equal(keptOffset(masks, 22), 9);
  const list = segments('card [x] end', masks, [finding(0, 5, 16), finding(1, 22, 3)]);
  assert.deepEqual(brief(list).map(([text, ids]) => [text, ids]), [['card ', ''], ['[x]', '0'], [' ', ''], ['end', '1']]);
  assert.equal(list[1].mask.rule, 'card');
});

test('a restart counts what was shown before it', () => {
  assert.deepEqual(brief(segments('second try', [], [finding(0, 107, 3)], 100)), [['second ', '', '', ''], ['try', '0', '', '0']]);
});

test('what lies behind the end of a text that was cut off is kept as a place', () => {
  const list = segments('short', [], [finding(0, 900, 10), finding(1, 2, 900)]);
  assert.equal(list.map((s) => s.text).join(''), 'short');
  assert.deepEqual(list.flatMap((s) => s.starts.map((f) => f.n)).sort(), [0, 1]);
});

test('any text with any findings is the same text again', () => {
  let seed = 12345;
  const roll = (n) => { seed = (seed * 1103515245 + 12345) % 2147483648; return seed % n; };
  for (let turn = 0; turn < 300; turn++) {
    const text = 'a' + Array.from({ length: roll(60) }, () => ['a', 'é', '語', '😀', ' ', '\u202e'][roll(6)]).join('');
    const masks = turn % 3 === 0 ? [{ offset: 0, len: 1, rule: 'm', restored_len: roll(20) }] : [];
    const findings = Array.from({ length: roll(6) }, (_, n) => finding(n, roll(80), roll(30), [step('s', roll(80), roll(10))]));
    const list = segments(text, masks, findings, roll(3));
    assert.equal(list.map((s) => s.text).join(''), text);
    assert.deepEqual(list.flatMap((s) => s.starts.map((f) => f.n)).sort(), findings.map((f) => f.n).sort());
  }
});

test('a long stretch keeps its head and its tail', () => {
  assert.equal(fold('short'), null);
  const text = 'word '.repeat(10000);
  const parts = fold(text);
  assert.equal(parts.head + parts.middle + parts.tail, text);
  assert.ok(parts.head.length < 2300 && parts.tail.length <= 2000 && parts.middle.length > 40000);
});

test('two versions of a policy, line by line', () => {
  const lines = diffLines('a\nb\nc', 'a\nx\nc\nd');
  assert.deepEqual(lines.map(({ kind, text }) => `${kind} ${text}`), ['same a', 'removed b', 'added x', 'same c', 'added d']);
});

test('lines far from a change are folded', () => {
  const before = Array.from({ length: 30 }, (_, i) => `line ${i}`);
  const folded = foldLines(diffLines(before.join('\n'), before.with(15, 'other').join('\n')), 2);
  assert.deepEqual(folded.map(({ kind, text, count }) => text ?? `${kind} ${count}`),
    ['skip 13', 'line 13', 'line 14', 'line 15', 'other', 'line 16', 'line 17', 'skip 12']);
});
