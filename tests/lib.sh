# Shared by the shell tests: cases that print `ok` / `not ok`, waiting for events with a deadline, and a private Berth whose folders,
# processes and VMs go away with the test. Source it; it sets $work, $PATH and the BERTH_*_DIR variables.
# shellcheck shell=bash

failures=0

ok() { # NAME
    printf 'ok %s\n' "$1"
}

not_ok() { # NAME WHY
    printf 'not ok %s: %s\n' "$1" "$2"
    failures=$((failures + 1))
}

# check NAME COMMAND...: the command's exit status is the verdict. On failure the reason is what it printed, and what the test's own
# `explain` says, where it has one.
check() {
    local name=$1 out
    shift
    if out=$("$@" 2>&1); then
        ok "$name"
        return 0
    fi
    if declare -F explain >/dev/null; then out+=" $(explain 2>&1)"; fi
    not_ok "$name" "$(tail -n 4 <<<"$out" | tr '\n' ' ' | head -c 600)"
    return 1
}

# step NAME COMMAND...: like check, in this shell: the command leaves variables behind.
step() {
    local name=$1
    shift
    if "$@"; then ok "$name"; else not_ok "$name" "$(if declare -F explain >/dev/null; then explain 2>&1; fi)"; fi
}

same() { [ "$1" = "$2" ] || { echo "\"$1\" is not \"$2\""; return 1; }; }

# exits STATUS COMMAND...: it must end with just that status.
exits() {
    local want=$1 status=0
    shift
    "$@" || status=$?
    [ "$status" -eq "$want" ] || { echo "exit status $status, wanted $want"; return 1; }
}

# wait_until SECONDS COMMAND...: polls a condition that has no event of its own for us to wait on; fails at the deadline.
wait_until() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        read -rt 0.2 <> <(:) || true
    done
}

# A private Berth below $work; $cleanup_extra is called first at the end.
setup_private() {
    work=$(mktemp -d /tmp/berth-test.XXXXXX)
    chmod 711 "$work"
    export BERTH_STATE_DIR=$work/state BERTH_RUNTIME_DIR=$work/run
    export PATH=${BERTH_BUILD:?set BERTH_BUILD to the folder of the programs}:$PATH
    trap teardown_private EXIT
    trap 'exit 143' TERM
    trap 'exit 130' INT
}

teardown_private() {
    trap - EXIT
    if declare -F cleanup_extra >/dev/null; then cleanup_extra; fi
    berth engine stop >/dev/null 2>&1
    if [ "$failures" -ne 0 ] && [ -f "$work/state/engine.log" ]; then
        echo "--- last lines of engine.log"
        tail -n 40 "$work/state/engine.log"
    fi
    rm -rf "$work"
    [ "$failures" -eq 0 ] || exit 1
    exit 0
}
