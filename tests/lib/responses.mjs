// An upstream that speaks OpenAI's Responses, and what a strict client makes of a stream.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { namedEvents } from './client.mjs';
import { sse } from './upstream.mjs';

const usage = { input_tokens: 11, input_tokens_details: { cached_tokens: 0 }, output_tokens: 23, output_tokens_details: { reasoning_tokens: 7 }, total_tokens: 34 };

// What is said: { summary (or summaries, of several parts), reasoning, text, tool: { name, input }, custom: { name, input } }. Texts are lists of pieces, or one string.
const pieces = (text) => (Array.isArray(text) ? text : [text]);
const whole = (text) => pieces(text).join('');

// The items of a whole answer.
function itemsOf({ summary, summaries = summary === undefined ? undefined : [summary], reasoning, text, tool, custom }) {
  const items = [];
  if (summaries !== undefined || reasoning !== undefined)
    items.push({
      id: 'rs_1', type: 'reasoning', summary: (summaries ?? []).map((one) => ({ type: 'summary_text', text: whole(one) })),
      ...(reasoning === undefined ? {} : { content: [{ type: 'reasoning_text', text: whole(reasoning) }] }), encrypted_content: 'c2VhbGVk',
    });
  if (text !== undefined)
    items.push({ id: 'msg_1', type: 'message', status: 'completed', role: 'assistant', content: [{ type: 'output_text', text: whole(text), annotations: [], logprobs: [] }] });
  if (tool !== undefined)
    items.push({ id: 'fc_1', type: 'function_call', status: 'completed', call_id: 'call_1', name: tool.name, arguments: whole(tool.input) });
  if (custom !== undefined) items.push({ id: 'ctc_1', type: 'custom_tool_call', status: 'completed', call_id: 'call_2', name: custom.name, input: whole(custom.input) });
  return items;
}

export function response(said, status = 'completed') {
  return {
    id: 'resp_up', object: 'response', created_at: 1700000000, status, error: null, incomplete_details: null, instructions: null, metadata: {}, model: 'm',
    output: status === 'completed' ? itemsOf(said) : [], parallel_tool_calls: true, temperature: 1, tool_choice: 'auto', tools: [], top_p: 1,
    usage: status === 'completed' ? usage : null,
  };
}

// The events of a streamed one, each as an object. `other`: parts of reasoning have the name that vLLM gives them.
export function eventsOf(said, { other = false } = {}) {
  const events = [], say = (type, fields) => events.push({ type, ...fields });
  say('response.created', { response: response(said, 'in_progress') });
  say('response.in_progress', { response: response(said, 'in_progress') });
  itemsOf(said).forEach((item, output_index) => {
    const at = { item_id: item.id, output_index };
    const empty = { ...item, ...(item.status && { status: 'in_progress' }), ...(item.summary && { summary: [] }), ...(item.content && { content: [] }),
      ...(item.arguments !== undefined && { arguments: '' }), ...(item.input !== undefined && { input: '' }) };
    const part = (list, part, index, text) => {
      const name = list === 'summary' ? 'reasoning_summary' : part.type === 'reasoning_text' ? 'reasoning' : 'output';
      const where = { ...at, [list === 'summary' ? 'summary_index' : 'content_index']: index };
      const about = list === 'summary' ? 'reasoning_summary_part' : other && name === 'reasoning' ? 'reasoning_part' : 'content_part';
      say(`response.${about}.added`, { ...where, part: { ...part, text: '' } });
      for (const delta of pieces(text)) say(`response.${name}_text.delta`, { ...where, delta });
      say(`response.${name}_text.done`, { ...where, text: part.text });
      say(`response.${about}.done`, { ...where, part });
    };
    const call = (name, key, text) => {
      for (const delta of pieces(text)) say(`response.${name}.delta`, { ...at, delta });
      say(`response.${name}.done`, { ...at, [key]: whole(text) });
    };
    say('response.output_item.added', { output_index, item: empty });
    item.summary?.forEach((one, i) => part('summary', one, i, said.summaries?.[i] ?? said.summary));
    item.content?.forEach((one, i) => part('content', one, i, item.type === 'reasoning' ? said.reasoning : said.text));
    if (item.type === 'function_call') call('function_call_arguments', 'arguments', said.tool.input);
    if (item.type === 'custom_tool_call') call('custom_tool_call_input', 'input', said.custom.input);
    say('response.output_item.done', { output_index, item });
  });
  say('response.completed', { response: response(said) });
  return events.map((event, sequence_number) => ({ ...event, sequence_number }));
}

export const streamed = (said, how) => eventsOf(said, how).map((event) => sse(event, event.type));

// Answers a call, streamed or not.
export async function say(call, said, how) {
  if (!call.json.stream) return call.reply(200, response(said));
  await call.begin();
  await call.chunk(streamed(said, how).join(''));
  return call.end();
}

const endings = ['response.completed', 'response.incomplete', 'response.failed', 'error'];

// What a strict client makes of a stream: fails where one would. Numbers without gaps; items and parts announced in order;
// each repetition says what was shown.
export function gatherResponses(text) {
  const seen = { reasoning: '', text: '', calls: [], ids: new Set(), begun: 0, ended: [], errors: [], items: [], output: [] };
  let number;
  for (const { name, data } of namedEvents(text)) {
    const { type } = data, item = seen.items[data.output_index];
    if (name !== undefined) assert.equal(name, type, text);
    assert.equal(seen.ended.length, 0, `after the end: ${text}`);
    if (number !== undefined && data.sequence_number !== undefined) assert.equal(data.sequence_number, number + 1, `a number is missing: ${text}`);
    number = data.sequence_number ?? number;
    if (data.response?.id) seen.ids.add(data.response.id);
    if (type === 'response.created') seen.begun++;
    if (type === 'error') seen.errors.push(data);
    if (type === 'response.failed') seen.errors.push(data.response.error);
    if (type === 'response.output_item.added') {
      assert.equal(data.output_index, seen.items.length, text);
      seen.items.push({ type: data.item.type, name: data.item.name, content: [], summary: [], call: '' });
    }
    const list = type.includes('summary') ? item?.summary : item?.content, index = data.content_index ?? data.summary_index;
    if (type.endsWith('_part.added')) { assert.equal(index, list.length, text); list.push(''); }
    if (type.endsWith('.delta')) {
      if (type.includes('_call')) item.call += data.delta;
      else {
        assert.ok(index < list.length, `no such part: ${text}`);
        list[index] += data.delta;
        if (type.includes('reasoning')) seen.reasoning += data.delta;
        else seen.text += data.delta;
      }
    }
    if (/_text\.done$/.test(type)) assert.equal(data.text, list[index], text);
    if (type.endsWith('_part.done')) assert.equal(data.part.text, list[index], text);
    if (type === 'response.output_item.done') {
      for (const which of ['content', 'summary']) data.item[which]?.forEach((part, i) => assert.equal(part.text, item[which][i], text));
      if (/_call$/.test(data.item.type)) {
        assert.equal(data.item.arguments ?? data.item.input, item.call, text);
        seen.calls.push({ name: data.item.name, input: item.call });
      }
    }
    if (endings.includes(type)) {
      seen.ended.push(type);
      seen.output = data.response?.output ?? [];
    }
  }
  return seen;
}
