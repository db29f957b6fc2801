// Where findings, their steps and masks stand in a kept text: a text is cut into segments that are marked alike.
// SPDX-License-Identifier: Apache-2.0
//
// Offsets of findings are bytes of the text that was received. In the kept text a mask stands in the place of what may
// not be kept, so offsets behind it have moved.

const decoder = new TextDecoder();
const isContinuation = (byte) => (byte & 0xc0) === 0x80;

// An offset of the received text as one of the kept text. One within a mask is the mask's begin, or its end.
export function keptOffset(masks, offset, isEnd = false) {
  let grown = 0; // how much longer the received text is, up to here
  for (const mask of masks) {
    const begin = mask.offset + grown, original = mask.restored_len ?? mask.len;
    if (isEnd ? offset <= begin : offset < begin) break;
    if (isEnd ? offset <= begin + original : offset < begin + original) return isEnd ? mask.offset + mask.len : mask.offset;
    grown += original - mask.len;
  }
  return offset - grown;
}

// The begin of the character that the byte at `at` belongs to.
function toCharacter(bytes, at) {
  let place = Math.max(0, Math.min(at, bytes.length));
  while (place > 0 && place < bytes.length && isContinuation(bytes[place])) place--;
  return place;
}

// What stands in the text, each as { from, to, ... }, in bytes of the kept text.
function marksOf(bytes, masks, findings, origin) {
  const span = (offset, len, more) => {
    const from = toCharacter(bytes, keptOffset(masks, offset - origin));
    const to = Math.max(from, toCharacter(bytes, keptOffset(masks, offset + len - origin, true)));
    return { from, to, ...more };
  };
  return [
    ...masks.map((mask) => ({ from: mask.offset, to: Math.min(bytes.length, mask.offset + mask.len), mask })),
    ...findings.flatMap((finding) => [
      span(finding.offset, finding.len, { finding }),
      ...finding.steps.filter((step) => step.offset < finding.offset + Math.max(finding.len, 1) || step.len > 0).map((step) => span(step.offset, step.len, { step, of: finding.n })),
    ]),
  ].filter((mark) => mark.from < bytes.length || mark.finding);
}

// The segments of a text, in order: { text, from, to, findings, steps, mask, starts, tags }. `findings` and `steps` cover
// the segment; `starts` are the findings that begin with it, `tags` the signals that do. Steps of several findings that
// are the same sentence and signal count once.
// `origin`: where the text begins, if findings count what was shown before it.
export function segments(text, masks = [], findings = [], origin = 0) {
  const bytes = new TextEncoder().encode(text);
  const marks = marksOf(bytes, masks.toSorted((a, b) => a.offset - b.offset), findings, origin);
  const cuts = [...new Set([0, bytes.length, ...marks.flatMap((mark) => [mark.from, mark.to])])].filter((at) => at <= bytes.length).sort((a, b) => a - b);
  const begins = new Map(cuts.map((at) => [at, []]));
  for (const mark of marks) begins.get(Math.min(mark.from, bytes.length)).push(mark);
  const list = [];
  let open = [];
  for (let i = 0; i < cuts.length; i++) {
    const from = cuts[i], to = cuts[i + 1] ?? from;
    const here = begins.get(from) ?? [];
    open = [...open.filter((mark) => mark.to > from), ...here];
    const starts = here.filter((mark) => mark.finding).map((mark) => mark.finding);
    if (from === to && starts.length === 0) continue;
    const tags = [...new Map(here.filter((mark) => mark.step && mark.to > from).map((mark) => [mark.step.signal, mark.step])).values()];
    const covers = open.filter((mark) => mark.to > from);
    list.push({
      text: decoder.decode(bytes.subarray(from, to)), from, to, starts, tags,
      findings: covers.filter((mark) => mark.finding).map((mark) => mark.finding),
      steps: covers.filter((mark) => mark.step).map((mark) => mark.step),
      mask: covers.find((mark) => mark.mask)?.mask ?? null,
    });
  }
  return list;
}

// The middle of a long stretch without marks, which is shown only if asked for: { head, middle, tail }, or null.
export function fold(text, keep = 2000) {
  if (text.length < 5 * keep) return null;
  const space = (at) => { const found = text.indexOf(' ', at); return found < 0 || found > at + 200 ? at : found; };
  const a = space(keep), b = space(text.length - keep);
  return { head: text.slice(0, a), middle: text.slice(a, b), tail: text.slice(b) };
}
