# A container engine of the test's own below $work: podman's Docker-compatible API on $engine. Source it after tests/lib.sh. It runs in a
# mount namespace of its own, which outlives it, with a pure cgroup2 tree, since crun refuses hosts with both kinds; and without cgroups,
# since a test machine's may not be ours to write to.
# shellcheck shell=bash disable=SC2154

engine=$work/docker.sock

podman_here() { nsenter --mount --target "$podman_mounts" podman "$@"; }

podman_start() {
    mkdir -p "$work/podman/nets"
    cat >"$work/podman/containers.conf" <<EOF
[containers]
cgroups = "disabled"
default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
[network]
network_backend = "netavark"
network_config_dir = "$work/podman/nets"
EOF
    cat >"$work/podman/storage.conf" <<EOF
[storage]
driver = "vfs"
graphroot = "$work/podman/root"
runroot = "$work/podman/run"
EOF
    export CONTAINERS_CONF=$work/podman/containers.conf CONTAINERS_STORAGE_CONF=$work/podman/storage.conf
    unshare --mount --propagation private sh -c 'umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup &&
        cd / && exec sleep infinity' >>"$work/podman/log" 2>&1 &
    podman_mounts=$!
    echo 1 >/proc/sys/net/ipv4/conf/all/arp_notify # as in the guest
    # shellcheck disable=SC2016
    wait_until 10 eval '[ "$(readlink "/proc/$podman_mounts/cwd")" = / ]'
    podman_serve
}

# The engine itself: also once more, after it was killed.
podman_serve() {
    nsenter --mount --target "$podman_mounts" podman system service --time=0 "unix://$engine" >>"$work/podman/log" 2>&1 &
    podman_pid=$!
    wait_until 30 curl -sf --unix-socket "$engine" http://d/_ping
}

# An image with a shell that runs SCRIPT.
podman_busybox() { # IMAGE SCRIPT
    local name
    mkdir -p "$work/image/bin"
    cp /bin/busybox "$work/image/bin/"
    for name in sh sleep echo date cat; do ln -sf busybox "$work/image/bin/$name"; done
    tar -C "$work/image" -c . | podman_here import --change "CMD $(jq -cn --arg script "$2" '["/bin/sh", "-c", $script]')" - "$1" >/dev/null 2>&1
}

podman_stop() {
    [ -n "${podman_pid:-}" ] || return 0
    podman_here rm -f -a -t 0 >/dev/null 2>&1
    podman_here network prune -f >/dev/null 2>&1
    kill "$podman_pid" "$podman_mounts" 2>/dev/null
    wait "$podman_pid" "$podman_mounts" 2>/dev/null
}
