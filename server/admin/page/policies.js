// Policies: the versions in use, and what changed between two of them.
// SPDX-License-Identifier: Apache-2.0
import { useMemo, useState } from 'preact/hooks';
import { useData } from './api.js';
import { ago, count, moment, share, version } from './format.js';
import { useFacets } from './filters.js';
import { address, go, period, RANGE_NAMES } from './location.js';
import { Data, Empty, FindingName, findingFilter, html, Loading, may, Outside, Verdict, VERDICTS, visible } from './parts.js';
import { PolicyText } from './policy_text.js';
import { Reload } from './reload.js';

const RANGE = '7d';

const rowsOf = (sha256, range, more) => address('/decisions', { range, policy_version: sha256, ...more });

function Versions({ list, a, b, params }) {
  const choose = (name) => (event) => go(address('/policies', { ...params, [name]: event.target.value }), true);
  return html`<section class="card flush"><div class="scroll" tabindex="0" role="region" aria-label="Versions"><table><thead><tr><th scope="col">Policy</th><th scope="col">Version</th><th scope="col" class="n">Requests</th>
      <th scope="col">First seen</th><th scope="col">Last seen</th><th scope="col">Older</th><th scope="col">Newer</th></tr></thead>
    <tbody>${list.map((each) => html`<tr key=${each.policy_version}><td><${Outside} text=${each.policy} /></td><td><code title=${each.policy_version}>${visible(version(each.policy_version))}</code></td>
      <td class="n"><a href=${rowsOf(each.policy_version, '30d')}>${count(each.requests)}</a></td><td>${moment(each.first_seen)}</td><td>${ago(each.last_seen)}</td>
      <td><input type="radio" name="a" value=${each.policy_version} checked=${each.policy_version === a} onChange=${choose('a')} aria-label=${`compare ${version(each.policy_version)} as the older one`} /></td>
      <td><input type="radio" name="b" value=${each.policy_version} checked=${each.policy_version === b} onChange=${choose('b')} aria-label=${`compare ${version(each.policy_version)} as the newer one`} /></td></tr>`)}</tbody></table></div></section>`;
}

function Difference({ part, all, partBefore, allBefore }) {
  if (!all || !allBefore) return html`<span class="zero">–</span>`;
  const points = 100 * (part / all - partBefore / allBefore);
  return Math.abs(points) < 0.05 ? html`<span class="zero">±0</span>` : html`<span class=${points > 0 ? 'up' : 'down'}>${points > 0 ? '▲' : '▼'} ${Math.abs(points).toFixed(1)} pts</span>`;
}

// One row: what it counts, under the older version, under the newer, and the change of its share.
function Line({ name, older, newer, a, b, range, filter }) {
  const cell = (side, sha256) => html`<td class="n">${side.part > 0 ? html`<a href=${rowsOf(sha256, range, filter)}>${count(side.part)}</a>` : html`<span class="zero">0</span>`} <small>${share(side.part, side.all)}</small></td>`;
  return html`<tr><td>${name}</td>${cell(older, a)}${cell(newer, b)}<td class="n"><${Difference} part=${newer.part} all=${newer.all} partBefore=${older.part} allBefore=${older.all} /></td></tr>`;
}

const Heads = ({ what }) => html`<thead><tr><th scope="col">${what}</th><th scope="col" class="n">Older</th><th scope="col" class="n">Newer</th><th scope="col" class="n">Change</th></tr></thead>`;

function Numbers({ a, b, range }) {
  const { from, to } = useMemo(() => period({ range }), [range]);
  const query = (path, policy_version) => address(path, { from, to, policy_version });
  const older = useData(query('/admin/v1/overview', a), a), newer = useData(query('/admin/v1/overview', b), b);
  const found = useData(query('/admin/v1/findings', a), a), foundNow = useData(query('/admin/v1/findings', b), b);
  const names = useMemo(() => {
    const all = new Map([...(found.data?.data ?? []), ...(foundNow.data?.data ?? [])].map((row) => [`${row.kind}:${row.id}`, row]));
    return [...all.values()].sort((x, y) => (x.id < y.id ? -1 : 1));
  }, [found.data, foundNow.data]);
  const of = (read, row) => ({ part: read.data?.data.find((each) => each.kind === row.kind && each.id === row.id)?.requests ?? 0, all: read.data?.requests ?? 0 });
  return html`<div class="grid two"><section class="card flush"><${Data} read=${older}>${(x) => html`<${Data} read=${newer}>${(y) => html`<div class="scroll" tabindex="0" role="region" aria-label="Verdicts under both versions"><table><${Heads} what="Verdict" /><tbody>
      ${VERDICTS.map((v) => html`<${Line} name=${html`<${Verdict} verdict=${v} />`} a=${a} b=${b} range=${range} filter=${{ verdict: v }} older=${{ part: x.total.verdicts[v], all: x.total.requests }} newer=${{ part: y.total.verdicts[v], all: y.total.requests }} />`)}</tbody></table></div>`}<//>`}<//></section>
    <section class="card flush"><${Data} read=${found}>${() => html`<${Data} read=${foundNow}>${() => (names.length === 0 ? html`<${Empty} title="Nothing was found under either" />` : html`<div class="scroll" tabindex="0" role="region" aria-label="Findings under both versions"><table><${Heads} what="Finding" /><tbody>
      ${names.map((row) => html`<${Line} key=${`${row.kind}:${row.id}`} name=${html`<${FindingName} ...${row} />`} a=${a} b=${b} range=${range} filter=${findingFilter(row.kind, row.id)} older=${of(found, row)} newer=${of(foundNow, row)} />`)}</tbody></table></div>`)}<//>`}<//></section></div>`;
}

export function Policies({ params, session }) {
  const [turn, setTurn] = useState(0);
  const facets = useFacets(turn);
  const list = useMemo(() => (facets?.policies ?? []).toSorted((x, y) => (x.last_seen < y.last_seen ? 1 : -1)), [facets]);
  // Without a choice: the newest version, and the one of the same policy before it.
  const b = params.b ?? list[0]?.policy_version;
  const own = list.find((each) => each.policy_version === b);
  const a = params.a ?? list.find((each) => each.policy === own?.policy && each.policy_version !== b)?.policy_version;
  const range = params.range in RANGE_NAMES ? params.range : RANGE;
  if (!facets) return html`<h1>Policies</h1><${Loading} />`;
  if (list.length === 0) return html`<h1>Policies</h1><${Empty} title="No policy was used yet">A version appears here with its first request.<//>`;
  return html`<div class="head"><h1>Policies</h1><p class="hint">A version is the hash of all that a policy resolves to: rules, patterns, templates, lexicons, weights.</p></div>
    ${may(session, 'operate') && html`<${Reload} onDone=${() => setTurn(turn + 1)} />`}
    <${Versions} list=${list} a=${a} b=${b} params=${params} />
    ${a && b && a !== b ? html`<div class="head"><h2>What changed from <code>${visible(version(a))}</code> to <code>${visible(version(b))}</code></h2>
      <label class="filter"><span>Period</span><select name="range" value=${range} onChange=${(event) => go(address('/policies', { ...params, range: event.target.value }), true)}>${Object.entries(RANGE_NAMES).map(([value, name]) => html`<option value=${value}>last ${name}</option>`)}</select></label></div>
      <${Numbers} a=${a} b=${b} range=${range} />${may(session, 'text') && html`<${PolicyText} a=${a} b=${b} />`}`
      : html`<p class="hint">${list.length > 1 ? 'Choose an older and a newer version to see what changed.' : 'There is one version so far. When the policy changes, the two can be compared here.'}</p>`}`;
}
