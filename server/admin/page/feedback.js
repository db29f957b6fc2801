// "Right" or "wrong" for a finding, with a note: what people say goes into rows for `rein eval`.
// SPDX-License-Identifier: Apache-2.0
import { useRef, useState } from 'preact/hooks';
import { ask } from './api.js';
import { moment } from './format.js';
import { html, Outside, visible } from './parts.js';

const NOTE_MAX = 2000;

export function Feedback({ id, finding, isFinal }) {
  const [given, setGiven] = useState(finding.feedback);
  const [note, setNote] = useState(finding.feedback?.note ?? '');
  const [error, setError] = useState(null);
  const said = useRef(Promise.resolve());
  const url = `/admin/v1/decisions/${encodeURIComponent(id)}/findings/${finding.n}/feedback`;
  const tell = async (verdict) => {
    setError(null);
    try {
      if (verdict === null) {
        await ask(url, { method: 'DELETE' });
        setGiven(null);
      } else
        setGiven(await ask(url, { method: 'PUT', body: { verdict, note: note.trim() } }));
    } catch (failure) {
      setError(failure);
    }
  };
  // One request after the other: what was said last is what is stored and shown, whatever the network does.
  const say = (verdict) => { said.current = said.current.then(() => tell(verdict)); };
  const toggle = (verdict) => () => say(given?.verdict === verdict ? null : verdict);
  const keep = (event) => { event.preventDefault(); say(given.verdict); };
  if (!isFinal) return html`<p class="hint">Feedback can be given once the request has ended.</p>`;
  return html`<div class="feedback" role="group" aria-label=${`Is finding ${finding.n + 1} right?`}><span>Is this right?</span>
    <button type="button" class=${given?.verdict === 'right' ? 'right on' : 'right'} aria-pressed=${given?.verdict === 'right'} onClick=${toggle('right')}>Right</button>
    <button type="button" class=${given?.verdict === 'wrong' ? 'wrong on' : 'wrong'} aria-pressed=${given?.verdict === 'wrong'} onClick=${toggle('wrong')}>Wrong</button>
    ${given && html`<form onSubmit=${keep}><label class="line"><span class="hidden">Note</span><input name="note" maxlength=${NOTE_MAX} placeholder="Note (optional)" value=${note} onInput=${(event) => setNote(event.target.value)} /></label>
      ${note.trim() !== (given.note ?? '') && html`<button type="submit">Save note</button>`}</form>
      <small>said ${given.by ? html`by <${Outside} text=${given.by} /> ` : ''}${given.at ? moment(given.at) : ''}</small>`}
    ${error && html`<span role="alert" class="bad">${visible(error.message)}</span>`}</div>`;
}
