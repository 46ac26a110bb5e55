#!/bin/bash
# Modules and a leaf device as customers write them, with Microsoft's unmodified SDK, on the whole built-in runtime: containers get their
# identity through the workload API, speak through the edge hub, and lose nothing when the hub, the edge hub or the runtime dies.
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
# shellcheck source=tests/support/node_image.sh
. "tests/support/node_image.sh"
export NODE_PATH=$PWD/build/sdk/node_modules
image=localhost/sdk:latest
count=${COUNT:-400}

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
    jq -cn --arg name "$1" --arg image "$image" --argjson env "$2" '{($name): {type: "docker", status: "running", restartPolicy: "always", imagePullPolicy: "never",
        env: ($env | map_values({value: .})), settings: {image: $image, createOptions: "{}"}}}'
}
deploy() { # MODULES ROUTES
    jq -cn --argjson modules "$1" --argjson routes "$2" '{modulesContent: {"$edgeAgent": {"properties.desired": {schemaVersion: "1.1",
        runtime: {type: "docker", settings: {}}, modules: $modules, systemModules: {
            edgeAgent: {type: "docker", settings: {image: "a:1", createOptions: "{}"}},
            edgeHub: {type: "docker", status: "running", restartPolicy: "always", settings: {image: "h:1", createOptions: "{}"}}}}},
        "$edgeHub": {"properties.desired": {schemaVersion: "1.1", routes: $routes,
            storeAndForwardConfiguration: {timeToLiveSecs: 86400}}}}}' |
        hub_call POST /devices/edge-1/applyConfigurationContent -d @-
}
log_of() { podman_here logs "$1" 2>&1; }
logged() { log_of "$1" | grep -qx -- "$2"; }
twin_patch() { hub_call PATCH "/twins/edge-1/modules/$1" -d "{\"properties\":{\"desired\":$2}}" >/dev/null; }
invoke() { # MODULE PAYLOAD
    hub_call POST "/twins/edge-1/modules/$1/methods" -d "{\"methodName\":\"echo\",\"responseTimeoutInSeconds\":20,\"payload\":$2}"
}
# Everything that the sink got of RUN, in the order of arrival; a message that came again is not counted twice.
got() { log_of sink | sed -n "s/^got in \([0-9]*\) $1\$/\1/p" | awk '!seen[$1]++'; }
all_got() { [ "$(got "$1" | wc -l)" -eq "$count" ]; }
in_order() { got "$1" | cmp -s - <(seq "$count") || { got "$1" | tail -n 3; return 1; }; }

step 'the hub starts' hub_start
string=$(hub_device edge-1)
printf 'hostname = "edge.local"\ntrust_bundle_cert = "file://%s/hub/ca.pem"\n[provisioning]\nsource = "manual"\nconnection_string = "%s"\n' \
    "$work" "$string" >"$work/config.toml"
step 'the container engine starts' podman_start
node_rootfs "$work/node.tar" "$NODE_PATH" tests/sdk/edge_module.js
check 'an image with the SDK is made' node_import "$engine" "$work/node.tar" localhost/sdk latest
rm "$work/node.tar"
step 'the runtime starts' edged_start
routes='{"up": "FROM /messages/* INTO $upstream", "in": "FROM /messages/modules/source/outputs/out INTO BrokeredEndpoint(\"/modules/sink/inputs/in\")"}'
deploy "$(jq -cs add <<<"$(sdk_module source "{\"ROLE\": \"source\", \"COUNT\": \"$count\", \"RUN\": \"1\"}") $(sdk_module sink '{"ROLE": "sink"}')")" "$routes"

# ---- identity, routes, twin, method
check 'a module connects with what the runtime gives it' wait_until 90 logged sink 'ready sink' || log_of sink
check 'messages go from an output to an input' wait_until 60 all_got 1
check 'all of them, in order' in_order 1
twin_patch sink '{"colour": "green"}'
check 'a change of its twin arrives' wait_until 20 logged sink 'desired green'
reported() { hub_call GET "/twins/edge-1/modules/$1" | jq -es ".[0] | $2"; }
check 'what it reports is in the cloud' wait_until 20 reported sink '.properties.reported.colour == "green"'
answered() { invoke "$1" '{"a":1}' | jq -es '.[0] | .status == 200 and .payload.echo.a == 1'; }
check 'it answers a method' wait_until 20 answered sink
told() { hub_call GET '/twins/edge-1/modules/%24edgeHub' | jq -es '.[0].properties.reported | .clients["edge-1/sink"].status == "Connected" and .lastDesiredStatus.code == 200'; }
check "the edge hub's own twin tells of it" wait_until 20 told

# ---- deaths on the way: the edge hub, the cloud, the runtime
next_run() { # RUN
    deploy "$(jq -cs add <<<"$(sdk_module source "{\"ROLE\": \"source\", \"COUNT\": \"$count\", \"RUN\": \"$1\"}") $(sdk_module sink '{"ROLE": "sink"}')")" "$routes"
    wait_until 60 eval "got $1 | grep -q ."
}
next_run 2
edge_hub_dies() {
    former=$(edge_hub_pid) && ! all_got 2 && kill -9 "$former"
}
step 'the edge hub is killed on the way' edge_hub_dies
check 'another one runs' wait_until 60 eval 'now=$(edge_hub_pid) && [ "$now" != "$former" ]'
check 'nothing is lost when the edge hub is killed' wait_until 90 all_got 2
check 'and the order is kept' in_order 2
next_run 3
check 'the cloud goes away on the way' eval '! all_got 3'
hub_kill
check 'without the cloud, modules go on' wait_until 60 all_got 3
begins() { log_of sink | grep -c 'ready sink'; }
twin_offline() {
    local before
    before=$(begins)
    podman_here restart -t 1 sink >/dev/null 2>&1 && wait_until 60 eval "[ \$(begins) -gt $before ]"
}
check 'a module has its twin without the cloud' twin_offline
step 'the cloud comes back' hub_start
check 'modules can be asked again' wait_until 90 answered sink
edged_stop -9
step 'the runtime is killed and comes back' edged_start
check 'and modules are asked through it' wait_until 90 answered sink

# ---- a device behind the edge
leaf_start() {
    printf '127.0.0.1 localhost edge.local\n' >"$work/hosts"
    curl -sf --unix-socket "$work/workload.sock" "http://w/trust-bundle?$v" | jq -r .certificate >"$work/edge-ca.pem"
    printf '%s;GatewayHostName=edge.local' "$(hub_leaf edge-1 leaf-1)" >"$work/leaf.string"
    # shellcheck disable=SC2016
    CA=$work/edge-ca.pem unshare --mount sh -c 'mount --bind "$0" /etc/hosts && exec node tests/sdk/edge_leaf.js' "$work/hosts" \
        <"$work/leaf.string" >"$work/leaf.log" 2>&1 &
    leaf_pid=$!
}
leaf_said() { grep -qx -- "$1" "$work/leaf.log" || { tail -n 12 "$work/leaf.log"; return 1; }; }
leaf_start
check 'a leaf device connects through the gateway and sends' wait_until 60 leaf_said sent || leaf_said sent
leaf_twin() { hub_call GET /twins/leaf-1 | jq -es '.[0].properties.reported.leaf'; }
leaf_answers() { hub_call POST /twins/leaf-1/methods -d '{"methodName":"echo","payload":1}' | jq -es '.[0].payload.echo == 1'; }
check 'what it reports is in the cloud' wait_until 20 leaf_twin
check 'it answers a method' wait_until 20 leaf_answers
