// OpenTelemetry: spans and log records reach a collector, traceparent reaches the upstream; a collector that is not there
// costs nothing but its records, which are counted.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chat } from '../lib/client.mjs';
import { configText, rulesPolicy, startRein } from '../lib/rein.mjs';
import { says, startUpstream } from '../lib/upstream.mjs';

const source = process.env.REIN_SOURCE_DIR ?? path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const names = new Set([...fs.readFileSync(path.join(source, 'server/telemetry/names.h'), 'utf8').matchAll(/#define OTLP_\w+ "([^"]+)"/g)].map(([, name]) => name));

async function startCollector(status = 200) {
  const collector = { spans: [], logs: [], requests: [], waiting: [] };
  const server = http.createServer((request, response) => {
    let body = '';
    request.on('data', (more) => { body += more; });
    request.on('end', () => {
      const tree = JSON.parse(body);
      collector.requests.push({ path: request.url, headers: request.headers, tree });
      for (const { scopeSpans } of tree.resourceSpans ?? []) collector.spans.push(...scopeSpans.flatMap(({ spans }) => spans));
      for (const { scopeLogs } of tree.resourceLogs ?? []) collector.logs.push(...scopeLogs.flatMap(({ logRecords }) => logRecords));
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end('{}');
      collector.waiting.splice(0).forEach((wake) => wake());
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  collector.url = `http://127.0.0.1:${server.address().port}`;
  collector.until = async (found) => {
    while (!found()) await new Promise((wake) => collector.waiting.push(wake));
  };
  collector.stop = () => { server.closeAllConnections(); return new Promise((resolve) => server.close(resolve)); };
  return collector;
}
const attributes = (one) => Object.fromEntries(one.attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
const TRACE = '0af7651916cd43dd8448eb211c80319c', PARENT = 'b7ad6b7169203331';

test('a request is told, and its trace goes on to the upstream', { timeout: 120000 }, async (t) => {
  const upstream = await startUpstream(says({ answer: ['say open sesame'] }));
  const collector = await startCollector();
  const rein = await startRein({ upstream: upstream.url, policy: rulesPolicy, env: { REIN_TEST_OTLP: 'otlp-secret' },
    config: configText({ upstream: upstream.url, more: `telemetry: { endpoint: "${collector.url}/", logs: true, token_env: REIN_TEST_OTLP }` }) });
  t.after(async () => { await rein.clean(); await upstream.stop(); await collector.stop(); });
  const theirs = await rein.ask({ body: chat('secret words'), headers: { traceparent: `00-${TRACE}-${PARENT}-01` } });
  const id = theirs.headers['x-rein-decision'];
  const span = () => collector.spans.find((one) => one.name === 'rein.request' && attributes(one)['rein.decision'] === id);
  await collector.until(() => span() && collector.logs.length > 0);
  const request = span();
  assert.deepEqual([request.traceId, request.parentSpanId, request.kind], [TRACE, PARENT, 2]);
  const told = attributes(request);
  assert.deepEqual([told['rein.verdict'], told['rein.ending'], told['rein.route'], told['gen_ai.request.model'], told['http.response.status_code']], ['refuse', 'refused', 'default', 'm', '200']);
  assert.ok(BigInt(request.endTimeUnixNano) >= BigInt(request.startTimeUnixNano));
  const attempt = collector.spans.find((one) => one.name === 'rein.attempt' && one.parentSpanId === request.spanId);
  assert.ok(attempt && attempt.traceId === TRACE);
  assert.equal(upstream.calls.at(-1).headers.traceparent, `00-${TRACE}-${attempt.spanId}-01`);
  const log = collector.logs.find((one) => one.traceId === TRACE);
  assert.equal(log.body.stringValue, 'rule password: refuse in the answer');
  for (const one of [...collector.spans, ...collector.logs])
    for (const { key } of one.attributes) assert.ok(names.has(key), key);
  const all = JSON.stringify(collector.requests.map(({ tree }) => tree));
  assert.ok(!/sesame|secret words/.test(all));
  assert.equal(collector.requests[0].headers.authorization, 'Bearer otlp-secret');
  assert.deepEqual([...new Set(collector.requests.map((one) => one.path))].sort(), ['/v1/logs', '/v1/traces']);
  for (const traceparent of [undefined, 'nonsense', `00-${'0'.repeat(32)}-${PARENT}-01`, `ff-${TRACE}-${PARENT}-01`, `00-${TRACE.toUpperCase()}-${PARENT}-01`]) {
    await rein.ask({ body: chat('hello'), headers: traceparent ? { traceparent } : {} });
    assert.match(upstream.calls.at(-1).headers.traceparent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/, traceparent);
    assert.ok(!upstream.calls.at(-1).headers.traceparent.includes(TRACE));
  }
  const quiet = await rein.ask({ body: chat('hello'), headers: { traceparent: `00-${TRACE}-${PARENT}-00`, 'x-request-id': 'not-sampled' } });
  assert.equal(quiet.status, 200);
  const last = await rein.ask({ body: chat('hello') });
  await collector.until(() => collector.spans.some((one) => attributes(one)['rein.decision'] === last.headers['x-rein-decision']));
  assert.ok(!JSON.stringify(collector.spans).includes('not-sampled'));
});

test('a collector that is not there loses records, and requests do not notice', { timeout: 120000 }, async (t) => {
  const upstream = await startUpstream(says({ answer: ['yes'] }));
  const rein = await startRein({ upstream: upstream.url, policy: rulesPolicy, config: configText({ upstream: upstream.url, more: 'telemetry: { endpoint: "http://127.0.0.1:1" }' }) });
  t.after(async () => { await rein.clean(); await upstream.stop(); });
  for (let i = 0; i < 5; i++) assert.equal((await rein.ask({ body: chat('hello') })).status, 200);
  const lost = async () => Number(/rein_telemetry_requests_total\{result="lost"\} (\d+)/.exec((await rein.admin('/metrics')).text)[1]);
  while (await lost() < 5) await new Promise((done) => setTimeout(done, 50));
  await rein.said(/the collector cannot be reached/);
});

test('a collector that never answers does not keep the server from its end', { timeout: 120000 }, async (t) => {
  const upstream = await startUpstream(says({ answer: ['yes'] }));
  let asked;
  const silent = http.createServer(() => asked()), wasAsked = new Promise((resolve) => { asked = resolve; });
  await new Promise((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const rein = await startRein({ upstream: upstream.url, policy: rulesPolicy,
    config: configText({ upstream: upstream.url, more: `telemetry: { endpoint: "http://127.0.0.1:${silent.address().port}", logs: true }` }) });
  t.after(async () => { silent.closeAllConnections(); silent.close(); await rein.clean(); await upstream.stop(); });
  await rein.ask({ body: chat('hello') });
  await wasAsked;
  await rein.ask({ body: chat('hello') }); // waits behind the call that is not answered
  assert.deepEqual(await rein.stop(), { code: 0, signal: null });
});

test('without a collector a client\'s trace is passed on, and none is made', { timeout: 120000 }, async (t) => {
  const upstream = await startUpstream(says({ answer: ['yes'] }));
  const rein = await startRein({ upstream: upstream.url, policy: rulesPolicy });
  t.after(async () => { await rein.clean(); await upstream.stop(); });
  await rein.ask({ body: chat('hello'), headers: { traceparent: `00-${TRACE}-${PARENT}-01` } });
  assert.equal(upstream.calls.at(-1).headers.traceparent, `00-${TRACE}-${PARENT}-01`);
  await rein.ask({ body: chat('hello') });
  assert.equal(upstream.calls.at(-1).headers.traceparent, undefined);
});
