// What was found: a row for each pattern, rule and judge, how often, and how that changed.
// SPDX-License-Identifier: Apache-2.0
import { useMemo } from 'preact/hooks';
import { useData } from './api.js';
import { Spark } from './chart.js';
import { ago, bytes, count, moment, share, version } from './format.js';
import { Filters, useFacets } from './filters.js';
import { address, COMMON, period, pick } from './location.js';
import { Data, Empty, FindingName, findingFilter, html, visible } from './parts.js';

// Name, label, explanation, value.
const COLUMNS = [
  ['id', 'Finding', 'by name', (row) => row.id], ['requests', 'Requests', 'with such a finding', (row) => row.requests], ['enforced', 'Acted on', 'requests in which it was not in shadow', (row) => row.enforced],
  ['shadow', 'In shadow', 'requests in which it was found in shadow only', (row) => row.shadow], ['change', 'Change', 'of its share, against the period before', (row) => points(row.share, row.share_before)],
  ['policy', 'By policy', "change of its share, against the policy's version before", (row) => points(row.share_current, row.share_previous)],
  ['position', 'Median at', 'where in its text it was found first', (row) => row.position_p50], ['wrong', 'Right / wrong', 'what people said of it', (row) => row.feedback.wrong], ['seen', 'Last seen', '', (row) => row.last_seen],
];

const points = (now, before) => (now === null || before === null ? null : 100 * (now - before));

function Points({ value }) {
  if (value === null) return html`<span class="zero">–</span>`;
  if (Math.abs(value) < 0.05) return html`<span class="zero">±0</span>`;
  return html`<span class=${value > 0 ? 'up' : 'down'}>${value > 0 ? '▲' : '▼'} ${Math.abs(value).toFixed(1)} pts</span>`;
}

function sortRows(rows, sort) {
  const [, , , value] = COLUMNS.find(([name]) => name === sort) ?? COLUMNS[1];
  const order = sort === 'id' ? 1 : -1;
  return rows.toSorted((a, b) => {
    const x = value(a), y = value(b);
    if (x === y) return a.id < b.id ? -1 : 1;
    if (x === null || y === null) return x === null ? 1 : -1;
    return (x < y ? -1 : 1) * order;
  });
}

const Use = ({ use }) => html`<code>${visible(use.policy).slice(0, 40)} ${visible(version(use.policy_version))}</code>`;

function Table({ data, params }) {
  const sort = COLUMNS.some(([name]) => name === params.sort) ? params.sort : 'requests';
  const rows = useMemo(() => sortRows(data.data, sort), [data, sort]);
  const to = (row, more) => address('/decisions', { ...pick(params, COMMON), ...findingFilter(row.kind, row.id), ...more });
  const under = (row, use) => (use ? address('/decisions', { ...pick(params, ['route', 'model', 'key']), range: '30d', policy_version: use.policy_version, ...findingFilter(row.kind, row.id) }) : null);
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Findings"><table class="findings">
    <thead><tr>${COLUMNS.map(([name, label, about]) => html`<th scope="col" class=${name === 'id' ? '' : 'n'} aria-sort=${name === sort ? (name === 'id' ? 'ascending' : 'descending') : undefined}>
      <a href=${address('/findings', { ...params, sort: name })} title=${about}>${label}</a></th>`)}<th scope="col">Over time</th></tr></thead>
    <tbody>${rows.map((row) => html`<tr key=${`${row.kind}:${row.id}`}>
      <td><${FindingName} ...${row} /><span class="kind">${visible(row.kind)}</span></td>
      <td class="n"><a href=${to(row)}>${count(row.requests)}</a> <small>${share(row.requests, data.requests)}</small></td>
      <td class="n">${count(row.enforced)}</td>
      <td class="n">${row.shadow > 0 ? html`<a href=${to(row, { shadow: 'any' })}>${count(row.shadow)}</a>` : html`<span class="zero">0</span>`}</td>
      <td class="n"><${Points} value=${points(row.share, row.share_before)} /></td>
      <td class="n">${data.current && row.share_current !== null ? html`<a href=${under(row, data.current)}><${Points} value=${points(row.share_current, row.share_previous)} /></a>` : html`<span class="zero">–</span>`}</td>
      <td class="n">${row.position_p50 === null ? html`<span class="zero">–</span>` : bytes(row.position_p50)}</td>
      <td class="n">${row.feedback.right + row.feedback.wrong === 0 ? html`<span class="zero">–</span>` : html`${row.feedback.right} / <span class=${row.feedback.wrong > 0 ? 'up' : ''}>${row.feedback.wrong}</span>`}</td>
      <td class="n"><time datetime=${row.last_seen} title=${row.last_seen && moment(row.last_seen)}>${row.last_seen ? ago(row.last_seen) : '–'}</time></td>
      <td><${Spark} values=${row.spark} /></td></tr>`)}</tbody></table></div>`;
}

export function Findings({ path, params }) {
  const { from, to } = useMemo(() => period(params), [params]);
  const facets = useFacets();
  const read = useData(address('/admin/v1/findings', { from, to, ...pick(params, ['route', 'model', 'key', 'policy_version']) }));
  return html`<div class="head"><h1>Findings</h1>${read.data?.current && html`<p class="hint">Policy <${Use} use=${read.data.current} />${read.data.previous ? html`, compared with <${Use} use=${read.data.previous} />${' '}(<a href=${address('/policies', { ...pick(params, COMMON), a: read.data.previous.policy_version, b: read.data.current.policy_version })}>what changed</a>)` : ', the first one that was used'}</p>`}</div>
    <${Filters} path=${path} params=${params} facets=${facets} />
    <${Data} read=${read}>${(data) => (data.data.length === 0
      ? html`<${Empty} title="Nothing was found in this period">${count(data.requests)} requests were judged. <a href=${address('/decisions', pick(params, COMMON))}>Look at them</a>, or choose a longer period.<//>`
      : html`<section class="card flush"><${Table} data=${data} params=${params} /></section>`)}<//>`;
}
