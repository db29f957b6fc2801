// docs/tutorial: its files hold what its page shows, its commands run, its sixty cases pass, and its policy does through the real
// server what the page says of it. SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { chat, gather } from '../lib/client.mjs';
import { source, temporaryFolder } from '../lib/install.mjs';
import { gatherMessages, say as sayMessages } from '../lib/messages.mjs';
import { binary, startRein } from '../lib/rein.mjs';
import { gatherResponses, say as sayResponses } from '../lib/responses.mjs';
import { says, startUpstream } from '../lib/upstream.mjs';

const tutorial = path.join(source, 'docs/tutorial');
const page = fs.readFileSync(path.join(tutorial, 'README.md'), 'utf8');
const fileOf = (name) => fs.readFileSync(path.join(tutorial, name), 'utf8');
// The blocks of the page: indented by four.
const blocks = [...page.matchAll(/(?:^ {4}.*\n|^\n(?= {4}))+/gm)].map(([text]) => text.split('\n').map((line) => line.slice(4)).join('\n').trim());
const commands = blocks.flatMap((text) => text.split('\n')).filter((line) => /^(rein|mkdir) /.test(line));
const snippets = blocks.filter((text) => !/^(rein|mkdir) /.test(text));

// The folder that a reader has at the end of the page, next to a folder config/.
function readersFolder(t) {
  const at = temporaryFolder(t, 'tutorial');
  fs.cpSync(path.join(source, 'config'), path.join(at, 'config'), { recursive: true });
  return at;
}
const shell = (at, line) => spawnSync('sh', ['-c', line.replace(/\brein (?=[a-z])/g, `${binary} `)], { cwd: at, encoding: 'utf8', timeout: 400000 });

