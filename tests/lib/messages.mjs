// An upstream that speaks Anthropic's Messages, and what a strict client makes of a stream.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { namedEvents } from './client.mjs';
import { sse } from './upstream.mjs';

const usage = { input_tokens: 11, output_tokens: 23 };

// What is said: { thinking, signature, text, tool: { name, input }, stop }. Texts are lists of pieces, or one string.
const pieces = (text) => (text === undefined ? [] : Array.isArray(text) ? text : [text]);

// The blocks of a whole answer.
function blocksOf({ thinking, signature = 'c2lnbmVk', text, tool }) {
  const blocks = [];
  if (thinking !== undefined) blocks.push({ type: 'thinking', thinking: pieces(thinking).join(''), signature });
  if (text !== undefined) blocks.push({ type: 'text', text: pieces(text).join('') });
  if (tool !== undefined) blocks.push({ type: 'tool_use', id: 'toolu_1', name: tool.name, input: JSON.parse(pieces(tool.input).join('')) });
  return blocks;
}

export function message(said) {
  return {
    id: 'msg_up', type: 'message', role: 'assistant', model: 'm', content: blocksOf(said),
    stop_reason: said.stop ?? (said.tool ? 'tool_use' : 'end_turn'), stop_sequence: null, usage,
  };
}

// The events of a streamed one, each as bytes.
export function streamed(said) {
  const events = [{ type: 'message_start', message: { ...message({}), stop_reason: null, usage: { ...usage, output_tokens: 1 } } }];
  let index = 0;
  const block = (start, deltas) => {
    events.push({ type: 'content_block_start', index, content_block: start });
    if (index === 0) events.push({ type: 'ping' });
    deltas.forEach((delta) => events.push({ type: 'content_block_delta', index, delta }));
    events.push({ type: 'content_block_stop', index: index++ });
  };
  if (said.thinking !== undefined)
    block({ type: 'thinking', thinking: '', signature: '' }, [...pieces(said.thinking).map((thinking) => ({ type: 'thinking_delta', thinking })),
      { type: 'signature_delta', signature: said.signature ?? 'c2lnbmVk' }]);
  if (said.text !== undefined) block({ type: 'text', text: '' }, pieces(said.text).map((text) => ({ type: 'text_delta', text })));
  if (said.tool !== undefined)
    block({ type: 'tool_use', id: 'toolu_1', name: said.tool.name, input: {} },
      pieces(said.tool.input).map((partial_json) => ({ type: 'input_json_delta', partial_json })));
  events.push({ type: 'message_delta', delta: { stop_reason: said.stop ?? (said.tool ? 'tool_use' : 'end_turn'), stop_sequence: null }, usage: { output_tokens: 23 } });
  events.push({ type: 'message_stop' });
  return events.map((event) => sse(event, event.type));
}

// Answers a call, streamed or not.
export async function say(call, said) {
  if (!call.json.stream) return call.reply(200, message(said));
  await call.begin();
  await call.chunk(streamed(said).join(''));
  return call.end();
}

// What a strict client makes of a stream: fails where one would. Blocks begin in order, get their own deltas, and end.
export function gatherMessages(text) {
  const seen = { thinking: '', text: '', tools: [], ids: [], stops: [], errors: [], signatures: 0, ended: 0, blocks: 0 };
  const open = new Map();
  for (const { name, data } of namedEvents(text)) {
    assert.equal(name, data.type, text);
    assert.equal(seen.ended, 0, `after the end: ${text}`);
    if (data.type === 'ping') continue;
    if (data.type === 'error') { seen.errors.push(data.error); seen.ended++; continue; }
    assert.equal(data.type === 'message_start', seen.ids.length === 0, `message_start: ${text}`);
    if (data.type === 'message_start') seen.ids.push(data.message.id);
    if (data.type === 'content_block_start') {
      assert.equal(data.index, seen.blocks++, `a number is missing: ${text}`);
      open.set(data.index, { ...data.content_block, json: '' });
      seen.text += data.content_block.text ?? '';
      seen.thinking += data.content_block.thinking ?? '';
    }
    if (data.type === 'content_block_delta') {
      const block = open.get(data.index);
      assert.ok(block, `not open: ${text}`);
      seen.text += data.delta.text ?? '';
      seen.thinking += data.delta.thinking ?? '';
      seen.signatures += data.delta.signature ? 1 : 0;
      block.json += data.delta.partial_json ?? '';
    }
    if (data.type === 'content_block_stop') {
      const block = open.get(data.index);
      assert.ok(block, `not open: ${text}`);
      if (block.type === 'tool_use') seen.tools.push({ name: block.name, input: block.json });
      open.delete(data.index);
    }
    if (data.type === 'message_delta') {
      assert.equal(open.size, 0, `a block is open: ${text}`);
      assert.ok(data.usage, text);
      seen.stops.push(data.delta.stop_reason);
    }
    if (data.type === 'message_stop') seen.ended++;
  }
  return seen;
}
