// What is measured: the load of each scenario, and the bars that Rein is held to.
// SPDX-License-Identifier: Apache-2.0

const all = ['direct', 'nginx', 'haproxy', 'bare', 'empty', 'default', 'sentence', 'auto'];
const proxies = ['nginx', 'haproxy', 'bare', 'empty', 'default'];

// args: of bench_client. seconds: of one measurement. targets: in the order of the table. memory: streams that the resident
// memory is divided by.
export const scenarios = {
  first: { title: 'one stream after another, 8 events each', targets: all, seconds: 1, args: ['--streams', 1, '--events', 8] },
  sat1: { title: '1 saturated stream', targets: all, seconds: 1, args: ['--streams', 1] },
  sat64: { title: '64 saturated streams', targets: all, seconds: 2, args: ['--streams', 64] },
  sat512: { title: '512 saturated streams', targets: all, seconds: 2, args: ['--streams', 512] },
  burst: { title: '64 streams, bursts of 16', targets: all, seconds: 2, args: ['--streams', 64, '--burst', 16, '--events', 512] },
  paced: {
    title: '1,000 streams × 20/s',
    targets: all,
    seconds: 2,
    args: ['--mode', 'paced', '--streams', 1000, '--rate', 20, '--time-ms', 5000],
  },
  open: {
    title: '9,000 streams × 2/s',
    targets: proxies,
    seconds: 3,
    memory: 9000,
    args: ['--mode', 'paced', '--streams', 9000, '--rate', 2, '--time-ms', 11000],
  },
  whole: { title: '16 clients, 2 KiB answers, not streamed', targets: all, seconds: 2, args: ['--mode', 'whole', '--streams', 16] },
  mix: {
    title: '64 streams of 200 events, 1% to be refused',
    targets: ['direct', 'nginx', 'default', 'sentence'],
    seconds: 2,
    args: ['--streams', 64, '--events', 200, '--secret-every', 100],
  },
  churn: {
    title: '100,000 streams of 10 events, one after another on 64 connections',
    targets: ['nginx', 'default'],
    seconds: 12,
    rounds: 1,
    args: ['--streams', 64, '--events', 10],
  },
};

// metric: of the client's JSON. against: the ratio to that target in the same round; `over`: the difference instead.
export const bars = [
  { scenario: 'paced', target: 'default', metric: 'cpu_us_per_event', against: 'nginx', most: 1.25 },
  { scenario: 'sat512', target: 'default', metric: 'cpu_us_per_event', against: 'nginx', most: 1.25 },
  { scenario: 'paced', target: 'empty', metric: 'cpu_us_per_event', against: 'nginx', most: 1.1 },
  { scenario: 'sat512', target: 'empty', metric: 'cpu_us_per_event', against: 'nginx', most: 1.1 },
  { scenario: 'burst', target: 'default', metric: 'events_per_s', against: 'nginx', least: 0.55 },
  { scenario: 'paced', target: 'default', metric: 'delay_p99_us', against: 'nginx', most: 1.5 },
  { scenario: 'first', target: 'default', metric: 'first_p50_us', over: 'direct', most: 200 },
  { scenario: 'open', target: 'default', metric: 'memory_per_stream', most: 32768 },
  { scenario: 'open', target: 'default', metric: 'errors', most: 0 },
  { scenario: 'open', target: 'default', metric: 'cpu_us_per_event', than: 'paced', most: 1.5 },
  { scenario: 'whole', target: 'default', metric: 'events_per_s', against: 'nginx', least: 0.6 },
];
