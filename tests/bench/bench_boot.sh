#!/bin/bash
# Power on -> SSH answers -> runtime ready, beside the boot of a bare kernel with a one-file initramfs on the same accelerator; both
# alternate in this run. Also prints what the bundle weighs, and the guest's and the runtime's memory at idle.
# The marks are the guest's own lines on the serial console, stamped as they arrive.
set -u
cd "$(dirname "$0")/../.." || exit 1
rounds=${ROUNDS:-3}
bundle=$PWD/build/bundle/builtin-amd64
work=$(mktemp -d /tmp/berth-bench.XXXXXX)
qemu_pid=
trap '[ -z "$qemu_pid" ] || kill "$qemu_pid" 2>/dev/null; rm -rf "$work"' EXIT
command -v qemu-system-x86_64 >/dev/null || { echo "bench_boot: qemu-system-x86_64 is missing"; exit 1; }
[ -f "$bundle/manifest.json" ] || { echo "bench_boot: no bundle; run make bundle"; exit 1; }

ssh-keygen -qt ed25519 -N '' -f "$work/hostkey"
ssh-keygen -qt ed25519 -N '' -f "$work/id"
cp "$work/id.pub" "$work/authorized_keys"
echo bench >"$work/hostname"
qemu-img create -qf qcow2 "$work/data.qcow2" 4G
mkdir -p "$work/bare/bin"
cp /bin/busybox "$work/bare/bin/busybox"
printf '#!/bin/busybox sh\n/bin/busybox mkdir /dev\n/bin/busybox mount -t devtmpfs dev /dev\necho BARE-READY >/dev/console\n/bin/busybox poweroff -f\n' >"$work/bare/init"
chmod 755 "$work/bare/init"
(cd "$work/bare" && find . | cpio -o -H newc --quiet | gzip -1) >"$work/bare.initrd"

machine=(-machine q35 -accel "tcg,thread=multi,tb-size=128" -cpu "${BERTH_BENCH_CPU:-qemu64}" -smp 2 -m 512 -nodefaults -no-user-config
    -display none -serial stdio -kernel "$bundle/vmlinuz")
cmdline=$(jq -r .cmdline "$bundle/manifest.json")

# boot MARK LIMIT ARGS...: starts QEMU; $marks gets `SECONDS MARK` lines up to MARK.
boot() {
    local mark=$1 limit=$2 start=$EPOCHREALTIME line
    shift 2
    : >"$work/marks"
    coproc qemu { exec qemu-system-x86_64 "${machine[@]}" "$@" 2>&1; }
    qemu_pid=${qemu_PID:?}
    while IFS= read -rt "$limit" -u "${qemu[0]}" line; do
        line=${line%$'\r'}
        case $line in
        *BERTH-* | *BARE-*)
            awk -v a="$start" -v b="$EPOCHREALTIME" -v m="${line##*  }" 'BEGIN { printf "%.2f %s\n", b - a, m }' >>"$work/marks"
            ;;
        esac
        [[ $line == *"$mark"* ]] && return 0
    done
    echo "bench_boot: '$mark' did not come"
    cat "$work/marks"
    return 1
}

off() {
    local pid=$qemu_pid
    [ -z "$pid" ] || kill "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    qemu_pid=
}

guest_args=(-append "$cmdline" -initrd "$bundle/initrd"
    -drive "file=$bundle/root.squashfs,if=none,id=root,format=raw,readonly=on" -device "virtio-blk-pci,drive=root,serial=root"
    -drive "file=$work/data.qcow2,if=none,id=data,format=qcow2,discard=unmap" -device "virtio-blk-pci,drive=data,serial=data"
    -netdev "user,id=n0,hostfwd=tcp:127.0.0.1:${BERTH_BENCH_PORT:-42022}-:22" -device "virtio-net-pci,netdev=n0,romfile="
    -device virtio-rng-pci
    -fw_cfg "name=opt/berth/hostkey,file=$work/hostkey" -fw_cfg "name=opt/berth/authorized_keys,file=$work/authorized_keys"
    -fw_cfg "name=opt/berth/hostname,file=$work/hostname")

guest() {
    ssh -q -F none -i "$work/id" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -p "${BERTH_BENCH_PORT:-42022}" \
        "$@"
}

at() { # MARK: its seconds
    sed -n "s/^\([0-9.]*\) .*$1.*/\1/p" "$work/marks" | head -n 1
}

median() {
    sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

spread() { # FILE: min / median / max
    sort -n "$1" | awk '{ v[NR] = $1 } END { printf "%.2f / %.2f / %.2f", v[1], v[int((NR + 1) / 2)], v[NR] }'
}

# First boot: make the data disk and give the runtime a configuration, so that later boots show the daily case.
boot 'BERTH-READY ssh' 180 "${guest_args[@]}" || exit 1
guest -nNf -o ExitOnForwardFailure=yes -L "$work/guest.sock:/run/berth/guest.sock" berth@127.0.0.1 || exit 1
printf 'config-apply\n[provisioning]\nsource = "manual"\nconnection_string = "HostName=bench.invalid;DeviceId=bench;SharedAccessKey=MDEyMzQ1Njc4OWFiY2RlZg=="\n' |
    socat -t 60 - "UNIX-CONNECT:$work/guest.sock" | grep -q '^ok' || {
    echo "bench_boot: the guest refused the configuration"
    exit 1
}
guest berth@127.0.0.1 sync
off

for ((i = 1; i <= rounds; i++)); do
    boot BARE-READY 120 -append "console=ttyS0 quiet panic=-1" -initrd "$work/bare.initrd" || exit 1
    at BARE-READY >>"$work/bare.s"
    off
    boot 'BERTH-READY runtime' 240 "${guest_args[@]}" || exit 1
    at 'BERTH-BOOT initrd' >>"$work/initrd.s"
    at 'BERTH-BOOT root' >>"$work/root.s"
    at 'BERTH-READY ssh' >>"$work/ssh.s"
    at 'BERTH-READY runtime' >>"$work/runtime.s"
    if [ "$i" -eq "$rounds" ]; then
        # shellcheck disable=SC2016 # for the guest's shell
        guest berth@127.0.0.1 'awk "/MemTotal|MemAvailable/ { v[NR] = \$2 } END { for (i in v) print v[i] }" /proc/meminfo' |
            sort -rn >"$work/mem"
        guest berth@127.0.0.1 "systemd-analyze blame 2>/dev/null | head -n 6" >"$work/blame"
    fi
    off
done

bare=$(median <"$work/bare.s")
echo "boot, seconds from power on, TCG, $rounds rounds, min / median / max"
echo "  bare kernel + initramfs     $(spread "$work/bare.s")"
for part in initrd root ssh runtime; do
    awk -v n="$part" -v s="$(spread "$work/$part.s")" -v m="$(median <"$work/$part.s")" -v b="$bare" \
        'BEGIN { printf "  berth guest: %-14s %s   %.1fx bare\n", n, s, m / b }'
done
echo "  goals: ssh <= 4x, runtime <= 6x bare. Longest units of the last boot:"
sed 's/^/    /' "$work/blame"
echo "bundle: $(du -cb "$bundle"/vmlinuz "$bundle"/initrd "$bundle"/root.squashfs | awk 'END { printf "%.1f MB", $1 / 1e6 }') (goal <= 100 MB)"
paste -sd' ' "$work/mem" | awk '{ printf "guest memory in use at idle, runtime without modules: %.0f MB\n", ($1 - $2) / 1024 }'
