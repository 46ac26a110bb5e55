#!/bin/bash
# An include may only point down, and each third-party library has its fence (see the layer picture in README.md).
set -u
cd "$(dirname "$0")/../.." || exit 1
bad=0

# folder -> folders that its files may include besides itself
allowed() {
    case $1 in
    core/base) ;;
    core/rpc | core/io) echo core/base ;;
    core/azure) echo core/base core/io ;;
    vm) echo core/base core/io ;;
    logs) echo core/base core/io ;;
    provision) echo core/base core/io core/azure ;;
    core/engine) echo core/base core/io core/azure core/rpc vm provision logs ;;
    tui) echo core/base core/rpc logs ;;
    vm/guest/edged) echo core/base core/io core/azure logs ;;
    vm/guest/hub) echo core/base core/io core/azure ;;
    vm/guest/iotedge) echo core/base core/io core/azure logs vm/guest/edged ;;
    vm/guest/image/sensor) ;;
    *) echo ANY ;;
    esac
}

while read -r file; do
    dir=$(dirname "$file")
    may=" $(allowed "$dir") $dir "
    case $may in *" ANY "*) continue ;; esac
    while read -r included; do
        from=$(dirname "$included")
        case $may in
        *" $from "*) ;;
        *)
            echo "$file: may not include \"$included\" (layer)"
            bad=1
            ;;
        esac
    done < <(sed -n 's/^#include "\([^"]*\)".*/\1/p' "$file")
done < <(git ls-files '*.c' '*.h' | grep -v '^tests/')

fence() { # PATTERN FILES-REGEX
    while IFS=: read -r file _; do
        if ! [[ $file =~ $2 ]]; then
            echo "$file: $1 is fenced to $2"
            bad=1
        fi
    done < <(git grep -nE "^#include <$1" -- '*.c' '*.h' ':!tests/')
}
fence 'libvirt/' '^vm/[^/]*\.[ch]$'
fence 'libssh/' '^core/io/remote[^/]*\.[ch]$'
fence 'curl/' '^core/io/http\.c$'
fence 'wslay/' '^core/io/websocket\.c$'
fence 'openssl/' '^(core/io/(base64|digest|tls)[^/]*|core/azure/[^/]*|provision/cert)\.[ch]$'
fence 'tss2/' '^vm/guest/edged/tpm\.c$'
fence '(ncurses|curses)' '^tui/term\.c$'
fence 'pcre2' '^logs/filter\.c$'
fence 'zlib' '^vm/guest/edged/method_text\.c$'
fence 'minizip' '^vm/guest/iotedge/zip_file\.c$'
fence 'sqlite3' '^vm/guest/hub/store[^/]*\.[ch]$'
exit $bad
