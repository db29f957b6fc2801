// Numbers, times and sizes as people read them.
// SPDX-License-Identifier: Apache-2.0

const whole = new Intl.NumberFormat('en');
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

export const count = (n) => (n === null || n === undefined ? '–' : whole.format(n));
export const compact = (n) => (n === null || n === undefined ? '–' : n < 10000 ? whole.format(n) : short.format(n));

export function share(part, all) {
  if (!all) return '–';
  const percent = (100 * part) / all;
  return percent === 0 ? '0%' : percent < 0.1 ? '<0.1%' : `${percent.toFixed(percent < 10 ? 1 : 0)}%`;
}

// Rounded before the unit is chosen. `rein why` and `rein stats` print the same.
export function duration(us) {
  if (us === null || us === undefined) return '–';
  const to = (unit) => Math.floor(us / unit + 0.5);
  if (us < 1000) return `${us} µs`;
  if (to(100) < 100) return `${(to(100) / 10).toFixed(1)} ms`;
  if (to(1000) < 1000) return `${to(1000)} ms`;
  if (to(10000) < 1000) return `${(to(10000) / 100).toFixed(2)} s`;
  if (to(100000) < 600) return `${(to(100000) / 10).toFixed(1)} s`;
  return `${Math.floor(to(1000000) / 60)} min ${to(1000000) % 60} s`;
}

export function bytes(n) {
  if (n === null || n === undefined) return '–';
  if (n < 10000) return `${whole.format(n)} B`;
  return n < 1000000 ? `${Math.round(n / 1000)} kB` : `${(n / 1000000).toFixed(1)} MB`;
}

const two = (n) => String(n).padStart(2, '0');
const day = (d) => `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`;

// In the browser's time zone.
export function clock(time) {
  const d = new Date(time);
  return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

export function moment(time) {
  const d = new Date(time);
  return `${day(d)} ${clock(time)}`;
}

// The day is left out if it is today.
export function brief(time) {
  const d = new Date(time);
  return day(d) === day(new Date()) ? clock(time) : `${day(d).slice(5)} ${clock(time).slice(0, 5)}`;
}

export function ago(time) {
  const s = Math.max(0, (Date.now() - Date.parse(time)) / 1000);
  if (s < 90) return `${Math.round(s)} s ago`;
  if (s < 5400) return `${Math.round(s / 60)} min ago`;
  return s < 129600 ? `${Math.round(s / 3600)} h ago` : `${Math.round(s / 86400)} days ago`;
}

// Names of patterns and endings are words with underscores.
export const words = (name) => String(name ?? '').replaceAll('_', ' ');
export const version = (sha256) => String(sha256 ?? '').slice(0, 8);
export const rate = (n, s) => (s > 0 ? `${(n / s).toFixed(n / s < 10 ? 2 : 0)}/s` : '–');
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;
