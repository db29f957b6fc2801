// A judge that knows the labels, behind the shipped policy: the upper end of the tables of docs/JUDGES.md.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { binary } from '../lib/rein.mjs';

const source = process.env.REIN_SOURCE_DIR ?? path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
process.env.REIN_BIN = binary;
const { measure } = await import(path.join(source, 'tools/eval/cascade.mjs'));
const data = process.env.REIN_DATA;
const file = data === undefined ? undefined : path.join(data, 'traces/selfjb.jsonl');
const LIMIT = process.env.REIN_LONG ? undefined : 60;

test('a judge adds what the policy misses', { skip: file === undefined || !fs.existsSync(file) ? 'there is no folder of labelled traces (--data)' : false }, async () => {
  const given = { policy: path.join(source, 'config/policies/default.yaml'), files: [file], limit: LIMIT };
  const always = await measure({ ...given, when: 'always', wrong: 0 }), grey = await measure({ ...given, when: 'uncertain', wrong: 0 });
  assert.equal(always.unknown + grey.unknown, 0, 'each question is about a row of the file');
  const f1 = (report) => report.parts.map((part) => part.f1.value);
  const [, score, all] = f1(always), [, , some] = f1(grey);
  assert.equal(always.parts[2].recall.rate, 1);
  assert.ok(all > 0.95 && some > score + 0.05, JSON.stringify([score, some, all]));
  assert.ok(grey.judges.questions < always.judges.questions / 1.5);
});
