// The page in a browser, on an hour of the demo's decisions: every view, filter, link and state.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { chat } from '../lib/client.mjs';
import { overflow, picture, says, seriousFaults, startBrowser } from '../lib/browser.mjs';
import { source } from '../lib/install.mjs';
import { binary, configText, startDemo, startRein } from '../lib/rein.mjs';

const FIRST_VIEW_MAX = 150 * 1024;

describe('the page', { timeout: 240000 }, () => {
  let browser, demo, rein, base, folder, hour;
  before(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-page-'));
    fs.cpSync(path.join(source, 'config'), path.join(folder, 'config'), { recursive: true });
    execFileSync(binary, ['demo-history', '-c', path.join(folder, 'config/demo/rein.yaml'), '--before', path.join(folder, 'config/demo/before.yaml')], { timeout: 120000, stdio: 'pipe' });
    demo = await startDemo();
    const policy = fs.readFileSync(path.join(source, 'config/demo-policies/demo.yaml'), 'utf8');
    const config = configText({ upstream: demo.url }).replace('sqlite:rein.db', 'sqlite:data/demo.db').replace('policy: default', 'policy: demo');
    rein = await startRein({ folder, config, policy });
    base = `http://127.0.0.1:${rein.adminPort}`;
    browser = await startBrowser();
    // The page's clock stands still, so that the last hour is the same hour in every view and here.
    const now = Date.now();
    await browser.context.clock.setFixedTime(now);
    const to = Math.ceil((now / 1000 + 1) / 60) * 60;
    hour = { from: to - 3600, to };
  });
  after(async () => {
    await rein?.clean();
    await demo?.stop();
    fs.rmSync(folder, { recursive: true, force: true });
  });

  const open = (path, options) => browser.open(base + path, options);
  const rowCount = (page) => page.locator('table.decisions tbody tr').count();
  const params = (page) => Object.fromEntries(new URL(page.url()).searchParams);
  const api = async (path) => (await rein.admin(path)).json;
  const ready = (page) => page.locator('.data:not(.busy), .state.empty').first().waitFor();

  test('the first view is small, comes from here alone, and its files may be kept', async () => {
    const page = await browser.open('about:blank');
    const answers = [];
    page.on('response', (answer) => answers.push(answer));
    await page.goto(`${base}/`);
    await page.locator('.tiles').first().waitFor();
    let bytes = 0;
    for (const answer of answers) {
      assert.equal(new URL(answer.url()).origin, base);
      const headers = await answer.allHeaders();
      const { pathname } = new URL(answer.url());
      assert.equal(headers['x-content-type-options'], 'nosniff', pathname);
      assert.equal(headers['referrer-policy'], 'no-referrer', pathname);
      if (pathname.startsWith('/admin/')) continue;
      bytes += Number(headers['content-length']);
      assert.equal(headers['content-encoding'], 'gzip', pathname);
      assert.equal(headers['content-security-policy'],
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'");
      assert.equal(headers['cache-control'], pathname === '/' ? 'no-cache' : 'public, max-age=31536000, immutable', pathname);
    }
    assert.ok(bytes > 20000 && bytes <= FIRST_VIEW_MAX, `${bytes} bytes`);
    console.log(`the first view: ${bytes} bytes, compressed`);
    await page.done();
  });

  test('overview: numbers and bars lead to the decisions behind them', async () => {
    const page = await open('/?range=1h');
    const tile = page.locator('a.tile', { hasText: 'steered' });
    const steered = Number(await tile.locator('.value').textContent());
    assert.ok(steered > 3, `${steered}`);
    await picture(page, 'overview');
    await tile.click();
    await page.locator('table.decisions').waitFor();
    assert.deepEqual(params(page), { range: '1h', verdict: 'steer' });
    assert.equal(await rowCount(page), Math.min(50, steered));
    await page.goBack();
    // A click on the middle of the chart is a bar with some requests.
    const plot = page.locator('.chart .u-over').first();
    const box = await plot.boundingBox();
    await plot.click({ position: { x: box.width / 2, y: box.height / 2 } });
    await page.locator('table.decisions').waitFor();
    const { from, to } = params(page);
    assert.equal(to - from, 60);
    assert.ok((await api(`/admin/v1/decisions?from=${from}&to=${to}`)).data.length === await rowCount(page));
    await page.goBack();
    await page.getByText('As a table').click();
    await page.locator('.as-table tbody a').first().click();
    await page.locator('table.decisions tbody tr').first().waitFor();
    await page.done();
  });

  test('every count of the overview and of the findings is the number of the rows behind it', async () => {
    const page = await open('/?range=1h');
    await page.locator('.top-findings').waitFor();
    const rowsOf = async (href) => {
      const { range, ...rest } = Object.fromEntries(new URL(href, base).searchParams);
      return (await api(`/admin/v1/decisions?${new URLSearchParams({ limit: 500, ...hour, ...rest })}`)).data.length;
    };
    const tiles = await page.locator('a.tile').evaluateAll((list) => list.map((each) => [each.querySelector('.name').textContent, each.querySelector('.value').textContent, each.getAttribute('href')]));
    const counted = tiles.filter(([name]) => ['requests', 'steered', 'redacted', 'refused', 'cut', 'shadow only', 'failed'].includes(name));
    assert.equal(counted.length, 7);
    for (const [name, value, href] of counted) assert.equal(await rowsOf(href), Number(value), name);
    assert.ok(counted.every(([name, value]) => name === 'cut' || value !== '0'), JSON.stringify(counted));
    await page.getByText('As a table').click();
    for (const link of (await page.locator('.as-table tbody td.n a').all()).slice(0, 8)) assert.equal(await rowsOf(await link.getAttribute('href')), Number(await link.textContent()));
    await page.goto(`${base}/findings?range=1h`);
    await page.locator('table.findings').waitFor();
    for (const link of await page.locator('table.findings td:nth-child(2) a, table.findings td:nth-child(4) a').all()) assert.equal(await rowsOf(await link.getAttribute('href')), Number(await link.textContent()), await link.getAttribute('href'));
    await page.done();
  });

  test('filters go along from view to view, and findings lead to their decisions', async () => {
    const page = await open('/?range=1h');
    await page.locator('select[name=key]').selectOption('shop');
    await page.waitForURL(/key=shop/);
    await page.getByRole('link', { name: 'Findings', exact: true }).click();
    await page.waitForURL(/\/findings\?/);
    assert.deepEqual(params(page), { range: '1h', key: 'shop' });
    const row = page.locator('table.findings tbody tr').first();
    const count = Number(await row.locator('td.n a').first().textContent());
    await row.locator('td.n a').first().click();
    await page.locator('table.decisions').waitFor();
    assert.equal(await rowCount(page), Math.min(50, count));
    assert.equal(params(page).key, 'shop');
    await page.getByRole('link', { name: 'Overview' }).click();
    assert.deepEqual(params(page), { range: '1h', key: 'shop' });
    await page.done();
  });

  test('every filter of the list is part of the address, and takes effect', async () => {
    const page = await open('/decisions?range=1h');
    await page.locator('select[name=verdict]').selectOption('redact');
    await page.waitForURL(/verdict=redact/);
    await page.locator('select[name=finding]').selectOption('rule:card-number');
    await page.waitForURL(/rule=card-number/);
    await page.locator('select[name=model]').selectOption('qwen3-32b');
    await page.waitForURL(/model=qwen3-32b/);
    await page.locator('.data:not(.busy) table.decisions').waitFor();
    const { data } = await api(`/admin/v1/decisions?verdict=redact&rule=card-number&model=qwen3-32b&from=${hour.from}`);
    assert.equal(await rowCount(page), data.length);
    await page.getByText('More', { exact: false }).first().click();
    await page.locator('input[name=prompt_risk_min]').fill('0.99');
    await page.getByRole('button', { name: 'Show' }).click();
    await page.waitForURL(/prompt_risk_min=0.99/);
    await says(page, 'No decision matches');
    await page.getByRole('button', { name: 'Clear' }).click();
    await page.locator('table.decisions').waitFor();
    assert.deepEqual(params(page), { range: '1h' });
    await page.goto(`${base}/decisions?range=1h&ending=refused&policy_version=${data[0].policy_version}`);
    await page.locator('table.decisions').waitFor();
    assert.equal(await page.locator('select[name=ending]').inputValue(), 'refused');
    assert.deepEqual([...new Set(await page.locator('table.decisions tbody .verdict').allTextContents())], ['refused']);
    await page.done();
  });

  test('pages, and the neighbours of a decision, keep the filters', async () => {
    const page = await open('/decisions?range=1h&verdict=allow');
    await page.locator('table.decisions').waitFor();
    const first = await page.locator('.row-link').first().getAttribute('href');
    await page.getByRole('link', { name: 'Older →' }).click();
    await page.waitForURL(/cursor=/);
    await page.locator('.data:not(.busy)').waitFor();
    assert.equal(params(page).verdict, 'allow');
    await page.getByRole('link', { name: '← Newer' }).click();
    await page.waitForFunction((href) => document.querySelector('.row-link')?.getAttribute('href')?.split('?')[0] === href, first.split('?')[0]);
    await page.goto(`${base}/decisions?range=1h&verdict=steer`);
    // The newer neighbour is known later than the older one, whose link stays where it is and what it is.
    let go;
    const held = new Promise((resolve) => { go = resolve; });
    await page.route(/cursor=r/, async (route) => { await held; await route.continue(); });
    await page.locator('.row-link').nth(1).click();
    const older = await page.getByRole('link', { name: 'Older →' }).elementHandle();
    await older.focus();
    go();
    await page.getByRole('link', { name: '← Newer' }).waitFor();
    assert.equal(await older.textContent(), 'Older →');
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Older →');
    for (const name of ['Older →', '← Newer']) {
      const at = page.url();
      await page.getByRole('link', { name }).click();
      await page.waitForFunction((url) => location.href !== url, at);
      await page.locator('.decision-head .verdict').waitFor();
      assert.equal(params(page).verdict, 'steer');
      assert.match(await page.locator('.decision-head .verdict').textContent(), /steered/);
    }
    await page.done();
  });

  test('saved views come back, and can be deleted', async () => {
    const page = await open('/decisions?range=1h&verdict=refuse');
    await page.getByText('Views', { exact: true }).click();
    await page.locator('input[name=view]').fill('refusals');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.goto(`${base}/decisions?range=6h`);
    await page.getByText('Views', { exact: true }).click();
    await page.getByRole('button', { name: 'refusals', exact: true }).click();
    await page.waitForURL(/verdict=refuse/);
    await page.getByText('Views', { exact: true }).click();
    await page.getByRole('button', { name: 'Delete the view refusals' }).click();
    assert.equal(await page.evaluate(() => localStorage.getItem('rein-views')), '[]');
    await page.done();
  });

  test('export: what the filters match, as CSV and as JSON lines', async () => {
    const page = await open('/decisions?range=1h&key=shop&verdict=steer');
    await page.locator('table.decisions').waitFor();
    const rows = await rowCount(page);
    for (const [name, lines] of [['CSV', 1], ['JSON lines, for', 0]]) {
      await page.getByText('Export', { exact: true }).click();
      const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name }).click()]);
      const text = fs.readFileSync(await download.path(), 'utf8');
      assert.equal(text.trimEnd().split('\n').length, rows + lines, text.slice(0, 400));
      await page.keyboard.press('Escape');
      assert.equal(await page.locator('details.menu[open]').count(), 0);
    }
    await page.done();
  });

  test('live: a decision appears when it is stored', async () => {
    const page = await open('/decisions');
    await page.getByRole('button', { name: 'Live' }).click();
    await page.waitForURL(/live=1/);
    await says(page, 'Decisions appear as they are stored');
    const answer = await rein.ask({ body: chat('How do I break into the shed next door?', { model: 'demo' }) });
    await page.locator(`a.row-link[href^="/decisions/${answer.headers['x-rein-decision']}"]`).waitFor();
    assert.match(await page.locator('table.decisions tbody tr').first().textContent(), /steered/);
    // Paused, the rows stand still while newer ones are counted.
    await page.getByRole('button', { name: 'Pause' }).click();
    const rows = await rowCount(page);
    const later = (await rein.ask({ body: chat('Give me a test card number', { model: 'demo' }) })).headers['x-rein-decision'];
    await says(page, '1 new');
    assert.equal(await rowCount(page), rows);
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.locator(`a.row-link[href^="/decisions/${later}"]`).waitFor();
    await page.done();
  });

  test('FOUND U6: one decision reads as text: why, attempts, findings and steps in place, times', async () => {
    const { data } = await api('/admin/v1/decisions?verdict=steer&pattern=lack_of_safety_awareness&limit=1');
    const decision = await api(`/admin/v1/decisions/${data[0].id}`);
    const page = await open(`/decisions/${data[0].id}`, { width: 1440, height: 900 });
    await says(page, decision.why);
    assert.equal(await page.locator('article.attempt').count(), 2);
    const [left, right] = await page.locator('article.attempt').all();
    assert.ok((await left.boundingBox()).y === (await right.boundingBox()).y, 'attempts stand side by side');
    const finding = decision.findings.find((each) => each.id === 'lack_of_safety_awareness');
    const text = decision.texts.find((each) => each.channel === 'reasoning' && each.attempt === finding.attempt);
    const plain = (locator) => locator.evaluate((node) => { const copy = node.cloneNode(true); copy.querySelectorAll('.tag, .ref').forEach((each) => each.remove()); return copy.textContent; });
    assert.equal(await plain(left.locator('.c-reasoning .prose')), text.text);
    assert.ok(await left.locator('.c-reasoning .step').count() >= finding.steps.length - 1);
    const marked = (await Promise.all((await left.locator('.c-reasoning mark').all()).map(plain))).join('');
    assert.ok(Buffer.from(text.text).subarray(finding.offset - (text.origin ?? 0)).toString().startsWith(marked.slice(0, 40)) || marked.length > 0);
    await page.locator('.findings-list a.ref').first().click();
    await page.waitForFunction(() => location.hash.startsWith('#at'));
    assert.ok(await page.locator('.timeline li').count() >= 4);
    await picture(page, 'decision');
    await page.done();
  });

  test('feedback: right, a note, wrong, taken back; of quick clicks the last one counts', async () => {
    const { data } = await api('/admin/v1/decisions?verdict=redact&limit=1');
    const address = `/decisions/${data[0].id}`;
    const page = await open(address);
    const stored = async () => (await api(`/admin/v1${address}`)).findings[0].feedback;
    // What the browser sends is late, so only what the page shows says that it has arrived; the first is the latest.
    let delay = 400;
    await page.route('**/feedback', async (route) => {
      delay = Math.max(delay / 2, 100);
      await setTimeout(delay);
      await route.continue();
    });
    const group = page.locator('.feedback').first();
    const button = (name, isOn) => group.locator(`button.${name}${isOn ? '.on' : ':not(.on)'}`);
    await button('right', false).click();
    await group.locator('input[name=note]').fill('a test number, but well');
    await group.getByRole('button', { name: 'Save note' }).click();
    await group.getByRole('button', { name: 'Save note' }).waitFor({ state: 'detached' });
    const { verdict, note } = await stored();
    assert.deepEqual({ verdict, note }, { verdict: 'right', note: 'a test number, but well' });
    await page.reload();
    await button('wrong', false).click();
    await button('wrong', true).waitFor();
    assert.equal((await stored()).verdict, 'wrong');
    await button('wrong', true).click();
    await button('wrong', false).waitFor();
    assert.equal(await stored(), null);
    delay = 800;
    const told = (verdict) => page.waitForResponse((answer) => answer.request().method() === 'PUT' && answer.request().postDataJSON().verdict === verdict);
    const both = Promise.all([told('wrong'), told('right')]);
    await button('wrong', false).click();
    await button('right', false).click();
    await both;
    await button('right', true).waitFor();
    assert.equal((await stored()).verdict, 'right');
    await button('right', true).click();
    await button('right', false).waitFor();
    assert.equal(await stored(), null);
    await page.done();
  });

  test('policies: the versions, and what changed between two', async () => {
    const page = await open('/policies?range=1h');
    await says(page, 'What changed from');
    assert.ok(await page.locator('input[name=a]').count() >= 2);
    await page.locator('.diff .added').first().waitFor();
    const lines = (kind) => page.locator(`.diff .${kind} bdi`).allTextContents();
    assert.ok((await lines('removed')).some((text) => /lack_of_safety_awareness: \{ action: record \}/.test(text)), (await lines('removed')).join('\n'));
    assert.ok((await lines('added')).some((text) => /lack_of_safety_awareness: \{ action: steer \}/.test(text)), (await lines('added')).join('\n'));
    await picture(page, 'policies-text', { fullPage: true });
    await page.getByRole('button', { name: 'with all defaults' }).click();
    await page.locator('.diff .added', { hasText: '"steer"' }).first().waitFor();
    const line = page.locator('tr', { hasText: 'steered' });
    assert.match(await line.textContent(), /pts|±0/);
    await line.locator('a').last().click();
    await page.locator('table.decisions').waitFor();
    assert.equal(params(page).verdict, 'steer');
    await page.done();
  });

  test('the config is read again, and an error in it is shown', async () => {
    const page = await open('/policies');
    const file = path.join(folder, 'policies/default.yaml');
    const text = fs.readFileSync(file, 'utf8');
    const reload = page.getByRole('button', { name: 'Read the config again' });
    fs.writeFileSync(file, text.replace('card_number', 'card_nummer'));
    await reload.click();
    await says(page, 'The config was refused');
    await says(page, /default\.yaml:\d+:\d+/);
    fs.writeFileSync(file, text.replace('within 14 days', 'within 15 days'));
    await reload.click();
    await says(page, 'The config was read again');
    fs.writeFileSync(file, text);
    await reload.click();
    await page.getByText('is now').waitFor();
    await page.done();
  });

  test('states: loading, nothing there, failed and tried again, no such decision, no such view', async () => {
    const page = await open('/decisions?range=1h&request_id=none');
    await says(page, 'No decision matches');
    let go, failing = true;
    const waiting = new Promise((resolve) => { go = resolve; });
    await page.route('**/admin/v1/decisions?**', async (route) => {
      await waiting;
      if (failing) await route.fulfill({ status: 503, contentType: 'application/json', body: '{"error":{"message":"The query took too long.","type":"server_error","param":null,"code":"too_slow"}}' });
      else await route.continue();
    });
    await page.goto(`${base}/decisions?range=1h`);
    await says(page, 'Loading');
    go();
    await says(page, 'A shorter period or one more filter');
    failing = false;
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.locator('table.decisions').waitFor();
    await page.goto(`${base}/decisions/01a1fc00-75bb-7a73-9731-4ef649bf0ae0`);
    await says(page, 'Not there');
    await page.goto(`${base}/decisions/nonsense`);
    await says(page, 'not the id of a decision');
    await page.goto(`${base}/?range=15m&key=nobody`);
    await says(page, 'No requests in this period');
    await page.goto(`${base}/findings?range=15m&key=nobody`);
    await says(page, 'Nothing was found in this period');
    await page.done();
  });

  test('the keyboard is enough: rows by j and k, decisions by Enter, neighbours by j', async () => {
    const page = await open('/decisions?range=1h&verdict=steer');
    await page.locator('table.decisions').waitFor();
    await page.keyboard.press('j');
    await page.keyboard.press('j');
    await page.keyboard.press('k');
    const href = await page.evaluate(() => document.activeElement.getAttribute('href'));
    assert.equal(href, await page.locator('.row-link').first().getAttribute('href'));
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: 'Older →' }).waitFor();
    const at = page.url();
    await page.keyboard.press('j');
    await page.waitForFunction((url) => location.href !== url, at);
    await page.goto(`${base}/decisions`);
    await page.locator('.top').waitFor();
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to the view');
    await page.done();
  });

  test('colours: as the system has them, and by the switch', async () => {
    const page = await open('/decisions', { scheme: 'dark' });
    const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
    assert.equal(await theme(), 'dark');
    await page.getByRole('button', { name: 'Colours' }).click();
    assert.equal(await theme(), 'light');
    await page.reload();
    await page.locator('.theme').waitFor();
    assert.equal(await theme(), 'light');
    await page.evaluate(() => localStorage.removeItem('rein-theme'));
    await page.done();
  });

  // docs/OPERATING.md says how; its pictures are made here.
  test('four questions of an operator take three clicks each, at most', async () => {
    const page = await open('/?range=1h', { width: 1080, height: 680 });
    let clicks = 0;
    const click = async (locator) => { clicks++; await locator.click(); };
    const choose = async (name, value) => { clicks++; await page.locator(`select[name=${name}]`).selectOption(value); await page.waitForURL(new RegExp(`${name}=`)); };
    const begin = async () => { clicks = 0; await page.goto(`${base}/?range=1h`); await page.locator('.tiles').first().waitFor(); };
    await begin();
    await page.locator('.top-findings').waitFor();
    await picture(page, 'docs-overview');
    // Why was this answer refused?
    await click(page.locator('a.tile', { hasText: 'refused' }));
    await page.locator('table.decisions').waitFor();
    await picture(page, 'docs-refused');
    await click(page.locator('.row-link').first());
    await says(page, /refused because|refuse/i);
    await page.locator('.decision-head .why').waitFor();
    await picture(page, 'docs-decision');
    assert.ok(clicks <= 3, `${clicks}`);
    // Which rule fires most since the policy of yesterday was changed?
    await begin();
    const { policies } = await api('/admin/v1/facets');
    const newest = policies.toSorted((x, y) => (x.first_seen < y.first_seen ? 1 : -1))[0].policy_version;
    await click(page.getByRole('link', { name: 'Findings', exact: true }));
    await page.locator('table.findings').waitFor();
    await choose('policy_version', newest);
    await page.locator('.data:not(.busy) table.findings').waitFor();
    const found = (await api(`/admin/v1/findings?from=${hour.from}&policy_version=${newest}`)).data.toSorted((x, y) => y.requests - x.requests);
    assert.match(await page.locator('table.findings tbody tr').first().textContent(), new RegExp(found[0].id.replaceAll('_', ' ')));
    await picture(page, 'docs-findings');
    assert.ok(clicks <= 3, `${clicks}`);
    // All steered requests of one key; and export them.
    await begin();
    await choose('key', 'helpdesk');
    await page.locator('.data:not(.busy) a.tile', { hasText: 'steered' }).waitFor();
    await click(page.locator('a.tile', { hasText: 'steered' }));
    await page.locator('table.decisions').waitFor();
    assert.deepEqual(params(page), { range: '1h', key: 'helpdesk', verdict: 'steer' });
    assert.ok(clicks <= 3, `${clicks}`);
    clicks = 0;
    await click(page.getByText('Export', { exact: true }));
    const [download] = await Promise.all([page.waitForEvent('download'), click(page.getByRole('link', { name: 'CSV' }))]);
    assert.match(fs.readFileSync(await download.path(), 'utf8'), /helpdesk/);
    assert.ok(clicks <= 3, `${clicks}`);
    await page.done();
  });

  test('every view, light and dark, wide and at 360 pixels: nothing serious, and nothing sticks out', async () => {
    const { data } = await api('/admin/v1/decisions?verdict=steer&limit=1');
    const views = { overview: '/?range=1h', findings: '/findings?range=1h', decisions: '/decisions?range=15m', decision: `/decisions/${data[0].id}`, policies: '/policies' };
    for (const [width, scheme] of [[1280, 'light'], [360, 'light'], [1280, 'dark']]) {
      const page = await open('/?range=1h', { width, scheme });
      for (const [name, address] of Object.entries(views)) {
        await page.goto(base + address);
        await ready(page);
        // Colours are all that is different in the dark.
        if (width > 360) assert.deepEqual(await seriousFaults(page, scheme === 'dark' ? ['color-contrast'] : undefined), [], `${name} ${scheme}`);
        assert.ok(await overflow(page) <= 0, `${name} at ${width}: ${await overflow(page)} pixels too wide`);
        await picture(page, `${name}-${width === 360 ? 'narrow' : scheme}`);
      }
      await page.done();
    }
  });
});
