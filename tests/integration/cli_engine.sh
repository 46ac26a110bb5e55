#!/bin/bash
# The command line with a real engine on private folders and libvirt's in-memory test driver: every verb that needs no guest, its JSON and its exit codes.
# shellcheck source=tests/lib.sh disable=SC2016,SC2154
. "$(dirname "$0")/../lib.sh"
setup_private
export BERTH_LIBVIRT_URI=test:///default
out=$work/out err=$work/err

expect() { # NAME CODE ARGS...
    local name=$1 wanted=$2 code=0
    shift 2
    timeout 60 berth "$@" >"$out" 2>"$err" </dev/null || code=$?
    if [ "$code" -eq "$wanted" ]; then ok "$name"; else not_ok "$name" "exit $code instead of $wanted: $(head -n 2 "$err")"; fi
}
# json NAME FILTER: what came last must be JSON of our kind for which the filter holds.
json() {
    check "$1" jq -e --slurp "(.[-1].apiVersion == \"berth/v1\") and (.[-1] | $2)" "$out"
}
# failed NAME CODE-WORD: the error on stderr is JSON with that code and a message.
failed() {
    check "$1" jq -e --arg code "$2" '.error.code == $code and (.error.message | length > 0)' "$err"
}

expect 'status starts the engine' 0 status
check 'an engine runs now' test -S "$BERTH_RUNTIME_DIR/engine.sock"
expect 'status --json' 0 status --json
json 'status is JSON' '.kind == "Status" and (.vms | type == "array") and (.jobs | type == "array") and (.at | test("T.*Z$"))'
expect 'info sees the engine' 0 info --json
json 'info says its version' '.engineRuns and (.engineVersion | length > 0)'

expect 'vm list' 0 vm list --json
json 'vm list is JSON' '.kind == "VmList" and .items == []'
expect 'vm show without a VM' 3 vm show --json
failed 'vm show without a VM says so' not_found
expect 'vm show of an unknown VM' 3 vm show nobody
expect 'vm tpm of an unknown VM' 3 vm tpm nobody
expect 'vm exists' 3 vm exists
expect 'vm exists --json' 3 vm exists --json
json 'vm exists is JSON' '.exists == false'
expect 'vm start of an unknown VM' 3 vm start nobody --json
failed 'vm start of an unknown VM says so' not_found
expect 'vm stop of an unknown VM' 3 vm stop nobody
expect 'vm delete of an unknown VM' 3 vm delete nobody --yes
expect 'module list without a VM' 3 module list
expect 'module restart without a VM' 3 module restart sensor --json
failed 'module restart without a VM says so' not_found
expect 'logs without a VM' 3 logs sensor
expect 'logs of an unknown VM' 3 logs sensor --vm nobody --json
failed 'logs of an unknown VM says so' not_found
expect 'metrics without a VM' 3 metrics
echo 'HostName=h' >"$work/connstr"
expect 'provision without a VM' 3 provision connection-string --file "$work/connstr"

expect 'plan with a wrong size' 6 vm create --cpu 0
expect 'plan with a wrong network' 6 vm create --network tokenring
check 'plan with a wrong network says what works' grep -q 'user' "$err"
printf '{"name":"a","cpuss":2}' >"$work/plan.json"
expect 'plan file with a misspelt member' 6 vm create --plan "$work/plan.json" --json
check 'plan file error names the member' grep -q cpuss "$err"
expect 'plan file that is not there' 6 vm create --plan "$work/none.json"
expect 'bundle that is not there' 7 vm create --name nobundle --bundle "$work/nobundle" --json
check 'bundle that is not there leaves no VM' bash -c "berth vm list --json | jq -e '.items | length == 0'"

code=0
timeout 60 berth host check --json >"$out" 2>"$err" || code=$?
if [ "$code" -eq 0 ] || [ "$code" -eq 11 ]; then ok 'host check'; else not_ok 'host check' "exit $code: $(head -n 2 "$err")"; fi
json 'host check is JSON' ".kind == \"HostCheck\" and (.checks | length > 3) and .passed == ([.checks[].light] | index(\"bad\") == null)"
check 'host check exits by what it found' test "$(jq .passed "$out")" = "$([ "$code" -eq 0 ] && echo true || echo false)"
expect 'host show' 0 host show --json
json 'host show is JSON' '.kind == "Host" and (.accel == "kvm" or .accel == "tcg") and (.accelWhy | length > 0)'

expect 'job list' 0 job list --json
json 'job list is JSON' '.kind == "JobList" and (.items | type == "array")'
expect 'job show of an unknown job' 3 job show j-none
expect 'job cancel when none runs' 3 job cancel --json
failed 'job cancel when none runs says so' not_found
expect 'job attach when none runs' 3 job attach

expect 'sandbox show' 0 sandbox show --json
json 'sandbox show is JSON' '.kind == "Sandbox"'

expect 'engine log' 0 engine log --tail 20 --json
check 'engine log is JSON lines' jq -es 'length > 0 and all(.kind == "LogLine" and (.seq | type) == "number")' "$out"
expect 'engine log-level' 0 engine log-level debug
expect 'engine log-level that is none' 6 engine log-level loud
expect 'engine stop' 0 engine stop
check 'engine is gone' bash -c "! berth info --json | jq -e .engineRuns"
expect 'engine comes back' 0 status --quiet
