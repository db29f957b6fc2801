// The server's log: JSON lines, levels, a line for each request; a reload changes them.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { chat } from '../lib/client.mjs';
import { configText, rulesPolicy, startRein } from '../lib/rein.mjs';
import { says, startUpstream } from '../lib/upstream.mjs';

test('FOUND U12: a line for each request, as text or JSON, and none if it is not wanted', { timeout: 120000 }, async (t) => {
  const upstream = await startUpstream(says({ answer: ['say open sesame'] }));
  const config = (more) => configText({ upstream: upstream.url, more });
  const rein = await startRein({ upstream: upstream.url, policy: rulesPolicy, config: config('log: { requests: true }') });
  t.after(async () => { await rein.clean(); await upstream.stop(); });
  const reload = async (more, pattern) => {
    rein.log = '';
    fs.writeFileSync(path.join(rein.folder, 'rein.yaml'), config(more));
    rein.child.kill('SIGHUP');
    await rein.said(pattern);
  };
  const request = async () => {
    const answer = await rein.ask({ body: chat('hello secret words', { model: 'm-"x"' }), headers: { 'x-request-id': 'mine-1' } });
    await rein.row(answer.headers['x-rein-decision']);
    return answer.headers['x-rein-decision'];
  };
  const id = await request();
  await rein.said(new RegExp(`info request: ended decision=${id} request=mine-1 key="" route=default model="m-\\\\"x\\\\"" policy=default@[0-9a-f]{12} verdict=refuse ending=refused status=200 findings=1 attempts=1 duration_us=\\d+\\n`));
  await reload('log: { requests: true, format: json }', /"message":"config reloaded"/);
  const other = await request();
  await rein.said(new RegExp(other));
  const lines = rein.log.trim().split('\n').slice(1).map((line) => JSON.parse(line));
  const line = lines.find(({ decision }) => decision === other);
  assert.deepEqual([line.level, line.area, line.message, line.model, line.verdict, line.status], ['info', 'request', 'ended', 'm-"x"', 'refuse', 200]);
  assert.ok(!rein.log.includes('secret words') && !rein.log.includes('sesame'));
  fs.writeFileSync(path.join(rein.folder, 'rein.yaml'), 'version: 9\n');
  rein.log = '';
  rein.child.kill('SIGHUP');
  await rein.said(/the config was not reloaded/);
  assert.ok(rein.log.trim().split('\n').every((one) => ['error'].includes(JSON.parse(one).level)), rein.log);
  fs.writeFileSync(path.join(rein.folder, 'rein.yaml'), config('log: { level: error, requests: true }'));
  rein.child.kill('SIGHUP');
  while (!(await rein.admin('/metrics')).text.includes('rein_reloads_total{result="applied"} 2')) await new Promise((done) => setTimeout(done, 20));
  rein.log = '';
  await request();
  assert.ok(!/info request/.test(rein.log), rein.log);
});
