// All talk with the server: the admin API, by the session of this browser.
// SPDX-License-Identifier: Apache-2.0
import { useCallback, useEffect, useState } from 'preact/hooks';

export class ApiError extends Error {
  constructor(status, error) {
    super(error?.message ?? `The server answered with status ${status}.`);
    this.status = status;
    this.code = error?.code ?? null;
  }
}

let onLoggedOut = () => {};
export const whenLoggedOut = (call) => { onLoggedOut = call; };

export async function ask(url, { method = 'GET', body, signal } = {}) {
  let answer;
  try {
    answer = await fetch(url, {
      method, signal, cache: 'no-store', credentials: 'same-origin',
      // A page of another site cannot send this header.
      headers: { 'x-rein-page': '1', ...(body !== undefined ? { 'content-type': 'application/json' } : {}) },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError(0, { code: 'unreachable', message: 'The server cannot be reached. It may be restarting.' });
  }
  const text = await answer.text();
  let json = null;
  try {
    json = text === '' ? null : JSON.parse(text);
  } catch {
    if (answer.ok) throw new ApiError(answer.status, { code: 'malformed', message: 'The server sent an answer that is no JSON.' });
  }
  if (answer.ok) return json;
  if (answer.status === 401 && !url.endsWith('/session')) onLoggedOut();
  const error = new ApiError(answer.status, json?.error);
  error.json = json;
  error.wait = Number(answer.headers.get('retry-after')) || null;
  throw error;
}

// Reads `url` whenever it changes: { data, error, busy, again }. What was there stays until the new data is there, if
// `kin` has not changed (the same view with other filters). A null url reads nothing. What is shown is never called the
// data of a url that it is not: `busy` is true from the first drawing on.
export function useData(url, kin = 'same') {
  const [state, set] = useState({ data: null, error: null, url: null, kin });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (url === null) return undefined;
    const control = new AbortController();
    set((old) => ({ data: old.kin === kin ? old.data : null, error: null, url: null, kin }));
    ask(url, { signal: control.signal })
      .then((data) => set({ data, error: null, url, kin }), (error) => {
        if (error.name !== 'AbortError') set((old) => ({ data: old.data, error, url, kin }));
      });
    return () => control.abort();
  }, [url, turn, kin]);
  const again = useCallback(() => setTurn((n) => n + 1), []);
  const isOfUrl = state.url === url;
  return { data: state.kin === kin ? state.data : null, error: isOfUrl ? state.error : null, busy: url !== null && !isOfUrl, again };
}
