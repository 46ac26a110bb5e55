#!/bin/bash
# Direct methods of $edgeAgent through a real hub, with the logs of real containers; uploads go to a stand-in for a storage account that
# speaks TLS with the hub's own certificate and keeps what it is sent.
# shellcheck source=tests/lib.sh disable=SC2016,SC2154,SC2317
. "$(dirname "$0")/../lib.sh"
set -o pipefail
setup_private
# shellcheck source=tests/support/podman.sh
. "$(dirname "$0")/../support/podman.sh"
# shellcheck source=tests/support/hub.sh
. "$(dirname "$0")/../support/hub.sh"
# shellcheck source=tests/support/edged.sh
. "$(dirname "$0")/../support/edged.sh"
image=localhost/words:1
blob_port=$((hub_mqtt + 2))

edged_engine=$engine

cleanup_extra() {
    edged_stop -9
    podman_stop
    hub_kill
    [ -z "${blob_pid:-}" ] || kill "$blob_pid" 2>/dev/null
    umount "$work/podman/root" 2>/dev/null
}
explain() { tail -n 3 "$work/edged.log"; cat "$work/answer" 2>/dev/null; }

# ---- methods
invoke() { # METHOD PAYLOAD: the answer is in $work/answer
    jq -cn --arg m "$1" --argjson p "$2" '{methodName: $m, payload: $p, responseTimeoutInSeconds: 60, connectTimeoutInSeconds: 10}' |
        hub_call POST '/twins/edge-1/modules/%24edgeAgent/methods' -d @- >"$work/answer"
}
answers() { # METHOD PAYLOAD FILTER
    invoke "$1" "$2" && jq -e "$3" "$work/answer"
}
logs() { # METHOD ITEMS MORE-MEMBERS
    jq -cn --argjson i "$1" --argjson m "${2:-{\}}" '{schemaVersion: "1.0", items: $i} + $m'
}
unzipped() { jq -r '.payload[0].payloadBytes' "$work/answer" | base64 -d | gunzip; }

