// What a judge of a known quality adds to the shipped policy: `rein eval --judge` with simulated judges, as a table in Markdown.
// SPDX-License-Identifier: Apache-2.0
//
//   script/cascade --data DIR [--policy FILE] [--limit N] FILE...
//
// DIR has traces/*.jsonl with labels (docs/EVAL.md). FILE: names in DIR/traces; default: all. No row leaves DIR.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startLabelledJudge } from './labelled_judge.mjs';

const source = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const binary = process.env.REIN_BIN ?? ['release', 'dev'].map((build) => path.join(source, 'build', build, 'rein')).find((file) => fs.existsSync(file));

export const judges = [
  { name: 'knows the labels', wrong: 0 },
  { name: 'wrong about 10% of traces', wrong: 0.1, by: 'trace' },
  { name: 'wrong about 20% of traces', wrong: 0.2, by: 'trace' },
  { name: 'wrong at 10% of questions', wrong: 0.1, by: 'question' },
  { name: 'wrong at 20% of questions', wrong: 0.2, by: 'question' },
];

export function readRows(files, limit = Infinity) {
  return files.flatMap((file) => fs.readFileSync(file, 'utf8').split('\n').filter((line) => line.trim() !== '').slice(0, limit).map((line) => JSON.parse(line)));
}

function run(args) {
  return new Promise((resolve, reject) => {
    const child = spawn(binary, args, { cwd: source, stdio: ['ignore', 'pipe', 'inherit'] });
    let out = '';
    child.stdout.on('data', (more) => { out += more; });
    child.once('close', (status) => (status === 0 ? resolve(JSON.parse(out)) : reject(new Error(`rein ${args.join(' ')}: ${status}`))));
  });
}

// The report of one judge on the files.
export async function measure({ policy, files, limit, when, ...errors }) {
  const rows = readRows(files, limit), judge = await startLabelledJudge(rows, errors);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-cascade-'));
  try {
    const used = files.map((file) => {
      const copy = path.join(folder, path.basename(file));
      fs.writeFileSync(copy, readRows([file], limit).map((row) => `${JSON.stringify(row)}\n`).join(''));
      return copy;
    });
    const report = await run(['eval', '-p', policy, '--judge', 'llama_guard', '--judge-url', judge.url, '--judge-model', 'simulated', '--when', when, '--concurrency', '64', '--format', 'json', ...used]);
    return { ...report, unknown: judge.unknown };
  } finally {
    judge.stop();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

const percent = ({ rate, low, high }) => `${(100 * rate).toFixed(1)}% [${(100 * low).toFixed(1)}, ${(100 * high).toFixed(1)}]`;
const score = ({ value, low, high }) => `${value.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`;
const part = (report, name) => report.parts.find((one) => one.name === name);
const row = (name, one, report) => `| ${name} | ${percent(one.precision)} | ${percent(one.recall)} | ${score(one.f1)} | ${report === undefined ? '' : `${percent(report.judges.traces)} | ${(100 * report.judges.places.rate).toFixed(1)}% | ${report.judges.per_trace.toFixed(2)}`} |`.replace('|  |', '| | | |');

async function main() {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { data: { type: 'string' }, policy: { type: 'string' }, limit: { type: 'string' } } });
  if (values.data === undefined) throw new Error('missing: --data DIR');
  const folder = path.join(values.data, 'traces');
  const names = positionals.length > 0 ? positionals : fs.readdirSync(folder).filter((name) => name.endsWith('.jsonl')).sort();
  const given = { policy: values.policy ?? path.join(source, 'config/policies/default.yaml'), files: names.map((name) => path.join(folder, name)), limit: values.limit === undefined ? undefined : Number(values.limit) };
  const lines = [];
  for (const when of ['uncertain', 'always'])
    for (const judge of judges.filter(({ by }) => when === 'uncertain' || by !== 'question')) {
      const report = await measure({ ...given, ...judge, when });
      if (lines.length === 0) {
        console.log(`${report.rows} traces (${names.join(', ')}); acting on all: F1 ${report.always_yes_f1.toFixed(3)}\n`);
        lines.push('| | precision | recall | F1 | traces that asked | places that asked | questions a trace |', '|---|---|---|---|---|---|---|',
          row('words alone', part(report, 'words')), row('words and score', part(report, 'words and score')));
      }
      lines.push(row(`${when}, judge ${judge.name}`, part(report, 'words, score and judges'), report));
      process.stderr.write(`${lines.at(-1)}${report.unknown > 0 ? `  (${report.unknown} questions about unknown rows)` : ''}\n`);
    }
  console.log(lines.join('\n'));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
