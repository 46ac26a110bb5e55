#!/bin/bash
# berth-edged between a real hub and a real container engine: a deployment becomes containers and stays so, through deaths of modules, of the
# runtime, of the hub and of the engine; the hub and the management API tell the truth about it.
# shellcheck source=tests/lib.sh disable=SC2016,SC2154,SC2317
. "$(dirname "$0")/../lib.sh"
setup_private
# shellcheck source=tests/support/podman.sh
. "$(dirname "$0")/../support/podman.sh"
# shellcheck source=tests/support/hub.sh
. "$(dirname "$0")/../support/hub.sh"
# shellcheck source=tests/support/edged.sh
. "$(dirname "$0")/../support/edged.sh"
image=localhost/tick:1

edged_engine=$engine

cleanup_extra() {
    edged_stop -9
    [ -z "${registry_pid:-}" ] || kill "$registry_pid" 2>/dev/null
    podman_stop
    hub_kill
    umount "$work/edged" 2>/dev/null
    umount "$work/podman/root" 2>/dev/null
}
explain() { tail -n 3 "$work/edged.log"; }

write_config() { # CONNECTION-STRING [MORE TOP-LEVEL LINES]
    printf '%s\n[provisioning]\nsource = "manual"\nconnection_string = "%s"\n' "${2-trust_bundle_cert = \"file://$work/hub/ca.pem\"}" "$1" >"$work/config.toml"
}
container_id() { podman_here inspect -f '{{.Id}}' "$1" 2>/dev/null; }
kill_module() {
    local pid
    pid=$(podman_here inspect -f '{{.State.Pid}}' "$1")
    [ "${pid:-0}" -gt 1 ] && kill -9 "$pid"
}
gone() { ! podman_here container exists "$1"; }

m() { # NAME [STATUS [IMAGE [ENV]]]: one module of a deployment
    jq -cn --arg n "$1" --arg s "${2:-running}" --arg i "${3:-$image}" --arg e "${4:-1}" \
        '{($n): {type: "docker", status: $s, restartPolicy: "always", env: {E: {value: $e}}, settings: {image: $i, createOptions: "{}"}}}'
}
deploy() { hub_deploy edge-1 "$(jq -cs add <<<"$*")"; }

# ---- configuration
refused() { # NAME TEXT WANTED-IN-THE-LINE
    local line
    printf '%s\n' "$2" >"$work/bad.toml"
    if line=$(berth-edged --check-config "$work/bad.toml" 2>&1); then not_ok "$1" 'accepted'; else check "$1" grep -qF "$3" <<<"$line"; fi
}
refused 'check-config: not TOML' 'x = ' 'line 1: a value is missing'
refused 'check-config: no provisioning' 'x = 1' '[provisioning] is missing'
refused 'check-config: a source it cannot do' $'[provisioning]\nsource = "none"' 'line 2: provisioning.source'
step 'the hub starts' hub_start
string=$(hub_device edge-1)
write_config "$string"
check 'check-config: a good file' berth-edged --check-config "$work/config.toml"

# ---- life
step 'the container engine starts' podman_start
podman_busybox "$image" 'while :; do echo tick; sleep 1; done'
step 'the runtime starts' edged_start
check 'it connects to the hub' wait_until 20 info '.cloud_state == "connected" and .cloud_error == ""'
check 'no deployment yet: 417' wait_until 10 hub_reported edge-1 '.lastDesiredStatus.code == 417'
hub_edge='{"status": "running"}'
deploy "$(m one)" "$(m two)"
check 'two modules run' wait_until 60 eval 'running one && running two'
check 'the hub is told' wait_until 10 hub_reported edge-1 '.lastDesiredStatus.code == 200 and .modules.one.runtimeStatus == "running" and .modules.two.runtimeStatus == "running"
    and .schemaVersion == "1.0" and .systemModules.edgeAgent.runtimeStatus == "running"'
