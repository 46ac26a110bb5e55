#!/bin/bash
# The judge of the log stream must see what it is there to see: losses, doubles, disorder, admitted gaps, a stream that skips.
# shellcheck source=tests/lib.sh disable=SC2016,SC2154
. "$(dirname "$0")/../lib.sh"
setup_private
seqcheck=$BERTH_BUILD/tests/tools/seqcheck

# lines READING:SEQ[:GAP]...: what `berth logs --json` prints for such readings.
lines() {
    local item reading seq gap
    for item in "$@"; do
        IFS=: read -r reading seq gap <<<"$item"
        jq -cn --argjson r "$reading" --argjson s "$seq" --argjson g "${gap:-0}" \
            '{apiVersion: "berth/v1", kind: "LogLine", seq: $s, gap: $g, text: ({sequence: $r, temperature: 21.5} | tojson)}'
    done
}
verdict() { # NAME CODE FILTER READINGS...: exit code and what the printed counts must satisfy
    local name=$1 wanted=$2 filter=$3 code=0
    shift 3
    lines "$@" | "$seqcheck" "${options[@]}" >"$work/out" || code=$?
    if [ "$code" -eq "$wanted" ] && jq -e "$filter" "$work/out" >/dev/null; then ok "$name"; else not_ok "$name" "exit $code, $(cat "$work/out")"; fi
}

options=()
verdict 'all there' 0 '.fine and .readings == 3 and .lost == 0' 5:1 6:2 7:3
verdict 'lost lines are counted' 1 '.lost == 3 and (.fine | not)' 1:1 2:2 6:3
verdict 'doubled lines are counted' 1 '.doubled == 1' 1:1 1:2 2:3
verdict 'disorder is counted' 1 '.disordered == 1' 1:1 3:2 2:3
verdict 'admitted gaps count as loss' 1 '.gaps == 2' 1:1 4:4:2
verdict 'a stream that skips without saying so' 1 '.streamWrong == 1' 1:1 2:3
options=(--count 2)
verdict 'stops at the count' 0 '.readings == 2' 1:1 2:2 9:3
verdict 'too few' 1 '.readings == 1' 1:1
options=(--first 1)
verdict 'the first one missing' 1 '.lost == 4' 5:1 6:2
options=()
verdict 'nothing at all' 1 '.readings == 0'
