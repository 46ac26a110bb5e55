#!/bin/bash
# `berth status --json` from exec to exit with the engine running, beside `virsh list` against libvirt's in-memory driver's nearest real peer: the daemon where one runs, else test:///default.
# In turns, median of 21. Target: at most 10 ms and at most half of virsh.
# shellcheck source=tests/lib.sh disable=SC2016,SC2154
. "$(dirname "$0")/../lib.sh"
setup_private
runs=21
uri=test:///default
for try in qemu:///system qemu:///session; do
    if timeout 5 virsh -c "$try" list >/dev/null 2>&1; then
        uri=$try
        break
    fi
done
berth status >/dev/null || exit 1

micros() { # COMMAND...: how long it takes, in microseconds
    local begin=${EPOCHREALTIME/[.,]/} end
    "$@" >/dev/null 2>&1
    end=${EPOCHREALTIME/[.,]/}
    echo $((end - begin))
}
median() {
    sort -n | sed -n "$((runs / 2 + 1))p"
}

: >"$work/ours"
: >"$work/theirs"
for ((i = 0; i < runs; i++)); do
    micros berth status --json >>"$work/ours"
    micros virsh -c "$uri" list >>"$work/theirs"
done
ours=$(median <"$work/ours")
theirs=$(median <"$work/theirs")
awk -v o="$ours" -v t="$theirs" -v uri="$uri" 'BEGIN {
    printf "berth status --json             %6.2f ms  (target <= 10)\n", o / 1000
    printf "virsh -c %s list  %6.2f ms  ratio %.2f  (target <= 0.5)\n", uri, t / 1000, o / t
}'
