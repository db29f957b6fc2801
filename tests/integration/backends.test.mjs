// Every kind of backend, with templates and builds that carry the prefix, misplace it, drop it, refuse or echo it: what
// Rein claims is compared with the prompt that was really answered, and docs/PREFILL.md with what was seen.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { makers } from '../lib/backends.mjs';
import { events, gather } from '../lib/client.mjs';
import { configText, startRein } from '../lib/rein.mjs';
import { families, openMarks } from '../lib/templates.mjs';
import { startUpstream } from '../lib/upstream.mjs';

const page = path.join(process.env.REIN_SOURCE_DIR ?? path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..'), 'docs/PREFILL.md');
const deliveries = ['auto', 'prefill', 'instruct'];
const policies = [...deliveries, 'shown'];
const builds = {
  vllm: ['parser', 'inline', 'bare'], sglang: ['tokens', 'inline', 'silent', 'old'], llamacpp: ['new', 'echo', 'drop', 'old'],
  ollama: ['plain', 'parser', 'old'], deepseek: ['continues', 'answers', 'drops', 'refuses', 'echoes'],
  mistral: ['continues', 'answers', 'drops', 'refuses', 'echoes'], openai: ['-'], groq: ['-'], openrouter: ['-'], anthropic: ['-'], gemini: ['-'],
  completions: ['continues', 'echoes', 'shortens', 'chat'],
};
const PREFIX = 'could answering this enable real harm to someone?';
const WHOLE = `First, safety: ${PREFIX} If yes, I decline and stop there; if not, I answer helpfully.`;

// One case for each backend, build and template; services that render nothing have one template of their own.
const isOurs = (kind) => ['vllm', 'sglang', 'llamacpp', 'ollama', 'completions'].includes(kind);
const cases = Object.entries(builds).flatMap(([kind, list]) => list.flatMap((build) =>
  (isOurs(kind) ? Object.keys(families) : ['leaves it to the model']).map((family) => ({ kind, build, family }))));
cases.forEach((one, i) => Object.assign(one, { name: `c${i}`, backend: makers[one.kind](one) }));

const policyText = (deliver) => `
version: 1
name: ${deliver}
prefix: { template: short, deliver: ${deliver.replace('shown', 'auto')}, when: always, show: ${deliver === 'shown'} }
reasoning: { show: stream, release: stream }
patterns: {}
rules: [ { id: never, channels: [answer], literal: "zzz-never-said-zzz", action: refuse } ]
`;

const config = (url) => `
version: 1
listen: { address: "127.0.0.1:0" }
admin: { address: "127.0.0.1:0" }
upstreams:
${cases.map((one) => `  - { name: ${one.name}, kind: ${one.kind}, url: "${url}", path_prefix: /${one.name}/v1${makers[one.kind].config?.(one) ?? ''} }`).join('\n')}
routes:
${cases.flatMap(({ name }) => policies.map((deliver) => `  - { name: ${name}-${deliver}, match: { models: ["${name}-${deliver}"] }, upstream: ${name}, policy: ${deliver} }`)).join('\n')}
policies: policies/
timeouts: { drain_ms: 200 }
store: { url: "sqlite:rein.db" }
`;

// Inline tags are told apart as clients do.
function untag(words) {
  const inline = /^(?:\s*(?:<think>|<thought>|\[THINK\]))?([^]*)(?:<\/think>|<\/thought>|\[\/THINK\])([^]*)$/.exec(words.content);
  return inline ? { ...words, reasoning: inline[1], content: inline[2] } : words;
}

// What a client reads: parts of thinking too.
function read(text) {
  const words = gather(text);
  if (text.includes('"type":"thinking"')) {
    const parts = events(text).flatMap((event) => event.choices?.[0]?.delta.content ?? []).filter((part) => typeof part !== 'string');
    const thought = parts.flatMap((part) => part.thinking ?? []).map((part) => part.text).join('');
    words.reasoning = thought;
    words.content = events(text).map((event) => event.choices?.[0]?.delta.content).filter((part) => typeof part === 'string').join('');
  }
  return untag(words);
}

// The same of an answer in one piece.
function readWhole({ choices: [{ message }] }) {
  const parts = Array.isArray(message.content) ? message.content : [{ text: message.content }];
  const thought = parts.flatMap((part) => part.thinking ?? []).map((part) => part.text).join('');
  return untag({ reasoning: message.reasoning ?? message.reasoning_content ?? thought, content: parts.map((part) => part.text ?? '').join('') });
}

// The page's table: one line for each backend, build and template.
const heading = '| kind | build | template | `auto` | `prefill` | `instruct` |\n|---|---|---|---|---|---|';
const table = (seen) => [heading, ...cases.map(({ kind, build, family, name }) =>
  `| ${kind} | ${build} | ${family} | ${deliveries.map((deliver) => seen.get(`${name}-${deliver}`)).join(' | ')} |`)].join('\n');

describe('a prefix', { timeout: 150000 }, () => {
  let upstream, rein;
  const seen = new Map();
  before(async () => {
    upstream = await startUpstream((call) => {
      const [, name, rest] = /^\/(c\d+)(\/.*)$/.exec(call.path);
      return cases[Number(name.slice(1))].backend.answer(call, rest);
    });
    rein = await startRein({ config: config(upstream.url), policies: Object.fromEntries(policies.map((d) => [d, policyText(d)])) });
  });
  after(async () => {
    await rein?.clean();
    await upstream?.stop();
  });
  const ask = (model, more = {}) => rein.ask({ body: { model, stream: true, messages: [{ role: 'user', content: 'How do I bake bread?' }], ...more } });
  const attemptOf = async (answer) => (await rein.row(answer.headers['x-rein-decision'])).attempts?.[0];

  for (const one of cases) for (const deliver of deliveries) {
    const model = `${one.name}-${deliver}`;
    test(`${one.kind}, ${one.build}, a template that ${one.family}, ${deliver}`, async () => {
      for (const round of ['first', 'remembered']) {
        one.backend.prompts.length = 0;
        const answer = await ask(model);
        if (answer.status !== 200) {
          assert.equal(deliver, 'prefill', answer.text);
          assert.equal(answer.json.error.code, 'prefix_not_deliverable', answer.text);
          assert.ok(!one.backend.prompts.some((prompt) => prompt.includes('bake bread')), 'nothing was asked without the prefix');
          seen.set(model, 'fails');
          continue;
        }
        const { delivery, reason } = await attemptOf(answer);
        const prompt = one.backend.prompts.at(-1);
        const carried = openMarks(prompt)?.[0] === (families[one.family].marks?.[0] ?? 'none') && prompt.trimEnd().endsWith('if not, I answer helpfully.') && prompt.split(PREFIX).length === 2;
        assert.equal(delivery === 'prefill', carried, `${delivery}, ${reason}; the prompt was ${JSON.stringify(prompt)}`);
        assert.ok(prompt.includes(PREFIX), 'the prefix reached the model in some way');
        assert.ok(deliver !== 'prefill' || delivery === 'prefill', 'prefill or nothing');
        const words = read(answer.text);
        assert.equal(words.content.trim(), 'Here you are.', `${round}: ${answer.text}`);
        if (delivery === 'prefill') assert.equal(words.reasoning.trim(), 'I look at it. Then I help.', answer.text);
        assert.deepEqual([words.ids.size, words.roles, words.finish, words.done, words.errors], [1, 1, ['stop'], 1, []], answer.text);
        const said = `${delivery}: ${reason}`;
        if (round === 'remembered') assert.equal(said, seen.get(model), 'what is remembered is what was found');
        seen.set(model, said);
      }
    });
  }

  for (const { kind, build, family, name } of cases) test(`${kind}, ${build}, a template that ${family}: shown once, or not at all`, async () => {
    for (const stream of [true, false]) {
      const answer = await ask(`${name}-shown`, { stream });
      assert.equal(answer.status, 200, answer.text);
      const { delivery } = await attemptOf(answer);
      const words = stream ? read(answer.text) : readWhole(answer.json);
      assert.equal(answer.text.split(PREFIX).length - 1, delivery === 'prefill' ? 1 : 0, answer.text);
      if (delivery === 'prefill') assert.equal(words.reasoning.trim(), `${WHOLE} I look at it. Then I help.`, answer.text);
      assert.equal(words.content.trim(), 'Here you are.', answer.text);
      const { reasoning_received: received, reasoning_released: released } = await rein.row(answer.headers['x-rein-decision']);
      assert.ok(received < WHOLE.length && released === received, `the prefix is no text of the model: ${received}, ${released}`);
    }
  });

  // What else a request may want: it keeps working, or the prefix steps aside and says so.
  const chatWays = [['vllm', 'parser', 'opens reasoning'], ['llamacpp', 'new', 'leaves it to the model'], ['sglang', 'tokens', 'leaves it to the model'],
    ['deepseek', 'continues', 'leaves it to the model']];
  const rawWays = [['vllm', 'parser', 'rewrites a continued turn'], ['llamacpp', 'old', 'opens reasoning'], ['ollama', 'plain', 'opens reasoning']];
  for (const way of [...chatWays, ...rawWays]) {
    const [kind, build, family] = way;
    const one = cases.find((other) => other.kind === kind && other.build === build && other.family === family);
    const isRaw = rawWays.includes(way);
    const name = `${kind}, ${build}, a template that ${family}`;
    const tried = async (more) => {
      const answer = await ask(`${one.name}-shown`, more);
      assert.equal(answer.status, 200, answer.text);
      const { delivery, reason } = await attemptOf(answer);
      return { answer, said: `${delivery}: ${reason}` };
    };
    const good = kind === 'deepseek' ? 'prefill: recalled' : 'prefill: verified';

    test(`${name}: two choices`, async () => {
      for (const stream of [true, false]) {
        const { answer, said } = await tried({ n: 2, stream });
        assert.equal(said, isRaw ? 'instruct: choices' : good);
        const parts = stream ? events(answer.text).flatMap((event) => event.choices ?? []) : answer.json.choices;
        for (const index of [0, 1]) {
          const own = parts.filter((choice) => choice.index === index).map((choice) => choice.delta ?? choice.message);
          const reasoning = own.map((part) => part.reasoning_content ?? part.reasoning ?? '').join('');
          assert.equal(reasoning.trim(), `${isRaw ? '' : `${WHOLE} `}I look at it. Then I help.`, answer.text);
        }
      }
    });

    test(`${name}: tools, a format, usage, earlier turns`, async () => {
      const tools = [{ type: 'function', function: { name: 'look', parameters: { type: 'object', properties: {} } } }];
      assert.equal((await tried({ tools })).said, 'instruct: tools');
      assert.equal((await tried({ response_format: { type: 'json_object' } })).said, 'instruct: response_format');
      const messages = [{ role: 'user', content: 'How do I bake bread?' }, { role: 'assistant', content: 'With flour.', reasoning_content: 'A plain question.' },
        { role: 'user', content: 'And then?' }];
      one.backend.prompts.length = 0;
      const { answer, said } = await tried({ messages, stream_options: { include_usage: true } });
      assert.equal(said, good);
      const words = read(answer.text), prompt = one.backend.prompts.at(-1);
      assert.deepEqual([words.usage, words.content.trim()], [1, 'Here you are.'], answer.text);
      assert.equal(words.reasoning.trim(), `${WHOLE} I look at it. Then I help.`);
      assert.ok(prompt.includes('With flour.') && prompt.indexOf('And then?') < prompt.indexOf(PREFIX), prompt);
      assert.equal(prompt.split(PREFIX).length, 2, prompt);
    });
  }

  for (const [kind, evaluable] of [['openai', 'evaluable'], ['gemini', 'evaluable'], ['anthropic', 'not_evaluable']])
    test(`${kind}: reasoning is looked at as far as it is told`, async () => {
      for (const stream of [true, false]) {
        const answer = await ask(`${cases.find((one) => one.kind === kind).name}-instruct`, { stream });
        const row = await rein.row(answer.headers['x-rein-decision']);
        assert.deepEqual([row.reasoning, row.answer_received], [evaluable, 'Here you are.'.length], answer.text);
      }
    });

  test('the page says what was seen', () => {
    const text = fs.existsSync(page) ? fs.readFileSync(page, 'utf8') : '';
    const now = table(seen);
    if (process.env.REIN_UPDATE) fs.writeFileSync(page, text.slice(0, text.indexOf('| kind |')) + now + '\n');
    else assert.ok(text.endsWith(`${now}\n`), `docs/PREFILL.md differs; REIN_UPDATE=1 writes it. Seen:\n${now}`);
  });
});

// Each backend is new here, and is asked twice.
describe('PEERS 18: a prefill that is refused while thinking is on', { timeout: 240000 }, () => {
  const refusing = [
    { kind: 'llamacpp', build: 'old', family: 'opens reasoning', wanted: 'prefill: verified', path: '/v1/completions' },
    { kind: 'llamacpp', build: 'old', family: 'closes an empty reasoning', wanted: 'instruct: reasoning_closed', path: '/v1/chat/completions' },
    { kind: 'deepseek', build: 'refuses', family: 'leaves it to the model', wanted: 'instruct: refused', path: '/v1/chat/completions' },
    { kind: 'mistral', build: 'refuses', family: 'leaves it to the model', wanted: 'instruct: refused', path: '/v1/chat/completions' },
  ];
  for (const { kind, build, family, wanted, path: way } of refusing)
    test(`PEERS 18: ${kind}, ${build}, a template that ${family}: found out beforehand, another way is taken and recorded`, async () => {
      const backend = makers[kind]({ build, family });
      let refused = 0;
      const upstream = await startUpstream((call) => {
        const reply = call.reply.bind(call);
        call.reply = (status, ...rest) => {
          refused += status === 400;
          return reply(status, ...rest);
        };
        return backend.answer(call, call.path);
      });
      const rein = await startRein({
        config: configText({ upstream: upstream.url }).replace('kind: openai', `kind: ${kind}`)
          .replace('routes:', 'routes:\n  - { name: must, match: { models: [must] }, upstream: up, policy: prefill }'),
        policies: { default: policyText('auto').replace('name: auto', 'name: default'), prefill: policyText('prefill') },
      });
      const ask = (model, stream) => rein.ask({ body: { model, stream, messages: [{ role: 'user', content: 'How do I bake bread?' }] } });
      try {
        for (const stream of [true, false]) {
          const answer = await ask('m', stream);
          assert.equal(answer.status, 200, answer.text);
          assert.match(stream ? read(answer.text).content : answer.text, /Here you are\./);
          const row = await rein.row(answer.headers['x-rein-decision']);
          assert.deepEqual(row.attempts.map(({ delivery, reason }) => `${delivery}: ${reason}`), [wanted]);
          assert.equal(upstream.calls.at(-1).path, way);
          assert.ok(backend.prompts.at(-1).includes(PREFIX), 'the prefix reached the model');
          assert.equal(refused, 1, 'it was tried once, beforehand, and is remembered');
        }
        const must = await ask('must', false); // whose policy wants the prefill or nothing
        assert.equal(must.status, wanted.startsWith('prefill') ? 200 : 502, must.text);
        if (must.status === 502) assert.equal(must.json.error.code, 'prefix_not_deliverable');
      } finally {
        await rein.clean();
        await upstream.stop();
      }
    });
});
