// The page is put into the binary only with the libraries that its lock file names; without npm the build says what to do.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { source, temporaryFolder } from '../lib/install.mjs';

const page = path.join(source, 'server/admin/page');

function embed(at, libraries) {
  fs.cpSync(page, at, { recursive: true, filter: (name) => !path.relative(page, name).startsWith('node_modules') });
  if (libraries) fs.cpSync(path.join(page, 'node_modules'), path.join(at, 'node_modules'), { recursive: true });
  const cmake = execFileSync('sh', ['-c', 'command -v cmake'], { encoding: 'utf8' }).trim();
  return () => spawnSync(cmake, [`-DOUTPUT=${at}/out/page.c`, `-DPAGE=${at}`, '-P', path.join(source, 'cmake/embed_page.cmake')], { encoding: 'utf8', env: { PATH: '/none' }, timeout: 120000 });
}

test('without the libraries, and without npm, the build stops and says what to run', (t) => {
  const { status, stderr } = embed(temporaryFolder(t, 'page'), false)();
  assert.notEqual(status, 0);
  assert.match(stderr.replace(/\s+/g, ' '), /the page's libraries are not installed, and npm, which installs them, is missing: run `script\/bootstrap build`/);
});

test('another version than that of the lock file is not taken', (t) => {
  const at = temporaryFolder(t, 'page');
  const run = embed(at, true);
  const file = path.join(at, 'node_modules/htm/package.json');
  fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace(/"version": "[^"]+"/, '"version": "0.0.1"'));
  const { status, stderr } = run();
  assert.notEqual(status, 0);
  assert.match(stderr.replace(/\s+/g, ' '), /the page's libraries are not installed/);
});

test('no import is left that a browser cannot resolve, and the licences of all libraries are there', (t) => {
  const at = temporaryFolder(t, 'page');
  const { status, stderr } = embed(at, true)();
  assert.equal(status, 0, stderr);
  const made = path.join(at, 'out/page');
  for (const name of fs.readdirSync(made).filter((each) => each.endsWith('.js'))) {
    const text = fs.readFileSync(path.join(made, name), 'utf8');
    for (const [, , from] of text.matchAll(/\b(?:from|import) ?(["'])([\w./@-]+)\1/g)) {
      assert.ok(from.startsWith('./'), `${name} imports ${from}`);
      assert.ok(fs.existsSync(path.join(made, from)), `${name} imports ${from}`);
    }
    assert.doesNotMatch(text, /sourceMappingURL|https?:\/\/(?!(www\.w3\.org|github\.com\/leeoniya)\/)/, name);
  }
  const licences = fs.readFileSync(path.join(made, 'licences.txt'), 'utf8');
  assert.match(licences, /==== preact ====[^]*Jason Miller[^]*==== htm ====[^]*Apache License[^]*==== uplot ====[^]*Leon Sorokin/);
});