check 'they are on the network of the edge' same "$(podman_here inspect -f '{{range $k,$v := .NetworkSettings.Networks}}{{$k}}{{end}}' one)" azure-iot-edge
gateway=$(podman_here network inspect -f '{{range .Subnets}}{{.Gateway}}{{end}}' azure-iot-edge)
check 'they find the edge hub' eval 'hosts=$(podman_here exec one cat /etc/hosts) && for name in "$(hostname)" edgeHub edgeAgent; do grep -qE "^$gateway[[:space:]].*$name" <<<"$hosts" || { echo "$hosts"; exit 1; }; done'
check 'the edge hub runs' wait_until 20 module edgeHub '.status.runtimeStatus.status == "running" and .status.runtimeStatus.description == null'
curl -s --unix-socket "$work/workload.sock" "http://w/trust-bundle?$v" | jq -r .certificate >"$work/trust.pem"
check 'and shows a certificate that modules trust' openssl s_client -connect "$gateway:8883" -CAfile "$work/trust.pem" -verify_hostname "$(hostname)" -verify_return_error </dev/null
check 'their logs are limited' grep -q '"max-size\|30000000\|30MB\|30m' <<<"$(podman_here inspect one; pgrep -a conmon)"
id=$(container_id two)

at=$(date +%s%N)
kill_module one
if wait_until 5 module one '.status.runtimeStatus.status == "failed" and .berth.state == "backoff"'; then
    took=$((($(date +%s%N) - at) / 1000000))
    if [ "$took" -le 1500 ]; then ok "a death is seen within a second ($took ms with the test's own polling)"; else not_ok 'a death is seen within a second' "$took ms"; fi
else
    not_ok 'a death is seen within a second' "$(module one .)"
fi
check 'it says when it tries again' module one '.status.runtimeStatus.description | startswith("exit code 137; restart 1 of 20")'
check 'it runs again after the back-off' wait_until 20 running one
check 'the restart is counted and told' wait_until 10 hub_reported edge-1 '.modules.one.restartCount == 1'
check 'the other was left alone' same "$(container_id two)" "$id"

edged_stop -9
check 'the runtime was killed; modules go on' same "$(podman_here inspect -f '{{.State.Running}}' two)" true
edged_start
check 'it comes back to the same containers' wait_until 20 eval 'running one && running two && same "$(container_id two)" "$id"'
check 'and to the hub' wait_until 20 info '.cloud_state == "connected"'

deploy "$(m one running "$image" 2)" "$(m two stopped)" "$(m three running localhost:1/none:1)"
check 'status stopped stops' wait_until 40 module two '.status.runtimeStatus.status | IN("stopped", "failed")'
check 'stopped is not removed' same "$(container_id two)" "$id"
check 'a changed module gets a new container' wait_until 40 eval 'running one && [ "$(podman_here inspect -f "{{.Config.Env}}" one | grep -c "E=2")" = 1 ]'
check 'an image that does not exist is explained' wait_until 40 module three '.status.runtimeStatus.status == "failed" and (.status.runtimeStatus.description | test("pull: .*localhost:1/none:1|pull: .*localhost:1"))'
check 'the hub is told: 500' wait_until 10 hub_reported edge-1 '.lastDesiredStatus.code == 500 and (.lastDesiredStatus.description | startswith("three: pull"))'
deploy "$(m one running "$image" 2)"
check 'removed modules go' wait_until 40 eval 'gone two && gone three'
check 'the hub is told: 200' wait_until 10 hub_reported edge-1 '.lastDesiredStatus.code == 200 and .modules.two == null'
identity() { hub_call GET "/devices/edge-1/modules/$1"; }
check 'with their identities' wait_until 10 eval '! identity two && ! identity three'
check "others' stay" eval 'identity one | jq -e ".managedBy == \"IotEdge\"" && identity %24edgeHub && identity %24edgeAgent'

# ---- the hub goes away
hub_kill
check 'the loss of the hub is seen' wait_until 20 info '.cloud_state == "disconnected" and (.cloud_error | length) > 0'
edged_stop
podman_here rm -f -t 0 one >/dev/null 2>&1
edged_start
check 'offline, the last deployment is made again' wait_until 40 running one
step 'the hub comes back' hub_start
check 'it connects again by itself' wait_until 90 info '.cloud_state == "connected"'

# ---- the engine goes away
kill "$podman_pid"
wait "$podman_pid" 2>/dev/null
podman_serve
check 'the engine was restarted; deaths are still seen' eval 'wait_until 30 running one; kill_module one; wait_until 10 module one ".berth.state == \"backoff\""'
check 'and mended' wait_until 60 running one

