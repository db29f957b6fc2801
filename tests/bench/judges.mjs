// Measures whether streams that wait for a judge slow down others, and holds it: the p99 of the others' delay is at most 1.2
// times what it is when nobody waits. SPDX-License-Identifier: Apache-2.0
//
//     script/bench judges [--streams 1000] [--seconds 5] [--rounds 5]
//
// N streams speak at a steady rate and are measured. Beside them as many others are open, of a route of their own: in one
// half of the rounds without a judge, in the other half each of them waits for a judge that never answers in time. Rounds
// alternate, and medians are compared, so that what disturbs the machine disturbs both.
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { median } from './statistics.mjs';
import { build, startRein, startUpstream, stopAll } from './targets.mjs';

const BAR = 1.2;
const { values: options } = parseArgs({
  options: { streams: { type: 'string', default: '1000' }, seconds: { type: 'string', default: '5' }, rounds: { type: 'string', default: '5' } },
});
const [streams, rounds] = [Number(options.streams), Number(options.rounds)];
const policy = (name, more) => `
version: 1
name: ${name}
prefix: { template: none, deliver: off, when: never }
reasoning: { show: stream, release: stream }
patterns: {}
rules: [ { id: never, literal: "zzz-never-said-zzz", action: refuse } ]
${more}`;

// A judge that takes questions and does not answer; it counts those that wait.
async function startJudge() {
  const judge = { waiting: 0 };
  judge.server = http.createServer((request) => {
    request.resume();
    judge.waiting++;
    request.socket.once('close', () => judge.waiting--);
  });
  await new Promise((resolve) => judge.server.listen(0, '127.0.0.1', resolve));
  return Object.assign(judge, { url: `http://127.0.0.1:${judge.server.address().port}` });
}

// Opens streams of a model and reads what comes; resolves once all have their answer's head or wait for it.
function open(port, model, count) {
  const text = JSON.stringify({ model, stream: true, messages: [{ role: 'user', content: 'Say something.' }] });
  return Array.from({ length: count }, () => {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.on('data', () => {});
    socket.write(`POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
    return socket;
  });
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const run = promisify(execFile);

async function round(rein, beside) {
  const sockets = beside.open();
  await beside.ready();
  const { stdout } = await run(path.join(build, 'tests/bench/bench_client'),
    ['--port', String(rein.port), '--streams', String(streams), '--mode', 'paced', '--seconds', options.seconds, '--rate', '20', '--time-ms', String(1000 * options.seconds + 8000)]);
  const held = beside.held();
  sockets.forEach((socket) => socket.destroy());
  await pause(500);
  const said = JSON.parse(stdout);
  if (said.errors > 0) throw new Error(said.error);
  return { p50: said.delay_p50_us / 1000, p99: said.delay_p99_us / 1000, held };
}

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-judges-'));
try {
  const judge = await startJudge();
  const upstream = await startUpstream();
  const rein = await startRein('default', folder, upstream.port, {
    policy: policy('default', ''),
    policies: { judged: policy('judged', 'judges: [ { id: harm, ask: [guard], channels: [prompt], action: refuse } ]\n') },
    routes: '  - { name: judged, match: { models: ["waits-*"] }, upstream: bench, policy: judged }\n',
    more: `judges:\n  - { name: guard, kind: llama_guard, url: "${judge.url}", model: m, calls: 4096, timeout_ms: 600000, probe: false }\n`,
  });
  const idle = { open: () => open(rein.port, 'bench-idle', 0), ready: () => {}, held: () => 0 };
  const judged = {
    open: () => open(rein.port, 'waits-here', streams),
    ready: async () => {
      for (const until = Date.now() + 30000; judge.waiting < streams; await pause(50))
        if (Date.now() > until) throw new Error(`only ${judge.waiting} streams wait`);
    },
    held: () => judge.waiting,
  };
  const rows = { without: [], with: [] };
  for (let i = 0; i < rounds; i++) {
    rows.without.push(await round(rein, idle));
    rows.with.push(await round(rein, judged));
  }
  judge.server.closeAllConnections();
  judge.server.close();
  console.log('| streams beside | delay p50, ms | delay p99, ms |\n|---|---|---|');
  const show = (name, list) => console.log(`| ${name} | ${median(list.map((r) => r.p50)).toFixed(3)} | ${median(list.map((r) => r.p99)).toFixed(3)} |`);
  show('none', rows.without);
  show(`${Math.min(...rows.with.map((r) => r.held))} that wait for a judge`, rows.with);
  const ratio = median(rows.with.map((r) => r.p99)) / median(rows.without.map((r) => r.p99));
  console.log(`p99: ${ratio.toFixed(2)} times that without (at most ${BAR})`);
  process.exitCode = ratio <= BAR ? 0 : 1;
} finally {
  await stopAll();
  fs.rmSync(folder, { recursive: true, force: true });
}
