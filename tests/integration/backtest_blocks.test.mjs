// Backtests of decisions in each API, whose answers have several texts of each kind that interrupt each other: an unchanged policy
// decides as it did live.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { backtest, policyOf } from '../lib/backtested.mjs';
import { apis, requestOf, sayBlocks } from '../lib/backtested_blocks.mjs';
import { startRein } from '../lib/rein.mjs';
import { startUpstream } from '../lib/upstream.mjs';

const REQUESTS = process.env.REIN_LONG === '1' ? 30000 : 600, AT_ONCE = 16;
const FIRST = Number(process.env.REIN_SEED ?? 0); // the numbers of the requests say what is in them

const configOf = (upstream) => `
version: 1
listen: { address: "127.0.0.1:0" }
admin: { address: "127.0.0.1:0" }
upstreams:
  - { name: messages, kind: anthropic, url: "${upstream.url}", api_key_env: REIN_TEST_UPSTREAM_KEY }
  - { name: responses, kind: openai, url: "${upstream.url}", api_key_env: REIN_TEST_UPSTREAM_KEY }
routes:
  - { name: chat, match: { models: ["m-chat"] }, upstream: responses, policy: default }
  - { name: messages, match: { models: ["m-messages"] }, upstream: messages, policy: default }
  - { name: responses, match: { models: ["m-responses"] }, upstream: responses, policy: default }
policies: policies/
timeouts: { drain_ms: 200 }
store: { url: "sqlite:rein.db", on_error: refuse }
`;

test('several texts of each kind, streamed and as a body', { timeout: process.env.REIN_LONG === '1' ? 3600000 : 460000 }, async () => {
  const upstream = await startUpstream(sayBlocks);
  const rein = await startRein({ config: configOf(upstream), policy: policyOf() });
  const asked = {}; // decisions, with what was asked for
  const names = Object.keys(apis);
  let next = 0;
  const worker = async () => {
    while (next < REQUESTS) {
      const number = FIRST + next++, api = names[number % names.length];
      const answer = await rein.ask(requestOf(number, api));
      assert.ok([200, 400].includes(answer.status), answer.text);
      asked[answer.headers['x-rein-decision']] = number;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  for (const id of Object.keys(asked)) await rein.row(id);
  const actions = new Set((await rein.rows()).map((row) => `${row.dialect} ${row.action}`));
  for (const dialect of ['openai-chat', 'anthropic-messages', 'openai-responses'])
    for (const action of ['allow', 'refuse', 'redact', 'record']) assert.ok(actions.has(`${dialect} ${action}`), `${[...actions]}`);
  const report = await backtest(path.join(rein.folder, 'rein.db'), path.join(rein.folder, 'policies/default.yaml'));
  const numbers = [...report.actions, ...report.findings].flatMap((change) => change.examples ?? []).map((id) => asked[id]);
  assert.deepEqual([report.decisions, report.not_comparable], [REQUESTS, {}]);
  assert.equal(report.otherwise, 0, `requests ${numbers}: ${JSON.stringify([report.actions, report.findings.filter((finding) => finding.new + finding.gone > 0)])}`);
  assert.ok(report.findings.some((finding) => finding.name.startsWith('inconsistency')), 'no pattern is found');
  await rein.clean();
  await upstream.stop();
});
