// Web pages: which of them may read answers, and what load balancers ask. Raw sockets, so that every header is ours.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { spawnSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { chat, ask } from '../lib/client.mjs';
import { binary, plainPolicy, startRein } from '../lib/rein.mjs';
import { says, startUpstream } from '../lib/upstream.mjs';

const PAGE = 'https://chat.example.org';
const exposed = 'request-id, retry-after, x-rein-decision, x-rein-dropped, x-rein-policy, x-rein-verdict, x-request-id';

// Sends these lines and a body, and returns status, headers and text once the server closes.
const raw = (port, lines, body = '') => new Promise((resolve, reject) => {
  const socket = net.connect(port, '127.0.0.1');
  let text = '';
  socket.setTimeout(60000, () => socket.destroy(new Error('no answer')));
  socket.on('data', (more) => { text += more; });
  socket.on('error', reject);
  socket.on('close', () => {
    const [head, ...rest] = text.split('\r\n\r\n');
    const [first, ...fields] = head.split('\r\n');
    const headers = {};
    for (const field of fields) {
      const [name, ...value] = field.split(': ');
      (headers[name.toLowerCase()] ??= []).push(value.join(': '));
    }
    resolve({ status: Number(first.split(' ')[1]), headers, body: rest.join('\r\n\r\n') });
  });
  socket.write(`${[...lines, 'Host: localhost', 'Connection: close', ...(body ? ['Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`] : [])].join('\r\n')}\r\n\r\n${body}`);
});
const cors = (answer) => Object.fromEntries(Object.entries(answer.headers).filter(([name]) => /^(access-control-|vary)/.test(name)));

describe('web pages', { timeout: 240000 }, () => {
  let upstream, rein;
  before(async () => {
    upstream = await startUpstream(says({ answer: ['fine'] }));
    rein = await startRein({ upstream: upstream.url, policy: `${plainPolicy}request: { unknown: drop }\n`, listen: `cors: ["${PAGE}", "http://localhost:3000"], keys_file: keys.yaml`, folder: folderWithKey() });
  });
  after(async () => {
    await rein?.clean();
    await upstream?.stop();
  });

  let key;
  function folderWithKey() {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-test-'));
    const { stdout, status, stderr } = spawnSync(binary, ['key', 'add', path.join(folder, 'keys.yaml'), 'page'], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    key = /rein-[A-Za-z0-9_-]+/.exec(stdout)[0];
    return folder;
  }

  for (const page of [PAGE, 'http://localhost:3000'])
    test(`a preflight of ${page} needs no key`, async () => {
      const answer = await raw(rein.port, ['OPTIONS /v1/chat/completions HTTP/1.1', `Origin: ${page}`, 'Access-Control-Request-Method: POST', 'Access-Control-Request-Headers: authorization,content-type,x-stainless-lang']);
      assert.equal(answer.status, 204);
      assert.equal(answer.body, '');
      assert.deepEqual(cors(answer), {
        vary: ['Origin'], 'access-control-allow-origin': [page], 'access-control-expose-headers': [exposed],
        'access-control-allow-methods': ['POST'], 'access-control-allow-headers': ['authorization,content-type,x-stainless-lang'], 'access-control-max-age': ['600'],
      });
    });

  test('a preflight asks for the method of its path', async () => {
    for (const [at, method] of [['/v1/models', 'GET'], ['/v1/guard/decisions/x', 'GET'], ['/healthz', 'GET']]) {
      const answer = await raw(rein.port, [`OPTIONS ${at} HTTP/1.1`, `Origin: ${PAGE}`, `Access-Control-Request-Method: ${method}`]);
      assert.deepEqual([answer.status, answer.headers['access-control-allow-methods']], [204, [method]], at);
      assert.equal(answer.headers['access-control-allow-headers'], undefined);
    }
  });

  test('names of headers that are none are not repeated', async () => {
    const answer = await raw(rein.port, ['OPTIONS /v1/models HTTP/1.1', `Origin: ${PAGE}`, 'Access-Control-Request-Method: GET', 'Access-Control-Request-Headers: a;b="c"']);
    assert.equal(answer.headers['access-control-allow-headers'], undefined);
  });

  const strangers = ['null', 'https://chat.example.org.evil.example', 'https://evil.example', 'http://chat.example.org', 'https://chat.example.org:444', 'https://CHAT.example.org', `${PAGE}/`, '*', ''];
  for (const origin of strangers)
    test(`a page of \`${origin}\` is not allowed`, async () => {
      const preflight = await raw(rein.port, ['OPTIONS /v1/chat/completions HTTP/1.1', `Origin: ${origin}`, 'Access-Control-Request-Method: POST']);
      assert.equal(preflight.status, 401);
      assert.deepEqual(cors(preflight), { vary: ['Origin'] });
      const answer = await raw(rein.port, ['GET /healthz HTTP/1.1', `Origin: ${origin}`]);
      assert.equal(answer.status, 200);
      assert.deepEqual(cors(answer), { vary: ['Origin'] });
    });

  test('every answer to an allowed page can be read: answers, streams, errors, those of the HTTP layer too', async () => {
    const origin = `Origin: ${PAGE}`, authorization = `Authorization: Bearer ${key}`, post = 'POST /v1/chat/completions HTTP/1.1';
    const answers = [
      [200, await raw(rein.port, [post, origin, authorization], JSON.stringify(chat('x', { made_up: 1 })))],
      [200, await raw(rein.port, [post, origin, authorization], JSON.stringify(chat('x', { stream: true })))],
      [401, await raw(rein.port, [post, origin], JSON.stringify(chat('x')))],
      [400, await raw(rein.port, [post, origin, authorization], '{')],
      [404, await raw(rein.port, ['GET /nowhere HTTP/1.1', origin])],
      [405, await raw(rein.port, ['GET /v1/chat/completions HTTP/1.1', origin, authorization])],
      [415, await raw(rein.port, [post, origin, authorization, 'Content-Encoding: gzip'], '{}')],
      [413, await raw(rein.port, [post, origin, 'Content-Type: application/json', 'Content-Length: 99999999'])],
      [200, await raw(rein.port, ['GET /v1/models HTTP/1.1', origin, authorization])],
    ];
    for (const [i, [status, answer]] of answers.entries()) {
      assert.equal(answer.status, status, `answer ${i}`);
      assert.deepEqual(cors(answer), { vary: ['Origin'], 'access-control-allow-origin': [PAGE], 'access-control-expose-headers': [exposed] }, `answer ${i}`);
    }
    assert.deepEqual(answers[0][1].headers['x-rein-dropped'], ['made_up']);
  });

  test('the admin listener knows no web pages', async () => {
    for (const lines of [['OPTIONS /admin/v1/decisions HTTP/1.1', 'Access-Control-Request-Method: GET'], ['GET /metrics HTTP/1.1']]) {
      const answer = await raw(rein.adminPort, [...lines, `Origin: ${PAGE}`]);
      assert.deepEqual(cors(answer), {});
      assert.notEqual(answer.status, 204);
    }
  });

  test('a reload takes an origin away', async () => {
    rein.rewrite({ config: fs.readFileSync(path.join(rein.folder, 'rein.yaml'), 'utf8').replace('"http://localhost:3000"', '"http://localhost:3001"') });
    rein.child.kill('SIGHUP');
    await rein.said(/reloaded/);
    const status = async (page) => cors(await raw(rein.port, ['GET /healthz HTTP/1.1', `Origin: ${page}`]))['access-control-allow-origin'];
    assert.deepEqual([await status('http://localhost:3000'), await status('http://localhost:3001'), await status(PAGE)], [undefined, ['http://localhost:3001'], [PAGE]]);
  });

  test('health can be asked for with HEAD', async () => {
    for (const at of ['/healthz', '/readyz']) {
      const head = await raw(rein.port, [`HEAD ${at} HTTP/1.1`]), get = await raw(rein.port, [`GET ${at} HTTP/1.1`]);
      assert.deepEqual([head.status, head.body], [200, '']);
      assert.notEqual(get.body, '');
      assert.deepEqual(head.headers['content-length'], get.headers['content-length']);
      const post = await raw(rein.port, [`POST ${at} HTTP/1.1`], '{}');
      assert.deepEqual([post.status, post.headers.allow], [405, ['GET, HEAD']]);
    }
    assert.equal((await raw(rein.port, ['HEAD /v1/models HTTP/1.1', `Authorization: Bearer ${key}`])).status, 405);
  });
});

