#!/bin/bash
# berth-edged comes to its hub in each of the six ways, through the sandbox's own provisioning service, and stays what it is: without a
# network, killed at any time, moved to another device, behind a proxy, with a wrong key. In a network of its own, on the usual ports.
# shellcheck source=tests/lib.sh disable=SC2016,SC2154,SC2317
if [ -z "${BERTH_OWN_NETWORK:-}" ]; then
    as_root=-r
    [ "$(id -u)" -ne 0 ] || as_root=
    export BERTH_OWN_NETWORK=1
    exec unshare $as_root -n "$0" "$@"
fi
. "$(dirname "$0")/../lib.sh"
set -o pipefail
ip link set lo up
setup_private
# shellcheck source=tests/support/hub.sh
. "$(dirname "$0")/../support/hub.sh"
hub_mqtt=8883 hub_https=443 hub_options=(--host-name localhost)
mgmt=$work/mgmt.sock
state=$work/edged

cleanup_extra() {
    edged_stop -9
    hub_kill
    for pid in "${helpers[@]}"; do kill "$pid" 2>/dev/null; done
}
helpers=()
explain() { tail -n 3 "$work/edged.log"; }

# ---- the runtime
config() { # TOP-LEVEL-LINES; the rest comes from standard input
    { printf '%s\ntrust_bundle_cert = "file://%s/hub/ca.pem"\n' "$1" "$work"; cat; } >"$work/config.toml"
}
edged_start() { # [OPTIONS...]
    berth-edged --config "$work/config.toml" --state-dir "$state" --mgmt-socket "$mgmt" --engine-socket "$work/no-engine" \
        "$@" >>"$work/edged.log" 2>&1 &
    edged_pid=$!
}
edged_stop() { # [SIGNAL]: its exit status
    [ -n "${edged_pid:-}" ] || return 0
    kill "${1:--TERM}" "$edged_pid" 2>/dev/null
    edged_wait
}
edged_wait() {
    local status=0
    wait "$edged_pid" 2>/dev/null || status=$?
    edged_pid=
    return $status
}
edged_ends() { ! kill -0 "$edged_pid" 2>/dev/null; }
info() { curl -sf --max-time 5 --unix-socket "$mgmt" 'http://m/systeminfo?api-version=2022-08-03' | jq -e "$1"; }
connected_as() { info ".cloud_state == \"connected\" and .device_id == \"$1\""; }
error_has() { info ".cloud_error | contains(\"$1\")"; }
logged() { grep -qF "$1" "$work/edged.log"; }
asked() { grep -c 'provisioning: asking' "$work/edged.log"; }
fresh() { rm -rf "$state"; : >"$work/edged.log"; }
connects() { # NAME DEVICE
    edged_start
    check "$1" wait_until 30 connected_as "$2"
}

