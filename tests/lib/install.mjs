// Installs what was built into a folder of its own, as a package or an image does.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { binary } from './rein.mjs';

export const source = process.env.REIN_SOURCE_DIR ?? path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const buildFolder = path.dirname(binary);

export function temporaryFolder(t, name) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), `rein-${name}-`));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

// Runs a command to its end; fails the test if it fails. Returns what it wrote on stdout.
export function run(command, args, options = {}) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', timeout: 400000, ...options });
  assert.equal(status, 0, `${command} ${args.join(' ')}\n${stdout}${stderr}`);
  return stdout;
}

export function install(root, prefix = '/usr') {
  return run('cmake', ['--install', buildFolder, '--prefix', prefix], { env: { ...process.env, DESTDIR: root } });
}

// Every file below a folder: its path there, with its text and mode.
export function filesOf(folder) {
  const files = {};
  for (const entry of fs.readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const at = path.join(entry.parentPath ?? entry.path, entry.name);
    files[path.relative(folder, at)] = { text: fs.readFileSync(at, 'latin1'), mode: (fs.statSync(at).mode & 0o777).toString(8) };
  }
  return files;
}
