#!/bin/bash
# berth-edged and its edge hub: the child that stands for systemModules.edgeHub is started, restarted, stopped and told of like a
# container, whatever it does; and what only it may ask the runtime for. The program is one of the test's own, which does as its file
# `play` says; no container engine is needed.
# shellcheck source=tests/lib.sh disable=SC2016,SC2034,SC2154,SC2317
. "$(dirname "$0")/../lib.sh"
set -o pipefail # jq is content with nothing
setup_private
# shellcheck source=tests/support/hub.sh
. "$(dirname "$0")/../support/hub.sh"
# shellcheck source=tests/support/edged.sh
. "$(dirname "$0")/../support/edged.sh"
play=$work/play

edged_options=(--hub-program "$work/edge-hub")

cleanup_extra() {
    edged_stop -9
    hub_kill
}
explain() { tail -n 3 "$work/edged.log"; }

# It notes its arguments and its pid, then does what the test says.
cat >"$work/edge-hub" <<EOF
#!/bin/bash
work=$work
echo "\$*" >"\$work/argv"
echo \$\$ >"\$work/pid.new" && mv "\$work/pid.new" "\$work/pid"
echo x >>"\$work/starts"
. "\$work/play"
EOF
chmod 755 "$work/edge-hub"
: >"$work/starts"
plays() { printf '%s\n' "$1" >"$play"; }
ready='echo ready >&3; exec 3>&-; stamp=2026-01-01T00:00:00.000Z'
wait_for_end='while :; do read -rt 0.1 <> <(:); done'
serve="$ready"'; trap "echo \"$stamp info  hub: ends\" >&2; exit 0" TERM; echo "$stamp warn  hub: serving" >&2; echo "a crash says this" >&2; '"$wait_for_end"

edge_hub() { api "/modules/edgeHub?$v" | jq -e "$1"; }
runs() { edge_hub '.status.runtimeStatus.status == "running" and .status.runtimeStatus.description == null'; }
state_is() { edge_hub ".berth.state == \"$1\""; }
says() { edge_hub ".status.runtimeStatus.description | test(\"$1\")"; }
action() { api "/modules/edgeHub/$1?$v" -X POST -o /dev/null -w '%{http_code}'; }
logs() { api "/modules/$1/logs?$v${2:-}" | tr -d '\0'; }
starts() { wc -l <"$work/starts"; }
alive() { grep -q '^State:.*[^ZX] (' "/proc/${1:-$(cat "$work/pid")}/status" 2>/dev/null; } # [PID]
settings() { jq -e "$1" "$state/hub/settings.json"; }
reported() { hub_reported edge-1 ".systemModules.edgeHub | $1"; }
write_config() { # CONNECTION-STRING [MORE LINES]
    printf 'hostname = "edge.local"\ntrust_bundle_cert = "file://%s/hub/ca.pem"\n[provisioning]\nsource = "manual"\nconnection_string = "%s"\n%s\n' \
        "$work" "$1" "${2:-}" >"$work/config.toml"
}
deploy() { # STATUS POLICY ENV
    hub_edge=$(jq -cn --arg s "$1" --arg p "$2" --argjson e "$3" '{status: $s, restartPolicy: $p, env: $e}') hub_deploy edge-1 '{}'
}

step 'the hub of the cloud starts' hub_start
string=$(hub_device edge-1)
write_config "$string"
deploy running always '{}'

# ---- not there, then there
mv "$work/edge-hub" "$work/absent"
step 'the runtime starts' edged_start
check 'a hub that is not installed is told of' wait_until 20 says 'not installed: there is no program .*next attempt'
check 'the cloud is told: 500' wait_until 10 hub_reported edge-1 '.lastDesiredStatus.code == 500 and (.lastDesiredStatus.description | startswith("edgeHub: the edge hub is not installed"))'
mv "$work/absent" "$work/edge-hub"
plays "$serve"
check 'a start that is asked for comes at once' same "$(action start)" 204
check 'it runs' wait_until 5 runs
check 'its arguments' same "$(cat "$work/argv")" "--role edge --dir $state/hub --settings $state/hub/settings.json --ready-fd 3"
check 'the cloud is told: running' wait_until 10 hub_reported edge-1 '.lastDesiredStatus.code == 200 and (.systemModules.edgeHub |
    .runtimeStatus == "running" and .restartCount == 0 and .settings.image == "h:1" and .lastStartTimeUtc > "2026" and .lastExitTimeUtc < "0002")'
