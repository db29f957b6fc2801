// The learned score in a running server: what clients get, what decisions keep, and files of weights that are wrong.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { chat, gather } from '../lib/client.mjs';
import { temporaryFolder } from '../lib/install.mjs';
import { binary, startRein } from '../lib/rein.mjs';
import { says, startUpstream } from '../lib/upstream.mjs';
import { weightsText } from '../lib/weights.mjs';

const policy = `
version: 1
name: default
model: tiny
lexicons: []
prefix: { template: none, deliver: off, when: never }
patterns:
  outcome_risk:
    reasoning: { action: record, threshold: 0.8, min_sentences: 2 }
    answer: { action: refuse, threshold: 0.8, bytes: 300 }
refusal: { message: "Not this." }
`;

// Without a model; a pattern that only records, so that there would be something to score.
const wordsAlone = 'version: 1\nname: default\nlexicons: []\npatterns: { weak_vacillation: { action: record } }\n';

const sentence = 'Birds sing and birds sing and birds sing and birds sing all day. ';
const risky = { reasoning: ['A bomb. ', 'The bomb, glad', 'ly. '], answer: ['Gladly. ', ...Array(6).fill(sentence), 'The end.'] };
const harmless = { reasoning: ['Birds. ', 'They sing. '], answer: ['Gladly. ', ...Array(6).fill(sentence), 'The end.'] };

function folderWith(t, weights, text = policy) {
  const folder = temporaryFolder(t, 'outcome');
  for (const name of ['models', 'policies']) fs.mkdirSync(path.join(folder, name));
  if (weights !== undefined) fs.writeFileSync(path.join(folder, 'models/tiny.yaml'), weights);
  fs.writeFileSync(path.join(folder, 'policies/default.yaml'), text);
  return folder;
}

describe('the learned score', { timeout: 240000 }, () => {
  let upstream, weights;
  before(async () => {
    weights = weightsText();
    upstream = await startUpstream(says({}));
  });
  after(() => upstream?.stop());

  for (const stream of [true, false])
    test(`an answer that goes along with harm is refused before it is shown, ${stream ? 'streamed' : 'whole'}`, async (t) => {
      const rein = await startRein({ upstream: upstream.url, policy, folder: folderWith(t, weights) });
      const ask = async (texts) => {
        upstream.serve = says(texts);
        const answer = await rein.ask({ body: chat('hello', { stream }) });
        const message = stream ? gather(answer.text) : answer.json.choices[0].message;
        return { answer, content: message.content, row: await rein.row(answer.headers['x-rein-decision']) };
      };
      const bad = await ask(risky);
      assert.equal(bad.content, 'Not this.');
      assert.doesNotMatch(bad.answer.text, /Gladly|Birds/);
      assert.equal(bad.row.verdict, 'refuse');
      assert.deepEqual(bad.row.findings.map((finding) => [finding.id, finding.channel, finding.action]),
        [['outcome_risk.reasoning', 'reasoning', 'record'], ['outcome_risk.answer', 'answer', 'refuse']]);
      for (const key of ['score_outcome_risk_reasoning', 'score_outcome_risk_answer', 'model_reasoning_harm', 'model_complies', 'model_complies_answer'])
        assert.ok(bad.row[key] > 0.8 && bad.row[key] <= 1, `${key}: ${bad.row[key]}`);
      assert.ok(bad.row.model_prompt_harm > 0 && bad.row.model_prompt_harm < 0.1, bad.row.model_prompt_harm);

      const good = await ask(harmless);
      assert.equal(good.content, harmless.answer.join(''));
      assert.equal(good.row.verdict, 'allow');
      assert.ok(good.row.model_reasoning_harm < 0.1 && good.row.score_outcome_risk_answer < 0.1, JSON.stringify(good.row));
      assert.deepEqual((await rein.rows('&pattern=outcome_risk.answer')).map((row) => row.id), [bad.row.id]);
      await rein.clean();
    });

  test('a policy that names no model scores nothing, and `rein check` says so', async (t) => {
    const folder = folderWith(t, weights, wordsAlone);
    const check = spawnSync(binary, ['check', path.join(folder, 'policies')], { encoding: 'utf8' });
    assert.match(check.stdout, /\n {2}no model: judges by words alone\n/);
    const rein = await startRein({ upstream: upstream.url, policy: wordsAlone, folder });
    upstream.serve = says(risky);
    const answer = await rein.ask({ body: chat('hello', { stream: true }) });
    const row = await rein.row(answer.headers['x-rein-decision']);
    for (const key of ['model_prompt_harm', 'model_reasoning_harm', 'model_complies', 'model_complies_answer', 'score_outcome_risk_answer'])
      assert.equal(row[key], null, key);
    await rein.clean();
  });

  test('a reload with damaged weights changes nothing, and says where the damage is', async (t) => {
    const folder = folderWith(t, weights);
    const rein = await startRein({ upstream: upstream.url, policy, folder });
    fs.writeFileSync(path.join(folder, 'models/tiny.yaml'), weights.replace('weights: AAAA', 'weights: AAAB'));
    rein.child.kill('SIGHUP');
    await rein.said(/models\/tiny\.yaml:7:\d+: checksum: is not that of the weights/);
    upstream.serve = says(risky);
    assert.equal(gather((await rein.ask({ body: chat('hello', { stream: true }) })).text).content, 'Not this.');
    // Other weights are another version of the policy.
    const version = (await rein.rows())[0].policy_version;
    fs.writeFileSync(path.join(folder, 'models/tiny.yaml'), weightsText({ harm: ['birds'] }));
    const before = rein.log.length;
    rein.child.kill('SIGHUP');
    for (let at = before; !/reload/i.test(rein.log.slice(at)); ) await new Promise((resolve) => rein.watchers.push(resolve));
    const answer = await rein.ask({ body: chat('hello', { stream: true }) });
    assert.equal(gather(answer.text).content, risky.answer.join(''));
    assert.notEqual((await rein.row(answer.headers['x-rein-decision'])).policy_version, version);
    await rein.clean();
  });

  for (const [what, text, says] of [
    ['a model that is missing', undefined, /policies\/default\.yaml:4:8: model: there is no model `tiny`/],
    ['a file that ends too early', (good) => good.slice(0, good.length / 2), /models\/tiny\.yaml:\d+:\d+: /],
    ['weights for newer features', (good) => good.replace('features: 1', 'features: 2'), /models\/tiny\.yaml:4:11: features: the weights are for newer features \(2\)/],
    ['another file', () => 'version: 1\nname: tiny\nkind: prefix\ntext: hello\n', /models\/tiny\.yaml:3:1: kind: unknown key/],
  ])
    test(`no start with ${what}`, (t) => {
      const folder = folderWith(t, text?.(weights));
      fs.writeFileSync(path.join(folder, 'rein.yaml'),
        'version: 1\nlisten: { address: "127.0.0.1:0" }\nupstreams: [{ name: up, kind: openai, url: "http://127.0.0.1:9" }]\n'
        + 'routes: [{ name: default, upstream: up, policy: default }]\nstore: { url: "sqlite:rein.db" }\n');
      const run = spawnSync(binary, ['serve', '-c', path.join(folder, 'rein.yaml')], { encoding: 'utf8', timeout: 120000 });
      assert.equal(run.status, 3, run.stderr);
      assert.match(run.stderr, says);
    });
});
