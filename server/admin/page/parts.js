// Small parts that all views use: states, verdicts, links, text from outside.
// SPDX-License-Identifier: Apache-2.0
import { h } from 'preact';
import htm from 'htm';
import { words } from './format.js';

export const html = htm.bind(h);

export const VERDICTS = ['allow', 'redact', 'steer', 'refuse', 'cut', 'none'];
export const VERDICT_NAMES = { allow: 'allowed', redact: 'redacted', steer: 'steered', refuse: 'refused', cut: 'cut', none: 'not judged' };

// Characters that cannot be seen, or that turn the direction of what follows, are written out.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;
export const visible = (text) => String(text ?? '').replace(UNSEEN, (c) => `‹U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}›`);

// Words from outside, in a line of ours: cut by the style sheet if they are long, never by their own direction.
export function Outside({ text, class: kind = '' }) {
  const shown = visible(text);
  return html`<bdi class=${`outside ${kind}`} title=${shown.length > 24 ? shown.slice(0, 500) : undefined}>${shown.slice(0, 500)}</bdi>`;
}

export function Verdict({ verdict, final = true }) {
  const known = VERDICTS.includes(verdict) ? verdict : 'none';
  return html`<span class=${`verdict v-${known}`}><i aria-hidden="true"></i>${final ? VERDICT_NAMES[known] : 'running'}</span>`;
}

export function FindingName({ kind, id }) {
  return html`<span class=${`finding k-${kind}`}><${Outside} text=${kind === 'pattern' ? words(id) : id} /></span>`;
}

// Links to what is newer and older, none where there is nothing. Each keeps its own element, also when one appears beside
// it: what is about to be clicked, or has the focus, does not become the other one.
export function Pager({ label, newer, older, keys = {}, children }) {
  const link = (url, rel, text) => (url ? html`<a key=${rel} href=${url} rel=${rel} title=${keys[rel]}>${text}</a>` : html`<span key=${rel} class="zero">${text}</span>`);
  return html`<nav class="pager" aria-label=${label}>${link(newer, 'prev', '← Newer')}${children}${link(older, 'next', 'Older →')}</nav>`;
}

// The filter of /decisions that finds a kind of finding.
export const findingFilter = (kind, id) => ({ [kind === 'judge' || kind === 'rule' ? kind : 'pattern']: id });

// Whether the session's token has a right; each contains those before it.
export const may = (session, right) => ['counts', 'text', 'operate'].indexOf(session?.right) >= ['counts', 'text', 'operate'].indexOf(right);

// ---- the states of a view ----

export const Loading = ({ what = 'Loading' }) => html`<div class="state" role="status"><span class="spinner" aria-hidden="true"></span>${what}…</div>`;

export function Empty({ title, children }) {
  return html`<div class="state empty"><svg viewBox="0 0 48 24" aria-hidden="true"><path d="M2 18h44M8 18v-6M18 18v-3M28 18v-9M38 18v-4" /></svg>
    <strong>${title}</strong><div>${children}</div></div>`;
}

const REMEDIES = {
  too_slow: 'A shorter period or one more filter makes the query faster.',
  too_many_queries: 'Many queries run at the moment. Try again in a few seconds.',
  store_unavailable: 'Decisions are kept by the server until its database can be read again. Its log says what is wrong.',
  not_allowed: 'Ask for a token with a larger right, and log in with it.',
};

export function Failed({ error, again }) {
  return html`<div class="state failed" role="alert"><strong>${error.status === 404 ? 'Not there' : 'This did not work'}</strong>
    <div>${visible(error.message)}</div>${REMEDIES[error.code] && html`<div>${REMEDIES[error.code]}</div>`}
    ${again && html`<button type="button" onClick=${again}>Try again</button>`}</div>`;
}

// One of the three, or what `children` makes of the data.
export function Data({ read, what, children }) {
  if (read.error && !read.data) return html`<${Failed} error=${read.error} again=${read.again} />`;
  if (!read.data) return html`<${Loading} what=${what} />`;
  return html`<div class=${read.busy ? 'data busy' : 'data'} aria-busy=${read.busy}>
    ${read.error && html`<${Failed} error=${read.error} again=${read.again} />`}${children(read.data)}</div>`;
}
