// The image, without an engine: its files laid out as the Dockerfile does, its command, its health check, its stop.
// SPDX-License-Identifier: Apache-2.0
//
// Paths of the image are put below a folder, and ports become ones that the system chooses. tests/house/fresh.sh runs the
// Dockerfile itself.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { describe, test } from 'node:test';
import { chat, gather, send } from '../lib/client.mjs';
import { buildFolder, run, source, temporaryFolder } from '../lib/install.mjs';
import { launch } from '../lib/rein.mjs';
import { delta, says, startUpstream, stream } from '../lib/upstream.mjs';

const STOP_MS = 10000; // what `docker stop` waits before it kills
const WORKERS_MS = 2000; // what workers take at most once the time to drain is over

// The Dockerfile's instructions: { FROM: [...], RUN: [...], ... }.
const steps = {};
for (const line of fs.readFileSync(path.join(source, 'Dockerfile'), 'utf8').replace(/\\\n/g, ' ').split('\n')) {
  const found = /^([A-Z]+) +(.*)$/.exec(line);
  if (found) (steps[found[1]] ??= []).push(found[2]);
}
const health = steps.HEALTHCHECK[0].split(' CMD ')[1];
const command = [...JSON.parse(steps.ENTRYPOINT[0]), ...JSON.parse(steps.CMD[0])];

