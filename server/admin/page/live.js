// The live feed: the newest decisions as server-sent events.
// SPDX-License-Identifier: Apache-2.0
import { useEffect, useState } from 'preact/hooks';

const ROWS_MAX = 100;
const FRESH_MS = 2000;

// A decision that was stored before its end comes a second time: the later row takes the place of the earlier.
function put(rows, row) {
  const at = rows.findIndex((each) => each.id === row.id);
  return at >= 0 ? rows.with(at, row) : [row, ...rows].slice(0, ROWS_MAX);
}

export function useLive(url) {
  const [rows, setRows] = useState([]);
  const [fresh, setFresh] = useState(new Set());
  const [missed, setMissed] = useState(0);
  const [state, setState] = useState('waiting');
  useEffect(() => {
    setRows([]);
    setMissed(0);
    setState('waiting');
    const source = new EventSource(url);
    const timers = new Set();
    source.onopen = () => setState('open');
    source.onerror = () => setState('lost');
    source.addEventListener('decision', (event) => {
      const row = JSON.parse(event.data);
      setRows((old) => put(old, row));
      setFresh((old) => new Set(old).add(row.id));
      const timer = setTimeout(() => {
        timers.delete(timer);
        setFresh((old) => { const rest = new Set(old); rest.delete(row.id); return rest; });
      }, FRESH_MS);
      timers.add(timer);
    });
    source.addEventListener('missed', (event) => setMissed((n) => n + JSON.parse(event.data).missed));
    return () => { source.close(); timers.forEach(clearTimeout); };
  }, [url]);
  return { rows, fresh, missed, state };
}