check 'what it is told' settings '.hub == "localhost" and .device == "edge-1" and .hostname == "edge.local" and .upstreamProtocol == "Mqtt" and .proxy == "" and
    .mqttPort == '"$hub_mqtt"' and .httpsPort == '"$hub_https"' and .listen == ["0.0.0.0"] and .mqttListenPort == 8883 and .httpsListenPort == 443 and
    .maxClients == 100 and (.caFile | endswith("/ca.pem")) and (.workload | endswith("/hub/hub.sock")) and (.socket | endswith("/hub/state.sock"))'
check 'its folder is private' same "$(stat -c %a "$state/hub" "$state/hub/settings.json" "$state/hub/hub.sock" | tr '\n' ' ')" '700 600 600 '
check 'module list' eval 'api "/modules?$v" | jq -e ".modules | map(.name) == [\"edgeAgent\",\"edgeHub\"] and (.[1].config.settings.image | startswith(\"berth-hub:\"))"'
check 'its log' eval 'logs edgeHub | grep -q "warn  edgeHub: hub: serving" && logs edgeHub | grep -q "warn  edgeHub: a crash says this"'
logs_own() { # both have what is theirs, so what is not there is not late
    logs edgeAgent >"$work/agent.log" && logs edgeHub >"$work/hub.log" && grep -q 'cloud: connected' "$work/agent.log" &&
        grep -q 'hub: serving' "$work/hub.log" && ! grep -q 'cloud: connected' "$work/hub.log" && ! grep -q 'hub: serving' "$work/agent.log"
}
check 'its log is its own' logs_own
plays "$ready"'; for ((i = 0; i < 1200; i++)); do echo "$stamp info  hub: chat $i" >&2; done; '"$wait_for_end"
action restart >/dev/null
check "however much it says, the agent's own lines stay" eval 'wait_until 10 eval "logs edgeHub | grep -q \"chat 1199\"" && logs edgeAgent | grep -q "cloud: connected" && [ "$(logs edgeHub | wc -l)" = 500 ]'
plays "$serve"
action restart >/dev/null
wait_until 5 runs
check 'its log: tail' eval '[ "$(logs edgeHub "&tail=1" | wc -l)" = 1 ]'
check 'GetModuleLogs' eval 'hub_call POST "/twins/edge-1/modules/%24edgeAgent/methods" -d "{\"methodName\":\"GetModuleLogs\",\"payload\":{\"schemaVersion\":\"1.0\",\"items\":{\"id\":\"edgeHub\",\"filter\":{}}}}" |
    jq -e ".payload | length == 1 and .[0].id == \"edgeHub\" and (.[0].payload | contains(\"hub: serving\"))"'

# ---- asked for
n=$(starts)
check 'start of what runs' same "$(action start)" 304
check 'restart' same "$(action restart)" 204
check 'it was ended in order, and runs, not counted' eval 'wait_until 5 runs && [ "$(starts)" = $((n + 1)) ] && logs edgeHub | grep -q "hub: ends" && edge_hub ".berth.restartCount == 0"'
check 'RestartModule' eval 'hub_call POST "/twins/edge-1/modules/%24edgeAgent/methods" -d "{\"methodName\":\"RestartModule\",\"payload\":{\"schemaVersion\":\"1.0\",\"id\":\"edgeHub\"}}" | jq -e ".status == 200" && wait_until 5 eval "[ \$(starts) = $((n + 2)) ]"'
check 'stop' same "$(action stop)" 204
check 'it is down, as a container that was stopped would be' eval '! alive && state_is backoff && edge_hub ".status.exitStatus.statusCode == \"0\""'
check 'stop of what is down' same "$(action stop)" 304
check 'start' same "$(action start)" 204
check 'and it runs' wait_until 5 runs