describe('the tutorial', { timeout: 400000 }, () => {
  test('the files hold what the page shows', () => {
    const files = ['policies/bank.yaml', 'policies/bank-staff.yaml', 'rein.yaml'].map((name) => fileOf(name).split('\n').map((line) => line.trim()).join('\n'));
    assert.ok(snippets.length >= 12, `${snippets.length} snippets`);
    for (const snippet of snippets) {
      const lines = snippet.split('\n').map((line) => line.trim()).join('\n');
      assert.ok(files.some((text) => text.includes(lines)), `in no file:\n${snippet}`);
    }
  });

  test('its commands run, and its cases pass', (t) => {
    const at = readersFolder(t);
    assert.ok(commands.length >= 8, commands.join('\n'));
    for (const line of commands) {
      // The reader has written the files by the time that they are checked.
      const { status, stdout, stderr } = shell(at, line);
      if (line.startsWith('mkdir ')) for (const part of ['policies', 'lists', 'rein.yaml', 'cases.yaml']) fs.cpSync(path.join(tutorial, part), path.join(at, 'bank', part), { recursive: true });
      if (line === 'rein check bank') continue; // the keys file comes later: checked below
      if (line.startsWith('rein diff')) assert.equal(status, 1, stderr);
      else assert.equal(status, 0, `${line}\n${stdout}${stderr}`);
      if (line.startsWith('rein test')) assert.equal(stdout, '60 passed, 0 failed\n');
      if (line.startsWith('rein diff')) assert.match(stdout, /^rules\[projects\]\.action: refuse -> record$/m);
      if (/key website/.test(line)) assert.match(stdout, /customers.*\n?.*bank/);
      if (/key intranet/.test(line)) assert.match(stdout, /staff.*\n?.*bank-staff/);
    }
    const { status, stderr } = shell(at, 'rein check bank');
    assert.equal(status, 0, stderr);
  });

  const dialects = [
    {
      name: 'chat', up: 'kind: openai', path: '/v1/chat/completions', body: (text, stream) => chat(text, { stream }), say: (said) => says({ reasoning: [said.reasoning ?? 'I answer.'], answer: [said.answer] }),
      answer: (got, stream) => (stream ? gather(got.text).content : got.json.choices[0].message.content),
    },
    {
      name: 'messages', up: 'kind: openai, apis: [messages]', path: '/v1/messages', body: (text, stream) => ({ model: 'm', max_tokens: 100, stream, messages: [{ role: 'user', content: text }] }),
      say: (said) => (call) => sayMessages(call, { thinking: said.reasoning ?? 'I answer.', text: said.answer }),
      answer: (got, stream) => (stream ? gatherMessages(got.text).text : got.json.content.filter((block) => block.type === 'text').map((block) => block.text).join('')),
    },
    {
      name: 'responses', up: 'kind: openai, apis: [responses]', path: '/v1/responses', body: (text, stream) => ({ model: 'm', stream, input: text }),
      say: (said) => (call) => sayResponses(call, { reasoning: said.reasoning ?? 'I answer.', text: said.answer }),
      answer: (got, stream) => (stream ? gatherResponses(got.text).text : got.json.output.flatMap((item) => item.content ?? []).map((part) => part.text ?? part.refusal ?? '').join('')),
    },
  ];
  const placeholder = (text) => /\[card:[A-Z0-9]+\]/.exec(text)?.[0];
  for (const dialect of dialects)
    test(`through the server: ${dialect.name}, streamed and not`, async (t) => {
      const folder = temporaryFolder(t, 'tutorial-served');
      fs.cpSync(path.join(tutorial, 'lists'), path.join(folder, 'lists'), { recursive: true });
      const upstream = await startUpstream(dialect.say({ answer: 'Hello!' }));
      const rein = await startRein({ upstream: upstream.url, up: dialect.up, folder, policy: fileOf('policies/bank.yaml').replace('name: bank', 'name: default') });
      try {
        for (const stream of [true, false]) {
          const ask = async (text, said) => {
            upstream.serve = typeof said === 'function' ? said : dialect.say(said);
            const got = await rein.ask({ path: dialect.path, body: dialect.body(text, stream) });
            assert.equal(got.status, 200, got.text);
            return { ...got, said: dialect.answer(got, stream), row: await rein.row(got.headers['x-rein-decision']) };
          };
          // The customer's card goes nowhere, and comes back.
          const masked = await ask('Is 4111 1111 1111 1111 blocked?', (call) => dialect.say({ answer: `Yes, ${placeholder(call.text)} is blocked.` })(call));
          assert.equal(masked.said, 'Yes, 4111 1111 1111 1111 is blocked.');
          assert.ok(placeholder(upstream.calls.at(-1).text), upstream.calls.at(-1).text);
          assert.doesNotMatch(upstream.calls.at(-1).text, /4111 1111 1111 1111/);
          assert.equal(masked.row.verdict, 'redact');
          // Each refusal in its own words, and no model is asked.
          const calls = upstream.calls.length;
          assert.match((await ask('I want to kill myself.', { answer: 'x' })).said, /0800 555 0199/);
          assert.match((await ask('How do I launder the money from a Ponzi scheme without the police noticing?', { answer: 'x' })).said, /0800 555 0111/);
          assert.equal(upstream.calls.length, calls);
          assert.match((await ask('What is new?', { reasoning: 'I know of the Tidewater ledger.', answer: 'Nothing.' })).said, /on our website/);
          // What is said is redacted, cut or recorded.
          assert.equal((await ask('Which number?', { answer: 'Your account number is 31926819.' })).said, 'Your account number is [account].');
          const promised = await ask('Should I buy it?', { answer: 'It is a fine fund. It has a guaranteed return of nine percent.' });
          assert.doesNotMatch(promised.said, /guaranteed|nine percent/);
          const rival = await ask('Who else?', { answer: 'Harbour Mutual has something like it.' });
          assert.equal(rival.said, 'Harbour Mutual has something like it.');
          assert.deepEqual(rival.row.findings.map((one) => [one.id, one.severity]), [['rivals', 'info']]);
          assert.doesNotMatch(rival.text, /I answer\./, 'the reasoning is hidden');
        }
      } finally {
        await rein.clean();
        await upstream.stop();
      }
    });
});
