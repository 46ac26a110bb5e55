# Messages while everything that they need dies at random. Source it after tests/support/{podman,hub,edged}.sh. In the folder $data, source
# has the numbers up to which messages were acknowledged to their source, sink the number of each that came to the sink; what the cloud got
# is written to cloud here. The source sends up to what stands in limit.
#
# The victims: runtime, hub (of the edge), cloud, engine, network, and the containers of source and sink. Each dies by SIGKILL; the network
# loses every packet between edge and cloud without a word, and has forgotten all connections, or not, when it is there again. Each kill
# waits until more messages were acknowledged; runtime, cloud, engine and network come back after some more, so that others die meanwhile.
# shellcheck shell=bash disable=SC2154

victims=(runtime hub cloud engine network source sink)
soak_ahead=900  # messages: the cloud keeps no more than 1,000 to be read
soak_window=20  # of the source
soak_patience=180 # seconds without any message

declare -A kills=() due=()

newest() { tail -n 1 "$data/$1" 2>/dev/null | grep -x '[0-9]*' || echo 0; }

# ---- what the cloud got: it keeps it in memory, so it is read all the while, past a network that is cut

cloud_events() { hub_call GET /sandbox/events --interface 127.0.0.9 -G -d "after=$1" -d "wait=$2"; }

witness() {
    local after=0 answer
    while kill -0 "$hub_pid" 2>/dev/null; do
        answer=$(cloud_events "$after" 10) || continue
        jq -r 'if .missed > 0 then "\(.missed) were not read in time" else empty end,
            (.events[] | .bodyBase64 | @base64d | fromjson | .n)' <<<"$answer" >>"$data/cloud"
        after=$(jq .next <<<"$answer")
        echo "$after" >"$work/read"
    done
}
witness_start() {
    echo 0 >"$work/read"
    witness &
    witness_pid=$!
}
# Nothing more comes, and all is read.
all_read() {
    local last former=${soak_last:-}
    last=$(cloud_events 9000000000 0 | jq .last) || return 1
    soak_last=$last
    [ "$last" = "$former" ] && [ "$last" = "$(cat "$work/read")" ]
}

# ---- death and return

packets() { # -I|-D PORTS-OPTION TARGET...
    local how=$1 ports=$2
    shift 2
    # shellcheck disable=SC2086
    iptables -w "$how" INPUT -s 127.0.0.1 -d 127.0.0.1 -p tcp -m multiport $ports -j "$@"
}
container_kill() {
    local pid
    pid=$(podman_here inspect --format '{{.State.Pid}}' "$1" 2>/dev/null) && [ "${pid:-0}" -gt 0 ] && kill -9 "$pid"
}

die_runtime() { edged_stop -9 || true; }
back_runtime() { edged_run; }
die_hub() {
    local pid
    pid=$(edge_hub_pid) && kill -9 "${pid%%$'\n'*}"
}
# What it acknowledges in the end nobody hears, so that all that it did acknowledge is read.
die_cloud() {
    packets -I "--ports $hub_mqtt" DROP
    soak_last=
    wait_until 20 all_read
    hub_kill
    wait "$witness_pid"
    packets -D "--ports $hub_mqtt" DROP
}
back_cloud() { hub_start && witness_start; }
die_engine() {
    kill -9 "$podman_pid"
    wait "$podman_pid" 2>/dev/null || true
}
back_engine() { podman_serve; }
die_network() { packets -I "--ports $hub_mqtt,$hub_https" DROP; }
back_network() {
    local forgotten=(REJECT --reject-with tcp-reset)
    packets -D "--ports $hub_mqtt,$hub_https" DROP
    ((RANDOM % 2)) || return 0
    packets -I "--dports $hub_mqtt" "${forgotten[@]}"
    wait_until 5 eval 'iptables -w -nvxL INPUT 1 | grep -qv "^ *0 "'
    packets -D "--dports $hub_mqtt" "${forgotten[@]}"
}
die_source() { container_kill source; }
die_sink() { container_kill sink; }