# ---- the provisioning service
dps_call() { # METHOD PATH [CURL-ARGS...]
    local method=$1 path=$2 service key expiry signature
    shift 2
    service=$(jq -r .dps.serviceConnectionString "$work/hub/sandbox.json")
    key=$(part "$service" SharedAccessKey | base64 -d | od -An -tx1 | tr -d ' \n')
    expiry=$(($(date +%s) + 3600))
    signature=$(printf 'localhost\n%s' "$expiry" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | base64)
    curl -sf --max-time 20 --cacert "$work/hub/ca.pem" -X "$method" -H 'Content-Type: application/json' \
        -H "Authorization: SharedAccessSignature sr=localhost&sig=$(urlencode "$signature")&se=$expiry&skn=provisioningserviceowner" \
        "https://localhost$path?api-version=2021-10-01" "$@"
}
enrol() { # ID ATTESTATION-JSON [MORE-JSON [CURL-ARGS...]]
    local id=$1 attestation=$2 more=${3:-null}
    shift $(($# < 3 ? $# : 3))
    jq -cn --arg id "$id" --argjson attestation "$attestation" --argjson more "$more" \
        '{registrationId: $id, attestation: $attestation, capabilities: {iotEdge: true}} + ($more // {})' |
        dps_call PUT "/enrollments/$id" -d @- "$@"
}
enrol_key() { enrol "$1" "$(jq -cn --arg k "$key" '{type: "symmetricKey", symmetricKey: {primaryKey: $k, secondaryKey: $k}}')" "${@:2}"; }
dps_config() { # REGISTRATION-ID METHOD [TOP-LEVEL-LINES]; lines of [provisioning.attestation] from standard input
    { printf '[provisioning]\nsource = "dps"\nglobal_endpoint = "https://localhost"\nid_scope = "%s"\n' "$scope"
        printf '[provisioning.attestation]\nmethod = "%s"\n' "$2"
        [ -z "$1" ] || printf 'registration_id = "%s"\n' "$1"
        cat; } | config "${3-}"
}
raw=0123456789abcdef0123456789abcdef
key=$(printf %s $raw | base64)

step 'the hub starts' hub_start
scope=$(jq -r .dps.idScope "$work/hub/sandbox.json")

# ---- manual
string=$(hub_device manual-1)
printf '[provisioning]\nsource = "manual"\nconnection_string = "%s"\n' "$string" | config ''
connects 'a connection string' manual-1
check 'is told as what it is' info '.provisioning.type == "manual.device_connection_string" and .provisioning.dynamicReprovisioning == false'
edged_stop
device_key=$(part "$string" SharedAccessKey)
manual_key() { # DEVICE-ID-PK
    printf '[provisioning]\nsource = "manual"\niothub_hostname = "localhost"\ndevice_id = "manual-1"\n
[provisioning.authentication]\nmethod = "sas"\ndevice_id_pk = { %s }\n' "$1" | config ''
}
fresh
manual_key "value = \"$device_key\""
connects 'a symmetric key in the configuration' manual-1
edged_stop
check 'it is in the key store only, raw and private' same "$(stat -c '%a %s' "$state/keys/device-id.key" | tr '\n' ' ')" '600 32 '
base64 -d <<<"$device_key" >"$work/raw.key"
manual_key "uri = \"file://$work/raw.key\""
connects 'a symmetric key in a file' manual-1
edged_stop
check 'the former copy is gone' test ! -e "$state/keys/device-id.key"

# ---- certificates: a hub and a service that let nobody in without the device's own, and write down what they are asked
cat >"$work/answer" <<'END'
#!/bin/bash
IFS= read -r line
length=0 status=200
printf '%s\n' "${line%$'\r'}" >>"$1/asked"
while IFS= read -r header && [ "${header%$'\r'}" ]; do
    case ${header,,} in
    content-length:*) header=${header#*: } length=${header%$'\r'} ;;
    authorization:*) printf 'authorization\n' >>"$1/asked" ;;
    esac
done
[ "$length" -eq 0 ] || { head -c "$length"; echo; } >>"$1/asked"
case $line in
*/register*) status=202 body='{"operationId":"4.op","status":"assigning"}' ;;
*/operations/*) body='{"operationId":"4.op","status":"assigned","registrationState":{"assignedHub":"localhost","deviceId":"x509-1"}}' ;;
*) body='{"moduleId":"$edgeAgent","deviceId":"x509-1","generationId":"7"}' ;;
esac
printf 'HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nRetry-After: 1\r\nContent-Length: %d\r\n\r\n%s' $status ${#body} "$body"
END
chmod +x "$work/answer"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=x509-1 -keyout "$work/device.key" -out "$work/device.pem" 2>/dev/null
socat "OPENSSL-LISTEN:1443,bind=127.0.0.1,reuseaddr,fork,cert=$work/hub/server.pem,key=$work/hub/server.key,cafile=$work/device.pem,verify=1" \
    EXEC:"$work/answer $work" 2>>"$work/socat.log" &
helpers+=($!)
certificate=$(printf 'identity_cert = "file://%s/device.pem"\nidentity_pk = "file://%s/device.key"' "$work" "$work")
calls() { grep -oE '^(GET|PUT) [^?]*' "$work/asked" | tr '\n' ' '; }

fresh
printf '[provisioning]\nsource = "manual"\niothub_hostname = "localhost"\ndevice_id = "x509-1"\n[provisioning.authentication]\nmethod = "x509"\n%s\n' \
    "$certificate" | config ''
edged_start --https-port 1443
check 'a certificate opens the hub, and the module gets its key' wait_until 20 logged 'the hub took the key of $edgeAgent'
edged_stop
check 'by the calls that Azure expects' same "$(calls)" 'GET /devices/x509-1/modules/$edgeAgent PUT /devices/x509-1/modules/$edgeAgent '
check 'without a token' eval '! grep -q ^authorization "$work/asked"'
check 'with a key of its own' jq -e '.authentication.type == "sas" and (.authentication.symmetricKey.primaryKey | length == 44)' \
    <<<"$(grep -o '{.*}' "$work/asked")"
fresh
rm "$work/asked"
scope=0ne1 dps_config '' x509 <<<"$certificate"
sed -i 's|https://localhost|https://localhost:1443|' "$work/config.toml"
edged_start --https-port 1443
check 'a certificate opens the provisioning service and the hub' wait_until 20 logged 'the hub took the key of $edgeAgent'
check 'is told as what it is' info '.provisioning.type == "dps.x509" and .device_id == "x509-1"'
edged_stop
check 'its name is the registration id' same "$(calls)" "PUT /0ne1/registrations/x509-1/register GET /0ne1/registrations/x509-1/operations/4.op \
GET /devices/x509-1/modules/\$edgeAgent PUT /devices/x509-1/modules/\$edgeAgent "
check 'without a token, too' eval '! grep -q ^authorization "$work/asked"'
sed -i 's|device.key|cert.key|' "$work/config.toml"
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/cert.key" 2>/dev/null
said=$(berth-edged --check-config "$work/config.toml" 2>&1)
check 'a key that does not fit its certificate is found out' grep -q 'identity_cert and identity_pk do not fit' <<<"$said"

# ---- provisioning service: key
fresh
step 'a key is enrolled' enrol_key reg-1 >/dev/null
dps_config reg-1 symmetric_key <<<"symmetric_key = { value = \"$key\" }"
connects 'a key of the provisioning service' reg-1
check 'is told as what it is' info '.provisioning.type == "dps.symmetric_key" and .provisioning.dynamicReprovisioning and .hub_name == "localhost"'
edged_stop
check 'its files are private' same "$(stat -c %a "$state" "$state/keys" "$state"/keys/*.key "$state/provisioning.json" "$state/identities.json" | tr '\n' ' ')" '700 700 600 600 600 600 '
check 'no key is in the log or in other files' eval '! grep -rqF -e "$key" -e "$raw" "$work/edged.log" "$state"/*.json'
before=$(asked)
connects 'the second start' reg-1
check 'asks nobody' same "$(asked)" "$before"
edged_stop
mkdir "$work/bin"
ln -s /bin/true "$work/bin/systemctl" # restarts are this test's own
check 'an operator wants it asked anew' env PATH="$work/bin:$PATH" iotedge --config-file "$work/config.toml" --state-dir "$state" system reprovision
connects 'the third start' reg-1
check 'asks once' eval 'same "$(asked)" "$((before + 1))" && [ ! -e "$state/reprovision" ]'
edged_stop

hub_kill
edged_start
check 'without a network it knows who it is' wait_until 10 info '.device_id == "reg-1" and .hub_name == "localhost"'
check 'and why it is not connected' wait_until 10 info '.cloud_state == "disconnected" and (.cloud_error != "")'
step 'the network comes back' hub_start
check 'and it connects by itself' wait_until 60 connected_as reg-1
edged_stop

dps_config reg-1 symmetric_key 'auto_reprovisioning_mode = "AlwaysOnStartup"' <<<"symmetric_key = { value = \"$key\" }"
before=$(asked)
connects 'AlwaysOnStartup' reg-1
check 'asks at the start' same "$(asked)" "$((before + 1))"
edged_stop
hub_kill
edged_start
check 'AlwaysOnStartup without a network goes on with what it knew' wait_until 20 logged 'going on with what was known before'
check 'as the same device' info '.device_id == "reg-1"'
edged_stop
step 'the hub starts again' hub_start

# ---- a device that is no more, and another one
dps_config reg-1 symmetric_key 'auto_reprovisioning_mode = "OnErrorOnly"' <<<"symmetric_key = { value = \"$key\" }"
step 'the device is deleted in the hub' hub_call DELETE /devices/reg-1 -H 'If-Match: "*"'
before=$(asked)
connects 'OnErrorOnly: the hub refuses its identity, the service makes it again' reg-1
check 'asked once' same "$(asked)" "$((before + 1))"
edged_stop
dps_config reg-1 symmetric_key <<<"symmetric_key = { value = \"$key\" }"
connects 'a running device' reg-1
step 'is deleted in the hub' hub_call DELETE /devices/reg-1 -H 'If-Match: "*"'
before=$(asked)
hub_kill
step 'which is restarted' hub_start
check 'it asks the service' wait_until 60 eval '[ "$(asked)" -gt "$before" ]'
check 'which makes it again' wait_until 30 connected_as reg-1
enrol_key reg-1 '{"deviceId": "moved-1"}' -H 'If-Match: *' >/dev/null
dps_call DELETE /registrations/reg-1
hub_call DELETE /devices/reg-1 -H 'If-Match: "*"'
hub_kill
step 'the service has another place for it' hub_start
check 'then it ends to start anew' wait_until 60 edged_ends
edged_ends || kill -9 "$edged_pid"
edged_wait
check 'with the exit status that says so' same "$?" 154
connects 'and is the other device' moved-1
edged_stop
before=$(asked)
step 'a key is enrolled' enrol_key reg-2 >/dev/null
dps_config reg-2 symmetric_key <<<"symmetric_key = { value = \"$key\" }"
connects 'a changed configuration' reg-2
check 'is asked for anew' same "$(asked)" "$((before + 1))"
edged_stop

# ---- refusals
refused() { # NAME STATE TEXT
    edged_start
    check "$1" wait_until 30 info ".cloud_state == \"$2\" and (.cloud_error | contains(\"$3\"))"
    edged_stop
}
fresh
dps_config reg-1 symmetric_key <<<"symmetric_key = { value = \"$(printf %s "${raw/0/1}" | base64)\" }"
refused 'a wrong key' refused 'the provisioning service refused'
enrol_key reg-3 '{"provisioningStatus": "disabled"}' >/dev/null
dps_config reg-3 symmetric_key <<<"symmetric_key = { value = \"$key\" }"
refused 'a disabled enrolment' refused 'provisioning service'
scope=0ne00000000 dps_config reg-1 symmetric_key <<<"symmetric_key = { value = \"$key\" }"
refused 'an unknown scope' refused 'provisioning service'
dps_config reg-1 symmetric_key <<<"symmetric_key = { value = \"$key\" }"
sed -i /trust_bundle_cert/d "$work/config.toml"
refused 'a service that nobody vouches for' disconnected 'certificate is not trusted'
sed -i 's|https://localhost|https://nosuch.invalid|' "$work/config.toml"
refused 'a service whose name does not resolve' disconnected 'nosuch.invalid'

# ---- proxy
cat >"$work/connect" <<'END'
#!/bin/bash
IFS=' ' read -r method target _
printf '%s %s\n' "$method" "$target" >>"$1/proxied"
while IFS= read -r header && [ "${header%$'\r'}" ]; do printf '%s\n' "${header%$'\r'}" >>"$1/proxied"; done
printf 'HTTP/1.1 200 OK\r\n\r\n'
exec socat - "TCP:$target"
END
chmod +x "$work/connect"
socat TCP-LISTEN:3128,bind=127.0.0.1,reuseaddr,fork EXEC:"$work/connect $work" 2>>"$work/socat.log" &
helpers+=($!)
fresh
{ printf 'symmetric_key = { value = "%s" }\n' "$key"; cat <<'END'
[agent]
name = "edgeAgent"
type = "docker"
config = { image = "agent" }
env = { https_proxy = "http://user:secret@127.0.0.1:3128" }
END
} | dps_config reg-2 symmetric_key
connects 'through a proxy' reg-2
check 'it asked the proxy for the service and the hub' eval 'grep -q "^CONNECT localhost:443$" "$work/proxied" && grep -q "^CONNECT localhost:8883$" "$work/proxied"'
check 'with its name' grep -qi "^Proxy-Authorization: Basic $(printf user:secret | base64)" "$work/proxied"
edged_stop

# ---- provisioning service: certificates
new_key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
certificates() { # PLACE FILE: an attestation
    jq -cn --arg place "$1" --rawfile pem "$2" '{type: "x509", x509: {($place): {primary: {certificate: $pem}}}}'
}
shows() { # NAME
    printf 'identity_cert = "file://%s/%s.pem"\nidentity_pk = "file://%s/%s.key"\n' "$work" "$1" "$work" "$1" | dps_config '' x509
}
fresh
step 'a certificate is enrolled' enrol x509-1 "$(certificates clientCertificates "$work/device.pem")" >/dev/null
shows device
connects 'a certificate of the provisioning service' x509-1
check 'it opens the hub, too' same "$(hub_call GET /devices/x509-1 | jq -r '"\(.authentication.type) \(.capabilities.iotEdge)"')" 'selfSigned true'
edged_stop
check 'no key of the device is made' test ! -e "$state/keys/device-id.key"
hub_kill
edged_start
check 'with a certificate it knows who it is without a network' wait_until 10 info '.device_id == "x509-1"'
step 'the hub is there again' hub_start
check 'and connects when there is one' wait_until 60 connected_as x509-1
edged_stop
fresh
openssl req -x509 "${new_key[@]}" -days 2 -subj /CN=x509-1 -keyout "$work/other.key" -out "$work/other.pem" 2>/dev/null
shows other
refused 'another certificate of the same name' refused 'the provisioning service refused'

openssl req -x509 "${new_key[@]}" -days 2 -subj '/CN=Plant CA' -keyout "$work/plant.key" -out "$work/plant.pem" 2>/dev/null
openssl req "${new_key[@]}" -subj /CN=unit-1 -keyout "$work/unit.key" -out "$work/unit.csr" 2>/dev/null
openssl x509 -req -in "$work/unit.csr" -CA "$work/plant.pem" -CAkey "$work/plant.key" -CAcreateserial -days 2 2>/dev/null |
    cat - "$work/plant.pem" >"$work/unit.pem"
group=$(jq -cn --argjson attestation "$(certificates signingCertificates "$work/plant.pem")" \
    '{enrollmentGroupId: "plant", attestation: $attestation, capabilities: {iotEdge: true}}')
step 'an authority is enrolled' dps_call PUT /enrollmentGroups/plant -d "$group" >/dev/null
fresh
shows unit
connects 'a certificate of an authority that is enrolled' unit-1
edged_stop

# ---- provisioning service: TPM
mkdir "$work/tpm"
swtpm socket --tpm2 --server type=tcp,port=2321 --ctrl type=tcp,port=2322 --tpmstate "dir=$work/tpm" --flags not-need-init,startup-clear \
    2>>"$work/swtpm.log" &
helpers+=($!)
tcti=swtpm:host=127.0.0.1,port=2321
tpm_keys() { berth-edged --tpm-keys "$tcti" >"$work/tpm.json"; }
fresh
check 'the TPM tells what an enrolment needs' wait_until 10 tpm_keys
check 'and how it is mostly named there' test "$(jq -r .registrationId "$work/tpm.json")" = \
    "$(jq -r .endorsementKey "$work/tpm.json" | base64 -d | openssl dgst -sha256 -binary | base32 -w 0 | tr -d = | tr '[:upper:]' '[:lower:]')"
step 'the TPM is enrolled' enrol tpm-1 "$(jq -c '{type: "tpm", tpm: .}' "$work/tpm.json")" >/dev/null
printf '[tpm]\ntcti = "%s"\n' "$tcti" | dps_config tpm-1 tpm
connects 'a TPM' tpm-1
edged_stop
check 'no key of it is on disk' same "$(find "$state/keys" -name '*.key' -printf '%f ')" 'aziot_identityd_master_id.key '
before=$(asked)
connects 'a TPM, the second start' tpm-1
check 'asks nobody' same "$(asked)" "$before"
edged_stop
sed -i 's/port=2321/port=2399/' "$work/config.toml"
edged_start
check 'a TPM that is missing is missed' wait_until 20 error_has 'no TPM can be used'
edged_stop

# ---- killed at any time
fresh
step 'a key is enrolled' enrol_key killed-1 >/dev/null
dps_config killed-1 symmetric_key <<<"symmetric_key = { value = \"$key\" }"
for round in {1..12}; do
    edged_start
    read -rt "0.$((RANDOM % 5))$round" <> <(:)
    edged_stop -9
done
connects 'after twelve kills in the middle it connects' killed-1
check 'and nothing half-written is left' same "$(find "$state" -name '*.??????' | grep -v '\.json$')" ''
edged_stop
