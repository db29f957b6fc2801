// The cache of compiled lexicons: a second start does not compile, and whatever is wrong with the cache, Rein serves.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { binary, configText, sanitized, shippedPolicy, source, startRein } from '../lib/rein.mjs';

// The patterns read the lexicon; a small one is compiled at once under every sanitizer.
const policy = `
version: 1
name: default
lexicons: [small]
prefix: { template: none, deliver: off, when: never }
`;
const lexicon = `
version: 1
name: small
language: en
entries:
  - { id: wrong, class: names_harm, phrases: [this is wrong], match: [I think this is wrong.] }
  - { id: refuses, class: answer_refuses, phrases: [i will not], match: [I will not.] }
`;
const PARTS = 2;
const templates = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../config/templates');

const makeFolder = () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-cache-'));
  fs.mkdirSync(path.join(folder, 'lexicons'));
  fs.writeFileSync(path.join(folder, 'lexicons/small.yaml'), lexicon);
  return folder;
};
const start = (folder, more = '', env = {}) => startRein({
  folder, policy, config: configText({ upstream: 'http://127.0.0.1:9', more }), env: { CACHE_DIRECTORY: '', ...env },
});
const kept = (folder) => fs.readdirSync(folder).filter((name) => /^[0-9a-f]{64}\.lexicon$/.test(name)).map((name) => path.join(folder, name));
const compiled = new RegExp(`cache: ${PARTS} parts of lexicons were compiled, ${PARTS} of them kept in `);
const found = new RegExp(`cache: ${PARTS} compiled parts of lexicons were read from `);

describe('the cache of compiled lexicons', { timeout: 470000 }, () => {
  test('FOUND U4: a second start reads what the first one has compiled', async (t) => {
    const folder = makeFolder();
    t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
    const first = await start(folder);
    assert.match(first.log, compiled);
    assert.doesNotMatch(first.log, found);
    await first.clean();
    const cache = path.join(folder, 'cache'); // next to the store's file
    assert.equal(kept(cache).length, PARTS);
    assert.equal(fs.statSync(cache).mode & 0o777, 0o700);
    const second = await start(folder);
    assert.match(second.log, found);
    assert.doesNotMatch(second.log, /compiling lexicons|parts of lexicons were compiled/);
    await second.clean();
  });

  test('FOUND U4: two servers share a folder and start at once', async (t) => {
    const folders = [makeFolder(), makeFolder()], shared = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-cache-'));
    t.after(() => [...folders, shared].forEach((folder) => fs.rmSync(folder, { recursive: true, force: true })));
    for (const round of [0, 1]) {
      const servers = await Promise.all(folders.map((folder) => start(folder, `cache: { folder: "${shared}" }`)));
      for (const rein of servers) {
        assert.doesNotMatch(rein.log, / (warn|error) /);
        if (round === 1) assert.match(rein.log, found);
        await rein.clean();
      }
    }
    assert.deepEqual(fs.readdirSync(shared).sort(), kept(shared).map((file) => path.basename(file)).sort());
    assert.equal(kept(shared).length, PARTS);
  });

  test('FOUND U4: broken files and a folder of others cost one line and a compilation', async (t) => {
    const folder = makeFolder(), cache = path.join(folder, 'own');
    t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
    const more = 'cache: { folder: own }';
    await (await start(folder, more)).clean();
    for (const file of kept(cache)) fs.truncateSync(file, 300);
    const repaired = await start(folder, more);
    assert.equal(repaired.log.match(/warn cache: .* is not used: it is damaged/g).length, 1);
    assert.match(repaired.log, compiled);
    await repaired.clean();
    fs.chmodSync(cache, 0o755);
    const open = await start(folder, more);
    assert.equal(open.log.match(/warn cache: .* is not used: others have access/g).length, 1);
    assert.match(open.log, new RegExp(`cache: ${PARTS} parts of lexicons were compiled, 0 of them kept`));
    await open.clean();
  });

  // The time of the processor, which a busy machine hardly changes; a sanitizer does.
  test('FOUND U4: from the cache, the shipped config is checked within a second and served within half a second', { skip: sanitized && 'a sanitizer is slow' }, async (t) => {
    const check = () => spawnSync('bash', ['-c', '"$0" check "$1" >/dev/null && times', binary, path.join(source, 'config/rein.yaml')], { encoding: 'utf8', timeout: 400000 });
    check(); // fills the cache
    const ran = check();
    assert.equal(ran.status, 0, ran.stderr);
    const seconds = ran.stdout.trim().split('\n')[1].split(' ').map((time) => Number(/m([\d.]+)s/.exec(time)[1]));
    assert.ok(seconds[0] + seconds[1] < 1, ran.stdout);
    const shipped = { policy: shippedPolicy(), config: configText({ upstream: 'http://127.0.0.1:9' }) };
    await (await startRein(shipped)).clean();
    const rein = await startRein(shipped);
    t.after(() => rein.clean());
    const fields = fs.readFileSync(`/proc/${rein.child.pid}/stat`, 'utf8').split(') ')[1].split(' ');
    const ticks = Number(fields[11]) + Number(fields[12]), perSecond = Number(spawnSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }).stdout);
    assert.match(rein.log, /compiled parts of lexicons were read/);
    assert.ok(ticks / perSecond < 0.5, `${ticks} ticks\n${rein.log}`);
  });

  test('FOUND U4: `off` keeps nothing', async (t) => {
    const folder = makeFolder();
    t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
    const rein = await start(folder, 'cache: { folder: "off" }');
    assert.doesNotMatch(rein.log, / cache: /);
    await rein.clean();
    assert.ok(!fs.existsSync(path.join(folder, 'cache')));
  });

  test('FOUND U4: `rein check` keeps its own in the user\'s cache folder', async (t) => {
    const folder = makeFolder(), home = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-cache-'));
    t.after(() => [folder, home].forEach((at) => fs.rmSync(at, { recursive: true, force: true })));
    fs.mkdirSync(path.join(folder, 'policies'));
    fs.writeFileSync(path.join(folder, 'policies/default.yaml'), policy);
    const check = () => spawnSync(binary, ['check', '--templates', templates, path.join(folder, 'policies/default.yaml'), path.join(folder, 'lexicons')], {
      encoding: 'utf8', timeout: 400000, env: { ...process.env, CACHE_DIRECTORY: '', XDG_CACHE_HOME: home },
    });
    const first = check();
    assert.equal(first.status, 0, first.stderr);
    const times = kept(path.join(home, 'rein')).map((file) => fs.statSync(file).ino);
    assert.equal(times.length, PARTS);
    const second = check();
    assert.deepEqual([second.status, second.stdout, second.stderr], [0, first.stdout, first.stderr]);
    assert.deepEqual(kept(path.join(home, 'rein')).map((file) => fs.statSync(file).ino), times);
  });
});
