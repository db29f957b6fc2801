// What script/bench prints: a table for each scenario, the bars, a drawing.
// SPDX-License-Identifier: Apache-2.0
import { cpus, release, totalmem } from 'node:os';
import { bars, scenarios } from './scenarios.mjs';
import { median, medianWithInterval, pairedDifference, pairedRatio } from './statistics.mjs';

const titles = {
  direct: 'no proxy',
  nginx: 'nginx',
  haproxy: 'HAProxy',
  bare: 'bare front and upstream',
  empty: 'Rein, empty policy',
  default: 'Rein, default policy, release: stream',
  sentence: 'Rein, default policy, release: sentence',
  auto: 'Rein, default policy as it is shipped (release: auto)',
};

const short = (x) => (x >= 100 ? x.toFixed(0) : x >= 10 ? x.toFixed(1) : x.toFixed(2));
const interval = (i) => (i ? `${short(i.median)} [${short(i.low)}, ${short(i.high)}]` : '');

export function machine() {
  const processors = cpus();
  return {
    processor: processors[0]?.model,
    cores: processors.length,
    kernel: release(),
    memory_gib: Math.round(totalmem() / 2 ** 30),
    at: new Date().toISOString(),
  };
}

export function table(name, rounds) {
  const targets = scenarios[name].targets.filter((target) => rounds[0]?.[target]);
  const of = (target, metric) => median(rounds.map((round) => round[target][metric] ?? 0));
  const lines = [
    `### ${name}: ${scenarios[name].title} (${rounds.length} rounds)`,
    '',
    '| | CPU µs/event | : nginx | events/s | : nginx | delay p50/p99 µs | p99 : nginx | first event µs | KiB/stream | errors |',
    '|---|---|---|---|---|---|---|---|---|---|',
  ];
  for (const target of targets) {
    const ratio = (metric) => (target === 'nginx' ? '' : interval(pairedRatio(rounds, target, 'nginx', metric)));
    const errors = rounds.reduce((sum, round) => sum + round[target].errors, 0);
    lines.push(
      `| ${titles[target]} | ${short(of(target, 'cpu_us_per_event'))} | ${ratio('cpu_us_per_event')} ` +
        `| ${of(target, 'events_per_s').toFixed(0)} | ${ratio('events_per_s')} ` +
        `| ${of(target, 'delay_p50_us').toFixed(0)} / ${of(target, 'delay_p99_us').toFixed(0)} | ${ratio('delay_p99_us')} ` +
        `| ${of(target, 'first_p50_us').toFixed(0)} | ${scenarios[name].memory ? (of(target, 'memory_per_stream') / 1024).toFixed(1) : ''} | ${errors} |`,
    );
  }
  return lines.join('\n') + '\n';
}

// The figure of one bar over all rounds, null if it was not measured.
function figure(bar, results) {
  const rounds = results[bar.scenario];
  if (!rounds?.[0]?.[bar.target]) return null;
  if (bar.against) return pairedRatio(rounds, bar.target, bar.against, bar.metric);
  if (bar.over) return pairedDifference(rounds, bar.target, bar.over, bar.metric);
  const values = rounds.map((round) => round[bar.target][bar.metric] ?? 0);
  if (!bar.than) return medianWithInterval(values);
  const others = results[bar.than]?.map((round) => round[bar.target]?.[bar.metric]);
  return others ? medianWithInterval(values.slice(0, others.length).map((value, i) => value / others[i])) : null;
}

export function judge(results) {
  const judged = bars.map((bar) => {
    const value = figure(bar, results);
    const held = value && (bar.most !== undefined ? value.median <= bar.most : value.median >= bar.least);
    return { ...bar, value, held };
  });
  const lines = ['| figure | limit | measured | |', '|---|---|---|---|'];
  for (const bar of judged.filter((one) => one.value)) {
    const to = bar.against ? ` : ${bar.against}` : bar.over ? ` over ${bar.over}` : bar.than ? ` : ${bar.than}` : '';
    const wanted = bar.most !== undefined ? `at most ${bar.most}` : `at least ${bar.least}`;
    lines.push(`| ${bar.scenario}, ${bar.target}: ${bar.metric}${to} | ${wanted} | ${interval(bar.value)} | ${bar.held ? 'held' : 'missed'} |`);
  }
  return { bars: judged, text: lines.length > 2 ? lines.join('\n') + '\n' : '' };
}

const colours = { direct: '#bbbbbb', nginx: '#4d9a52', haproxy: '#5b8bc9', bare: '#999966', empty: '#e0b13c', default: '#c9503c', sentence: '#8a5bb0' };

// Bars of CPU per event by scenario and target, one row each.
export function drawing(results) {
  const rows = [];
  for (const [name, rounds] of Object.entries(results)) {
    for (const target of scenarios[name].targets) {
      const values = rounds.map((round) => round[target]?.cpu_us_per_event).filter((value) => value > 0);
      if (values.length) rows.push({ name, target, ...medianWithInterval(values) });
    }
  }
  const widest = Math.max(1, ...rows.map((row) => row.high));
  const x = (value) => (180 + (value / widest) * 480).toFixed(1);
  const parts = rows.map((row, i) => {
    const y = 40 + i * 18;
    const first = i === 0 || rows[i - 1].name !== row.name;
    return (
      (first ? `<text x="8" y="${y + 11}" font-weight="bold">${row.name}</text>` : '') +
      `<text x="80" y="${y + 11}">${row.target}</text>` +
      `<rect x="180" y="${y}" width="${(x(row.median) - 180).toFixed(1)}" height="13" fill="${colours[row.target]}"/>` +
      `<line x1="${x(row.low)}" x2="${x(row.high)}" y1="${y + 6.5}" y2="${y + 6.5}" stroke="black"/>` +
      `<text x="${Number(x(row.high)) + 6}" y="${y + 11}">${short(row.median)}</text>`
    );
  });
  const height = 60 + rows.length * 18;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="760" height="${height}" font-family="sans-serif" font-size="11">` +
    `<rect width="760" height="${height}" fill="white"/>` +
    `<text x="8" y="20" font-size="13">CPU of the proxy, µs per event: medians with 95% intervals</text>${parts.join('')}</svg>\n`
  );
}
