#!/bin/sh
# Builds the guest: OUT/builtin-amd64/{vmlinuz,initrd,root.squashfs,manifest.json} and the sample module
# OUT/berth-sensor-amd64.tar. Called by the Makefile; safe to call again: nothing is done when no input
# changed, and what is made appears whole or not at all.
#
#   build.sh --edged FILE --hub FILE --iotedge FILE --sensor FILE --out DIR
#
# The steps, one small file each:
#   sources.sh      which apt sources: the host's own Debian 12 ones
#   packages        what mmdebstrap installs
#   root.sh         hook that makes that root Berth's: kernel, initrd/, programs, tree/, units, prune
#   manifest.sh     sizes and SHA-256 of the three files
#   sensor/pack.sh  the sample module as a docker archive
# To look inside: unsquashfs -ll OUT/builtin-amd64/root.squashfs
set -eu
export LC_ALL=C
umask 022

readonly version=0.1.0
RECIPE=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
export RECIPE

fail()
{
    echo "build.sh: $*" >&2
    exit 1
}

say()
{
    echo "  IMAGE $*"
}

options_read()
{
    edged='' hub='' iotedge='' sensor='' out=''
    while [ $# -gt 0 ]; do
        [ $# -ge 2 ] || fail "usage: build.sh --edged FILE --hub FILE --iotedge FILE --sensor FILE --out DIR"
        case $1 in
        --edged) edged=$2 ;;
        --hub) hub=$2 ;;
        --iotedge) iotedge=$2 ;;
        --sensor) sensor=$2 ;;
        --out) out=$2 ;;
        *) fail "unknown option $1" ;;
        esac
        shift 2
    done
    [ -n "$out" ] || fail "--out is missing"
    [ -f "$edged" ] || fail "no such file: '$edged' (--edged); next step: make MODE=release build/release/berth-edged"
    [ -f "$hub" ] || fail "no such file: '$hub' (--hub); next step: make MODE=release build/release/berth-hub"
    [ -f "$iotedge" ] || fail "no such file: '$iotedge' (--iotedge); next step: make MODE=release build/release/iotedge"
    [ -f "$sensor" ] || fail "no such file: '$sensor' (--sensor); next step: make MODE=release build/release/berth-sensor"
    EDGED=$(readlink -f "$edged") HUB=$(readlink -f "$hub") IOTEDGE=$(readlink -f "$iotedge")
    export EDGED HUB IOTEDGE
}

tools_check()
{
    for tool in apt-get cpio gzip mksquashfs mmdebstrap sha256sum tar; do
        command -v $tool >/dev/null || fail "$tool is missing; next step: apt-get install" \
            "mmdebstrap squashfs-tools cpio debian-archive-keyring"
    done
    [ "$(dpkg --print-architecture)" = amd64 ] || fail "only amd64 hosts can build this bundle yet"
    [ "$(id -u)" = 0 ] ||
        { command -v newuidmap >/dev/null && grep -q "^$(id -un):" /etc/subuid && unshare -U true; } 2>/dev/null ||
        fail "not root, and user namespaces with subordinate ids are not set up for $(id -un);" \
            "next step: run as root, or apt-get install uidmap and add $(id -un) to /etc/subuid and /etc/subgid"
}

# The time that all files carry: that of the last change to the recipe.
epoch_set()
{
    SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$RECIPE" log -1 --format=%ct -- . 2>/dev/null || true)}
    : "${SOURCE_DATE_EPOCH:=1735689600}"
    export SOURCE_DATE_EPOCH
}

# Digest of everything that a build depends on, but for the versions that Debian has today.
inputs_hash()
{
    (
        cd "$RECIPE"
        find . -type f -printf '%p %m\n' -o -type l -printf '%p %l\n' | sort
        find . -type f -print0 | sort -z | xargs -0 sha256sum
        cat "$EDGED" "$HUB" "$IOTEDGE" | sha256sum
    ) | sha256sum | cut -d ' ' -f 1
}

root_build()
{
    "$RECIPE/sources.sh" >"$work/sources.list"
    packages=$(sed -e 's/[[:space:]]*#.*//' "$RECIPE/packages" | xargs | tr ' ' ,)
    # Proxies and the like of this host's apt hold for the guest's packages as well.
    apt-config dump | grep -E '^Acquire::(http|https|ftp|Check-Valid-Until|Check-Date|Retries|ForceIPv4)' |
        grep -v ' "";$' >"$work/apt.conf" || true
    say "installing Debian packages (about a minute)"
    mmdebstrap --quiet --variant=essential --architectures=amd64 --skip=cleanup/apt,cleanup/mmdebstrap \
        --aptopt="$work/apt.conf" --aptopt='APT::Install-Recommends "false"' \
        --aptopt='Acquire::Languages "none"' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
        --include="$packages" --customize-hook="$RECIPE/root.sh" \
        --customize-hook="sync-out /bundle '$work/bundle'" \
        --customize-hook="rm -rf \"\$1/bundle\"" \
        bookworm "$work/root.tar" - <"$work/sources.list" >"$work/log" 2>&1 || {
        tail -n 20 "$work/log" >&2
        fail "mmdebstrap failed; its last lines are above"
    }
}

bundle_build()
{
    mkdir "$work/bundle"
    VERSION=$version
    export VERSION
    root_build
    say "packing the root image"
    # From a tar, mksquashfs gives / to whoever calls it, whatever -root-uid says: be root for it.
    as_root=''
    [ "$(id -u)" = 0 ] || as_root='unshare -r'
    $as_root mksquashfs - "$work/bundle/root.squashfs" -tar -quiet -no-progress -b 256K \
        -root-mode 755 -comp zstd -Xcompression-level 15 \
        <"$work/root.tar" >"$work/log" 2>&1 || {
        cat "$work/log" >&2
        fail "mksquashfs failed"
    }
    "$RECIPE/manifest.sh" "$work/bundle" >"$work/manifest.json"
    mv "$work/manifest.json" "$work/bundle/manifest.json"
    printf '%s\n' "$stamp" >"$work/bundle/.stamp"
    chmod 644 "$work"/bundle/* "$work/bundle/.stamp"
    sync "$work"/bundle/*
    rm -rf "$out/.tmp.old"
    [ ! -e "$bundle" ] || mv "$bundle" "$out/.tmp.old"
    mv "$work/bundle" "$bundle"
    rm -rf "$out/.tmp.old"
    say "$bundle: $(du -cb "$bundle/vmlinuz" "$bundle/initrd" "$bundle/root.squashfs" | tail -n 1 | cut -f 1) bytes"
}

options_read "$@"
tools_check
epoch_set
mkdir -p "$out"
out=$(readlink -f "$out")
bundle=$out/builtin-amd64
exec 9>"$out/.lock"
flock 9
find "$out" -maxdepth 1 -name '.tmp.*' -exec rm -rf {} +
work=$(mktemp -d "$out/.tmp.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
chmod 755 "$work"

stamp=$(inputs_hash)
if [ "$(cat "$bundle/.stamp" 2>/dev/null)" = "$stamp" ]; then
    say "$bundle is up to date"
else
    bundle_build
fi
"$RECIPE/sensor/pack.sh" "$sensor" "$out/berth-sensor-amd64.tar"
