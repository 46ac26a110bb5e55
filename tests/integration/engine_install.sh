#!/bin/bash
# An installation on libvirt's in-memory test driver whose engine is killed at every durable point: the next engine goes on with the job or
# takes it back, and in the end nothing half-done is left. (The test driver has no guest, so no installation can succeed here: each is
# cancelled once it waits for one. The whole way is tests/e2e.)
set -u
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
setup_private
export BERTH_LIBVIRT_URI=test:///default
bundle=$work/bundle
vm=crash-vm

make_bundle() {
    local file sep=''
    mkdir -p "$bundle"
    head -c 300000 /dev/urandom >"$bundle/vmlinuz"
    head -c 200000 /dev/urandom >"$bundle/initrd"
    head -c 900000 /dev/urandom >"$bundle/root.squashfs"
    {
        printf '{"apiVersion":"berth/v1","kind":"Bundle","flavour":"builtin","arch":"amd64","version":"0.1.0",'
        printf '"built":"2026-01-01T00:00:00Z","cmdline":"console=ttyS0","files":['
        for file in vmlinuz initrd root.squashfs; do
            printf '%s{"name":"%s","size":%s,"sha256":"%s"}' "$sep" "$file" "$(stat -c %s "$bundle/$file")" \
                "$(sha256sum "$bundle/$file" | cut -d' ' -f1)"
            sep=,
        done
        printf ']}'
    } >"$bundle/manifest.json"
}

engine_pids() { pgrep -f "^[^ ]*berthd --ready-fd" -u "$(id -u)" | while read -r pid; do
    if grep -qz "^BERTH_STATE_DIR=$BERTH_STATE_DIR$" "/proc/$pid/environ" 2>/dev/null; then echo "$pid"; fi
done; }
engine_gone() { [ -z "$(engine_pids)" ]; }
job() { berth job list --json | jq -er "$1"; }
last_job_over() { job '.items[0].state | IN("done", "failed", "cancelled")'; }
last_job_waits() { job '.items[0] | (.state | IN("done", "failed", "cancelled")) or .steps[.step].name == "Wait until the guest answers"'; }

nothing_left() {
    local left
    left=$(find "$BERTH_STATE_DIR/vms" -mindepth 1 2>/dev/null | head -n 3)
    [ -z "$left" ] || { echo "files are left: $left"; return 1; }
    berth status --json | jq -e '.vms == []' >/dev/null || { echo 'a VM is left'; return 1; }
    last_job_over >/dev/null || { echo 'the job is not over'; return 1; }
}

install() { berth vm create --name "$vm" --memory 256 --disk 2 --bundle "$bundle" --accel tcg --no-wait; }

# Lets an engine die at its POINT-th durable point while it installs.
install_and_die() { # POINT
    BERTH_CRASH_AT=$1 install >/dev/null 2>&1
    wait_until 20 engine_gone
}

# The next engine goes on; the job is cancelled where it waits for the guest that this driver has not.
come_to_rest() {
    local id
    wait_until 30 last_job_waits || { echo 'the job neither goes on nor ends'; return 1; }
    if ! last_job_over >/dev/null; then
        id=$(job '.items[0].id')
        berth job cancel "$id" >/dev/null 2>&1
        wait_until 30 last_job_over || { echo 'the cancelled job does not end'; return 1; }
    fi
    nothing_left
}

converges() { # POINT SECOND-POINT
    install_and_die "$1" || { echo 'the engine did not die'; return 1; }
    if [ "$2" -gt 0 ]; then
        BERTH_CRASH_AT=$2 berth status >/dev/null 2>&1
        wait_until 3 engine_gone || true # that engine may have had less to write down
        berth engine stop >/dev/null 2>&1
        wait_until 20 engine_gone || { echo 'the second engine stays'; return 1; }
    fi
    # Killed before the job was on disk: there is none, and that is as good.
    if [ "$(berth job list --json | jq '.items | length')" = 0 ]; then
        find "$BERTH_STATE_DIR/vms" -mindepth 1 2>/dev/null | grep . && return 1
        return 0
    fi
    come_to_rest
}

make_bundle
for point in $(seq 1 26); do
    rm -rf "$BERTH_STATE_DIR"
    check "killed at durable point $point" converges "$point" 0
    berth engine stop >/dev/null 2>&1
    wait_until 20 engine_gone
done
for point in 5 10 16 22; do
    rm -rf "$BERTH_STATE_DIR"
    check "killed at $point, and again while it goes on" converges "$point" $((point % 7 + 2))
    berth engine stop >/dev/null 2>&1
    wait_until 20 engine_gone
done

# What nobody's job made is removed: a folder of a VM without a record, from an engine that died while it deleted.
rm -rf "$BERTH_STATE_DIR"
mkdir -p "$BERTH_STATE_DIR/vms/orphan/seed"
head -c 1000 /dev/zero >"$BERTH_STATE_DIR/vms/orphan/data.qcow2"
# But a record that cannot be read, as of a newer Berth, stands for a VM with somebody's data on its disk.
mkdir -p "$BERTH_STATE_DIR/vms/newer"
echo '{"schema":99}' >"$BERTH_STATE_DIR/vms/newer/vm.json"
echo precious >"$BERTH_STATE_DIR/vms/newer/data.qcow2"
berth status >/dev/null
orphan_gone() { [ ! -e "$BERTH_STATE_DIR/vms/orphan" ]; }
check 'a folder without a record is removed at the next start' wait_until 20 orphan_gone
check 'a VM whose record cannot be read is left alone' grep -q precious "$BERTH_STATE_DIR/vms/newer/data.qcow2"
rm -r "$BERTH_STATE_DIR/vms/newer"

altered() {
    printf 'x' | dd of="$bundle/root.squashfs" bs=1 seek=5000 conv=notrunc 2>/dev/null
    ! berth vm create --name "$vm" --memory 256 --disk 2 --bundle "$bundle" --accel tcg >"$work/log" 2>&1 && grep -q 'root.squashfs' "$work/log"
}
check 'an altered image is refused by name' altered
check 'and nothing of the VM is left' nothing_left
truncated() {
    truncate -s 1000 "$bundle/root.squashfs"
    ! berth vm create --name "$vm" --memory 256 --disk 2 --bundle "$bundle" --accel tcg >"$work/log" 2>&1 && grep -q 'root.squashfs' "$work/log"
}
check 'a truncated image is refused by name' truncated
check 'and nothing of it is left either' nothing_left
