#!/bin/bash
# Log lines a second from the engine to `berth logs -f --json`, every one numbered and counted: the serial console of a VM of libvirt's test driver is filled as fast as a file can be written.
# What is asked for is 5,000 lines/s without one lost or doubled. The peer is `tail -f` on the same file.
# shellcheck source=tests/lib.sh disable=SC2016,SC2154
. "$(dirname "$0")/../lib.sh"
setup_private
export BERTH_LIBVIRT_URI=test:///default
lines=100000
seqcheck=$BERTH_BUILD/tests/tools/seqcheck

cleanup_extra() {
    berth job cancel "$job" >/dev/null 2>&1
    berth job attach "$job" --timeout 20 >/dev/null 2>&1
}

# An image that boots nothing is enough for a VM with a console.
bundle=$work/bundle
mkdir "$bundle"
for file in vmlinuz initrd root.squashfs; do
    head -c 200000 /dev/urandom >"$bundle/$file"
    jq -n --arg name "$file" --arg sum "$(sha256sum "$bundle/$file" | cut -d' ' -f1)" '{name: $name, size: 200000, sha256: $sum}'
done | jq -s '{apiVersion: "berth/v1", kind: "Bundle", flavour: "builtin", arch: "amd64", version: "0.1.0",
    built: "2026-01-01T00:00:00Z", cmdline: "quiet", files: .}' >"$bundle/manifest.json"
job=$(berth vm create --name bench --accel tcg --memory 512 --disk 2 --bundle "$bundle" --no-wait) || exit 1
started() { berth status --json | jq -e '.vms[] | select(.name == "bench" and .state == "starting")'; }
wait_until 30 started || exit 1
console=$BERTH_STATE_DIR/vms/bench/console.log
: >>"$console"

seq "$lines" | awk '{ printf "{\"sequence\":%d,\"at\":\"2026-11-21T14:31:02.118Z\",\"temperature\":21.4}\n", $1 }' >"$work/lines"
timeout 120 berth logs -f --json @serial | tee "$work/seen" | timeout 120 "$seqcheck" --count "$lines" >"$work/result" &
flow=$!
# Following begins at the end of the file: not before a line of ours comes through is it there.
followed() { echo 'are you there?' >>"$console" && grep -q 'are you there' "$work/seen"; }
wait_until 30 followed || exit 1
cat "$work/lines" >>"$console"
wait "$flow" || failures=1

begin=${EPOCHREALTIME/[.,]/}
timeout 120 tail -n "+1" -f "$console" 2>/dev/null | head -n "$lines" >/dev/null
peer=$((lines * 1000000 / (${EPOCHREALTIME/[.,]/} - begin)))
jq -r --argjson peer "$peer" '"log stream engine -> berth     \(.linesPerSecond) lines/s, \(.lost) lost, \(.doubled) doubled of \(.readings)  (target 5000, 0, 0; tail -f \($peer) lines/s)"' "$work/result"
