// docs/RECIPES.md: each policy passes the cases that follow it.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { source, temporaryFolder } from '../lib/install.mjs';
import { binary } from '../lib/rein.mjs';

const page = fs.readFileSync(path.join(source, 'docs/RECIPES.md'), 'utf8');
const recipes = page.split(/^## /m).slice(1).map((text) => ({ title: text.split('\n')[0], files: [...text.matchAll(/^```yaml\n(.*?)^```$/gms)].map((found) => found[1]) }));

describe('recipes', { timeout: 400000 }, () => {
  test('each is a policy, and all but those with judges have cases', () => {
    assert.ok(recipes.length >= 12, `${recipes.length} recipes`);
    for (const { title, files } of recipes) assert.equal(files.length, /^judges:/m.test(files[0]) ? 1 : 2, title);
  });
  for (const { title, files: [policy, cases] } of recipes.filter(({ files }) => files.length > 1))
    test(title, (t) => {
      const at = temporaryFolder(t, 'recipe'), file = (name, text) => { fs.writeFileSync(path.join(at, name), text); return path.join(at, name); };
      const config = path.join(source, 'config');
      const { status, stdout, stderr } = spawnSync(binary, ['test', '--templates', `${config}/templates`, '--lexicons', `${config}/lexicons`, '--models', `${config}/models`,
        file('policy.yaml', policy), file('cases.yaml', cases)], { encoding: 'utf8', timeout: 300000 });
      assert.equal(status, 0, stdout + stderr);
      assert.match(stdout, /^[1-9][0-9]* passed, 0 failed$/m);
    });
});
