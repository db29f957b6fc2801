// Ways in which an upstream fails; each has one written answer.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import zlib from 'node:zlib';
import { after, before, describe, test } from 'node:test';
import { chat, gather, send } from '../lib/client.mjs';
import { plainPolicy, startRein } from '../lib/rein.mjs';
import { completion, delta, says, startUpstream, stream } from '../lib/upstream.mjs';

describe('an upstream that fails', { timeout: 240000 }, () => {
  let upstream, rein, hasty;
  before(async () => {
    upstream = await startUpstream(says({}));
    rein = await startRein({ upstream: upstream.url, policy: `${plainPolicy}upstream_errors: withhold\n`, limits: 'upstream_body_bytes: 1048576' });
    hasty = await startRein({ upstream: upstream.url, timeouts: 'first_byte_ms: 300, idle_ms: 300' });
  });
  after(async () => {
    await hasty?.clean();
    await rein?.clean();
    await upstream?.stop();
  });
  const ask = (serve, stream = false, of = rein) => {
    upstream.serve = serve;
    return of.ask({ body: chat('hello', { stream }) });
  };
  const ending = async (answer, of = rein) => (await of.row(answer.headers['x-rein-decision'])).ending;

  test('its HTTP errors arrive in OpenAI shape, with status and Retry-After, without its text where the policy withholds it', async () => {
    for (const stream of [false, true]) {
      for (const [status, type] of [[400, 'invalid_request_error'], [404, 'x'], [429, 'rate_limit'], [500, 'x'], [503, 'x']]) {
        const answer = await ask((call) => call.reply(status, { error: { message: 'a secret of the upstream', type, code: 'some_code' } }, { 'retry-after': '7' }), stream);
        assert.equal(answer.status, status);
        assert.equal(answer.json.error.type, type);
        assert.equal(answer.json.error.code, 'some_code');
        assert.equal(answer.headers['retry-after'], '7');
        assert.ok(!answer.text.includes('secret'), answer.text);
        assert.equal(await ending(answer), 'upstream_error');
      }
    }
  });

  test('an error body that is no OpenAI error is replaced', async () => {
    for (const body of ['<html>Bad gateway</html>', '{"error":"plain text"}', '{"error":{"type":"has spaces in it","code":5}}', '']) {
      const answer = await ask((call) => call.reply(502, body, { 'content-type': 'text/html' }));
      assert.equal(answer.status, 502);
      assert.equal(answer.json.error.type, 'upstream_error');
      assert.equal(answer.json.error.code, null);
    }
  });

  test('a redirect or another odd status is a 502', async () => {
    for (const status of [204, 302]) {
      const answer = await ask((call) => call.reply(status, '', { location: 'http://example.org/' }));
      assert.equal(answer.status, 502);
      assert.equal(answer.json.error.code, 'upstream_bad_status');
    }
  });

  test('it closes before a head', async () => {
    const answer = await ask((call) => call.breakOff());
    assert.equal(answer.status, 502);
    assert.equal(answer.json.error.type, 'upstream_error');
    assert.equal(await ending(answer), 'upstream_error');
  });

  test('it stalls before a head', async () => {
    for (const stream of [false, true]) {
      const answer = await ask(() => {}, stream, hasty);
      assert.equal(answer.status, 504);
      assert.equal(answer.json.error.code, 'upstream_timeout');
    }
  });

  test('it stalls in the middle of a stream', async () => {
    const answer = await ask(async (call) => {
      call.socket.cork(); // in one write: between two more time may pass than the deadline is long
      call.begin();
      call.event(delta({ role: 'assistant', content: 'Once' }));
      call.socket.uncork();
    }, true, hasty);
    const seen = gather(answer.text);
    assert.equal(answer.status, 200);
    assert.ok(answer.whole);
    assert.equal(seen.content, 'Once');
    assert.equal(seen.errors.length, 1);
    assert.deepEqual(seen.finish, []);
    assert.equal(await ending(answer, hasty), 'upstream_broke');
  });

  test('PEERS 26: it breaks off: an error event, never a clean end', async () => {
    for (const how of ['breakOff', 'end']) {
      const answer = await ask(async (call) => {
        await call.begin();
        await call.event(delta({ role: 'assistant', content: 'Once' }));
        call[how]();
      }, true);
      const seen = gather(answer.text);
      assert.equal(seen.content, 'Once', how);
      assert.equal(seen.errors.length, 1, how);
      assert.equal(await ending(answer), 'upstream_broke');
    }
  });

  test('PEERS 26: an unstreamed answer that breaks off is a 502', async () => {
    const text = JSON.stringify(completion({ answer: 'whole' }));
    const answer = await ask(async (call) => {
      await call.write(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${text.length}\r\n\r\n${text.slice(0, 40)}`);
      call.breakOff();
    });
    assert.equal(answer.status, 502);
    assert.equal(answer.json.error.type, 'upstream_error');
  });

  test('it does not speak HTTP', async () => {
    const answer = await ask((call) => call.write('220 mail.example.org ESMTP\r\n'));
    assert.equal(answer.status, 502);
  });

  test('an encoded answer is a 502', async () => {
    for (const stream of [false, true]) {
      const answer = await ask((call) => {
        const body = zlib.gzipSync(JSON.stringify(completion({ answer: 'x' })));
        return call.write(Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\ncontent-type: ${stream ? 'text/event-stream' : 'application/json'}\r\ncontent-encoding: gzip\r\ncontent-length: ${body.length}\r\n\r\n`), body]));
      }, stream);
      assert.equal(answer.status, 502);
    }
    assert.equal(upstream.calls.at(-1).headers['accept-encoding'], 'identity');
  });

  test('FOUND R4: the type of an answer is read in any case and with any parameters', async () => {
    for (const type of ['Text/Event-Stream', 'TEXT/EVENT-STREAM; Charset=UTF-8', 'text/event-stream ;x=y']) {
      // Beyond the ceiling of an unstreamed body, so the other place that looks at the type is asked too.
      const answer = await ask(async (call) => {
        await call.begin({ 'content-type': type });
        for (let i = 0; i < 44; i++) await call.event(delta({ role: 'assistant', content: 'x'.repeat(32 << 10) }));
        await call.chunk(stream({ answer: ['end'] }));
        await call.end();
      }, true);
      assert.equal(answer.status, 200, type);
      assert.equal(gather(answer.text).content.length, (44 * 32 << 10) + 3, type);
    }
    const answer = await ask((call) => call.reply(200, completion({ answer: 'said' }), { 'content-type': 'Application/JSON;charset=utf-8' }));
    assert.equal(answer.json.choices[0].message.content, 'said');
    const asked = await rein.ask({ body: chat('hello'), headers: { 'content-type': 'APPLICATION/json ; charset=utf-8' } });
    assert.equal(asked.status, 200);
  });

  test('a JSON answer to a stream request does not reach the client as one', async () => {
    const answer = await ask((call) => call.reply(200, completion({ answer: 'x' })), true);
    assert.equal(answer.status, 502);
    assert.equal(answer.json.error.code, 'upstream_malformed');
  });

  test('events as an answer to an unstreamed request are a 502', async () => {
    const answer = await ask(async (call) => {
      await call.begin();
      await call.chunk(stream({ answer: ['x'] }));
      await call.end();
    });
    assert.equal(answer.status, 502);
  });

  test('an unstreamed answer that is no JSON is a 502', async () => {
    const answer = await ask((call) => call.reply(200, 'this is not JSON'));
    assert.equal(answer.status, 502);
    assert.ok(!answer.text.includes('this is not'));
  });

  test('an unstreamed answer beyond the limit is a 502', async () => {
    const answer = await ask((call) => call.reply(200, completion({ answer: 'x'.repeat(2 << 20) })));
    assert.equal(answer.status, 502);
  });

  test('PEERS 25: garbage among the events is dropped and counted', async () => {
    const answer = await ask(async (call) => {
      await call.begin();
      await call.chunk('data: {"broken\n\ndata: \n\ndata: 5\n\n');
      await call.chunk(stream({ answer: ['still here'] }));
      await call.end();
    }, true);
    const seen = gather(answer.text);
    assert.equal(seen.content, 'still here');
    assert.deepEqual(seen.finish, ['stop']);
    assert.ok(!answer.text.includes('broken'));
    assert.equal(await ending(answer), 'complete');
    assert.equal((await rein.row(answer.headers['x-rein-decision'])).garbage_events, 3);
  });

  test('an error event of the upstream is the client\'s error', async () => {
    const answer = await ask(async (call) => {
      await call.begin();
      await call.event(delta({ role: 'assistant', content: 'Once' }));
      await call.event({ error: { message: 'out of memory', type: 'server_error', param: null, code: 500 } });
      await call.end();
    }, true);
    assert.equal(gather(answer.text).errors.length, 1);
    assert.deepEqual(gather(answer.text).finish, []);
  });

  test('nobody listens', async () => {
    const gone = await startUpstream(says({}));
    await gone.stop();
    const alone = await startRein({ upstream: gone.url });
    try {
      for (const stream of [false, true]) {
        const answer = await alone.ask({ body: chat('hello', { stream }) });
        assert.equal(answer.status, 502);
        assert.equal(answer.json.error.code, 'upstream_unreachable');
      }
      const models = await alone.ask({ method: 'GET', path: '/v1/models' });
      assert.equal(models.status, 200);
      assert.ok(models.json.data.some((model) => model.id === 'm'));
    } finally {
      await alone.clean();
    }
  });

  test('a silent stream gets comments between events', async () => {
    const quiet = await startRein({ upstream: upstream.url, timeouts: 'keep_alive_ms: 300' });
    try {
      let go;
      upstream.serve = async (call) => {
        await call.begin();
        await call.chunk('data: {"id":"a"');
        await new Promise((resolve) => { go = resolve; });
        await call.chunk(`}\n\n${stream({ answer: ['late'] })}`);
        await call.end();
      };
      const answer = await send(quiet.port, { body: chat('hello', { stream: true }) });
      await answer.until(': keep-alive\n\n');
      go();
      const { text } = await answer.body;
      assert.equal(gather(text).content, 'late');
      assert.ok(text.split('\n\n').every((part) => part === '' || /^(data: |: keep-alive$)/.test(part)), text);
    } finally {
      await quiet.clean();
    }
  });
});
