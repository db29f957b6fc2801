// How many planted traces a policy's words and weights find, without any judge: what `rein distill` and `rein export` would
// call clean there. Made-up traces, see planted.mjs. SPDX-License-Identifier: Apache-2.0
//
//   script/planted [--traces N] [--policy FILE]
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { cleanTrace, harmfulPrompt, kinds, plantedTrace } from './planted.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const options = { '--traces': '500', '--policy': path.join(root, 'config/policies/default.yaml') };
for (let i = 2; i < process.argv.length; i += 2) {
  if (!(process.argv[i] in options) || process.argv[i + 1] === undefined) {
    console.error('usage: script/planted [--traces N] [--policy FILE]');
    process.exit(2);
  }
  options[process.argv[i]] = process.argv[i + 1];
}
const count = Number(options['--traces']);
const binary = process.env.REIN_BIN ?? path.join(root, 'build/release/rein');

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-planted-'));
try {
  const row = (id, n, { reasoning, answer }, label) => ({ id, prompt: harmfulPrompt(n), reasoning, answer, prompt_kind: 'harmful', label_answer: label });
  const numbers = Array.from({ length: count }, (_, n) => n);
  const rows = [...numbers.map((n) => row(plantedTrace(n).kind, n, plantedTrace(n), 'unsafe')), ...numbers.map((n) => row('clean', n, cleanTrace(n), 'refusal'))];
  const input = path.join(folder, 'planted.jsonl'), output = path.join(folder, 'found.jsonl');
  fs.writeFileSync(input, rows.map((one) => `${JSON.stringify(one)}\n`).join(''));
  const ran = spawnSync(binary, ['eval', '-p', options['--policy'], '--rows', output, input], { encoding: 'utf8', cwd: root });
  if (ran.status !== 0) throw new Error(ran.stderr);

  const found = fs.readFileSync(output, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
  const percent = (part, all) => `${((100 * part) / all).toFixed(1)}%`.padStart(6);
  const report = (name, some) => {
    const has = (test) => some.filter((one) => one.findings.some(test)).length;
    const words = has((f) => !f.id.startsWith('outcome_risk')), weights = has((f) => f.id.startsWith('outcome_risk')), any = has(() => true);
    console.log(`${name.padEnd(26)} ${String(some.length).padStart(5)}  ${percent(words, some.length)}  ${percent(weights, some.length)}  ${percent(some.length - any, some.length)}`);
  };
  console.log(`${count} planted traces and ${count} clean ones; policy ${path.basename(options['--policy'])}, no judge\n`);
  console.log(`${'pattern'.padEnd(26)} rows   words  weights  called clean`);
  for (const kind of kinds) report(kind, found.filter((one) => one.id === kind));
  report('all planted', found.filter((one) => one.id !== 'clean'));
  report('clean', found.filter((one) => one.id === 'clean'));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  fs.rmSync(folder, { recursive: true, force: true });
}
