// A browser for tests of the page: Debian's Chromium, driven by playwright-core from tests/browser/node_modules.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const require = createRequire(path.join(here, '../browser/package.json'));
const { chromium } = require('playwright-core');
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const args = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

// Screenshots stay here after the test.
export const pictures = path.resolve(here, '../../build/pictures');
export const STEP_MS = 20000; // nothing takes so long, however busy the machine is

if (!fs.existsSync(executablePath)) {
  console.log(`${executablePath} is not installed (script/bootstrap test)`);
  process.exit(77);
}

const closers = [];
after(() => Promise.all(closers.map((close) => close())));

// One browser for a file. Its profile is empty and goes with it.
export async function startBrowser() {
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-browser-'));
  const context = await chromium.launchPersistentContext(profile, { executablePath, args, viewport: { width: 1280, height: 800 }, acceptDownloads: true });
  const browser = { context };
  closers.push(async () => {
    await context.close();
    fs.rmSync(profile, { recursive: true, force: true });
  });
  // A page of its own. What the page logs as an error, and what it is not allowed to load, fails the test that closes it.
  browser.open = async (url, { width = 1280, height = 800, scheme = 'light' } = {}) => {
    const page = await context.newPage();
    page.setDefaultTimeout(STEP_MS);
    page.faults = [];
    page.on('pageerror', (error) => page.faults.push(error.stack));
    page.on('console', (message) => message.type() === 'error' && !/Failed to load resource/.test(message.text()) && page.faults.push(message.text()));
    page.on('dialog', (dialog) => { page.faults.push(`a dialog: ${dialog.message()}`); dialog.dismiss(); });
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
    await page.setViewportSize({ width, height });
    await page.goto(url);
    page.done = async () => {
      assert.deepEqual(page.faults, []);
      await page.unrouteAll({ behavior: 'ignoreErrors' }); // answers that are still on their way are nobody's any more
      await page.close();
    };
    return page;
  };
  return browser;
}

export async function picture(page, name, options = {}) {
  fs.mkdirSync(pictures, { recursive: true });
  await page.screenshot({ path: path.join(pictures, `${name}.png`), ...options });
}

const axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

// What axe-core finds that is serious or worse, by all of its rules or by some. It is run as a script of the test, which
// the page's CSP does not concern.
export async function seriousFaults(page, rules) {
  if (!await page.evaluate(() => 'axe' in globalThis)) await page.evaluate(axe);
  const { violations } = await page.evaluate((only) => globalThis.axe.run(document, { resultTypes: ['violations'], ...(only ? { runOnly: only } : {}) }), rules);
  return violations.filter((each) => ['serious', 'critical'].includes(each.impact)).map((each) => `${each.id}: ${each.nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(' | ')} ${each.nodes[0].failureSummary}`);
}

// How far the page is wider than its window, in pixels.
export const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);

// Waits until the page says so. If it never does, the error has what it says instead.
export async function says(page, text) {
  try {
    await page.getByText(text).first().waitFor();
  } catch (error) {
    throw new Error(`${page.url()} does not say ${text}; it says: ${(await page.locator('body').innerText()).slice(0, 2000)}`, { cause: error });
  }
}
