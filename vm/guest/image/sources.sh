#!/bin/sh
# Prints the sources.list of the guest: the Debian 12 entries of this host's own apt configuration.
# Other repositories a host may carry are left out by their signed Origin, and mmdebstrap is told to
# accept Debian's archive keys only. No host name of ours: mirrors and proxies are the user's choice.
set -eu

readonly keyring=/usr/share/keyrings/debian-archive-keyring.gpg

fail()
{
    echo "sources.sh: $*" >&2
    exit 1
}

command -v apt-get >/dev/null || fail "apt is missing: the guest image is built on Debian"
[ -r $keyring ] || fail "$keyring is missing; next step: apt-get install debian-archive-keyring"
# RELEASE holds the code name as the entry spells it, CODENAME as the signed file does.
# shellcheck disable=SC2016 # $(..) is apt's own format
list=$(apt-get indextargets --format '$(ORIGIN) $(CODENAME) $(COMPONENT) $(REPO_URI)' \
    'Created-By: Packages' | awk -v keyring=$keyring '
        $1 == "Debian" && $2 ~ /^bookworm(-updates|-security)?$/ && $3 == "main" {
            line = "deb [signed-by=" keyring "] " $4 " " $2 " main"
            if (!seen[line]++)
                print line
        }')
case $list in
*' bookworm main'*) ;;
*) fail "this host's apt sources have no Debian 12 (bookworm) entry that was fetched;" \
    "next step: add one and run apt-get update" ;;
esac
case $list in
*' bookworm-security main'*) ;;
*) fail "this host's apt sources lack bookworm-security; next step: add it and run apt-get update" ;;
esac
printf '%s\n' "$list"