# ---- management API
answer() { # NAME STATUS BODY CURL-ARGS...
    local name=$1 want=$2 body=$3 got
    shift 3
    got=$(api "$@" -w '\n%{http_code}' | tr -d '\r')
    check "mgmt: $name" same "$got" "$body"$'\n'"$want"
}
answer 'no version' 400 '{"message":"api-version not specified"}' /modules
answer 'unknown version' 400 '{"message":"invalid api-version \"2021-05-11\""}' '/modules?api-version=2021-05-11'
answer 'unknown path' 404 '{"message":"not found"}' "/nothing?$v"
answer 'a path that is newer than the version' 404 '{"message":"not found"}' '/systeminfo/resources?api-version=2018-06-28'
answer 'no trailing slash' 404 '{"message":"not found"}' "/systeminfo/?$v"
answer 'wrong method' 400 '{"message":"method not allowed"}' "/systeminfo?$v" -X POST
answer 'only for the agent' 403 '{"message":"forbidden"}' "/modules?$v" -X POST -d '{}'
answer 'only for the agent, delete' 403 '{"message":"forbidden"}' "/modules/one?$v" -X DELETE
answer 'bad log query' 400 '{"message":"invalid parameter: tail"}' "/modules/one/logs?$v&tail=x"
answer 'unknown module' 404 '{"message":"No such container: nix"}' "/modules/nix?$v"
answer 'start of what runs' 304 '' "/modules/one/start?$v" -X POST
answer 'restart' 204 '' "/modules/one/RESTART?$v" -X POST
check 'mgmt: it runs after the restart' wait_until 20 running one
check 'mgmt: module list' eval 'api "/modules/?$v" | jq -e ".modules | map(.name) == [\"edgeAgent\",\"edgeHub\",\"one\"]"'
check 'mgmt: details' module one '.id == "id" and .type == "docker" and .config.env == [] and .config.settings.image == "localhost/tick:1" and (.config.settings.createOptions.Labels["net.azure-devices.edge.owner"] == "Microsoft.Azure.Devices.Edge.Agent")
    and (.status.startTime | endswith("Z")) and (.status.exitStatus.statusCode | type == "string")'
check 'mgmt: systeminfo' info '.osType == "Linux" and .device_id == "edge-1" and .hub_name == "localhost" and .provisioning.type == "manual.device_connection_string" and .server_version != ""'
check 'mgmt: resources' eval 'api "/systeminfo/resources?$v" | jq -e "(.docker_stats | fromjson | type == \"array\") and .total_ram > 0 and (.disks | length) > 0 and .used_cpu >= 0"'
frames() { timeout 4 curl -sN --unix-socket "$mgmt" "http://m/modules/one/logs?$v&$1" | od -An -tx1 -v | tr -d ' \n'; }
check 'mgmt: logs come in frames' grep -qE '^01000000000000[0-9a-f]{2}7469636b0a' <<<"$(frames 'tail=1')"
followed=$(frames 'tail=1&follow=true')
check 'mgmt: followed logs go on' test "$(grep -o '7469636b0a' <<<"$followed" | wc -l)" -ge 3
check "mgmt: the runtime's own log" grep -q 'cloud: connected' <<<"$(api "/modules/edgeAgent/logs?$v" | tr -d '\0')"

# ---- metrics
scrape() { curl -s --max-time 5 -H "Host: $1" "http://${2:-127.0.0.1}:9600/metrics"; } # HOST [ADDRESS]
has() { grep -qE "^edgeAgent_$1" <<<"$(scrape edgeAgent:9600)"; }
check 'metrics: a module was started' has 'module_start_total\{.*module_name="one",.* [1-9]$'
check 'metrics: the time it was to run, and ran' eval 'has "total_time_expected_running_seconds.*one.* [1-9][0-9]*$" && has "total_time_running_correctly_seconds.*one.* [1-9][0-9]*$"'
check 'metrics: the machine was measured' wait_until 15 eval 'has "used_memory_bytes.*host.* [1-9][0-9]*$" && has host_uptime_seconds && has total_disk_space_bytes.*disk_name='
check 'metrics: the runtime itself was measured' has 'used_memory_bytes.*edgeAgent.* [1-9][0-9]*$'
check 'metrics: whose they are' has 'iothub_syncs_total\{iothub="localhost",edge_device="edge-1",instance_number="[0-9a-f-]{36}"'
check 'metrics: modules find them in their network' wait_until 10 eval 'scrape edgeAgent:9600 "$(podman_here network inspect -f "{{(index .Subnets 0).Gateway}}" azure-iot-edge)" | grep -q ^edgeAgent_metadata'
check "metrics: the edge hub's are passed on" wait_until 10 eval 'scrape edgehub | grep -q "^edgehub_" && ! scrape edgehub | grep -q "^edgeAgent_"'

