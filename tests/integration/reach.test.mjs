// Upstreams behind a private CA, that ask for a client's certificate, or that only a proxy leads to.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { chat, gather } from '../lib/client.mjs';
import { binary, configText, startRein } from '../lib/rein.mjs';
import { completion, stream } from '../lib/upstream.mjs';

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
const SECRET = 'operator:pass%20:word';

// A CA, a certificate for 127.0.0.1 and one for a client, all by that CA.
function makeCertificates(folder) {
  const file = (name) => path.join(folder, name);
  const openssl = (...args) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-x509', ...key, '-days', '2', '-subj', '/CN=private', '-keyout', 'ca.key', '-out', 'ca.pem');
  fs.writeFileSync(file('server.ext'), 'subjectAltName=IP:127.0.0.1\n');
  fs.writeFileSync(file('client.ext'), 'extendedKeyUsage=clientAuth\n');
  for (const name of ['server', 'client']) {
    openssl('req', ...key, '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`);
    openssl('x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', `${name}.ext`, '-out', `${name}.pem`);
  }
  return Object.fromEntries(['ca.pem', 'server.pem', 'server.key', 'client.pem', 'client.key'].map((name) => [name, file(name)]));
}

describe('FOUND U16: how an upstream is reached', { timeout: 180000, skip: !hasOpenssl && 'no openssl command' }, () => {
  const open = new Set(), servers = [];
  let folder, pem, upstream, secure, proxy, secureProxy, socks;
  const track = (socket) => { open.add(socket); socket.on('error', () => {}); socket.on('close', () => open.delete(socket)); };
  const listen = (server) => new Promise((resolve) => {
    servers.push(server);
    server.on('connection', track);
    server.on('tlsClientError', () => {});
    server.listen(0, '127.0.0.1', () => resolve(server.address().port));
  });
  const seen = { connects: [], socks: 0, names: [], end: undefined };
  const serve = (request, response) => {
    let text = '';
    seen.names.push(request.socket.getPeerCertificate?.()?.subject?.CN);
    request.on('data', (more) => { text += more; });
    request.on('end', () => {
      const streamed = JSON.parse(text).stream;
      response.writeHead(200, { 'content-type': streamed ? 'text/event-stream' : 'application/json' });
      response.on('finish', () => setImmediate(() => seen.end?.(request.socket)));
      response.end(streamed ? stream({ answer: ['reached'] }) : JSON.stringify(completion({ answer: 'reached' })));
    });
  };
  const join = (a, b) => { a.pipe(b).pipe(a); };
  const connect = (request, socket) => {
    const [host, port] = request.url.split(':');
    seen.connects.push(request.url);
    if (request.headers['proxy-authorization'] !== `Basic ${Buffer.from(SECRET).toString('base64')}`) return socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n');
    const other = net.connect(port, host, () => { socket.write('HTTP/1.1 200 Connection established\r\n\r\n'); join(socket, other); });
    return track(other);
  };
  // RFC 1928 and 1929, as far as it is needed: a name and a password, an IPv4 address.
  const speakSocks = (socket) => {
    let step = 0;
    socket.on('data', function take(data) {
      if (step++ === 0) return socket.write(Buffer.from([5, 2]));
      if (step === 2) {
        const name = data.subarray(2, 2 + data[1]).toString(), word = data.subarray(3 + data[1]).toString();
        return socket.write(Buffer.from([1, `${name}:${word}` === SECRET ? 0 : 1]));
      }
      socket.off('data', take);
      seen.socks++;
      const other = net.connect(data.readUInt16BE(8), [...data.subarray(4, 8)].join('.'), () => { socket.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0])); join(socket, other); });
      return track(other);
    });
  };

  before(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rein-reach-'));
    pem = makeCertificates(folder);
    const tls = { key: fs.readFileSync(pem['server.key']), cert: fs.readFileSync(pem['server.pem']), ca: fs.readFileSync(pem['ca.pem']) };
    upstream = `http://127.0.0.1:${await listen(http.createServer(serve))}`;
    secure = `https://127.0.0.1:${await listen(https.createServer({ ...tls, requestCert: true, rejectUnauthorized: true }, serve))}`;
    proxy = `http://127.0.0.1:${await listen(http.createServer().on('connect', connect))}`;
    secureProxy = `https://127.0.0.1:${await listen(https.createServer(tls).on('connect', connect))}`;
    socks = `socks5://127.0.0.1:${await listen(net.createServer(speakSocks))}`;
  });
  after(async () => {
    for (const socket of open) socket.destroy();
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    fs.rmSync(folder, { recursive: true, force: true });
  });

  const config = (url, more) => configText({ upstream: url }).replace('api_key_env: REIN_TEST_UPSTREAM_KEY', more);
  const tlsOf = (...names) => `tls: { ${names.map((name) => `${{ 'ca.pem': 'ca_file', 'client.pem': 'client_cert', 'client.key': 'client_key' }[name]}: "${pem[name]}"`).join(', ')} }`;
  const whole = () => tlsOf('ca.pem', 'client.pem', 'client.key');
  const through = (which) => `proxy: "${which}", proxy_auth_env: REIN_TEST_PROXY`;
  async function ask(url, more, env = {}) {
    const rein = await startRein({ config: config(url, more), env: { REIN_TEST_PROXY: SECRET, ...env } });
    try {
      const answers = [];
      for (const streamed of [false, true, true]) {
        const answer = await rein.ask({ body: chat('hello', { stream: streamed }) });
        answers.push(answer.status === 200 ? (streamed ? gather(answer.text).content : answer.json.choices[0].message.content) : answer.status);
      }
      assert.ok(!rein.log.includes('pass%20') && !rein.log.includes(Buffer.from(SECRET).toString('base64')), rein.log);
      return answers;
    } finally {
      await rein.clean();
    }
  }
  const good = ['reached', 'reached', 'reached'], bad = [502, 502, 502];

  test('a private CA and a certificate of ours', async () => {
    assert.deepEqual(await ask(secure, whole()), good);
    assert.equal(seen.names.at(-1), 'client');
    assert.deepEqual(await ask(secure, tlsOf('client.pem', 'client.key')), bad, 'the system knows no private CA');
    assert.deepEqual(await ask(secure, tlsOf('ca.pem')), bad, 'the server wants a certificate');
  });

  test('through a proxy that wants a password, to an upstream with and without TLS', async () => {
    for (const [url, more] of [[upstream, ''], [secure, `, ${whole()}`]]) {
      const before = seen.connects.length;
      assert.deepEqual(await ask(url, through(proxy) + more), good);
      assert.equal(seen.connects[before], url.replace(/https?:\/\//, ''));
      assert.deepEqual(await ask(url, through(proxy) + more, { REIN_TEST_PROXY: 'operator:wrong' }), bad);
    }
  });

  test('through a proxy that is spoken to in TLS, and through SOCKS', async () => {
    assert.deepEqual(await ask(upstream, `${through(secureProxy)}, ${tlsOf('ca.pem')}`), good);
    assert.deepEqual(await ask(upstream, through(secureProxy)), bad, 'the system knows no private CA');
    assert.deepEqual(await ask(upstream, through(socks)), good);
    assert.deepEqual(await ask(secure, `${through(socks)}, ${whole()}`), good);
    assert.ok(seen.socks >= 2, String(seen.socks));
    assert.deepEqual(await ask(upstream, through(socks), { REIN_TEST_PROXY: 'operator:wrong' }), bad);
  });

  test('FOUND R1: a kept connection in TLS that the upstream ends costs no answer', async () => {
    const rein = await startRein({ config: config(secure, whole()) });
    const rounds = process.env.REIN_LONG ? 1000 : 60;
    try {
      for (const end of [(socket) => socket.end(), (socket) => socket.destroy()]) {
        seen.end = end;
        for (let i = 0; i < rounds; i++) {
          const answer = await rein.ask({ body: chat('hello', { stream: true }) });
          assert.equal(gather(answer.text).content, 'reached', `${end}, ${i}: ${answer.text}`);
        }
      }
    } finally {
      seen.end = undefined;
      await rein.clean();
    }
  });

  test("the environment's proxies do not apply", async () => {
    const before = seen.connects.length;
    assert.deepEqual(await ask(upstream, '', { http_proxy: proxy, HTTP_PROXY: proxy, ALL_PROXY: proxy }), good);
    assert.equal(seen.connects.length, before);
  });

  test('what can not work is refused, with its place', () => {
    const at = path.join(folder, 'rein.yaml');
    fs.mkdirSync(path.join(folder, 'policies'), { recursive: true });
    const cases = [
      [upstream, 'proxy: "http://me:word@127.0.0.1:1"', /secrets are not allowed in this file, use proxy_auth_env or proxy_auth_file/],
      [upstream, 'proxy: "ftp://127.0.0.1:1"', /must begin with http:\/\/, https:\/\/, socks5:\/\/ or socks5h:\/\//],
      [upstream, 'proxy: "http://127.0.0.1:1/path"', /without a path/],
      [upstream, 'proxy_auth_env: REIN_TEST_PROXY', /needs a `proxy`, and there is none/],
      [upstream, through(proxy), /must contain user:password/],
      [upstream, tlsOf('ca.pem'), /needs a url that begins with https:\/\//],
      [secure, tlsOf('ca.pem', 'client.pem'), /client_cert and client_key must be used together/],
      [secure, 'tls: { ca_file: "not/there.pem" }', /ca_file.*cannot be read/],
      [secure, `tls: { ca_file: "${at}" }`, /is not a PEM file/],
    ];
    for (const [url, more, message] of cases) {
      fs.writeFileSync(at, config(url, more));
      const { status, stdout, stderr } = spawnSync(binary, ['check', at], { encoding: 'utf8', timeout: 60000, env: { ...process.env, REIN_TEST_PROXY: 'no-colon' } });
      assert.equal(status, 3, more);
      assert.match(`${stdout}${stderr}`.replace(/\s+/g, ' '), message);
      assert.ok(!`${stdout}${stderr}`.includes('me:word'), stdout + stderr);
    }
  });
});
