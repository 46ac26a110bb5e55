#!/bin/bash
# The command line without an engine: usage, help, what must not start anything, an installation without berthd.
# shellcheck source=tests/lib.sh disable=SC2016,SC2154
. "$(dirname "$0")/../lib.sh"
setup_private
out=$work/out err=$work/err

# expect NAME CODE ARGS...: runs berth, keeps its output in $out and $err.
expect() {
    local name=$1 wanted=$2 code=0
    shift 2
    timeout 20 berth "$@" >"$out" 2>"$err" </dev/null || code=$?
    if [ "$code" -eq "$wanted" ]; then ok "$name"; else not_ok "$name" "exit $code instead of $wanted: $(head -n 2 "$err")"; fi
}

expect 'unknown command' 2 frobnicate
check 'unknown command names it on stderr' grep -q '"frobnicate"' "$err"
check 'unknown command leaves stdout empty' test ! -s "$out"
expect 'unknown verb' 2 vm frobnicate
expect 'unknown option' 2 status --frobnicate
expect 'missing argument' 2 vm delete
expect 'surplus argument' 2 status now
expect 'usage error with --json' 2 --json frobnicate
check 'usage error is one JSON object' jq -e '.error | .code == "usage" and .exit == 2 and (.message | length > 0) and (.hint | length > 0)' "$err"

expect 'help' 0 help
check 'help lists the verbs' grep -q '^  vm create ' "$out"
expect 'help of a noun' 0 help module
check 'help of a noun lists only that' test "$(grep -c . "$out")" -eq 5
expect 'help of a verb' 0 vm create --help
check 'help of a verb names its options' grep -q -- '--memory MIB' "$out"
expect 'version' 0 version --json
check 'version is JSON' jq -e '.apiVersion == "berth/v1" and .kind == "Version" and (.version | test("^[0-9]+[.][0-9]+[.][0-9]+$"))' "$out"
expect '--version' 0 --version

expect 'info' 0 info --json
check 'info names the folders' jq -e --arg dir "$BERTH_STATE_DIR" '.kind == "Info" and (.stateDir | startswith($dir)) and .engineRuns == false' "$out"
expect 'engine stop when none runs' 0 engine stop
expect 'engine log-level when none runs' 1 engine log-level debug
check 'nothing started an engine' test ! -e "$BERTH_RUNTIME_DIR/engine.sock"

# Values are checked before anything is asked of the engine.
expect 'bad time span' 6 metrics --since yesterday
expect 'bad pattern' 6 logs sensor --grep 'a(b'
check 'bad pattern says where' grep -q 'character 4' "$err"
expect 'bad level' 6 logs sensor --level loud
expect 'bad timeout' 6 vm start --timeout soon
expect 'delete without a terminal' 13 vm delete some-vm
expect 'force without a terminal' 13 vm stop --force
expect 'needs_confirmation with --json' 13 vm delete some-vm --json
check 'needs_confirmation is JSON' jq -e '.error.code == "needs_confirmation" and .error.exit == 13' "$err"
expect 'no file for the connection string' 6 provision connection-string
expect 'missing file of the connection string' 6 provision connection-string --file "$work/none"
: >"$work/empty"
expect 'empty connection string' 6 provision connection-string --file "$work/empty"
printf ' \n\n' >"$work/blank"
expect 'blank connection string' 6 provision connection-string --file "$work/blank"
printf 'HostName=a\0b' >"$work/nul"
expect 'connection string with a NUL' 6 provision connection-string --file "$work/nul"
head -c 5000 /dev/zero | tr '\0' x >"$work/long"
expect 'connection string beyond all size' 6 provision connection-string --file "$work/long"
check 'its content is not shown' bash -c "! grep -q xxxx '$err'"
printf '{"modulesContent":' >"$work/half.json"
expect 'manifest that is no JSON' 6 sandbox deploy "$work/half.json" --device d
expect 'manifest that is not there' 6 sandbox deploy "$work/none.json" --device d

# An installation that lost its engine.
mkdir "$work/alone"
cp "$BERTH_BUILD/berth" "$work/alone/"
code=0
PATH=/usr/bin:/bin timeout 20 "$work/alone/berth" status --json >"$out" 2>"$err" || code=$?
if [ "$code" -eq 1 ]; then ok 'engine not installed'; else not_ok 'engine not installed' "exit $code: $(head -n 2 "$err")"; fi
check 'engine not installed says what to do' jq -e '.error | .exit == 1 and (.hint | length > 0)' "$err"

# Output that nobody reads or that cannot be written.
code=0
berth help >/dev/full 2>"$err" || code=$?
if [ "$code" -eq 1 ]; then ok 'full disk behind standard output'; else not_ok 'full disk behind standard output' "exit $code"; fi
