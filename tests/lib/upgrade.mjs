// What the fixtures of earlier versions are made with and tested with.
// SPDX-License-Identifier: Apache-2.0
import fs from 'node:fs';
import path from 'node:path';
import { ask, gather } from './client.mjs';

export const KEY_ENV = { REIN_FIXTURE_KEY: 'upstream-secret' };

// The fixture's config with addresses that a test can use; nothing else is changed.
export const configOf = (folder, upstream) => fs.readFileSync(path.join(folder, 'rein.yaml'), 'utf8')
  .replaceAll(/127\.0\.0\.1:808[01]/g, '127.0.0.1:0').replaceAll('http://127.0.0.1:9000', upstream);

// What a client makes of an answer: without ids, times and the wording of errors.
function meaningOf(answer, stream) {
  const common = { status: answer.status, policy: answer.headers['x-rein-policy'] };
  if (answer.status !== 200) return { ...common, error: { type: answer.json.error.type, code: answer.json.error.code } };
  if (stream) {
    const { content, reasoning, finish, errors } = gather(answer.text);
    return { ...common, content, reasoning, finish, errors: errors.map(({ code }) => code) };
  }
  return { ...common, choices: answer.json.choices };
}

// One after the other; resolves to the meanings.
export async function askAll(port, key, questions) {
  const meanings = [];
  for (const { body, keyless } of questions) {
    const answer = await ask(port, { headers: keyless ? {} : { authorization: `Bearer ${key}` }, body });
    meanings.push(meaningOf(answer, body.stream));
  }
  return meanings;
}

// Every decision in full, newest first.
export async function rowsOf(port, token) {
  const get = async (path) => {
    const answer = await ask(port, { method: 'GET', path, headers: { authorization: `Bearer ${token}` } });
    if (answer.status !== 200) throw new Error(`${path}: ${answer.text}`);
    return answer.json;
  };
  const list = await get('/admin/v1/decisions?limit=500');
  const rows = [];
  for (const { id } of list.data ?? list.decisions) rows.push(await get(`/admin/v1/decisions/${id}`));
  return rows;
}
