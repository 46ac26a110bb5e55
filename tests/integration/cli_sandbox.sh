#!/bin/bash
# The sandbox from the command line: start, what a script is told, devices, deployments, a port that is taken, stop.
# shellcheck source=tests/lib.sh disable=SC2016,SC2154
. "$(dirname "$0")/../lib.sh"
setup_private
export BERTH_LIBVIRT_URI=test:///default
out=$work/out err=$work/err
base=$((20000 + RANDOM % 10000))
mqtt=$base https=$((base + 1)) registry=$((base + 2))
ports=(--mqtt-port "$mqtt" --https-port "$https" --registry-port "$registry")

cleanup_extra() {
    berth sandbox stop >/dev/null 2>&1
    [ -z "${squatter:-}" ] || kill "$squatter" 2>/dev/null
}

expect() { # NAME CODE ARGS...
    local name=$1 wanted=$2 code=0
    shift 2
    timeout 60 berth "$@" >"$out" 2>"$err" </dev/null || code=$?
    if [ "$code" -eq "$wanted" ]; then ok "$name"; else not_ok "$name" "exit $code instead of $wanted: $(tail -n 2 "$err")"; fi
}

expect 'device without a sandbox' 10 sandbox device create dev-1
check 'it says how to start one' grep -q 'berth sandbox start' "$err"
expect 'port out of range' 6 sandbox start --mqtt-port 70000

socat "TCP-LISTEN:$https,bind=127.0.0.1,fork" /dev/null &
squatter=$!
listening() { (exec 3<>"/dev/tcp/127.0.0.1/$https") 2>/dev/null; }
wait_until 10 listening
code=0
timeout 60 berth sandbox start "${ports[@]}" >"$out" 2>"$err" || code=$?
if [ "$code" -ne 0 ]; then ok 'a port that is taken'; else not_ok 'a port that is taken' 'the sandbox started'; fi
check 'it names the port' grep -q "$https" "$err"
kill "$squatter"
wait "$squatter" 2>/dev/null
squatter=

expect 'start' 0 sandbox start "${ports[@]}"
expect 'start again is already so' 0 sandbox start
expect 'show' 0 sandbox show
check 'show keeps the secret to itself' bash -c "! grep -q SharedAccessKey '$out'"
expect 'show --json' 0 sandbox show --json
check 'a script is told all it needs' jq -e --argjson mqtt "$mqtt" --argjson https "$https" '.kind == "Sandbox" and .light == "ok" and .mqttPort == $mqtt and .httpsPort == $https
    and (.caFile | length > 0) and (.serviceConnectionString | test("^HostName=.*SharedAccessKeyName=.*SharedAccessKey=")) and .registry.port > 0' "$out"
ca=$(jq -r .caFile "$out")
host=$(jq -r .host "$out")
answer=$(curl -s -o /dev/null -w '%{http_code}' --cacert "$ca" --resolve "$host:$https:127.0.0.1" "https://$host:$https/devices/x?api-version=2021-04-12")
if [ "$answer" = 401 ]; then ok 'it answers under its name with its CA'; else not_ok 'it answers under its name with its CA' "HTTP $answer"; fi

expect 'device create' 0 sandbox device create dev-1 --edge
check 'it prints the connection string' grep -qE '^HostName=.+;DeviceId=dev-1;SharedAccessKey=.{40,}$' "$out"
expect 'device create --json' 0 sandbox device create dev-1 --edge --json
check 'the same again, as JSON' jq -e '.kind == "Device" and .deviceId == "dev-1" and (.connectionString | length > 40)' "$out"
expect 'device with a name that is none' 6 sandbox device create 'not a name'

echo '{"modulesContent":{"$edgeAgent":{"properties.desired":{"schemaVersion":"1.1","runtime":{"type":"docker","settings":{}},"systemModules":{
    "edgeAgent":{"type":"docker","settings":{"image":"a:1","createOptions":"{}"}},
    "edgeHub":{"type":"docker","status":"running","restartPolicy":"always","settings":{"image":"h:1","createOptions":"{}"}}},"modules":{}}},
    "$edgeHub":{"properties.desired":{"schemaVersion":"1.1","routes":{},"storeAndForwardConfiguration":{"timeToLiveSecs":60}}}}}' >"$work/manifest.json"
expect 'deploy' 0 sandbox deploy "$work/manifest.json" --device dev-1 --json
check 'deploy is JSON' jq -e '.kind == "Deployment" and .deviceId == "dev-1"' "$out"
code=0
timeout 60 berth sandbox deploy - --device dev-1 <"$work/manifest.json" >"$out" 2>"$err" || code=$?
if [ "$code" -eq 0 ]; then ok 'deploy from standard input'; else not_ok 'deploy from standard input' "exit $code"; fi
expect 'deploy to an unknown device' 3 sandbox deploy "$work/manifest.json" --device nobody
echo '{"modulesContent":{}}' >"$work/empty.json"
expect 'an empty manifest' 6 sandbox deploy "$work/empty.json" --device dev-1
expect 'deploy without a device or a VM' 3 sandbox deploy "$work/manifest.json"

expect 'stop' 0 sandbox stop
expect 'stop again is already so' 0 sandbox stop
check 'nobody listens any more' bash -c "! (exec 3<>/dev/tcp/127.0.0.1/$https) 2>/dev/null"
expect 'it starts on the same ports again' 0 sandbox start "${ports[@]}"
check 'with the same keys' bash -c "[ \"\$(berth sandbox device create dev-1 --edge)\" = \"\$(berth sandbox device create dev-1 --edge)\" ]"
