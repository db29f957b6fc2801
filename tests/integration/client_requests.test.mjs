// Requests as clients send them by default (tests/lib/client_requests.mjs): each is a 200 with the shipped policy, what
// was dropped is named, the rest goes on as it came, every field has its reason in the reference, and none opens a way
// around the guard: whatever string of it holds forbidden words, they never reach an upstream.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ask } from '../lib/client.mjs';
import { clientRequests } from '../lib/client_requests.mjs';
import { say as sayMessage } from '../lib/messages.mjs';
import { shippedPolicy, startRein } from '../lib/rein.mjs';
import { say as sayResponse } from '../lib/responses.mjs';
import { says, startUpstream } from '../lib/upstream.mjs';

const source = process.env.REIN_SOURCE_DIR ?? path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const FORBIDDEN = 'zq the forbidden words zq';
const kinds = ['openai', 'vllm', 'sglang', 'llamacpp', 'ollama', 'deepseek', 'mistral', 'groq', 'openrouter', 'anthropic', 'gemini'];
const paths = { chat: '/v1/chat/completions', messages: '/v1/messages', responses: '/v1/responses' };
const said = ['It is Paris. The card is 4111 11', '11 1111 1111, says the note.'];

// ---- what the reference says of a field ----

// { api: { kind or '': { path: { fate, why } } } }, from the generated page.
function readReference() {
  const rows = {};
  let api, kind;
  for (const line of fs.readFileSync(path.join(source, 'docs/reference/request-fields.md'), 'utf8').split('\n')) {
    const head = /^## POST (\S+)$/.exec(line), own = /^### The kind `(\w+)`$/.exec(line), row = /^\| `([^`]+)` \| (pass|judge|override|drop|refuse) \|.*\| ([^|]+) \|$/.exec(line);
    if (head) { [api, kind] = [head[1], '']; rows[api] = { '': {} }; }
    if (own) { kind = own[1]; rows[api][kind] = {}; }
    if (row && api) rows[api][kind][row[1]] = { fate: row[2], why: row[3].trim() };
  }
  return rows;
}

// The fields of a request that have a row, or should have: as deep as the tables go.
function* fieldsOf(value, rows, at = '') {
  for (const [key, inner] of Object.entries(value)) {
    if (inner === null) continue;
    const name = at + key, list = Array.isArray(inner);
    yield name;
    const below = `${name}${list ? '[]' : ''}.`;
    if (typeof inner === 'object' && rows.some((table) => Object.keys(table ?? {}).some((row) => row.startsWith(below))))
      for (const one of list ? inner : [inner]) if (one !== null && typeof one === 'object') yield* fieldsOf(one, rows, below);
  }
}

// ---- what should go upstream ----

const nameOf = (at) => at.filter((step) => typeof step === 'string').join('.');

// Without what is dropped, and without nulls that mean "not set".
function without(value, dropped, at = []) {
  if (Array.isArray(value)) return value.map((one, i) => without(one, dropped, [...at, i]));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).filter(([key]) => !dropped.has(nameOf([...at, key]))).map(([key, inner]) => [key, without(inner, dropped, [...at, key])]));
}
const sparse = (value) => (Array.isArray(value) ? value.map(sparse)
  : value === null || typeof value !== 'object' ? value
    : Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== null).map(([key, inner]) => [key, sparse(inner)])));

// Every string in a request: where it is.
function* stringsOf(value, at = []) {
  if (typeof value === 'string') yield at;
  else if (value !== null && typeof value === 'object') for (const [key, inner] of Object.entries(value)) yield* stringsOf(inner, [...at, Array.isArray(value) ? Number(key) : key]);
}
function withString(value, [step, ...rest], text) {
  if (step === undefined) return text;
  const copy = Array.isArray(value) ? [...value] : { ...value };
  copy[step] = withString(value[step], rest, text);
  return copy;
}

