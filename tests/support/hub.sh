# A hub of the test's own below $work, and calls of its service API. Source it after tests/lib.sh.
# shellcheck shell=bash disable=SC2154

hub_mqtt=$((30000 + RANDOM % 15000))
hub_https=$((hub_mqtt + 1))
hub_options=()

hub_start() {
    local line=
    rm -f "$work/hub.ready"
    mkfifo "$work/hub.ready"
    exec 8<>"$work/hub.ready"
    berth-hub --role cloud --dir "$work/hub" --mqtt-port "$hub_mqtt" --https-port "$hub_https" --no-registry \
        --log "$work/hub.log" --ready-fd 8 "${hub_options[@]}" >"$work/hub.out" 2>&1 &
    hub_pid=$!
    read -rt 30 line <&8
    exec 8<&-
    [ "$line" = ready ]
}

hub_kill() {
    [ -n "${hub_pid:-}" ] || return 0
    kill -9 "$hub_pid" 2>/dev/null
    wait "$hub_pid" 2>/dev/null
    hub_pid=
}

part() { tr ';' '\n' <<<"$1" | sed -n "s/^$2=//p"; }
urlencode() { jq -Rr @uri <<<"$1"; }

# A service token from one of the sandbox's own connection strings, which FILTER finds in its record.
hub_token() { # FILTER
    local service host key expiry resource signature
    service=$(jq -r "$1" "$work/hub/sandbox.json")
    host=$(part "$service" HostName)
    key=$(part "$service" SharedAccessKey | base64 -d | od -An -tx1 | tr -d ' \n')
    expiry=$(($(date +%s) + 3600))
    resource=$(urlencode "${host%%:*}")
    signature=$(printf '%s\n%s' "$resource" "$expiry" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | base64)
    printf 'SharedAccessSignature sr=%s&sig=%s&se=%s&skn=%s' "$resource" "$(urlencode "$signature")" "$expiry" \
        "$(part "$service" SharedAccessKeyName)"
}

hub_call() { # METHOD PATH [CURL-ARGS...]
    local method=$1 path=$2
    shift 2
    [ -n "${hub_auth:-}" ] || hub_auth=$(hub_token .serviceConnectionString)
    curl -sf --max-time 20 --cacert "$work/hub/ca.pem" -X "$method" -H "Authorization: $hub_auth" \
        -H 'Content-Type: application/json' "https://localhost:$hub_https$path?api-version=2021-04-12" "$@"
}

# The same of the provisioning service.
dps_call() { # METHOD PATH [CURL-ARGS...]
    local method=$1 path=$2
    shift 2
    curl -sf --max-time 20 --cacert "$work/hub/ca.pem" -X "$method" -H "Authorization: $(hub_token .dps.serviceConnectionString)" \
        -H 'Content-Type: application/json' "https://localhost:$hub_https$path?api-version=2021-10-01" "$@"
}

# The connection string of a new edge device, with the port that the test's hub has.
hub_device() { # ID
    local key
    key=$(hub_call PUT "/devices/$1" -d "{\"deviceId\":\"$1\",\"capabilities\":{\"iotEdge\":true}}" |
        jq -r .authentication.symmetricKey.primaryKey)
    printf 'HostName=localhost:%s;DeviceId=%s;SharedAccessKey=%s' "$hub_mqtt" "$1" "$key"
}

# The connection string of a new leaf device below the edge device EDGE, for a client that goes to the hub itself; with
# ";GatewayHostName=NAME" behind it, for one that goes to the edge hub.
hub_leaf() { # EDGE ID
    local scope key
    scope=$(hub_call GET "/devices/$1" | jq -r .deviceScope)
    key=$(jq -cn --arg id "$2" --arg scope "$scope" '{deviceId: $id, deviceScope: $scope}' |
        hub_call PUT "/devices/$2" -d @- | jq -r .authentication.symmetricKey.primaryKey)
    printf 'HostName=localhost:%s;DeviceId=%s;SharedAccessKey=%s' "$hub_mqtt" "$2" "$key"
}

# Deploys; MODULES is the JSON object of user modules. The edge hub is stopped unless $hub_edge has members that say otherwise.
hub_deploy() { # DEVICE MODULES
    jq -cn --argjson modules "$2" --argjson edge "${hub_edge:-{\}}" '{modulesContent: {"$edgeAgent": {"properties.desired": {schemaVersion: "1.1",
        runtime: {type: "docker", settings: {}}, modules: $modules, systemModules: {
            edgeAgent: {type: "docker", settings: {image: "a:1", createOptions: "{}"}},
            edgeHub: ({type: "docker", status: "stopped", restartPolicy: "always", settings: {image: "h:1", createOptions: "{}"}} + $edge)}}},
        "$edgeHub": {"properties.desired": {schemaVersion: "1.1", routes: {}, storeAndForwardConfiguration: {timeToLiveSecs: 60}}}}}' |
        hub_call POST "/devices/$1/applyConfigurationContent" -d @-
}

hub_reported() { # DEVICE JQ-FILTER
    hub_call GET "/twins/$1/modules/%24edgeAgent" | jq -e ".properties.reported | $2"
}
