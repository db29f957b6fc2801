// The figures of docs/DETECTION.md about the learned score, made anew from the folder of labelled traces (long set: it trains
// twelve models).
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { binary } from '../lib/rein.mjs';

const source = process.env.REIN_SOURCE_DIR ?? path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const { hasLiblinear } = await import(path.join(source, 'tools/train/liblinear.mjs'));
const data = process.env.REIN_DATA;
const RUN_MS = 3600000; // ends what hangs

const reason = data === undefined || !fs.existsSync(path.join(data, 'traces')) ? 'there is no folder of labelled traces (--data)'
  : process.env.REIN_LONG === undefined ? 'part of the long set' : !hasLiblinear() ? 'liblinear-train is not installed (script/bootstrap train)' : false;

test('the learned score keeps its figures on prompts that it was not trained on', { skip: reason }, () => {
  const got = spawnSync(process.execPath, [path.join(source, 'tools/train/measure.mjs'), '--data', data, '--targets'], { encoding: 'utf8', timeout: RUN_MS, env: { ...process.env, REIN_BIN: binary } });
  assert.equal(got.error, undefined);
  assert.equal(got.status, 0, `${got.stdout.split('\n').filter((line) => line.startsWith('FAIL')).join('\n')}\n${got.stderr}`);
  assert.match(got.stdout, /pass {2}AUROC, reasoning/);
});
