#!/bin/bash
# The `iotedge` command against a real runtime, container engine and hub. This machine need not be run by systemd: a script in PATH does to the
# runtime what systemctl would, and another has the lines of a journal.
# shellcheck source=tests/lib.sh disable=SC2016,SC2154,SC2317
. "$(dirname "$0")/../lib.sh"
set -o pipefail
setup_private
# shellcheck source=tests/support/podman.sh
. "$(dirname "$0")/../support/podman.sh"
# shellcheck source=tests/support/hub.sh
. "$(dirname "$0")/../support/hub.sh"
image=localhost/words:1
blob_port=$((hub_mqtt + 2))

cleanup_extra() {
    [ ! -e "$work/edged.pid" ] || kill -9 "$(cat "$work/edged.pid")" 2>/dev/null
    podman_stop
    hub_kill
    [ -z "${helper_pid:-}" ] || kill "$helper_pid" 2>/dev/null
    [ -z "${blob_pid:-}" ] || kill "$blob_pid" 2>/dev/null
    umount "$work/podman/root" 2>/dev/null
}
explain() { tail -n 3 "$work/edged.log" 2>/dev/null; }

# ---- the command, with everything of ours
mkdir -p "$work/bin" "$work/aziot"
cat >"$work/bin/systemctl" <<END
#!/bin/bash
# systemctl [OPTIONS] restart|stop|reset-failed|show UNIT
stop() { [ ! -e "$work/edged.pid" ] || { kill "\$(cat "$work/edged.pid")"; tail -s 0.1 --pid="\$(cat "$work/edged.pid")" -f /dev/null; rm "$work/edged.pid"; }; }
case " \$* " in
*" restart berth-edged.service "*)
    stop
    [ -z "\$EDGED_BREAKS" ] || { echo "Job for berth-edged.service failed." >&2; exit 1; }
    level=\$(sed -n 's/^AZIOT_LOG=//p' "$work/aziot/edged.env" 2>/dev/null)
    AZIOT_LOG=\$level setsid berth-edged --config "$work/aziot/config.toml" --state-dir "$work/edged" --mgmt-socket "$work/mgmt.sock" \\
        --engine-socket "$engine" --https-port "$hub_https" >>"$work/edged.log" 2>&1 </dev/null &
    echo \$! >"$work/edged.pid"
    ;;
