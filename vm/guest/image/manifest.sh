#!/bin/sh
# Prints the manifest of a bundle: manifest.sh DIR, with VERSION and SOURCE_DATE_EPOCH in the environment.
# The engine checks every file against it before a boot.
set -eu

# Huge pages off: from 512 MiB on, khugepaged keeps a reserve free that takes 60 MB from a guest of 1 GiB.
readonly cmdline="console=ttyS0 quiet panic=10 net.ifnames=0 tsc=reliable lsm=landlock,yama audit=0 transparent_hugepage=never 8250.nr_uarts=1 cryptomgr.notests"

comma=''
printf '{"apiVersion":"berth/v1","kind":"Bundle","flavour":"builtin","arch":"amd64","version":"%s","built":"%s",\n' \
    "$VERSION" "$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)"
printf ' "cmdline":"%s",\n "files":[' "$cmdline"
for name in vmlinuz initrd root.squashfs; do
    printf '%s{"name":"%s","size":%s,"sha256":"%s"}' "$comma" $name \
        "$(stat -c %s "$1/$name")" "$(sha256sum <"$1/$name" | cut -d ' ' -f 1)"
    comma=',
  '
done
printf ']}\n'
