// The list of decisions: filtered by the address, page by page, or live.
// SPDX-License-Identifier: Apache-2.0
import { useEffect, useRef, useState } from 'preact/hooks';
import { useData } from './api.js';
import { brief, count, duration, moment, plural, version, words } from './format.js';
import { change, Filters, useFacets } from './filters.js';
import { useLive } from './live.js';
import { address, go, period, pick } from './location.js';
import { Data, Empty, html, may, Outside, Pager, Verdict, visible } from './parts.js';
import { SavedViews } from './saved_views.js';

const ROW_FILTERS = ['route', 'model', 'key', 'policy_version', 'verdict', 'ending', 'request_id', 'pattern', 'rule', 'judge', 'shadow',
  'prompt_risk_min', 'prompt_risk_max', 'trace_risk_min', 'trace_risk_max'];
const LIMIT = 50;

// What the API is asked for; a range that goes up to now has no end.
export function rowQuery(params, now) {
  const { from, to, range } = period(params, now);
  return { from, ...(range ? {} : { to }), ...pick(params, ROW_FILTERS) };
}

const Risk = ({ value }) => html`<span class=${value >= 0.5 ? 'risk high' : 'risk'}>${value > 0 ? value.toFixed(2) : html`<span class="zero">0</span>`}</span>`;

function Row({ row, params, isNew }) {
  const to = address(`/decisions/${encodeURIComponent(row.id)}`, params);
  return html`<tr class=${isNew ? 'new' : ''}>
    <td><a class="row-link" href=${to} aria-label=${`Decision of ${moment(row.started_at)}`}><time datetime=${row.started_at} title=${moment(row.started_at)}>${brief(row.started_at)}</time></a></td>
    <td><${Verdict} verdict=${row.verdict} final=${row.final} />${row.shadow !== 'none' && row.shadow !== 'record' && row.shadow !== 'allow' && row.shadow ? html` <small class="shadow">shadow: ${visible(words(row.shadow))}</small>` : ''}</td>
    <td><${Outside} text=${words(row.ending)} /></td><td class="n">${count(row.findings)}</td><td class="n">${count(row.attempts)}</td>
    <td><${Outside} text=${row.model} /></td><td class="wide"><${Outside} text=${row.key ?? '–'} /></td>
    <td class="n"><${Risk} value=${row.prompt_risk} /></td><td class="n"><${Risk} value=${row.trace_risk} /></td>
    <td class="n">${duration(row.duration_us)}</td><td class="wide"><${Outside} text=${row.policy} /> <code>${visible(version(row.policy_version))}</code></td></tr>`;
}