*" stop berth-edged.service "*) stop ;;
*" --property Environment "*) echo ;;
*" show "*) printf 'ActiveState=%s\nSubState=%s\nResult=exit-code\nExecMainStatus=153\nNRestarts=2\n' \${UNIT_STATE:-active running} ;;
esac
END
cat >"$work/bin/journalctl" <<'END'
#!/bin/bash
[ -z "$JOURNAL_ARGS" ] || printf '%s\n' "$@" >"$JOURNAL_ARGS"
echo 'Nov 25 12:00:00 guest berth-edged[1]: "SharedAccessKey=c2VjcmV0" was refused'
END
chmod +x "$work"/bin/*
export PATH=$work/bin:$PATH
edge() { iotedge -H "unix://$work/mgmt.sock" --config-file "$work/aziot/config.toml" --engine-socket "$engine" --state-dir "$work/edged" "$@"; }
says() { # STATUS TEXT COMMAND...: it ends so, and TEXT is in what it printed (line ends do not count)
    local status=0 out
    out=$("${@:3}" 2>&1) || status=$?
    [ "$status" -eq "$1" ] || { echo "exit status $status: $out"; return 1; }
    grep -qF -- "$2" <<<"$(tr -s ' \n' ' ' <<<"$out")" || { echo "$out"; return 1; }
}

check 'no command' says 2 'a command is missing' iotedge
check 'an unknown command' says 2 'there is no command "fly"' iotedge fly
check 'a host that is no socket' says 2 'unix:///PATH' iotedge -H http://x list
check 'version' says 0 'iotedge 0' iotedge version
check 'no runtime: says so, and what to do' says 10 'the runtime does not answer: connect to' edge list
check 'no configuration' says 3 'there is no' edge config apply

# ---- configuration
step 'the hub starts' hub_start
string=$(hub_device edge-1)
check 'mp: not a connection string' eval '! edge config mp -c nonsense && [ ! -e "$work/aziot/config.toml" ]'
check 'mp: the secret does not stand in the complaint' eval '! grep -q c2VjcmV0 <<<"$(edge config mp -c "HostName=h;SharedAccessKey=c2VjcmV0" 2>&1)"'
check 'mp: from standard input' says 0 'was written' eval 'edge config mp --connection-string - <<<"$string"'
check 'mp: private' eval '[ "$(stat -c %a "$work/aziot/config.toml")" = 600 ] && berth-edged --check-config "$work/aziot/config.toml"'
check 'mp: nothing is replaced unasked' says 1 'is there already' edge config mp -c "$string"
check 'mp: asked, but told that others can see it' says 0 'can be seen by other users' edge config mp --force -c "$string"
printf 'auto_reprovisioning_mode = "Sometimes"\n[provisioning]\nsource = "manual"\nconnection_string = "%s"\n' "$string" >"$work/bad.toml"
check 'apply: a wrong file is refused with line and key' says 6 'line 1: auto_reprovisioning_mode' edge config apply -c "$work/bad.toml"
check 'apply: and not put in place' eval '! grep -q Sometimes "$work/aziot/config.toml"'
check 'apply: a runtime that does not start' says 1 'is good and in place, but the runtime did not start: systemctl failed' env EDGED_BREAKS=1 \
    iotedge -H "$work/mgmt.sock" --config-file "$work/aziot/config.toml" config apply
cat >"$work/good.toml" <<END
trust_bundle_cert = "file://$work/hub/ca.pem"
[provisioning]
source = "manual"
connection_string = "$string"
[agent]
name = "edgeAgent"
type = "docker"
[agent.config]
image = "a:1"
[agent.env]
PUMP_PIN = "c2VjcmV0"
END
step 'the container engine starts' podman_start
podman_busybox "$image" 'echo "hello from $E"; printf "a \033[31mred\033[0m word\n" >&2; echo "login with SharedAccessKey=c2VjcmV0; bye"; while :; do sleep 1; done'
check 'apply: the runtime takes it and is connected' says 0 'Connected. Next, the hub' edge config apply -c "$work/good.toml"
check 'apply: as which device' says 0 'manual.device_connection_string, device edge-1 of hub localhost' edge config apply
check 'apply: the one before is kept' eval 'grep -q OnErrorOnly "$work/aziot/config.toml.prev"'

# ---- modules
hub_deploy edge-1 "$(jq -cn --arg i "$image" '{one: {type: "docker", status: "running", env: {E: {value: "there"}, PIN: {value: "c2VjcmV0"}}, settings: {image: $i}},
    nix: {type: "docker", status: "running", settings: {image: "localhost:1/none:1"}}}')"
listed() { edge list 2>"$work/why" >"$work/list" && grep -qE "$1" "$work/list"; }
check 'list: what runs' wait_until 60 listed '^one +running +Up .* +localhost/words:1$'
check 'list: what does not, and why' wait_until 60 eval 'listed "^nix +failed" && grep -q "^nix: pull" "$work/why"'
check 'list: the runtime is among them' listed '^edgeAgent +running'
check 'logs: they come' wait_until 20 eval 'edge logs one 2>/dev/null | grep bye'
check 'logs: output and errors apart, bytes as they are' eval 'edge logs one --tail 10 >"$work/output" 2>"$work/errors" && grep -qx "hello from there" "$work/output" &&
    grep -q $'"'a \\033\\[31mred'"' "$work/errors" && ! grep -w red "$work/output"'
check 'logs: a terminal is not moved' eval 'TERM=dumb script -qec "iotedge -H $work/mgmt.sock logs one" /dev/null </dev/null >"$work/terminal"; grep -qF "a ^[[31mred" "$work/terminal"'
check 'logs: a tail' eval '[ "$(edge logs one --tail 1 2>&1 | wc -l)" = 1 ]'
check 'logs: of an hour that is over: none' eval '[ -z "$(edge logs one --since "3 days" --until "2 days" 2>&1)" ]'
check 'logs: a time that is none' says 6 '--since and --until must be times' edge logs one --since soon
check 'logs: a module that is not there' says 3 'iotedge list' edge logs two
check 'logs: followed, they go on' eval 'exits 124 timeout 2 iotedge -H "$work/mgmt.sock" logs -f one >"$work/followed" 2>&1 && grep -q hello "$work/followed"'
another() { [ "$(podman_here inspect -f '{{.State.Pid}}' one)" != "$former" ]; }
former=$(podman_here inspect -f '{{.State.Pid}}' one)
check 'restart' eval '[ "$(edge restart one)" = one ] && another'
check 'restart of what is not there' says 3 'No such container' edge restart two

# ---- check
explain() { tail -n 3 "$work/edged.log"; jq -c '.checks | to_entries[] | select(.value.result.result | IN("error", "warning")) | [.key, .value.result.details[0]]' "$work/check.json" 2>/dev/null; }
checked() { edge check --https-port "$hub_https" -o json "$@" >"$work/check.json"; [ $? -eq 1 ]; } # one module does not run
found() { jq -e "$1" "$work/check.json"; }
well='["aziot-edged-config-well-formed", "config-up-to-date", "certs-read", "connect-management-uri", "aziot-edge-version", "container-engine-uri", "container-engine-dns",
    "container-engine-logrotate", "host-local-time", "host-connect-iothub-https", "host-connect-iothub-mqtt", "berth-cloud-connection", "berth-certificates"]'
check 'check: fails where one does' checked
check 'check: JSON as Microsoft has it' found '[.checks[].result.result] | all(IN("ok", "warning", "ignored", "skipped", "error"))'
check 'check: of which machine' found '.additional_info | .docker_version != "" and .aziot_edged_version != "" and .os.bitness == 64 and (.system_info.disks | type == "array")'
check 'check: what is well' found ". as \$all | $well | map(select(\$all.checks[.].result.result != \"ok\")) == []"
check 'check: what is not' found '.checks["berth-modules"].result | .result == "error" and (.details[0] | contains("nix: pull"))'
touch "$work/aziot/config.toml"
edge check --https-port "$hub_https" --verbose --iothub-hostname nosuch.invalid --dont-run 'hostname berth-modules' >"$work/check.txt"
check 'check: what was not asked for' grep -A 1 -F '[-]  berth-modules' "$work/check.txt"
check 'check: a hub that is not there, and what to do' eval 'grep -A 3 -F "[X]  host-connect-iothub-mqtt" "$work/check.txt" | grep -q "Next: is the name right"'
check 'check: a change that was not applied' eval 'grep -A 4 -F "[!]  config-up-to-date" "$work/check.txt" | grep -q "Next: .iotedge config apply"'
check 'check: within 80 columns' eval '! grep -E "^.{81}" "$work/check.txt"'

# ---- system
check 'system status' says 0 'Hub: localhost, connected' edge system status
check 'system status: last words of what failed' says 1 'failed (failed), started again 2 times, exit-code, exit status 153' env UNIT_STATE='failed failed' \
    iotedge -H "$work/mgmt.sock" system status
check 'system logs: ours, and what else was asked for' eval 'JOURNAL_ARGS=$work/args edge system logs -- -f -n 5 && grep -qx berth-edged.service "$work/args" && [ "$(tail -n 1 "$work/args")" = 5 ]'
check 'system set-log-level: none that there is' says 2 'not known' edge system set-log-level loud
quiet_restart() {
    local lines
    edge system set-log-level error || return 1
    lines=$(wc -l <"$work/edged.log")
    edge system restart && wait_until 20 edge list && ! tail -n "+$((lines + 1))" "$work/edged.log" | grep 'edged: version'
}
check 'system set-log-level' quiet_restart
check 'system reprovision: by hand there is nothing to ask' says 0 'provisioned by hand' edge system reprovision
check 'it answers again' wait_until 20 edge list

# ---- support bundle
names() { python3 -c 'import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; print("\n".join(z.namelist()))' "$1" >"$work/names"; }
has() { grep -qx "$1" "$work/names"; }
check 'support-bundle' says 0 'was written' edge support-bundle -o "$work/bundle.zip"
check 'support-bundle: a zip' eval 'names "$work/bundle.zip" && python3 -m zipfile -e "$work/bundle.zip" "$work/all"'
for name in check.json logs/one_log.txt logs/edgeAgent_log.txt inspect/one.json network/azure-iot-edge.json logs/berth-edged.txt config.toml system.json modules.json; do
    check "support-bundle: $name" test -e "$work/all/$name"
done
check 'support-bundle: what could not be had, and why' grep -q 'nix' "$work/all/inspect/nix_err.json"
check 'support-bundle: no secret' eval '! grep -ra -e c2VjcmV0 -e "${string##*SharedAccessKey=}" "$work/all"'
check 'support-bundle: what is none stays' eval 'grep -qx "login with SharedAccessKey=REDACTED; bye" "$work/all/logs/one_log.txt" && grep -q "PUMP_PIN = \"REDACTED\"" "$work/all/config.toml" &&
    grep -q "IOTEDGE_DEVICEID=edge-1" "$work/all/inspect/one.json"'
check 'support-bundle: to standard output, of the runtime only' eval 'edge support-bundle -q -e -o - >"$work/out.zip" && names "$work/out.zip" && has logs/edgeAgent_log.txt && ! grep /one "$work/names"'

# ---- the same by a user who is not root, for whom the guest's helper collects it
helper_start() {
    mkdir -p "$work/sbin" "$work/user"
    cp "$work/bin/"* "$work/sbin/"
    cp "$BERTH_BUILD/iotedge" "$work/user/"
    chown 65534:65534 "$work/user"
    cat >"$work/sbin/iotedge" <<END
#!/bin/sh
exec "$BERTH_BUILD/iotedge" -H "$work/mgmt.sock" --config-file "$work/aziot/config.toml" --engine-socket "$engine" --state-dir "$work/edged" "\$@"
END
    chmod +x "$work/sbin/iotedge"
    unshare --mount --propagation private sh -c 'mount -t tmpfs -o mode=755 tmpfs /run && mkdir /run/berth && mount --bind "$0" /usr/sbin &&
        exec socat -t 60 UNIX-LISTEN:/run/berth/guest.sock,mode=0666,fork "EXEC:$1"' "$work/sbin" "$PWD/vm/guest/image/tree/usr/lib/berth/berth-guest" \
        >"$work/helper.log" 2>&1 &
    helper_pid=$!
    wait_until 10 in_guest test -S /run/berth/guest.sock
}
in_guest() { nsenter --mount --target "$helper_pid" "$@"; }
as_user() { in_guest setpriv --reuid 65534 --regid 65534 --clear-groups "$work/user/iotedge" "$@"; }
helper_says() { # TEXT REQUEST
    in_guest socat -t 60 - UNIX-CONNECT:/run/berth/guest.sock <<<"$2" | head -n 1 | tee "$work/said" | grep -qF -- "$1" || { cat "$work/said"; return 1; }
}
step "the guest's helper" helper_start
check 'support-bundle by a user' says 0 'was written' as_user support-bundle -o "$work/user/bundle.zip"
check "support-bundle by a user: it is the user's" same "$(stat -c '%u %a' "$work/user/bundle.zip")" '65534 600'
check 'support-bundle by a user: what only root may read is in it' eval 'names "$work/user/bundle.zip" && has config.toml && has logs/one_log.txt && has check.json'
check 'support-bundle by a user: no secret' eval 'python3 -m zipfile -e "$work/user/bundle.zip" "$work/users" && ! grep -ra -e c2VjcmV0 -e "${string##*SharedAccessKey=}" "$work/users"'
check 'support-bundle by a user: to standard output, of the runtime only' eval 'as_user support-bundle -q -e --since 90m --until 1m --iothub-hostname localhost -o - >"$work/out.zip" &&
    names "$work/out.zip" && has logs/edgeAgent_log.txt && ! grep /one "$work/names"'
check 'support-bundle by a user: where that user may not write' says 4 'write /usr/sbin/x.zip' as_user support-bundle -o /usr/sbin/x.zip
for request in '0' '0 x all' '0 0 every' '0 0 all -x' '0 0 all localhost -o' '0 99999999999 all'; do
    check "the helper refuses: support-bundle $request" helper_says 'error support-bundle' "support-bundle $request"
done
check 'the helper refuses a path' helper_says 'error malformed request' 'support-bundle 0 0 all /etc/shadow'
printf '#!/bin/sh\necho "iotedge: the disk is full" >&2\nexit 1\n' >"$work/sbin/iotedge"
check 'support-bundle by a user: what went wrong there' says 1 'iotedge: the disk is full' as_user support-bundle -o "$work/user/none.zip"
check 'support-bundle by a user: then nothing is left' eval '! ls "$work/user/none.zip"* && ! ls /var/tmp/berth-bundle.*'

# ---- the same, asked for from the cloud
blob_server() {
    cat >"$work/blob.sh" <<'END'
#!/bin/bash
IFS=' ' read -r method target _
while IFS= read -r line && line=${line%$'\r'} && [ -n "$line" ]; do
    case ${line,,} in content-length:*) length=${line#*:} ;; esac
done
head -c "$length" >"$BLOBS/sent"
echo "$method ${target%%\?*}" >"$BLOBS/log"
printf 'HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n'
END
    chmod +x "$work/blob.sh"
    mkdir "$work/blobs"
    BLOBS=$work/blobs socat "OPENSSL-LISTEN:$blob_port,reuseaddr,fork,bind=127.0.0.1,cert=$work/hub/server.pem,key=$work/hub/server.key,verify=0" \
        "EXEC:$work/blob.sh" >"$work/socat.log" 2>&1 &
    blob_pid=$!
    wait_until 10 bash -c "exec 3<>/dev/tcp/127.0.0.1/$blob_port"
}
invoke() { # METHOD PAYLOAD FILTER
    jq -cn --arg m "$1" --argjson p "$2" '{methodName: $m, payload: $p, responseTimeoutInSeconds: 60, connectTimeoutInSeconds: 10}' |
        hub_call POST '/twins/edge-1/modules/%24edgeAgent/methods' -d @- >"$work/answer" && jq -e "$3" "$work/answer"
}
ended() { invoke GetTaskStatus "{\"schemaVersion\":\"1.0\",\"correlationId\":\"$task\"}" '.payload.status == "Completed" and .payload.message == ""'; }
bundle() { # MORE-MEMBERS
    jq -cn --arg u "https://localhost:$blob_port/logs?sig=good&sv=2022" --argjson m "$1" '{schemaVersion: "1.0", sasUrl: $u} + $m'
}
step 'a storage account' blob_server
check 'the runtime is connected' wait_until 20 says 0 'Hub: localhost, connected' edge system status
check 'UploadSupportBundle: a time that is none' invoke UploadSupportBundle "$(bundle '{"since":"--x"}')" '.status == 400 and (.payload.message | contains("since"))'
check 'UploadSupportBundle begins' invoke UploadSupportBundle "$(bundle '{"since":"2d","edgeRuntimeOnly":true}')" '.status == 200 and .payload.status == "Running"'
task=$(jq -r .payload.correlationId "$work/answer")
check 'and is done' wait_until 60 ended
check 'the bundle is in the storage, under its name' eval 'grep -qE "^PUT /logs/localhost/edge-1/support-bundle-20[0-9-]+--[0-9-]+\.zip$" "$work/blobs/log" && names "$work/blobs/sent" && has check.json'
check 'nothing of it stays here' eval '[ ! -e "$work/edged/bundle" ]'
edge system stop >/dev/null
