// The page: which view an address shows, what stands above all views, and who is logged in.
// SPDX-License-Identifier: Apache-2.0
import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { ask, whenLoggedOut } from './api.js';
import { Decision } from './decision.js';
import { Decisions } from './decisions.js';
import { Findings } from './findings.js';
import { COMMON, address, closeMenus, onClick, pick, useLocation } from './location.js';
import { Login } from './login.js';
import { Overview } from './overview.js';
import { Empty, Failed, html, Loading, Outside } from './parts.js';
import { Policies } from './policies.js';
import { ThemeSwitch } from './theme.js';

const VIEWS = [
  { path: '/', name: 'Overview', view: Overview },
  { path: '/findings', name: 'Findings', view: Findings },
  { path: '/decisions', name: 'Decisions', view: Decisions },
  { path: '/policies', name: 'Policies', view: Policies },
];

const Nowhere = () => html`<${Empty} title="There is no view at this address"><a href="/">Go to the overview</a><//>`;

function viewOf(path) {
  if (/^\/decisions\/.+/.test(path)) return { name: 'Decision', view: Decision, tab: '/decisions' };
  const found = VIEWS.find((each) => each.path === path);
  return found ? { ...found, tab: path } : { name: 'Not found', view: Nowhere, tab: null };
}

function Header({ tab, params, session, onLogout }) {
  const kept = pick(params, COMMON);
  return html`<header class="top">
    <a class="brand" href=${address('/', kept)}><svg viewBox="0 0 16 16" aria-hidden="true"><path d="M2.500 13.500V2.500H8a3.500 3.500 0 0 1 0 7H2.500M8 9.500l4.500 4" /></svg>Rein</a>
    <nav aria-label="Views">${VIEWS.map((each) => html`<a href=${address(each.path, kept)} aria-current=${each.path === tab ? 'page' : undefined}>${each.name}</a>`)}</nav>
    <div class="end">${session.needs_token && html`<span class="who"><${Outside} text=${session.name} />${session.right !== 'operate' && html` <small>(${session.right === 'text' ? 'may read' : 'counts only'})</small>`}</span>
      <button type="button" class="quiet" onClick=${onLogout}>Log out</button>`}<${ThemeSwitch} /></div>
  </header>`;
}

function Page() {
  const { path, params } = useLocation();
  const [session, setSession] = useState(null);
  const [error, setError] = useState(null);
  const { name, view: View, tab } = viewOf(path);
  const learn = () => ask('/admin/v1/session').then((who) => { setSession(who); setError(null); }, setError);
  useEffect(() => {
    whenLoggedOut(() => setSession((old) => (old && old.is_in ? { ...old, is_in: false, was_in: true } : old)));
    learn();
  }, []);
  useEffect(() => { document.title = `${name} · Rein`; }, [name]);
  const logout = () => ask('/admin/v1/session', { method: 'DELETE' }).then(learn, setError);
  if (error) return html`<main><${Failed} error=${error} again=${learn} /></main>`;
  if (!session) return html`<main><${Loading} /></main>`;
  if (!session.is_in) return html`<main><${Login} session=${session} onIn=${learn} /></main>`;
  return html`<a class="skip" href="#view">Skip to the view</a><${Header} tab=${tab} params=${params} session=${session} onLogout=${logout} />
    <main id="view" tabindex="-1"><${View} path=${path} params=${params} session=${session} /></main>
    <footer>Times are those of ${Intl.DateTimeFormat().resolvedOptions().timeZone} · <a href=${new URL('./licences.txt', import.meta.url).pathname} target="_blank" rel="noreferrer">libraries in this page</a></footer>`;
}

document.addEventListener('click', onClick);
document.addEventListener('click', closeMenus);
document.addEventListener('keydown', closeMenus);
const root = document.getElementById('app');
root.textContent = '';
render(html`<${Page} />`, root);
