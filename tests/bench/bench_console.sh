#!/bin/bash
# The console from exec to its first full frame, with the engine running, beside `top` in the same pseudo-terminal; bytes of that frame; bytes of an idle
# console in 5 s. Median of 11. Targets: 50 ms, 2,400 bytes, 0 bytes.
# shellcheck source=tests/lib.sh disable=SC2154
. "$(dirname "$0")/../lib.sh"
setup_private
runs=11
ptytime=$BERTH_BUILD/tests/tools/ptytime
berth status >/dev/null || exit 1
for ((i = 0; i < runs; i++)); do
    "$ptytime" 'Host check' 0 berth >>"$work/ours" || exit 1
    "$ptytime" 'load average' 0 top -d 60 >>"$work/theirs" || exit 1
done
median() { # COLUMN FILE
    awk -v c="$1" '{ print $c }' "$2" | sort -n | sed -n "$((runs / 2 + 1))p"
}
idle=$("$ptytime" 'Host check' 5 berth | cut -d' ' -f3)
awk -v o="$(median 1 "$work/ours")" -v b="$(median 2 "$work/ours")" -v t="$(median 1 "$work/theirs")" -v i="$idle" 'BEGIN {
    printf "console, exec to first full frame %6.1f ms  (target <= 50; top %.1f ms)\n", o, t
    printf "console, bytes of its first screen %6d  (target <= 2400)\n", b
    printf "console, bytes in 5 idle seconds   %6d  (target 0)\n", i
}'
