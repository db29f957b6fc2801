// How fast a backtest is: makes decisions with a real server, and judges them again with the same policy.
// SPDX-License-Identifier: Apache-2.0
//
//   REIN_BIN=build/release/rein node tests/bench/backtest.mjs [DECISIONS]      20,000 by default
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { startBacktested } from '../lib/backtested.mjs';
import { binary } from '../lib/rein.mjs';

const count = Number(process.argv[2] ?? 20000);
const world = await startBacktested(count);
const bytes = fs.statSync(world.db).size;
const began = process.hrtime.bigint();
const run = spawn(binary, ['backtest', '--db', world.db, '--json', world.policy], { stdio: ['ignore', 'pipe', 'inherit'] });
let out = '', most = 0, ticks = 0; // of the processor: 100 a second
run.stdout.on('data', (text) => { out += text; });
const look = setInterval(() => {
  try {
    most = Math.max(most, Number(/VmHWM:\s+(\d+)/.exec(fs.readFileSync(`/proc/${run.pid}/status`, 'utf8'))?.[1] ?? 0));
    ticks = fs.readFileSync(`/proc/${run.pid}/stat`, 'utf8').replace(/.*\) /s, '').split(' ').slice(11, 13).reduce((sum, n) => sum + Number(n), 0);
  } catch { /* it has ended */ }
}, 50);
await new Promise((resolve) => run.once('close', resolve));
clearInterval(look);
const seconds = Number(process.hrtime.bigint() - began) / 1e9, report = JSON.parse(out);
await world.stop();
console.log(`${report.decisions} decisions (${Math.round(bytes / 2 ** 20)} MiB): ${report.compared} compared, ${report.otherwise} otherwise`);
console.log(`${seconds.toFixed(1)} s, of which ${(ticks / 100).toFixed(1)} s on a processor: ${Math.round(report.decisions * 100 / ticks)} decisions a second of that`);
console.log(`${Math.round(most / 1024)} MiB of memory at most`);
process.exit(report.otherwise === 0 ? 0 : 1);
