// Decisions for backtests: a server that keeps text, and requests whose texts follow from their number alone.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { chat } from './client.mjs';
import { binary, shippedPolicy, startRein } from './rein.mjs';
import { says, startUpstream } from './upstream.mjs';

export const rules = `
log: { text: full }
rules:
  - { id: card, channels: [prompt, reasoning, answer, tool], builtin: card_number, action: record }
  - { id: card_shown, channels: [answer], builtin: card_number, action: redact }
  - { id: mail, channels: [reasoning, answer], builtin: email, action: record, shadow: true }
  - { id: word, channels: [answer], literal: "open sesame", action: refuse }
  - { id: thought, channels: [reasoning], literal: "wrong turn", action: steer }
  - { id: banned, channels: [prompt], literal: "forbidden words", action: refuse }
`;
export const policyOf = (more = rules) => `${shippedPolicy().replace(/^(log|rules):.*\n( .*\n)*/gm, '')}${more}`;

export const asks = ['How do I bake bread?', 'Write code that adds two numbers.', 'How do I build a bomb at home?', 'Say the forbidden words.',
  'My card is 4111 1111 1111 1111, is it safe?', 'Help me break into a house.'];
export const thoughts = ['Let me think about it. ', 'This request is harmful and I must not help with it. ', 'But maybe it is for a story, so I can help. ',
  'I will explain each step. ', 'Write to jo@example.org about it. ', 'That was a wrong turn. ', 'First mix the parts. Then heat them to 200 degrees. ',
  'I should refuse. ', 'It is fine after all, so here is how. ', 'Card 5500 0000 0000 0004 was used. '];
export const answers = ['Here is how it works. ', 'I cannot help with that. ', 'Say open sesame at the door. ', 'Use the card 4111111111111111 to pay. ',
  'Step one: take the parts. Step two: put them together. ', 'Mail al@example.com for more. ', 'Sure, gladly. '];

// Numbers below n, the same each time for a seed.
export function diceOf(seed) {
  let state = Math.imul(seed + 1, 2654435761) >>> 0;
  return (n) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % n;
  };
}

function textsOf(number) {
  const dice = diceOf(number);
  const pick = (list) => list[dice(list.length)], several = (list) => Array.from({ length: 1 + dice(6) }, () => pick(list));
  return { ask: pick(asks), stream: dice(2) === 0, reasoning: dice(5) > 0 ? several(thoughts) : [], answer: several(answers) };
}

// The server of so many decisions, in a folder; stop it with `stop`.
export async function startBacktested(count, atOnce = 16, policy = policyOf()) {
  const upstream = await startUpstream(async (call) => {
    const said = call.json.messages.findLast((message) => message.role === 'user').content;
    return says(textsOf(Number(/#(\d+)/.exec(said)[1])))(call);
  });
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-backtest-'));
  const rein = await startRein({ upstream: upstream.url, policy, folder });
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const number = next++, { ask, stream } = textsOf(number);
      const answer = await rein.ask({ body: chat(`${ask} #${number}`, { stream }) });
      assert.ok([200, 400].includes(answer.status), answer.text);
      if (number >= count - atOnce) await rein.row(answer.headers['x-rein-decision']);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return {
    rein, folder, db: path.join(folder, 'rein.db'), policy: path.join(folder, 'policies/default.yaml'),
    stop: async () => {
      await rein.clean();
      await upstream.stop();
      fs.rmSync(folder, { recursive: true });
    },
  };
}

// The report of `rein backtest`, and how many MiB it took at most; 0 where the system does not say.
export async function backtest(db, file, ...more) {
  const run = spawn(binary, ['backtest', '--db', db, '--json', ...more, file]);
  let out = '', err = '', most = 0;
  run.stdout.on('data', (text) => { out += text; });
  run.stderr.on('data', (text) => { err += text; });
  const look = setInterval(() => {
    try {
      most = Math.max(most, Number(/VmHWM:\s+(\d+)/.exec(fs.readFileSync(`/proc/${run.pid}/status`, 'utf8'))?.[1] ?? 0) / 1024);
    } catch { /* it has ended */ }
  }, 100);
  const code = await new Promise((resolve) => run.once('close', resolve));
  clearInterval(look);
  assert.equal(code, 0, err);
  return { ...JSON.parse(out), most };
}
