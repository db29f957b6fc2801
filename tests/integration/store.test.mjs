// A disk that is full: nothing is served that cannot be recorded, or everything is, as the config says; then it recovers.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { chat } from '../lib/client.mjs';
import { plainPolicy, startRein } from '../lib/rein.mjs';
import { says, startUpstream } from '../lib/upstream.mjs';

// No file of the process may be longer than that from now on: writing more fails as on a full disk.
const limitFiles = (rein, bytes) => execFileSync('prlimit', ['--pid', String(rein.child.pid), `--fsize=${bytes}:`]);

const policy = plainPolicy.replace('rules:', 'rules:\n  - { id: secret, channels: [answer], literal: "open sesame", action: refuse }');

async function withRein(store, run) {
  const upstream = await startUpstream(says({ answer: ['fine'] }));
  const rein = await startRein({ upstream: upstream.url, policy, store });
  try {
    assert.equal((await rein.ask({ body: chat('before') })).status, 200);
    await run(rein, upstream);
  } finally {
    await rein.clean();
    await upstream.stop();
  }
}

// Asks until it works again, ten seconds at most; the store tries twice a second.
async function untilServed(rein) {
  const deadline = Date.now() + 10000;
  for (;;) {
    const answer = await rein.ask({ body: chat('after') });
    if (answer.status === 200) return answer;
    assert.ok(Date.now() < deadline, answer.text);
  }
}

describe('a full disk', { timeout: 60000 }, () => {
  test('refuse: the answer is withheld, the next requests are refused, then served again', () =>
    withRein('on_error: refuse', async (rein) => {
      limitFiles(rein, 1);
      const withheld = await rein.ask({ body: chat('during') });
      assert.equal(withheld.status, 503);
      assert.equal(withheld.json.error.code, 'store_unavailable');
      assert.ok(!withheld.text.includes('fine'), withheld.text);
      assert.equal((await rein.ask({ body: chat('during') })).status, 503);
      assert.equal((await rein.admin('/readyz')).status, 503);
      assert.match((await rein.admin('/metrics')).text, /\nrein_store_healthy 0\n/);
      limitFiles(rein, 'unlimited');
      await untilServed(rein);
      assert.equal((await rein.admin('/readyz')).status, 200);
      const row = await rein.row(withheld.headers['x-rein-decision']);
      assert.equal(row.ending, 'store_failed');
    }));

  test('serve: answers go on, and their rows come when the disk is back', () =>
    withRein('on_error: serve', async (rein, upstream) => {
      limitFiles(rein, 1);
      const ids = [];
      for (let i = 0; i < 5; i++) {
        const answer = await rein.ask({ body: chat('during') });
        assert.equal(answer.status, 200);
        ids.push(answer.headers['x-rein-decision']);
      }
      upstream.serve = says({ answer: ['it is open sesame'] });
      const refused = await rein.ask({ body: chat('during') });
      assert.ok(!refused.text.includes('sesame'), refused.text);
      assert.equal((await rein.admin('/readyz')).status, 200);
      limitFiles(rein, 'unlimited');
      await rein.said(/decisions are written again/);
      for (const id of ids) assert.equal((await rein.row(id)).ending, 'complete');
      assert.equal((await rein.row(refused.headers['x-rein-decision'])).verdict, 'refuse');
    }));
});
