// The lines of two texts: which are the same, which were removed, which were added.
// SPDX-License-Identifier: Apache-2.0

// The longest common lines are kept, as in any diff; texts are short.
export function diffLines(before, after) {
  const a = before.split('\n'), b = after.split('\n');
  const common = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--)
    for (let k = b.length - 1; k >= 0; k--) common[i][k] = a[i] === b[k] ? common[i + 1][k + 1] + 1 : Math.max(common[i + 1][k], common[i][k + 1]);
  const lines = [];
  for (let i = 0, k = 0; i < a.length || k < b.length;) {
    if (i < a.length && k < b.length && a[i] === b[k]) { lines.push({ kind: 'same', text: a[i] }); i++; k++; } else if (k >= b.length || (i < a.length && common[i + 1][k] >= common[i][k + 1])) lines.push({ kind: 'removed', text: a[i++] });
    else lines.push({ kind: 'added', text: b[k++] });
  }
  return lines;
}

// Changes with some lines around them; what lies between is { kind: 'skip', count }.
export function foldLines(lines, around = 3) {
  const near = lines.map((_, i) => lines.slice(Math.max(0, i - around), i + around + 1).some((line) => line.kind !== 'same'));
  const folded = [];
  lines.forEach((line, i) => {
    if (near[i]) folded.push(line);
    else if (folded.at(-1)?.kind === 'skip') folded.at(-1).count++;
    else folded.push({ kind: 'skip', count: 1 });
  });
  return folded;
}
