#!/bin/bash
# A hub that misbehaves: it hangs, closes, answers nonsense, too much, or half of it. Every command ends in time, says what happened,
# and shows no byte of it raw. The peer is scripted; it has a real sandbox's certificate and record.
# shellcheck source=tests/lib.sh disable=SC2016,SC2154,SC2317
. "$(dirname "$0")/../lib.sh"
setup_private
export BERTH_LIBVIRT_URI=test:///default
answer=$work/out err=$work/err
base=$((20000 + RANDOM % 10000))
mqtt=$base https=$((base + 1)) registry=$((base + 2))

cleanup_extra() {
    [ -z "${peer:-}" ] || kill "$peer" 2>/dev/null
    [ -z "${follower:-}" ] || kill "$follower" 2>/dev/null
}

expect() { # NAME CODE ARGS...
    local name=$1 wanted=$2 code=0
    shift 2
    timeout 60 berth "$@" >"$answer" 2>"$err" </dev/null || code=$?
    if [ "$code" -eq "$wanted" ]; then ok "$name"; else not_ok "$name" "exit $code instead of $wanted: $(tail -n 2 "$err")"; fi
}
harmless() { ! LC_ALL=C grep -q $'[\001-\010\013-\037\177]' "$answer" "$err"; }
hints() { grep -qF -- "$1" "$err"; }

# ---- the peer: answers by what stands in $work/mode
berth sandbox start --mqtt-port "$mqtt" --https-port "$https" --registry-port "$registry" >/dev/null 2>&1
berth sandbox stop >/dev/null 2>&1
cat >"$work/peer.sh" <<'PEER'
#!/bin/bash
# One request on standard input, one answer on standard output.
work=$1
target=
length=0
while IFS= read -r line && line=${line%$'\r'} && [ -n "$line" ]; do
    [ -n "$target" ] || target=$line
    case ${line,,} in content-length:*) length=${line##*: } ;; esac
done
head -c "$length" >/dev/null
reply() { # STATUS BODY
    printf 'HTTP/1.1 %s x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s' "$1" "${#2}" "$2"
}
mode=$(cat "$work/mode")
case $mode in
hang) exec sleep 60 ;;
close) ;;
half) printf 'HTTP/1.1 200 x\r\nContent-Length: 5000\r\n\r\n[{"deviceId":' ;;
500) reply 500 '{"message":"out of order \u001b[2J"}' ;;
html) reply 200 '<html>\033[2J</html>' ;;
nothing) reply 200 '' ;;
no-http) printf 'SSH-2.0-x\r\n\033[2J\r\n' ;;
deep) reply 200 "$(printf '[%.0s' {1..5000})" ;;
number) reply 200 '{"deviceId":7,"payload":1e999}' ;;
hostile) reply 200 '[{"deviceId":"\u001b[2J\u202ex","connectionState":"\u0007"}]' ;;
endless)
    printf 'HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n'
    chunk=$(printf '1000\r\n%04096d\r\n' 0)
    while printf '%s\r\n' "$chunk"; do :; done 2>/dev/null
    ;;
pages) # a query whose pages never end
    printf 'HTTP/1.1 200 x\r\nx-ms-continuation: next\r\nContent-Length: 2\r\n\r\n[]' ;;
twin) reply 200 '{"deviceId":"d","moduleId":null,"properties":{"desired":{"x":"\u001b[2J\u009b\u202e\u007f"}}}' ;;
events)
    after=${target#*after=}
    after=${after%%[!0-9]*}
    n=$(cat "$work/round" 2>/dev/null || echo 0)
    echo $((n + 1)) >"$work/round"
    case $n in
    0) reply 200 '{"last":1,"events":[{"sequence":1,"deviceId":"d","bodyBase64":"b25l"}]}' ;;
    1) reply 500 '{}' ;;
    2) reply 200 '{"last":"x"' ;;
    3) reply 200 '{"last":9,"events":[{"sequence":9,"deviceId":"d\u001b[2J","bodyBase64":"bmluZQ=="}]}' ;;
    *) reply 200 "{\"last\":$after,\"events\":[]}" ;;
    esac
    ;;
esac
PEER
chmod +x "$work/peer.sh"
echo close >"$work/mode"
socat "OPENSSL-LISTEN:$https,bind=127.0.0.1,reuseaddr,fork,cert=$work/state/sandbox/server.pem,key=$work/state/sandbox/server.key,verify=0" \
    "EXEC:$work/peer.sh $work" 2>/dev/null &
peer=$!
listening() { (exec 3<>"/dev/tcp/127.0.0.1/$https") 2>/dev/null; }
check 'the peer listens' wait_until 10 listening
jq --argjson pid "$peer" --argjson start "$(cut -d' ' -f22 "/proc/$peer/stat")" '.pid = $pid | .pidStart = $start' \
    "$work/state/sandbox/sandbox.json" >"$work/record"
cat "$work/record" >"$work/state/sandbox/sandbox.json"
berth engine stop >/dev/null 2>&1 # the next engine finds it

is() { echo "$1" >"$work/mode"; }

is close
expect 'it closes' 10 sandbox device list
check 'and where to look is named' hints hub.log
is half
expect 'it closes in the middle' 1 sandbox device list
is 500
expect 'it fails' 1 sandbox device list
check 'in its own words' hints 'out of order ^[[2J'
check 'which are harmless' harmless
is html
expect 'it answers no JSON' 1 sandbox device list
expect 'to a twin' 1 sandbox twin show d
expect 'to a method' 1 sandbox invoke d m
is nothing
expect 'it answers nothing' 1 sandbox device show d
is no-http
expect 'it speaks something else' 1 sandbox device list
check 'which is harmless' harmless
is deep
expect 'it answers without end of depth' 1 sandbox device list
is endless
expect 'it answers without end' 1 sandbox device list
check 'and is cut' hints 'longer than'
is number
expect 'its device has no name' 1 sandbox device show d
is hostile
expect 'its names are hostile' 0 sandbox device list
check 'and shown harmless' harmless
expect 'also to scripts' 0 sandbox device list --json
check 'as JSON' bash -c "jq -e .items '$answer' >/dev/null"
check 'that is harmless' harmless
is twin
expect 'a hostile twin' 0 sandbox twin show d
check 'is harmless' harmless
check 'and the same JSON' bash -c "jq -e '.properties.desired.x | explode == [27,91,50,74,155,8238,127]' '$answer' >/dev/null"
is pages
expect 'a query whose pages never end' 0 sandbox query 'SELECT * FROM devices' --json
check 'is ended, and more is said to be there' jq -e '.items == [] and .more' "$answer"

# ---- events go on whatever happens
rm -f "$work/round"
is events
berth sandbox events -f >"$work/follow" 2>&1 </dev/null &
follower=$!
check 'a follower sees the first event' wait_until 10 grep -q ' d  one$' "$work/follow"
check 'that the sandbox does not answer' wait_until 10 grep -q '^-- the sandbox does not answer' "$work/follow"
check 'what came after' wait_until 15 grep -q ' d^\[\[2J  nine$' "$work/follow"
check 'and how many were lost' grep -q '^-- 7 events were lost here' "$work/follow"
is 500
kill -TERM "$follower"
wait "$follower"
follower=
expect 'events, once' 1 sandbox events

# ---- it hangs
is hang
SECONDS=0
expect 'it hangs' 8 sandbox device list
check 'and is not waited for' test "$SECONDS" -lt 30
