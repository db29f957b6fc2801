// The demo upstream's scenarios under the five patterns: streamed and not, however the model's text is cut.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ask, chat, gather } from '../lib/client.mjs';
import { binary, configText, patternsPolicy, sanitized, startDemo, startRein } from '../lib/rein.mjs';
import { source, temporaryFolder } from '../lib/install.mjs';
import { scenarios, steered } from '../lib/scenarios.mjs';

const STEERED = sanitized ? 200 : 1000;

for (const chunk of ['1', 'random', 'whole'])
  describe(`scenarios, chunk ${chunk}`, { timeout: 240000 }, () => {
    let demo, rein;
    before(async () => {
      demo = await startDemo(['--chunk', chunk]);
      rein = await startRein({ upstream: demo.url, policy: patternsPolicy('lack_of_safety_awareness') });
    });
    after(async () => {
      await rein?.clean();
      await demo?.stop();
    });

    for (const [name, expected] of Object.entries(scenarios))
      for (const stream of [true, false])
        test(`${name}, ${stream ? 'streamed' : 'whole'}`, async () => {
          const answer = await rein.ask({ body: chat(expected.user, { model: 'demo', stream }) });
          assert.equal(answer.status, 200, answer.text);
          const message = stream ? undefined : answer.json.choices[0].message;
          const seen = stream ? gather(answer.text)
            : { content: message.content ?? '', reasoning: message.reasoning_content ?? '', finish: [answer.json.choices[0].finish_reason] };
          const row = await rein.row(answer.headers['x-rein-decision']);
          const found = (row.findings ?? []).map((finding) => finding.id);
          assert.equal(row.verdict, expected.verdict, JSON.stringify({ found, row }));
          assert.equal(row.ending, expected.ending);
          assert.deepEqual(seen.finish, [expected.finish]);
          if (expected.says) assert.ok(seen.content.includes(expected.says), seen.content);
          if (expected.thinks && (stream || expected.verdict !== 'refuse')) assert.ok(seen.reasoning.includes(expected.thinks), seen.reasoning);
          for (const text of expected.never ?? []) assert.ok(!answer.text.includes(text), answer.text);
          for (const id of expected.findings ?? []) assert.ok(found.includes(id), `${id} is not among ${found}`);
          assert.equal(row.attempts.length, expected.attempts ?? 1);
          if (expected.delivery) assert.equal(row.attempts[0].delivery, expected.delivery);
          if (stream) {
            assert.equal(seen.roles, 1);
            assert.equal(seen.ids.size, 1);
            assert.equal(seen.done, 1);
            assert.equal(seen.errors.length, 0);
          }
        });
  });

describe('steering', { timeout: 300000 }, () => {
  test(`${STEERED} steered streams: one id, one role, one end each, nothing of the failed attempt`, async () => {
    const demo = await startDemo();
    const rein = await startRein({ upstream: demo.url, policy: patternsPolicy('lack_of_safety_awareness', 'strong_vacillation') });
    const names = Object.keys(steered);
    let started = 0;
    const run = async () => {
      while (started < STEERED) {
        const expected = steered[names[started++ % names.length]];
        const answer = await rein.ask({ body: chat(expected.user, { model: 'demo', stream: true }) });
        const seen = gather(answer.text);
        assert.equal(seen.ids.size, 1);
        assert.equal(seen.roles, 1);
        assert.equal(seen.done, 1);
        assert.deepEqual(seen.finish, ['stop']);
        assert.equal(seen.errors.length, 0);
        assert.ok(seen.content.startsWith(expected.says), seen.content);
        for (const text of expected.never) assert.ok(!answer.text.includes(text), answer.text);
      }
    };
    await Promise.all(Array.from({ length: 16 }, run));
    await rein.clean();
    await demo.stop();
  });
});

