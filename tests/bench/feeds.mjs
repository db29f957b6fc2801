// What live feeds cost the server: CPU of all its threads with and without 50 open feeds, under the same requests.
// SPDX-License-Identifier: Apache-2.0
//
//     script/bench feeds [--feeds 50] [--rate 200] [--seconds 10]
//
// Exit status 1: the feeds cost 5% of a core or more.
import fs from 'node:fs';
import { chat, send } from '../lib/client.mjs';
import { plainPolicy, startRein } from '../lib/rein.mjs';
import { says, startUpstream } from '../lib/upstream.mjs';

const option = (name, fallback) => { const i = process.argv.indexOf(`--${name}`); return i < 0 ? fallback : Number(process.argv[i + 1]); };
const feeds = option('feeds', 50), rate = option('rate', 200), seconds = option('seconds', 10);

const upstream = await startUpstream(says({ answer: ['yes'] }));
const rein = await startRein({ upstream: upstream.url, policy: plainPolicy });
const cpuSeconds = () => {
  const fields = fs.readFileSync(`/proc/${rein.child.pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100; // user and system, in ticks of 10 ms
};
const load = async () => {
  const before = cpuSeconds(), begun = Date.now();
  let sent = 0, done = 0;
  const running = new Set();
  while (Date.now() - begun < seconds * 1000) {
    for (; sent < ((Date.now() - begun) / 1000) * rate; sent++) {
      const one = rein.ask({ body: chat('hello') }).then(() => { done++; running.delete(one); });
      running.add(one);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await Promise.all(running);
  return { cpu: (cpuSeconds() - before) / ((Date.now() - begun) / 1000), done };
};
await load(); // warms up
const alone = await load();
const open = [];
for (let i = 0; i < feeds; i++) {
  const feed = await send(rein.adminPort, { method: 'GET', path: `/admin/v1/live${i % 2 ? '?verdict=allow' : ''}` });
  await feed.until(': live');
  open.push(feed);
}
const watched = await load();
const events = open.reduce((sum, feed) => sum + feed.text.split('event: decision').length - 1, 0);
open.forEach((feed) => feed.leave());
const cost = (watched.cpu - alone.cpu) * 100;
console.log(`without feeds: ${(alone.cpu * 100).toFixed(1)}% of a core for ${alone.done} requests`);
console.log(`with ${feeds} feeds: ${(watched.cpu * 100).toFixed(1)}% of a core for ${watched.done} requests, ${events} events`);
console.log(`the feeds cost ${cost.toFixed(1)}% of a core`);
await rein.stop();
await upstream.stop();
fs.rmSync(rein.folder, { recursive: true, force: true });
process.exit(cost < 5 && events > 0 ? 0 : 1);
