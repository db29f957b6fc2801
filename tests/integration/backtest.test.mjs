// Backtests: an unchanged policy decides as it did live; another one does not.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { backtest, policyOf, rules, startBacktested } from '../lib/backtested.mjs';
import { chat } from '../lib/client.mjs';
import { binary, startRein } from '../lib/rein.mjs';
import { completion, says, startUpstream } from '../lib/upstream.mjs';

const REQUESTS = process.env.REIN_LONG === '1' ? 100000 : 300;
const MEMORY_MAX = 300; // MiB, however many decisions there are

describe('rein backtest', { timeout: process.env.REIN_LONG === '1' ? 3600000 : 460000 }, () => {
  let world, rein, db;
  const file = (name, text) => {
    fs.writeFileSync(path.join(world.folder, 'policies', name), text);
    return path.join(world.folder, 'policies', name);
  };
  before(async () => {
    world = await startBacktested(REQUESTS);
    ({ rein, db } = world);
  });
  after(() => world?.stop());

  test('an unchanged policy decides as it did live', async () => {
    const rows = (await rein.admin('/admin/v1/decisions?limit=500')).json.data;
    const actions = new Set(rows.map((row) => row.action));
    for (const action of ['allow', 'refuse', 'redact', 'record']) assert.ok(actions.has(action), `${[...actions]}`);
    const report = await backtest(db, world.policy);
    assert.equal(report.decisions, REQUESTS);
    assert.deepEqual(report.actions, []);
    assert.equal(report.otherwise, 0, JSON.stringify(report.findings.filter((finding) => finding.new + finding.gone > 0)));
    assert.equal(report.compared, REQUESTS, JSON.stringify(report.not_comparable));
    assert.equal(report.policy_version, rows[0].policy_version);
    if (!fs.readFileSync(binary).includes('__asan_init')) assert.ok(report.most < MEMORY_MAX, `${report.most} MiB`);
  });

  test('another policy decides otherwise, and examples show where', async () => {
    const stricter = file('stricter.yaml', policyOf(rules.replace(/id: mail(.*)record, shadow: true/, 'id: mail$1refuse').replace('open sesame', 'open the gate')));
    const report = await backtest(db, stricter);
    const mail = report.findings.find((finding) => finding.name === 'mail'), word = report.findings.find((finding) => finding.name === 'word');
    assert.ok(mail.was > 0);
    assert.ok(word.gone > 0 && word.would_be === 0, JSON.stringify(word));
    assert.ok(report.otherwise > 0);
    for (const change of report.actions) {
      assert.ok(change.was !== change.would_be && change.count > 0);
      for (const id of change.examples) assert.equal((await rein.row(id)).action, change.was);
    }
    assert.ok(report.actions.some((change) => change.would_be === 'refuse'), JSON.stringify(report.actions));
    const table = spawnSync(binary, ['backtest', '--db', db, '--limit', '50', stricter], { encoding: 'utf8' });
    assert.match(table.stdout, /^policy default [0-9a-f]{16}\n50 decisions, \d+ compared: \d+ as before, \d+ otherwise\n/);
  });

  test('masks of a rule that is gone cannot be compared', async () => {
    const without = file('without.yaml', policyOf(rules.replace(/.*id: card,.*\n/, '')));
    assert.ok((await backtest(db, without)).not_comparable['text is masked by a rule that the policy has not'] > 0);
  });

  test('masked text is judged by what was read of it, and is not comparable if that is not known', async () => {
    // What the patterns look for is masked itself.
    const secrets = `${rules}  - { id: code_name, channels: [prompt, reasoning, answer], words: [harmful, "the parts", "how it works", bomb], action: record, secret: true }\n`;
    const policy = policyOf(secrets).replace(/^( +(?:lack_of_safety_awareness|strong_vacillation):) *\{.*\}.*$/gm, '$1 { action: record, threshold: 0.05 }');
    const masked = await startBacktested(200, 8, policy);
    const reading = 'text is masked, and what patterns would read there is not known';
    const write = (name, text) => {
      fs.writeFileSync(path.join(masked.folder, 'policies', name), text);
      return path.join(masked.folder, 'policies', name);
    };
    const counts = ({ decisions, compared, otherwise, not_comparable }) => ({ decisions, compared, otherwise, why: Object.keys(not_comparable) });
    const found = await masked.rein.admin('/admin/v1/decisions?pattern=strong_vacillation');
    assert.ok(found.json.data.length > 0, found.text);
    assert.deepEqual(counts(await backtest(masked.db, masked.policy)), { decisions: 200, compared: 200, otherwise: 0, why: [] });
    const more = write('more.yaml', policy.concat(`  - { id: another, channels: [reasoning, answer], literal: "zyx", action: refuse }\n`));
    assert.deepEqual(counts(await backtest(masked.db, more)), { decisions: 200, compared: 200, otherwise: 0, why: [] });
    // Other thresholds are comparable; other templates, lexicons and models are not.
    const calmer = await backtest(masked.db, write('calmer.yaml', policy.replace(/threshold: 0.05/g, 'threshold: 0.99')));
    assert.equal(calmer.compared, 200);
    assert.ok(calmer.findings.find((finding) => finding.name === 'strong_vacillation').gone > 0, JSON.stringify(calmer.findings));
    const other = await backtest(masked.db, write('other.yaml', policy.replace(/^model:.*$/m, '').replace(/^ +outcome_risk:\n( {4}.*\n)*/m, '')));
    assert.ok(other.not_comparable[reading] > 30, JSON.stringify(other.not_comparable));
    await masked.stop();
  });

  test('what judges said is taken from the record, also where a match is decided in the same step', async () => {
    const policy = `
version: 1
name: default
prefix: { template: none, deliver: off, when: never }
reasoning: { show: stream, release: stream }
patterns: {}
rules: [ { id: mail, channels: [reasoning], builtin: email, action: redact } ]
judges: [ { id: harm, ask: [guard], channels: [reasoning, answer], action: refuse, when: always, every: { sentences: 1 } } ]
log: { text: full }
`;
    const upstream = await startUpstream(async (call) => says({ reasoning: ['Write to jo@example.org about it. ', `It is ${call.json.messages.at(-1).content}. `, 'That is all. '], answer: ['Fine. '] })(call));
    const judge = await startUpstream(async (call) => call.reply(200, completion({ answer: /risky/.test(call.json.messages.at(-1).content) ? 'unsafe\nS1' : 'safe' })));
    const more = `judges:\n  - { name: guard, kind: llama_guard, url: "${judge.url}", model: guard, probe: false }\n`;
    const server = await startRein({ upstream: upstream.url, policy, more });
    const actions = [];
    for (let i = 0; i < 12; i++) {
      const answer = await server.ask({ body: chat(i % 3 === 0 ? 'risky' : 'calm', { stream: i % 2 === 0 }) });
      actions.push((await server.row(answer.headers['x-rein-decision'])).action);
    }
    assert.deepEqual([...new Set(actions)].sort(), ['redact', 'refuse']);
    const report = await backtest(path.join(server.folder, 'rein.db'), path.join(server.folder, 'policies/default.yaml'));
    assert.deepEqual([report.compared, report.otherwise], [12, 0], JSON.stringify(report));
    await server.clean();
    await upstream.stop();
    await judge.stop();
  });

  test('a policy with errors, and a wrong command line', () => {
    const run = (...args) => spawnSync(binary, ['backtest', ...args], { encoding: 'utf8' });
    const broken = run('--db', db, file('broken.yaml', 'version: 1\nname: b\nrules: [ { id: a } ]\n'));
    assert.equal(broken.status, 3);
    assert.match(broken.stderr, /broken\.yaml:3/);
    fs.rmSync(path.join(world.folder, 'policies/broken.yaml'));
    assert.match(run('--db', db).stderr, /name a policy's file/);
    assert.match(run('x.yaml').stderr, /name the database, with --db/);
    assert.match(run('--db', `${db}.not`, world.policy).stderr, /is no database that Rein can read/);
  });
});
