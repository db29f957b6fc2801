// The commands of a page of docs/, to be run as a reader would.
// SPDX-License-Identifier: Apache-2.0
import fs from 'node:fs';
import path from 'node:path';

// Indented lines that begin with `rein`, with those that go on after a backslash, each as the words that follow `rein`.
export function commandsOf(source, page) {
  const text = fs.readFileSync(path.join(source, page), 'utf8');
  return [...text.matchAll(/^ {4,}(rein (?:.*\\\n)*.*)$/gm)].map(([, line]) =>
    [...line.replace(/\\\n/g, ' ').matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain).slice(1));
}
