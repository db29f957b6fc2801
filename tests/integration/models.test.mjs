// GET /v1/models and /v1/models/{id}: what routes serve, asked of all upstreams at once.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ask } from '../lib/client.mjs';
import { startRein } from '../lib/rein.mjs';
import { startUpstream } from '../lib/upstream.mjs';

const COUNT = 20; // more than are asked at once

describe('models', { timeout: 240000 }, () => {
  let rein, together;
  const upstreams = [];
  before(async () => {
    let asked = 0, all;
    together = new Promise((resolve) => { all = resolve; });
    for (let i = 0; i < COUNT; i++)
      upstreams.push(await startUpstream(async (call) => {
        if (++asked === 16) all();
        await together; // none of the first ones answers before the others are asked
        call.reply(200, i === 3 ? 'no list' : { object: 'list', data: [{ id: `org${i}/model` }, { id: `org${(i + 1) % COUNT}/model` }, { id: 'unrouted' }] });
      }));
    const config = `
version: 1
listen: { address: "127.0.0.1:0" }
admin: { address: "127.0.0.1:0" }
upstreams:
${upstreams.map(({ url }, i) => `  - { name: up${i}, kind: openai, url: "${url}" }`).join('\n')}
routes:
${upstreams.map((_, i) => `  - { name: r${i}, match: { models: ["org${i}/*"${i === 5 ? ', "spelled-out"' : ''}] }, upstream: up${i}, policy: default }`).join('\n')}
policies: policies/
timeouts: { drain_ms: 200 }
store: { url: "sqlite:rein.db" }
`;
    rein = await startRein({ config });
  });
  after(async () => {
    await rein?.clean();
    await Promise.all(upstreams.map((upstream) => upstream.stop()));
  });
  const get = (path) => ask(rein.port, { method: 'GET', path });
  const model = (id, owner) => ({ id, object: 'model', created: 0, owned_by: owner });

  test('all upstreams are asked at once, each for what its routes serve', async () => {
    const { status, json } = await get('/v1/models');
    const wanted = [...Array(COUNT).keys()].filter((i) => i !== 3).map((i) => model(`org${i}/model`, `up${i}`)).concat(model('spelled-out', 'up5'));
    assert.equal(status, 200);
    assert.deepEqual(json, { object: 'list', data: wanted.sort((a, b) => (a.id < b.id ? -1 : 1)) });
    assert.deepEqual(upstreams.map(({ calls }) => calls.length), Array(COUNT).fill(1));
  });

  for (const path of ['/v1/models/org7/model', '/v1/models/org7%2Fmodel'])
    test(`one model: ${path}`, async () => {
      const { status, json } = await get(path);
      assert.deepEqual([status, json], [200, model('org7/model', 'up7')]);
    });
  test('a model that is spelled out in a route', async () => {
    assert.deepEqual((await get('/v1/models/spelled-out')).json, model('spelled-out', 'up5'));
  });
  for (const id of ['unrouted', 'org3/model', 'nothing', 'org7', '*'])
    test(`no such model: ${id}`, async () => {
      const { status, json } = await get(`/v1/models/${encodeURIComponent(id)}`);
      assert.deepEqual([status, json.error.code, json.error.param], [404, 'model_not_found', 'model']);
    });
  test('a path without a name is none', async () => {
    assert.equal((await get('/v1/models/')).status, 404);
  });
});
