#!/bin/bash
# The workload API of berth-edged, endpoint by endpoint, as processes of modules' containers and others see it; the edge's certificates,
# their authority's renewal, and what survives SIGKILL.
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
    podman_stop
    hub_kill
    umount "$work/podman/root" 2>/dev/null
}
explain() { tail -n 3 "$work/edged.log"; }

write_config() { # [MORE LINES]
    printf 'hostname = "edge.local"\ntrust_bundle_cert = "file://%s/bundle.pem"\n[provisioning]\nsource = "manual"\nconnection_string = "%s"\n%s\n' \
        "$work" "$string" "${1:-}" >"$work/config.toml"
}
module_spec() { # NAME
    jq -cn --arg n "$1" --arg i "$image" \
        '{($n): {type: "docker", status: "running", restartPolicy: "always", settings: {image: $i, createOptions: "{}"}}}'
}
pid_of() { podman_here inspect -f '{{.State.Pid}}' "$1"; }
env_of() { podman_here inspect -f '{{range .Config.Env}}{{println .}}{{end}}' "$1" | sed -n "s/^$2=//p"; }

# A process of module WHO asks through what its container has mounted.
as() { # WHO PATH [CURL-ARGS...]
    local who=$1 path=$2 pid
    shift 2
    pid=$(pid_of "$who")
    nsenter --pid --target "$pid" curl -s --max-time 20 --unix-socket "/proc/$pid/root/var/run/iotedge/workload.sock" "http://w$path" "$@"
}
# The same with its own process but at socket SOCKET of this machine.
at_socket() { # SOCKET WHO PATH [CURL-ARGS...]; WHO "": a process of this machine
    local socket=$1 who=$2 path=$3 enter=()
    shift 3
    [ -z "$who" ] || enter=(nsenter --pid --target "$(pid_of "$who")")
    "${enter[@]}" curl -s --max-time 20 --unix-socket "$socket" "http://w$path" "$@"
}
body() { jq -cn --arg a "$2" --arg b "${4:-}" --arg ka "$1" --arg kb "${3:-}" '{($ka): $a} + if $kb == "" then {} else {($kb): $b} end'; }
expect() { # NAME STATUS BODY COMMAND...
    local name=$1 want=$2 text=$3
    shift 3
    check "$name" same "$("$@" -w '\n%{http_code}')" "$text"$'\n'"$want"
}
status_is() { # NAME STATUS COMMAND...
    local name=$1 want=$2
    shift 2
    check "$name" same "$("$@" -o /dev/null -w '%{http_code}')" "$want"
}

step 'the hub starts' hub_start
string=$(hub_device edge-1)
cp "$work/hub/ca.pem" "$work/bundle.pem"
write_config
step 'the container engine starts' podman_start
podman_busybox "$image" 'while :; do echo tick; sleep 1; done'
step 'the runtime starts' edged_start
hub_deploy edge-1 "$(jq -cs add <<<"$(module_spec one) $(module_spec two)")"
check 'the modules run' wait_until 90 eval 'running one && running two'

# ---- what a container has
generation=$(env_of one IOTEDGE_MODULEGENERATIONID)
check 'environment: generation' same "$generation" "$(hub_call GET /devices/edge-1/modules/one | jq -r .generationId)"
for pair in IOTEDGE_WORKLOADURI=unix:///var/run/iotedge/workload.sock IOTEDGE_MODULEID=one IOTEDGE_DEVICEID=edge-1 IOTEDGE_IOTHUBHOSTNAME=localhost \
    IOTEDGE_GATEWAYHOSTNAME=edge.local IOTEDGE_AUTHSCHEME=sasToken IOTEDGE_APIVERSION=2022-08-03 EdgeDeviceHostName= IOTEDGE_MANAGEMENTURI=; do
    check "environment: $pair" same "$(env_of one "${pair%%=*}")" "${pair#*=}"
