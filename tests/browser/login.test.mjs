// Logging in to the page: with the right token and a wrong one, how often, for how long, and with which rights.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { ask, chat } from '../lib/client.mjs';
import { picture, says, seriousFaults, startBrowser } from '../lib/browser.mjs';
import { configText, launch, plainPolicy, startRein } from '../lib/rein.mjs';
import { says as answers, startUpstream } from '../lib/upstream.mjs';

const policy = `${plainPolicy}  - { id: noted, channels: [reasoning], literal: "zzz-said", action: record }\nlog: { text: full }\n`;

describe('logging in', { timeout: 240000 }, () => {
  let browser, rein, upstream, folder, base, id;
  const make = async () => {
    const run = launch(['key', 'token', path.join(folder, 'token.yaml')], { cwd: folder });
    assert.equal((await run.exited).code, 0, run.log);
    return run.out.trim();
  };
  const reload = async () => {
    const seen = rein.log.length;
    rein.child.kill('SIGHUP');
    const deadline = Date.now() + 60000;
    while (!/config reloaded/.test(rein.log.slice(seen))) {
      assert.ok(Date.now() < deadline, rein.log.slice(seen));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const others = Object.fromEntries(['counts', 'text', 'operate'].map((right) => [right, `a-token-of-this-test-that-may-${right}-${'x'.repeat(24)}`]));
  let token;
  before(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-login-'));
    token = await make();
    upstream = await startUpstream(answers({ reasoning: ['thinking of zzz-said'], answer: ['said'] }));
    for (const right of Object.keys(others)) fs.writeFileSync(path.join(folder, `${right}.txt`), others[right]);
    const tokens = Object.keys(others).map((right) => `{ name: with-${right}, rights: ${right}, token_file: ${right}.txt }`);
    const config = configText({ upstream: upstream.url }).replace(/^admin: .*$/m, `admin: { address: "127.0.0.1:0", token_file: token.yaml, tokens: [${tokens}] }`);
    rein = await startRein({ folder, config, policy });
    id = (await rein.ask({ body: chat('hello') })).headers['x-rein-decision'];
    base = `http://127.0.0.1:${rein.adminPort}`;
    browser = await startBrowser();
  });
  after(async () => {
    await rein?.clean();
    await upstream?.stop();
    fs.rmSync(folder, { recursive: true, force: true });
  });

  beforeEach(() => browser.context.clearCookies());

  const login = async (page, text) => {
    await page.locator('input[name=token]').fill(text);
    await page.getByRole('button', { name: 'Log in' }).click();
  };

  test('a wrong token is refused, the right one leads to the view that was asked for; the cookie is guarded', async () => {
    const page = await browser.open(`${base}/decisions/${id}?range=1h`);
    await says(page, 'Log in to Rein');
    assert.deepEqual(await seriousFaults(page), []);
    await picture(page, 'login');
    await login(page, 'rein-admin-wrong');
    await says(page, 'This is not a valid admin token');
    await login(page, token);
    await page.locator('.decision-head').waitFor();
    assert.equal(new URL(page.url()).search, '?range=1h');
    const [cookie, ...others] = await browser.context.cookies(`${base}/admin/v1/session`);
    assert.deepEqual(others, []);
    assert.deepEqual([cookie.httpOnly, cookie.sameSite, cookie.secure, cookie.path], [true, 'Strict', false, '/admin/v1']);
    assert.ok(cookie.name.includes(String(rein.adminPort)), cookie.name);
    assert.ok(!cookie.value.includes(token));
    assert.deepEqual(await page.evaluate(() => document.cookie), '');
    assert.doesNotMatch(rein.log, new RegExp(token));
    await page.getByRole('button', { name: 'Log out' }).click();
    await says(page, 'Log in to Rein');
    // The session is gone at the server, too.
    const answer = await ask(rein.adminPort, { method: 'GET', path: '/admin/v1/stats', headers: { cookie: `${cookie.name}=${cookie.value}` } });
    assert.equal(answer.status, 401);
    await page.done();
  });

  test('reading kept text is logged: who, and which decision', async () => {
    const page = await browser.open(`${base}/decisions/${id}`);
    await login(page, token);
    await says(page, 'thinking');
    assert.match(rein.log, new RegExp(`info admin: the text of decision ${id} is read by admin\\n`));
    await page.getByRole('button', { name: 'Log out' }).click();
    await says(page, 'Log in to Rein');
    await page.done();
  });

  test('a session ends with its token: changed, and reloaded', async () => {
    const page = await browser.open(`${base}/decisions`);
    await login(page, token);
    await page.locator('table.decisions').waitFor();
    token = await make();
    await reload();
    await page.getByRole('link', { name: 'Overview' }).click();
    await says(page, 'Your session has ended');
    await login(page, token);
    await page.locator('.tiles').first().waitFor();
    // Or it expires.
    const file = path.join(folder, 'token.yaml');
    const text = fs.readFileSync(file, 'utf8');
    fs.writeFileSync(file, text.replace(' }', ', expires: 2020-01-01 }'));
    await reload();
    await page.getByRole('link', { name: 'Findings', exact: true }).click();
    await says(page, 'Your session has ended');
    await login(page, token);
    await says(page, 'This is not a valid admin token');
    fs.writeFileSync(file, text);
    await reload();
    await login(page, token);
    await page.locator('table.findings, .state.empty').first().waitFor();
    await page.getByRole('button', { name: 'Log out' }).click();
    await says(page, 'Log in to Rein');
    await page.done();
  });

  test('a page of another site can change nothing, with or without the cookie', async () => {
    const status = async (headers, method = 'DELETE') => (await ask(rein.adminPort, { method, path: '/admin/v1/session', headers })).status;
    assert.equal(await status({ cookie: 'a=b' }), 403);
    assert.equal(await status({ origin: 'https://elsewhere.example' }), 403);
    assert.equal(await status({ 'sec-fetch-site': 'cross-site', 'x-rein-page': '1' }), 403);
    assert.equal(await status({ 'sec-fetch-site': 'same-site', 'x-rein-page': '1' }), 403);
    assert.equal(await status({ 'sec-fetch-site': 'same-origin', 'x-rein-page': '1' }), 200);
    assert.equal(await status({}), 200);
  });

  test('whatever a cookie says, it is no session', async () => {
    const { name } = (await (async () => {
      const page = await browser.open(`${base}/`);
      await login(page, token);
      await page.locator('.tiles').first().waitFor();
      const [cookie] = await browser.context.cookies(`${base}/admin/v1/session`);
      await page.done();
      return cookie;
    })());
    for (const cookie of [`${name}=`, name, `${name}=;`, `; ;${name}`, `${name}=${'x'.repeat(5000)}`, `${name}=\u00ff\u00fe`, `a=b; ${name}=x; ${name}=y`, `x${name}=z`, '=', ';;;'])
      assert.equal((await ask(rein.adminPort, { method: 'GET', path: '/admin/v1/stats', headers: { cookie } })).status, 401, cookie.slice(0, 60));
  });

  test('each right sees what it may', async () => {
    for (const [right, sees] of [['counts', false], ['text', true], ['operate', true]]) {
      const page = await browser.open(`${base}/decisions/${id}`);
      await login(page, others[right]);
      await page.locator('.decision-head').waitFor();
      assert.equal(await page.locator('.prose').count() > 0, sees, right);
      if (!sees) await says(page, 'Your token may not read texts');
      assert.equal(await page.locator('.feedback').count() > 0, sees, right);
      await page.getByRole('link', { name: 'Decisions', exact: true }).first().click();
      await page.locator('table.decisions').waitFor();
      await page.getByText('Export', { exact: true }).click();
      assert.equal(await page.getByText('JSON lines with kept texts').count(), sees ? 1 : 0, right);
      await page.getByRole('button', { name: 'Log out' }).click();
      await says(page, 'Log in to Rein');
      await page.done();
    }
  });

  test('tries that fail are slowed down, also with the right token then', async () => {
    const page = await browser.open(`${base}/`);
    for (let i = 0; i < 6; i++) {
      await login(page, `rein-admin-wrong-${i}`);
      await page.getByRole('button', { name: 'Log in', exact: true }).waitFor();
      await page.locator('[role=alert]').waitFor();
    }
    await says(page, 'Too many tries');
    await login(page, token);
    await says(page, 'Too many tries');
    assert.equal((await ask(rein.adminPort, { method: 'GET', path: '/admin/v1/stats', headers: { authorization: `Bearer ${token}` } })).status, 200);
    await page.done();
  });
});

describe('logging in off loopback', { timeout: 240000 }, () => {
  test('without TLS it says that it cannot work; behind TLS the cookie is Secure', async (t) => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-login-'));
    t.after(() => fs.rmSync(folder, { recursive: true }));
    const run = launch(['key', 'token', path.join(folder, 'token.yaml')], { cwd: folder });
    await run.exited;
    const token = run.out.trim();
    const config = configText({ upstream: 'http://127.0.0.1:9' }).replace(/^admin: .*$/m, 'admin: { address: "0.0.0.0:0", token_file: token.yaml }');
    const server = await startRein({ folder, config });
    const login = (origin) => ask(server.adminPort, { method: 'POST', path: '/admin/v1/session', headers: { 'x-rein-page': '1', origin }, body: { token } });
    const elsewhere = Object.values(os.networkInterfaces()).flat().find((each) => each.family === 'IPv4' && !each.internal);
    if (elsewhere) {
      const page = await (await startBrowser()).open(`http://${elsewhere.address}:${server.adminPort}/`);
      await says(page, 'Logging in cannot work here');
      assert.ok(await page.locator('input[name=token]').isDisabled());
      await page.done();
    }
    const plain = await login('http://192.0.2.7:8081');
    assert.equal(plain.status, 400);
    assert.equal(plain.json.error.code, 'needs_tls');
    const tls = await login('https://desk.example');
    assert.equal(tls.status, 200);
    assert.match(tls.headers['set-cookie'][0], /; HttpOnly; SameSite=Strict; .*; Secure$/);
    await server.clean();
  });
});
