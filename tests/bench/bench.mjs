// Runs the scenarios: each round measures every target once, in turn, so that all see the same machine.
// SPDX-License-Identifier: Apache-2.0
//
//     script/bench [--rounds N] [--scenarios a,b] [--targets a,b] [--scale X] [--out FOLDER]
//
// --scale shortens or lengthens the measurements (1 is two or three seconds each). Writes bench.json, bench.md and
// bench.svg to the folder (build/bench) and prints the table.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { drawing, judge, machine, table } from './report.mjs';
import { scenarios } from './scenarios.mjs';
import { build, startTargets, startUpstream, stopAll } from './targets.mjs';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    scenarios: { type: 'string', default: Object.keys(scenarios).join(',') },
    targets: { type: 'string', default: 'direct,nginx,haproxy,empty,default,sentence' },
    scale: { type: 'string', default: '1' },
    out: { type: 'string', default: 'build/bench' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (options.help) {
  console.log(`script/bench [--rounds N] [--scenarios ${options.scenarios}]\n    [--targets ${options.targets}] [--scale X] [--out FOLDER]`);
  process.exit(0);
}
const names = options.scenarios.split(',');
for (const name of names) if (!scenarios[name]) throw new Error(`no scenario '${name}': ${Object.keys(scenarios)}`);

// One measurement by the load client; its exit code says only what `errors` says too.
function measure(target, scenario) {
  const args = ['--port', target.port, '--seconds', scenario.seconds * Number(options.scale), ...scenario.args];
  if (target.pid) args.push('--pid', target.pid);
  if (target.guarded) args.push('--guarded');
  return new Promise((resolve, reject) => {
    const client = spawn(join(build, 'tests/bench/bench_client'), args.map(String), { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    const hard = setTimeout(() => client.kill('SIGKILL'), 120000);
    client.stdout.on('data', (data) => (said += data));
    client.on('error', reject);
    client.on('close', () => {
      clearTimeout(hard);
      resolve(said ? JSON.parse(said) : { errors: 1, error: 'the client was ended' });
    });
  });
}

// The order of the targets turns from round to round, so that none always follows the same one.
function turned(list, by) {
  return [...list.slice(by % list.length), ...list.slice(0, by % list.length)];
}

async function runScenario(name, targets, rounds) {
  const scenario = scenarios[name];
  const here = scenario.targets.filter((target) => targets[target]);
  const results = [];
  for (let round = 0; round < (scenario.rounds ?? rounds); round++) {
    const measured = {};
    for (const target of turned(here, round)) {
      measured[target] = await measure(targets[target], scenario);
      // Against the memory of the fresh process: what an earlier round left in its heap is not free.
      if (scenario.memory && measured[target].rss) {
        measured[target].memory_per_stream = (measured[target].rss - targets[target].rss) / scenario.memory;
      }
      if (measured[target].errors) console.error(`${name}: ${target}: ${measured[target].errors} errors: ${measured[target].error}`);
    }
    results.push(measured);
    if (process.stderr.isTTY) process.stderr.write(`\r${name}: round ${round + 1}   `);
  }
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  return results;
}

const folder = mkdtempSync(join(tmpdir(), 'rein-bench-'));
let failed = false;
try {
  const upstream = await startUpstream();
  const { targets, missing } = await startTargets(folder, options.targets.split(','), upstream);
  if (missing.length) console.log(`not here, so not measured: ${missing.join(', ')}\n`);
  const results = {};
  for (const name of names) {
    results[name] = await runScenario(name, targets, Number(options.rounds));
    console.log(table(name, results[name]));
  }
  const verdicts = judge(results);
  console.log(verdicts.text);
  mkdirSync(options.out, { recursive: true });
  const report = { machine: machine(), options, results, bars: verdicts.bars };
  writeFileSync(join(options.out, 'bench.json'), JSON.stringify(report, null, 1));
  writeFileSync(join(options.out, 'bench.md'), names.map((name) => table(name, results[name])).join('\n') + '\n' + verdicts.text);
  writeFileSync(join(options.out, 'bench.svg'), drawing(results));
  console.log(`written: ${options.out}/bench.json, bench.md, bench.svg`);
} catch (error) {
  console.error(String(error));
  failed = true;
} finally {
  await stopAll();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);
