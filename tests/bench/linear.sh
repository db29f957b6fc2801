#!/usr/bin/env bash
# Holds what docs/GATE.md promises: cost is linear in the text. Twice the text may take at most 2.6 times the instructions,
# for shapes that invite more (FOUND S6: marks of channels, redactions, fields). Callgrind counts them, so a busy machine changes nothing.
# SPDX-License-Identifier: Apache-2.0
#
#   linear.sh BENCH_LINEAR [SHAPE...]
set -eu
bench=$1
shift
command -v valgrind >/dev/null || { echo "linear: not run: no valgrind" && exit 77; }
size=16384
rv=0

count() { # SHAPE SIZE
  local said
  said=$(valgrind --tool=callgrind --instr-atstart=no --callgrind-out-file=/dev/null "$bench" "$1" "$2" 2>&1) ||
    { echo "$said" >&2 && return 1; }
  echo "$said" | sed -n 's/.*Collected *: *//p'
}

for shape in ${*:-$("$bench")}; do
  small=$(count "$shape" $size)
  large=$(count "$shape" $((2 * size)))
  printf '%-22s %10d instructions, twice the text %10d: %s times\n' "$shape" "$small" "$large" \
    "$(awk -v a="$large" -v b="$small" 'BEGIN { printf "%.2f", a / b }')"
  if [ "$((large * 10))" -gt "$((small * 26))" ]; then echo "linear: $shape grows faster than its text" && rv=1; fi
done
exit $rv
