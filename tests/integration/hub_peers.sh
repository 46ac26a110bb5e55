#!/bin/bash
# berth-hub with other people's clients: mosquitto for devices, curl for the service, skopeo for the registry.
# shellcheck disable=SC2317 # everything here runs through check
set -u
cd "$(dirname "$0")/../.." || exit 1
hub=${BERTH_BUILD:-build/debug}/berth-hub
work=$(mktemp -d /tmp/berth-peers-XXXXXX)
failed=0
pid=

finish() {
    [ -z "$pid" ] || kill "$pid" 2>/dev/null
    [ -z "$pid" ] || wait "$pid" 2>/dev/null
    rm -rf "$work"
}
trap finish EXIT

check() { # NAME COMMAND...
    local name=$1
    shift
    if "$@" >"$work/out" 2>&1; then
        echo "ok $name"
    else
        echo "not ok $name: $(tail -c 300 "$work/out" | tr '\n' ' ')"
        failed=1
    fi
}

free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 20000))
        ss -Hltn "sport = :$port" | grep -q . || break
    done
    echo "$port"
}

sas() { # RESOURCE KEY [POLICY] [LIFETIME]
    local end=$(($(date +%s) + ${4:-3600})) sr sig hex
    sr=$(jq -rn --arg s "$1" '$s|@uri')
    hex=$(base64 -d <<<"$2" | od -An -tx1 -v | tr -d ' \n')
    sig=$(printf '%s\n%s' "$sr" "$end" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$hex" -binary | base64 -w0)
    printf 'SharedAccessSignature sr=%s&sig=%s&se=%s' "$sr" "$(jq -rn --arg s "$sig" '$s|@uri')" "$end"
    [ -z "${3:-}" ] || printf '&skn=%s' "$3"
}

mqtt_port=$(free_port) https_port=$(free_port) registry_port=$(free_port)
start() { # returns when it is up
    local line
    mkfifo "$work/ready"
    "$hub" --role cloud --dir "$work/hub" --mqtt-port "$mqtt_port" --https-port "$https_port" --registry-port "$registry_port" \
        --ready-fd 9 --log "$work/hub.log" 9>"$work/ready" 2>/dev/null &
    pid=$!
    read -r -t 30 line <"$work/ready"
    rm "$work/ready"
    [ "$line" = ready ]
}

ca=$work/hub/ca.pem
host=sandbox.berth.internal
api() { # METHOD PATH [CURL-OPTIONS...]
    curl -sS --max-time 20 --cacert "$ca" --connect-to "$host:443:127.0.0.1:$https_port" -H "Authorization: $service" \
        -X "$1" -w '\n%{http_code}' "https://$host$2?api-version=2021-04-12" "${@:3}"
}
api_is() { # STATUS METHOD PATH [CURL-OPTIONS...]
    local answer
    answer=$(api "${@:2}") && echo "$answer" && [ "${answer##*$'\n'}" = "$1" ]
}
publish() { # TOKEN [MOSQUITTO-OPTIONS...]
    mosquitto_pub -h localhost -p "$mqtt_port" --cafile "$ca" -V mqttv311 -i dev1 -u "$host/dev1/?api-version=2021-04-12" -P "$1" \
        -q 1 -t 'devices/dev1/messages/events/source=mosquitto' "${@:2}"
}
refused() { # TOKEN
    publish "$1" -m x && return 1
    publish "$1" -m x 2>&1 | grep -q 'not authorised'
}
event_seen() {
    api GET /sandbox/events | head -n 1 | jq -e --arg body "$(printf hello | base64)" \
        '.events[-1] | .properties.source == "mosquitto" and .bodyBase64 == $body and .deviceId == "dev1"'
}
twin_by_request() { # mosquitto_rr subscribes, publishes and waits for the answer on one connection
    mosquitto_rr -h localhost -p "$mqtt_port" --cafile "$ca" -V mqttv311 -i dev1 -u "$host/dev1/?api-version=2021-04-12" \
        -P "$(sas "$host/devices/dev1" "$key")" -t "\$iothub/twin/GET/?\$rid=1" -e "\$iothub/twin/res/#" -m ' ' -W 10 |
        jq -e '.desired["$version"] == 1'
}
small_image() { # an image of one empty layer, as an OCI folder
    local dir=$work/image config layer manifest
    mkdir -p "$dir/blobs/sha256" "$work/empty"
    put() { # FILE -> digest
        local digest
        digest=$(sha256sum <"$1" | cut -d' ' -f1)
        cp "$1" "$dir/blobs/sha256/$digest"
        echo "$digest"
    }
    tar -C "$work/empty" -cf "$work/layer" .
    layer=$(put "$work/layer")
    printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' "$layer" >"$work/config"
    config=$(put "$work/config")
    printf '{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:%s","size":%d},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha256:%s","size":%d}]}' \
        "$config" "$(stat -c %s "$work/config")" "$layer" "$(stat -c %s "$work/layer")" >"$work/manifest"
    manifest=$(put "$work/manifest")
    printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:%s","size":%d}]}' \
        "$manifest" "$(stat -c %s "$work/manifest")" >"$dir/index.json"
    printf '{"imageLayoutVersion":"1.0.0"}' >"$dir/oci-layout"
}
push_and_read() {
    mkdir -p "$work/certs" && cp "$ca" "$work/certs/ca.crt" && small_image &&
        skopeo copy --dest-cert-dir "$work/certs" "oci:$work/image" "docker://localhost:$registry_port/sample:1" &&
        skopeo inspect --cert-dir "$work/certs" "docker://localhost:$registry_port/sample:1" | jq -e '.Architecture == "amd64"'
}
children() { pgrep -f "docker-registry serve $work/hub/registry-1.yml"; }
registry_answers() { curl -sf --max-time 2 --cacert "$ca" "https://localhost:$registry_port/v2/"; }
registry_comes_back() {
    local child old end=$((SECONDS + 20))
    old=$(children | head -n 1)
    kill -9 "$old" || return 1
    while [ "$SECONDS" -lt "$end" ]; do
        child=$(children | head -n 1)
        if [ -n "$child" ] && [ "$child" != "$old" ] && registry_answers; then return 0; fi
        read -r -t 0.2 <> <(:) || :
    done
    return 1
}
gone() { # within 5 s of the hub's end
    local end=$((SECONDS + 5))
    while [ "$SECONDS" -lt "$end" ]; do
        children >/dev/null || return 0
        read -r -t 0.1 <> <(:) || :
    done
    return 1
}
private() {
    local file
    [ "$(stat -c %a "$work/hub")" = 700 ] || return 1
    for file in ca.key server.key hub.db sandbox.json registry-1.yml; do
        [ "$(stat -c %a "$work/hub/$file")" = 600 ] || return 1
    done
}
loopback_only() { ! ss -Hltn | awk '{print $4}' | grep -E ":($mqtt_port|$https_port|$registry_port)\$" | grep -v '^127\.0\.0\.1:'; }

check 'it starts with its registry' start || exit 1
string=$(jq -r .serviceConnectionString "$work/hub/sandbox.json")
service_key=${string##*SharedAccessKey=}
service=$(sas "$host" "$service_key" iothubowner)
check 'its files are private' private
check 'it listens on the loopback only' loopback_only
check 'curl creates a device' api_is 200 PUT /devices/dev1 -d '{"deviceId":"dev1"}'
key=$(api GET /devices/dev1 | head -n 1 | jq -r .authentication.symmetricKey.primaryKey)
check 'mosquitto publishes with a token' publish "$(sas "$host/devices/dev1" "$key")" -m hello
check 'what it published is seen' event_seen
check 'a wrong key is refused' refused "$(sas "$host/devices/dev1" MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=)"
check 'an expired token is refused' refused "$(sas "$host/devices/dev1" "$key" '' -400)"
check 'the twin is read over MQTT' twin_by_request
service=$(sas "$host" "$service_key" service)
check 'a token under a wrong policy name is refused' api_is 401 GET /devices/dev1
service=$(sas other.host "$service_key" iothubowner)
check 'a token for another hub is refused' api_is 401 GET /devices/dev1
service=$(sas "$host" "$service_key" iothubowner)
check 'an unknown device is 404' api_is 404 GET /devices/none
check 'an image is pushed and read back' push_and_read
check 'a registry that dies is started again' registry_comes_back
kill -9 "$pid" && wait "$pid" 2>/dev/null
check 'SIGKILL takes the registry along' gone
check 'it starts again' start
check 'and still has the device' api_is 200 GET /devices/dev1
exit $failed
