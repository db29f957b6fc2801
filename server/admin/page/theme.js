// Light, dark, or as the system has it. The choice is kept in this browser.
// SPDX-License-Identifier: Apache-2.0
import { useEffect, useState } from 'preact/hooks';
import { html } from './parts.js';

const NEXT = { system: 'light', light: 'dark', dark: 'system' };
const NAMES = { system: 'as the system', light: 'light', dark: 'dark' };
const system = matchMedia('(prefers-color-scheme: dark)');
const watchers = new Set();

function stored() {
  try {
    return localStorage.getItem('rein-theme') in NEXT ? localStorage.getItem('rein-theme') : 'system';
  } catch {
    return 'system';
  }
}

function apply(theme) {
  document.documentElement.dataset.theme = theme === 'system' ? (system.matches ? 'dark' : 'light') : theme;
  watchers.forEach((watch) => watch());
}
apply(stored());
system.addEventListener('change', () => apply(stored()));

// Changes whenever the colours do: charts are drawn again.
export function useTheme() {
  const [theme, set] = useState(document.documentElement.dataset.theme);
  useEffect(() => {
    const watch = () => set(document.documentElement.dataset.theme);
    watchers.add(watch);
    return () => watchers.delete(watch);
  }, []);
  return theme;
}

export function ThemeSwitch() {
  const [theme, set] = useState(stored);
  const change = () => {
    const next = NEXT[theme];
    try {
      localStorage.setItem('rein-theme', next);
    } catch { /* the choice then lasts as long as the page */ }
    set(next);
    apply(next);
  };
  return html`<button type="button" class="quiet theme" onClick=${change} aria-label=${`Colours: ${NAMES[theme]}. Change`} title=${`Colours: ${NAMES[theme]}`}>
    <svg viewBox="0 0 16 16" aria-hidden="true"><circle cx="8" cy="8" r="6" /><path class="half" d=${theme === 'system' ? 'M8 2a6 6 0 0 1 0 12z' : theme === 'dark' ? 'M8 2a6 6 0 0 1 0 12 6 6 0 0 1 0-12z' : 'M8 8z'} /></svg></button>`;
}