// With the shipped policy, or with the empty one, whose start is quick.
function layOut(t, policy = 'empty') {
  const root = temporaryFolder(t, 'image'), data = path.join(root, 'var/lib/rein');
  const layer = steps.RUN.find((step) => step.includes('cmake --install'));
  run('sh', ['-c', layer.replaceAll('/out', root).replaceAll('build/release', buildFolder)], { cwd: source });
  fs.mkdirSync(data, { recursive: true });
  const config = path.join(root, 'etc/rein/rein.yaml');
  const shipped = fs.readFileSync(config, 'utf8');
  const image = { root, data, config, shipped };
  image.rewrite = (change = (text) => text) => fs.writeFileSync(config, change(shipped)
    .replace('policy: default', `policy: ${policy}`).replaceAll('/var/lib/rein', data).replace(/(address: "[^"]*:)\d+"/g, '$10"'));
  image.rewrite();
  if (policy === 'empty') fs.rmSync(path.join(root, 'etc/rein/policies/default.yaml'));
  return image;
}

// Starts what the image starts, with no more in the environment than an engine puts there.
async function start(image, environment) {
  const env = { ...Object.fromEntries(Object.keys(process.env).map((name) => [name, undefined])), PATH: process.env.PATH, ...environment };
  for (const name of ['ASAN_OPTIONS', 'UBSAN_OPTIONS', 'TSAN_OPTIONS']) if (process.env[name]) env[name] = process.env[name];
  const words = command.slice(1).map((word) => (word.startsWith('/') ? path.join(image.root, word) : word));
  const rein = launch(words, { cwd: image.data, env });
  rein.host = undefined;
  rein.ready = async () => {
    [, rein.host, rein.port] = await rein.said(/serve: listening on http:\/\/([\d.]+):(\d+)/);
    [, rein.adminHost, rein.adminPort] = await rein.said(/admin listening on http:\/\/([\d.]+):(\d+)/);
    return rein;
  };
  return rein;
}

const secret = (image, name) => fs.readFileSync(path.join(image.data, name), 'utf8').trim();
const isHealthy = (rein) => spawnSync('sh', ['-c', health.replace(':8080/', `:${rein.port}/`)], { timeout: 30000 }).status === 0;
const address = spawnSync('hostname', ['-I'], { encoding: 'utf8' }).stdout?.split(' ')[0] ?? '';

function status(host, port, where, key) {
  return new Promise((resolve, reject) => {
    const headers = key ? { authorization: `Bearer ${key}` } : {};
    http.get({ host, port, path: where, headers, agent: false }, (answer) => { answer.resume(); resolve(answer.statusCode); }).on('error', reject);
  });
}

describe('the image', { timeout: 470000 }, () => {
  test('FOUND U7: it is what the Dockerfile says, and listens where it publishes', (t) => {
    const image = layOut(t, 'default');
    assert.ok(fs.existsSync(path.join(image.root, command[0])), command[0]);
    assert.deepEqual([...image.shipped.matchAll(/address: "([^"]*):(\d+)"/g)].map(([, host, port]) => [host, port]), steps.EXPOSE[0].split(' ').map((port) => ['0.0.0.0', port]));
    assert.equal(steps.USER.at(-1), 'rein');
    assert.equal(steps.WORKDIR.at(-1), '/var/lib/rein');
    assert.match(run(path.join(image.root, 'usr/bin/rein'), ['check', path.join(image.root, 'etc/rein/rein.yaml')]), /etc\/rein\/rein\.yaml: config/);
    const drain = Number(/drain_ms: (\d+)/.exec(image.shipped)[1]);
    assert.ok(drain + WORKERS_MS < STOP_MS, `drains for ${drain} ms of the ${STOP_MS} ms that an engine waits`);
  });

  test('FOUND U7: the first start makes a key for clients and one for operators, and says where they are, not what', async (t) => {
    const image = layOut(t), upstream = await startUpstream(says({ answer: ['fine'] }));
    const first = await (await start(image, { REIN_UPSTREAM_URL: upstream.url })).ready();
    for (const name of ['keys.yaml', 'token.yaml', 'keys.yaml.secret', 'token.yaml.secret', 'rein.secret', 'rein.db'])
      assert.equal((fs.statSync(path.join(image.data, name)).mode & 0o777).toString(8), '600', name);
    const key = secret(image, 'keys.yaml.secret'), token = secret(image, 'token.yaml.secret');
    for (const name of ['keys.yaml.secret', 'token.yaml.secret']) assert.ok(first.log.includes(path.join(image.data, name)), first.log);
    assert.ok(!(first.log + first.out).includes(key.slice(5)) && !(first.log + first.out).includes(token.slice(11)), first.log);

    const host = address.includes('.') ? address : '127.0.0.1';
    assert.deepEqual([first.host, first.adminHost], ['0.0.0.0', '0.0.0.0']);
    assert.deepEqual([await status(host, first.port, '/v1/models'), await status(host, first.port, '/v1/models', 'rein-wrong')], [401, 401]);
    assert.deepEqual([await status(host, first.adminPort, '/metrics'), await status(host, first.adminPort, '/metrics', token)], [401, 200]);
    const answer = await send(first.port, { body: chat('hello'), headers: { authorization: `Bearer ${key}` } });
    assert.equal(answer.status, 200);
    assert.ok((await answer.body).text.includes('fine'));
    assert.deepEqual(await first.stop(), { code: 0, signal: null });

    // The next start takes what is there, and puts no secret beside it again.
    for (const name of ['keys.yaml.secret', 'token.yaml.secret']) fs.rmSync(path.join(image.data, name));
    const second = await (await start(image, { REIN_UPSTREAM_URL: upstream.url })).ready();
    assert.equal(await status(host, second.adminPort, '/metrics', token), 200);
    assert.deepEqual(fs.readdirSync(image.data).filter((name) => name.endsWith('.yaml.secret')), []);
    assert.deepEqual(await second.stop(), { code: 0, signal: null });
    await upstream.stop();
  });

  test('FOUND U7: without a backend it does not start, and says what to set', async (t) => {
    const rein = await start(layOut(t), {});
    assert.deepEqual(await rein.exited, { code: 3, signal: null });
    assert.match(rein.log, /url_env: the environment variable `REIN_UPSTREAM_URL` is not set: set it to the root of the backend/);
  });

  test('FOUND U7: the health check is green only while the service can be reached', async (t) => {
    const image = layOut(t), environment = { REIN_UPSTREAM_URL: 'http://127.0.0.1:9' };
    const open = await (await start(image, environment)).ready();
    if (address !== '') assert.equal(isHealthy(open), true);
    else t.diagnostic('this machine has no address off loopback: that the check is green was not seen');
    await open.stop();
    assert.equal(isHealthy(open), false); // gone
    image.rewrite((text) => text.replace('0.0.0.0:8080', '127.0.0.1:8080'));
    const closed = await (await start(image, environment)).ready();
    assert.equal(await status('127.0.0.1', closed.port, '/healthz'), 200);
    assert.equal(isHealthy(closed), false); // there, but on its own loopback
    await closed.stop();
  });

  test('FOUND U7: told to stop it ends answers in good order before it would be killed', async (t) => {
    const image = layOut(t), held = [];
    const upstream = await startUpstream(async (call) => {
      await call.begin();
      await call.event(delta({ role: 'assistant', content: 'Once' }));
      await new Promise((go) => held.push(go));
      await call.chunk(stream({ answer: [' upon'] }));
      await call.end();
    });
    const rein = await (await start(image, { REIN_UPSTREAM_URL: upstream.url })).ready();
    const headers = { authorization: `Bearer ${secret(image, 'keys.yaml.secret')}` };
    const open = [];
    for (let i = 0; i < 2; i++) {
      open.push(await send(rein.port, { body: chat('hello', { stream: true }), headers }));
      await open[i].until('Once');
    }
    rein.child.kill('SIGTERM');
    await rein.said(/draining/);
    held[0](); // one goes on to its end, the other never does
    const [whole, cut] = await Promise.all(open.map(async (answer) => gather((await answer.body).text)));
    assert.deepEqual([whole.content, whole.done, whole.errors.length], ['Once upon', 1, 0]);
    assert.deepEqual([cut.content, cut.errors.map((error) => error.code)], ['Once', ['shutting_down']]);
    assert.deepEqual(await rein.exited, { code: 0, signal: null });
    await upstream.stop();
  });
});
