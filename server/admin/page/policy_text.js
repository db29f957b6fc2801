// The text of two versions of a policy, line by line, and what else they resolve to.
// SPDX-License-Identifier: Apache-2.0
import { useMemo, useState } from 'preact/hooks';
import { useData } from './api.js';
import { plural } from './format.js';
import { Data, html, Outside, visible } from './parts.js';
import { diffLines, foldLines } from './policy_lines.js';

const LINES_MAX = 4000; // of one text; a policy has some hundred

const KINDS = { source: 'as it is written', resolved: 'with all defaults' };
const textOf = (policy, kind) => (kind === 'source' ? policy.source : policy.resolved && JSON.stringify(policy.resolved, null, 1)) ?? null;

function Lines({ before, after }) {
  const lines = useMemo(() => foldLines(diffLines(before, after)), [before, after]);
  if (before.split('\n').length > LINES_MAX || after.split('\n').length > LINES_MAX) return html`<p class="hint">The texts are too long to compare here.</p>`;
  if (lines.every((line) => line.kind === 'skip')) return html`<p class="hint">The same text. What changed is in the other documents.</p>`;
  return html`<div class="diff" tabindex="0" role="region" aria-label="Changed lines">${lines.map((line, i) => (line.kind === 'skip' ? html`<div key=${i} class="between">${plural(line.count, 'line')} the same</div>`
    : html`<div key=${i} class=${line.kind}><span class="sign">${{ added: '+', removed: '−', same: ' ' }[line.kind]}</span><bdi>${visible(line.text)}</bdi></div>`))}</div>`;
}

// Templates, lexicons and weights whose content differs.
function Documents({ before, after }) {
  const name = (each) => `${each.kind} ${each.name}`;
  const old = new Map((before ?? []).map((each) => [name(each), each.sha256])), now = new Map((after ?? []).map((each) => [name(each), each.sha256]));
  const changed = [...new Set([...old.keys(), ...now.keys()])].filter((each) => old.get(each) !== now.get(each));
  if (changed.length === 0) return null;
  return html`<p class="documents">Also: ${changed.map((each, i) => html`${i > 0 ? ', ' : ''}<${Outside} text=${each} /> ${!old.has(each) ? 'is new' : !now.has(each) ? 'is not used any more' : 'has changed'}`)}.</p>`;
}

function Comparison({ older, newer }) {
  const [kind, setKind] = useState('source');
  const before = textOf(older, kind), after = textOf(newer, kind);
  return html`<section class="card"><div class="head"><h2>Text</h2>${Object.entries(KINDS).map(([each, label]) => html`<button type="button" class=${each === kind ? 'on' : 'quiet'} aria-pressed=${each === kind} onClick=${() => setKind(each)}>${label}</button>`)}</div>
    ${before === null || after === null ? html`<p class="hint">The text of ${before === null ? 'the older' : 'the newer'} version was not kept: only versions that a server of this release has loaded are.</p>` : html`<${Lines} before=${before} after=${after} />`}
    <${Documents} before=${older.documents} after=${newer.documents} /></section>`;
}

export function PolicyText({ a, b }) {
  const older = useData(`/admin/v1/policies/${encodeURIComponent(a)}`, a), newer = useData(`/admin/v1/policies/${encodeURIComponent(b)}`, b);
  if ([older, newer].some((read) => read.error?.status === 404)) return html`<p class="hint">The text of one of these versions was not kept.</p>`;
  return html`<${Data} read=${older}>${(x) => html`<${Data} read=${newer}>${(y) => html`<${Comparison} older=${x} newer=${y} />`}<//>`}<//>`;
}
