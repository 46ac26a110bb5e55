#!/bin/bash
# A VM on the real libvirt through vm/ alone: made, booted to SSH with its pinned host key, shut down by its power button,
# booted again, switched off, removed without a trace. Root: qemu:///system; others: a libvirt of their own.
# shellcheck disable=SC2317 # functions are called through step and trap
set -u
tool=${BERTH_BUILD:?}/tests/tools/vm_real
bundle=$PWD/build/bundle/builtin-$(dpkg --print-architecture)
BERTH_STATE_DIR=$(mktemp -d /tmp/berth-boot-XXXXXX)
export BERTH_STATE_DIR
chmod 0711 "$BERTH_STATE_DIR"
name=boot-$$
dir=$BERTH_STATE_DIR/vms/$name
failed=0

report() { # NAME STATUS WHY
    if [ "$2" -eq 0 ]; then echo "ok $1"; else
        echo "not ok $1: $3"
        failed=1
    fi
}
step() { # NAME COMMAND...
    local what=$1 out status=0 begun=$SECONDS
    shift
    out=$("$@" 2>&1) || status=$?
    report "$what" $status "$out ($((SECONDS - begun)) s)"
}
cleanup() {
    "$tool" purge "$name" >/dev/null 2>&1
    rm -rf "$BERTH_STATE_DIR"
}
trap cleanup EXIT

in_guest() { # COMMAND...
    ssh -i "$dir/id_ed25519" -p "$port" -o UserKnownHostsFile="$BERTH_STATE_DIR/known" -o StrictHostKeyChecking=yes \
        -o IdentitiesOnly=yes -o BatchMode=yes -o ConnectTimeout=5 -o LogLevel=ERROR berth@127.0.0.1 "$@"
}
wait_ssh() { # SECONDS
    local end=$((SECONDS + $1))
    # User networking accepts before the guest listens: only an answer counts. ssh itself waits up to its timeout.
    until in_guest true 2>/dev/null; do [ "$SECONDS" -lt "$end" ] || return 1; done
}
state_is() { [[ $("$tool" show "$name") == "$1 "* ]]; }
nothing_left() { [ -z "$("$tool" list)" ] && [ ! -e "$dir" ] && ! virsh list --all --name 2>/dev/null | grep -qx "$name"; }

step make "$tool" make "$name" "$bundle" user
[ $failed -eq 0 ] || exit 1
port=$(sed -n 's/.*"sshPort":\([0-9]*\).*/\1/p' "$dir/vm.json")
echo "[127.0.0.1]:$port $(cut -d' ' -f1,2 "$dir/seed/hostkey.pub")" >"$BERTH_STATE_DIR/known"
step start "$tool" start "$name"
step ssh_answers_with_the_pinned_key wait_ssh 300
step guest_has_its_name test "$(in_guest hostname)" = "$name"
step machine_id_before test -n "$(in_guest cat /etc/machine-id | tee "$BERTH_STATE_DIR/id")"
step state_on state_is starting
step stats_move test "$("$tool" stats "$name" | grep -c 'used=[1-9]')" -eq 1
step console_is_written grep -q 'BERTH-READY ssh' "$dir/console.log"
step secrets_stay_out_of_argv test "$(tr '\0' '\n' <"/proc/$(pgrep -f "guest=$name," | head -n 1)/cmdline" | grep -c 'PRIVATE KEY')" -eq 0
step power_button test "$("$tool" stop "$name")" = clean
step state_off state_is off
step start_again "$tool" start "$name"
step ssh_answers_again wait_ssh 300
step machine_id_stays test "$(in_guest cat /etc/machine-id)" = "$(cat "$BERTH_STATE_DIR/id")"
step kill "$tool" kill "$name"
step state_off_again state_is off
step purge "$tool" purge "$name"
step nothing_left nothing_left
exit $failed
