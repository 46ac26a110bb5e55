#!/bin/bash
# A device with a real TPM 2.0 (swtpm, driven by tpm2-tools) goes through the Device Provisioning Service: it is challenged, imports the
# key of the challenge, registers with it, imports the key of its device, and speaks to the hub with that.
# shellcheck source=tests/lib.sh disable=SC2154,SC2317
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/support/hub.sh
. "$(dirname "$0")/../support/hub.sh"
setup_private

ek=0x81010001 srk=0x81000001
declare -A tpm_pids

cleanup_extra() {
    local pid
    hub_kill
    for pid in "${tpm_pids[@]}"; do kill "$pid" 2>/dev/null; done
}

# ------------------------------------------------------------------------------------------ TPMs

use_tpm() { # NAME
    export TPM2TOOLS_TCTI=swtpm:path=$work/$1.sock
    tpm=$work/$1
}

start_tpm() { # NAME
    mkdir -p "$work/$1"
    swtpm socket --tpm2 --tpmstate "dir=$work/$1" --server "type=unixio,path=$work/$1.sock" \
        --ctrl "type=unixio,path=$work/$1.sock.ctrl" --flags not-need-init,startup-clear >"$work/$1.log" 2>&1 &
    tpm_pids[$1]=$!
    use_tpm "$1"
    wait_until 10 test -S "$work/$1.sock.ctrl"
    tpm2_createek -Q -G rsa -c "$ek" &&
        tpm2_createprimary -Q -C o -G rsa2048 -c "$tpm/srk.ctx" \
            -a 'restricted|decrypt|fixedtpm|fixedparent|noda|userwithauth|sensitivedataorigin' &&
        tpm2_evictcontrol -Q -C o -c "$tpm/srk.ctx" "$srk" &&
        tpm2_readpublic -Q -c "$ek" -o "$tpm/ek.pub" &&
        tpm2_readpublic -Q -c "$srk" -o "$tpm/srk.pub" &&
        tpm2_flushcontext -t
}