describe('FOUND L13: requests as clients send them', { timeout: 300000 }, () => {
  let upstream, rein;
  const reference = readReference();
  before(async () => {
    upstream = await startUpstream((call) => {
      const piecewise = call.json.stream ? said : [said.join('')];
      if (call.path.includes('/messages')) return sayMessage(call, { thinking: piecewise, text: piecewise });
      if (call.path.includes('/responses')) return sayResponse(call, { summary: piecewise, text: piecewise });
      if (call.path.endsWith('/chat/completions')) return says({ reasoning: piecewise, answer: piecewise })(call);
      return call.reply(404, { error: { message: 'no such path' } });
    });
    const policy = shippedPolicy().replace('rules:\n', `rules:\n  - { id: forbidden, channels: [prompt], literal: "${FORBIDDEN}", action: refuse }\n`);
    assert.match(policy, /^request: +\{ unknown: drop, unjudged_parts: pass \}$/m);
    rein = await startRein({
      policy,
      config: `
version: 1
listen: { address: "127.0.0.1:0" }
admin: { address: "127.0.0.1:0" }
upstreams:
${kinds.map((kind) => `  - { name: ${kind}, kind: ${kind}, url: "${upstream.url}" }`).join('\n')}
routes:
${kinds.map((kind) => `  - { name: ${kind}, match: { models: ["${kind}/*"] }, upstream: ${kind}, policy: default }`).join('\n')}
  - { name: any, match: { models: ["*"] }, upstream: llamacpp, policy: default }
policies: policies/
timeouts: { drain_ms: 200 }
store: { url: "sqlite:rein.db" }
`,
    });
  });
  after(async () => {
    await rein?.clean();
    await upstream?.stop();
  });

  const send = async (row, body) => {
    const calls = upstream.calls.length;
    const answer = await ask(rein.port, { path: row.path ?? paths[row.api], body: row.noModel ? body : { model: `${row.kind}/m`, ...body } });
    return { ...answer, calls: upstream.calls.slice(calls) };
  };

  test('there are sixty and more', () => {
    assert.ok(clientRequests.length >= 60);
    assert.equal(new Set(clientRequests.map(({ api, name }) => `${api} ${name}`)).size, clientRequests.length);
  });

  for (const row of clientRequests) {
    const dropped = new Set(row.dropped?.split(', '));

    test(`${row.api}, ${row.name}: a 200 that names what was dropped, and the rest goes on`, async () => {
      const { status, headers, text, calls } = await send(row, row.body);
      assert.equal(status, 200, text);
      assert.equal(headers['x-rein-dropped'], row.dropped);
      assert.doesNotMatch(text, /4111|1111 1111/, 'what the model says is judged');
      assert.match(text, /It is Paris\. The card is /);
      assert.match(text, /, says the note\./);
      const sent = calls.at(-1).json, wanted = without(row.noModel ? row.body : { model: `${row.kind}/m`, ...row.body }, dropped);
      if (row.api === 'responses') wanted.store = false;
      if (row.api !== 'messages') { delete wanted.stream_options; delete sent.stream_options; }
      if (row.unjudged) { /* then the prefix is asked for in words */
        assert.notDeepEqual(sent, wanted);
        for (const body of [sent, wanted]) { delete body.system; delete body.instructions; }
        if (row.api === 'chat') assert.equal(sent.messages.shift().role, 'system');
      }
      assert.deepEqual(sparse(sent), sparse(wanted));
      const decision = await rein.row(headers['x-rein-decision']);
      assert.deepEqual([decision.dropped_fields, decision.unjudged_parts, decision.verdict, decision.ending], [row.dropped ?? null, row.unjudged ?? 0, 'redact', 'complete']);
      assert.equal(decision.attempts.at(-1).delivery, row.unjudged ? 'instruct' : 'off');
      const lookup = await rein.ask({ method: 'GET', path: `/v1/guard/decisions/${headers['x-rein-decision']}` });
      assert.deepEqual([lookup.json.dropped_fields, lookup.json.unjudged_parts], [row.dropped ?? null, row.unjudged ?? 0]);
    });

    test(`${row.api}, ${row.name}: each of its fields has a reason`, () => {
      const tables = reference[`${paths[row.api]}`], rows = [tables[row.kind], tables['']];
      for (const field of fieldsOf(row.body, rows)) {
        const found = rows[0]?.[field] ?? rows[1][field], name = field.replaceAll('[]', '');
        if (found === undefined) assert.ok(dropped.has(name), `${field} is not known, and passes`);
        else if (dropped.has(name)) assert.equal(found.fate, 'drop', field);
        else assert.ok(found.why.length > 5, field);
      }
    });

    test(`${row.api}, ${row.name}: no string of it takes forbidden words to an upstream`, async () => {
      for (const at of stringsOf(row.body)) {
        const { status, headers, calls } = await send(row, withString(row.body, at, `${FORBIDDEN}`));
        const where = at.join('.');
        for (const call of calls) assert.ok(!call.text.includes('forbidden words'), `${where}: ${status}`);
        const named = headers['x-rein-dropped']?.split(', ').some((name) => `${nameOf(at)}.`.startsWith(`${name}.`));
        assert.ok(status === 400 || (status === 200 && named), `${where}: ${status}`);
      }
    });
  }
});
