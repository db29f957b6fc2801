#!/usr/bin/env bash
# Holds the cost of the hot path: instructions per event through librein, counted by callgrind, so the same on a busy machine.
# SPDX-License-Identifier: Apache-2.0
#
#   cost.sh BENCH_CORE            compares with tests/bench/baseline.txt; fails if a figure has grown by more than a twentieth
#   cost.sh BENCH_CORE --write    writes the baseline anew
#
# It also holds that the default policy with all lexicons costs at most twice what an empty policy does, that its model costs at
# most a tenth of what it does without, that an event with an `event:` line costs at most a fiftieth more than the same without,
# that one of another dialect costs at most three twentieths more than one of chat, and, with REIN_LONG=1, that an event of a stream of
# 16 MiB costs what one of 64 KiB does. The other ways to release reasoning, `sentence` and `auto`, which is shipped, are
# counted in the long set only: compiling the lexicons under valgrind takes longer than all the counting.
set -eu
bench_core=$1
write=${2:-}
here=$(cd "$(dirname "$0")" && pwd)
config=$here/../../config
baseline=$here/baseline.txt
command -v valgrind >/dev/null || { echo "cost: not run: no valgrind" && exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rv=0

for release in stream sentence auto; do
  sed "s/^\(reasoning:.*release: *\)[a-z]*/\1$release/" "$config/policies/default.yaml" >"$work/$release.yaml"
  grep -q "release: *$release" "$work/$release.yaml" || { echo "cost: the default policy names no release" && exit 1; }
done
cp "$config/policies/empty.yaml" "$work/empty.yaml"
# The same policy without what it has learned.
sed '/^model:/d; /^  outcome_risk:/,/^    answer:/d' "$work/stream.yaml" >"$work/words.yaml"

# Prints the instructions of one event.
count() { # POLICY EVENTS [named | responses]
  local said
  said=$(valgrind --tool=callgrind --instr-atstart=no --callgrind-out-file=/dev/null \
    "$bench_core" "$work/$1.yaml" "$config" "$2" ${3:-} 2>&1) || { echo "$said" >&2 && return 1; }
  echo "$said" | sed -n 's/.*Collected *: *//p' | awk -v n="$2" '{ printf "%d\n", $1 / n }'
}

policies='empty stream'
if [ "${REIN_LONG:-}" = 1 ] || [ "$write" = --write ]; then policies="$policies sentence auto"; fi
declare -A cost
for policy in $policies; do
  cost[$policy]=$(count $policy 2000)
  [ "${cost[$policy]:-0}" -gt 0 ] || { echo "cost: nothing was counted for $policy" && exit 1; }
done

if [ "$write" = --write ]; then
  { grep '^#' "$baseline" || true; for policy in empty stream sentence auto; do echo "$policy ${cost[$policy]}"; done; } >"$work/baseline"
  cp "$work/baseline" "$baseline"
  cat "$baseline"
  exit 0
fi
while read -r policy allowed; do
  [ "$policy" != '#' ] || continue
  [ -n "${cost[$policy]:-}" ] || continue
  printf '%-9s %6d instructions per event, baseline %d\n' "$policy" "${cost[$policy]}" "$allowed"
  if [ "$((cost[$policy] * 20))" -gt "$((allowed * 21))" ]; then echo "cost: $policy has grown by more than a twentieth" && rv=1; fi
  if [ "$((cost[$policy] * 10))" -lt "$((allowed * 8))" ]; then echo "cost: $policy has shrunk: write the baseline anew"; fi
done <"$baseline"
echo "default policy : empty policy = $(awk -v a="${cost[stream]}" -v b="${cost[empty]}" 'BEGIN { printf "%.2f", a / b }')"
if [ "${cost[stream]}" -gt "$((2 * cost[empty]))" ]; then echo "cost: the default policy costs more than twice the empty one" && rv=1; fi
words=$(count words 2000)
echo "without the model $words instructions, with it $(awk -v a="${cost[stream]}" -v b="$words" 'BEGIN { printf "%+.1f%%", 100 * (a / b - 1) }')"
if [ "${words:-0}" -le 0 ] || [ "$((cost[stream] * 10))" -gt "$((words * 11))" ]; then echo "cost: the model costs more than a tenth" && rv=1; fi
named=$(count empty 2000 named)
echo "with an event: line $named instructions, $(awk -v a="$named" -v b="${cost[empty]}" 'BEGIN { printf "%+.1f%%", 100 * (a / b - 1) }')"
if [ "${named:-0}" -le 0 ] || [ "$((named * 50))" -gt "$((cost[empty] * 51))" ]; then echo "cost: an event: line costs more than a fiftieth" && rv=1; fi
for dialect in responses messages; do
  other=$(count empty 2000 $dialect)
  echo "$dialect: $other instructions, $(awk -v a="$other" -v b="${cost[empty]}" 'BEGIN { printf "%.2f", a / b }') times chat's"
  if [ "${other:-0}" -le 0 ] || [ "$((other * 20))" -gt "$((cost[empty] * 23))" ]; then echo "cost: $dialect costs more than three twentieths more than chat" && rv=1; fi
done

if [ "${REIN_LONG:-}" = 1 ]; then
  small=$(count stream 230) large=$(count stream 57000)
  echo "64 KiB: $small, 16 MiB: $large instructions per event"
  if [ "$((large * 10))" -gt "$((small * 12))" ]; then echo "cost: grows with the length of the stream" && rv=1; fi
fi
exit $rv
