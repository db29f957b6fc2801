// What happened when, in one request: a bar for each call of the upstream, and the events in order.
// SPDX-License-Identifier: Apache-2.0
import { duration, words } from './format.js';
import { html, visible } from './parts.js';

const WHAT = {
  received: 'request received', called: 'upstream called', first_byte: "upstream's first byte", stopped: 'upstream stopped', restarted: 'asked again',
  client_first_byte: "client's first byte", judge_answered: 'judge answered', ended: 'ended',
};

function Lane({ name, from, mark, to, all, kind }) {
  const at = (us) => `${Math.min(100, (100 * us) / all).toFixed(2)}%`;
  return html`<div class=${`lane ${kind}`}><span>${name}</span><div class="track"><i class="span" style=${{ left: at(from), width: at(Math.max(to - from, all / 250)) }}></i>
    ${mark !== null && mark !== undefined && html`<i class="tick" style=${{ left: at(mark) }}></i>`}</div></div>`;
}

export function Timeline({ decision }) {
  const events = decision.timeline ?? [];
  const all = Math.max(1, decision.duration_us ?? 0, ...events.map((event) => event.at_us), ...decision.attempts.map((attempt) => attempt.ended_us ?? 0));
  return html`<section class="card timeline"><h2>Timeline</h2><div class="lanes" aria-hidden="true">
      ${decision.attempts.map((attempt) => html`<${Lane} name=${decision.attempts.length > 1 ? `attempt ${attempt.n + 1}` : 'upstream'} from=${attempt.started_us ?? 0} mark=${attempt.first_byte_us} to=${attempt.ended_us ?? all} all=${all} kind=${attempt.n < decision.attempts.length - 1 ? 'stopped' : ''} />`)}
      ${decision.client_first_byte_us !== null && html`<${Lane} name="client" from=${decision.client_first_byte_us} mark=${null} to=${decision.duration_us ?? all} all=${all} kind="client" />`}
    </div><ol>${events.map((event) => html`<li><time>${duration(event.at_us)}</time><span>${WHAT[event.what] ?? visible(words(event.what))}${event.attempt !== null && decision.attempts.length > 1 ? ` (attempt ${event.attempt + 1})` : ''}${event.detail ? html`: <bdi>${visible(words(event.detail))}</bdi>` : ''}</span></li>`)}</ol></section>`;
}