# Somebody starts what does not run, where the runtime still waits after a death.
nudge() {
    local name
    for name in $(api "/modules?$v" | jq -r '.modules[]? | select(.status.runtimeStatus.status != "running") | .name'); do
        api "/modules/$name/start?$v" -X POST -o /dev/null
    done
}

come_back() { # [ALL]
    local victim
    for victim in "${!due[@]}"; do
        [ -n "${1:-}" ] || [ "$acked" -ge "${due[$victim]}" ] || continue
        unset "due[$victim]"
        "back_$victim"
    done
}

# A moment passes.
tick() {
    local read_ahead before=$acked
    acked=$(newest source)
    read_ahead=$(($(newest cloud) + soak_ahead))
    echo $((read_ahead < allowed ? read_ahead : allowed)) >"$data/limit"
    [ "$acked" -eq "$before" ] || moved=$SECONDS
    if [ $((SECONDS - moved)) -ge 3 ]; then come_back all; else come_back; fi
    if [ "$nudged" -ne $SECONDS ]; then
        nudged=$SECONDS
        nudge
    fi
    [ $((SECONDS - moved)) -lt "$soak_patience" ] || return 1
    read -rt 0.05 <> <(:) || true
}
until_acked() {
    while [ "$acked" -lt "$1" ]; do tick || return 1; done
}

# From where the source is now until COUNT.
soak() { # COUNT KILLS
    local base step done=0 deck=() victim
    base=$(newest source) acked=$base moved=$SECONDS nudged=0
    step=$((($1 - base) / $2))
    while [ "$done" -lt "$2" ]; do
        allowed=$((base + (done + 1) * step))
        until_acked $((allowed - RANDOM % step)) || return 1
        [ ${#deck[@]} -gt 0 ] || mapfile -t deck < <(shuf -e "${victims[@]}")
        victim=${deck[0]}
        deck=("${deck[@]:1}")
        [ -z "${due[$victim]:-}" ] || { unset "due[$victim]"; "back_$victim"; }
        until "die_$victim"; do tick || return 1; done
        if declare -F "back_$victim" >/dev/null; then due[$victim]=$((acked + RANDOM % (2 * step))); fi
        kills[$victim]=$((${kills[$victim]:-0} + 1))
        done=$((done + 1))
        printf '# %d s: %s killed, %d acknowledged, %d at the sink, %d in the cloud\n' $SECONDS "$victim" "$acked" "$(newest sink)" "$(newest cloud)"
    done
    for victim in "${victims[@]}"; do echo "# $victim: killed ${kills[$victim]:-0} times"; done
    allowed=$1
    until_acked "$1" && come_back all && wait_until "$soak_patience" soak_arrived "$1"
}
soak_arrived() { [ "$(newest sink)" = "$1" ] && [ "$(newest cloud)" = "$1" ]; }

# All numbers up to COUNT are in the file, none before the one in front of it, and no more came again than MAY.
soak_judge() { # NAME COUNT MAY
    awk -v count="$2" -v may="$3" '$0 !~ /^[0-9]+$/ || $1 > seen + 1 { print "\"" $0 "\" came after", seen; bad = 1; exit 1 }
        $1 == seen + 1 { seen++; next }
        { again++ }
        END {
            if (bad) exit 1
            print seen + 0, "came,", again + 0, "of them again,", may, "may"
            exit seen != count || again > may
        }' "$data/$1"
}
# What may come twice: what the source sends again because an answer was lost; what an edge hub had delivered and not written down (256);
# and what was under way to a sink (16) or to the cloud (32).
soak_may() { # NAME
    local hubs=$((${kills[hub]:-0} + ${kills[runtime]:-0}))
    local again=$(((hubs + ${kills[source]:-0}) * soak_window + hubs * 256))
    case $1 in
    sink) echo $((again + (hubs + ${kills[sink]:-0}) * 16)) ;;
    cloud) echo $((again + (hubs + ${kills[cloud]:-0} + ${kills[network]:-0}) * 32)) ;;
    esac
}
