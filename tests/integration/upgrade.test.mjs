// Every earlier version's config and database: this version loads, serves and lists them. tests/fixtures/make.mjs has
// made the fixtures, each with the program of its version.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { binary, launch, startDemo } from '../lib/rein.mjs';
import { askAll, configOf, KEY_ENV, rowsOf } from '../lib/upgrade.mjs';

const fixtures = path.join(path.dirname(fileURLToPath(import.meta.url)), '../fixtures');
const versions = fs.readdirSync(fixtures, { withFileTypes: true }).filter((at) => at.isDirectory()).map((at) => at.name);
assert.ok(versions.includes('0.1'));

for (const version of versions)
  describe(`a database and a config of version ${version}`, { timeout: 470000 }, () => {
    const fixture = path.join(fixtures, version), folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-upgrade-'));
    const read = (name) => JSON.parse(fs.readFileSync(path.join(fixture, name), 'utf8'));
    const { key, token, questions } = read('answers.json'), decisions = read('decisions.json');
    let demo, rein, port, adminPort;
    before(async () => {
      fs.cpSync(path.join(fixture, 'config'), folder, { recursive: true });
      fs.copyFileSync(path.join(fixture, 'rein.db'), path.join(folder, 'rein.db'));
      for (const secret of ['keys.yaml', 'token.yaml', 'rein.db']) fs.chmodSync(path.join(folder, secret), 0o600);
      demo = await startDemo(['--script', path.join(folder, 'demo/scenarios.yaml'), '--chunk', '7']);
      fs.writeFileSync(path.join(folder, 'rein.yaml'), configOf(path.join(fixture, 'config'), demo.url));
      rein = launch(['serve', '-c', path.join(folder, 'rein.yaml')], { cwd: folder, env: KEY_ENV });
      port = Number((await rein.said(/serve: listening on http:\/\/127\.0\.0\.1:(\d+)/))[1]);
      adminPort = Number((await rein.said(/admin listening on http:\/\/127\.0\.0\.1:(\d+)/))[1]);
    });
    after(async () => {
      const { code } = await rein.stop();
      await demo.stop();
      fs.rmSync(folder, { recursive: true, force: true });
      assert.equal(code, 0, rein.log);
    });

    test('`rein check` accepts the untouched config folder', () => {
      const { status, stderr } = spawnSync(binary, ['check', path.join(fixture, 'config')], { encoding: 'utf8', timeout: 400000, env: { ...process.env, ...KEY_ENV } });
      assert.equal(status, 0, stderr);
    });

    test('the admin API lists the old rows with all that they had', async () => {
      const rows = await rowsOf(adminPort, token);
      assert.deepEqual(rows.map(({ id }) => id), decisions.map(({ id }) => id));
      for (const [i, old] of decisions.entries())
        for (const [column, value] of Object.entries(old)) assert.deepEqual(asIn(value, rows[i][column]), value, `${old.id} ${column}`);
    });

    test('what its rows did not say yet is not known', async () => {
      const rows = await rowsOf(adminPort, token), ids = new Set(decisions.map(({ id }) => id));
      const attempts = rows.filter(({ id }) => ids.has(id)).flatMap((row) => row.attempts);
      assert.ok(attempts.length >= decisions.length - 3 && attempts.every(({ may_continue: may }) => may === null), JSON.stringify(attempts));
    });

    test('the old statistics and the old client\'s lookups are served', async () => {
      const { ask } = await import('../lib/client.mjs');
      const own = decisions.find((row) => row.key !== null);
      const lookup = await ask(port, { method: 'GET', path: `/v1/guard/decisions/${own.id}`, headers: { authorization: `Bearer ${key}` } });
      assert.equal(lookup.status, 200, lookup.text);
      const from = Math.min(...decisions.map((row) => Date.parse(row.started_at)));
      const stats = await ask(adminPort, { method: 'GET', path: `/admin/v1/stats?from=${new Date(from - 1).toISOString()}&to=${new Date(from + 3600000).toISOString()}`, headers: { authorization: `Bearer ${token}` } });
      assert.equal(stats.status, 200, stats.text);
    });

    // Their policies do not say what becomes of unknown fields and of images: they go on refusing them.
    test('what its policies refused of a request they refuse', async () => {
      const { ask } = await import('../lib/client.mjs');
      const image = [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } }] }];
      for (const { name, body } of questions.filter(({ keyless, answer }) => !keyless && answer.status === 200))
        for (const [more, code] of [
          [{ made_up: 1 }, 'unknown_field'], [{ messages: [{ ...body.messages.at(-1), images: ['x'] }] }, 'unknown_field'], [{ messages: image }, 'unsupported_content'],
          ...[{ enable_thinking: false }, { reasoning_format: 'none' }, { chat_template_kwargs: { thinking: false } }, { thinking: { type: 'disabled' } }, { reasoning_effort: 'none' },
            { logit_bias: { 1: 5 } }, { echo: true }, { prompt_logprobs: 1 }, { skip_special_tokens: false }, { continue_final_message: true }].map((field) => [field, 'field_not_accepted'])]) {
          const answer = await ask(port, { body: { ...body, ...more }, headers: { authorization: `Bearer ${key}` } });
          assert.deepEqual([answer.status, answer.json.error.code, answer.headers['x-rein-dropped']], [400, code, undefined], `${name}: ${JSON.stringify(more)}`);
        }
    });

    test('the same questions have the same answers, under the same versions of policies', async () => {
      const answers = await askAll(port, key, questions);
      for (const [i, { name, answer }] of questions.entries()) {
        const now = JSON.parse(JSON.stringify(answers[i]));
        if (now.status === 400 && answer.policy === undefined) delete now.policy; /* refused requests name it since 0.2 */
        assert.deepEqual(now, answer, name);
      }
      const versionsOf = (rows) => [...new Set(rows.filter((row) => row.policy_version).map((row) => `${row.policy} ${row.policy_version}`))].sort();
      const rows = await rowsOf(adminPort, token), added = rows.slice(0, rows.length - decisions.length);
      assert.ok(added.length >= questions.length - 1);
      assert.deepEqual(versionsOf(added), versionsOf(decisions));
    });
  });

// What a value of today has of the members that one of old had: rows may gain members.
function asIn(old, now) {
  if (Array.isArray(old) && Array.isArray(now)) return now.map((each, i) => asIn(old[i], each));
  if (old === null || now === null || typeof old !== 'object' || typeof now !== 'object') return now;
  return Object.fromEntries(Object.keys(old).map((name) => [name, asIn(old[name], now[name])]));
}
