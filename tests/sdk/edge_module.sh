#!/bin/bash
# Modules and a leaf device as customers write them, with Microsoft's unmodified SDK, on the whole built-in runtime: containers get their
# identity through the workload API, speak through the edge hub, and lose nothing when what they need dies. By hand, COUNT=100000 KILLS=200
# takes some ten minutes.
# shellcheck disable=SC2016,SC2154,SC2317
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/lib.sh
. tests/lib.sh
setup_private
# shellcheck source=tests/support/podman.sh
. "tests/support/podman.sh"
# shellcheck source=tests/support/hub.sh
. "tests/support/hub.sh"
# shellcheck source=tests/support/edged.sh
. "tests/support/edged.sh"
# shellcheck source=tests/support/soak.sh
. "tests/support/soak.sh"
# shellcheck source=tests/support/node_image.sh
. "tests/support/node_image.sh"
export NODE_PATH=$PWD/build/sdk/node_modules
image=localhost/sdk:latest
data=$work/data
count=${COUNT:-700} deaths=${KILLS:-7} # messages, and what dies on their way

edged_engine=$engine
edged_options=(--hub-program "$BERTH_BUILD/berth-hub")

cleanup_extra() {
    [ -z "${leaf_pid:-}" ] || kill "$leaf_pid" 2>/dev/null
    edged_stop
    podman_stop
    hub_kill
}
explain() {
    tail -n 5 "$work/edged.log"
    tail -n 3 "$work/podman/log"
}

edge_hub_pid() { pgrep -f "berth-hub --role edge .*$work"; }

sdk_module() { # NAME ENV-JSON
    jq -cn --arg name "$1" --arg image "$image" --argjson env "$2" --arg options "{\"HostConfig\": {\"Binds\": [\"$data:/data\"]}}" '{($name): {
        type: "docker", status: "running", restartPolicy: "always", imagePullPolicy: "never",
        env: ($env | map_values({value: .})), settings: {image: $image, createOptions: $options}}}'
}
log_of() { podman_here logs "$1" 2>&1; }
logged() { log_of "$1" | grep -qx -- "$2"; }
twin_patch() { hub_call PATCH "/twins/edge-1/modules/$1" -d "{\"properties\":{\"desired\":$2}}" >/dev/null; }
invoke() { # MODULE PAYLOAD
    hub_call POST "/twins/edge-1/modules/$1/methods" -d "{\"methodName\":\"echo\",\"responseTimeoutInSeconds\":20,\"payload\":$2}"
}
# What the source sends goes to the sink and to the cloud.
deploy() {
    jq -cn --argjson source "$(sdk_module source "{\"ROLE\": \"source\", \"COUNT\": \"$count\"}")" \
        --argjson sink "$(sdk_module sink '{"ROLE": "sink"}')" '{modulesContent: {"$edgeAgent": {"properties.desired": {schemaVersion: "1.1",
            runtime: {type: "docker", settings: {}}, modules: ($source + $sink), systemModules: {
                edgeAgent: {type: "docker", settings: {image: "a:1", createOptions: "{}"}},
                edgeHub: {type: "docker", status: "running", restartPolicy: "always", settings: {image: "h:1", createOptions: "{}"}}}}},
            "$edgeHub": {"properties.desired": {schemaVersion: "1.1", storeAndForwardConfiguration: {timeToLiveSecs: 86400}, routes: {
                up: "FROM /messages/* INTO $upstream",
                in: "FROM /messages/modules/source/outputs/out INTO BrokeredEndpoint(\"/modules/sink/inputs/in\")"}}}}}' |
        hub_call POST /devices/edge-1/applyConfigurationContent -d @-
}

mkdir "$data"
step 'the hub starts' back_cloud
string=$(hub_device edge-1)
printf 'hostname = "edge.local"\ntrust_bundle_cert = "file://%s/hub/ca.pem"\n[provisioning]\nsource = "manual"\nconnection_string = "%s"\n' \
    "$work" "$string" >"$work/config.toml"
