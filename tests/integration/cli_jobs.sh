#!/bin/bash
# Jobs from the command line: waiting, interrupting, coming back, cancelling. The VM is one of libvirt's in-memory test driver with an image that boots nothing, so the
# install waits for a guest that never answers.
# shellcheck source=tests/lib.sh disable=SC2016,SC2154
. "$(dirname "$0")/../lib.sh"
setup_private
export BERTH_LIBVIRT_URI=test:///default
out=$work/out err=$work/err

expect() { # NAME CODE ARGS...
    local name=$1 wanted=$2 code=0
    shift 2
    timeout 60 berth "$@" >"$out" 2>"$err" </dev/null || code=$?
    if [ "$code" -eq "$wanted" ]; then ok "$name"; else not_ok "$name" "exit $code instead of $wanted: $(tail -n 2 "$err")"; fi
}

make_bundle() { # DIR
    local file
    mkdir -p "$1"
    for file in vmlinuz initrd root.squashfs; do
        head -c 200000 /dev/urandom >"$1/$file"
        jq -n --arg name "$file" --arg sum "$(sha256sum "$1/$file" | cut -d' ' -f1)" '{name: $name, size: 200000, sha256: $sum}'
    done | jq -s '{apiVersion: "berth/v1", kind: "Bundle", flavour: "builtin", arch: "amd64", version: "0.1.0",
        built: "2026-01-01T00:00:00Z", cmdline: "console=ttyS0 quiet", files: .}' >"$1/manifest.json"
}
make_bundle "$work/bundle"
job_state() { berth job show "$1" --json | jq -r .state; }
job_ended() { [[ $(job_state "$1") =~ ^(done|failed|cancelled)$ ]]; }
at_wait() { berth job show "$1" --json | jq -e '[.steps[] | select(.light == "busy" and (.name | test("answer")))] | length == 1'; }

expect 'create without waiting' 0 vm create --name testvm --accel tcg --memory 512 --disk 2 --bundle "$work/bundle" --no-wait
job=$(cat "$out")
check 'it prints the ID of the job' test -n "$job"
check 'the job gets to where it waits for the guest' wait_until 30 at_wait "$job"
check 'status shows the job' bash -c "berth status | grep -q 'job $job: '"
check 'job list has it' bash -c "berth job list --json | jq -e --arg id '$job' '.items[] | select(.id == \$id and .state == \"running\")'"
expect 'another job for that VM is refused' 5 vm stop testvm --force --yes --json
check 'busy is JSON' jq -e '.error.code == "busy" and .error.exit == 5' "$err"

expect 'waiting no longer than asked' 8 job attach "$job" --timeout 1
check 'it says how to come back' grep -q "berth job attach $job" "$err"
check 'the job goes on' test "$(job_state "$job")" = running

# An interrupt leaves the job alone.
berth job attach >"$out" 2>"$err" </dev/null &
attached=$!
check 'attach shows the steps so far' wait_until 10 grep -q '^\[1/' "$err"
kill -INT "$attached" 2>/dev/null
kill -TERM "$attached" 2>/dev/null
code=0
wait "$attached" || code=$?
# A shell starts background jobs with SIGINT ignored; libuv takes it all the same.
if [ "$code" -eq 130 ] || [ "$code" -eq 143 ]; then ok 'an interrupt ends the waiting'; else not_ok 'an interrupt ends the waiting' "exit $code"; fi
check 'it says that the job goes on' grep -q "goes on.*berth job attach $job" "$err"
check 'the job still runs' test "$(job_state "$job")" = running

# Events for a script, up to the end by another's hand.
berth job attach "$job" --json >"$work/events" 2>"$work/events.err" </dev/null &
attached=$!
check 'events come' wait_until 10 grep -q JobEvent "$work/events"
expect 'cancel' 0 job cancel
code=0
wait "$attached" || code=$?
if [ "$code" -eq 1 ]; then ok 'the one who waits is told'; else not_ok 'the one who waits is told' "exit $code: $(cat "$work/events.err")"; fi
check 'events are JSON lines' jq -es 'all(.apiVersion == "berth/v1") and (map(select(.kind == "JobEvent")) | length > 1 and all(.type == "step" and .data.totalSteps > 1 and (.data.state | length > 0)))' "$work/events"
check 'the last line is the job' jq -es '.[-1] | .kind == "Job" and .jobKind == "vm.create" and .state == "cancelled" and (.ended | test("Z$"))' "$work/events"
check 'the error is JSON too' jq -e '.error.exit == 1' "$work/events.err"
check 'the job has ended' wait_until 20 job_ended "$job"
check 'nothing of the VM is left' bash -c "berth vm list --json | jq -e '.items == []'"

# A log that nobody reads any more ends by itself, though no line comes.
code=0
timeout 20 bash -c 'berth engine log -f | head -n 1' >"$out" || code=$?
if [ "$code" -eq 0 ]; then ok 'a followed log ends with its reader'; else not_ok 'a followed log ends with its reader' "exit $code"; fi
berth engine log -f --json >"$work/log" 2>"$err" </dev/null &
follower=$!
check 'a followed log shows what was' wait_until 10 test -s "$work/log"
kill -TERM "$follower"
code=0
wait "$follower" || code=$?
if [ "$code" -eq 143 ]; then ok 'a terminated follower says so'; else not_ok 'a terminated follower says so' "exit $code"; fi