done
check 'its socket is mounted, for everybody' same "$(stat -c '%F %a' "/proc/$(pid_of one)/root/var/run/iotedge/workload.sock")" 'socket 666'
check 'nothing can be left beside it' eval '! podman_here exec one /bin/sh -c "echo x >/var/run/iotedge/x" 2>/dev/null && [ ! -e "$state/mnt/one/x" ]'

# ---- signatures
path=/modules/one/genid/$generation
data=$(printf 'localhost%%2Fdevices%%2Fedge-1%%2Fmodules%%2Fone\n1893456000' | base64 -w0)
key=$(hub_call GET /devices/edge-1/modules/one | jq -r .authentication.symmetricKey.primaryKey)
hmac() { # BASE64-KEY: of standard input
    openssl dgst -sha256 -mac HMAC -macopt "hexkey:$(base64 -d <<<"$1" | od -An -tx1 | tr -d ' \n')" -binary | base64
}
check "the hub's key is derived from master, name and generation" same "$(printf 'one:%s:primary' "$generation" | hmac "$(base64 -w0 "$state/keys/aziot_identityd_master_id.key")")" "$key"
digest=$(base64 -d <<<"$data" | hmac "$key")
request=$(jq -cn --arg d "$data" '{keyId: "primary", algo: "HMACSHA256", data: $d}')
expect 'sign' 200 "{\"digest\":\"$digest\"}" as one "$path/sign?$v" -d "$request" -H 'Content-Type: application/json'
expect 'sign: an SDK of 2018' 200 "{\"digest\":\"$digest\"}" as one "$path/sign?api-version=2018-06-28" -d "$request" -H 'Content-Type: application/json; charset=utf-8'
expect 'sign: the generation in the path does not matter' 200 "{\"digest\":\"$digest\"}" as one "/modules/one/genid/0/sign?$v" -d "$request" -H 'Content-Type: application/json'

post() { # WHO PATH BODY
    as "$1" "$2?$v" -H 'Content-Type: application/json' -d "$3" "${@:4}"
}
json() { as one "$path/$1?$v" -H 'Content-Type: application/json' -d "$2" "${@:3}"; }
expect 'sign: no body' 400 '{"message":"missing request body"}' as one "$path/sign?$v" -X POST
expect 'sign: of another content type there is no body' 400 '{"message":"missing request body"}' as one "$path/sign?$v" -d "$request"
status_is 'sign: no JSON' 422 json sign '{'
expect 'sign: nothing to sign' 422 '{"message":"missing field `data`"}' json sign '{"keyId":"primary"}'
expect 'sign: data is a number' 422 '{"message":"field `data` must be a string"}' json sign '{"data":1}'
for bad in 'a===' 'YQ' 'Y Q=' 'YQ==YQ=='; do status_is "sign: not base64: $bad" 400 json sign "{\"data\":\"$bad\"}"; done
head -c 300000 /dev/zero | tr '\0' A >"$work/large"
status_is 'sign: too large' 413 json sign "@$work/large"

# ---- who may
socket=$state/mnt/one/workload.sock
for who in '' two; do
    expect "only the module itself: ${who:-a process of the machine}" 403 '{"message":"forbidden"}' at_socket "$socket" "$who" "$path/sign?$v" -d "$request" -H 'Content-Type: application/json'
done
expect "a module's socket is for that module" 403 '{"message":"forbidden"}' as one "/modules/two/genid/1/sign?$v" -d "$request" -H 'Content-Type: application/json'
expect 'a module that does not exist' 403 '{"message":"forbidden"}' as one "/modules/nix/genid/1/sign?$v" -d "$request" -H 'Content-Type: application/json'
status_is 'the name with $ is the same container' 404 as one "/modules/%24one/genid/1/sign?$v" -d "$request" -H 'Content-Type: application/json'
shared=$work/workload.sock
status_is 'the socket for all: the module itself' 200 at_socket "$shared" one "$path/sign?$v" -d "$request" -H 'Content-Type: application/json'
status_is 'the socket for all: another' 403 at_socket "$shared" two "$path/sign?$v" -d "$request" -H 'Content-Type: application/json'
for call in encrypt decrypt certificate/server; do status_is "only the module itself: $call" 403 at_socket "$socket" '' "$path/$call?$v" -X POST; done
status_is 'only the module itself: identity certificate' 403 at_socket "$socket" '' "/modules/one/certificate/identity?$v" -X POST

