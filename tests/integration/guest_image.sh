#!/bin/bash
# The guest image without booting it: the recipe's refusals, sshd's configuration, the sample module's archive and, when a bundle
# has been built, that it is what its manifest says and holds no surprise. Booting it is the end-to-end test's part.
# shellcheck source=tests/lib.sh disable=SC2317
. "$(dirname "$0")/../lib.sh"
root=$(cd "$(dirname "$0")/../.." && pwd)
recipe=$root/vm/guest/image
bundle=$root/build/bundle/builtin-amd64
work=$(mktemp -d /tmp/berth-image.XXXXXX)
trap 'rm -rf "$work"' EXIT

# refused WORDS ARGS...: build.sh ends with 1, says WORDS, and leaves nothing behind.
refused() {
    local words=$1
    shift
    if "$recipe/build.sh" "$@" >"$work/said" 2>&1; then return 1; fi
    grep -qF -- "$words" "$work/said" || { cat "$work/said"; return 1; }
    [ ! -e "$work/out" ] || { ls -A "$work/out"; return 1; }
}

sshd_accepts() {
    ssh-keygen -q -t ed25519 -N '' -f "$work/key" || return 1
    sed "s|^HostKey .*|HostKey $work/key|" "$recipe/tree/etc/ssh/sshd_config" >"$work/sshd_config"
    [ -d /run/sshd ] || mkdir -m 755 /run/sshd || return 1
    "$(command -v sshd || echo /usr/sbin/sshd)" -T -f "$work/sshd_config" >"$work/effective"
}

effective() { # LINE of sshd -T
    grep -ixF -- "$1" "$work/effective"
}

same_archive_twice() {
    "$recipe/sensor/pack.sh" "$work/program" "$work/one.tar" && "$recipe/sensor/pack.sh" "$work/program" "$work/two.tar" &&
        cmp "$work/one.tar" "$work/two.tar"
}

archive_reads() {
    skopeo inspect --config "docker-archive:$work/one.tar" | jq -e '.config.Entrypoint == ["/berth-sensor"] and .os == "linux"'
}

manifest_holds() {
    jq -r '.files[] | "\(.sha256)  \(.name)"' "$bundle/manifest.json" >"$work/sums" &&
        (cd "$bundle" && sha256sum --quiet -c "$work/sums") &&
        jq -e '[.files[].name] == ["vmlinuz", "initrd", "root.squashfs"]' "$bundle/manifest.json" &&
        jq -r '.files[] | "\(.size) \(.name)"' "$bundle/manifest.json" | while read -r size name; do
            [ "$(stat -c %s "$bundle/$name")" -eq "$size" ] || return 1
        done
}

small_enough() {
    jq -e '[.files[].size] | add <= 100000000' "$bundle/manifest.json"
}

# absent PATTERN: no line of the image's listing (mode, owner, size, date, time, path) matches.
absent() {
    ! grep -E -m 3 -- "$1" "$work/list"
}

no_password_works() {
    unsquashfs -cat "$bundle/root.squashfs" etc/shadow 2>/dev/null | awk -F: '$2 !~ /^[*!]/ { print; bad = 1 } END { exit bad || NR < 5 }'
}

: >"$work/file"
check 'no berth-edged: says so' refused "next step: make MODE=release build/release/berth-edged" \
    --edged "$work/none" --sensor "$work/file" --out "$work/out"
check 'no berth-sensor: says so' refused "no such file: '$work/none' (--sensor)" \
    --edged "$work/file" --hub "$work/file" --iotedge "$work/file" --sensor "$work/none" --out "$work/out"
check 'no berth-hub: says so' refused "next step: make MODE=release build/release/berth-hub" \
    --edged "$work/file" --hub "$work/none" --iotedge "$work/file" --sensor "$work/file" --out "$work/out"
check 'no iotedge: says so' refused "next step: make MODE=release build/release/iotedge" \
    --edged "$work/file" --hub "$work/file" --iotedge "$work/none" --sensor "$work/file" --out "$work/out"
check 'unknown option' refused 'unknown option --frob' --frob x

check 'sshd takes its configuration' sshd_accepts
for line in 'passwordauthentication no' 'kbdinteractiveauthentication no' 'permitrootlogin no' 'allowusers berth' \
    'authenticationmethods publickey' 'allowtcpforwarding local' 'allowstreamlocalforwarding local' 'x11forwarding no' \
    'allowagentforwarding no' 'usedns no' 'maxsessions 64'; do
    check "sshd: $line" effective "$line"
done

install -m 755 /bin/true "$work/program"
check 'the sample module packs to the same bytes twice' same_archive_twice
check 'skopeo reads the archive' archive_reads

if [ -e "$bundle/manifest.json" ]; then
    check 'bundle: files are those of the manifest' manifest_holds
    check 'bundle: at most 100 MB' small_enough
    unsquashfs -lls "$bundle/root.squashfs" >"$work/list" 2>/dev/null
    check 'image: lists its files' grep -q 'squashfs-root/usr/bin/berth-edged$' "$work/list"
    check 'image: has the edge hub' grep -q 'squashfs-root/usr/bin/berth-hub$' "$work/list"
    check 'image: has the iotedge command' grep -q 'squashfs-root/usr/bin/iotedge$' "$work/list"
    check 'image: / belongs to root, who alone may write' grep -qE '^drwxr-xr-x root/root .* squashfs-root$' "$work/list"
    check 'image: nothing is setuid or setgid' absent '^-..[sS]|^-.....[sS]'
    check 'image: nothing is writable by all' absent '^[-d].......w[^tT]'
    check 'image: no host key, no history of the build' absent 'ssh_host_|/var/lib/dpkg|/var/cache/apt|\.bash_history'
    check 'image: /var is the data disk'\''s' absent 'squashfs-root/var/.'
    check 'image: no password opens anything' no_password_works
else
    echo "# no bundle in ${bundle#"$root"/}: its checks are left out; make bundle builds it"
fi
exit $((failures > 0))
