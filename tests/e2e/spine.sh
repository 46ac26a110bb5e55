#!/bin/bash
# The main job with a real VM under software emulation: install, sandbox, two modules, logs and metrics, faults, delete, nothing left.
# Everything goes through `berth` as a technician or a script would use it. About 10 minutes.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/lib.sh
. tests/lib.sh
# shellcheck source=tests/support/node_image.sh
. tests/support/node_image.sh
setup_private
vm=e2e-$$
sensor_image=sandbox.berth.internal:5000/berth-sensor:latest

cleanup_extra() {
    [ -z "${events_pid:-}" ] || kill "$events_pid" 2>/dev/null
    berth vm delete "$vm" --yes >/dev/null 2>&1
    berth sandbox stop >/dev/null 2>&1
}

field() { # JQ-FILTER: of the VM's status
    berth status --json | jq -er ".vms[] | select(.name == \"$vm\") | $1"
}
vm_is() { [ "$(field .state)" = "$1" ]; }
cloud_is() { [ "$(field .cloud)" = "$1" ]; }
module_is() { [ "$(field ".modules[] | select(.name == \"$1\") | .state")" = "$2" ]; }
module_started() { field ".modules[] | select(.name == \"$1\") | .startedMs"; }
modules_running() {
    local name
    for name in "$@"; do module_is "$name" running || return 1; done
}

explain() {
    field '"\(.state) \(.reason) | \(.cloud) \(.cloudReason) | \([.modules[] | "\(.name) \(.state) \(.description)"] | join("; "))"'
}

qemu_pid() {
    pgrep -f "^[^ ]*qemu-system[^ ]* .*guest=${vm}[, ]"
}

# A command in the guest over its own SSH port, and its container engine through a forwarded socket.
ssh_options() {
    printf '%s\n' -q -F none -i "$BERTH_STATE_DIR/vms/$vm/id_ed25519" -o BatchMode=yes -o StrictHostKeyChecking=no \
        -o UserKnownHostsFile=/dev/null -p "$(jq -r .sshPort "$BERTH_STATE_DIR/vms/$vm/vm.json")"
}
guest() {
    local options
    mapfile -t options < <(ssh_options)
    # shellcheck disable=SC2029 # expanded here on purpose
    ssh "${options[@]}" berth@127.0.0.1 "$@" </dev/null
}
guest_docker() { # METHOD PATH
    guest curl -sf --max-time 60 --unix-socket /run/docker.sock -X "$1" "http://d/v1.41$2"
}

deploy() { # MODULES-JSON [ROUTES-JSON]
    local routes=${2:-}
    jq -n --argjson modules "$1" --argjson routes "${routes:-null}" '{modulesContent: {
        "$edgeAgent": {"properties.desired": {schemaVersion: "1.1",
            runtime: {type: "docker", settings: {minDockerVersion: "v1.25"}},
            systemModules: {
                edgeAgent: {type: "docker", settings: {image: "mcr.microsoft.com/azureiotedge-agent:1.5", createOptions: "{}"}},
                edgeHub: {type: "docker", status: "running", restartPolicy: "always",
                    settings: {image: "mcr.microsoft.com/azureiotedge-hub:1.5", createOptions: "{}"}}},
            modules: $modules}},
        "$edgeHub": {"properties.desired": {schemaVersion: "1.1", routes: ($routes // {}), storeAndForwardConfiguration: {timeToLiveSecs: 7200}}}}}' >"$work/manifest.json"
    berth sandbox deploy "$work/manifest.json"
}
sensor() { # ENV-JSON: one module of the sample image
    jq -nc --arg image "$sensor_image" --argjson env "$1" '{type: "docker", status: "running", restartPolicy: "always",
        env: ($env | map_values({value: .})), settings: {image: $image, createOptions: "{}"}}'
}

# ------------------------------------------------------------------------------------- install
check 'host check finds a way to run a VM here' berth host check
check 'a VM is installed with one command' berth vm create --name "$vm" --memory 1024 --disk 4 --accel tcg || exit 1
check 'the VM runs when the job says so' vm_is running
name_taken() {
    exits 6 berth vm create --name "$vm" --no-wait >"$work/log" 2>&1 && grep -q "$vm" "$work/log"
}
check 'a taken name is refused by name' name_taken

# ------------------------------------------------------------------------------------- provision
check 'the sandbox starts' berth sandbox start --mqtt-port 28883 --https-port 28443 --registry-port 25000 || exit 1
key=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=
provision_string() { # STRING
    printf '%s' "$1" | berth provision connection-string --vm "$vm" --file -
}
refused_string() { # WORD STRING: exit code 6, a message with WORD and without the key
    local status=0
    provision_string "$2" >"$work/log" 2>&1 || status=$?
    cat "$work/log"
    [ "$status" -eq 6 ] && grep -qi -- "$1" "$work/log" && ! grep -q "${key:0:8}" "$work/log"
}
check 'connection string: empty' refused_string 'empty' ''
check 'connection string: no device' refused_string 'DeviceId' "HostName=h.azure-devices.net;SharedAccessKey=$key"
check 'connection string: no key' refused_string 'SharedAccessKey' 'HostName=h.azure-devices.net;DeviceId=d'
check 'connection string: bad base64' refused_string 'SharedAccessKey' 'HostName=h.azure-devices.net;DeviceId=d;SharedAccessKey=%%%%'
check "connection string: a hub's own" refused_string 'device' "HostName=h.azure-devices.net;SharedAccessKeyName=iothubowner;SharedAccessKey=$key"
check "connection string: a module's" refused_string 'module' "HostName=h.azure-devices.net;DeviceId=d;ModuleId=m;SharedAccessKey=$key"

check 'the guest is provisioned to the sandbox' berth provision sandbox --vm "$vm" || exit 1
check 'connected is read back from the device' cloud_is connected
sample=()
two_sample_modules() {
    mapfile -t sample < <(field '[.modules[] | select(.system | not) | .name][]')
    [ ${#sample[@]} -ge 2 ] && modules_running "${sample[@]}"
}
check 'two sample modules run' wait_until 240 two_sample_modules || exit 1
two_sample_modules
first=${sample[0]}
second=${sample[1]}
echo "# guest memory: $(field '"\(.memoryUsed / 1000000 | floor) MB used of \(.memoryTotal / 1000000 | floor) MB"')"
lean() { [ "$(field .memoryUsed)" -le $((96 * 1000 * 1000)) ]; }
check 'guest memory with two modules is at most 96 MB' lean

# ------------------------------------------------------------------------------------- modules
before=$(module_started "$first")
came_back() { [ "$(module_started "$first")" != "$before" ] && module_is "$first" running; }
guest_docker POST "/containers/$first/kill?signal=SIGKILL" >/dev/null
check 'a killed module is restarted' wait_until 90 came_back
before=$(module_started "$second")
restarted() { [ "$(module_started "$second")" != "$before" ] && module_is "$second" running; }
check 'module restart' berth module restart "$second"
check 'a restarted module runs again' wait_until 60 restarted
check 'an unknown module is exit code 3' exits 3 berth module restart nobody

# ------------------------------------------------------------------------------------- logs and metrics
five_lines() { [ "$(berth logs --tail 5 "$first" | wc -l)" -eq 5 ]; }
check 'the last five log lines' five_lines
metric_named() { berth metrics --json | jq -e --arg name "$1" '.. | objects | select(.name? == $name) | .points | length > 0'; }
check 'metrics of the VM' wait_until 30 metric_named vm.cpu
check 'metrics of the modules' wait_until 30 metric_named module.memory

before=$(module_started "$first")
check 'a deployment manifest is applied' deploy "{\"$first\": $(sensor '{"RATE": "5000", "COUNT": "50000"}'),
    \"hostile\": $(sensor '{"LINE": "hostile"}'), \"missing\": $(sensor '{}' | jq -c '.settings.image = "sandbox.berth.internal:5000/not-there:1.0"')}"
new_deployment_runs() { [ "$(module_started "$first")" != "$before" ] && modules_running "$first" hostile; }
check 'the new deployment runs' wait_until 180 new_deployment_runs
# Numbered lines, as fast as the emulated CPU makes them, up to 5,000 a second: every one once.
flow() {
    timeout 300 berth logs -f --json "$first" 2>"$work/flow.err" |
        "$BERTH_BUILD/tests/tools/seqcheck" --count 50000 >"$work/flow.log" 2>&1
    local verdict=${PIPESTATUS[1]}
    cat "$work/flow.log" "$work/flow.err"
    return "$verdict"
}
check 'no log line lost or doubled' flow
sed 's/^/# /' "$work/flow.log"
hostile_lines() { berth logs --tail 200 hostile >"$work/hostile.log" 2>&1 && [ "$(wc -l <"$work/hostile.log")" -ge 5 ]; }
clean_lines() { ! LC_ALL=C grep -aP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' "$work/hostile.log"; }
check 'a hostile log can be read' wait_until 60 hostile_lines
check 'no control byte of a module reaches the terminal' clean_lines
missing_explained() { field '.modules[] | select(.name == "missing") | .description | select(. != null and . != "")'; }
check 'a missing image is explained' wait_until 120 missing_explained
echo "# $(missing_explained)"
module_gone() { ! field ".modules[] | select(.name == \"$second\") | .name"; }
check 'a module that left the deployment is removed' wait_until 60 module_gone

# In the guest, as the user of the console's connection, who is not root.
guest_check() { guest iotedge check -o json >"$work/check.json"; jq -es '.[0].checks | .["aziot-edged-config-well-formed"].result.result == "ok" and .["host-connect-iothub-mqtt"].result.result == "ok"' "$work/check.json"; }
check 'the iotedge command checks the device' guest_check

guest_bundle() {
    guest 'iotedge support-bundle -q -o /tmp/bundle.zip >/dev/null && cat /tmp/bundle.zip && [ -O /tmp/bundle.zip ] && rm /tmp/bundle.zip' >"$work/bundle.zip" &&
        python3 -m zipfile -e "$work/bundle.zip" "$work/bundle"
}
bundle_entries() {
    local name
    for name in check.json config.toml modules.json system.json "logs/${first}_log.txt" logs/berth-edged.txt logs/kernel.txt "inspect/$first.json"; do
        [ -s "$work/bundle/$name" ] || { echo "no $name"; find "$work/bundle" -type f; return 1; }
    done
}
device_key() { berth sandbox device show "$vm" --json | jq -r '.connectionString | sub(".*SharedAccessKey="; "")'; }
bundle_keeps_secrets() { local key; key=$(device_key) && [ ${#key} -ge 40 ] && ! grep -raF -- "$key" "$work/bundle"; }
check 'a support bundle for the user, who is not root' guest_bundle
check 'with all that only root may see' bundle_entries
check 'and without the key of the device' bundle_keeps_secrets

# ------------------------------------------------------------------------------------- Microsoft's SDK, unmodified, in the guest
sdk_image() {
    local options
    tests/support/sdk.sh install >"$work/sdk.log" 2>&1 || { tail -n 3 "$work/sdk.log"; return 1; }
    node_rootfs "$work/node.tar" "$PWD/build/sdk/node_modules" tests/sdk/edge_module.js
    mapfile -t options < <(ssh_options)
    # shellcheck disable=SC2029 # expanded here on purpose
    gzip -1 <"$work/node.tar" | ssh "${options[@]}" berth@127.0.0.1 "curl -sf --max-time 300 --unix-socket /run/docker.sock -X POST \
        -H 'Content-Type: application/x-tar' -T - 'http://d/v1.41/images/create?$(node_import_query localhost/sdk latest)'"
    rm "$work/node.tar"
}
sdk_module() { # ENV-JSON
    sensor "$1" | jq -c '.settings.image = "localhost/sdk:latest" | .imagePullPolicy = "never"'
}
sdk_logged() { berth logs --tail 300 "$1" 2>/dev/null | grep -q -- "$2"; }
check 'an image with the SDK is made in the guest' sdk_image
# shellcheck disable=SC2016 # the cloud is called so
check 'two modules with the SDK are deployed' deploy "{\"$first\": $(sensor '{}'), \"source\": $(sdk_module '{"ROLE": "source", "COUNT": "200"}'), \"sink\": $(sdk_module '{"ROLE": "sink"}')}" \
    '{"in": "FROM /messages/modules/source/outputs/out INTO BrokeredEndpoint(\"/modules/sink/inputs/in\")", "up": "FROM /messages/* INTO $upstream"}'
check 'they connect with what the runtime gives them' wait_until 240 sdk_logged sink 'ready sink'
check 'two hundred messages go from an output to an input' wait_until 120 sdk_logged sink 'got in 200 1'
check 'a module that speaks through the edge hub answers a method' wait_until 60 eval \
    "berth sandbox invoke --payload '{\"a\":1}' '$vm/sink' echo | grep -q echo"

# ------------------------------------------------------------------------------------- an hour offline
# A container with all rights is the one way to be root in the guest: there it cuts the link and moves the clock.
guest_root() { # SCRIPT
    local body
    body=$(jq -nc --arg script "$1" '{Image: "localhost/sdk:latest", Cmd: ["/host/bin/busybox", "chroot", "/host", "/bin/sh", "-ec", $script],
        HostConfig: {Privileged: true, NetworkMode: "host", Binds: ["/:/host"]}}')
    guest "engine() { curl -sf --max-time 60 --unix-socket /run/docker.sock -X \"\$1\" \"http://d/v1.41/containers/\$2\" -H Content-Type:application/json -d \"\$3\"; }
        engine POST create?name=root $(printf %q "$body")
        engine POST root/start
        engine POST root/wait
        engine GET 'root/logs?stderr=1'
        engine DELETE root?force=1" | tee "$work/root.log" | grep -qa '"StatusCode":0' || { cat "$work/root.log"; return 1; }
}
link_to_cloud() { # -I|-D
    local port
    for port in $(berth sandbox show --json | jq -r '.mqttPort, .httpsPort'); do
        echo "iptables -w $1 OUTPUT -p tcp --dport $port -j REJECT --reject-with tcp-reset"
    done
}
invoke() { # MODULE METHOD PAYLOAD
    berth sandbox invoke --payload "$3" "$vm/$1" "$2"
}
# What arrived, in order; what came again is not counted twice.
got() { berth logs --tail 10000 sink | sed -n 's/.*got in \([0-9]*\) 2$/\1/p' | awk '!seen[$1]++'; }
in_cloud() { jq -r 'select(.moduleId == "source" and .properties.run == "2") | .body.n' "$work/events.json" | awk '!seen[$1]++'; }
got_more() { [ "$(got | wc -l)" -ge $((so_far + 20)) ]; }
flows_on() {
    local so_far
    so_far=$(got | wc -l)
    wait_until 90 got_more
}
all_sent() {
    sent=$(berth logs --tail 100 source | sed -n 's/.*sent \([0-9]*\) 2$/\1/p')
    [ -n "$sent" ]
}
all_in_order() { # WHERE
    "$1" >"$work/arrived"
    seq "$sent" | cmp - "$work/arrived" || { diff <(seq "$sent") "$work/arrived" | head -n 5; return 1; }
}
edge_hub_restarts() {
    local before
    before=$(module_started edgeHub)
    guest iotedge restart edgeHub && wait_until 60 eval "[ \"\$(module_started edgeHub)\" != $before ] && module_is edgeHub running"
}
twin_goes_round() { # COLOUR
    echo "{\"properties\":{\"desired\":{\"colour\":\"$1\"}}}" >"$work/twin.json"
    berth sandbox twin set "$vm/sink" "$work/twin.json" && wait_until 60 eval "berth sandbox twin show '$vm/sink' --json | jq -e '.twin.properties.reported.colour == \"$1\"'"
}
berth sandbox events --follow --json --device "$vm" >"$work/events.json" 2>/dev/null &
events_pid=$!
check 'messages are asked for, without an end' invoke source send '{"count": 1000000, "every": 200, "run": "2"}'
check 'they flow' flows_on
hour=$SECONDS
check 'the device goes offline, and an hour goes by' guest_root "$(link_to_cloud -I); date -s @\$((\$(date +%s) + 3600))"
check 'modules go on without the cloud' flows_on
check 'the edge hub is restarted while offline' edge_hub_restarts
check 'and modules, whose tokens have expired, go on' flows_on
arrived=$(in_cloud | wc -l)
check 'nothing of it is in the cloud' eval "[ $arrived -gt 0 ] && [ $arrived -lt \$(got | wc -l) ]"
check 'the device comes back' guest_root "$(link_to_cloud -D)"
check 'a method is answered again, which ends the messages' wait_until 120 invoke source send '{"count": 0}'
step 'all were sent' wait_until 60 all_sent
check 'the sink has every message in order' wait_until 60 all_in_order got || all_in_order got
check 'the cloud has every message in order' wait_until 60 all_in_order in_cloud || all_in_order in_cloud
check 'a twin goes round again' twin_goes_round green
content() { cloud_is connected && [ -z "$(field '.cloudReason // ""')" ]; }
check 'the runtime has no complaint' wait_until 60 content
# But for the clock, which is an hour ahead of the cloud's.
clock_noticed() { guest iotedge check -o json >"$work/check.json"; jq -e '[.checks | to_entries[] | select(.value.result.result == "error") | .key] == ["host-local-time"]' "$work/check.json"; }
check 'the iotedge command complains of the clock only' clock_noticed
kill "$events_pid"
echo "# an hour offline, $sent messages: $((SECONDS - hour)) s"

# ------------------------------------------------------------------------------------- faults
engine_pid() { sed -n 's/.*listens, pid \([0-9]*\).*/\1/p' "$BERTH_STATE_DIR/engine.log" | tail -n 1; }
kill -9 "$(engine_pid)"
check 'a killed engine comes back and finds the VM connected' wait_until 60 cloud_is connected

unknown_device() {
    exits 9 provision_string "HostName=sandbox.berth.internal;DeviceId=nobody;SharedAccessKey=$key"
}
check 'an unknown device is refused with a reason' unknown_device
check 'the configuration before it comes back' wait_until 90 cloud_is connected

kill -9 "$(qemu_pid)"
power_lost() { vm_is crashed || vm_is off; }
check 'a killed QEMU is noticed' wait_until 30 power_lost
echo "# $(field .reason)"
check 'the VM starts again' berth vm start "$vm"
check 'modules run again after a crash' wait_until 240 modules_running "$first"
check 'the VM shuts down' berth vm stop "$vm"
check 'the VM is off' vm_is off

# Another key than the one that was pinned: the guest is not the one that was installed.
changed_key() {
    ssh-keygen -qt ed25519 -N '' -C '' -f "$work/other"
    cat "$work/other" >"$BERTH_STATE_DIR/vms/$vm/seed/hostkey"
    ! berth vm start "$vm" --timeout 180 >"$work/log" 2>&1 && grep -qi 'identity\|host key' "$work/log"
}
check 'a changed SSH host key is refused' changed_key
berth vm stop "$vm" --force --yes >/dev/null 2>&1
altered_image() {
    printf 'x' | dd of="$BERTH_STATE_DIR/vms/$vm/slot-a/root.squashfs" bs=1 seek=1000000 conv=notrunc 2>/dev/null
    ! berth vm start "$vm" >"$work/log" 2>&1 && grep -q 'root.squashfs' "$work/log"
}
check 'an altered image is refused before it boots' altered_image

# ------------------------------------------------------------------------------------- delete
check 'delete asks first, and without a terminal refuses' exits 13 berth vm delete "$vm"
check 'the VM is deleted' berth vm delete "$vm" --yes
check 'the sandbox stops' berth sandbox stop
check 'the engine stops' berth engine stop
clean_host() {
    local clean=0
    ! virsh -c qemu:///system list --all --name 2>/dev/null | grep -x "$vm" || clean=1
    [ ! -e "$BERTH_STATE_DIR/vms/$vm" ] || { find "$BERTH_STATE_DIR/vms/$vm"; clean=1; }
    ! pgrep -af "$work" || clean=1
    [ ! -S "$BERTH_RUNTIME_DIR/engine.sock" ] || { echo "the engine's socket is left"; clean=1; }
    return $clean
}
wait_until 15 clean_host
unset -f explain
check 'nothing is left behind' clean_host
