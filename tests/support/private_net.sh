#!/bin/bash
# Runs a command in a network of its own, where every port is free (443 and 8883, which Microsoft's SDKs fix, too) and where it may write
# /etc/hosts. All that it started ends with it. Root, or anyone where user namespaces are allowed.
#
#   tests/support/private_net.sh COMMAND...
set -eu
if [ "${1:-}" != --inside ]; then
    as_root=()
    [ "$(id -u)" = 0 ] || as_root=(--map-root-user)
    exec unshare "${as_root[@]}" --net --mount --pid --fork --kill-child --mount-proc "$0" --inside "$@"
fi
shift
ip link set lo up
hosts=$(mktemp /tmp/berth-hosts.XXXXXX)
echo '127.0.0.1 localhost' >"$hosts"
mount --bind "$hosts" /etc/hosts
rm "$hosts"
exec "$@"
