#!/bin/bash
# A deployment of 48 modules on a real container engine, from the deployment at the hub until all run, beside the same calls of the engine
# made by hand: the containers that the runtime made are removed and made anew from what the engine says of them, one call after the other.
# In turns; the better of two. Target: at most 1.2x.
# shellcheck source=tests/lib.sh disable=SC2016,SC2154,SC2317
. "$(dirname "$0")/../lib.sh"
setup_private
# shellcheck source=tests/support/podman.sh
. "$(dirname "$0")/../support/podman.sh"
# shellcheck source=tests/support/hub.sh
. "$(dirname "$0")/../support/hub.sh"
# shellcheck source=tests/support/edged.sh
. "$(dirname "$0")/../support/edged.sh"
modules=48
image=localhost/wait:1
edged_engine=$engine
cleanup_extra() {
    edged_stop -9
    podman_stop
    hub_kill
}
die() {
    echo "bench_deploy: $*"
    tail -n 3 "$work/edged.log" "$work/said"
    failures=1
    exit 1
}
docker() { # METHOD PATH [CURL-ARGS...]
    local method=$1 path=$2
    shift 2
    curl -s --fail-with-body --max-time 60 --unix-socket "$engine" -X "$method" "http://d/v1.41$path" "$@"
}
names() { seq -f 'm%g' "$modules"; }
deploy() { # COUNT
    hub_deploy edge-1 "$(seq -f 'm%g' "$1" | jq -Rn --arg image "$image" '[inputs | {(.): {type: "docker", status: "running",
        restartPolicy: "always", imagePullPolicy: "never", settings: {image: $image, createOptions: "{}"}}}] | add // {}')"
}
there_count() { [ "$(docker GET '/containers/json?all=true' | jq length)" -eq "$1" ]; }
run_count() { [ "$(docker GET '/containers/json?filters=%7B%22status%22%3A%5B%22running%22%5D%7D' | jq length)" -eq "$1" ]; }
seconds_of() { # COMMAND...
    local begin=$EPOCHREALTIME
    "$@" || return 1
    jq -n "$EPOCHREALTIME - $begin"
}

ours() { deploy "$modules" && wait_until 300 run_count "$modules"; }
remember() {
    local name
    for name in $(names); do
        docker GET "/containers/$name/json" |
            jq -c '.Config + {HostConfig: (.HostConfig | {LogConfig, Binds, NetworkMode, ExtraHosts, RestartPolicy})}' >"$work/body.$name" || return 1
    done
}
by_hand() {
    local name
    for name in $(names); do
        docker POST "/containers/create?name=$name" -H 'Content-Type: application/json' -d "@$work/body.$name" >"$work/said" &&
            docker POST "/containers/$name/start" >>"$work/said" || return 1
    done
    run_count "$modules"
}
remove() {
    local name
    for name in $(names); do docker DELETE "/containers/$name?force=true" >/dev/null; done
}

hub_start || die 'the hub does not start'
printf 'trust_bundle_cert = "file://%s/hub/ca.pem"\n[provisioning]\nsource = "manual"\nconnection_string = "%s"\n' \
    "$work" "$(hub_device edge-1)" >"$work/config.toml"
podman_start || die 'the container engine does not start'
podman_busybox "$image" 'exec sleep 100000'
edged_start || die 'the runtime does not start'
best_ours='' best_theirs=''
for round in 1 2; do
    took=$(seconds_of ours) || die 'not all modules are started'
    best_ours=$(jq -n "[$took, ${best_ours:-1e9}] | min")
    [ "$round" -gt 1 ] || remember || die 'a container cannot be read'
    deploy 0
    wait_until 300 there_count 0 || die 'the modules are not removed'
    edged_stop # it would remove what it did not make
    took=$(seconds_of by_hand) || die 'the calls by hand fail'
    best_theirs=$(jq -n "[$took, ${best_theirs:-1e9}] | min")
    remove
    edged_start || die 'the runtime does not start'
done
jq -nr --argjson o "$best_ours" --argjson t "$best_theirs" --arg n "$modules" \
    '"deployment of \($n) modules on podman  \($o * 10 | round / 10) s, the same calls by hand \($t * 10 | round / 10) s: \($o / $t * 100 | round / 100)x  (goal <= 1.2x)"'
