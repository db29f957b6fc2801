// Decisions for backtests in each API: answers of several blocks in any order, cut anywhere, which follow from their number alone.
// SPDX-License-Identifier: Apache-2.0
import { answers, asks, diceOf, thoughts } from './backtested.mjs';
import { sse } from './upstream.mjs';

// What only the end of a text decides: they could go on.
const ends = ['Card 4111 1111 1111 1111', 'Write to jo@example.org', 'the key is sk-proj-4f8Kz0QmT7vXb2LpR9sYc3Wd', 'It was a wrong turn', 'say open sesame', ''];
const inputs = ['{"to": "al@example.com", "n": 3}', '{ "card": "4111111111111111" }', '{"a": [1, 2.50, {"b": null}]}', '{"number": 4111111111111111}', '{}'];

// A request: { ask, stream, blocks: [{ kind, pieces }] }. `kinds`: those of the API.
function blocksOf(number, kinds) {
  const dice = diceOf(number), pick = (list) => list[dice(list.length)];
  const cut = (text) => {
    const pieces = [];
    for (let at = 0; at < text.length;) {
      const len = 1 + dice(40);
      pieces.push(text.slice(at, at + len));
      at += len;
    }
    return pieces;
  };
  const textOf = (kind) => {
    if (/tool|custom/.test(kind)) return pick(inputs);
    const list = /answer|refusal|content$/.test(kind) && kind !== 'reasoning_content' ? answers : thoughts;
    return Array.from({ length: dice(4) }, () => pick(list)).join('') + pick(ends);
  };
  const blocks = Array.from({ length: 1 + dice(6) }, () => {
    const kind = pick(kinds);
    return { kind, pieces: cut(textOf(kind)) };
  });
  return { ask: pick(asks), stream: dice(2) === 0, blocks };
}

const whole = (block) => block.pieces.join('');

// ---- Messages ----

const messageKinds = ['thinking', 'thinking', 'answer', 'answer', 'tool', 'reasoning'];

function messageBlock({ kind }, text, id) {
  if (kind === 'tool') return { type: 'tool_use', id: `toolu_${id}`, name: 'f', input: text === '' ? {} : JSON.parse(text) };
  if (kind === 'thinking') return { type: 'thinking', thinking: text, signature: '' };
  return { type: kind === 'answer' ? 'text' : 'thinking', [kind === 'answer' ? 'text' : 'reasoning']: text };
}

function messageEvents(blocks) {
  const deltas = { thinking: ['thinking_delta', 'thinking'], reasoning: ['thinking_delta', 'reasoning'], answer: ['text_delta', 'text'], tool: ['input_json_delta', 'partial_json'] };
  const head = { id: 'msg_up', type: 'message', role: 'assistant', model: 'm', content: [], stop_reason: null, usage: { input_tokens: 1, output_tokens: 1 } };
  return [
    { type: 'message_start', message: head },
    ...blocks.flatMap((block, index) => [
      { type: 'content_block_start', index, content_block: messageBlock(block, '', index) },
      ...block.pieces.map((piece) => ({ type: 'content_block_delta', index, delta: { type: deltas[block.kind][0], [deltas[block.kind][1]]: piece } })),
      { type: 'content_block_stop', index },
    ]),
    { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 9 } },
    { type: 'message_stop' },
  ];
}

// As a server writes a body: inputs as they came.
function messageBody(blocks) {
  const content = blocks.map((block, i) => (block.kind === 'tool'
    ? `{"type":"tool_use","id":"toolu_${i}","name":"f","input":${whole(block)}}` : JSON.stringify(messageBlock(block, whole(block), i))));
  return `{"id":"msg_up","type":"message","role":"assistant","model":"m","content":[${content}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":9}}`;
}

// ---- Responses ----

const responseKinds = ['summary', 'reasoning', 'answer', 'answer', 'refusal', 'tool', 'custom'];

// How a block is sent: its item, its part, its events and where those have the text.
const shapes = {
  summary: { item: () => ({ type: 'reasoning', summary: [] }), list: 'summary', part: 'summary_text', event: 'reasoning_summary_text', about: 'reasoning_summary_part', index: 'summary_index', key: 'text' },
  reasoning: { item: () => ({ type: 'reasoning', summary: [], content: [] }), list: 'content', part: 'reasoning_text', event: 'reasoning_text', about: 'content_part', index: 'content_index', key: 'text' },
  answer: { item: () => ({ type: 'message', role: 'assistant', status: 'completed', content: [] }), list: 'content', part: 'output_text', event: 'output_text', about: 'content_part', index: 'content_index', key: 'text' },
  refusal: { item: () => ({ type: 'message', role: 'assistant', status: 'completed', content: [] }), list: 'content', part: 'refusal', event: 'refusal', about: 'content_part', index: 'content_index', key: 'refusal' },
  tool: { item: () => ({ type: 'function_call', status: 'completed', call_id: 'call_1', name: 'f', arguments: '' }), event: 'function_call_arguments', key: 'arguments' },
  custom: { item: () => ({ type: 'custom_tool_call', status: 'completed', call_id: 'call_1', name: 'g', input: '' }), event: 'custom_tool_call_input', key: 'input' },
};

