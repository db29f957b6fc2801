// The alert rules name metrics that there are, with labels that these have.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chat } from '../lib/client.mjs';
import { rulesPolicy, startRein } from '../lib/rein.mjs';
import { says, startUpstream } from '../lib/upstream.mjs';

const source = process.env.REIN_SOURCE_DIR ?? path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const rules = fs.readFileSync(path.join(source, 'config/prometheus/rein.rules'), 'utf8');

test('alert rules name metrics that exist', { timeout: 120000 }, async (t) => {
  const upstream = await startUpstream(says({ answer: ['say open sesame'] }));
  const rein = await startRein({ upstream: upstream.url, policy: rulesPolicy });
  t.after(async () => { await rein.clean(); await upstream.stop(); });
  const answer = await rein.ask({ body: chat('hello') });
  await rein.row(answer.headers['x-rein-decision']);
  fs.writeFileSync(path.join(rein.folder, 'rein.yaml'), 'version: 9\n');
  rein.child.kill('SIGHUP');
  await rein.said(/the config was not reloaded/);
  const metrics = (await rein.admin('/metrics')).text;
  const known = new Set([...metrics.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name, type]) => (type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name])));
  const exprs = [...rules.matchAll(/^ +expr: (.*)$/gm)].map(([, expr]) => expr);
  assert.ok(exprs.length >= 8, `${exprs.length}`);
  let named = 0;
  for (const expr of exprs)
    for (const [, name] of expr.matchAll(/\b(rein_[a-z_0-9]+)/g)) {
      named++;
      assert.ok(known.has(name), `${name} in ${expr}`);
    }
  assert.ok(named >= 12, `${named}`);
  assert.match(metrics, /\nrein_findings_total\{kind="rule",name="password",shadow="false"\} 1\n/);
  assert.match(metrics, /\nrein_policy_requests_total\{policy="default@[0-9a-f]{12}",verdict="refuse"\} 1\n/);
  assert.match(metrics, /\nrein_model_requests_total\{model="m",verdict="refuse"\} 1\n/);
  assert.match(metrics, /\nrein_reloads_total\{result="refused"\} 1\n/);
  assert.match(metrics, /\nrein_reload_last_ok 0\n/);
});