# ---- memory, the end
pss=$(awk '/^Pss:/ {print $2}' "/proc/$edged_pid/smaps_rollup")
echo "# PSS of berth-edged: $pss KiB"
case $BERTH_BUILD in
*release | *debug) check 'memory within 6 MiB' test "$pss" -le 6144 ;;
esac
edged_stop
check 'the hub is told of the end: 406' hub_reported edge-1 '.lastDesiredStatus.code == 406 and .modules.one.runtimeStatus == "unknown"'
check 'its files are private' same "$(stat -c %a "$work/edged" "$work/edged/agent.json" "$work/edged/keys" "$work"/edged/keys/*.key "$work/edged/identities.json" | tr '\n' ' ')" '700 600 700 600 600 600 '

# ---- another device
write_config "$(hub_device edge-2)"
check "the former device's module is there" podman_here container exists one
edged_start
check 'as another device, the former modules go first' wait_until 30 gone one
hub_deploy edge-2 "$(m one)"
check 'and its own come' wait_until 60 running one
check 'with its own name' eval 'podman_here inspect -f "{{.Config.Env}}" one | grep -q IOTEDGE_DEVICEID=edge-2'
edged_stop

# ---- a registry that takes connections and never answers
socat TCP-LISTEN:5999,bind=127.0.0.1,reuseaddr,fork EXEC:'sleep 600' &
registry_pid=$!
edged_start
hanging() { local i; for i in {1..9}; do m "h$i" running localhost:5999/none:1; done; }
hub_deploy edge-2 "$(jq -cs add <<<"$(hanging) $(m later)")"
check 'a registry that hangs holds up only its own' wait_until 20 running later
check 'nine of which wait for it, four at once' eval '[ "$(grep -c "h[1-9]: pulling" "$work/edged.log")" = 4 ]'
hub_deploy edge-2 "$(m one)"
check 'and can be given up' wait_until 20 eval 'running one && gone later && [ "$(api "/modules/h1?$v" -o /dev/null -w "%{http_code}")" = 404 ]'
edged_stop

# ---- no room for what it has to remember
rm -rf "$work/edged"
mkdir "$work/edged"
mount -t tmpfs -o size=1m,mode=700 none "$work/edged"
hub_edge='{"status": "stopped"}'
hub_deploy edge-2 "$(m one)"
edged_start
check 'it runs on a small disk' wait_until 30 running one
cat /dev/zero >"$work/edged/fill" 2>/dev/null
hub_deploy edge-2 "$(jq -cs add <<<"$(m one) $(m two)")"
check 'a full disk keeps no module from running' wait_until 20 running two
check 'but is told, once' same "$(grep -c 'the state could not be saved: .*No space left' "$work/edged.log")" 1
check 'what it knew is whole' eval 'jq -e ".desired.modules | keys == [\"one\"]" "$work/edged/agent.json"'
check 'and nothing half-written is left' same "$(find "$work/edged" -name '*.??????' | grep -v '\.json$')" ''
rm "$work/edged/fill"
check 'with room again it remembers by itself' wait_until 20 jq -e '.desired.modules.two' "$work/edged/agent.json"
edged_stop
umount "$work/edged"
hub_edge='{"status": "running"}'

# ---- a hub that says no
cloud_says() { # NAME STATE TEXT
    edged_start
    check "$1" wait_until 20 info ".cloud_state == \"$2\" and (.cloud_error | contains(\"$3\"))"
    edged_stop
}
rm -rf "$work/edged"
write_config "${string/SharedAccessKey=????/SharedAccessKey=AAAA}"
cloud_says 'a wrong key is refused' refused 'refused the key of device edge-1'
write_config "$string" ''
cloud_says 'a hub with an unknown CA is not trusted' disconnected 'certificate is not trusted'
write_config "${string/localhost/nosuch.invalid}"
cloud_says 'a name that does not resolve' disconnected 'nosuch.invalid'
write_config "${string/$hub_mqtt/1}"
cloud_says 'a port where nobody listens' disconnected 'localhost:1'
