// The programs under test: started once, each on a port of its own, and ended.
// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const top = join(here, '..', '..');
export const build = process.env.REIN_BUILD ?? join(top, 'build', 'release');
const children = [];

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

function start(name, command, args, options = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  const target = { name, child, pid: child.pid, said: '' };
  const note = (text) => {
    target.said = (target.said + text).slice(-4000);
  };
  child.stderr.on('data', note);
  child.on('error', (error) => note(String(error)));
  children.push(target);
  return target;
}

function resident(pid) {
  return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4096;
}

// Tries until the port takes a connection; a program that ends before that is an error with what it said.
async function listening(target, port) {
  for (let tries = 0; tries < 2000; tries++) {
    if (target.child.exitCode !== null) break;
    const socket = connect(port, '127.0.0.1');
    const open = await new Promise((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    socket.destroy();
    if (open) return Object.assign(target, { port, rss: resident(target.pid) });
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`${target.name} does not listen: ${target.said}`);
}

export async function startUpstream() {
  const target = start('upstream', join(build, 'tests/bench/bench_upstream'), []);
  const [line] = await once(createInterface(target.child.stdout), 'line');
  return Object.assign(target, { port: Number(line) });
}

// `rein demo-upstream` with a script of its own.
export async function startDemo(script) {
  const port = await freePort();
  const args = ['demo-upstream', '--listen', `127.0.0.1:${port}`, '--script', script];
  return listening(start('demo', join(build, 'rein'), args), port);
}

function fill(file, to, values) {
  const text = readFileSync(file, 'utf8').replace(/@(PORT|UPSTREAM)@/g, (_, name) => String(values[name]));
  writeFileSync(to, text);
  return to;
}

function find(names) {
  return names.find((name) => existsSync(name));
}

async function startNginx(folder, upstream) {
  const program = find(['/usr/sbin/nginx', '/usr/bin/nginx']);
  if (!program) return null;
  const port = await freePort();
  const config = fill(join(here, 'nginx.conf'), join(folder, 'nginx.conf'), { PORT: port, UPSTREAM: upstream });
  return listening(start('nginx', program, ['-p', folder, '-c', config]), port);
}

async function startHaproxy(folder, upstream) {
  const program = find(['/usr/sbin/haproxy', '/usr/bin/haproxy']);
  if (!program) return null;
  const port = await freePort();
  const config = fill(join(here, 'haproxy.cfg'), join(folder, 'haproxy.cfg'), { PORT: port, UPSTREAM: upstream });
  return listening(start('haproxy', program, ['-db', '-f', config]), port);
}

async function startBare(upstream) {
  const port = await freePort();
  return listening(start('bare', join(build, 'tests/bench/bench_proxy'), [port, `http://127.0.0.1:${upstream}`]), port);
}

// The policies that are measured: the empty one, and the shipped default one with each way to release reasoning.
function policyOf(name) {
  if (name === 'empty') return readFileSync(join(top, 'config/policies/empty.yaml'), 'utf8').replace(/^name:.*$/m, 'name: default');
  const text = readFileSync(join(top, 'config/policies/default.yaml'), 'utf8');
  const release = ['auto', 'sentence'].includes(name) ? name : 'stream';
  const named = /^(reasoning:.*\brelease:\s*)\w+/m;
  if (!named.test(text)) throw new Error('the default policy names no release');
  return text.replace(named, `$1${release}`);
}

// `policy`: the text of one that is not made from the default one; `policies`, `routes`, `more`: further ones, and keys of the config; `store`: that key's value, if it is
// another one. `under`: a program and its arguments that run rein, such as valgrind.
export async function startRein(name, folder, upstream, { policy, policies = {}, routes = '', more = '', store, under = [], ...options } = {}) {
  const program = join(build, 'rein');
  if (!existsSync(program)) return null;
  const home = join(folder, name);
  mkdirSync(join(home, 'policies'), { recursive: true });
  for (const part of ['templates', 'lexicons', 'models']) {
    if (existsSync(join(top, 'config', part))) cpSync(join(top, 'config', part), join(home, part), { recursive: true });
  }
  writeFileSync(join(home, 'policies', 'default.yaml'), policy ?? policyOf(name));
  for (const [other, text] of Object.entries(policies)) writeFileSync(join(home, 'policies', `${other}.yaml`), text);
  const [port, admin] = [await freePort(), await freePort()];
  const template = readFileSync(join(here, 'rein.yaml'), 'utf8').replace(/^(store: ).*$/m, (line, key) => (store ? key + store : line));
  const values = { PORT: port, ADMIN: admin, UPSTREAM: upstream };
  writeFileSync(
    join(home, 'rein.yaml'),
    template.replace(/@(PORT|ADMIN|UPSTREAM)@/g, (_, key) => String(values[key])).replace(/^routes:\n/m, (line) => line + routes) + more,
  );
  const [command, ...args] = [...under, program, 'serve', '-c', join(home, 'rein.yaml')];
  const target = start(name, command, args, { cwd: home, ...options });
  return listening(Object.assign(target, { admin, guarded: name !== 'empty' }), port);
}

// All targets that can be had here; those that cannot are left out and named.
export async function startTargets(folder, names, upstream) {
  const starters = {
    direct: () => ({ name: 'direct', port: upstream.port, pid: 0 }),
    nginx: () => startNginx(folder, upstream.port),
    haproxy: () => startHaproxy(folder, upstream.port),
    bare: () => startBare(upstream.port), // our plumbing, without a guard
  };
  const targets = {};
  const missing = [];
  for (const name of names) {
    const target = await (starters[name] ?? (() => startRein(name, folder, upstream.port)))();
    if (target) targets[name] = target;
    else missing.push(name);
  }
  return { targets, missing };
}

export async function stopAll() {
  for (const { child } of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) continue;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    const hard = setTimeout(() => child.kill('SIGKILL'), 5000);
    await ended;
    clearTimeout(hard);
  }
}