# ---- the storage account
blob_server() {
    cat >"$work/blob.sh" <<'END'
#!/bin/bash
IFS=' ' read -r method target _
type=
while IFS= read -r line && line=${line%$'\r'} && [ -n "$line" ]; do
    case ${line,,} in
    content-length:*) length=${line#*:} ;;
    x-ms-blob-type:*) type=${line#*: } ;;
    esac
done
path=${target%%\?*} query=${target#*\?}
if [[ $query != *sig=good* || $method != PUT ]]; then
    printf 'HTTP/1.1 403 No\r\nx-ms-error-code: AuthenticationFailed\r\nContent-Length: 0\r\n\r\n'
    exit
fi
name=${path//\//_}
if [[ $query == *comp=block\&* ]]; then
    id=${query#*blockid=}
    head -c "$length" >"$BLOBS/$name.block.${id%%&*}"
elif [[ $query == *comp=blocklist* ]]; then
    head -c "$length" | grep -o '<Latest>[^<]*' | sed 's/<Latest>//' | while read -r id; do cat "$BLOBS/$name.block.$id"; done >"$BLOBS/$name"
elif [ "$type" = BlockBlob ]; then
    head -c "$length" >"$BLOBS/$name"
fi
echo "${query%%&sv*}" >>"$BLOBS/log"
printf 'HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n'
END
    chmod +x "$work/blob.sh"
    mkdir "$work/blobs"
    BLOBS=$work/blobs socat "OPENSSL-LISTEN:$blob_port,reuseaddr,fork,bind=127.0.0.1,cert=$work/hub/server.pem,key=$work/hub/server.key,verify=0" \
        "EXEC:$work/blob.sh" >"$work/socat.log" 2>&1 &
    blob_pid=$!
    wait_until 10 bash -c "exec 3<>/dev/tcp/127.0.0.1/$blob_port"
}
upload() { # ITEMS SIGNATURE MORE-MEMBERS
    local url="https://localhost:$blob_port/logs?sig=$2&sv=2022-11-02"
    invoke UploadModuleLogs "$(logs "$1" "$(jq -cn --arg u "$url" --argjson m "${3:-{\}}" '{sasUrl: $u} + $m')")" || return
    task=$(jq -r '.payload | select(.status == "Running") | .correlationId' "$work/answer")
    [ -n "$task" ]
}
ended() { answers GetTaskStatus "{\"schemaVersion\":\"1.0\",\"correlationId\":\"$task\"}" ".status == 200 and .payload.status == \"$1\" and (.payload.message | test(\"$2\"))"; }
blob() { find "$work/blobs" -name "_logs_localhost_edge-1_$1" -exec cat {} +; }

step 'the hub starts' hub_start
cat >"$work/config.toml" <<END
trust_bundle_cert = "file://$work/hub/ca.pem"
[provisioning]
source = "manual"
connection_string = "$(hub_device edge-1)"
[image_garbage_collection]
image_age_cleanup_threshold = "0s"
cleanup_time = "$(date -u -d '100 seconds' +%H:%M)"
END
step 'the container engine starts' podman_start
podman_busybox "$image" 'echo "<3> bad"; echo "good one"; echo "<6> fine" >&2; i=0; while [ $i -lt ${LINES_WANTED:-0} ]; do i=$((i+1)); echo "line $i of a log that is long enough to fill more than one block"; done; while :; do sleep 1; done'
podman_busybox localhost/unused:1 'echo unused'
check 'an image that nothing uses is there' podman_here image exists localhost/unused:1
step 'a storage account' blob_server
edged_start
hub_deploy edge-1 "$(jq -cn --arg i "$image" '{one: {type: "docker", status: "running", settings: {image: $i}},
    big: {type: "docker", status: "running", env: {LINES_WANTED: {value: "60000"}}, settings: {image: $i}}}')"
check 'two modules run' wait_until 60 hub_reported edge-1 '.modules.one.runtimeStatus == "running" and .modules.big.runtimeStatus == "running"'

check 'ping' answers ping null '.status == 200 and .payload == null'
check 'ping, in any case and with any payload' answers PING '{"x":[1]}' '.status == 200'
check 'an unknown method' answers Fly '{}' '.status == 400 and (.payload.message | contains("Fly") and contains("GetModuleLogs"))'

check 'logs of a module' answers GetModuleLogs "$(logs '[{"id":"one"}]')" '.status == 200 and (.payload | length) == 1 and .payload[0].id == "one" and .payload[0].payloadBytes == null
    and (.payload[0].payload | contains("<3> bad\ngood one\n") and contains("<6> fine\n"))'
check 'the last line' answers getmodulelogs "$(logs '{"id":"^ONE$","filter":{"tail":1}}')" '.payload[0].payload | split("\n") | length == 2'
check 'by level' answers GetModuleLogs "$(logs '[{"id":"one","filter":{"loglevel":3}}]')" '.payload[0].payload == "<3> bad\n"'
check 'by pattern' answers GetModuleLogs "$(logs '[{"id":"one","filter":{"regex":"^good"}}]')" '.payload[0].payload == "good one\n"'
check 'by time' answers GetModuleLogs "$(logs '[{"id":"one","filter":{"until":"1 day"}}]')" '.payload[0].payload == ""'
check 'as JSON' answers GetModuleLogs "$(logs '[{"id":"one"}]' '{"contentType":"json"}')" '.payload[0].payload | fromjson | (map(select(.stream == "stderr") | del(.timestamp)) == [{iothub: "localhost", device: "edge-1", id: "one", stream: "stderr", loglevel: 6, text: "fine"}]) and
    (map(.text) | sort) == ["bad", "fine", "good one"] and (map(.loglevel) | sort) == [3, 6, 6] and all(.timestamp | startswith("20"))'
check 'compressed' eval 'answers GetModuleLogs "$(logs "[{\"id\":\"one\"}]" "{\"encoding\":\"gzip\"}")" ".payload[0].payload == null" && unzipped | grep -qx "good one"'
check "the runtime's own" answers GetModuleLogs "$(logs '[{"id":"edgeAgent","filter":{"tail":50}}]')" '.payload[0].payload | contains("method: GetModuleLogs")'
check 'all of them; the first item that fits counts' answers GetModuleLogs "$(logs '[{"id":"big","filter":{"tail":1}},{"id":"all","filter":{"tail":2}}]')" '[.payload[].id] | sort == ["big", "edgeAgent", "edgeHub", "one"]'
check 'of a module that is not there: none' answers GetModuleLogs "$(logs '[{"id":"nix"}]')" '.status == 200 and .payload == []'
check 'too long for an answer' answers GetModuleLogs "$(logs '[{"id":"big"}]')" '.status == 400 and (.payload.message | contains("127000"))'
check 'a wrong payload' answers GetModuleLogs '{"schemaVersion":"1.0"}' '.status == 400 and .payload.message == "items is missing"'
check 'no payload' answers GetModuleLogs null '.status == 400'

step 'an upload begins' upload '[{"id":"one"}]' good
check 'it is there' wait_until 20 ended Completed '^$'
check 'in one piece, under its name' eval 'blob "one-20[0-9][0-9]-*--*.log" | grep -qx "good one" && ls "$work"/blobs | grep -qE "edge-1_one-20[0-9]{2}-[0-9]{2}-[0-9]{2}--[0-9]{2}-[0-9]{2}-[0-9]{2}\.log$"'
step 'a long one' upload '[{"id":"big"}]' good
check 'it is there, too' wait_until 60 ended Completed '^$'
check 'in blocks, and whole' eval 'grep -q "comp=blocklist" "$work/blobs/log" && [ "$(grep -c comp=block\& "$work/blobs/log")" -ge 3 ] && [ "$(blob "big-*.log" | grep -c "^line")" = 60000 ] && blob "big-*.log" | tail -n 1 | grep -q "line 60000 of"'
step 'compressed JSON' upload '[{"id":"one|big"}]' good '{"encoding":"gzip","contentType":"json"}'
check 'of two modules' wait_until 60 ended Completed '^$'
check 'each in its own blob' eval 'blob "big-*.json.gz" | gunzip | jq -e "length == 60003" && blob "one-*.json.gz" | gunzip | jq -e "length == 3"'
step 'a signature that is not good' upload '[{"id":"one"}]' bad
check 'fails, and says why without the signature' wait_until 20 ended Failed '^one: the storage at localhost:[0-9]+ answered 403 AuthenticationFailed$'
check 'an upload without an address' answers UploadModuleLogs "$(logs '[{"id":"one"}]')" '.status == 400 and (.payload.message | contains("sasUrl"))'
check 'no secret in the log' eval '! grep -qE "sig=|sv=2022" "$work/edged.log"'
check 'a task that never was' answers GetTaskStatus '{"schemaVersion":"1.0","correlationId":"x"}' '.status == 200 and .payload == {status: "Unknown", message: "", correlationId: "x"}'

pid_of() { podman_here inspect -f '{{.State.Pid}}' "$1"; }
before=$(pid_of one)
another() { wait_until 20 hub_reported edge-1 '.modules.one.runtimeStatus == "running"' && [ "$(pid_of one)" -gt 1 ] && [ "$(pid_of one)" != "$before" ]; }
check 'RestartModule' answers restartmodule '{"schemaVersion":"1.0","id":"one"}' '.status == 200 and .payload == null'
check 'it is another process now' another
check 'of a module that is not there' answers RestartModule '{"schemaVersion":"1.0","id":"nix"}' '.status == 500 and (.payload.message | contains("nix"))'
check 'an image that nothing uses goes when its time has come' wait_until 150 exits 1 podman_here image exists localhost/unused:1
check 'one that is used stays' podman_here image exists "$image"
check 'without an id' answers RestartModule '{"schemaVersion":"1.0"}' '.status == 400'
check 'of the agent' answers RestartModule '{"schemaVersion":"1.0","id":"edgeAgent"}' '.status == 200'
check 'which then ends' wait_until 10 eval '! kill -0 "$edged_pid"'
