// What the guard is doing: verdicts over time, rates, delays, what must be zero. Each number leads to its rows.
// SPDX-License-Identifier: Apache-2.0
import { useEffect, useMemo, useState } from 'preact/hooks';
import { useData } from './api.js';
import { Bars, Lines } from './chart.js';
import { brief, bytes, compact, count, duration, rate, share } from './format.js';
import { Filters, useFacets } from './filters.js';
import { address, COMMON, go, period, pick } from './location.js';
import { Data, Empty, FindingName, findingFilter, html, VERDICT_NAMES, VERDICTS } from './parts.js';

const REFRESH_MS = 15000;
const ENOUGH = 30; // requests of a period whose shares say something

function Tile({ name, value, note, href, state = '', before }) {
  const inside = html`<span class="name">${name}</span><span class="value">${value}</span><span class="note">${note}${before}</span>`;
  return href ? html`<a class=${`tile ${state}`} href=${href}>${inside}</a>` : html`<div class=${`tile ${state}`}>${inside}</div>`;
}

// How a share changed against the period before; small changes of few requests say nothing.
function Change({ part, all, partBefore, allBefore }) {
  if (!all || allBefore < ENOUGH) return null;
  const points = 100 * (part / all - partBefore / allBefore);
  if (Math.abs(points) < 0.05) return null;
  return html`<span class="change">${points > 0 ? '▲' : '▼'} ${Math.abs(points).toFixed(1)} pts</span>`;
}

function Tiles({ data, rows, seconds }) {
  const { total, before, store } = data;
  const of = (verdict) => html`<${Tile} name=${VERDICT_NAMES[verdict]} value=${compact(total.verdicts[verdict])} note=${share(total.verdicts[verdict], total.requests)} href=${rows({ verdict })}
    before=${html`<${Change} part=${total.verdicts[verdict]} all=${total.requests} partBefore=${before.verdicts[verdict]} allBefore=${before.requests} />`} state=${`t-${verdict}`} />`;
  const sick = !store.healthy || store.dropped > 0 || store.kept > 0;
  return html`<div class="tiles seven">
    <${Tile} name="requests" value=${compact(total.requests)} note=${rate(total.requests, seconds)} href=${rows({})} />
    ${['steer', 'redact', 'refuse', 'cut'].map(of)}
    <${Tile} name="shadow only" value=${compact(total.shadowed)} note="would have acted" href=${rows({ shadow: 'any' })} />
    <${Tile} name="failed" value=${compact(total.failed)} note=${share(total.failed, total.requests)} href=${rows({ ending: 'failed' })} state=${total.failed > 0 ? 'watch' : ''} /></div>
    <div class="tiles six">
    <${Tile} name="restarts" value=${compact(total.restarts)} note="calls to steer again" href=${rows({ verdict: 'steer' })} />
    <${Tile} name="added delay" value=${duration(total.added_us.p50)} note=${`p99 ${duration(total.added_us.p99)}`} href=${rows({})} />
    <${Tile} name="first byte" value=${duration(total.first_byte_us.p50)} note=${`p99 ${duration(total.first_byte_us.p99)}`} href=${rows({})} />
    <${Tile} name="held at most" value=${bytes(total.held_bytes_max)} note="of one response" href=${rows({})} />
    <${Tile} name="released unjudged" value=${bytes(total.unjudged_bytes)} note=${total.unjudged_bytes === 0 ? 'as it must be' : 'must be 0: see the log'} href=${rows({})} state=${total.unjudged_bytes === 0 ? 'good' : 'alarm'} />
    <${Tile} name="store" value=${store.healthy ? 'healthy' : 'failing'} note=${sick ? `${count(store.kept)} kept, ${count(store.dropped)} dropped` : `commit p99 ${duration(store.commit_us_p99)}`} state=${sick ? 'alarm' : 'good'} />
  </div>`;
}

function AsTable({ series, rows }) {
  const lines = series.time.map((time, i) => ({ time, i })).filter(({ i }) => series.requests[i] > 0).reverse();
  return html`<details class="as-table"><summary>As a table</summary><div class="scroll" tabindex="0" role="region" aria-label="Verdicts over time, as a table"><table>
    <thead><tr><th scope="col">From</th><th scope="col" class="n">Requests</th>${VERDICTS.map((v) => html`<th scope="col" class="n">${VERDICT_NAMES[v]}</th>`)}</tr></thead>
    <tbody>${lines.map(({ time, i }) => html`<tr key=${time}><td><a href=${rows(time)}>${brief(time * 1000)}</a></td><td class="n">${count(series.requests[i])}</td>
      ${VERDICTS.map((v) => html`<td class="n">${series.verdicts[v][i] > 0 ? html`<a href=${rows(time, v)}>${count(series.verdicts[v][i])}</a>` : html`<span class="zero">0</span>`}</td>`)}</tr>`)}</tbody></table></div></details>`;
}

