#!/bin/bash
# Enrolments and authorities from the command line, and the proof that what is printed suffices: a device registers with it. What the
# hub of this tree cannot do is named in a `skip` line, by its own answer.
# shellcheck source=tests/lib.sh disable=SC2016,SC2154,SC2317
. "$(dirname "$0")/../lib.sh"
setup_private
export BERTH_LIBVIRT_URI=test:///default
answer=$work/out err=$work/err
base=$((20000 + RANDOM % 10000))
mqtt=$base https=$((base + 1)) registry=$((base + 2))

cleanup_extra() {
    berth sandbox stop >/dev/null 2>&1
}

run() {
    code=0
    timeout 60 berth "$@" >"$answer" 2>"$err" </dev/null || code=$?
}
expect() { # NAME CODE ARGS...
    local name=$1 wanted=$2
    shift 2
    run "$@"
    if [ "$code" -eq "$wanted" ]; then ok "$name"; else not_ok "$name" "exit $code instead of $wanted: $(tail -n 2 "$err")"; fi
}
lacks() { # NAME
    grep -qE 'cannot do this|no provisioning service|usage: berth-hub' "$err" || return 1
    printf 'skip %s: the hub answered "%s"\n' "$1" "$(head -n 1 "$err")"
}
hints() { grep -qF -- "$1" "$err"; }
json() { jq -e "$@" "$answer"; }
certificate() { # NAME CN [OPTIONS]: $work/NAME.pem, self-signed
    local name=$1 cn=$2
    shift 2
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3 -subj "/CN=$cn" \
        -keyout "$work/$name.key" -out "$work/$name.pem" "$@" 2>/dev/null
}
urlencode() { jq -rn --arg s "$1" '$s|@uri'; }
token() { # RESOURCE KEY
    local end=$(($(date +%s) + 300)) sr hex sig
    sr=$(urlencode "$1")
    hex=$(base64 -d <<<"$2" | od -An -tx1 -v | tr -d ' \n')
    sig=$(printf '%s\n%s' "$sr" "$end" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$hex" -binary | base64 -w0)
    printf 'SharedAccessSignature sr=%s&sig=%s&se=%s&skn=registration' "$sr" "$(urlencode "$sig")" "$end"
}

# Registers as a device does, with nothing but what $answer (of --json) says; prints the registration's end.
register() {
    local scope id host auth operation
    scope=$(jq -r .idScope "$answer") id=$(jq -r .registrationId "$answer") host=$(jq -r .globalEndpoint "$answer")
    auth=$(token "$scope/registrations/$id" "$(jq -r .key "$answer")")
    dps() { # METHOD PATH [ARGS...]
        local method=$1 path=$2
        shift 2
        curl -s --max-time 20 --cacert "$work/state/sandbox/ca.pem" --connect-to "$host:443:127.0.0.1:$https" -X "$method" \
            -H "Authorization: $auth" -H 'Content-Type: application/json' "https://$host/$scope/registrations/$id/$path?api-version=2021-06-01" "$@"
    }
    operation=$(dps PUT register -d "{\"registrationId\":\"$id\"}" | tee "$work/register" | jq -r .operationId)
    is_over() { dps GET "operations/$operation" | tee "$work/register" | jq -e '.status != "assigning"'; }
    wait_until 20 is_over
    cat "$work/register"
}

run sandbox start --mqtt-port "$mqtt" --https-port "$https" --registry-port "$registry" --hub second.berth.internal
if lacks 'several hubs'; then
    expect 'start' 0 sandbox start --mqtt-port "$mqtt" --https-port "$https" --registry-port "$registry"
else
    check 'start with two hubs' test "$code" -eq 0
    expect 'show --json' 0 sandbox show --json
    check 'names both, each with a string of its own' json '[.hubs[].host] == [.host, "second.berth.internal"] and (.hubs[1].serviceConnectionString | startswith("HostName=second.berth.internal;SharedAccessKeyName="))'
    expect 'a device of the second' 0 sandbox device create two-1 --hub second.berth.internal
    check 'has its name' grep -q '^HostName=second.berth.internal;DeviceId=two-1;' "$answer"
    expect 'it is on that' 0 sandbox device show two-1 --hub second.berth.internal
    expect 'and not on the first' 3 sandbox device show two-1
    expect 'a hub that is none' 3 sandbox device list --hub third
    check 'the way to the names is named' hints 'sandbox show'
    run sandbox stop
    expect 'started again' 0 sandbox start
    expect 'it has both' 0 sandbox show --json
    check 'as before' json '.hubs | length == 2'
    expect 'others are refused while it runs' 6 sandbox start --hub another
fi

# ---- what is wrong is said before the hub is asked
expect 'two proofs' 6 sandbox enrol create r1 --key --tpm AAAA
expect 'a file that is not there' 6 sandbox enrol create r1 --x509 "$work/nothing"

run sandbox enrol list
if ! lacks 'enrolments'; then
    expect 'no enrolment yet' 0 sandbox enrol list
    check 'the next step is named' hints 'enrol create'
    expect 'an enrolment with a key' 0 sandbox enrol create pump-1 --edge --json
    check 'prints what a device needs' json '.kind == "Enrolment" and .registrationId == "pump-1" and (.idScope | length > 4) and (.key | length == 44) and .edge and .auth == "sas"'
    check 'and a piece of config.toml' json '.configToml | test("method = \"symmetric_key\"") and test("id_scope = \"")'
    check 'a device registers with it' bash -c "jq -e '.status == \"assigned\" and .registrationState.deviceId == \"pump-1\"' <<<'$(register)'"
    hub=$(jq -r .registrationState.assignedHub "$work/register")
    expect 'its device is there' 0 sandbox device show pump-1 --json --hub "$hub"
    check 'an edge device' json .edge
    expect 'the same name again' 6 sandbox enrol create pump-1
    expect 'enrol show' 0 sandbox enrol show pump-1 --json
    check 'shows the same key' json '.key | length == 44'
    expect 'for people' 0 sandbox enrol show pump-1
    check 'with the words of the wizard' grep -qE '^ID scope +0ne' "$answer"
    echo 'MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=' >"$work/key"
    expect 'a key of our own' 0 sandbox enrol create own-1 --key-file "$work/key" --device named-1 --json
    check 'is taken' json '.key == "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=" and .deviceId == "named-1"'
    check 'the device gets its name' bash -c "jq -e '.registrationState.deviceId == \"named-1\"' <<<'$(register)'"

    expect 'a group with a key' 0 sandbox enrol create site-a --group --json
    check 'has a group key and no device yet' json '.group and (.groupKey | length == 44) and .registrationId == null and .configToml == null'
    expect 'a device of the group' 0 sandbox enrol show site-a --group --for Sensor-9 --json
    check 'has a derived key' json '.registrationId == "Sensor-9" and (.key | length == 44) and .key != .groupKey'
    check 'a device registers with it' bash -c "jq -e '.status == \"assigned\"' <<<'$(register)'"
    expect 'for without a group' 6 sandbox enrol show pump-1 --for x

    certificate device pump-x
    expect 'a certificate' 0 sandbox enrol create pump-x --x509 "$work/device.pem" --json
    check 'is known by its thumbprint' json '.auth == "x509-self-signed" and .key == null and (.configToml | test("identity_cert"))'
    expect 'its private key' 6 sandbox enrol create pump-y --x509 "$work/device.key"
    check 'is not sent' hints 'private key'
    expect 'enrol list' 0 sandbox enrol list --json
    check 'lists all' json '.kind == "EnrolmentList" and ([.items[].id] | sort) == ["own-1","pump-1","pump-x","site-a"]'
    expect 'delete asks' 13 sandbox enrol delete pump-1
    expect 'enrol delete' 0 sandbox enrol delete pump-1 --yes
    expect 'a group, too' 0 sandbox enrol delete site-a --group --yes
    expect 'once' 3 sandbox enrol show pump-1
    check 'the way to the names is named' hints 'enrol list'
    key_of_own=$(cat "$work/key")
    check 'no key is in the logs' bash -c "! grep -rqF '$key_of_own' '$work/state/engine.log' '$work/state/sandbox/hub.log' '$work/state/jobs'"
fi

# ---- authorities
certificate ca 'Site A CA' -addext basicConstraints=critical,CA:TRUE -addext keyUsage=keyCertSign
expect 'a private key is no authority' 6 sandbox ca add "$work/ca.key"
echo hello >"$work/no.pem"
expect 'nor is a text' 6 sandbox ca add "$work/no.pem"
run sandbox ca list
if ! lacks 'authorities'; then
    expect 'none yet' 0 sandbox ca list
    check 'the next step is named' hints 'ca add FILE'
    run sandbox ca add "$work/ca.pem" --json
    if ! lacks 'authorities by POST'; then
        check 'ca add' json '.kind == "Authority" and (.subject | test("Site A CA")) and (.thumbprint | length >= 40) and (.until | endswith("Z"))'
        thumbprint=$(jq -r .thumbprint "$answer")
        expect 'ca list' 0 sandbox ca list
        check 'lists it' grep -q "$thumbprint" "$answer"
        expect 'remove asks' 13 sandbox ca remove "$thumbprint"
        expect 'ca remove' 0 sandbox ca remove "$thumbprint" --yes
        expect 'once' 3 sandbox ca remove "$thumbprint" --yes
    fi
fi
