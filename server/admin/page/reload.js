// Reading the config again, and what came of it.
// SPDX-License-Identifier: Apache-2.0
import { useState } from 'preact/hooks';
import { ask } from './api.js';
import { version } from './format.js';
import { address } from './location.js';
import { html, Outside, visible } from './parts.js';

function Reloaded({ policies }) {
  const changed = policies.filter((each) => each.before !== each.after);
  if (changed.length === 0) return html`<p role="status">The config was read again. No policy has changed.</p>`;
  return html`<p role="status">The config was read again. ${changed.map((each, i) => html`${i > 0 ? ', ' : ''}<${Outside} text=${each.name} /> ${!each.before ? 'is new' : !each.after ? 'is gone'
    : html`is now <a href=${address('/policies', { a: each.before, b: each.after })}><code>${visible(version(each.after))}</code></a>`}`)}.</p>`;
}

function Refused({ problems }) {
  return html`<div role="alert" class="state failed"><strong>The config was refused; the old one stays in use</strong>
    <ul class="plain">${problems.map((each) => html`<li><code>${visible(each.file ?? '')}${each.line > 0 ? `:${each.line}:${each.column}` : ''}</code> ${each.key ? html`<b>${visible(each.key)}</b>: ` : ''}${visible(each.message)}</li>`)}</ul></div>`;
}

export function Reload({ onDone }) {
  const [busy, setBusy] = useState(false);
  const [answer, setAnswer] = useState(null);
  const [error, setError] = useState(null);
  const reload = async () => {
    setBusy(true);
    setError(null);
    setAnswer(null);
    try {
      setAnswer(await ask('/admin/v1/reload', { method: 'POST' }));
      onDone();
    } catch (failure) {
      if (failure.json?.problems) setAnswer(failure.json);
      else setError(failure);
    }
    setBusy(false);
  };
  return html`<div class="reload"><button type="button" disabled=${busy} onClick=${reload} title="As SIGHUP does: a config with errors changes nothing">${busy ? 'Reading the config…' : 'Read the config again'}</button>
    ${answer && (answer.problems ? html`<${Refused} problems=${answer.problems} />` : html`<${Reloaded} policies=${answer.policies ?? []} />`)}
    ${error && html`<p role="alert" class="bad">${visible(error.message)}</p>`}</div>`;
}
