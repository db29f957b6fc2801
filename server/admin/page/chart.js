// Charts over time: stacked bars, and lines. uPlot draws them; this file gives it colours, sizes and words.
// SPDX-License-Identifier: Apache-2.0
import { useEffect, useRef, useState } from 'preact/hooks';
import { brief } from './format.js';
import { html } from './parts.js';
import { useTheme } from './theme.js';

const { uPlot } = globalThis; // loaded before, as a script
const FONT = '11px system-ui, sans-serif';
const two = (n) => String(n).padStart(2, '0');

// A colour is the name of a property of the style sheet.
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function timeLabels(u, splits) {
  const span = u.scales.x.max - u.scales.x.min;
  return splits.map((s) => {
    const d = new Date(s * 1000);
    const atMidnight = d.getHours() === 0 && d.getMinutes() === 0;
    return span > 172800 || atMidnight ? `${two(d.getMonth() + 1)}-${two(d.getDate())}` : `${two(d.getHours())}:${two(d.getMinutes())}`;
  });
}

const WHOLE = [1, 2, 5].flatMap((n) => [...Array(10).keys()].map((k) => n * 10 ** k)).sort((a, b) => a - b);

function axes(format, incrs) {
  const line = { stroke: colour('--faint'), font: FONT, ticks: { show: false } };
  return [
    { ...line, grid: { show: false }, values: timeLabels, size: 24, space: 60 },
    { ...line, grid: { stroke: colour('--rule'), width: 1 }, values: (u, splits) => splits.map((v) => (v === null ? '' : format(v))), size: 56, space: 28, ...(incrs ? { incrs } : {}) },
  ];
}

// Puts a chart into an element, and takes it out again. `make` gives options and data; it is called again when `inputs` change.
function usePlot(make, inputs) {
  const box = useRef(null);
  const theme = useTheme();
  useEffect(() => {
    const { options, data } = make();
    const element = box.current;
    const size = () => ({ width: Math.max(200, element.clientWidth), height: options.height });
    const plot = new uPlot({ ...options, ...size(), legend: { show: false }, padding: [8, 16, 0, 0] }, data, element);
    const watch = new ResizeObserver(() => element.isConnected && plot.setSize(size()));
    watch.observe(element);
    return () => { watch.disconnect(); plot.destroy(); };
  }, [...inputs, theme]);
  return box;
}

function Legend({ series, at, time, format }) {
  return html`<div class="legend"><span class="when">${at === null ? '' : brief(time[at] * 1000)}</span>
    ${series.map((each) => html`<span><i class=${each.colour.slice(2)} aria-hidden="true"></i>${each.name}${at !== null && html` <b>${format(each.values[at])}</b>`}</span>`)}</div>`;
}

const cursor = (setAt, onPick, time) => ({
  hooks: {
    setCursor: [(u) => setAt(u.cursor.idx ?? null)],
    ready: [(u) => u.over.addEventListener('click', () => u.cursor.idx !== null && u.cursor.idx !== undefined && onPick?.(time[u.cursor.idx]))],
  },
  cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
});

// `series`: { name, colour, values }, from the bottom up. onPick: the beginning of the bar that was clicked.
export function Bars({ label, time, series, step, format, height = 200, onPick }) {
  const [at, setAt] = useState(null);
  const box = usePlot(() => {
    let sums = time.map(() => 0);
    const stacked = series.map((each) => { sums = sums.map((sum, i) => sum + each.values[i]); return sums; });
    const max = Math.max(1, ...sums);
    const bars = uPlot.paths.bars({ size: [0.86, 64], align: 1 });
    return {
      data: [time, ...stacked.toReversed()],
      options: {
        height, ...cursor(setAt, onPick, time), axes: axes(format, WHOLE),
        scales: { x: { time: true, range: [time[0], time.at(-1) + step] }, y: { range: [0, max * 1.08] } },
        series: [{}, ...series.toReversed().map((each) => ({ paths: bars, points: { show: false }, fill: colour(each.colour), stroke: colour(each.colour), width: 0 }))],
      },
    };
  }, [time, series, height]);
  return html`<figure class=${onPick ? 'chart pick' : 'chart'}><figcaption>${label}</figcaption><${Legend} series=${series} at=${at} time=${time} format=${format} />
    <div class="plot" role="img" aria-label=${`${label}, over time`} ref=${box}></div></figure>`;
}

export function Lines({ label, time, series, step, format, height = 120, onPick }) {
  const [at, setAt] = useState(null);
  const box = usePlot(() => {
    const max = Math.max(0, ...series.flatMap((each) => each.values.filter((v) => v !== null)));
    return {
      data: [time, ...series.map((each) => each.values)],
      options: {
        height, ...cursor(setAt, onPick, time), axes: axes(format),
        scales: { x: { time: true, range: [time[0], time.at(-1) + step] }, y: { range: [0, max > 0 ? max * 1.12 : 1] } },
        series: [{}, ...series.map((each) => ({ stroke: colour(each.colour), width: 1.5, spanGaps: true, points: { show: each.values.filter((v) => v !== null).length < 3, size: 5 } }))],
      },
    };
  }, [time, series, height]);
  return html`<figure class=${onPick ? 'chart pick' : 'chart'}><figcaption>${label}</figcaption><${Legend} series=${series} at=${at} time=${time} format=${format} />
    <div class="plot" role="img" aria-label=${`${label}, over time`} ref=${box}></div></figure>`;
}

// A line in a row of a table; its numbers stand beside it.
export function Spark({ values }) {
  const max = Math.max(1, ...values), width = 96, height = 20;
  const points = values.map((v, i) => `${((i * width) / Math.max(1, values.length - 1)).toFixed(1)},${(height - 1 - (v * (height - 2)) / max).toFixed(1)}`);
  return html`<svg class="spark" viewBox=${`0 0 ${width} ${height}`} aria-hidden="true"><polyline points=${points.join(' ')} /></svg>`;
}
