// Backends for tests that render, continue, drop, refuse and echo as the real ones do. Each keeps the prompts that it
// really answered, so that a test can compare what was claimed with what was.
// SPDX-License-Identifier: Apache-2.0
//
// A backend is { answer(call, path), prompts }; `options`: { family, build, script }. `build` names a version's or a
// service's ways: see each. A call may say how its answer is cut: call.cut(text) gives the texts of its events,
// call.writes(bytes) the pieces in which they are written.
import { continuation, divide, families } from './templates.mjs';
import { completion, delta } from './upstream.mjs';

const encode = (text) => Array.from(text, (c) => c.codePointAt(0));
const decode = (tokens) => String.fromCodePoint(...tokens);
const pieces = (call, text) => (text ? call.cut?.(text) ?? text.match(/[^]{1,7}/gu) : []);
const usage = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 };
const refuse = (call, message) => call.reply(400, { error: { message, type: 'invalid_request_error', code: 400 } });
const without = (messages) => messages.slice(0, -1);
const lastOf = (messages) => (messages.at(-1).role === 'assistant' ? messages.at(-1) : undefined);

async function stream(call, events, { type = 'text/event-stream', line = (e) => `data: ${JSON.stringify(e)}\n\n`, end = 'data: [DONE]\n\n' } = {}) {
  await call.begin({ 'content-type': type });
  const lines = [...events.map(line), end];
  for (const bytes of call.writes?.(Buffer.from(lines.join(''))) ?? lines) await call.chunk(bytes);
  await call.end();
}

// An answer of the chat route. `whole`: no reasoning parser is on, all is content. `echo`: stands before the reasoning.
async function say(call, text, { prompt, whole = false, echo = '', more = {}, field = 'reasoning_content', parts = false }) {
  const { reasoning, answer } = whole ? { answer: text } : divide(prompt, text);
  const thought = reasoning === undefined && !echo ? undefined : echo + (reasoning ?? '');
  const each = (make) => Array.from({ length: call.json.n ?? 1 }, (_, index) => make(index));
  if (!call.json.stream) {
    const body = completion({ answer: answer ?? '' });
    const message = body.choices[0].message;
    if (thought !== undefined && parts) message.content = [{ type: 'thinking', thinking: [{ type: 'text', text: thought }] }, { type: 'text', text: answer ?? '' }];
    else if (thought !== undefined) message[field] = thought;
    Object.assign(body.choices[0], more);
    body.choices = each((index) => ({ ...body.choices[0], index }));
    return call.reply(200, body);
  }
  const thinking = (part) => (parts ? { content: [{ type: 'thinking', thinking: [{ type: 'text', text: part }] }] } : { [field]: part });
  const said = [[{ role: 'assistant', content: '' }], ...pieces(call, thought).map((part) => [thinking(part)]),
    ...pieces(call, answer).map((part) => [{ content: part }]), [{}, 'stop']];
  const events = said.flatMap(([fields, finish]) => each((index) => delta(fields, finish, index)));
  return stream(call, [...events, { ...delta({}), choices: [], usage }]);
}

// An answer of /v1/completions: tags inline.
async function complete(call, text) {
  const event = (part, finish = null) => ({ id: 'cmpl-1', object: 'text_completion', created: 1, model: call.json.model, choices: [{ index: 0, text: part, finish_reason: finish }] });
  if (!call.json.stream) return call.reply(200, { ...event(text, 'stop'), usage });
  return stream(call, [...pieces(call, text).map((part) => event(part)), event('', 'stop'), { ...event(''), choices: [], usage }]);
}

// vLLM. build: 'parser' (a reasoning parser is on), 'inline' (none is), 'bare' (no /tokenize).
export function vllm({ family, build = 'parser', script }) {
  const { render, marks } = families[family];
  const prompts = [];
  // The template leaves no trace of a turn whose content it splits away: that is a 400.
  const chatPrompt = (body) => {
    const last = lastOf(body.messages);
    if (body.continue_final_message && body.add_generation_prompt === false && last) return render(without(body.messages), { last: last.content });
    return render(body.messages, { generate: body.add_generation_prompt !== false });
  };
  return {
    prompts,
    answer(call, path) {
      const body = call.json;
      if (path === '/tokenize' && build !== 'bare') {
        const tokens = encode(body.prompt ?? chatPrompt(body));
        return call.reply(200, { tokens, count: tokens.length, max_model_len: 32768 });
      }
      if (path === '/detokenize' && build !== 'bare') return call.reply(200, { prompt: decode(body.tokens) });
      if (path === '/v1/completions') {
        const prompt = decode(body.prompt);
        prompts.push(prompt);
        return complete(call, continuation(prompt, marks, script));
      }
      if (path !== '/v1/chat/completions') return call.reply(404, { detail: 'Not Found' });
      const prompt = chatPrompt(body);
      prompts.push(prompt);
      return say(call, continuation(prompt, marks, script), { prompt, whole: build === 'inline', field: 'reasoning' });
    },
  };
}