function Table({ rows, params, fresh }) {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Decisions"><table class="decisions"><thead><tr><th scope="col">Time</th><th scope="col">Verdict</th><th scope="col">Ending</th><th scope="col" class="n">Findings</th>
    <th scope="col" class="n">Attempts</th><th scope="col">Model</th><th scope="col" class="wide">Key</th><th scope="col" class="n">Prompt risk</th><th scope="col" class="n">Trace risk</th><th scope="col" class="n">Took</th><th scope="col" class="wide">Policy</th></tr></thead>
    <tbody>${rows.map((row) => html`<${Row} key=${row.id} row=${row} params=${params} isNew=${fresh?.has(row.id)} />`)}</tbody></table></div>`;
}

function Export({ params, canRead }) {
  const box = useRef(null);
  const query = rowQuery(params);
  return html`<details class="menu" ref=${box}><summary>Export</summary><div class="card">
    <p class="hint">All decisions that match, not only this page.</p>
    <a href=${address('/admin/v1/export.csv', query)} download="decisions.csv">CSV, for a spreadsheet</a>
    <a href=${address('/admin/v1/export.jsonl', query)} download="decisions.jsonl">JSON lines, for programs</a>
    ${canRead && html`<a href=${address('/admin/v1/export.jsonl', { ...query, texts: 'true' })} download="decisions.jsonl">JSON lines with kept texts</a>`}</div></details>`;
}

// Keys of the list: j and k go from row to row.
function useRowKeys(box) {
  useEffect(() => {
    const onKey = (event) => {
      if (event.target.closest?.('input, select, textarea') || event.ctrlKey || event.metaKey || event.altKey || !['j', 'k'].includes(event.key)) return;
      const links = [...box.current.querySelectorAll('a.row-link')];
      const at = links.indexOf(document.activeElement);
      links[Math.max(0, Math.min(links.length - 1, at + (event.key === 'j' ? 1 : -1)))]?.focus();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);
}

function Live({ params }) {
  const url = address('/admin/v1/live', pick(params, ROW_FILTERS));
  const { rows, fresh, missed, state } = useLive(url);
  // While it is paused, the rows of that moment stand still, and newer ones are counted.
  const [held, hold] = useState(null);
  useEffect(() => hold(null), [url]);
  const shown = held ?? rows;
  const waiting = held === null ? 0 : rows.filter((row) => !held.some((each) => each.id === row.id)).length;
  return html`<p class="live-state" role="status"><i class=${`dot ${state}`} aria-hidden="true"></i>${state === 'open' ? 'Decisions appear as they are stored' : state === 'waiting' ? 'Connecting…' : 'The connection was lost; trying again…'}
      ${missed > 0 && html` · ${plural(missed, 'decision')} not shown, because too many came at once`}
      <button type="button" class=${held ? 'on' : ''} aria-pressed=${held !== null} disabled=${rows.length === 0} onClick=${() => hold(held === null ? rows : null)}>${held === null ? 'Pause' : 'Go on'}</button>${held !== null && html` ${count(waiting)} new${waiting === rows.length ? ' or more' : ''}`}</p>
    ${shown.length === 0 ? html`<${Empty} title="Waiting for the next decision">It appears here within a second after it was stored.<//>` : html`<section class="card flush"><${Table} rows=${shown} params=${pick(params, [...ROW_FILTERS, 'range', 'from', 'to'])} fresh=${fresh} /></section>`}`;
}

function Listed({ path, params }) {
  // The period of a range moves on only when the view is opened or changed, so that paging back stands still.
  const [now, setNow] = useState(Date.now() / 1000);
  useEffect(() => setNow(Date.now() / 1000), [JSON.stringify({ ...params, cursor: '' })]);
  const read = useData(address('/admin/v1/decisions', { ...rowQuery(params, now), limit: LIMIT, cursor: params.cursor }));
  const to = (cursor) => (cursor ? address(path, { ...params, cursor }) : null);
  return html`<${Data} read=${read}>${(data) => html`${data.unindexed?.length > 0 && html`<p class="hint">Filters without an index look at every decision of the period: ${data.unindexed.map(words).join(', ')}. A shorter period is faster.</p>`}
    ${data.data.length === 0
      ? html`<${Empty} title="No decision matches">Choose a longer period, or take a filter away.${params.cursor && html` <a href=${address(path, { ...params, cursor: '' })}>Go to the newest</a>`}<//>`
      : html`<section class="card flush"><${Table} rows=${data.data} params=${params} /></section>`}
    ${(data.data.length > 0 || params.cursor) && html`<${Pager} label="Pages" newer=${to(data.prev_cursor)} older=${to(data.next_cursor)}>
      <span key="count">${plural(data.data.length, 'decision')} on this page</span><//>`}`}<//>`;
}

export function Decisions({ path, params, session }) {
  const facets = useFacets();
  const box = useRef(null);
  const isLive = params.live === '1';
  useRowKeys(box);
  return html`<div ref=${box}><div class="head"><h1>Decisions</h1></div>
    <${Filters} path=${path} params=${params} facets=${facets} more=${true}>
      <button type="button" class=${isLive ? 'live on' : 'live'} aria-pressed=${isLive} onClick=${() => change(path, params, { live: isLive ? '' : '1' })}><i class="dot" aria-hidden="true"></i>Live</button>
      <${SavedViews} params=${params} onOpen=${(search) => go(`/decisions${search}`)} /><${Export} params=${params} canRead=${may(session, 'text')} /><//>
    ${isLive ? html`<${Live} params=${params} />` : html`<${Listed} path=${path} params=${params} />`}</div>`;
}
