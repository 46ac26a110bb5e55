#!/bin/bash
# Devices of a real sandbox from the command line: made, shown, changed, talked to, listened to. What the hub of this tree cannot do
# is named in a `skip` line, by its own answer.
# shellcheck source=tests/lib.sh disable=SC2016,SC2154,SC2317
. "$(dirname "$0")/../lib.sh"
setup_private
export BERTH_LIBVIRT_URI=test:///default
answer=$work/out err=$work/err # check() has an "out" of its own
device_tool=${BERTH_BUILD:?}/tests/tools/hub_device
base=$((20000 + RANDOM % 10000))
mqtt=$base https=$((base + 1)) registry=$((base + 2))

cleanup_extra() {
    exec 7>&- 2>/dev/null
    [ -z "${device:-}" ] || kill "$device" 2>/dev/null
    [ -z "${follower:-}" ] || kill "$follower" 2>/dev/null
    berth sandbox stop >/dev/null 2>&1
}

run() { # ARGS...: berth's exit code in $code; its input is ours
    code=0
    timeout 60 berth "$@" >"$answer" 2>"$err" || code=$?
}

expect() { # NAME CODE ARGS...
    local name=$1 wanted=$2
    shift 2
    run "$@" </dev/null
    if [ "$code" -eq "$wanted" ]; then ok "$name"; else not_ok "$name" "exit $code instead of $wanted: $(tail -n 2 "$err")"; fi
}

# Ends in true where the hub said that it has no such thing; then NAME is skipped.
lacks() { # NAME
    grep -qE 'cannot do this|no provisioning service|usage: berth-hub' "$err" || return 1
    printf 'skip %s: the hub answered "%s"\n' "$1" "$(head -n 1 "$err")"
}

says() { grep -qF -- "$1" "$answer"; }
hints() { grep -qF -- "$1" "$err"; }
json() { jq -e "$@" "$answer"; }

expect 'start' 0 sandbox start --mqtt-port "$mqtt" --https-port "$https" --registry-port "$registry"
expect 'start with other ports than it has' 6 sandbox start --mqtt-port "$((mqtt + 5))"
check 'it says that it runs already' hints 'runs already'

