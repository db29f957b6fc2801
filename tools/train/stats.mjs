// Statistics of training and measuring: ranking, shares with their intervals, calibration.
// SPDX-License-Identifier: Apache-2.0

const Z = 1.959964; // 95%

export const logistic = (x) => 1 / (1 + Math.exp(-x));

// The share of pairs (a positive, a negative) in which the positive is higher; ties count half. Interval after Hanley and
// McNeil. NaN if one side is empty.
export function auroc(positives, negatives) {
  const [m, n] = [positives.length, negatives.length];
  if (m === 0 || n === 0) return { value: NaN, low: NaN, high: NaN };
  const all = [...positives.map((x) => [x, 1]), ...negatives.map((x) => [x, 0])].sort((a, b) => a[0] - b[0]);
  let sum = 0;
  let below = 0;
  for (let i = 0; i < all.length; ) {
    let j = i;
    let yes = 0;
    for (; j < all.length && all[j][0] === all[i][0]; j++) yes += all[j][1];
    const no = j - i - yes;
    sum += yes * (below + no / 2);
    below += no;
    i = j;
  }
  const a = sum / m / n;
  const q1 = a / (2 - a);
  const q2 = (2 * a * a) / (1 + a);
  const half = Z * Math.sqrt(Math.max(0, (a * (1 - a) + (m - 1) * (q1 - a * a) + (n - 1) * (q2 - a * a)) / (m * n)));
  return { value: a, low: Math.max(0, a - half), high: Math.min(1, a + half) };
}

// A share with its Wilson interval.
export function share(count, of) {
  if (of === 0) return { count, of, value: 0, low: 0, high: 0 };
  const p = count / of;
  const z2 = (Z * Z) / of;
  const middle = (p + z2 / 2) / (1 + z2);
  const half = (Z * Math.sqrt((p * (1 - p)) / of + z2 / (4 * of))) / (1 + z2);
  return { count, of, value: p, low: Math.max(0, middle - half), high: Math.min(1, middle + half) };
}

// Slope and offset of a logistic curve through points [z, is positive], both classes weighing the same (Platt). Newton's
// method with halved steps; a little ridge on the slope keeps it finite where the classes do not overlap.
export function calibrate(points) {
  const yes = points.filter((p) => p[1]).length;
  const no = points.length - yes;
  if (yes === 0 || no === 0) throw new Error('calibration needs rows of both kinds');
  const RIDGE = 0.002;
  const weightOf = (positive) => (positive ? 0.5 / yes : 0.5 / no);
  const loss = (slope, offset) => points.reduce((sum, [z, positive]) => {
    const x = positive ? -(slope * z + offset) : slope * z + offset;
    return sum + weightOf(positive) * (x > 30 ? x : Math.log1p(Math.exp(x)));
  }, (RIDGE * slope * slope) / 2);
  let [slope, offset] = [0, 0];
  for (let step = 0; step < 100; step++) {
    let [ga, gb, haa, hab, hbb] = [RIDGE * slope, 0, RIDGE, 0, 1e-9];
    for (const [z, positive] of points) {
      const p = logistic(slope * z + offset);
      const e = weightOf(positive) * (p - (positive ? 1 : 0));
      const h = weightOf(positive) * p * (1 - p);
      ga += e * z;
      gb += e;
      haa += h * z * z;
      hab += h * z;
      hbb += h;
    }
    const det = haa * hbb - hab * hab;
    const [da, db] = [(ga * hbb - gb * hab) / det, (gb * haa - ga * hab) / det];
    const now = loss(slope, offset);
    let part = 1;
    while (part > 1e-6 && loss(slope - part * da, offset - part * db) > now) part /= 2;
    slope -= part * da;
    offset -= part * db;
    if (part * (Math.abs(da) + Math.abs(db)) < 1e-9) break;
  }
  return { slope: Math.max(0.01, slope), offset };
}

// Ten bins of equal width: mean score, share of positives.
export function bins(points) {
  const all = Array.from({ length: 10 }, () => ({ sum: 0, yes: 0, n: 0 }));
  for (const [p, positive] of points) {
    const bin = all[Math.min(9, Math.floor(p * 10))];
    bin.sum += p;
    bin.yes += positive ? 1 : 0;
    bin.n++;
  }
  return all.filter((bin) => bin.n > 0).map((bin) => ({ mean: bin.sum / bin.n, ...share(bin.yes, bin.n) }));
}
