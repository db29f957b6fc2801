// The period and the filters above a view. Each change is a new address.
// SPDX-License-Identifier: Apache-2.0
import { useEffect, useState } from 'preact/hooks';
import { ask } from './api.js';
import { moment, version, words } from './format.js';
import { address, go, period, RANGE_NAMES } from './location.js';
import { html, VERDICT_NAMES, VERDICTS, visible } from './parts.js';

// The values that filters can have; read again with each view and each `turn`, because new ones come.
export function useFacets(turn = 0) {
  const [facets, set] = useState(null);
  useEffect(() => {
    const control = new AbortController();
    ask('/admin/v1/facets', { signal: control.signal }).then(set, () => {});
    return () => control.abort();
  }, [turn]);
  return facets;
}

export function change(path, params, changes) {
  const { cursor, ...rest } = params;
  go(address(path, { ...rest, ...changes }));
}

// A list of values, with the one of the address even if the server does not know it.
function Choice({ name, label, all, values, value, onChange }) {
  const known = values.some(([each]) => each === value);
  return html`<label class=${value ? 'filter on' : 'filter'}><span>${label}</span>
    <select name=${name} value=${value ?? ''} onChange=${(event) => onChange(event.target.value)}>
      <option value="">${all}</option>
      ${value && !known && html`<option value=${value}>${visible(value)}</option>`}
      ${values.map(([each, text]) => html`<option value=${each}>${visible(text ?? each).slice(0, 80)}</option>`)}
    </select></label>`;
}

const local = (s) => {
  const d = new Date(s * 1000 - new Date(s * 1000).getTimezoneOffset() * 60000);
  return d.toISOString().slice(0, 16);
};

function Period({ path, params }) {
  const { from, to, range } = period(params);
  const [custom, setCustom] = useState(false);
  useEffect(() => setCustom(false), [params.range, params.from, params.to]);
  const set = (value) => {
    if (value === 'custom') setCustom(true);
    else change(path, params, { range: value, from: '', to: '' });
  };
  const submit = (event) => {
    event.preventDefault();
    const times = ['from', 'to'].map((name) => Math.floor(new Date(event.target.elements[name].value).getTime() / 1000));
    if (!times.some(Number.isNaN)) change(path, params, { range: '', from: times[0], to: times[1] });
  };
  return html`<label class=${range ? 'filter' : 'filter on'}><span>Period</span>
    <select name="range" value=${custom ? 'custom' : range ?? 'fixed'} onChange=${(event) => set(event.target.value)}>
      ${Object.entries(RANGE_NAMES).map(([value, name]) => html`<option value=${value}>last ${name}</option>`)}
      ${!range && html`<option value="fixed">${moment(from * 1000)} to ${moment(to * 1000)}</option>`}
      <option value="custom">from … to …</option>
    </select></label>
    ${custom && html`<form class="filter custom" onSubmit=${submit}><input type="datetime-local" name="from" aria-label="from" required value=${local(from)} />
      <input type="datetime-local" name="to" aria-label="to" required value=${local(to)} /><button type="submit">Show</button></form>`}`;
}

const values = (list) => (list ?? []).map((each) => [each.value]);

// What /decisions can be filtered by besides: a kind of finding is one list for patterns, rules and judges.
function MoreFilters({ path, params, facets }) {
  const set = (name) => (value) => change(path, params, { [name]: value });
  const finding = ['pattern', 'rule', 'judge'].filter((kind) => params[kind]).map((kind) => `${kind}:${params[kind]}`)[0];
  const setFinding = (value) => {
    const [kind, ...id] = value.split(':');
    change(path, params, { pattern: '', rule: '', judge: '', ...(value ? { [kind]: id.join(':') } : {}) });
  };
  const findings = (facets?.findings ?? []).map((each) => [`${each.kind}:${each.id}`, each.kind === 'pattern' ? words(each.id) : `${each.kind} ${each.id}`]);
  const submit = (event) => {
    event.preventDefault();
    const form = event.target.elements;
    change(path, params, { request_id: form.request_id.value.trim(), prompt_risk_min: form.prompt_risk_min.value, trace_risk_min: form.trace_risk_min.value, shadow: form.shadow.value });
  };
  const used = ['request_id', 'prompt_risk_min', 'trace_risk_min', 'shadow'].filter((name) => params[name]).length;
  return html`<${Choice} name="verdict" label="Verdict" all="all" value=${params.verdict} onChange=${set('verdict')} values=${VERDICTS.map((v) => [v, VERDICT_NAMES[v]])} />
    <${Choice} name="finding" label="Finding" all="any or none" value=${finding} onChange=${setFinding} values=${findings} />
    <${Choice} name="ending" label="Ending" all="all" value=${params.ending} onChange=${set('ending')} values=${[...(facets?.endings ?? []).map((each) => [each.value, words(each.value)]), ['failed', 'failed, in any way']]} />
    <details class=${used ? 'filter more on' : 'filter more'}><summary>More${used ? ` (${used})` : ''}</summary>
      <form class="card" onSubmit=${submit} key=${JSON.stringify(params)}>
        <label>Request id<input name="request_id" value=${params.request_id ?? ''} maxlength="256" /></label>
        <label>Prompt risk at least<input name="prompt_risk_min" type="number" min="0" max="1" step="0.01" value=${params.prompt_risk_min ?? ''} /></label>
        <label>Trace risk at least<input name="trace_risk_min" type="number" min="0" max="1" step="0.01" value=${params.trace_risk_min ?? ''} /></label>
        <label>Shadow findings<select name="shadow" value=${params.shadow ?? ''}><option value="">any or none</option><option value="any">some</option>
          ${['record', 'redact', 'cut_reasoning', 'steer', 'cut_response', 'refuse'].map((action) => html`<option value=${action}>would ${words(action)}</option>`)}</select></label>
        <button type="submit" class="primary">Show</button>
      </form></details>`;
}

const FILTERS = ['route', 'model', 'key', 'policy_version', 'verdict', 'pattern', 'rule', 'judge', 'ending', 'request_id', 'shadow',
  'prompt_risk_min', 'prompt_risk_max', 'trace_risk_min', 'trace_risk_max'];

export function Filters({ path, params, facets, more = false, children }) {
  const set = (name) => (value) => change(path, params, { [name]: value });
  const used = FILTERS.filter((name) => params[name]);
  const policies = (facets?.policies ?? []).map((each) => [each.policy_version, `${each.policy} ${version(each.policy_version)}`]);
  const lists = [['route', 'Route', values(facets?.routes)], ['model', 'Model', values(facets?.models)], ['key', 'Key', values(facets?.keys).filter(([key]) => key)], ['policy_version', 'Policy', policies]];
  return html`<div class="filters" role="search" aria-label="Filters"><${Period} path=${path} params=${params} />
    ${more && html`<${MoreFilters} path=${path} params=${params} facets=${facets} />`}
    ${lists.filter(([name, , list]) => list.length > 1 || params[name]).map(([name, label, list]) => html`<${Choice} key=${name} name=${name} label=${label} all="all" value=${params[name]} onChange=${set(name)} values=${list} />`)}
    ${used.length > 0 && html`<button type="button" class="quiet" onClick=${() => change(path, params, Object.fromEntries(used.map((name) => [name, ''])))}>Clear</button>`}
    <span class="end">${children}</span></div>`;
}