step 'the container engine starts' podman_start
node_rootfs "$work/node.tar" "$NODE_PATH" tests/sdk/edge_module.js
check 'an image with the SDK is made' node_import "$engine" "$work/node.tar" localhost/sdk latest
rm "$work/node.tar"
step 'the runtime starts' edged_start
echo 100 >"$data/limit"
deploy

# ---- identity, routes, twin, method
check 'a module connects with what the runtime gives it' wait_until 90 logged sink 'ready sink' || log_of sink
got() { [ "$(newest sink)" -ge "$1" ]; }
check 'messages go from an output to an input' wait_until 60 got 100
twin_patch sink '{"colour": "green"}'
check 'a change of its twin arrives' wait_until 20 logged sink 'desired green'
reported() { hub_call GET "/twins/edge-1/modules/$1" | jq -es ".[0] | $2"; }
check 'what it reports is in the cloud' wait_until 20 reported sink '.properties.reported.colour == "green"'
answered() { invoke "$1" '{"a":1}' | jq -es '.[0] | .status == 200 and .payload.echo.a == 1'; }
check 'it answers a method' wait_until 20 answered sink
told() { hub_call GET '/twins/edge-1/modules/%24edgeHub' | jq -es '.[0].properties.reported | .clients["edge-1/sink"].status == "Connected" and .lastDesiredStatus.code == 200'; }
check "the edge hub's own twin tells of it" wait_until 20 told

# ---- without the cloud
die_cloud
echo 200 >"$data/limit"
check 'without the cloud, modules go on' wait_until 60 got 200
check 'all of them, in order' cmp "$data/sink" <(seq 200)
begins() { log_of sink | grep -c 'ready sink'; }
twin_offline() {
    local before
    before=$(begins)
    podman_here restart -t 1 sink >/dev/null 2>&1 && wait_until 60 eval "[ \$(begins) -gt $before ]"
}
check 'a module has its twin' twin_offline
step 'the cloud comes back' back_cloud
check 'modules can be asked again' wait_until 90 answered sink

# ---- deaths on the way: runtime, edge hub, cloud, engine, network, modules
step "$count messages while $deaths times something dies" soak "$count" "$deaths"
for name in sink cloud; do
    check "$name: all, in order, and no more twice than may be" soak_judge $name "$count" "$(soak_may $name)"
    echo "# $name: $(soak_judge $name "$count" "$(soak_may $name)")"
done
check 'and modules can be asked' wait_until 90 answered sink

# ---- a device behind the edge
authority() { curl -sf --unix-socket "$work/workload.sock" "http://w/trust-bundle?$v" | jq -ers '.[0].certificate // error' >"$work/edge-ca.pem"; }
leaf_start() {
    printf '127.0.0.1 localhost edge.local\n' >"$work/hosts"
    printf '%s;GatewayHostName=edge.local' "$(hub_leaf edge-1 leaf-1)" >"$work/leaf.string"
    # shellcheck disable=SC2016
    CA=$work/edge-ca.pem unshare --mount sh -c 'mount --bind "$0" /etc/hosts && exec node tests/sdk/edge_leaf.js' "$work/hosts" \
        <"$work/leaf.string" >"$work/leaf.log" 2>&1 &
    leaf_pid=$!
}
leaf_said() { grep -qx -- "$1" "$work/leaf.log" || { tail -n 12 "$work/leaf.log"; return 1; }; }
check 'the runtime, which may have died just now, gives its authority' wait_until 30 authority
leaf_start
check 'a leaf device connects through the gateway and sends' wait_until 60 leaf_said sent || leaf_said sent
leaf_twin() { hub_call GET /twins/leaf-1 | jq -es '.[0].properties.reported.leaf'; }
leaf_answers() { hub_call POST /twins/leaf-1/methods -d '{"methodName":"echo","payload":1}' | jq -es '.[0].payload.echo == 1'; }
check 'what it reports is in the cloud' wait_until 20 leaf_twin
check 'it answers a method' wait_until 20 leaf_answers
