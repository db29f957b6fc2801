// What the desk is built on: views over time, filters, texts, live feeds, export, feedback, rights; and all of it, and the
// client API, as the OpenAPI document says.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import { after, before, describe, test } from 'node:test';
import { ask, chat, send } from '../lib/client.mjs';
import { configText, startRein } from '../lib/rein.mjs';
import { problems } from '../lib/schema.mjs';
import { says, startUpstream } from '../lib/upstream.mjs';

const policy = (words) => `
version: 1
name: default
prefix: { template: none, deliver: off, when: never }
reasoning: { show: stream, release: stream }
log: { text: full }
rules:
  - { id: password, channels: [reasoning, answer, tool], literal: "open sesame", action: refuse }
  - { id: badge, channels: [answer], regex: 'BADGE-[0-9]{6}', action: redact, replacement: "[badge]", secret: true }
  - { id: trial, channels: [answer], literal: "${words}", action: refuse, shadow: true }
refusal: { message: "Not this.", finish_reason: content_filter, before_first_byte: error }
`;
const tokens = { REIN_COUNTS: 'counts-0123456789abcdef', REIN_TEXT: 'text-0123456789abcdef', REIN_OPERATE: 'operate-0123456789abcdef' };
const withTokens = (config) => config.replace(/^admin: .*$/m, `admin:
  address: "127.0.0.1:0"
  tokens:
    - { name: grafana, rights: counts, token_env: REIN_COUNTS }
    - { name: reader, rights: text, token_env: REIN_TEXT }
    - { name: boss, rights: operate, token_env: REIN_OPERATE }`);

