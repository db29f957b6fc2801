// Draws the calibration of each head, on rows that it was not trained on, as SVG.
// SPDX-License-Identifier: Apache-2.0
import { bins } from './stats.mjs';

const [SIDE, LEFT, TOP, ACROSS, DOWN] = [240, 60, 70, 330, 330];
const escaped = (text) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;');

function panel({ name, points, auroc }, i) {
  const [left, top] = [LEFT + (i % 2) * ACROSS, TOP + 20 + Math.floor(i / 2) * DOWN];
  const [x, y] = [(p) => (left + SIDE * p).toFixed(1), (p) => (top + SIDE - SIDE * p).toFixed(1)];
  let out = `<rect x='${left}' y='${top}' width='${SIDE}' height='${SIDE}' fill='none' stroke='#888'/>\n`;
  out += `<text x='${left}' y='${top - 8}' font-weight='bold'>${escaped(name)}, AUROC ${auroc.value.toFixed(3)} [${auroc.low.toFixed(3)}, ${auroc.high.toFixed(3)}]</text>\n`;
  for (let tick = 0; tick <= 4; tick++) {
    out += `<line x1='${x(tick / 4)}' x2='${x(tick / 4)}' y1='${top + SIDE}' y2='${top + SIDE + 5}' stroke='#888'/><text x='${x(tick / 4)}' y='${top + SIDE + 18}' text-anchor='middle'>${25 * tick}%</text>\n`;
    out += `<line x1='${left - 5}' x2='${left}' y1='${y(tick / 4)}' y2='${y(tick / 4)}' stroke='#888'/><text x='${left - 8}' y='${y(tick / 4)}' dy='4' text-anchor='end'>${25 * tick}%</text>\n`;
  }
  out += `<line x1='${x(0)}' y1='${y(0)}' x2='${x(1)}' y2='${y(1)}' stroke='#b55' stroke-dasharray='4'/>\n`;
  for (const bin of bins(points))
    out += `<line x1='${x(bin.mean)}' x2='${x(bin.mean)}' y1='${y(bin.low)}' y2='${y(bin.high)}' stroke='#1f5fa8'/><circle cx='${x(bin.mean)}' cy='${y(bin.value)}' r='3.5' fill='#1f5fa8'><title>${bin.of} rows</title></circle>\n`;
  return `${out}<text x='${left + SIDE / 2}' y='${top + SIDE + 36}' text-anchor='middle'>mean score of the bin; upright: share of yes</text>\n`;
}

// `heads` are { name, points: [score, is yes], auroc }.
export function calibrationPlot(title, heads) {
  let out = `<svg xmlns='http://www.w3.org/2000/svg' width='${2 * ACROSS + 20}' height='${TOP + 2 * DOWN}' font-family='sans-serif' font-size='11'>\n`;
  out += `<rect width='100%' height='100%' fill='#fff'/>\n<text x='${LEFT}' y='26' font-size='15' font-weight='bold'>${escaped(title)}</text>\n`;
  out += `<text x='${LEFT}' y='44'>cross-validated by prompt; bars are 95% intervals, the dashed line is perfect calibration</text>\n`;
  return `${out}${heads.map(panel).join('')}</svg>\n`;
}
