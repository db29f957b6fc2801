// Views of the decisions that an operator comes back to; kept in this browser.
// SPDX-License-Identifier: Apache-2.0
import { useRef, useState } from 'preact/hooks';
import { html, visible } from './parts.js';

const PLACE = 'rein-views';
const VIEWS_MAX = 50, NAME_MAX = 60, SEARCH_MAX = 2000;

function load() {
  try {
    const list = JSON.parse(localStorage.getItem(PLACE) ?? '[]');
    return Array.isArray(list) ? list.filter((each) => typeof each?.name === 'string' && typeof each?.search === 'string').slice(0, VIEWS_MAX) : [];
  } catch {
    return [];
  }
}

function store(list) {
  try {
    localStorage.setItem(PLACE, JSON.stringify(list));
  } catch { /* the browser keeps nothing: the list lasts as long as the page */ }
}

export function SavedViews({ params, onOpen }) {
  const [list, set] = useState(load);
  const [name, setName] = useState('');
  const box = useRef(null);
  const keep = (next) => { set(next); store(next); };
  const save = (event) => {
    event.preventDefault();
    const { cursor, ...rest } = params;
    const search = `?${new URLSearchParams(rest)}`;
    if (search.length <= SEARCH_MAX) keep([...list.filter((each) => each.name !== name.trim()), { name: name.trim(), search }].slice(-VIEWS_MAX));
    setName('');
  };
  return html`<details class="menu" ref=${box}><summary>Views</summary><div class="card">
    ${list.length === 0 && html`<p class="hint">Save these filters under a name. Saved views stay in this browser; to share one, send its address.</p>`}
    ${list.map((each) => html`<div key=${each.name} class="saved"><button type="button" class="quiet" onClick=${() => { box.current.open = false; onOpen(each.search); }}>${visible(each.name)}</button>
      <button type="button" class="quiet" aria-label=${`Delete the view ${visible(each.name)}`} onClick=${() => keep(list.filter((other) => other !== each))}>×</button></div>`)}
    <form onSubmit=${save}><label class="line"><span class="hidden">Name of the view</span><input name="view" required maxlength=${NAME_MAX} placeholder="Name" value=${name} onInput=${(event) => setName(event.target.value)} /></label>
      <button type="submit" disabled=${name.trim() === ''}>Save</button></form></div></details>`;
}