// What script/server prints is copied into a shell, whatever that shell is.
test('FOUND U6: the requests that script/server prints do what it says', { timeout: 240000 }, async () => {
  const demo = await startDemo();
  const policy = fs.readFileSync(path.join(source, 'config/demo-policies/demo.yaml'), 'utf8').replace('name: demo', 'name: default');
  const rein = await startRein({ upstream: demo.url, policy });
  const text = fs.readFileSync(path.join(source, 'script/server'), 'utf8');
  const printed = [...text.matchAll(/^ +(curl .*)$/gm)].map((found) => found[1]);
  const said = printed.map((line) => {
    assert.doesNotMatch(line.replace(/'[^']*'/g, ''), /[?*&;<>(){}[\]!]/, 'a shell would read this');
    const command = line.replace(/\$\{?model\}?/g, `127.0.0.1:${demo.port}`).replace(/\$\{?front\}?/g, `127.0.0.1:${rein.port}`).replace(/\$\{?admin\}?/g, `127.0.0.1:${rein.adminPort}`);
    return execFileSync('sh', ['-c', command], { encoding: 'utf8', timeout: 120000 });
  });
  assert.equal(said.length, 4);
  assert.match(gather(said[0]).content, /step-by-step guide/);
  assert.match(said[1], /^x-rein-decision: /m);
  assert.match(said[1], /\ndata: \[DONE\]\n/);
  assert.match(gather(said[1]).content, /I can't help with breaking into/);
  assert.doesNotMatch(said[1], /Let me outline|Step 1/);
  assert.match(JSON.parse(said[2]).choices[0].message.content, /\[redacted\]/);
  const rows = JSON.parse(said[3]).data;
  assert.deepEqual(rows.map((row) => row.verdict), ['redact', 'steer']);
  await rein.clean();
  await demo.stop();
});

// Listens on the port, if nobody does so already; keeps what it is sent.
async function startStranger(port) {
  const stranger = { got: '', server: net.createServer((socket) => socket.on('error', () => {}).on('data', (data) => { stranger.got += data; })) };
  await new Promise((resolve) => stranger.server.once('error', resolve).listen(port, '127.0.0.1', resolve));
  return stranger;
}

test('FOUND R10: script/server steps aside for strangers on its ports, and says so', { timeout: 240000 }, async (t) => {
  const at = temporaryFolder(t, 'ports');
  fs.mkdirSync(path.join(at, 'script'));
  fs.cpSync(path.join(source, 'script/server'), path.join(at, 'script/server'));
  fs.cpSync(path.join(source, 'config'), path.join(at, 'config'), { recursive: true });
  const before = fs.readdirSync(path.join(at, 'config/demo'));
  const ports = [8080, 8081, 9000];
  const strangers = await Promise.all(ports.map(startStranger));
  const script = spawn('bash', [path.join(at, 'script/server')], { env: { ...process.env, REIN_BIN: binary }, stdio: ['ignore', 'pipe', 'pipe'] });
  t.after(() => script.kill('SIGTERM'));
  const exited = new Promise((resolve) => script.once('exit', (code) => resolve(code)));
  let said = '';
  await new Promise((resolve) => {
    script.stderr.on('data', (data) => { said += data; });
    script.stdout.on('data', (data) => { said += data; if (/Ctrl-C ends/.test(said)) resolve(); });
    exited.then(resolve);
  });
  const [, used] = /ports, so Rein uses free ones instead:([ 0-9]*)\n/.exec(said) ?? assert.fail(said);
  assert.deepEqual(used.trim().split(' ').map(Number).sort(), ports);
  const [, made] = /^(\d+) decisions of the last 60 minutes were made up$/m.exec(said) ?? assert.fail(said);
  assert.ok(Number(made) > 200, made);
  const admin = Number(/Open http:\/\/127\.0\.0\.1:(\d+)\//.exec(said)[1]);
  const page = (await ask(admin, { method: 'GET', path: '/admin/v1/decisions?limit=500' })).json;
  assert.equal(page.data.length, Number(made));
  assert.ok(['allow', 'redact', 'steer', 'refuse'].every((verdict) => page.data.some((row) => row.verdict === verdict)));
  const port = Number(/Rein listens on http:\/\/127\.0\.0\.1:(\d+),/.exec(said)[1]);
  assert.ok(!ports.includes(port));
  assert.match((await ask(port, { body: chat('Give me a test card number', { model: 'demo' }) })).text, /\[redacted\]/);
  script.kill('SIGTERM');
  assert.equal(await exited, 0, said);
  assert.deepEqual(fs.readdirSync(path.join(at, 'config/demo')), before);
  for (const { got, server } of strangers) {
    assert.equal(got, '');
    server.close();
  }
});

test('FOUND U6: demo-history fills its minutes once, by the policies of two configs', { timeout: 240000 }, async (t) => {
  const at = temporaryFolder(t, 'history');
  fs.cpSync(path.join(source, 'config'), path.join(at, 'config'), { recursive: true });
  const fill = () => execFileSync(binary, ['demo-history', '-c', path.join(at, 'config/demo/rein.yaml'), '--before', path.join(at, 'config/demo/before.yaml'), '--minutes', '40'], { encoding: 'utf8', timeout: 120000 });
  const made = Number(/^(\d+) decisions of the last 40 minutes were made up\n$/.exec(fill())[1]);
  assert.ok(made > 150 && made < 600, made);
  assert.match(fill(), /^\d decisions/, 'the minutes that have passed since, at most');
  const rein = await startRein({ folder: at, upstream: 'http://127.0.0.1:9', config: configText({ upstream: 'http://127.0.0.1:9' }).replace('sqlite:rein.db', 'sqlite:data/demo.db') });
  const rows = await rein.rows();
  const [newest, oldest] = [rows[0], rows.at(-1)];
  assert.equal(newest.policy, 'demo');
  assert.equal(oldest.policy, 'demo');
  assert.notEqual(newest.policy_version, oldest.policy_version);
  const age = (row) => (Date.now() * 1000 - row.started_at_us) / 60e6;
  assert.ok(age(oldest) < 45 && age(oldest) > 30 && age(newest) < 5, `${age(oldest)} ${age(newest)}`);
  const steered = await rein.row(rows.find((row) => row.verdict === 'steer').id);
  assert.equal(steered.attempts.length, 2);
  assert.equal(steered.attempts[0].outcome, 'steered');
  assert.ok(steered.findings.length > 0);
  await rein.clean();
});