# ---- devices
expect 'no device yet' 0 sandbox device list
check 'the next step is named' hints 'berth sandbox device create'
expect 'a device' 0 sandbox device create pump-1
check 'its connection string is all that is printed' grep -qxE 'HostName=[^;]+;DeviceId=pump-1;SharedAccessKey=[A-Za-z0-9+/=]{44}' "$answer"
pump=$(cat "$answer")
key=${pump##*SharedAccessKey=}
expect 'the same again' 0 sandbox device create pump-1
check 'has the same key' test "$(cat "$answer")" = "$pump"
check 'and it is said' hints 'already'
expect 'not as an edge device, which it is not' 6 sandbox device create pump-1 --edge
expect 'an edge device' 0 sandbox device create gw-1 --edge --json
check 'as JSON' json '.kind == "Device" and .edge and .auth == "sas" and .existed == false and (.connectionString | startswith("HostName="))'
expect 'a name that is none' 6 sandbox device create 'no name'
expect 'self-signed needs a thumbprint' 6 sandbox device create x-1 --auth x509-self-signed
check 'the field is named' hints thumbprint
expect 'a thumbprint of a wrong length' 6 sandbox device create x-1 --auth x509-self-signed --thumbprint AABB
expect 'self-signed' 0 sandbox device create x-1 --auth x509-self-signed --thumbprint 'sha1 Fingerprint=AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD'
check 'its connection string names no key' grep -qx 'HostName=[^;]*;DeviceId=x-1;x509=true' "$answer"
expect 'signed by an authority' 0 sandbox device create x-2 --auth x509-ca
expect 'a way that is none' 6 sandbox device create x-3 --auth bearer
expect 'a parent that is not there' 3 sandbox device create leaf --parent nobody
expect 'a parent that is no edge device' 6 sandbox device create leaf --parent pump-1
expect 'a child' 0 sandbox device create leaf-1 --parent gw-1
expect 'list' 0 sandbox device list
check 'list shows the kinds' bash -c "grep -qE '^gw-1 +not connected +edge +sas +2' '$answer' && grep -qE '^x-1 +not connected +device +x509-self-signed' '$answer'"
expect 'list --json' 0 sandbox device list --json
check 'list is JSON' json '.kind == "DeviceList" and (.items | length) == 5 and all(.items[]; has("deviceId") and has("connected") and has("activity"))'
check 'and holds no key' bash -c "! grep -q '$key' '$answer'"
if [ "$(jq -r '.items[] | select(.deviceId == "leaf-1") | .parent' "$answer")" = gw-1 ]; then
    ok 'a child has its parent'
else
    echo 'skip a child has its parent: the hub shows no scope of leaf-1'
fi
expect 'show' 0 sandbox device show gw-1
check 'show names the modules' says '$edgeAgent'
check 'show keeps the key to itself' bash -c "! grep -q SharedAccessKey '$answer'"
expect 'show --connection-string' 0 sandbox device show pump-1 --connection-string
check 'prints only that' test "$(cat "$answer")" = "$pump"
expect 'show a module' 0 sandbox device show 'gw-1/$edgeHub' --json
check 'a module has a string, too' json '.moduleId == "$edgeHub" and (.connectionString | test(";ModuleId=.edgeHub;"))'
expect 'show nobody' 3 sandbox device show nobody
check 'the way to the names is named' hints 'berth sandbox device list'
expect 'disable' 0 sandbox device disable x-1
expect 'show says so' 0 sandbox device show x-1
check 'disabled' says disabled
expect 'enable' 0 sandbox device enable x-1 --json
check 'enable is JSON' json '.kind == "DeviceEnabled" and .deviceId == "x-1"'
expect 'show after enable' 0 sandbox device show x-1 --json
check 'it is enabled' json .enabled
if json .thumbprint >/dev/null; then
    check 'and its certificate stayed' json '.thumbprint | length == 40'
else
    echo 'skip and its certificate stayed: the hub shows no thumbprint of x-1'
fi
expect 'delete asks, and there is nobody to ask' 13 sandbox device delete x-1
expect 'delete' 0 sandbox device delete x-1 --yes
expect 'it is gone' 3 sandbox device show x-1

# ---- twins
expect 'twin show' 0 sandbox twin show pump-1
check 'is a document by itself' json '.deviceId == "pump-1" and has("etag") and .properties.desired."$version" == 1'
cp "$answer" "$work/twin"
echo '{"properties":{"desired":{"interval":5}},"tags":{"site":"a"}}' >"$work/patch"
expect 'twin set' 0 sandbox twin set pump-1 "$work/patch" --json
check 'shows what it is then' json '.kind == "Twin" and .twin.tags.site == "a" and .twin.properties.desired.interval == 5'
expect 'a twin that was shown before' 5 sandbox twin set pump-1 "$work/twin"
check 'was changed meanwhile' hints meanwhile
run sandbox twin show pump-1 </dev/null
jq '.properties.desired.interval = 7' "$answer" >"$work/twin"
expect 'what was shown can be changed and set' 0 sandbox twin set pump-1 "$work/twin"
check 'and only that changed' json '.properties.desired.interval == 7 and .properties.desired."$version" == 3 and .tags.site == "a"'
expect 'another etag' 5 sandbox twin set pump-1 "$work/patch" --etag AAAA
run sandbox twin set pump-1 - <<<'{"properties":{"desired":{"interval":null}}}'
check 'null deletes, from standard input' json '.properties.desired | has("interval") | not'
expect 'a patch of nothing' 6 sandbox twin set pump-1 <(echo '{"interval":5}')
check 'an example is given' hints 'properties'
expect 'twin of a module' 0 sandbox twin show 'gw-1/$edgeAgent'
expect 'twin of nobody' 3 sandbox twin show nobody

# ---- a device that is there
mkfifo "$work/device.in"
"$device_tool" "$work/state/sandbox" "$mqtt" <"$work/device.in" >"$work/device.out" 2>&1 &
device=$!
exec 7>"$work/device.in"
echo "$pump" >&7
check 'a device connects' wait_until 20 grep -q '^connected' "$work/device.out"
expect 'it shows as connected' 0 sandbox device list
check 'in the list' grep -qE '^pump-1 +connected' "$answer"
expect 'invoke' 0 sandbox invoke pump-1 reboot --payload '{"delay":5}'
check 'prints what the device answered' json '. == {"delay":5}'
check 'and its status' hints 'status 200'
check 'the device got it' grep -qx 'method reboot {"delay":5}' "$work/device.out"
expect 'invoke --json' 0 sandbox invoke pump-1 reboot --payload '"now"' --json
check 'a method result is JSON' json '.kind == "MethodResult" and .status == 200 and .payload == "now"'
run sandbox invoke pump-1 reboot --payload - <<<'[1,2]'
check 'a payload from standard input' json '. == [1,2]'
expect 'a method that the device refuses' 1 sandbox invoke pump-1 refuse --json
check 'says its status' json '.status == 404'
expect 'a device that does not answer in time' 8 sandbox invoke pump-1 silent --timeout 5
expect 'a device that is not there' 10 sandbox invoke gw-1 reboot
check 'where to look is named' hints 'device list'
expect 'a payload that is none' 6 sandbox invoke pump-1 reboot --payload '{'
expect 'a time that is none' 6 sandbox invoke pump-1 reboot --timeout 4

# ---- events
echo '{"t":21.5}' >&7
check 'the device sends' wait_until 10 grep -q '^sent' "$work/device.out"
expect 'events' 0 sandbox events
check 'show who and what' grep -qE '^[0-9:.]+ pump-1  \{"t":21.5\}$' "$answer"
printf 'hello \033]0;x\007 \342\200\256 end\n' >&7
heard() { berth sandbox events --tail 1 | grep -qF "$1"; }
check 'a hostile one is shown harmless' wait_until 10 heard 'hello ^[]0;x^G \u{202E} end'
expect 'events --json' 0 sandbox events --json
check 'are JSON lines' jq -es 'length == 2 and all(.kind == "SandboxEvent" and .deviceId == "pump-1" and (.enqueuedTime | endswith("Z")) and (.bodyBase64 | length > 0)) and .[0].body == {t: 21.5}' "$answer"
check 'without a byte that moves a cursor' bash -c "! LC_ALL=C grep -q \$'[\\001-\\010\\013-\\037\\177]' '$answer'"
expect 'events of another device' 0 sandbox events --device gw-1
check 'are none' test ! -s "$answer"
expect 'no old ones' 0 sandbox events --tail 0
check 'none at all' test ! -s "$answer"

berth sandbox events -f --tail 0 >"$work/follow" 2>&1 </dev/null 7>&- &
follower=$!
berth sandbox events -f --tail 0 --json >"$work/follow.json" 2>/dev/null </dev/null 7>&- &
follower_json=$!
following() { # the stream begins when it begins: send until it is heard
    echo "round $((++round))" >&7
    wait_until 2 grep -q 'round' "$work/follow" && wait_until 2 grep -q 'round' "$work/follow.json"
}
check 'follow shows them as they arrive' wait_until 20 following
exec 7>&- # its input ends, and with it the device
wait "$device"
run sandbox stop </dev/null
check 'a follower says that the sandbox is gone' wait_until 20 grep -q '^-- the sandbox is not running' "$work/follow"
run sandbox start </dev/null
check 'and that it is back' wait_until 20 grep -q '^-- the sandbox was started again' "$work/follow"
"$device_tool" "$work/state/sandbox" "$mqtt" <"$work/device.in" >"$work/device.out" 2>&1 &
device=$!
exec 7>"$work/device.in"
printf '%s\nafter the restart\n' "$pump" >&7
check 'and goes on' wait_until 20 grep -q 'pump-1  after the restart' "$work/follow"
check 'for a script, too' wait_until 20 jq -es '[.[] | select(.kind == "SandboxMark") | .mark] == ["stopped", "restarted"] and .[-1].body == "after the restart"' "$work/follow.json"
kill -TERM "$follower" "$follower_json"
code=0
wait "$follower" || code=$?
check 'a follower that is ended says so' test "$code" -eq 143
wait "$follower_json"
follower=
code=0
timeout 20 bash -c 'berth sandbox events -f | head -n 1' >"$answer" || code=$?
check 'a follower ends with its reader' test "$code" -eq 0

# ---- a message to the device
run sandbox send pump-1 --property alert=yes --id m1 <<<'wake up'
if ! lacks 'send'; then
    check 'send' test "$code" -eq 0
    check 'the device gets it' wait_until 20 grep -q '^message wake up' "$work/device.out"
    run sandbox send nobody <<<x
    check 'send to nobody' test "$code" -eq 3
    printf '\377\376' >"$work/bytes"
    expect 'a message that is no text' 6 sandbox send pump-1 --file "$work/bytes"
    expect 'a property that is none' 6 sandbox send pump-1 --property alert
fi

# ---- queries
expect_query() {
    expect 'query' 0 sandbox query 'SELECT * FROM devices'
    check 'query shows twins' json 'map(.deviceId) | index("pump-1")'
    expect 'query of some' 0 sandbox query "SELECT * FROM devices WHERE tags.site = 'a'" --json
    check 'query is JSON' json '.kind == "QueryResult" and (.items | map(.deviceId)) == ["pump-1"] and .more == false'
    expect 'a query that makes no sense' 6 sandbox query 'SELECT'
}
run sandbox query 'SELECT * FROM devices' </dev/null
lacks 'query' || expect_query

# ---- deployments
echo '{"modulesContent":{"$edgeAgent":{"properties.desired":{"schemaVersion":"1.1","runtime":{"type":"docker","settings":{}},"systemModules":{
    "edgeAgent":{"type":"docker","settings":{"image":"a:1","createOptions":"{}"}},
    "edgeHub":{"type":"docker","status":"running","restartPolicy":"always","settings":{"image":"h:1","createOptions":"{}"}}},"modules":{}}},
    "$edgeHub":{"properties.desired":{"schemaVersion":"1.1","routes":{},"storeAndForwardConfiguration":{"timeToLiveSecs":60}}}}}' >"$work/manifest.json"