# ---- framing
expect 'no version' 400 '{"message":"api-version not specified"}' as one /trust-bundle
expect 'unknown version' 400 '{"message":"invalid api-version \"2021-05-11\""}' as one '/trust-bundle?api-version=2021-05-11'
expect 'unknown path' 404 '{"message":"not found"}' as one "/nothing?$v"
expect 'wrong method' 400 '{"message":"method not allowed"}' as one "$path/sign?$v"
check 'module list' eval 'as one "/modules?$v" | jq -e ".modules | map(.name) | sort == [\"edgeAgent\",\"edgeHub\",\"one\",\"two\"]"'
expect 'manifest trust bundle' 200 '{"certificate":""}' as one "/manifest-trust-bundle?$v"

# ---- encryption
secret=$(printf 'attack at dawn' | base64)
iv=$(printf 'twelve bytes' | base64)
cipher=$(json encrypt "$(body plaintext "$secret" initializationVector "$iv")" | jq -r .ciphertext)
expect 'encrypt, decrypt' 200 "{\"plaintext\":\"$secret\"}" json decrypt "$(body ciphertext "$cipher" initializationVector "$iv")"
check 'the blob has a version, the text and a tag' same "$(base64 -d <<<"$cipher" | od -An -tx1 -N1 | tr -d ' ') $(base64 -d <<<"$cipher" | wc -c)" '02 31'
read -ra bytes < <(base64 -d <<<"$cipher" | od -An -tx1 -v | tr '\n' ' ')
bytes[2]=$(printf '%02x' $((0x${bytes[2]} ^ 1)))
changed=$(printf '%b' "$(printf '\\x%s' "${bytes[@]}")" | base64 -w0)
status_is 'what was changed is refused' 400 json decrypt "$(body ciphertext "$changed" initializationVector "$iv")"
status_is 'another vector is refused' 400 json decrypt "$(body ciphertext "$cipher" initializationVector "$secret")"
status_is 'another generation is refused' 400 as one "/modules/one/genid/0/decrypt?$v" -H 'Content-Type: application/json' -d "$(body ciphertext "$cipher" initializationVector "$iv")"
status_is 'another module is refused' 400 post two "/modules/two/genid/$(env_of two IOTEDGE_MODULEGENERATIONID)/decrypt" "$(body ciphertext "$cipher" initializationVector "$iv")"
status_is 'no vector' 422 json encrypt "$(body plaintext "$secret")"
status_is 'an empty vector' 400 json encrypt "$(body plaintext "$secret" initializationVector '')"
status_is 'an empty text is one' 200 json encrypt "$(body plaintext '' initializationVector "$iv")"

