// `rein decisions`, `rein why`, `rein stats`: over the admin API and from the file the same; safe on a terminal.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { chat } from '../lib/client.mjs';
import { duration } from '../../server/admin/page/format.js';
import { binary, launch, startRein } from '../lib/rein.mjs';
import { says, startUpstream } from '../lib/upstream.mjs';

const policy = `
version: 1
name: default
prefix: { template: none, deliver: off, when: never }
reasoning: { show: stream, release: stream }
log: { text: full }
rules:
  - { id: password, channels: [reasoning, answer, tool], literal: "open sesame", action: refuse }
  - { id: badge, channels: [answer], regex: 'BADGE-[0-9]{6}', action: redact, replacement: "[badge]" }
refusal: { message: "Not this.", finish_reason: content_filter, before_first_byte: error }
`;

describe('the desk on the command line', { timeout: 240000 }, () => {
  let upstream, rein, url, db;
  const ids = {};
  const request = async (name, texts, headers = {}) => {
    upstream.serve = says(texts);
    ids[name] = (await rein.ask({ body: chat(name), headers })).headers['x-rein-decision'];
    await rein.row(ids[name]);
  };
  // The same from both sources; returns what it printed.
  const run = async (args, { env = {}, code = 0 } = {}) => {
    const outs = [];
    for (const source of [['--url', url], ['--db', db]]) {
      const command = launch([...args, ...source], { cwd: rein.folder, env });
      assert.equal((await command.exited).code, code, command.log);
      outs.push(command.out || command.log);
    }
    return outs;
  };
  const same = async (args) => {
    const [api, file] = await run(args);
    assert.equal(api, file);
    return api;
  };
  before(async () => {
    upstream = await startUpstream(says({}));
    rein = await startRein({ upstream: upstream.url, policy });
    url = `http://127.0.0.1:${rein.adminPort}`;
    db = path.join(rein.folder, 'rein.db');
    await request('clean', { reasoning: ['hm'], answer: ['yes'] }, { 'x-request-id': 'mine-1' });
    await request('refused', { answer: ['say open sesame'] });
    await request('redacted', { answer: ['it is BADGE-123456, is it'] });
    await request('\u001b[31mred\u202e', { reasoning: ['\u001b[2Jgone'], answer: ['\u001b]0;title\u0007'] });
  });
  after(async () => {
    await rein?.clean();
    await upstream?.stop();
  });

  test('decisions: a table, filtered; JSON lines; all pages', async () => {
    const table = await same(['decisions']);
    assert.equal(table.trim().split('\n').length, 5);
    assert.match(table, /^started \(UTC\) +verdict +ending/);
    assert.ok(!table.includes('\u001b'), 'no colours where it is no terminal');
    const refused = await same(['decisions', '--verdict', 'refuse', '--since', '1h']);
    assert.ok(refused.includes(ids.refused) && refused.trim().split('\n').length === 2, refused);
    const lines = (await same(['decisions', '--limit', '1', '--all', '--json'])).trim().split('\n').map((line) => JSON.parse(line));
    assert.deepEqual(lines.map(({ id }) => id).sort(), Object.values(ids).sort());
    assert.ok((await same(['decisions', '--rule', 'badge', '--json'])).includes(ids.redacted));
  });

  test('why: by the id of the decision or of the request', async () => {
    const text = await same(['why', ids.refused]);
    assert.match(text, /^refuse, refused {2}/);
    assert.match(text, /The rule password matched in the answer; refused at byte 15 of the answer\./);
    assert.match(text, /rule password: refused\n {6}answer, byte 4 to 15\n/);
    assert.match(text, /say open sesame/);
    assert.ok((await same(['why', 'mine-1'])).includes(ids.clean));
    assert.equal(JSON.parse(await same(['why', ids.refused, '--json'])).id, ids.refused);
    await run(['why', 'nobody'], { code: 1 });
  });

  test('what a model says cannot change the terminal', async () => {
    const text = await same(['why', ids['\u001b[31mred\u202e'], '--texts']);
    assert.ok(!/[\u001b\u0007\u202e]/.test(text), JSON.stringify(text));
    assert.ok(text.includes('<1B>[2Jgone') && text.includes('<202E>'), text);
  });

  test('a table keeps its columns under wide characters, and fits a terminal of 80 columns', async () => {
    await request('wide', { answer: ['x'] }, {});
    upstream.serve = says({ answer: ['x'] });
    const wide = (await rein.ask({ body: chat('wide', { model: '推論モデル推論モデル推論' }) })).headers['x-rein-decision'];
    await rein.row(wide);
    const line = (await same(['decisions', '--limit', '5'])).split('\n').find((each) => each.includes('推論'));
    assert.match(line, / 推論モデル推論モ… {2,}/); // 18 columns: eight characters of two, "…"
    const command = ['decisions', '--limit', '3', '--url', url].map((word) => `'${word}'`).join(' ');
    const shown = execFileSync('script', ['-qec', `stty cols 80; '${binary}' ${command}`, '/dev/null'], { encoding: 'utf8', env: { ...process.env, TERM: 'xterm', NO_COLOR: '' }, timeout: 20000, stdio: ['ignore', 'pipe', 'ignore'] });
    assert.match(shown, /\u001b\[1mstarted/);
    for (const row of shown.replaceAll(/\u001b\[\d+m/g, '').split('\r\n').filter((each) => /^\d{4}-/.test(each))) {
      assert.ok(row.length <= 80 && /[0-9a-f-]{36}$/.test(row), row);
      assert.match(row, /µs|ms| s /);
    }
  });

  test('durations, words and versions are those of the page', async () => {
    const text = await same(['why', ids.refused]);
    const { duration_us: us, policy_version: sha } = JSON.parse(await same(['why', ids.refused, '--json']));
    assert.ok(text.includes(`took         ${duration(us)}\n`), text);
    assert.ok(text.includes(`policy       default ${sha.slice(0, 8)}\n`), text);
    for (const words of ['request received', 'upstream called', "upstream's first byte", 'ended: refused']) assert.ok(text.includes(words), words);
    assert.deepEqual([999, 9949, 9950, 999499, 999500, 9994999, 9995000, 59949999, 59950000, 119500000].map(duration),
      ['999 µs', '9.9 ms', '10 ms', '999 ms', '1.00 s', '9.99 s', '10.0 s', '59.9 s', '1 min 0 s', '2 min 0 s']);
  });

  test('stats: sums and what was found', async () => {
    const strip = (text) => text.replace(/^.* to .*$/m, '');
    const [api, file] = await run(['stats']);
    assert.equal(strip(api), strip(file));
    assert.match(api, /requests +6 +0/);
    assert.match(api, /rule +password +1 +0 +0 +16\.667%/);
    const { overview, findings } = JSON.parse((await run(['stats', '--json']))[1]);
    assert.deepEqual([overview.total.requests, findings.data.length], [6, 2]);
  });

  test('follow shows what is made from now on', async () => {
    for (const source of [['--url', url], ['--db', db]]) {
      const follow = launch(['decisions', '--follow', '--verdict', 'refuse', '--json', ...source], { cwd: rein.folder });
      for (let i = 0; !follow.out.includes('\n'); i++) {
        assert.ok(i < 100 && !follow.gone, follow.log);
        await request(`follow-${i}`, { answer: ['say open sesame'] });
        await request('other', { answer: ['no'] });
      }
      await follow.stop('SIGINT');
      for (const line of follow.out.trim().split('\n')) assert.equal(JSON.parse(line).verdict, 'refuse');
    }
  });

  test('mistakes are named', async () => {
    for (const said of await run(['decisions', '--verdict', 'maybe'], { code: 2 })) assert.match(said, /Not a verdict/);
    const nobody = launch(['decisions', '--url', 'http://127.0.0.1:1'], { cwd: rein.folder });
    assert.equal((await nobody.exited).code, 1);
    assert.match(nobody.log, /does the server run/);
    const none = launch(['decisions', '--db', path.join(rein.folder, 'none.db')], { cwd: rein.folder });
    assert.equal((await none.exited).code, 1);
    assert.match(none.log, /cannot be opened/);
    for (const args of [['why'], ['decisions', '--nonsense'], ['decisions', '--since', 'long'], ['decisions', '--key', 'a', '--key', 'b'], ['decisions', '--url', 'a', '--db', 'b']]) {
      const wrong = launch(args, { cwd: rein.folder });
      assert.equal((await wrong.exited).code, 2, args.join(' '));
    }
  });
});
