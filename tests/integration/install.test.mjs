// `cmake --install`: once into an empty tree, again over what an operator has made of it.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { chat } from '../lib/client.mjs';
import { filesOf, install, run, source, temporaryFolder } from '../lib/install.mjs';
import { binary, configText, startRein } from '../lib/rein.mjs';
import { says, startUpstream } from '../lib/upstream.mjs';

const shipped = (name) => fs.readFileSync(path.join(source, 'config', name), 'utf8');

describe('cmake --install', { timeout: 470000 }, () => {
  test('FOUND S12: it lays down the sample, with its store outside the config', (t) => {
    const root = temporaryFolder(t, 'install');
    install(root);
    const etc = filesOf(path.join(root, 'etc/rein'));
    for (const name of ['policies/default.yaml', 'templates/checklist.yaml', 'lexicons/english.yaml', 'demo/scenarios.yaml'])
      assert.equal(Buffer.from(etc[name].text, 'latin1').toString(), shipped(name), name);
    assert.deepEqual([...new Set(Object.values(etc).map((file) => file.mode))], ['644']);
    assert.match(etc['rein.yaml'].text, /url: "sqlite:\/var\/lib\/rein\/rein\.db"/);
    assert.deepEqual(Object.keys(etc).filter((name) => !name.endsWith('.yaml')), []);
    assert.match(run(path.join(root, 'usr/bin/rein'), ['check', path.join(root, 'etc/rein/rein.yaml')]), /rein\.yaml: config/);
    assert.match(run(path.join(root, 'usr/bin/rein'), ['--version']), /^rein \d+\.\d+\.\d+\n$/);
  });

  test('FOUND S12: a second time it keeps every file of the config, and every database', (t) => {
    const root = temporaryFolder(t, 'install'), etc = path.join(root, 'etc/rein');
    install(root);
    for (const name of ['rein.yaml', 'policies/default.yaml', 'templates/checklist.yaml', 'lexicons/english.yaml'])
      fs.appendFileSync(path.join(etc, name), '# mine\n');
    fs.chmodSync(path.join(etc, 'rein.yaml'), 0o600);
    for (const name of ['rein.db', 'rein.db-wal', 'keys.yaml', 'policies/mine.yaml'])
      fs.writeFileSync(path.join(etc, name), `what stands in ${name}`, { mode: 0o600 });
    fs.rmSync(path.join(etc, 'templates/short.yaml'));
    const before = filesOf(etc);
    const said = install(root);
    const after = filesOf(etc);
    assert.equal(after['templates/short.yaml'].text, shipped('templates/short.yaml')); // what was missing is there again
    delete after['templates/short.yaml'];
    assert.deepEqual(after, before);
    assert.match(said, /Kept: \S+\/etc\/rein\/rein\.yaml\n/);
  });

  test('FOUND S12: what else lies in config/ of a clone is not installed', (t) => {
    const from = temporaryFolder(t, 'config'), root = temporaryFolder(t, 'install');
    fs.cpSync(path.join(source, 'config'), from, { recursive: true });
    for (const name of ['rein.db', 'rein.db-wal', 'rein.db-shm', 'rein.db-lock', 'keys.yaml', 'token.yaml', 'policies/rein.db'])
      fs.writeFileSync(path.join(from, name), 'not for others');
    run('cmake', [`-DSOURCE=${from}`, '-DETC=etc', '-DBIN=bin', '-DSTATE=/var/lib/rein', '-DCMAKE_INSTALL_PREFIX=/usr',
      '-P', path.join(source, 'cmake/install_config.cmake')], { env: { ...process.env, DESTDIR: root } });
    const installed = filesOf(root);
    assert.ok(installed['etc/rein/rein.yaml']);
    assert.deepEqual(Object.keys(installed).filter((name) => installed[name].text === 'not for others'), []);
  });

  test('paths follow the prefix', (t) => {
    const root = temporaryFolder(t, 'install');
    for (const [prefix, etc, bin] of [['/usr', '/etc/rein', '/usr/bin'], ['/usr/local', '/usr/local/etc/rein', '/usr/local/bin'], ['/opt/r', '/opt/r/etc/rein', '/opt/r/bin']]) {
      install(root, prefix);
      const unit = fs.readFileSync(path.join(root, prefix, 'lib/systemd/system/rein.service'), 'utf8');
      assert.match(unit, new RegExp(`^ExecStart=${bin}/rein serve -c ${etc}/rein\\.yaml --first-keys$`, 'm'));
      assert.ok(fs.existsSync(path.join(root, etc, 'rein.yaml')) && fs.existsSync(path.join(root, bin, 'rein')));
    }
  });
});

