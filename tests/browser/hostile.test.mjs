// Text that wants to be more than text: markup, script, marks that turn the direction, a megabyte, hundreds of findings.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { chat } from '../lib/client.mjs';
import { overflow, picture, startBrowser } from '../lib/browser.mjs';
import { startRein } from '../lib/rein.mjs';
import { says as answers, startUpstream } from '../lib/upstream.mjs';

const MARKUP = '<img src=x onerror="globalThis.pwned=1"><script>globalThis.pwned=1</script><iframe srcdoc="<script>parent.pwned=1</script>"></iframe>'
  + '"\'>&lt;b&gt;${1}</textarea></title><svg onload=alert(1)><style>*{display:none}</style>';
const TURNED = '\u202egnihton\u202c \u2067\u05d0\u05d1\u05d2\u2069 \u200f\ufeff\u0000\u0007\u001b[31m';
const LONG = 'W'.repeat(3000);
const HOSTILE = `${MARKUP}${TURNED}${LONG}`;

const policy = `
version: 1
name: default
prefix: { template: none, deliver: off, when: never }
reasoning: { show: stream, release: stream }
rules:
  - { id: badge, channels: [reasoning, answer, tool, prompt], regex: 'BADGE-[0-9]{6}', action: record }
limits: { stream_bytes: 16777216 }
log: { text: full, max_bytes: 8388608 }
`;

describe('hostile text', { timeout: 240000 }, () => {
  let browser, rein, upstream, base;
  before(async () => {
    upstream = await startUpstream(answers({}));
    rein = await startRein({ upstream: upstream.url, policy });
    base = `http://127.0.0.1:${rein.adminPort}`;
    browser = await startBrowser();
  });
  after(async () => {
    await rein?.clean();
    await upstream?.stop();
  });

  // Nothing of it became an element, ran, asked for something, or moved the page.
  const holds = async (page, what) => {
    assert.equal(await page.evaluate(() => globalThis.pwned), undefined, what);
    assert.equal(await page.locator('#app img, #app iframe, #app script, #app textarea, #app style').count(), 0, what);
    assert.ok(await overflow(page) <= 0, `${what}: ${await overflow(page)} pixels too wide`);
  };

  test('what a client and a model say is shown letter by letter', async () => {
    upstream.serve = answers({ reasoning: [`think ${HOSTILE}`], answer: [`say ${HOSTILE} BADGE-123456`] });
    const model = `m-${MARKUP}${TURNED.replace('\u0000', '')}`.slice(0, 200);
    const answer = await rein.ask({ body: chat(`ask ${HOSTILE.replace('\u0000', '')}`, { model }) });
    const row = await rein.row(answer.headers['x-rein-decision']);
    assert.equal(row.model, model);
    for (const width of [1280, 360]) {
      const page = await browser.open(`${base}/decisions/${row.id}`, { width });
      await page.locator('.prose').first().waitFor();
      for (const channel of ['prompt', 'reasoning', 'answer']) {
        const shown = await page.locator(`.c-${channel} .prose`).last().evaluate((node) => { node.querySelectorAll('.ref').forEach((each) => each.remove()); return node.textContent; });
        assert.ok(shown.includes(MARKUP), channel);
        assert.ok(shown.includes('‹U+202E›gnihton‹U+202C›'), channel);
        assert.ok(!/[\u202a-\u202e\u2066-\u2069]/.test(shown), channel);
      }
      await holds(page, `decision ${width}`);
      await page.goto(`${base}/decisions`);
      await page.locator('table.decisions').waitFor();
      assert.ok((await page.locator('table.decisions').textContent()).includes('<img src=x'));
      await holds(page, `decisions ${width}`);
      await page.done();
    }
  });

  test('a megabyte of reasoning and 300 findings: folded, quick, and whole when asked for', async () => {
    const filler = 'I think about this for a while and come to nothing. ';
    const reasoning = Array.from({ length: 300 }, (_, i) => `${filler.repeat(i === 150 ? 4000 : 54)}BADGE-${100000 + i} `);
    upstream.serve = answers({ reasoning, answer: ['done'] });
    const row = await rein.row((await rein.ask({ body: chat('long') })).headers['x-rein-decision']);
    assert.ok(row.reasoning_received > 1000000, row.reasoning_received);
    assert.equal(row.findings.length, 256);
    const page = await browser.open(`${base}/decisions/${row.id}`);
    await page.locator('.c-reasoning mark').first().waitFor();
    assert.equal(await page.locator('.c-reasoning mark').count(), 256);
    assert.equal(await page.locator('.findings-list > ol > li').count(), 256);
    const length = () => page.locator('.c-reasoning .prose').evaluate((node) => node.textContent.length);
    const folded = await length();
    assert.ok(folded < 900000, folded);
    await page.locator('.fold').first().click();
    assert.ok(await length() > folded + 100000);
    await holds(page, 'a megabyte');
    await page.done();
  });

  test('every field of every answer may be hostile', async () => {
    const spoil = (value, name) => {
      if (Array.isArray(value)) return value.map((each) => spoil(each, name));
      if (value !== null && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, spoil(each, key)]));
      return typeof value === 'string' && !/_at$|_seen$|cursor|^from$|^to$|^channel$/.test(name) ? `${name}${HOSTILE}` : value;
    };
    const row = (await rein.rows()).at(-1);
    for (const width of [1280, 360]) {
      const page = await browser.open('about:blank', { width });
      await page.route('**/admin/v1/**', async (route) => {
        const answer = await route.fetch();
        const json = await answer.json();
        await route.fulfill({ response: answer, json: route.request().url().endsWith('/session') ? { ...json, name: HOSTILE, needs_token: true } : spoil(json, '') });
      });
      for (const view of ['/?range=1h', '/findings?range=1h', '/decisions?range=1h', `/decisions/${row.id}`, '/policies']) {
        await page.goto(base + view);
        await page.locator('.data:not(.busy), .state.empty, input[name=a]').first().waitFor();
        await holds(page, `${view} ${width}`);
      }
      // Texts of policies, and the problems of a config.
      await page.route('**/admin/v1/policies/*', (route) => {
        const version = route.request().url().at(-1);
        return route.fulfill({ json: { version, name: HOSTILE, first_active_at: null, last_active_at: null, in_use: true, source: `same\n${version}${HOSTILE}`, resolved: { [HOSTILE]: version },
          documents: [{ kind: HOSTILE, name: HOSTILE, sha256: version, resolved: null }] } });
      });
      await page.route('**/admin/v1/reload', (route) => route.fulfill({ status: 422, json: { object: 'reload', result: 'refused', problems: [{ file: HOSTILE, line: 1, column: 1, key: HOSTILE, message: HOSTILE }] } }));
      await page.goto(`${base}/policies?a=1&b=2`);
      await page.locator('.diff .added').first().waitFor();
      await page.getByRole('button', { name: 'Read the config again' }).click();
      await page.locator('.reload .failed').waitFor();
      await holds(page, `texts of policies ${width}`);
      await picture(page, `hostile-${width}`);
      await page.done();
    }
  });
});