# ---- settings
n=$(starts)
deploy running always '{"MaxConnectedClients":{"value":"7"},"UpstreamProtocol":{"value":"AmqpWs"},"https_proxy":{"value":"http://u:sesame@proxy:3128"},"HttpSettings__Enabled":{"value":"false"}}'
check 'other settings restart it' wait_until 10 settings '.maxClients == 7 and .upstreamProtocol == "MqttWs" and .proxy == "http://u:sesame@proxy:3128" and .httpsListenPort == 0'
check 'once' eval 'wait_until 5 runs && [ "$(starts)" = $((n + 1)) ]'
check "the proxy's password is nowhere else" eval 'api "/modules?$v" >"$work/modules" && grep -q edgeHub "$work/modules" && ! grep -q sesame "$work/edged.log" "$work/modules"'
deploy running on-failure '{"MaxConnectedClients":{"value":"7"},"UpstreamProtocol":{"value":"AmqpWs"},"https_proxy":{"value":"http://u:sesame@proxy:3128"},"HttpSettings__Enabled":{"value":"false"},"Other":{"value":"1"}}'
wait_until 10 reported '.restartPolicy == "on-failure"'
action restart >/dev/null # a start of its own would be one more by now
check 'what does not concern it does not' eval 'wait_until 5 runs && [ "$(starts)" = $((n + 2)) ]'

# ---- the runtime goes and comes
old=$(cat "$work/pid")
edged_stop
check 'it ends with the runtime' eval '! alive $old'
edged_start
check 'and comes with it, not counted' eval 'wait_until 10 runs && edge_hub ".berth.restartCount == 0"'
old=$(cat "$work/pid")
edged_stop -9
check 'after SIGKILL one is left' alive "$old"
hub_kill
edged_start
check 'the next runtime ends that and starts its own, without the cloud' eval 'wait_until 10 runs && ! alive $old && wait_until 5 alive'
step 'the cloud comes back' hub_start

# ---- deaths
deploy running always '{}'
wait_until 40 settings '.maxClients == 100'
wait_until 5 runs
plays 'echo "port 8883 is taken" >&3; exit 1'
kill -9 "$(cat "$work/pid")"
check 'a death is seen' wait_until 5 eval 'state_is backoff && edge_hub ".status.exitStatus.statusCode == \"137\"" && says "exit code 137; restart 1 of 20 at"'
check 'what it says at its end is told' wait_until 15 says 'port 8883 is taken; next attempt'
check 'the restart is counted and told' wait_until 10 reported '.restartCount == 1 and .exitCode == 1 and .runtimeStatus == "backoff" and (.statusDescription | startswith("port 8883 is taken"))'
deploy running never '{}'
check 'policy never: it is failed' wait_until 10 reported '.runtimeStatus == "failed"'
n=$(starts)
plays "$ready; trap '' TERM; echo deaf >&2; $wait_for_end"
check 'and stays so until it is asked for' eval 'same "$(action start)" 204 && wait_until 5 runs && [ "$(starts)" = $((n + 1)) ]'
deploy stopped always '{}'
check 'one that does not want to end is killed' wait_until 20 eval '! alive && reported ".runtimeStatus == \"failed\" and .status == \"stopped\" and .exitCode == 137"'

