// The address of a view: its path and its parameters are all the state that a view has, so every view can be shared.
// SPDX-License-Identifier: Apache-2.0
import { useEffect, useState } from 'preact/hooks';

// What all views filter by. It goes along from view to view.
export const COMMON = ['range', 'from', 'to', 'route', 'model', 'key', 'policy_version'];

const watchers = new Set();
const tell = () => watchers.forEach((watch) => watch());
addEventListener('popstate', tell);

const read = () => ({ path: location.pathname, params: Object.fromEntries(new URLSearchParams(location.search)) });

export function address(path, params = {}) {
  const kept = Object.entries(params).filter(([, value]) => value !== undefined && value !== null && value !== '');
  const query = new URLSearchParams(kept).toString();
  return query === '' ? path : `${path}?${query}`;
}

export const pick = (params, names) => Object.fromEntries(names.filter((name) => name in params).map((name) => [name, params[name]]));

export function go(url, replace = false) {
  history[replace ? 'replaceState' : 'pushState'](null, '', url);
  tell();
}

export function useLocation() {
  const [here, set] = useState(read);
  useEffect(() => {
    const watch = () => set(read());
    watchers.add(watch);
    return () => watchers.delete(watch);
  }, []);
  return here;
}

// Plain clicks on links to views stay in the page. All other links, and clicks with a key held, are the browser's.
export function onClick(event) {
  const link = event.target.closest?.('a[href]');
  if (!link || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const url = new URL(link.href);
  if (url.origin !== location.origin || link.hasAttribute('download') || link.target !== '' || url.pathname.startsWith('/admin/') || url.pathname.startsWith('/page/')) return;
  if (url.hash !== '' && url.pathname === location.pathname && url.search === location.search) return;
  event.preventDefault();
  go(url.pathname + url.search + url.hash);
  scrollTo(0, 0);
}

// An open menu closes when one clicks elsewhere, or by Escape.
export function closeMenus(event) {
  for (const menu of document.querySelectorAll('details.menu[open], details.more[open]')) {
    if (event.type === 'keydown' ? event.key !== 'Escape' : menu.contains(event.target)) continue;
    if (event.type === 'keydown' && menu.contains(document.activeElement)) menu.querySelector('summary').focus();
    menu.open = false;
  }
}

// ---- the period ----

export const RANGES = { '15m': 900, '1h': 3600, '6h': 21600, '24h': 86400, '7d': 604800, '30d': 2592000 };
export const RANGE_NAMES = { '15m': '15 minutes', '1h': '1 hour', '6h': '6 hours', '24h': '24 hours', '7d': '7 days', '30d': '30 days' };
const RANGE = '6h';
const STEPS = [60, 300, 900, 1800, 3600, 10800, 21600, 86400, 604800];
const BARS = 80;

// A time of the address in Unix seconds, NaN if it is none.
const seconds = (text) => (/^\d+(\.\d+)?$/.test(text) ? Number(text) : Date.parse(text) / 1000);

// The period that the parameters name: { from, to, step, range } in Unix seconds. With a range it ends after `now`, at a
// whole step; `range` is null for one that stands still.
export function period(params, now = Date.now() / 1000) {
  let range = params.range in RANGES ? params.range : null;
  let from = seconds(params.from ?? ''), to = seconds(params.to ?? '');
  if (!range && Number.isNaN(from) && Number.isNaN(to)) range = RANGE;
  if (range) {
    const step = STEPS.find((each) => RANGES[range] / each <= BARS);
    to = Math.ceil((now + 1) / step) * step;
    return { from: to - RANGES[range], to, step, range };
  }
  if (Number.isNaN(to)) to = Math.ceil(now + 1);
  if (Number.isNaN(from) || from >= to) from = to - RANGES[RANGE];
  const step = STEPS.find((each) => (to - from) / each <= BARS) ?? STEPS.at(-1);
  return { from, to, step, range: null };
}
