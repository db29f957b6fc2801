// One decision, read as text: why, what was said, what was found where, and when.
// SPDX-License-Identifier: Apache-2.0
import { useEffect } from 'preact/hooks';
import { useData } from './api.js';
import { rowQuery } from './decisions.js';
import { Feedback } from './feedback.js';
import { bytes, count, duration, moment, plural, version, words } from './format.js';
import { address, go, pick } from './location.js';
import { Data, FindingName, findingFilter, html, may, Outside, Pager, Verdict, VERDICT_NAMES, visible } from './parts.js';
import { Texts } from './texts.js';
import { Timeline } from './timeline.js';

// ---- findings ----

const ACTIONS = { record: 'recorded', redact: 'redacted', cut_reasoning: 'cut the reasoning', steer: 'steered', cut_response: 'cut the response', refuse: 'refused' };

function Finding({ decision, finding, canText }) {
  const action = ACTIONS[finding.action] ?? visible(words(finding.action));
  return html`<li id=${`f${finding.n}`} class=${finding.shadow ? 'in-shadow' : ''} tabindex="-1"><div class="line"><a class=${`ref ${finding.shadow ? 'in-shadow' : ''}`} href=${`#at${finding.n}`} aria-label=${`Show finding ${finding.n + 1} in the text`}>${finding.n + 1}</a>
      <a href=${address('/decisions', { range: '24h', ...findingFilter(finding.kind, finding.id) })}><${FindingName} kind=${finding.kind} id=${finding.id} /></a>
      <span class="action">${!finding.shadow ? action : finding.action === 'record' ? 'recorded, in shadow' : `would have ${action} (in shadow)`}</span></div>
    <p class="where">${visible(finding.channel)}${decision.attempts.length > 1 ? `, attempt ${finding.attempt + 1}` : ''}, byte ${count(finding.offset)}${finding.len > 0 ? ` to ${count(finding.offset + finding.len)}` : ''}
      ${finding.kind !== 'rule' && html` · score ${finding.score.toFixed(2)}`}${finding.judge ? html` · judge <${Outside} text=${finding.judge} />` : ''}
      ${finding.severity ? html` · <span class=${`severity ${['high', 'critical'].includes(finding.severity) ? 'up' : ''}`}>${visible(finding.severity)}</span>` : ''}${(finding.tags ?? []).map((tag) => html` <${Outside} text=${tag} class="label" />`)}</p>
    ${finding.evidence && html`<blockquote dir="auto">${visible(finding.evidence).slice(0, 2000)}</blockquote>`}
    ${finding.steps.length > 0 && html`<details><summary>${plural(finding.steps.length, 'step')}</summary><ol class="steps">${finding.steps.map((step) => html`<li>${words(visible(step.signal))} <small>sentence ${count(step.sentence + 1)}, byte ${count(step.offset)}</small></li>`)}</ol></details>`}
    ${canText && html`<${Feedback} id=${decision.id} finding=${finding} isFinal=${decision.final} />`}</li>`;
}

function FindingList({ decision, canText }) {
  const more = decision.findings_count - decision.findings.length;
  return html`<section class="card findings-list"><h2>Findings <small>${count(decision.findings_count)}</small></h2>
    ${decision.findings.length === 0 ? html`<p class="hint">No pattern, no rule and no judge found anything.</p>`
      : html`<ol class="plain">${decision.findings.map((finding) => html`<${Finding} key=${finding.n} decision=${decision} finding=${finding} canText=${canText} />`)}</ol>`}
    ${more > 0 && html`<p class="hint">${plural(more, 'further finding')} of this decision: only the first 256 have rows.</p>`}</section>`;
}

function Opinions({ opinions }) {
  if (!opinions || opinions.length === 0) return null;
  return html`<section class="card"><h2>Judges</h2><ol class="plain opinions">${opinions.map((each) => html`<li><${Outside} text=${each.judge} /> <b>${each.risk === null ? words(each.outcome) : each.risk.toFixed(2)}</b>${each.categories ? html` <${Outside} text=${each.categories} />` : ''}
    <small>${visible(each.channel)}, byte ${count(each.offset)} to ${count(each.offset + each.len)} · ${each.was_known ? 'known before' : `${each.took_ms} ms`}</small></li>`)}</ol></section>`;
}

// ---- facts ----

const SCORES = ['lack_of_safety_awareness', 'strong_vacillation', 'weak_vacillation', 'harmful_additions', 'inconsistency_complies', 'inconsistency_refuses', 'outcome_risk_reasoning', 'outcome_risk_answer'];

function Scores({ decision }) {
  const scored = SCORES.map((name) => [name, decision[`score_${name}`]]).filter(([, score]) => score > 0);
  if (scored.length === 0) return null;
  return html`<section class="card"><h2>Scores</h2><dl class="scores">${scored.map(([name, score]) => html`<dt>${words(name)}</dt><dd><span class="bar" aria-hidden="true"><i style=${{ width: `${100 * score}%` }}></i></span>${score.toFixed(2)}</dd>`)}</dl></section>`;
}

function Facts({ decision }) {
  const link = (name, value) => (value ? html`<a href=${address('/decisions', { range: '24h', [name]: value })}><${Outside} text=${value} /></a>` : '–');
  const tokens = [decision.prompt_tokens, decision.completion_tokens, decision.reasoning_tokens];
  const facts = [
    ['Model', link('model', decision.model)], ['Key', link('key', decision.key)], ['Route', link('route', decision.route)],
    ['Policy', html`<a href=${address('/decisions', { range: '24h', policy_version: decision.policy_version })}><${Outside} text=${decision.policy} /> <code>${version(decision.policy_version)}</code></a>`],
    ['Prefix', decision.delivery && decision.delivery !== 'off' ? html`<${Outside} text=${decision.template} /> by ${visible(decision.delivery)}` : 'none'],
    ['Upstream', html`<${Outside} text=${decision.upstream ?? '–'} />`], ['API', html`<${Outside} text=${decision.dialect ?? '–'} />${decision.streamed ? ', streamed' : ''}`],
    ['Status', decision.status || '–'], ['Prompt risk', decision.prompt_risk.toFixed(2)], ['Trace risk', decision.trace_risk.toFixed(2)],
    decision.harms && ['Harms', html`<${Outside} text=${decision.harms.replaceAll(',', ', ')} />`],
    tokens.some((n) => n !== null) && ['Tokens', html`${count(tokens[0])} in, ${count(tokens[1])} out${tokens[2] !== null ? `, ${count(tokens[2])} reasoning` : ''}`],
    ['First byte', duration(decision.client_first_byte_us)], ['Took', duration(decision.duration_us)], ['Sent', bytes(decision.bytes_out)],
    decision.dropped_fields && ['Dropped fields', html`<${Outside} text=${decision.dropped_fields} />`],
    decision.unjudged_parts > 0 && ['Unjudged parts', count(decision.unjudged_parts)],
    ['Request id', html`<${Outside} text=${decision.request_id ?? '–'} class="code" />`], ['Decision', html`<code>${visible(decision.id)}</code>`],
  ].filter(Boolean);
  return html`<section class="card"><h2>Request</h2><dl class="facts">${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
    ${decision.upstream_error && html`<h4>The upstream's error</h4><blockquote dir="auto">${visible(JSON.stringify(decision.upstream_error)).slice(0, 2000)}</blockquote>`}</section>`;
}

// ---- the neighbours in the list that one came from ----

function useNeighbours(decision, params) {
  const of = (cursor) => (decision?.cursor ? address('/admin/v1/decisions', { ...rowQuery(params), limit: 1, cursor }) : null);
  const newer = useData(of(`r${decision?.cursor}`), decision?.id), older = useData(of(decision?.cursor), decision?.id);
  const to = (read) => (read.data?.data?.[0] ? address(`/decisions/${encodeURIComponent(read.data.data[0].id)}`, params) : null);
  return { newer: to(newer), older: to(older) };
}

function Neighbours({ newer, older }) {
  useEffect(() => {
    const onKey = (event) => {
      if (event.target.closest?.('input, select, textarea') || event.ctrlKey || event.metaKey || event.altKey) return;
      const url = { k: newer, j: older }[event.key];
      if (url) go(url);
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [newer, older]);
  return html`<${Pager} label="Neighbours" newer=${newer} older=${older} keys=${{ prev: 'k', next: 'j' }} />`;
}

export function Decision({ path, params, session }) {
  const id = decodeURIComponent(path.slice('/decisions/'.length));
  const read = useData(`/admin/v1/decisions/${encodeURIComponent(id)}`, id);
  const neighbours = useNeighbours(read.data?.id === id ? read.data : null, params);
  return html`<div class="head"><p class="crumb"><a href=${address('/decisions', params)}>Decisions</a></p><${Neighbours} ...${neighbours} /></div>
    <${Data} read=${read}>${(decision) => html`<header class="decision-head"><h1><${Verdict} verdict=${decision.verdict} final=${decision.final} /> <small>${decision.ending === VERDICT_NAMES[decision.verdict] ? '' : html`${visible(words(decision.ending))} · `} <time datetime=${decision.started_at}>${moment(decision.started_at)}</time></small></h1>
        ${decision.why && html`<p class="why" dir="auto">${visible(decision.why)}</p>`}
        ${decision.hidden?.length > 0 && html`<p class="hint">Your token shows counts only: texts, evidence and errors are left out.</p>`}</header>
      <div class="decision"><div class="main"><${Texts} decision=${decision} /><${Facts} decision=${decision} /></div>
        <aside><${FindingList} decision=${decision} canText=${may(session, 'text')} /><${Timeline} decision=${decision} /><${Scores} decision=${decision} /><${Opinions} opinions=${decision.opinions} /></aside></div>`}<//>`;
}
