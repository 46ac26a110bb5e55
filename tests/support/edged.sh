# berth-edged of the test's own below $work. Source it after tests/lib.sh and tests/support/hub.sh; $edged_engine is the container engine's
# socket, $edged_options what else it is started with.
# shellcheck shell=bash disable=SC2154

mgmt=$work/mgmt.sock
state=$work/edged
v='api-version=2022-08-03'
edged_options=()

edged_run() {
    berth-edged --config "$work/config.toml" --state-dir "$state" --mgmt-socket "$mgmt" --engine-socket "${edged_engine:-$work/no-engine}" \
        --https-port "$hub_https" "${edged_options[@]}" >>"$work/edged.log" 2>&1 &
    edged_pid=$!
}
edged_start() {
    edged_run
    wait_until 10 curl -sf --unix-socket "$mgmt" "http://m/systeminfo?$v"
}
# Its exit status.
edged_stop() { # [SIGNAL]
    local status=0
    [ -n "${edged_pid:-}" ] || return 0
    kill "${1:--TERM}" "$edged_pid" 2>/dev/null
    wait "$edged_pid" 2>/dev/null || status=$?
    edged_pid=
    return $status
}
api() { # PATH [CURL-ARGS...]
    local path=$1
    shift
    curl -s --max-time 20 --unix-socket "$mgmt" "http://m$path" "$@"
}
# Read whole: jq takes no input for success.
info() { api "/systeminfo?$v" | jq -es ".[0] // error | $1"; }
module() { api "/modules/$1?$v" | jq -es ".[0] // error | $2"; }
running() { module "$1" '.status.runtimeStatus.status == "running"'; }
