#!/usr/bin/env bash
# Holds what lists of words cost: instructions per event through librein, counted by callgrind, so the same on a busy machine.
# SPDX-License-Identifier: Apache-2.0
#
#   words.sh BENCH_CORE
#
# 10,000 words cost at most 3% more than ten, in one rule and in ten. Words that begin like words of the stream have to be
# held at the end of an event, until it is known how they go on; that all of them do so is as bad as it gets, and costs at most 17%
# more (docs/PERFORMANCE.md says what for). Loading takes at most 50,000 instructions for each word, most of them to read the document.
set -eu
bench_core=$1
here=$(cd "$(dirname "$0")" && pwd)
command -v valgrind >/dev/null || { echo "words: not run: no valgrind" && exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rv=0

# Words of four syllables, and words of the stream with two more letters.
awk 'BEGIN { n = split("ba ke lo mi nu ra se ti vo za den fer gal hin jor kal lem mon nor pel", s, " ")
  for (a = 1; a <= n; a++) for (b = 1; b <= n; b++) for (c = 1; c <= n; c++) for (d = 1; d <= n; d++) print s[a] s[b] s[c] s[d] }' |
  head -10000 >"$work/made-up"
grep -o '"[^"]*"' "$here/text.c" | grep -oE '[A-Za-z]{2,}' | tr 'A-Z' 'a-z' | sort -u |
  awk '{ for (i = 0; i < 60; i++) print $0 substr("qxzvjk", i % 6 + 1, 1) substr("bcdfghjklm", int(i / 6) + 1, 1) }' | sort -u >"$work/alike.all"
awk -v n="$(wc -l <"$work/alike.all")" 'int(NR * 10000 / n) > int((NR - 1) * 10000 / n)' "$work/alike.all" >"$work/alike"
for list in made-up alike; do
  [ "$(wc -l <"$work/$list")" = 10000 ] || { echo "words: the list $list has $(wc -l <"$work/$list") words" && exit 1; }
done

policy() { # NAME RULES < WORDS
  {
    printf 'version: 1\nname: p\nreasoning: { show: stream, release: stream }\nrules:\n'
    awk -v rules="$2" '{ words[NR % rules] = words[NR % rules] (words[NR % rules] == "" ? "" : ", ") $0 }
      END { for (r = 0; r < rules; r++) printf "  - { id: w%d, action: redact, words: [%s] }\n", r, words[r] }'
  } >"$work/$1.yaml"
}
awk 'NR % 1000 == 500' "$work/made-up" | policy ten 1
policy ten-thousand 1 <"$work/made-up"
awk 'NR % 1000 == 500' "$work/made-up" | policy ten-in-ten 10
policy ten-thousand-in-ten 10 <"$work/made-up"
policy alike 1 <"$work/alike"

count() { # POLICY
  local said
  said=$(valgrind --tool=callgrind --instr-atstart=no --callgrind-out-file=/dev/null \
    "$bench_core" "$work/$1.yaml" "$here/../../config" 2000 2>&1) || { echo "$said" >&2 && return 1; }
  echo "$said" | sed -n 's/.*Collected *: *//p' | awk '{ printf "%d\n", $1 / 2000 }'
}

more() { # POLICY COST BASE PERCENT
  echo "$1: $2 instructions per event, $(awk -v a="$2" -v b="$3" 'BEGIN { printf "%+.1f%%", 100 * (a / b - 1) }')"
  if [ "$2" -le 0 ] || [ "$(($2 * 100))" -gt "$(($3 * (100 + $4)))" ]; then echo "words: $1 costs more than $4% more" && rv=1; fi
}

ten=$(count ten) ten_in_ten=$(count ten-in-ten)
[ "$ten" -gt 0 ] && [ "$ten_in_ten" -gt 0 ] || { echo "words: nothing was counted" && exit 1; }
echo "ten words: $ten instructions per event; in ten rules: $ten_in_ten"
more ten-thousand "$(count ten-thousand)" "$ten" 3
more ten-thousand-in-ten "$(count ten-thousand-in-ten)" "$ten_in_ten" 3
more alike "$(count alike)" "$ten" 17

# All of loading: what the policy of 10,000 takes above that of ten.
loading() { # POLICY
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "$bench_core" "$work/$1.yaml" "$work" 0 2>&1 | sed -n 's/.*Collected *: *//p'
}
few=$(loading ten) all=$(loading ten-thousand)
each=$(((all - few) / 10000))
echo "loading: $each instructions for each word"
if [ "$each" -le 0 ] || [ "$each" -gt 50000 ]; then echo "words: loading takes too long" && rv=1; fi
exit $rv