expect_configurations() {
    expect 'a configuration without a name' 6 sandbox configuration apply "$work/manifest.json"
    check 'the option is named' hints '--id'
    expect 'a configuration' 0 sandbox configuration apply "$work/manifest.json" --id site-a --target "tags.site='a'" --priority 5 --json
    check 'is new' json '.kind == "Configuration" and .id == "site-a" and .replaced == false'
    expect 'again' 0 sandbox configuration apply "$work/manifest.json" --id site-a --target '*' --json
    check 'replaces it' json '.replaced'
    expect 'configuration list' 0 sandbox configuration list --json
    check 'lists it' json '.kind == "ConfigurationList" and .items[0].id == "site-a" and .items[0].targetCondition == "*"'
    expect 'configuration delete' 0 sandbox configuration delete site-a --yes
    expect 'once' 3 sandbox configuration delete site-a --yes
}
run sandbox configuration list </dev/null
lacks 'configurations' || expect_configurations

# ---- secrets stay where they are wanted
check 'no key is in the logs' bash -c "! grep -rqF '$key' '$work/state/engine.log' '$work/state/sandbox/hub.log' '$work/state/jobs'"
secret_of_service=$(berth sandbox show --json | jq -r .serviceConnectionString)
check 'nor is the sandbox'"'"'s' bash -c "! grep -rqF '${secret_of_service##*SharedAccessKey=}' '$work/state/engine.log' '$work/state/sandbox/hub.log' '$work/state/jobs'"

# ---- reset
expect 'reset asks, and there is nobody to ask' 13 sandbox reset
expect 'nothing was done' 0 sandbox device show pump-1
expect 'reset' 0 sandbox reset --yes
check 'nothing is left' test ! -e "$work/state/sandbox"
check 'it is a job' bash -c "berth job list --json | jq -e '.items[0].jobKind == \"sandbox.reset\" or .items[0].kind == \"sandbox.reset\"'"
expect 'reset of nothing is already so' 0 sandbox reset --yes
expect 'it does not run' 10 sandbox device list
expect 'a fresh one' 0 sandbox start --mqtt-port "$mqtt" --https-port "$https" --registry-port "$registry"
expect 'has no devices' 0 sandbox device list --json
check 'none' json '.items == []'
expect 'and other keys' 0 sandbox device create pump-1
check 'than before' test "$(cat "$answer")" != "$pump"
