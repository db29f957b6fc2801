// Families of chat templates as backends meet them, and a model that goes on from whatever prompt it is given.
// SPDX-License-Identifier: Apache-2.0
//
// A family renders messages to text: `generate` adds the generation prompt, `last` is a turn of the assistant that shall
// be left open at its end (as continue_final_message does), with what the family puts before it.

const turn = (role, text) => `<|${role}|>${text}<|end|>`;

// What stands in an assistant's turn that is over.
function past(message, marks, keepsReasoning) {
  const thought = message.reasoning ?? message.reasoning_content ?? message.thinking;
  const head = thought && keepsReasoning && marks ? `${marks[0]}\n${thought}\n${marks[1]}\n\n` : '';
  return head + (message.content ?? '');
}

// shape: { marks, opens: the generation prompt opens the reasoning, closes: it closes an empty one, before: what stands
// before a continued turn, unless the turn itself begins with the opener and the template lets it stand }
function family({ marks = ['<think>', '</think>'], opens = false, closes = false, keeps = true, rewrites = false }) {
  const render = (messages, { generate = false, last } = {}) => {
    const texts = messages.map((m) => turn(m.role, m.role === 'assistant' ? past(m, marks, keeps) : m.content));
    if (generate) texts.push(`<|assistant|>${opens ? `${marks[0]}\n` : closes ? `${marks[0]}\n\n${marks[1]}\n\n` : ''}`);
    if (last !== undefined) texts.push(`<|assistant|>${rewrites ? `${marks[0]}\n\n${marks[1]}\n\n` : ''}${last}`);
    return texts.join('');
  };
  return { marks, render };
}

export const families = {
  'opens reasoning': family({ opens: true, keeps: false }),
  'leaves it to the model': family({}),
  'rewrites a continued turn': family({ rewrites: true }),
  'closes an empty reasoning': family({ closes: true, rewrites: true }),
  'writes [THINK]': family({ marks: ['[THINK]', '[/THINK]'] }),
  'knows no reasoning': family({ marks: null, keeps: false }),
};

const allMarks = [['<think>', '</think>'], ['[THINK]', '[/THINK]']];

// Does the last turn of a prompt end inside open reasoning, and which?
export function openMarks(prompt) {
  const own = prompt.slice(prompt.lastIndexOf('<|assistant|>'));
  return allMarks.find(([open, close]) => own.lastIndexOf(open) > own.lastIndexOf(close));
}

const wasClosed = (prompt) => {
  const own = prompt.slice(prompt.lastIndexOf('<|assistant|>'));
  return allMarks.some(([, close]) => own.includes(close));
};

// What a model says after a prompt: the rest of its reasoning, the closer, the answer; all as one text. A script may be a
// function of the prompt.
export function continuation(prompt, marks, script = { reasoning: ' I look at it. Then I help.', answer: 'Here you are.' }) {
  const code = /the code is ([A-Z]+-\d+)/.exec(prompt.slice(prompt.lastIndexOf('<|assistant|>')))?.[1];
  const asked = prompt.includes('Which code stands in your notes?');
  const { reasoning, answer } = !asked ? (typeof script === 'function' ? script(prompt) : script)
    : code ? { reasoning: ` ${code}.`, answer: code } : { reasoning: ' I have no notes.', answer: 'There is none.' };
  const open = openMarks(prompt);
  if (open) return `${reasoning}${open[1]}\n\n${answer}`;
  if (wasClosed(prompt) || !marks) return answer;
  return `${marks[0]}\n${reasoning}\n${marks[1]}\n\n${answer}`;
}

// Divides a model's text as a reasoning parser does that knows the prompt.
export function divide(prompt, text) {
  const open = openMarks(prompt) ?? allMarks.find(([mark]) => text.startsWith(mark));
  if (!open) return { answer: text };
  const body = text.startsWith(open[0]) ? text.slice(open[0].length) : text;
  const at = body.indexOf(open[1]);
  return at < 0 ? { reasoning: body } : { reasoning: body.slice(0, at), answer: body.slice(at + open[1].length).trimStart() };
}
