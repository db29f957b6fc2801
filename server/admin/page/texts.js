// A decision's texts as text: findings, steps and masks marked in place; what was not kept as a bar of its length.
// SPDX-License-Identifier: Apache-2.0
import { useMemo, useState } from 'preact/hooks';
import { bytes, count, plural, words } from './format.js';
import { html, Outside, visible } from './parts.js';
import { fold, segments } from './spans.js';

// ---- marked text ----

function Folded({ text }) {
  const [isOpen, open] = useState(false);
  const parts = useMemo(() => fold(text), [text]);
  if (!parts || isOpen) return html`${visible(text)}`;
  return html`${visible(parts.head)}<button type="button" class="fold" onClick=${() => open(true)}>${count(parts.middle.length)} characters without a finding: show</button>${visible(parts.tail)}`;
}

function Segment({ segment }) {
  const { findings, steps, mask, starts, tags } = segment;
  const refs = starts.map((finding) => html`<a class=${`ref ${finding.shadow ? 'in-shadow' : ''}`} id=${`at${finding.n}`} href=${`#f${finding.n}`} aria-label=${`Finding ${finding.n + 1}`}>${finding.n + 1}</a>`);
  const tag = tags.length > 0 && html`<span class="tag"><span class="hidden">signal: </span>${tags.map((step) => words(visible(step.signal))).join(', ')}</span>`;
  let inner = html`<${Folded} text=${segment.text} />`;
  if (mask) inner = html`<span class="mask" title=${`masked by ${visible(mask.rule)}: ${plural(mask.restored_len, 'byte')}`}>${visible(segment.text)}</span>`;
  if (steps.length > 0) inner = html`<span class="step">${tag}${inner}</span>`;
  if (findings.length > 0) {
    const isShadow = findings.every((finding) => finding.shadow);
    inner = html`<mark class=${isShadow ? 'in-shadow' : ''} title=${findings.slice(0, 5).map((finding) => words(visible(finding.id))).join(', ')}>${inner}</mark>`;
  }
  return html`${refs}${inner}`;
}

// A stretch of a text that is not there: its length is to scale with the other bars of the page.
export function Unkept({ len, scale, label, findings = [], total = len }) {
  const width = Math.max(2, (100 * len) / Math.max(1, scale));
  return html`<div class="unkept"><div class="unkept-bar" style=${{ width: `${Math.min(100, width)}%` }} aria-hidden="true">
      ${findings.slice(0, 256).map((finding) => html`<i class=${finding.shadow ? 'in-shadow' : ''} style=${{ left: `${Math.min(99, (100 * finding.offset) / Math.max(1, total))}%`, width: `${Math.min(100, Math.max(0.6, (100 * finding.len) / Math.max(1, total)))}%` }}></i>`)}</div>
    <span>${label}</span></div>`;
}

const CHANNEL_NAMES = { prompt: 'Prompt', reasoning: 'Reasoning', answer: 'Answer', tool: 'Tool call', other: 'Other text' };

export function TextBlock({ text, findings, choices, scale }) {
  const list = useMemo(() => segments(text.text, text.masks, findings, text.origin ?? 0), [text, findings]);
  const keptLen = useMemo(() => new TextEncoder().encode(text.text).length, [text]);
  const grown = text.masks.reduce((sum, mask) => sum + (mask.restored_len ?? mask.len) - mask.len, 0);
  const rest = Math.max(0, text.len - keptLen - grown);
  return html`<section class=${`text c-${text.channel}`}><h4>${text.speaker ? html`<${Outside} text=${text.speaker} />` : CHANNEL_NAMES[text.channel] ?? visible(text.channel)}
      ${choices > 1 && text.channel !== 'prompt' && html` <small>choice ${text.choice + 1}</small>`}<small>${bytes(text.len)}${text.masks.length > 0 ? `, ${plural(text.masks.length, 'mask')}` : ''}</small></h4>
    <div class="prose" dir="auto" tabindex="0" role="group" aria-label=${`${CHANNEL_NAMES[text.channel] ?? 'Text'}${text.channel === 'prompt' ? '' : `, attempt ${text.attempt + 1}`}`}>${list.length === 0 ? html`<span class="zero">(empty)</span>` : list.map((segment) => html`<${Segment} key=${segment.from} segment=${segment} />`)}</div>
    ${!text.whole && rest > 0 && html`<${Unkept} len=${rest} scale=${scale} label=${`${bytes(rest)} more, not kept`} />`}</section>`;
}

// ---- all texts of a decision ----

const belongs = (finding, text) => finding.channel === text.channel && (text.channel === 'prompt' || (finding.attempt === text.attempt && finding.choice === text.choice));

// A prompt has several texts, and its findings have offsets in one of them that is not named: those are marked in the last.
function findingsOf(decision, text, texts) {
  const mine = decision.findings.filter((finding) => belongs(finding, text));
  const same = texts.filter((other) => other.channel === text.channel && other.attempt === text.attempt && other.choice === text.choice);
  return same.length <= 1 || same.at(-1) === text ? mine : [];
}

function Attempt({ decision, attempt, texts, choices, scale, many }) {
  const outcome = attempt?.outcome ? words(attempt.outcome) : '';
  const n = attempt?.n ?? texts[0]?.attempt ?? 0;
  const isLast = n === decision.attempts.length - 1;
  return html`<article class=${`attempt ${isLast ? 'last' : 'stopped'}`}><header><h3>${many ? `Attempt ${n + 1}` : 'Response'}</h3>
      <small>${outcome}${attempt?.delivery && attempt.delivery !== 'off' ? html` · prefix <${Outside} text=${attempt.template} /> by ${visible(attempt.delivery)}` : ''}</small></header>
    ${texts.map((text) => html`<${TextBlock} key=${text.n} text=${text} findings=${findingsOf(decision, text, decision.texts)} choices=${choices} scale=${scale} />`)}
    ${texts.length === 0 && html`<p class="hint">No text of this attempt was kept.</p>`}</article>`;
}

// Channels that text came through, but of which nothing was kept.
function Gaps({ decision }) {
  const kept = new Set((decision.texts ?? []).map((text) => text.channel));
  const gaps = Object.keys(CHANNEL_NAMES).map((channel) => ({ channel, len: decision[`${channel}_received`] ?? 0 })).filter(({ channel, len }) => len > 0 && !kept.has(channel))
    // Strings that are no text of anybody, such as a finish reason, matter only if something was found in them.
    .filter(({ channel }) => channel !== 'other' || decision.findings.some((finding) => finding.channel === 'other'));
  if (gaps.length === 0) return null;
  const scale = Math.max(...gaps.map(({ len }) => len));
  return html`<section class="card gaps"><h2>Not kept</h2><p class="hint">${decision.texts === null ? 'Your token may not read texts. Their lengths, and where something was found:'
    : 'No text of these is kept (log.text of the policy). Their lengths, and where something was found:'}</p>
    ${gaps.map(({ channel, len }) => html`<div class="gap"><h4>${CHANNEL_NAMES[channel]}</h4><${Unkept} len=${len} scale=${scale} label=${`${bytes(len)}`} findings=${decision.findings.filter((finding) => finding.channel === channel)} total=${len} /></div>`)}</section>`;
}

export function Texts({ decision }) {
  const texts = decision.texts ?? [];
  const prompts = texts.filter((text) => text.channel === 'prompt'), said = texts.filter((text) => text.channel !== 'prompt');
  const choices = new Set(said.map((text) => text.choice)).size;
  const scale = Math.max(1, ...texts.map((text) => text.len));
  const numbers = decision.attempts.length > 0 ? decision.attempts.map((attempt) => attempt.n) : [...new Set(said.map((text) => text.attempt))];
  const many = numbers.length > 1;
  return html`${prompts.length > 0 && html`<section class="card conversation"><h2>Prompt</h2>${prompts.map((text) => html`<${TextBlock} key=${text.n} text=${text} findings=${findingsOf(decision, text, texts)} choices=${1} scale=${scale} />`)}</section>`}
    ${(said.length > 0 || many) && html`<div class=${`attempts ${many ? 'many' : ''}`}>${numbers.map((n) => html`<${Attempt} key=${n} decision=${decision} attempt=${decision.attempts.find((each) => each.n === n)} texts=${said.filter((text) => text.attempt === n)} choices=${choices} scale=${scale} many=${many} />`)}</div>`}
    <${Gaps} decision=${decision} />`;
}
