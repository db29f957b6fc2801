// Where a request's instructions go: the server under callgrind, thread by thread and stage by stage.
// SPDX-License-Identifier: Apache-2.0
//
//     node tests/bench/shares.mjs [--scenario whole] [--target default] [--seconds 10]
//
// Counts user-space instructions only, so what the kernel does for sockets and files is not in it; a stage's figure has
// all that it calls. Rates and delays under callgrind mean nothing.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { scenarios } from './scenarios.mjs';
import { build, startRein, startUpstream, stopAll } from './targets.mjs';

const { values: options } = parseArgs({
  options: {
    scenario: { type: 'string', default: 'whole' },
    target: { type: 'string', default: 'default' },
    seconds: { type: 'string', default: '10' },
  },
});

// What is shown, in the order of a request's way: the function whose inclusive figure it is.
const stages = [
  ['libmicrohttpd', 'MHD_run'],
  ['the request is read', 'rein_json_read'],
  ['the request is read and checked', 'read_request'],
  ['the prompt is judged', 'chat_judge'],
  ['the call is planned and sent', 'session_plan'],
  ['the response is parsed', 'http1_read'],
  ['the answer is judged', 'rein_trace_finish'],
  ['the stream is judged', 'rein_trace_feed'],
  ['of that: its sentences are found', 'sentencer_feed'],
  ['of that: its signals are looked for', 'signals_scan'],
  ['the row is handed over', 'session_put'],
];

const folder = mkdtempSync(join(tmpdir(), 'rein-shares-'));

function load(port, seconds) {
  const args = ['--port', port, '--seconds', seconds, ...scenarios[options.scenario].args].map(String);
  return new Promise((resolve, reject) => {
    const client = spawn(join(build, 'tests/bench/bench_client'), args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    client.stdout.on('data', (data) => (said += data));
    client.on('error', reject);
    client.on('close', () => resolve(JSON.parse(said)));
  });
}

function count(on, pid) {
  const done = spawnSync('callgrind_control', ['-i', on ? 'on' : 'off', String(pid)]);
  if (done.status !== 0) throw new Error(`callgrind_control: ${done.stderr}`);
}

// Inclusive instructions by function name, of one thread.
function inclusive(file) {
  const { stdout } = spawnSync('callgrind_annotate', ['--inclusive=yes', '--threshold=100', file], { encoding: 'utf8', maxBuffer: 1 << 28 });
  const all = { total: Number(/([\d,]+) .*PROGRAM TOTALS/.exec(stdout)?.[1].replaceAll(',', '') ?? 0) };
  for (const [, figure, name] of stdout.matchAll(/^\s*([\d,]+) \([^)]*\)\s+\S+:(\w+) \[/gm)) all[name] ??= Number(figure.replaceAll(',', ''));
  return all;
}

try {
  const upstream = await startUpstream();
  const out = join(folder, 'out');
  const under = ['valgrind', '--tool=callgrind', '--instr-atstart=no', '--separate-threads=yes', `--callgrind-out-file=${out}`];
  const rein = await startRein(options.target, folder, upstream.port, { under });
  await load(rein.port, 2);
  count(true, rein.pid);
  const { requests } = await load(rein.port, Number(options.seconds));
  count(false, rein.pid);
  await stopAll();
  const threads = readdirSync(folder).filter((name) => /^out-\d+$/.test(name)).map((name) => inclusive(join(folder, name)));
  const worker = threads.find((thread) => thread.MHD_run);
  const store = threads.find((thread) => thread.sqlite_db_write);
  const row = (what, figure) => `| ${what} | ${Math.round((figure ?? 0) / requests).toLocaleString('en')} |`;
  console.log(`${options.scenario}, ${options.target}: instructions of ${requests} requests, for each\n`);
  console.log('| | instructions |\n|---|---|');
  console.log(row('the worker', worker.total));
  for (const [what, name] of stages) if (worker[name]) console.log(row(`- ${what}`, worker[name]));
  console.log(row('the store\'s thread', store?.total));
} finally {
  await stopAll();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
