// Starts the real binary for a test, in a folder of its own, on ports chosen by the system.
// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ask } from './client.mjs';

export const source = process.env.REIN_SOURCE_DIR ?? path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const binary = process.env.REIN_BIN ?? path.join(source, 'build/dev/rein');
// All tests share one cache of compiled lexicons, also those that are started by hand.
process.env.CACHE_DIRECTORY ??= path.join(source, 'build/cache');
// A sanitizer makes the binary several times slower, and keeps freed memory.
export const sanitized = fs.existsSync(binary) && ['__asan_init', '__tsan_init'].some((name) => fs.readFileSync(binary).includes(name));
export const HANGS_MS = 60000; // nothing takes so long, however busy the machine is
const START_MS = 120000; // a sanitizer makes compiling the lexicon slow

// What a test that fails leaves behind would keep its process alive.
const children = new Set();
after(() => children.forEach((child) => child.kill('SIGKILL')));

// Rules that match nothing that tests say, no prefix, all reasoning at once: a plain proxy.
export const plainPolicy = `
version: 1
name: default
prefix: { template: none, deliver: off, when: never }
reasoning: { show: stream, release: stream }
patterns: {}
rules:
  - { id: never, channels: [reasoning, answer, tool], literal: "zzz-never-said-zzz", action: refuse }
`;

// Rules that refuse, redact and refuse prompts, without anything else.
export const rulesPolicy = `
version: 1
name: default
prefix: { template: none, deliver: off, when: never }
reasoning: { show: stream, release: stream }
rules:
  - { id: password, channels: [reasoning, answer, tool], literal: "open sesame", action: refuse }
  - { id: badge, channels: [reasoning, answer, tool], regex: 'BADGE-[0-9]{6}', action: redact, replacement: "[badge]" }
  - { id: forbidden, channels: [prompt], literal: "forbidden words", action: refuse }
refusal: { message: "Not this.", finish_reason: content_filter, before_first_byte: error }
`;

export function shippedPolicy() {
  return fs.readFileSync(path.join(source, 'config/policies/default.yaml'), 'utf8');
}

// The shipped policy with the five patterns alone, of which `steering` steer: what the demo's scenarios come to then
// does not depend on learned weights.
export function patternsPolicy(...steering) {
  const alone = shippedPolicy().replace(/^model:.*\n/m, '').replace(/^ +outcome_risk:\n(?: {4}.*\n)+/m, '');
  return steering.reduce((text, name) => text.replace(new RegExp(`(${name}: +\\{ action: )record`), '$1steer'), alone);
}

// `up`: more keys of the upstream, such as its kind or its APIs.
export function configText({ upstream, up = 'kind: openai', listen = '', more = '', limits = '', timeouts = '', store = 'on_error: refuse', workers = 1 }) {
  return `
version: 1
listen: { address: "127.0.0.1:0"${listen && `, ${listen}`} }
admin: { address: "127.0.0.1:0" }
workers: ${workers}
upstreams:
  - { name: up, ${up}, url: "${upstream}", api_key_env: REIN_TEST_UPSTREAM_KEY }
routes:
  - { name: default, match: { models: ["m", "m-*", "demo", "demo-*"] }, upstream: up, policy: default }
policies: policies/
limits: { ${limits} }
timeouts: { ${/drain_ms/.test(timeouts) ? '' : 'drain_ms: 200, '}${timeouts} }
store: { url: "sqlite:rein.db", ${store} }
${more}`;
}

function layOut(folder, { policy = plainPolicy, policies = {}, lists = {}, config }) {
  fs.mkdirSync(path.join(folder, 'policies'), { recursive: true });
  for (const name of ['templates', 'lexicons', 'models']) {
    const from = path.join(source, 'config', name);
    if (fs.existsSync(from) && !fs.existsSync(path.join(folder, name))) fs.symlinkSync(from, path.join(folder, name));
  }
  fs.writeFileSync(path.join(folder, 'policies/default.yaml'), policy);
  for (const [name, text] of Object.entries(policies)) fs.writeFileSync(path.join(folder, `policies/${name}.yaml`), text);
  if (Object.keys(lists).length > 0) fs.mkdirSync(path.join(folder, 'lists'), { recursive: true });
  for (const [name, text] of Object.entries(lists)) fs.writeFileSync(path.join(folder, `lists/${name}.txt`), text);
  fs.writeFileSync(path.join(folder, 'rein.yaml'), config);
}

