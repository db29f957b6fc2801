// Holds that the server allocates nothing per event in steady state, whichever of its libraries would.
// SPDX-License-Identifier: Apache-2.0
//
//     node allocations.mjs     with REIN_BUILD, the folder of a build without sanitizers
//
// Longer streams of the same number must not cost more blocks than shorter ones: the difference is what events cost.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build, startRein, startUpstream, stopAll } from './targets.mjs';

const streams = 16;
const [few, many] = [500, 2500];
const TRIES = 5;
const rate = 1000; // events a second of a stream: what piles up behind a slow client may cost a block

function run(target, events) {
  const args = ['--port', target.port, '--streams', streams, '--events', events, '--rate', rate, '--seconds', 0];
  const client = spawnSync(join(build, 'tests/bench/bench_client'), args.map(String), { encoding: 'utf8', timeout: 60000 });
  const said = JSON.parse(client.stdout || '{"errors":1,"error":"no answer"}');
  if (said.errors || said.events !== streams * events) throw new Error(`the load failed: ${client.stdout}${client.stderr}`);
}

const folder = mkdtempSync(join(tmpdir(), 'rein-allocations-'));
const file = join(folder, 'count');
const counted = () => Number(readFileSync(file).readBigUInt64LE());
let failed = true;
try {
  const upstream = await startUpstream();
  const env = { ...process.env, LD_PRELOAD: join(build, 'tests/bench/libcount_malloc.so'), COUNT_FILE: file };
  const rein = await startRein('default', folder, upstream.port, { env });
  if (!rein) throw new Error('there is no rein binary');
  run(rein, few); // what is kept for later is made now
  // A request's own blocks differ a little from run to run (what came in one read, rows in one commit). On a busy machine
  // events pile up, which costs blocks too: an allocation per event is there in every try, what the machine does is not.
  for (let i = 0; i < TRIES && failed; i++) {
    const blocks = [few, many].map((events) => {
      const before = counted();
      run(rein, events);
      return counted() - before;
    });
    const perEvent = (blocks[1] - blocks[0]) / (streams * (many - few));
    console.log(`${streams} streams of ${few} events: ${blocks[0]} blocks; of ${many}: ${blocks[1]}; ${perEvent.toFixed(5)} an event`);
    if (blocks[0] === 0) break; // nothing is counted
    failed = perEvent > 0.05;
  }
} finally {
  await stopAll();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);