// llama-server. build: 'new', 'echo' (it echoes the prefix), 'drop' (it does not know the template's reasoning and drops
// it), 'old' (no turn may be continued while thinking is on).
export function llamacpp({ family, build = 'new', script }) {
  const { render, marks } = families[family];
  const prompts = [];
  const chatPrompt = (body) => {
    const last = lastOf(body.messages);
    if (!last) return render(body.messages, { generate: true });
    if (build === 'old') return null;
    const open = marks ? `${marks[0]}\n` : '';
    if (build === 'drop' || !marks) return render(without(body.messages), { generate: true });
    return `${render(without(body.messages))}<|assistant|>${open}${last.reasoning_content}`;
  };
  return {
    prompts,
    answer(call, path) {
      const body = call.json;
      const old = 'Assistant response prefill is incompatible with enable_thinking.';
      if (path === '/apply-template') {
        const prompt = chatPrompt(body);
        return prompt === null ? refuse(call, old) : call.reply(200, { prompt });
      }
      if (path === '/v1/completions') {
        prompts.push(body.prompt);
        return complete(call, continuation(body.prompt, marks, script));
      }
      if (path !== '/v1/chat/completions') return call.reply(404, { error: { message: 'File Not Found', type: 'not_found_error', code: 404 } });
      const prompt = chatPrompt(body);
      if (prompt === null) return refuse(call, old);
      prompts.push(prompt);
      return say(call, continuation(prompt, marks, script), { prompt, echo: build === 'echo' ? lastOf(body.messages)?.reasoning_content ?? '' : '' });
    },
  };
}

// SGLang. build: 'tokens' (gives the prompt's tokens), 'inline' (the same, without a reasoning
// parser), 'silent' (does not), 'old' (makes the last turn a user's).
export function sglang({ family, build = 'tokens', script }) {
  const { render, marks } = families[family];
  const prompts = [];
  return {
    prompts,
    answer(call, path) {
      const body = call.json;
      if (path === '/detokenize') return call.reply(200, { text: decode(body.tokens) });
      if (path !== '/v1/chat/completions') return call.reply(404, { detail: 'Not Found' });
      const last = lastOf(body.messages);
      const continues = last && body.continue_final_message && build !== 'old';
      const messages = continues ? without(body.messages) : last ? [...without(body.messages), { role: 'user', content: last.content }] : body.messages;
      const prompt = render(messages, { generate: true }) + (continues ? last.content : '');
      if (!body.return_prompt_token_ids) prompts.push(prompt);
      const more = body.return_prompt_token_ids && build !== 'silent' ? { prompt_token_ids: encode(prompt) } : {};
      return say(call, continuation(prompt, marks, script), { prompt, more, whole: build === 'inline' });
    },
  };
}

// Ollama. build: 'plain' (the text comes as it is), 'parser' (a parser of its own tells thinking apart), 'old' (no look at
// the rendered template).
export function ollama({ family, build = 'plain', script }) {
  const { render, marks } = families[family];
  const prompts = [];
  const answerRaw = (call, prompt) => {
    const text = continuation(prompt, marks, script);
    const parts = build === 'parser' ? divide(prompt, text) : { answer: text };
    const lines = [...pieces(call, parts.reasoning).map((thinking) => ({ response: '', thinking })), ...pieces(call, parts.answer).map((response) => ({ response }))];
    const done = { done: true, done_reason: 'stop', prompt_eval_count: 11, eval_count: 7 };
    if (!call.json.stream) return call.reply(200, { model: 'm', response: parts.answer ?? '', ...(parts.reasoning !== undefined && { thinking: parts.reasoning }), ...done });
    return stream(call, [...lines.map((line) => ({ model: 'm', ...line, done: false })), { model: 'm', response: '', ...done }],
      { type: 'application/x-ndjson', line: (e) => `${JSON.stringify(e)}\n`, end: '' });
  };
  return {
    prompts,
    answer(call, path) {
      const body = call.json;
      if (path === '/api/chat' && body._debug_render_only && build !== 'old') {
        if (body.messages.some((m) => typeof m.content !== 'string' || m.tool_calls?.some((c) => typeof c.function.arguments !== 'object'))) return call.reply(400, { error: 'invalid message' });
        return call.reply(200, { model: 'm', _debug_info: { rendered_template: render(body.messages, { generate: true }) } });
      }
      if (path === '/api/chat') return call.reply(200, { model: 'm', message: { role: 'assistant', content: 'Hi.' }, done: true });
      if (path === '/api/generate' && body.raw) {
        prompts.push(body.prompt);
        return answerRaw(call, body.prompt);
      }
      if (path !== '/v1/chat/completions') return call.reply(404, { error: 'not found' });
      const prompt = render(body.messages, { generate: true });
      prompts.push(prompt);
      return say(call, continuation(prompt, marks, script), { prompt, field: 'reasoning' });
    },
  };
}