# ---- certificates
bundle() { as one "/trust-bundle?$v" | jq -r .certificate >"$work/trust.pem"; }
issue() { # FILE CURL-COMMAND...
    local file=$1
    shift
    "$@" >"$work/$file.json" && jq -r .certificate "$work/$file.json" >"$work/$file.pem" && jq -r .privateKey.bytes "$work/$file.json" >"$work/$file.key"
}
x509() { openssl x509 -in "$work/$1.pem" -noout "${@:2}"; }
fits() { same "$(openssl x509 -in "$1" -noout -pubkey)" "$(openssl pkey -in "$2" -pubout)"; }
verify() { openssl verify -x509_strict -purpose "$2" -CAfile "$work/trust.pem" -untrusted "$work/$1.pem" "$work/$1.pem"; }
server() { # NAME
    issue server as one "$path/certificate/server?$v" -H 'Content-Type: application/json' -d "$(body commonName "$1" expiration 2030-01-01T00:00:00Z)"
}
bundle
check 'trust bundle: the edge CA, then the configured one' eval 'same "$(grep -c BEGIN "$work/trust.pem")" 2 && openssl x509 -in "$work/trust.pem" -noout -subject | grep -q "aziot-edge CA edge-1"'
status_is 'a server certificate is 201' 201 as one "$path/certificate/server?$v" -H 'Content-Type: application/json' -d "$(body commonName edge.local)"
server edge.local
check 'server: shape' jq -e '.privateKey.type == "key" and (.privateKey.bytes | startswith("-----BEGIN PRIVATE KEY-----")) and (.expiration | endswith("Z"))' "$work/server.json"
check 'server: key and certificate fit' fits "$work/server.pem" "$work/server.key"
check 'server: the chain verifies' verify server sslserver
check 'server: not a client' eval '! verify server sslclient'
check 'server: leaf and issuer' same "$(grep -c BEGIN "$work/server.pem")" 2
check 'server: names' eval 'x509 server -ext subjectAltName | grep -q "DNS:edge.local, DNS:one$" && x509 server -subject | grep -q "CN = edge.local"'
check 'server: until is what it says' same "$(date -u -d "$(jq -r .expiration "$work/server.json")" +%s)" "$(date -u -d "$(x509 server -enddate | cut -d= -f2)" +%s)"
server 10.1.2.3
check 'server: an address' eval 'x509 server -ext subjectAltName | grep -q "IP Address:10.1.2.3, DNS:one$"'
for bad in 'a,DNS:b' 'a b' '' 'DNS:a' "$(printf 'a%.0s' {1..65})"; do
    status_is "server: no name: ${bad:0:10}" 400 json certificate/server "$(body commonName "$bad")"
done
status_is 'server: no name at all' 422 json certificate/server '{}'
status_is 'an identity certificate is 201' 201 as one "/modules/one/certificate/identity?$v" -X POST
issue identity as one "/modules/one/certificate/identity?$v" -X POST
check 'identity: the chain verifies' verify identity sslclient
check 'identity: not a server' eval '! verify identity sslserver'
check 'identity: who it is' eval 'x509 identity -ext subjectAltName | grep -q "URI:azureiot://localhost/devices/edge-1/modules/one$" && x509 identity -subject | grep -q "CN = one"'
check 'the calendar has them all' info '.berth.certificates | (map(.use) | unique) == ["edge-ca", "module-identity", "module-server", "trust-bundle"] and all(.[]; .notAfter | endswith("Z")) and
    (map(select(.use == "edge-ca"))[0] | .renewal < .notAfter) and (map(select(.use == "module-server"))[0].module == "one")'
check 'keys and folders are private' same "$(stat -c %a "$state/certs" "$state/keys" "$state/keys/edge-ca.pem" "$state/keys/iotedge_master_encryption_id.key")" $'700\n700\n600\n600'
check "modules' keys are not kept" eval '! grep -rl "PRIVATE KEY" "$state/certs" && same "$(grep -rl "PRIVATE KEY" "$state")" "$state/keys/edge-ca.pem"'
check 'no secret in the log' eval '! grep -qF -e "$key" -e "$digest" -e "$secret" -e "PRIVATE KEY" "$work/edged.log"'