function Charts({ data, params }) {
  const { series, step_s: step } = data;
  const rows = (time, verdict) => address('/decisions', { ...pick(params, COMMON), range: '', from: time, to: time + step, verdict });
  const pickBar = (time) => { go(rows(time)); scrollTo(0, 0); };
  const stacks = useMemo(() => VERDICTS.map((v) => ({ name: VERDICT_NAMES[v], colour: `--v-${v}`, values: series.verdicts[v] })), [series]);
  const delays = useMemo(() => [{ name: 'added p50', colour: '--line-1', values: series.added_us.p50 }, { name: 'added p99', colour: '--line-2', values: series.added_us.p99 }], [series]);
  const firsts = useMemo(() => [{ name: 'p50', colour: '--line-1', values: series.first_byte_us.p50 }, { name: 'p99', colour: '--line-2', values: series.first_byte_us.p99 }], [series]);
  const held = useMemo(() => [{ name: 'most of one response', colour: '--line-1', values: series.held_bytes_max }], [series]);
  const restarts = useMemo(() => [{ name: 'restarts', colour: '--v-steer', values: series.restarts }], [series]);
  const common = { time: series.time, step, onPick: pickBar };
  return html`<section class="card"><${Bars} label="Requests by verdict" series=${stacks} format=${compact} ...${common} /><${AsTable} series=${series} rows=${rows} /></section>
    <div class="grid four"><section class="card"><${Lines} label="Delay that Rein adds" series=${delays} format=${duration} ...${common} /></section>
      <section class="card"><${Lines} label="Time to the client's first byte" series=${firsts} format=${duration} ...${common} /></section>
      <section class="card"><${Bars} label="Restarts" series=${restarts} format=${compact} height=${120} ...${common} /></section>
      <section class="card"><${Lines} label="Bytes held back" series=${held} format=${bytes} ...${common} /></section></div>`;
}

function TopFindings({ url, params }) {
  const read = useData(url);
  return html`<section class="card"><h2>Found most</h2><${Data} read=${read}>${(data) => (data.data.length === 0 ? html`<p class="hint">No pattern and no rule was found in this period.</p>`
    : html`<ol class="top-findings">${data.data.toSorted((a, b) => b.requests - a.requests).slice(0, 6).map((row) => html`<li key=${`${row.kind}:${row.id}`}><${FindingName} ...${row} /><a class="n" href=${address('/decisions', { ...pick(params, COMMON), ...findingFilter(row.kind, row.id) })}>${count(row.requests)}</a>
      <span class="bar" aria-hidden="true"><i style=${{ width: `${Math.max(1, 100 * (row.share ?? 0))}%` }}></i></span></li>`)}</ol>
      <p class="more"><a href=${address('/findings', pick(params, COMMON))}>All findings</a></p>`)}<//></section>`;
}

export function Overview({ path, params }) {
  const [now, setNow] = useState(Date.now() / 1000);
  const { from, to, step, range } = period(params, now);
  const facets = useFacets();
  useEffect(() => {
    if (!range) return undefined;
    const timer = setInterval(() => document.visibilityState === 'visible' && setNow(Date.now() / 1000), REFRESH_MS);
    return () => clearInterval(timer);
  }, [range]);
  useEffect(() => setNow(Date.now() / 1000), [params.range]);
  const query = { from, to, ...pick(params, ['route', 'model', 'key', 'policy_version']) };
  const read = useData(address('/admin/v1/overview', { ...query, step }));
  // A range is read again although its address has not changed: new decisions have come.
  useEffect(() => { if (read.data) read.again(); }, [now]);
  const rows = (more) => address('/decisions', { ...pick(params, COMMON), ...more });
  return html`<h1 class="hidden">Overview</h1><${Filters} path=${path} params=${params} facets=${facets} />
    <${Data} read=${read} what="Adding up">${(data) => (data.total.requests === 0
      ? html`<${Tiles} data=${data} rows=${rows} seconds=${to - from} /><${Empty} title="No requests in this period">Choose a longer period, or fewer filters. Requests appear here as soon as a client's request has ended.<//>`
      : html`<${Tiles} data=${data} rows=${rows} seconds=${to - from} /><${Charts} data=${data} params=${params} />
        <${TopFindings} url=${address('/admin/v1/findings', query)} params=${params} />`)}<//>`;
}
