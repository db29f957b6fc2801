// Medians, and how sure of them one can be.
// SPDX-License-Identifier: Apache-2.0

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

// A small generator with a fixed seed (xorshift): the same rounds give the same interval.
function generator(seed) {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 4294967296;
  };
}

// The median with its 95% bootstrap interval.
export function medianWithInterval(values, resamples = 4000) {
  const random = generator(20240229);
  const medians = Array.from({ length: resamples }, () =>
    median(values.map(() => values[Math.floor(random() * values.length)])),
  ).sort((a, b) => a - b);
  return {
    median: median(values),
    low: medians[Math.floor(resamples * 0.025)],
    high: medians[Math.ceil(resamples * 0.975) - 1],
    rounds: values.length,
  };
}

// The ratio of two medians with its 95% bootstrap interval: rounds are drawn in pairs. One bad round of the base moves it less than it moves ratios round by round.
export function ratioOfMedians(values, base, resamples = 4000) {
  const random = generator(20240229);
  const ratios = Array.from({ length: resamples }, () => {
    const drawn = values.map(() => Math.floor(random() * values.length));
    return median(drawn.map((i) => values[i])) / median(drawn.map((i) => base[i]));
  }).sort((a, b) => a - b);
  return { ratio: median(values) / median(base), low: ratios[Math.floor(resamples * 0.025)], high: ratios[Math.ceil(resamples * 0.975) - 1] };
}

// The ratios of two targets round by round: what disturbs the machine disturbs both of a pair.
export function pairedRatio(rounds, target, base, metric) {
  const ratios = rounds
    .filter((round) => round[target]?.[metric] > 0 && round[base]?.[metric] > 0)
    .map((round) => round[target][metric] / round[base][metric]);
  return ratios.length ? medianWithInterval(ratios) : null;
}

export function pairedDifference(rounds, target, base, metric) {
  const differences = rounds
    .filter((round) => round[target]?.[metric] !== undefined && round[base]?.[metric] !== undefined)
    .map((round) => round[target][metric] - round[base][metric]);
  return differences.length ? medianWithInterval(differences) : null;
}