# ---- the runtime goes and comes
ca=$(openssl x509 -in "$state/certs/edge-ca.pem" -noout -fingerprint)
edged_stop -9
pid=$(pid_of one)
edged_start
check 'killed and back: the container that went on is served' wait_until 20 eval 'same "$(post one "$path/sign" "$request")" "{\"digest\":\"$digest\"}"'
check 'it is the same container' same "$(pid_of one)" "$pid"
expect 'what was encrypted is still readable' 200 "{\"plaintext\":\"$secret\"}" json decrypt "$(body ciphertext "$cipher" initializationVector "$iv")"
check 'the edge CA is the same' same "$(openssl x509 -in "$state/certs/edge-ca.pem" -noout -fingerprint)" "$ca"
check 'the calendar is the same' info '.berth.certificates | map(select(.module == "one")) | length == 2'
curl -s --unix-socket "$mgmt" -X POST "http://m/modules/one/restart?$v"
check 'after a restart it is served, as another process' wait_until 20 eval 'same "$(post one "$path/sign" "$request")" "{\"digest\":\"$digest\"}" && [ "$(pid_of one)" != "$pid" ]'
hub_deploy edge-1 "$(module_spec one)"
check 'with the module its socket and folder go' wait_until 60 eval '[ ! -e "$state/mnt/two" ] && [ -S "$socket" ]'

hub_kill
edged_stop
podman_here rm -f -t 0 one >/dev/null 2>&1
edged_start
check 'without the hub it starts with the identity that is known' wait_until 60 eval 'running one && same "$(post one "$path/sign" "$request")" "{\"digest\":\"$digest\"}"'

# ---- renewal
edged_stop
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 10 -subj '/CN=aziot-edge CA other' -keyout "$state/keys/edge-ca.pem" \
    -out "$state/certs/edge-ca.pem" 2>/dev/null
pid=$(pid_of one)
edged_start
check "another device's edge CA is replaced" wait_until 20 eval 'openssl x509 -in "$state/certs/edge-ca.pem" -noout -subject | grep -q "edge-1" && fits "$state/certs/edge-ca.pem" "$state/keys/edge-ca.pem"'
check 'the modules are restarted for it' wait_until 40 eval 'running one && [ "$(pid_of one)" != "$pid" ]'
wait_until 20 eval 'bundle && same "$(grep -c BEGIN "$work/trust.pem")" 3'
check 'the former one stays trusted while it is valid' same "$(grep -c BEGIN "$work/trust.pem")" 3
server edge.local
check 'what the new one signs verifies' verify server sslserver

for _ in 1 2 3 4 5 6 7 8; do
    edged_stop -9
    rm -f "$state/certs/edge-ca.pem"
    edged_run
    read -rt "0.0$((RANDOM % 9))" <> <(:) || true
done
edged_stop -9
edged_start
check 'killed while it makes one: a pair in the end' wait_until 20 fits "$state/certs/edge-ca.pem" "$state/keys/edge-ca.pem"
edged_stop

# ---- an edge CA that was given, below another one
config=$work/ca.cnf
printf '[v3]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,digitalSignature\nsubjectKeyIdentifier=hash\n' >"$config"
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj '/CN=Plant' -addext keyUsage=critical,keyCertSign -keyout "$work/root.key" -out "$work/root.pem" 2>/dev/null
openssl req -newkey rsa:2048 -nodes -subj '/CN=Line 7' -keyout "$work/edge.key" -out "$work/edge.csr" 2>/dev/null
openssl x509 -req -in "$work/edge.csr" -CA "$work/root.pem" -CAkey "$work/root.key" -CAcreateserial -days 5 -extfile "$config" -extensions v3 -out "$work/edge.pem" 2>/dev/null
cat "$work/hub/ca.pem" "$work/root.pem" >"$work/bundle.pem"
write_config "$(printf '[edge_ca]\ncert = "file://%s/edge.pem"\npk = "file://%s/edge.key"' "$work" "$work")"
edged_start
wait_until 30 eval 'running one && bundle && server edge.local && verify server sslserver'
check 'a given edge CA signs, up to its root' verify server sslserver
check 'nothing outlives who signed it' same "$(x509 server -enddate)" "$(openssl x509 -in "$work/edge.pem" -noout -enddate)"
check 'trust: the given one, then the configured ones' same "$(grep -c BEGIN "$work/trust.pem")" 3