describe('the store', { timeout: 470000 }, () => {
  test('FOUND S12: one that lies beside the config goes on being used when the config names another folder', async (t) => {
    const folder = temporaryFolder(t, 'store');
    const upstream = await startUpstream(says({ answer: ['fine'] }));
    const config = (url) => configText({ upstream: upstream.url }).replace('sqlite:rein.db', url);
    const decide = async (rein) => (await rein.ask({ body: chat('hello') })).headers['x-rein-decision'];
    const ids = async (rein) => (await rein.rows()).map((row) => row.id);

    const older = await startRein({ folder, config: config('sqlite:rein.db') });
    const first = await decide(older);
    await older.row(first);
    await older.clean();

    const newer = await startRein({ folder, config: config('sqlite:data/rein.db') });
    assert.match(newer.log, /warn serve: the store is \S+\/rein\.db, because \S+\/data\/rein\.db does not exist\. To move it: /);
    const second = await decide(newer);
    await newer.row(second);
    assert.deepEqual((await ids(newer)).sort(), [first, second].sort());
    await newer.clean();

    // Moved as the notice says, it is found where the config says.
    fs.mkdirSync(path.join(folder, 'data'));
    for (const name of fs.readdirSync(folder).filter((name) => /^rein\.db(-wal|-shm)?$/.test(name)))
      fs.renameSync(path.join(folder, name), path.join(folder, 'data', name));
    const moved = await startRein({ folder, config: config('sqlite:data/rein.db') });
    assert.doesNotMatch(moved.log, /the store is/);
    assert.deepEqual((await ids(moved)).sort(), [first, second].sort());
    await moved.clean();
    await upstream.stop();
  });

  test('its folder is made, for nobody else to read; more than that is not', async (t) => {
    const folder = temporaryFolder(t, 'store');
    const upstream = await startUpstream(says({ answer: ['fine'] }));
    const config = configText({ upstream: upstream.url }).replace('sqlite:rein.db', 'sqlite:data/rein.db');
    const rein = await startRein({ folder, config });
    assert.equal(fs.statSync(path.join(folder, 'data')).mode & 0o777, 0o700);
    await rein.clean();
    await assert.rejects(startRein({ folder, config: config.replace('data/', 'no/data/') }),
      /the folder of the store \S+ cannot be made: No such file or directory/);
    await upstream.stop();
  });
});

test('the unit is one that systemd takes, and closed', (t) => {
  const unit = fs.readFileSync(path.join(source, 'config/rein.service'), 'utf8');
  const has = (line) => assert.ok(unit.split('\n').includes(line), `the unit lacks ${line}`);
  for (const line of ['User=rein', 'StateDirectory=rein', 'StateDirectoryMode=0700', 'UMask=0077', 'ProtectSystem=strict', 'ProtectHome=yes',
    'PrivateTmp=yes', 'PrivateDevices=yes', 'NoNewPrivileges=yes', 'CapabilityBoundingSet=', 'RestrictSUIDSGID=yes', 'MemoryDenyWriteExecute=yes',
    'RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX', 'SystemCallFilter=@system-service']) has(line);
  // The process is not killed while answers may still end, nor while their decisions are written.
  const drain = Number(/drain_ms: (\d+)/.exec(shipped('rein.yaml'))[1]) / 1000;
  const stop = Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)[1]);
  assert.ok(stop >= drain + 30 + 5, `stops after ${stop} s, drains for ${drain} s`);
  const folder = temporaryFolder(t, 'unit'), file = path.join(folder, 'rein.service');
  fs.writeFileSync(file, unit.replaceAll('/usr/bin/rein', binary));
  try {
    run('systemd-analyze', ['--version']);
  } catch {
    return t.diagnostic('systemd-analyze is not here: only the text was looked at');
  }
  run('systemd-analyze', ['verify', file]);
  const level = Number(/Overall exposure level for rein\.service: (\d+\.\d+)/.exec(run('systemd-analyze', ['security', '--offline=yes', file]))[1]);
  assert.ok(level <= 2, `exposure level ${level}`);
});
