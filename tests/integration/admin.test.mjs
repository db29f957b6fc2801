// The admin API after real requests: decisions found by their filters, evidence, statistics, metrics, the token.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ask, chat } from '../lib/client.mjs';
import { configText, launch, startRein } from '../lib/rein.mjs';
import { says, startUpstream } from '../lib/upstream.mjs';

const policy = `
version: 1
name: default
prefix: { template: none, deliver: off, when: never }
reasoning: { show: stream, release: stream }
rules:
  - { id: password, channels: [reasoning, answer, tool], literal: "open sesame", action: refuse }
  - { id: badge, channels: [answer], regex: 'BADGE-[0-9]{6}', action: redact, replacement: "[badge]" }
  - { id: trial, channels: [answer], literal: "of course", action: refuse, shadow: true }
refusal: { message: "Not this.", finish_reason: content_filter, before_first_byte: error }
`;

describe('the admin API', { timeout: 240000 }, () => {
  let upstream, rein;
  const ids = {};
  const request = async (name, texts, fields = {}) => {
    upstream.serve = says(texts);
    ids[name] = (await rein.ask({ body: chat(name, fields) })).headers['x-rein-decision'];
    await rein.row(ids[name]);
  };
  before(async () => {
    upstream = await startUpstream(says({}));
    rein = await startRein({ upstream: upstream.url, policy });
    await request('clean', { reasoning: ['hm'], answer: ['yes'] });
    await request('streamed', { reasoning: ['hm'], answer: ['yes'] }, { stream: true });
    await request('refused', { answer: ['say open sesame'] }, { stream: true, model: 'm-2' });
    await request('redacted', { answer: ['it is BADGE-123456, is it'] });
    await request('shadowed', { answer: ['of course'] });
  });
  after(async () => {
    await rein?.clean();
    await upstream?.stop();
  });
  const found = async (query) => (await rein.rows(`&${query}`)).map((row) => row.id).sort();
  const are = (...names) => names.map((name) => ids[name]).sort();

  test('filters find what they name', async () => {
    assert.deepEqual(await found(''), are('clean', 'streamed', 'refused', 'redacted', 'shadowed'));
    assert.deepEqual(await found('verdict=refuse'), are('refused'));
    assert.deepEqual(await found('verdict=allow'), are('clean', 'streamed', 'shadowed'));
    assert.deepEqual(await found('rule=badge'), are('redacted'));
    assert.deepEqual(await found('rule=trial'), are('shadowed'));
    assert.deepEqual(await found('model=m-2'), are('refused'));
    assert.deepEqual(await found('route=default&verdict=redact'), are('redacted'));
    assert.deepEqual(await found('to=2020-01-01'), []);
    const version = (await rein.row(ids.clean)).policy_version;
    assert.equal((await found(`policy_version=${version}`)).length, 5);
    assert.deepEqual(await found('policy_version=other'), []);
  });

  test('pages of two hold all, newest first', async () => {
    const seen = [];
    for (let cursor = ''; ;) {
      const page = (await rein.admin(`/admin/v1/decisions?limit=2${cursor}`)).json;
      seen.push(...page.data.map((row) => row.id));
      if (page.next_cursor === null) break;
      assert.equal(page.data.length, 2);
      cursor = `&cursor=${page.next_cursor}`;
    }
    assert.deepEqual(seen, are('clean', 'streamed', 'refused', 'redacted', 'shadowed').reverse());
  });

  test('a finding says what, where and why; the client is told none of it', async () => {
    const row = await rein.row(ids.refused);
    const finding = row.findings[0];
    assert.deepEqual([finding.id, finding.kind, finding.channel, finding.action, finding.shadow], ['password', 'rule', 'answer', 'refuse', false]);
    assert.equal(row.answer_received >= finding.offset + finding.len, true);
    assert.ok(finding.evidence.includes('open sesame'), finding.evidence);
    const shadow = (await rein.row(ids.shadowed));
    assert.deepEqual([shadow.verdict, shadow.shadow, shadow.findings[0].shadow], ['allow', 'refuse', true]);
    const outcome = await rein.ask({ method: 'GET', path: `/v1/guard/decisions/${ids.refused}` });
    assert.equal(outcome.status, 200);
    assert.equal(outcome.json.verdict, 'refuse');
    assert.ok(!/sesame|password/.test(outcome.text), outcome.text);
  });

  test('statistics and metrics count the same requests', async () => {
    const stats = (await rein.admin('/admin/v1/stats?bucket=1h')).json;
    assert.deepEqual(stats.total.verdicts, { allow: 3, refuse: 1, redact: 1 });
    assert.equal(stats.buckets.reduce((sum, bucket) => sum + bucket.requests, 0), 5);
    assert.ok(stats.total.duration_us.p50 <= stats.total.duration_us.max);
    const text = (await rein.admin('/metrics')).text;
    assert.match(text, /\nrein_requests_total\{route="default",verdict="redact",ending="complete"\} 1\n/);
    assert.match(text, /\nrein_model_requests_total\{model="m-2",verdict="refuse"\} 1\n/);
    assert.match(text, /\nrein_bytes_released_unjudged_total 0\n/);
    assert.match(text, /\nrein_held_bytes_count 5\n/);
    assert.match(text, /\nrein_open_requests 0\n/);
    assert.match(text, /\nrein_store_dropped_total 0\n/);
  });

  test('another Host is refused, as is anything but GET', async () => {
    assert.equal((await ask(rein.adminPort, { method: 'GET', path: '/metrics', headers: { host: 'rebound.example' } })).status, 403);
    assert.equal((await ask(rein.adminPort, { method: 'POST', path: '/admin/v1/decisions', body: {} })).status, 405);
  });
});

test('the token is asked for, and a reload takes a new one', { timeout: 240000 }, async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-token-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  const make = async () => {
    const run = launch(['key', 'token', path.join(folder, 'token.yaml')], { cwd: folder });
    await run.exited;
    return run.out.trim();
  };
  const first = await make();
  const config = configText({ upstream: 'http://127.0.0.1:9' }).replace(/^admin: .*$/m, 'admin: { address: "127.0.0.1:0", token_file: token.yaml }');
  const rein = await startRein({ folder, config, policy });
  const status = async (token, path = '/admin/v1/stats') =>
    (await ask(rein.adminPort, { method: 'GET', path, headers: token ? { authorization: `Bearer ${token}` } : {} })).status;
  assert.equal(await status(first), 200);
  assert.equal(await status(), 401);
  assert.equal(await status(`${first}x`), 401);
  assert.equal(await status(undefined, '/healthz'), 200);
  const second = await make();
  rein.child.kill('SIGHUP');
  await rein.said(/config reloaded/);
  assert.equal(await status(second), 200);
  assert.equal(await status(first), 401);
  await rein.clean();
});
