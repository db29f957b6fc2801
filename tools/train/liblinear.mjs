// Fits a linear model with Debian's liblinear: L2-regularised logistic regression, solved in the primal, which draws no
// random numbers. The same rows in the same order give the same weights.
// SPDX-License-Identifier: Apache-2.0
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

export const TOOL = 'liblinear-train';

export function hasLiblinear() {
  return spawnSync(TOOL, [], { encoding: 'utf8' }).error === undefined;
}

// Rows are { yes, parts }: each part is a list of features (from 0) whose values are 1 / sqrt(length of the part).
export function fit(rows, { cost, folder }) {
  if (!rows.some((row) => row.yes) || rows.every((row) => row.yes)) throw new Error('a head needs rows of both kinds');
  const file = path.join(folder, 'fit.txt');
  // The first row decides which label liblinear takes for the positive one.
  const ordered = [...rows.filter((row) => row.yes), ...rows.filter((row) => !row.yes)];
  const lines = ordered.map(({ yes, parts }) => {
    const cells = parts.flatMap((list) => {
      const value = (1 / Math.sqrt(list.length)).toPrecision(7);
      return [...list].sort((a, b) => a - b).map((feature) => `${feature + 1}:${value}`);
    });
    return `${yes ? '+1' : '-1'} ${cells.join(' ')}\n`;
  });
  fs.writeFileSync(file, lines.join(''));
  const ran = spawnSync(TOOL, ['-q', '-s', '0', '-e', '0.001', '-c', String(cost), '-B', '1', file, `${file}.model`], { encoding: 'utf8' });
  if (ran.error !== undefined) throw new Error(`${TOOL} does not run (${ran.error.code}): run script/bootstrap train`);
  if (ran.status !== 0) throw new Error(`${TOOL}: ${ran.stderr || ran.stdout}`);
  const text = fs.readFileSync(`${file}.model`, 'utf8').split('\n');
  const at = text.indexOf('w');
  const sign = text.find((line) => line.startsWith('label ')).split(' ')[1] === '1' ? 1 : -1;
  const values = text.slice(at + 1).filter((line) => line.trim() !== '').map((line) => sign * Number(line));
  return { bias: values.pop(), weights: values };
}
