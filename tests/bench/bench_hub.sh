#!/bin/bash
# The hub under load, in a network of its own. QoS 1 telemetry over TLS beside mosquitto: the same client program, certificate and bytes,
# in turns. Memory with 1,000 devices, and before and after 10,000 connections. A registration, and a twin's change until the device has it:
# the hub answers only what is on the disk, so each stands beside what the disk itself takes, and once more with the state in memory.
# shellcheck source=tests/lib.sh disable=SC2154
if [ "${1:-}" != --inside ]; then exec "$(dirname "$0")/../support/private_net.sh" "$0" --inside; fi
. "$(dirname "$0")/../lib.sh"
setup_private
runs=5
load=$BERTH_BUILD/tests/tools/hub_load
here=$(dirname "$0")
# shellcheck source=tests/support/hub.sh
. "$here/../support/hub.sh"
hub_mqtt=8883
hub_https=443
peer_port=18883

cleanup_extra() {
    hub_kill
    umount "$work/hub" 2>/dev/null
    [ -z "${peer_pid:-}" ] || kill "$peer_pid" 2>/dev/null
}

ours() { "$load" "$work/hub" "$hub_mqtt" "$hub_https" "$@"; }
theirs() { "$load" "$work/hub" "$peer_port" "$hub_https" "$@"; }

start_peer() {
    cat >"$work/mosquitto.conf" <<EOF
listener $peer_port 127.0.0.1
cafile $work/hub/ca.pem
certfile $work/hub/server.pem
keyfile $work/hub/server.key
allow_anonymous true
persistence false
set_tcp_nodelay true
user root
log_type error
EOF
    /usr/sbin/mosquitto -c "$work/mosquitto.conf" >"$work/mosquitto.log" 2>&1 &
    peer_pid=$!
    wait_until 10 bash -c "exec 3<>/dev/tcp/127.0.0.1/$peer_port"
}

# spread FILE: least, median and most of its numbers.
spread() { sort -n "$1" | awk '{ v[NR] = $1 } END { printf "%.0f %.0f %.0f", v[1], v[int((NR + 1) / 2)], v[NR] }'; }

telemetry() { # WHAT CONNECTIONS WINDOW MESSAGES
    local i
    : >"$work/a"
    : >"$work/b"
    for ((i = 0; i < runs; i++)); do
        ours telemetry "$2" "$3" "$4" >>"$work/a" || exit 1
        theirs telemetry "$2" "$3" "$4" >>"$work/b" || exit 1
    done
    awk -v what="$1" -v a="$(spread "$work/a")" -v b="$(spread "$work/b")" 'BEGIN {
        split(a, o); split(b, p)
        printf "telemetry, %-28s %7d msg/s (%d-%d), mosquitto %7d (%d-%d): %.2fx  (target >= 1.0x)\n",
            what, o[2], o[1], o[3], p[2], p[1], p[3], o[2] / p[2]
    }'
}

memory() { awk '/^(Rss|Pss):/ { v[$1] = $2 } END { printf "%d %d", v["Rss:"], v["Pss:"] }' "/proc/$hub_pid/smaps_rollup"; }
descriptors() { find "/proc/$hub_pid/fd" -mindepth 1 | wc -l; }

held() {
    local rss pss
    coproc HOLD { ours hold 1000; }
    read -rt 60 _ <&"${HOLD[0]}" || exit 1
    read -r rss pss <<<"$(memory)"
    awk -v rss="$rss" -v pss="$pss" 'BEGIN {
        printf "memory with 1,000 devices  RSS %.1f MiB, PSS %.1f MiB  (target <= 32 MiB)\n", rss / 1024, pss / 1024
    }'
    echo >&"${HOLD[1]}"
    wait "$HOLD_PID"
}

churn() {
    local before after fds
    ours churn 2000 || exit 1
    fds=$(descriptors)
    before=$(memory)
    ours churn 10000 || exit 1
    after=$(memory)
    awk -v b="$before" -v a="$after" -v f="$fds" -v g="$(descriptors)" 'BEGIN {
        split(b, x); split(a, y)
        printf "10,000 connections         RSS %+d KiB, descriptors %+d  (target 0)\n", y[1] - x[1], g - f
    }'
}

# The disk by itself: milliseconds of a small write and fdatasync.
disk_floor() {
    dd if=/dev/zero of="$work/floor" bs=4k count=300 oflag=dsync 2>&1 | awk '/copied/ { printf "%.2f", $(NF - 3) / 300 * 1000 }'
    rm "$work/floor"
}

latencies() { # WHERE
    local group median p99
    read -r median p99 <<<"$(ours twin 1000)"
    printf 'twin change to push        median %.2f ms, p99 %.2f ms  (target p99 <= 2 ms; state %s)\n' "$median" "$p99" "$1"
    jq -e .dps "$work/hub/sandbox.json" >/dev/null || return 0
    group=$(openssl rand -base64 48 | tr -d '\n')
    dps_call PUT /enrollmentGroups/load -d "{\"enrollmentGroupId\":\"load\",\"provisioningStatus\":\"enabled\",
        \"attestation\":{\"type\":\"symmetricKey\",\"symmetricKey\":{\"primaryKey\":\"$group\",\"secondaryKey\":\"$group\"}}}" >/dev/null || exit 1
    read -r median p99 <<<"$(ours register 500 "$(jq -r .dps.idScope "$work/hub/sandbox.json")" "$group")"
    printf 'DPS registration           median %.2f ms, p99 %.2f ms  (target p99 <= 20 ms; state %s)\n' "$median" "$p99" "$1"
}

# The load client leaves Nagle's algorithm on: without this, each of its connections waits 40 ms for the kernel's delayed acknowledgement.
ip route replace local 127.0.0.1 dev lo table local quickack 1
hub_start || exit 1
start_peer || exit 1
ours create 1000 || exit 1
telemetry '1 connection, window 1' 1 1 20000
telemetry '1 connection, window 10' 1 10 200000
telemetry '20 connections, window 10' 20 10 400000
held
churn
latencies "on a disk that takes $(disk_floor) ms a write"
hub_kill
mount -t tmpfs none "$work/hub"
hub_start || exit 1
hub_auth=
ours create 1 || exit 1
latencies 'in memory'
