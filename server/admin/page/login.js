// Logging in with the admin token.
// SPDX-License-Identifier: Apache-2.0
import { useState } from 'preact/hooks';
import { ask } from './api.js';
import { html, visible } from './parts.js';

export function Login({ session, onIn }) {
  const [token, setToken] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  // Off loopback the cookie is Secure; a browser keeps it only if the page came over TLS, or from this machine.
  const isHopeless = !session.loopback && !isSecureContext;
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      await ask('/admin/v1/session', { method: 'POST', body: { token: token.trim() } });
      setToken('');
      await onIn();
    } catch (failure) {
      setError(failure);
    }
    setBusy(false);
  };
  return html`<form class="login card" onSubmit=${submit}>
    <h1>Log in to Rein</h1>
    ${session.was_in && !error && html`<p role="status">Your session has ended: it expired, or its token was changed.</p>`}
    ${isHopeless && html`<p role="alert" class="warn">Logging in cannot work here. This page came without TLS from another machine, and a browser
      does not keep a session then. Put a proxy with TLS in front, or forward the port: <code>ssh -L ${location.port || 80}:127.0.0.1:${location.port || 80} HOST</code></p>`}
    <label>Admin token<input type="password" name="token" autocomplete="current-password" required value=${token} disabled=${isHopeless}
      onInput=${(event) => setToken(event.target.value)} aria-describedby="token-help" /></label>
    <p id="token-help" class="hint">What <code>rein key token FILE</code> printed once. It is sent to this server alone and not kept by the browser.</p>
    ${error && html`<p role="alert" class="bad">${visible(error.message)}${error.wait ? ` (${error.wait} s)` : ''}</p>`}
    <button type="submit" class="primary" disabled=${busy || isHopeless || token === ''}>${busy ? 'Logging in…' : 'Log in'}</button>
  </form>`;
}