describe('the desk', { timeout: 240000 }, () => {
  let upstream, rein, doc;
  const ids = {};
  const api = (path, { method = 'GET', token = tokens.REIN_OPERATE, body, headers = {} } = {}) =>
    ask(rein.adminPort, { method, path, body, headers: { ...(token ? { authorization: `Bearer ${token}` } : {}), ...headers } });
  const get = async (path, options) => (await api(`/admin/v1/${path}`, options)).json;
  const final = async (id) => {
    for (;;) {
      const { status, json } = await api(`/admin/v1/decisions/${id}`);
      if (status === 200 && json.final) return json;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const request = async (name, texts, { fields = {}, headers = {} } = {}) => {
    upstream.serve = says(texts);
    ids[name] = (await rein.ask({ body: chat(name, fields), headers })).headers['x-rein-decision'];
    return final(ids[name]);
  };
  before(async () => {
    upstream = await startUpstream(says({}));
    rein = await startRein({ upstream: upstream.url, policy: policy('of course'), config: withTokens(configText({ upstream: upstream.url })), env: tokens });
    doc = await get('openapi.json');
    await request('clean', { reasoning: ['hm'], answer: ['yes'] }, { headers: { 'x-request-id': 'mine-1' } });
    await request('refused', { reasoning: ['hm'], answer: ['say open sesame'] }, { fields: { stream: true, model: 'm-2' } });
    await request('redacted', { answer: ['it is BADGE-123456, is it'] });
    await request('both', { answer: ['of course it is BADGE-123456, is it'] });
    await request('=HYPERLINK("x")', { answer: ['yes'] }, { headers: { 'x-request-id': '-1.2' }, fields: { model: 'm-=1' } });
  });
  after(async () => {
    await rein?.clean();
    await upstream?.stop();
  });
  const found = async (query) => (await get(`decisions?${query}`)).data.map((row) => row.id).sort();
  const are = (...names) => names.map((name) => ids[name]).sort();

  test('every path and method answers, and each answer is what the document says', async () => {
    const since = new Date(Date.now() - 3600000).toISOString();
    const examples = {
      'get /admin/v1/overview': ['', '?step=1m', `?route=default&from=${since}`, '?model=none&step=1d', '?from=2020-01-01'],
      'get /admin/v1/findings': ['', `?from=${since}`, '?key=nobody'],
      'get /admin/v1/decisions': ['', '?limit=2', '?rule=badge', `?shadow=any&from=${since}`],
      'get /admin/v1/decisions/{id}': [`/${ids.clean}`, `/${ids.refused}`, `/${ids.redacted}`, `/${ids.both}`],
      'get /admin/v1/stats': ['?bucket=1h'],
      'post /admin/v1/session': [''],
      'get /v1/models/{id}': ['/m'],
      'get /v1/guard/decisions/{id}': [`/${ids.refused}`],
    };
    const bodies = {
      'put /admin/v1/decisions/{id}/findings/{n}/feedback': { verdict: 'right' },
      'post /admin/v1/session': { token: tokens.REIN_TEXT },
      'post /admin/v1/erase': { request: 'nobody-asked-this' },
      'post /v1/chat/completions': chat('hello'),
      'post /v1/responses': { model: 'm', input: 'hello' },
      'post /v1/messages': { model: 'm', max_tokens: 9, messages: [{ role: 'user', content: 'hello' }] },
      'post /v1/messages/count_tokens': { model: 'm', messages: [{ role: 'user', content: 'hello' }] },
      'post /v1/embeddings': { model: 'm', input: 'hello' },
    };
    upstream.serve = says({ answer: ['yes'] });
    let answers = 0;
    const current = (await final(ids.refused)).policy_version;
    for (const [template, methods] of Object.entries(doc.paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        const name = `${method} ${template}`;
        const isClient = operation['x-rein-listener'] === 'clients';
        if (template === '/admin/v1/live') continue; // below
        for (const more of examples[name] ?? ['']) {
          const base = more.startsWith('/') ? template.replace(/\/\{id\}$/, '') : template.replace('{id}', ids.refused).replace('{n}', '0').replace('{version}', current);
          const answer = await ask(isClient ? rein.port : rein.adminPort, {
            method: method.toUpperCase(), path: base + more, body: bodies[name],
            headers: isClient ? {} : { authorization: `Bearer ${tokens.REIN_OPERATE}` },
          });
          const status = String(answer.status);
          let expected = operation.responses[status] ?? operation.responses[`${status[0]}XX`];
          assert.ok(expected, `${name}${more}: ${status} is not described: ${answer.text.slice(0, 300)}`);
          if (!isClient) assert.ok(answer.status < 300, `${name}${more}: ${status} ${answer.text.slice(0, 300)}`);
          if (expected.$ref) expected = doc.components.responses[expected.$ref.split('/').pop()];
          answers++;
          // What detectors read of masked text tells whether a guess of it is right: nobody gets it.
          assert.doesNotMatch(answer.text, /"readings"/, name + more);
          if (!expected.content) continue;
          const type = String(answer.headers['content-type']).split(';')[0];
          assert.ok(expected.content[type], `${name}: ${type} is not described`);
          const schema = expected.content[type].schema;
          if (type === 'application/json') assert.deepEqual(problems(answer.json, schema, doc), [], name + more);
          if (type === 'application/jsonl' && template.includes('export'))
            for (const line of answer.text.trim().split('\n'))
              assert.deepEqual(problems(JSON.parse(line), doc.components.schemas.Decision, doc), [], name);
        }
      }
    }
    assert.ok(answers >= 35, `${answers}`);
    const wrong = await api('/admin/v1/decisions?verdict=maybe');
    assert.deepEqual([wrong.status, problems(wrong.json, doc.components.schemas.Error, doc)], [400, []]);
  });

  test('FOUND U9: filters: key, request id, ending, rule and rule together, risk with a time range', async () => {
    assert.deepEqual(await found('request_id=mine-1'), are('clean'));
    assert.deepEqual(await found(`request_id=${ids.refused}`), are('refused'));
    assert.deepEqual(await found('ending=refused'), are('refused'));
    assert.deepEqual(await found('rule=badge&verdict=redact'), are('redacted', 'both'));
    assert.deepEqual(await found('rule=trial&verdict=redact&route=default'), are('both'));
    assert.deepEqual(await found('rule=trial&pattern=weak_vacillation'), []);
    assert.deepEqual(await found('key=nobody'), []);
    assert.equal((await api('/admin/v1/decisions?trace_risk_min=0.5')).json.error.param, 'from');
    const page = await get('decisions?trace_risk_max=1&shadow=refuse&from=2020-01-01');
    assert.deepEqual([page.unindexed, page.data.map((row) => row.id)], [['shadow', 'trace_risk'], [ids.both]]);
    assert.equal((await api('/admin/v1/decisions?trace_risk_max=2&from=2020-01-01')).status, 400);
  });

  test('pages go both ways, and a decision has its place', async () => {
    const first = await get('decisions?limit=2');
    assert.equal(first.prev_cursor, null);
    const second = await get(`decisions?limit=2&cursor=${first.next_cursor}`);
    const back = await get(`decisions?limit=2&cursor=${second.prev_cursor}`);
    assert.deepEqual(back.data.map((row) => row.id), first.data.map((row) => row.id));
    assert.equal(back.prev_cursor, null);
    assert.equal(back.next_cursor, first.next_cursor);
    const one = await get(`decisions/${second.data[0].id}`);
    const newer = await get(`decisions?limit=1&cursor=r${one.cursor}`);
    assert.equal(newer.data[0].id, first.data[1].id);
  });

  test('sums say what the rows say', async () => {
    const rows = (await get('decisions?limit=500')).data.filter((row) => row.final);
    const { total, series, store, step_s: step } = await get('overview?step=1m');
    assert.equal(step, 300); // a day has too many minutes
    const sum = (list) => list.reduce((a, b) => a + b, 0);
    for (const verdict of ['allow', 'redact', 'refuse', 'steer', 'cut', 'none']) {
      assert.equal(total.verdicts[verdict], rows.filter((row) => row.verdict === verdict).length, verdict);
      assert.equal(sum(series.verdicts[verdict]), total.verdicts[verdict]);
    }
    assert.deepEqual([sum(series.requests), total.unjudged_bytes, store.healthy, store.summed], [rows.length, 0, true, 1]);
    assert.ok(total.first_byte_us.p50 > 0 && total.first_byte_us.p50 <= total.first_byte_us.p99);
    const one = await get('overview?model=m-2');
    assert.deepEqual([one.total.requests, one.total.verdicts.refuse], [1, 1]);
    const { data, requests, current, previous } = await get('findings');
    assert.equal(requests, rows.length);
    const badge = data.find((row) => row.id === 'badge');
    assert.deepEqual([badge.kind, badge.requests, badge.enforced, badge.shadow, sum(badge.spark)], ['rule', 2, 2, 0, 2]);
    assert.deepEqual(data.find((row) => row.id === 'trial').shadow, 1);
    assert.equal(current.policy_version, rows[0].policy_version);
    assert.equal(previous, null);
    const facets = await get('facets');
    assert.ok(facets.models.some(({ value }) => value === 'm-2') && facets.findings.some(({ id }) => id === 'badge'));
  });

  test('who reads stands behind those who serve', async () => {
    const IDLE = 5; // SCHED_IDLE: what nobody else wants of the processors
    const read = (task, file) => fs.readFileSync(`/proc/${rein.child.pid}/task/${task}/${file}`, 'utf8').trim();
    const look = () => fs.readdirSync(`/proc/${rein.child.pid}/task`).flatMap((task) => {
      try {
        const stat = read(task, 'stat').replace(/^.*\) /, '').split(' ').map(Number);
        return [{ name: read(task, 'comm'), nice: stat[16], policy: stat[38] }];
      } catch {
        return []; // it has ended
      }
    });
    let threads, readers;
    do { // a machine that is busy just now reads elsewhere, for half a minute
      await get('overview');
      threads = look().filter(({ name }) => name !== 'rein-reader-own');
      readers = threads.filter(({ name }) => name === 'rein-reader');
      await new Promise((resolve) => setTimeout(resolve, 50));
    } while (readers.length === 0);
    assert.deepEqual([...new Set(readers.map(({ policy }) => policy))], [IDLE]);
    const own = os.getPriority(rein.child.pid);
    for (const { name, nice, policy } of threads)
      if (name !== 'rein-reader') assert.ok(policy !== IDLE && nice === (name === 'rein-admin' ? Math.max(own, 10) : own), `${name}: ${policy}, ${nice}`);
  });

  test('a decision says why, when, and what was said', async () => {
    const row = await final(ids.refused);
    assert.match(row.why, /^The rule password matched in the answer; refused at byte 15 of the answer\.$/);
    assert.deepEqual(row.timeline.map(({ what }) => what).filter((what) => what !== 'client_first_byte'), ['received', 'called', 'first_byte', 'stopped', 'ended']);
    assert.ok(row.timeline.every(({ at_us: at }, i) => i === 0 || at >= row.timeline[i - 1].at_us));
    assert.ok(row.texts.some(({ channel, text }) => channel === 'reasoning' && text === 'hm'), JSON.stringify(row.texts));
    assert.equal(row.attempts[0].may_continue, false);
    const masked = (await final(ids.redacted)).texts.find(({ channel }) => channel === 'answer');
    assert.equal(masked.text, 'it is ************, is it');
    assert.deepEqual(masked.found, [{ offset: 6, len: 12, rule: 'badge', held: 18 }]);
    const both = await final(ids.both);
    assert.match(both.why, /In shadow: rule trial would have refused this\.$/);
    assert.match((await final(ids.clean)).why, /^Nothing that acts was found/);
  });

  test('rights: counts see no text, text may not operate, nobody sees nothing', async () => {
    const counts = { token: tokens.REIN_COUNTS };
    const row = await get(`decisions/${ids.refused}`, counts);
    assert.deepEqual([row.texts, row.findings[0].evidence, row.verdict], [null, null, 'refuse']);
    assert.deepEqual(row.hidden, ['texts', 'evidence', 'upstream_error']);
    assert.ok(!JSON.stringify(row).includes('sesame'));
    const feedback = `/admin/v1/decisions/${ids.refused}/findings/0/feedback`;
    assert.equal((await api(feedback, { ...counts, method: 'PUT', body: { verdict: 'right' } })).json.error.code, 'not_allowed');
    assert.equal((await api('/admin/v1/export.csv?texts=true', counts)).status, 403);
    assert.equal((await api('/admin/v1/feedback.jsonl', counts)).status, 403);
    for (const path of ['overview', 'decisions', 'live', 'export.csv', 'openapi.json', 'facets', 'findings'])
      assert.equal((await api(`/admin/v1/${path}`, { token: null })).status, 401, path);
    const read = rein.log.match(/the text of decision .* is read by boss/g);
    assert.ok(read?.length > 0, rein.log);
  });

  test('feedback is given, changed, taken back, counted and exported', async () => {
    const path = `/admin/v1/decisions/${ids.redacted}/findings/0/feedback`;
    const give = (body, token = tokens.REIN_TEXT) => api(path, { method: 'PUT', body, token });
    assert.equal((await give({ verdict: 'right' })).status, 200);
    const note = '=1+1 <script>"';
    const said = (await give({ verdict: 'wrong', note })).json;
    assert.deepEqual([said.verdict, said.note, said.by], ['wrong', note, 'reader']);
    assert.equal((await final(ids.redacted)).findings[0].feedback.note, note);
    const wrong = async (query) => (await get(`findings?${query}`)).data.find((row) => row.id === 'badge')?.feedback.wrong;
    const { model, policy_version: version } = await final(ids.redacted);
    for (const query of ['', `model=${model}`, 'route=default', `policy_version=${version}`]) assert.equal(await wrong(query), 1, query);
    // What another filter leaves out has no feedback either, so it makes no row.
    for (const query of ['model=m-2', 'route=other', 'key=nobody', `policy_version=${'0'.repeat(64)}`]) assert.equal(await wrong(query), undefined, query);
    const lines = (await api('/admin/v1/feedback.jsonl')).text.trim().split('\n').map((line) => JSON.parse(line));
    const row = lines.find(({ id }) => id === ids.redacted);
    assert.deepEqual([row.feedback, row.finding.id, row.label_answer, row.prompt, row.note], ['wrong', 'badge', 'safe', 'redacted', note]);
    assert.ok(!row.answer.includes('zzz') && row.answer.includes('it is'));
    for (const body of ['{', '{}', { verdict: 'maybe' }, { verdict: 'right', note: 'x'.repeat(2001) }, { verdict: 'right', more: 1 }])
      assert.equal((await give(body)).status, 400, JSON.stringify(body).slice(0, 50));
    assert.equal((await api(path.replace('/0/', '/77/'), { method: 'PUT', body: { verdict: 'right' } })).status, 404);
    assert.equal((await api(path, { method: 'DELETE' })).status, 200);
    assert.equal((await final(ids.redacted)).findings[0].feedback, null);
    assert.equal((await api(path, { method: 'DELETE' })).status, 404);
  });

  test('exports have every row that matches, and no cell is a formula', async () => {
    const lines = (await api('/admin/v1/export.jsonl?rule=badge&texts=true')).text.trim().split('\n').map((line) => JSON.parse(line));
    assert.deepEqual(lines.map(({ id }) => id).sort(), are('redacted', 'both'));
    assert.ok(lines.every(({ texts }) => texts.length > 0));
    const csv = (await api('/admin/v1/export.csv')).text;
    const [head, ...rows] = csv.trim().split('\r\n');
    assert.ok(head.startsWith('id,started_at,'));
    assert.equal(rows.length, (await get('decisions?limit=500')).data.length);
    assert.ok(csv.includes(`,"'-1.2",`), csv);
    assert.ok(!/(^|,)"?[=+@-]/m.test(rows.join('\n')), csv);
  });

  test('a live feed tells what is stored while it is open, filtered', async () => {
    const open = async (query) => {
      const feed = await send(rein.adminPort, { method: 'GET', path: `/admin/v1/live${query}`, headers: { authorization: `Bearer ${tokens.REIN_COUNTS}` } });
      await feed.until(': live');
      return feed;
    };
    const all = await open(''), refusals = await open('?verdict=refuse'), rules = await open('?rule=badge&route=default'), none = await open('?key=nobody');
    await request('live-1', { answer: ['say open sesame'] });
    await request('live-2', { answer: ['it is BADGE-123456, is it'] });
    await all.until(ids['live-2']);
    await refusals.until(ids['live-1']);
    await rules.until(ids['live-2']);
    const data = (feed) => feed.text.split('\n\n').filter((event) => event.startsWith('event: decision')).map((event) => JSON.parse(event.split('\ndata: ')[1]));
    assert.ok(data(all).some(({ id }) => id === ids['live-1']));
    assert.deepEqual([...new Set(data(refusals).map(({ id }) => id))], [ids['live-1']]);
    assert.deepEqual([...new Set(data(rules).map(({ id }) => id))], [ids['live-2']]);
    assert.deepEqual(data(none), []);
    for (const event of data(all)) assert.deepEqual(problems(event, doc.components.schemas.LiveDecision, doc), []);
    assert.deepEqual(data(rules)[0].names, [{ kind: 'rule', id: 'badge', shadow: false }]);
    assert.equal((await api('/admin/v1/live?limit=3')).status, 400);
    [all, refusals, rules, none].forEach((feed) => feed.leave());
  });

  test('another policy version is compared with the one before', async () => {
    const before = (await final(ids.clean)).policy_version;
    fs.writeFileSync(`${rein.folder}/policies/default.yaml`, policy('something else'));
    const reload = await ask(rein.adminPort, { method: 'POST', path: '/admin/v1/reload', headers: { authorization: `Bearer ${tokens.REIN_OPERATE}` } });
    assert.equal(reload.status, 200);
    const row = await request('after', { answer: ['it is BADGE-123456, is it'] });
    assert.notEqual(row.policy_version, before);
    const { current, previous, data } = await get('findings');
    assert.deepEqual([current.policy_version, previous.policy_version], [row.policy_version, before]);
    const badge = data.find(({ id }) => id === 'badge');
    assert.equal(badge.share_current, 1);
    assert.ok(badge.share_previous > 0 && badge.share_previous < 1, `${badge.share_previous}`);
    assert.deepEqual((await get(`findings?policy_version=${before}`)).current.policy_version, before);
  });
});

test('a token of less than 16 characters, without a source, or of a name that is taken, is refused', { timeout: 120000 }, async () => {
  const config = configText({ upstream: 'http://127.0.0.1:9' }).replace(/^admin: .*$/m, `admin:
  address: "127.0.0.1:0"
  tokens: [{ name: a, rights: counts, token_env: REIN_COUNTS }, { name: a, rights: text, token_env: REIN_TEXT }, { name: c, rights: text }]`);
  await assert.rejects(startRein({ upstream: 'http://127.0.0.1:9', config, env: { REIN_COUNTS: 'short', REIN_TEXT: tokens.REIN_TEXT } }), (error) => {
    assert.match(error.message, /less than 16 characters/);
    assert.match(error.message, /another admin token has the name `a` too/);
    assert.match(error.message, /needs token_env or token_file/);
    return true;
  });
});