# The next part of an activation blob, with its length in front; $offset moves behind it.
part_of() { # BLOB FILE
    local len
    len=$((16#$(od -An -tx1 -j "$offset" -N 2 "$1" | tr -d ' \n')))
    tail -c "+$((offset + 1))" "$1" | head -c $((len + 2)) >"$2"
    offset=$((offset + len + 2))
}

# What a client does with an activation blob: afterwards the key is in the TPM as $tpm/id.ctx.
activate() { # BLOB
    offset=0
    part_of "$1" "$tpm/credential"
    part_of "$1" "$tpm/secret"
    part_of "$1" "$tpm/duplicate"
    part_of "$1" "$tpm/seed"
    part_of "$1" "$tpm/id.pub"
    part_of "$1" "$tpm/uri"
    [ "$offset" -eq "$(stat -c %s "$1")" ] || return 1
    # tpm2-tools' own frame: a magic number and a version in front.
    { printf '\272\334\300\336\0\0\0\1' && cat "$tpm/credential" "$tpm/secret"; } >"$tpm/credential.file"
    tpm2_startauthsession -Q --policy-session -S "$tpm/session" && tpm2_policysecret -Q -S "$tpm/session" -c e &&
        tpm2_activatecredential -Q -c "$srk" -C "$ek" -i "$tpm/credential.file" -o "$tpm/inner" -P "session:$tpm/session"
    local status=$?
    tpm2_flushcontext "$tpm/session"
    tpm2_flushcontext -t
    [ "$status" -eq 0 ] || return 1
    tpm2_import -Q -C "$srk" -i "$tpm/duplicate" -s "$tpm/seed" -u "$tpm/id.pub" -k "$tpm/inner" -r "$tpm/id.priv" &&
        tpm2_flushcontext -t && tpm2_load -Q -C "$srk" -u "$tpm/id.pub" -r "$tpm/id.priv" -c "$tpm/id.ctx"
    status=$?
    tpm2_flushcontext -t
    return "$status"
}

# A token that the key in the TPM signs.
tpm_token() { # RESOURCE [POLICY]
    local resource expiry signature
    resource=$(urlencode "$1")
    expiry=$(($(date +%s) + 600))
    signature=$(printf '%s\n%s' "$resource" "$expiry" | tpm2_hmac -c "$tpm/id.ctx" -g sha256 | base64 -w 0)
    tpm2_flushcontext -t
    printf 'SharedAccessSignature sr=%s&sig=%s&se=%s%s' "$resource" "$(urlencode "$signature")" "$expiry" "${2:+&skn=$2}"
}

# ------------------------------------------------------------------------------------------ the service

# The status is left in $status, the body in $work/answer.
dps() { # AUTH METHOD PATH [BODY]
    status=$(curl -s --max-time 20 --cacert "$work/hub/ca.pem" -X "$2" ${1:+-H "Authorization: $1"} \
        -H 'Content-Type: application/json' -o "$work/answer" -w '%{http_code}' \
        "https://localhost:$hub_https$3?api-version=2021-06-01" ${4:+-d "$4"})
}
answered() { # STATUS JQ-FILTER
    [ "$status" = "$1" ] && jq -e "$2" "$work/answer" >/dev/null
}
explain() { echo "status ${status:-}, answer: $(cat "$work/answer" 2>/dev/null)"; }

owner_token() {
    local service key expiry resource signature
    service=$(jq -r .dps.serviceConnectionString "$work/hub/sandbox.json")
    key=$(part "$service" SharedAccessKey | base64 -d | od -An -tx1 | tr -d ' \n')
    expiry=$(($(date +%s) + 3600))
    resource=$(part "$service" HostName)
    signature=$(printf '%s\n%s' "$resource" "$expiry" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | base64 -w 0)
    printf 'SharedAccessSignature sr=%s&sig=%s&se=%s&skn=provisioningserviceowner' "$resource" "$(urlencode "$signature")" "$expiry"
}

keys_json() { # ID
    jq -cn --arg id "$1" --arg ek "$(base64 -w 0 "$tpm/ek.pub")" --arg srk "$(base64 -w 0 "$tpm/srk.pub")" \
        '{registrationId: $id, tpm: {endorsementKey: $ek, storageRootKey: $srk}}'
}

challenge() {
    dps '' PUT "/$scope/registrations/tpm-1/register" "$(keys_json tpm-1)"
    answered 401 .authenticationKey && jq -r .authenticationKey "$work/answer" | base64 -d >"$work/blob"
}

# What starts processes runs here and not in check's subshell.
begins() { # NAME COMMAND...
    local name=$1
    shift
    if "$@"; then ok "$name"; else not_ok "$name" "$(cat "$work"/*.log "$work/hub.out" 2>/dev/null | tail -n 5)"; exit; fi
}

begins 'a TPM with endorsement key and storage root key' start_tpm first
begins 'another one' start_tpm second
begins 'the sandbox starts' hub_start
scope=$(jq -r .dps.idScope "$work/hub/sandbox.json")
host=$(jq -r .dps.host "$work/hub/sandbox.json")

use_tpm first
dps "$(owner_token)" PUT /enrollments/tpm-1 "$(jq -cn --arg ek "$(base64 -w 0 "$tpm/ek.pub")" \
    '{deviceId: "press", attestation: {type: "tpm", tpm: {endorsementKey: $ek}}}')"
check 'it is enrolled by its endorsement key' answered 200 '.attestation.tpm.endorsementKey'

use_tpm second
dps '' PUT "/$scope/registrations/tpm-1/register" "$(keys_json tpm-1)"
check 'another TPM is not challenged' answered 401 '.authenticationKey | not'

use_tpm first
check 'this one is' challenge
check 'by the name of the key' answered 401 '.keyName == "registration" and (.message | length > 0)'
check 'and can open it' activate "$work/blob" || exit
cp "$work/blob" "$work/first.blob"

hub_kill
begins 'the sandbox starts again after it was killed' hub_start
token=$(tpm_token "$scope/registrations/tpm-1" registration)
dps "$token" PUT "/$scope/registrations/tpm-1/register" '{"registrationId":"tpm-1"}'
check 'it registers with the key of its challenge of before' answered 202 '.status == "assigning"'
dps "$token" GET "/$scope/registrations/tpm-1/operations/$(jq -r .operationId "$work/answer")"
check 'and is assigned' answered 200 '.registrationState.deviceId == "press" and .status == "assigned"'
jq -r '.registrationState.tpm.authenticationKey' "$work/answer" | base64 -d >"$work/blob"
check 'with the key of its device, which it imports' activate "$work/blob" || exit

token=$(tpm_token "$host/devices/press")
dps "$token" GET /devices/press/modules
check "the hub's REST knows that key" answered 200 'type == "array"'
check 'and so does its MQTT' mosquitto_pub -h localhost -p "$hub_mqtt" --cafile "$work/hub/ca.pem" -V mqttv311 -i press \
    -u "$host/press/?api-version=2021-04-12" -P "$token" -t devices/press/messages/events/ -q 1 -m hello

use_tpm second
if activate "$work/first.blob" >/dev/null 2>&1; then
    not_ok 'another TPM cannot open what was meant for this one' 'it did'
else
    ok 'another TPM cannot open what was meant for this one'
fi
