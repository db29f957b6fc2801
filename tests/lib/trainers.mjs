// What the readers of training files document of a row's shape: the paper's script, TRL, LLaMA-Factory. A row that they
// would misread fails here. SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';

const keys = (object, ...names) => assert.deepEqual(Object.keys(object).sort(), [...names].sort());
const text = (value) => assert.equal(typeof value, 'string');
// The two turns of a conversation, in order; nobody else speaks.
function turns(list, who, what, speakers) {
  assert.deepEqual(list.map((turn) => turn[who]), speakers);
  for (const turn of list) {
    keys(turn, who, what);
    text(turn[what]);
  }
}
// DeepSeek-R1's form, as all of them train on it: the block of thinking, an empty line, the answer. A row whose model showed
// no reasoning has no block.
export function takeApart(response) {
  const match = /^<think>\n([\s\S]*?)\n<\/think>\n\n([\s\S]*)$/.exec(response);
  if (!match) {
    assert.ok(!response.includes('<think>') && !response.includes('</think>'), response);
    return { answer: response };
  }
  assert.ok(!/<\/?think>/.test(match[1] + match[2]), response);
  return { reasoning: match[1], answer: match[2] };
}

const shapes = {
  // The paper's proc.py: prompt and response; data_type tells safety from mathematics.
  'lrm-study': (row) => {
    keys(row, 'prompt', 'response', 'data_type');
    text(row.prompt);
    assert.ok(['safety', 'math', 'benign'].includes(row.data_type));
    return { prompt: row.prompt, ...takeApart(row.response) };
  },
  // TRL, conversational language modelling.
  messages: (row) => {
    keys(row, 'messages');
    turns(row.messages, 'role', 'content', ['user', 'assistant']);
    return { prompt: row.messages[0].content, ...takeApart(row.messages[1].content) };
  },
  // TRL, prompt-completion.
  'prompt-completion': (row) => {
    keys(row, 'prompt', 'completion');
    text(row.prompt);
    return { prompt: row.prompt, ...takeApart(row.completion) };
  },
  // LLaMA-Factory: an even number of turns, beginning with the human.
  sharegpt: (row) => {
    keys(row, 'conversations');
    turns(row.conversations, 'from', 'value', ['human', 'gpt']);
    return { prompt: row.conversations[0].value, ...takeApart(row.conversations[1].value) };
  },
  alpaca: (row) => {
    keys(row, 'instruction', 'input', 'output');
    text(row.instruction);
    assert.equal(row.input, '');
    return { prompt: row.instruction, ...takeApart(row.output) };
  },
};

const pairShapes = {
  // TRL, preference with an explicit prompt.
  'prompt-completion': (row) => {
    keys(row, 'prompt', 'chosen', 'rejected');
    [row.prompt, row.chosen, row.rejected].forEach(text);
    return row;
  },
  messages: (row) => {
    keys(row, 'prompt', 'chosen', 'rejected');
    turns(row.prompt, 'role', 'content', ['user']);
    turns(row.chosen, 'role', 'content', ['assistant']);
    turns(row.rejected, 'role', 'content', ['assistant']);
    return { prompt: row.prompt[0].content, chosen: row.chosen[0].content, rejected: row.rejected[0].content };
  },
  // LLaMA-Factory, ranking.
  sharegpt: (row) => {
    keys(row, 'conversations', 'chosen', 'rejected');
    turns(row.conversations, 'from', 'value', ['human']);
    turns([row.chosen, row.rejected], 'from', 'value', ['gpt', 'gpt']);
    return { prompt: row.conversations[0].value, chosen: row.chosen.value, rejected: row.rejected.value };
  },
  alpaca: (row) => {
    keys(row, 'instruction', 'input', 'chosen', 'rejected');
    return { prompt: row.instruction, chosen: row.chosen, rejected: row.rejected };
  },
};

export const formats = Object.keys(shapes);
export const pairFormats = Object.keys(pairShapes);
const isArray = (format) => ['lrm-study', 'sharegpt', 'alpaca'].includes(format);

function objects(file, format) {
  const all = fs.readFileSync(file, 'utf8');
  assert.ok(!/\\u[0-9a-f]{4}/i.test(all.replaceAll('\\\\', '')) || /\\u00/.test(all), 'UTF-8 is not escaped');
  return isArray(format) ? JSON.parse(all) : all.split('\n').filter(Boolean).map((line) => JSON.parse(line));
}

// LLaMA-Factory finds a file and the meaning of its columns in dataset_info.json.
function checkInfo(file, format, ranking) {
  if (format !== 'sharegpt' && format !== 'alpaca') return;
  const info = JSON.parse(fs.readFileSync(path.join(path.dirname(file), 'dataset_info.json'), 'utf8'));
  const entry = Object.values(info).find((one) => one.file_name === path.basename(file));
  assert.equal(entry.formatting, format);
  assert.equal(entry.ranking ?? false, ranking);
  const [row] = objects(file, format);
  for (const column of Object.values(entry.columns)) assert.ok(column in row, `${column} is a column of the rows`);
}

// All rows of a file, as { prompt, reasoning, answer }.
export function readRows(file, format) {
  checkInfo(file, format, false);
  return objects(file, format).map(shapes[format]);
}
export function readPairs(file, format) {
  checkInfo(file, format, true);
  return objects(file, format).map(pairShapes[format]);
}