// Runs a command until it says where it listens; `log` grows with what it writes on stderr.
export function launch(args, { cwd, env = {} } = {}) {
  const child = spawn(binary, args, { cwd, env: { ...process.env, REIN_TEST_UPSTREAM_KEY: 'upstream-secret', ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  children.add(child);
  child.once('exit', () => children.delete(child));
  const running = { child, log: '', out: '', watchers: [] };
  const wake = () => running.watchers.splice(0).forEach((watch) => watch());
  child.stderr.on('data', (more) => { running.log += more; wake(); });
  child.stdout.on('data', (more) => { running.out += more; wake(); });
  running.exited = new Promise((resolve) => child.once('exit', (code, signal) => { running.gone = true; resolve({ code, signal }); wake(); }));
  // The first match of a pattern in the log; fails if the process ends before, or after START_MS.
  running.said = async (pattern) => {
    const deadline = Date.now() + START_MS;
    for (;;) {
      const found = pattern.exec(running.log);
      if (found) return found;
      if (running.gone) throw new Error(`rein ended before it said ${pattern}:\n${running.log}`);
      if (Date.now() > deadline) throw new Error(`rein did not say ${pattern}:\n${running.log}`);
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, 1000);
        running.watchers.push(() => { clearTimeout(timer); resolve(); });
      });
    }
  };
  running.stop = async (signal = 'SIGTERM') => {
    if (!running.gone) child.kill(signal);
    return running.exited;
  };
  return running;
}

// `rein serve`. options: { upstream, policy, policies, folder, ... of configText }.
export async function startRein(options) {
  const folder = options.folder ?? fs.mkdtempSync(path.join(os.tmpdir(), 'rein-test-'));
  const config = options.config ?? configText(options);
  layOut(folder, { ...options, config });
  const rein = launch(['serve', '-c', path.join(folder, 'rein.yaml')], { cwd: folder, env: options.env });
  rein.folder = folder;
  rein.port = Number((await rein.said(/serve: listening on http:\/\/127\.0\.0\.1:(\d+)/))[1]);
  rein.adminPort = Number((await rein.said(/admin listening on http:\/\/(?:127\.0\.0\.1|0\.0\.0\.0):(\d+)/))[1]);
  rein.rewrite = (changes) => layOut(folder, { ...options, config, ...changes });
  rein.ask = (request) => ask(rein.port, request);
  rein.admin = (path) => ask(rein.adminPort, { method: 'GET', path });
  // A decision's row once it is final, by the id that the answer's header told; else by request id.
  rein.row = async (id) => {
    for (const deadline = Date.now() + HANGS_MS; Date.now() < deadline;) {
      const found = await rein.admin(`/admin/v1/decisions/${id}`);
      if (found.status === 200 && found.json.final !== false) return found.json;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    throw new Error(`no row ${id}\n${rein.log}`);
  };
  rein.rows = async (query = '') => {
    const rows = [];
    for (let cursor = ''; ;) {
      const page = await rein.admin(`/admin/v1/decisions?limit=500${query}${cursor}`);
      if (page.status !== 200) throw new Error(page.text);
      rows.push(...(page.json.data ?? page.json.decisions));
      if (!page.json.next_cursor) return rows;
      cursor = `&cursor=${encodeURIComponent(page.json.next_cursor)}`;
    }
  };
  // Ends it in the proper way, so that sanitizers get to report, and throws what they said.
  rein.clean = async () => {
    const late = setTimeout(() => rein.child.kill('SIGKILL'), HANGS_MS);
    await rein.stop('SIGTERM');
    clearTimeout(late);
    if (/ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:/.test(rein.log)) throw new Error(rein.log);
    if (options.folder === undefined) fs.rmSync(folder, { recursive: true, force: true });
  };
  return rein;
}

// `rein demo-upstream`.
export async function startDemo(args = []) {
  const demo = launch(['demo-upstream', '--listen', '127.0.0.1:0', ...args]);
  demo.port = Number((await demo.said(/listening on http:\/\/127\.0\.0\.1:(\d+)/))[1]);
  demo.url = `http://127.0.0.1:${demo.port}`;
  return demo;
}