// A hosted service that may continue a turn. build: 'continues', 'answers' (puts the words into the answer), 'drops',
// 'refuses', 'echoes'. `words` reads the prefix out of the last turn.
function hosted(words, parts, { build = 'continues', script }) {
  const { render, marks } = families['leaves it to the model'];
  const prompts = [];
  return {
    prompts,
    answer(call) {
      const { messages } = call.json;
      const last = lastOf(messages);
      const prefix = last && words(last);
      if (last && (build === 'refuses' || prefix === undefined)) return refuse(call, 'The last message may not be of the assistant.');
      const opened = { continues: '<think>\n', echoes: '<think>\n', answers: '<think>\n\n</think>\n\n' }[build];
      const prompt = !last || build === 'drops' ? render(last ? without(messages) : messages, { generate: true })
        : `${render(without(messages))}<|assistant|>${opened}${prefix}`;
      prompts.push(prompt);
      return say(call, continuation(prompt, marks, script), { prompt, parts, echo: build === 'echoes' && last ? prefix : '' });
    },
  };
}
export const deepseek = (options) => hosted((last) => (last.prefix === true && last.content === '' ? last.reasoning_content : undefined), false, options);
export const mistral = (options) => hosted((last) => (last.prefix === true && last.content?.[0]?.closed === false ? last.content[0].thinking[0].text : undefined), true, options);

// Speaks the chat API, continues nothing. `told`: how an answer is told, if not by `say`.
export function plain({ family, script, told = say }) {
  const { render, marks } = families[family];
  const prompts = [];
  return {
    prompts,
    answer(call, path) {
      if (path !== '/v1/chat/completions') return call.reply(404, {});
      if (lastOf(call.json.messages)) return refuse(call, 'The last message may not be of the assistant.');
      const prompt = render(call.json.messages, { generate: true });
      prompts.push(prompt);
      return told(call, continuation(prompt, marks, script), { prompt });
    },
  };
}

// Anthropic's API of OpenAI's form keeps the reasoning to itself.
const anthropic = (options) => plain({ ...options, told: (call, text, { prompt }) => say(call, divide(prompt, text).answer, { whole: true }) });

// Gemini's has summaries inline. The events of the reasoning carry a flag; the closer comes with the answer, without one.
async function sayThoughts(call, text, { prompt }) {
  const { reasoning, answer } = divide(prompt, text);
  const whole = `<thought>${reasoning}</thought>${answer}`;
  if (!call.json.stream) return say(call, whole, { whole: true });
  const flagged = (content) => delta({ content, extra_content: { google: { thought: true } } });
  return stream(call, [delta({ role: 'assistant', content: '' }), ...pieces(call, `<thought>${reasoning}`).map(flagged),
    ...[`</thought>${answer.slice(0, 6)}`, ...pieces(call, answer.slice(6))].map((content) => delta({ content })), delta({}, 'stop'), { ...delta({}), choices: [], usage }]);
}
const gemini = (options) => plain({ ...options, told: sayThoughts });

// A service that continues prompts (/completions), and speaks the chat API like `plain`. build: 'continues', 'echoes' (the
// prompt's end comes again), 'shortens' (it loses the prompt's end), 'chat' (no completions).
export function completions({ family, build = 'continues', script }) {
  const { marks } = families[family];
  const chat = plain({ family, script });
  return {
    prompts: chat.prompts,
    answer(call, path) {
      if (path !== '/v1/completions' || build === 'chat') return chat.answer(call, path);
      const { prompt } = call.json;
      const kept = build === 'shortens' ? prompt.slice(0, prompt.lastIndexOf('<|assistant|>') + 13) : prompt;
      chat.prompts.push(kept);
      const echo = build === 'echoes' ? prompt.slice(prompt.lastIndexOf('My notes')) : '';
      return complete(call, echo + continuation(kept, marks, script));
    },
  };
}
// The template as its operator writes it down.
completions.config = ({ family }) => {
  const { marks, render } = families[family];
  const turn = (role) => JSON.stringify(`<|${role}|>{content}<|end|>`);
  return `, template: { system: ${turn('system')}, user: ${turn('user')}, assistant: ${turn('assistant')}, generate: ${JSON.stringify(render([], { generate: true }))} }`
    + (marks ? `, reasoning: { open: "${marks[0]}", close: "${marks[1]}" }` : '');
};

export const makers = { vllm, llamacpp, sglang, ollama, deepseek, mistral, openai: plain, groq: plain, openrouter: plain, anthropic, gemini, completions };