// The items of an answer, each with its blocks: a block that has the same list as the one before it is another part of its item.
function itemsOf(blocks) {
  const items = [];
  blocks.forEach((block, i) => {
    const { item, list, part, key } = shapes[block.kind], last = items.at(-1), empty = item();
    const goesOn = i % 2 === 1 && list !== undefined && last?.blocks[0].kind === block.kind;
    if (!goesOn) items.push({ id: `item_${i}`, value: { id: `item_${i}`, ...empty }, blocks: [] });
    const { value, blocks: parts } = items.at(-1);
    parts.push(block);
    if (list === undefined) value[key] = whole(block);
    else value[list].push({ type: part, [key]: whole(block) });
  });
  return items;
}

function responseOf(items, status) {
  return { id: 'resp_up', object: 'response', created_at: 1700000000, status, error: null, model: 'm', output: items.map((item) => item.value), usage: null };
}

function responseEvents(blocks) {
  const items = itemsOf(blocks), events = [{ type: 'response.created', response: responseOf([], 'in_progress') }];
  items.forEach(({ id, value, blocks: parts }, output_index) => {
    events.push({ type: 'response.output_item.added', output_index, item: { id, ...shapes[parts[0].kind].item() } });
    parts.forEach((block, i) => {
      const { part, event, about, index, key } = shapes[block.kind];
      const at = { item_id: id, output_index, ...(index && { [index]: i }) };
      if (about) events.push({ type: `response.${about}.added`, ...at, part: { type: part, [key]: '' } });
      for (const delta of block.pieces) events.push({ type: `response.${event}.delta`, ...at, delta });
      events.push({ type: `response.${event}.done`, ...at, [key]: whole(block) });
      if (about) events.push({ type: `response.${about}.done`, ...at, part: { type: part, [key]: whole(block) } });
    });
    events.push({ type: 'response.output_item.done', output_index, item: value });
  });
  return [...events, { type: 'response.completed', response: responseOf(items, 'completed') }];
}

// ---- chat ----

const chatKinds = ['reasoning_content', 'reasoning_content', 'reasoning', 'content', 'content', 'refusal', 'tool'];

const says = ({ kind }, text, index) => (kind === 'tool' ? { tool_calls: [{ index, function: { arguments: text } }] } : { [kind]: text });

function chatEvents(blocks) {
  const chunk = (delta, finish_reason = null) => ({ choices: [{ index: 0, delta, finish_reason }] });
  return [...blocks.flatMap((block, i) => block.pieces.map((piece) => chunk(says(block, piece, i)))), chunk({}, 'stop'), '[DONE]'];
}

function chatBody(blocks) {
  const message = { role: 'assistant' };
  for (const block of blocks) {
    if (block.kind === 'tool') (message.tool_calls ??= []).push({ function: { arguments: whole(block) } });
    else message[block.kind] = (message[block.kind] ?? '') + whole(block);
  }
  return { choices: [{ index: 0, message, finish_reason: 'stop' }] };
}

// ---- all ----

const asChat = (said, stream) => ({ path: '/v1/chat/completions', body: { model: 'm-chat', stream, messages: [{ role: 'user', content: said }] } });
const asMessages = (said, stream) => ({ path: '/v1/messages', body: { model: 'm-messages', max_tokens: 64, stream, messages: [{ role: 'user', content: said }] } });
const asResponses = (said, stream) => ({ path: '/v1/responses', body: { model: 'm-responses', stream, input: said } });
export const apis = {
  chat: { kinds: chatKinds, request: asChat, events: chatEvents, body: chatBody },
  messages: { kinds: messageKinds, request: asMessages, events: messageEvents, body: messageBody },
  responses: { kinds: responseKinds, request: asResponses, events: responseEvents, body: (blocks) => responseOf(itemsOf(blocks), 'completed') },
};

// Answers a call whose user said `#number`.
export async function sayBlocks(call) {
  const { kinds, events, body } = Object.entries(apis).find(([name]) => call.json.model === `m-${name}`)[1];
  const { blocks } = blocksOf(Number(/#(\d+)/.exec(call.text)[1]), kinds);
  if (!call.json.stream) return call.reply(200, body(blocks));
  await call.begin();
  for (const event of events(blocks)) await call.event(event, event.type);
  return call.end();
}

// The request with this number.
export function requestOf(number, api) {
  const { ask, stream } = blocksOf(number, apis[api].kinds);
  return apis[api].request(`${ask} #${number}`, stream);
}
