// Measures what a check and a start of the shipped config take once the compiled lexicons are cached, and holds both:
// `rein check` one second, start to ready half a second.
// SPDX-License-Identifier: Apache-2.0
//
//     script/bench start [--rounds 20]
//
// Beside the time on the clock stands the time of the processor, which a busy machine disturbs less.
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { median } from './statistics.mjs';

const top = path.join(path.dirname(fileURLToPath(import.meta.url)), '../..');
const binary = path.join(process.env.REIN_BUILD ?? path.join(top, 'build/release'), 'rein');
const { values } = parseArgs({ options: { rounds: { type: 'string', default: '20' } } });
const rounds = Number(values.rounds);
const TICK_MS = 1000 / Number(spawnSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }).stdout);

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-start-'));
const env = { ...process.env, CACHE_DIRECTORY: path.join(folder, 'cache') };

// The shipped config, with ports and a database of its own.
function makeConfig() {
  const text = fs.readFileSync(path.join(top, 'config/rein.yaml'), 'utf8')
    .replace(/127\.0\.0\.1:808[01]/g, '127.0.0.1:0')
    .replace(/^(policies|templates|lexicons|models): /gm, (_, key) => `${key}: ${path.join(top, 'config')}/`)
    .replace('sqlite:../data/', `sqlite:${folder}/`);
  fs.writeFileSync(path.join(folder, 'rein.yaml'), text);
  return path.join(folder, 'rein.yaml');
}

// `times` of the shell: its own, then those of what it ran.
function check() {
  const began = performance.now();
  const ran = spawnSync('bash', ['-c', '"$0" check config/ >/dev/null && times', binary], { cwd: top, env, encoding: 'utf8' });
  if (ran.status !== 0) throw new Error(ran.stderr);
  const ms = performance.now() - began;
  const cpu = ran.stdout.trim().split('\n')[1].split(' ').map((time) => /(\d+)m([\d.]+)s/.exec(time));
  return { ms, cpu: cpu.reduce((sum, [, minutes, seconds]) => sum + (60 * minutes + Number(seconds)) * 1000, 0) };
}

async function start(config) {
  const began = performance.now();
  const child = spawn(binary, ['serve', '-c', config], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  let said = '';
  await new Promise((resolve, reject) => {
    child.stderr.on('data', (text) => {
      said += text;
      if (/serve: listening on /.test(said)) resolve();
    });
    ended.then(() => reject(new Error(said)));
  });
  const ms = performance.now() - began;
  const fields = fs.readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1].split(' ');
  child.kill('SIGTERM');
  await ended;
  return { ms, cpu: (Number(fields[11]) + Number(fields[12])) * TICK_MS };
}

const row = (name, bar, all) => `| ${name} | ${median(all.map((one) => one.ms)).toFixed(0)} | ${Math.max(...all.map((one) => one.ms)).toFixed(0)} | ${median(all.map((one) => one.cpu)).toFixed(0)} | ${bar} |`;
try {
  const config = makeConfig();
  const cold = [check()];
  const checks = [], starts = [];
  await start(config);
  for (let i = 0; i < rounds; i++) {
    checks.push(check());
    starts.push(await start(config));
  }
  console.log(`${rounds} rounds, in ms\n\n| | median | most | processor, median | bar |\n|---|---|---|---|---|`);
  console.log(row('`rein check config/`, nothing cached (once)', '', cold));
  console.log(row('`rein check config/`', 1000, checks));
  console.log(row('`rein serve`, start to ready', 500, starts));
  const held = median(checks.map((one) => one.ms)) < 1000 && median(starts.map((one) => one.ms)) < 500;
  console.log(held ? '\nheld' : '\nover the bar');
  process.exitCode = held ? 0 : 1;
} finally {
  fs.rmSync(folder, { recursive: true, force: true });
}