# ---- the runtime's socket
asks() { # NAME STATUS CURL-ARGS...: as the hub itself
    local name=$1 want=$2
    shift 2
    plays "$ready; exec curl -s --max-time 10 --unix-socket $state/hub/hub.sock -o $work/answer -w '%{http_code}' $* >$work/code 2>/dev/null"
    rm -f "$work/code" "$work/answer"
    action restart >/dev/null
    check "$name" wait_until 10 eval '[ "$(cat "$work/code")" = '"$want"' ]'
}
plays "$serve"
deploy running never '{}'
wait_until 10 reported '.status == "running"'
post="-H 'Content-Type: application/json' -d"
request="{\"keyId\":\"KEY\",\"algo\":\"HMACSHA256\",\"data\":\"YWJj\"}"
hmac() { printf abc | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$(base64 -d <<<"$1" | od -An -tx1 | tr -d ' \n')" -binary | base64; }
key() { hub_call GET "/devices/edge-1/modules/%24$1" | jq -r ".authentication.symmetricKey.$2"; }
for which in primary secondary; do
    asks "it signs as \$edgeHub: $which" 200 "$post '${request/KEY/$which}' 'http://h/modules/%24edgeHub/genid/0/sign?$v'"
    check "with the key that the cloud has: $which" same "$(jq -r .digest "$work/answer")" "$(hmac "$(key edgeHub ${which}Key)")"
done
asks 'it signs as another module' 200 "$post '${request/KEY/primary}' 'http://h/modules/%24edgeAgent/genid/0/sign?$v'"
asks 'no such key' 400 "$post '${request/KEY/third}' 'http://h/modules/%24edgeHub/genid/0/sign?$v'"
asks 'no such module' 404 "$post '${request/KEY/primary}' 'http://h/modules/nix/genid/0/sign?$v'"
asks 'a server certificate' 201 "$post '{\"commonName\":\"edge.local\"}' 'http://h/modules/%24edgeHub/genid/0/certificate/server?$v'"
check 'for the name and as edgeHub' eval 'jq -r .certificate "$work/answer" | openssl x509 -noout -ext subjectAltName | grep -q "DNS:edge.local, DNS:edgeHub$"'
asks 'for no other name' 400 "$post '{\"commonName\":\"other\"}' 'http://h/modules/%24edgeHub/genid/0/certificate/server?$v'"
asks 'for no other module' 403 "$post '{\"commonName\":\"edge.local\"}' 'http://h/modules/one/genid/0/certificate/server?$v'"
asks 'the trust bundle' 200 "'http://h/trust-bundle?$v'"
check 'of the edge CA and the configured one' eval '[ "$(jq -r .certificate "$work/answer" | grep -c BEGIN)" = 2 ]'
asks 'nothing else' 404 "'http://h/modules?$v'"
plays "$serve"
action restart >/dev/null
check 'nobody else may' same "$(curl -s --unix-socket "$state/hub/hub.sock" "http://h/trust-bundle?$v")" '{"message":"forbidden"}'

# ---- MQTT over HTTPS's port
edged_stop
write_config "${string/localhost:$hub_mqtt/localhost:1}" '[agent]
name = "edgeAgent"
type = "docker"
[agent.config]
image = "a:1"
[agent.env]
UpstreamProtocol = "MqttWs"'
edged_start
check 'MqttWs: the runtime itself connects' wait_until 10 eval 'api "/systeminfo?$v" | jq -e ".cloud_state == \"connected\""'
check 'MqttWs: so does its hub' wait_until 10 settings '.upstreamProtocol == "MqttWs" and .mqttPort == 1'

# ---- a folder that cannot be read for a while
edged_stop
echo kept >"$state/hub/messages"
mv "$state/hub/runtime.json" "$work/runtime.json"
ln -s runtime.json "$state/hub/runtime.json"
edged_start
check 'a folder that cannot be told whose it is: no hub starts' wait_until 10 says 'whose messages it keeps cannot be found out: read .*symbolic links'
check 'and nothing in it is lost' [ -e "$state/hub/messages" ]
mv "$work/runtime.json" "$state/hub/runtime.json"
check 'once it can be read, the hub goes on' eval 'wait_until 20 runs && [ -e "$state/hub/messages" ]'
deploy running never '{}'
wait_until 10 reported '.restartPolicy == "never"'
edged_stop
jq -c '.running = false | .ended = true | .exitCode = 1' "$state/hub/runtime.json" >"$work/runtime.json"
ln -sf runtime.json "$state/hub/runtime.json"
edged_start
wait_until 10 says 'whose messages it keeps cannot be found out'
mv "$work/runtime.json" "$state/hub/runtime.json"
check 'one that had ended starts when it is asked for' eval 'same "$(action start)" 204 && wait_until 5 runs'
deploy running always '{}'

# ---- what a killed process left half-written
edged_stop
left=("$work/config.toml" "$state/keys/edge-ca.pem" "$state/agent.json" "$state/hub/settings.json")
for file in "${left[@]}"; do echo secret >"$file.AbC123.berth-tmp"; done
edged_start
check 'what was left half-written is swept' eval 'wait_until 10 runs && ! find "$work" -name "*.berth-tmp" | grep .'

# ---- another device
edged_stop
echo '{' >"$state/hub/runtime.json"
edged_start
check 'a folder of nobody knows whom goes, and the hub runs' wait_until 10 eval '[ ! -e "$state/hub/messages" ] && runs'
echo kept >"$state/hub/messages"
edged_stop
write_config "$(hub_device edge-2)"
edged_start
check "another device's folder goes" wait_until 10 eval '[ ! -e "$state/hub/messages" ]'