test('without listen.cors no answer speaks of origins', { timeout: 60000 }, async () => {
  const upstream = await startUpstream(says({ answer: ['fine'] })), rein = await startRein({ upstream: upstream.url });
  const preflight = await raw(rein.port, ['OPTIONS /v1/chat/completions HTTP/1.1', `Origin: ${PAGE}`, 'Access-Control-Request-Method: POST']);
  const answer = await ask(rein.port, { body: chat('x'), headers: { origin: PAGE } });
  assert.deepEqual([preflight.status, cors(preflight), answer.status], [405, {}, 200]);
  assert.ok(!Object.keys(answer.headers).some((name) => /^(access-control-|vary)/.test(name)));
  await rein.clean();
  await upstream.stop();
});

test('`rein check` names origins that no browser sends', { timeout: 60000 }, () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-test-')), file = path.join(folder, 'rein.yaml');
  const check = (origin) => {
    fs.mkdirSync(path.join(folder, 'policies'), { recursive: true });
    fs.writeFileSync(path.join(folder, 'policies/p.yaml'), 'version: 1\nname: default\n');
    fs.writeFileSync(file, `version: 1\nlisten: { cors: [${JSON.stringify(origin)}] }\nupstreams:\n  - { name: up, kind: openai, url: "http://127.0.0.1:9" }\nroutes:\n  - { name: a, match: { models: ["*"] }, upstream: up, policy: default }\npolicies: policies/\nstore: { url: "sqlite:rein.db" }\n`);
    return spawnSync(binary, ['check', file], { encoding: 'utf8' });
  };
  for (const origin of ['https://a.example', 'http://localhost:5173', 'http://[::1]:8000', 'http://127.0.0.1:1', 'tauri://localhost', 'chrome-extension://abcdefghij'])
    assert.equal(check(origin).status, 0, `${origin}: ${check(origin).stderr}`);
  for (const origin of ['*', 'null', 'https://*.example', 'https://a.example/', 'https://A.example', 'HTTPS://a.example', 'a.example', 'https://a.example:443', 'http://a.example:80', 'https://', 'https://a.example:0', 'https://a.example:123456', 'https://u@a.example', 'https://a.example?x']) {
    const { status, stderr } = check(origin);
    assert.equal(status, 3, origin);
    assert.match(stderr, /listen\.cors: expects an origin as browsers spell it/, origin);
  }
  fs.rmSync(folder, { recursive: true });
});
