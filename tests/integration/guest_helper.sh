#!/bin/bash
# The guest's privileged helper and the configuration: wherever it is killed while one is tried, kept or undone, the next request
# leads to either the new configuration or the former one. The helper is the image's own, with its folders moved into the test's; each
# program it calls counts, and kills it where the test says.
# shellcheck source=tests/lib.sh disable=SC2016,SC2030,SC2031,SC2034,SC2317
. "$(dirname "$0")/../lib.sh"
root=$(cd "$(dirname "$0")/../.." && pwd)
setup_private
config=$work/aziot/config.toml
mkdir -p "$work/bin" "$work/run"

sed -e "s|/etc/aziot|$work/aziot|g; s|/run/berth|$work/run|g" -e "s|^export PATH=|&$work/bin:$BERTH_BUILD:|" \
    "$root/vm/guest/image/tree/usr/lib/berth/berth-guest" >"$work/helper"
for program in install sync mv rm sha256sum cmp flock systemctl; do
    cat >"$work/bin/$program" <<PROGRAM
#!/bin/sh
read -r n <"$work/count"
echo \$((n - 1)) >"$work/count"
[ \$n -ne 0 ] || kill -KILL 0
case $program in
systemctl) exec echo "\$*" >>"$work/systemctl" ;;
sync) exit ;; # it is killed here, not cut off from its power
esac
exec /usr/bin/$program "\$@"
PROGRAM
done
chmod 755 "$work"/bin/*

# ask VERB [BODY] [CUT]: what it answered is in $said; killed where it calls its program number CUT, from 0.
ask() {
    echo "${3:--1}" >"$work/count"
    said=$(printf '%s\n%s' "$1" "${2:-}" | setsid -w sh "$work/helper" 2>>"$work/errors")
}
was_cut() { [ "$(<"$work/count")" -eq -1 ]; }
text() { # NAME
    printf '# %s\n[provisioning]\nsource = "manual"\nconnection_string = "HostName=%s.test;DeviceId=d;SharedAccessKey=MDEyMzQ1Njc4OWFiY2RlZg=="' "$1" "$1"
}
begin() { # FORMER, "" where there is none: it was tried and kept, and so was another one before
    rm -rf "$work/aziot" "$work/run"
    mkdir "$work/aziot" "$work/run"
    [ -z "$1" ] || { text oldest >"$config.prev" && text "$1" >"$config"; }
    former=$1
    : >"$work/systemctl"
}
is() { # NAME, "" where there is none
    if [ -z "$1" ]; then [ ! -e "$config" ]; else cmp -s <(text "$1") "$config"; fi ||
        { echo "the configuration is $(head -n 1 "$config"), not ${1:-away}"; return 1; }
}
answers() { [ "$said" = "$1" ] || { echo "it answered '$said', not '$1'"; return 1; }; }
runs() { # the runtime was told after the last change
    local want=${1:+restart}
    same "$(tail -n 1 "$work/systemctl")" "${want:-stop} --no-block berth-edged"
}

# cut_everywhere AFTER VERB [BODY]: VERB is killed at each of its programs in turn, each time after BEFORE, and AFTER must hold.
cut_everywhere() {
    local at
    for ((at = 0; at < 60; at++)); do
        before
        ask "$2" "${3:-}" $at
        was_cut || break
        "$1" || { echo "cut at $at of $2"; return 1; }
    done
    if [ $at -lt 3 ] || [ $at -eq 60 ]; then echo "it was cut $at times" && return 1; fi
}

undone() { ask 'config-undo tried' && is "$former" && { [ ! -s "$work/systemctl" ] || runs "$former"; }; }
undone_after_retry() { ask config-apply "$(text new)" && answers ok && is new && runs new && undone; }
kept() { ask config-keep && answers ok && ask config-undo && answers 'ok nothing to undo' && is new; }
kept_after_retry() { ask config-apply "$(text new)" && answers ok && kept; }
both() { undone && undone_after_retry; }

for former in good ''; do
    name=${former:+_beside_a_former_one}
    before() { begin "$former"; }
    check "a_try_that_was_cut_is_undone${name:-_of_the_first}" cut_everywhere undone config-apply "$(text new)"
    check "a_try_that_was_cut_is_tried_again_and_undone${name:-_of_the_first}" cut_everywhere undone_after_retry config-apply "$(text new)"
    before() { begin "$former" && ask config-apply "$(text new)"; }
    check "an_undo_that_was_cut_is_done_again${name:-_of_the_first}" cut_everywhere both config-undo
done
former=good
before() { begin good; }
check a_try_that_was_cut_is_tried_again_and_kept cut_everywhere kept_after_retry config-apply "$(text new)"
before() { begin good && ask config-apply "$(text new)"; }
check a_keep_that_was_cut_is_done_again cut_everywhere kept config-keep
before() { begin good && ask config-apply "$(text bad)"; }
check what_nobody_kept_is_not_what_an_undo_goes_back_to cut_everywhere both config-apply "$(text new)"

unchanged() {
    begin good
    ask config-apply "$(text good)" && answers 'ok unchanged' && ask config-undo && answers 'ok nothing to undo' && is good
}
check the_same_again_is_unchanged unchanged
refused() {
    begin good
    ask config-apply 'hostname = 3' && [[ $said == 'error '* ]] && ask config-undo && answers 'ok nothing to undo' && is good
}
check what_is_refused_changes_nothing refused
edited() {
    begin good
    ask config-apply "$(text new)" && text mine >"$config" && ask config-undo && is mine
}
check what_a_person_put_in_place_meanwhile_stays edited
private() {
    begin good
    chmod 600 "$work"/aziot/*
    ask config-apply "$(text new)" && [ -z "$(find "$work/aziot" -type f ! -perm 600)" ] && same "$(ls -A "$work/run")" guest.lock
}
check its_files_are_private private

one_bundle() {
    begin good
    (
        exec 7>"$work/run/bundle.lock"
        flock 7
        ask 'support-bundle 0 0 all'
        [[ $said == 'error another support bundle is being collected'* ]] || { echo "it answered '$said'"; return 1; }
    )
}
check one_support_bundle_at_a_time one_bundle

# ---- `iotedge config` changes the same file
decided() {
    begin good
    ask config-apply "$(text new)" && iotedge --config-file "$config" config mp --force -c - <<<'HostName=mine.test;DeviceId=d;SharedAccessKey=MDEyMzQ1Njc4OWFiY2RlZg==' &&
        ask config-undo && answers 'ok nothing to undo' && grep -q mine.test "$config" && cmp <(text good) "$config.prev"
}
check what_a_person_took_into_use_is_not_undone decided
own_run() { # SCRIPT: where /run is another one; mp writes the configuration
    local as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(--map-root-user)
    begin good
    unshare "${as_root[@]}" --mount sh -c "mount -t tmpfs none /run && $1" - iotedge --config-file "$config" config mp --force -c \
        'HostName=h;DeviceId=d;SharedAccessKey=MDEyMzQ1Njc4OWFiY2RlZg=='
}
check the_helper_is_locked_out own_run 'mkdir /run/berth && "$@" && [ -e /run/berth/guest.lock ]'
check where_there_is_none_it_says_so own_run '"$@" 2>&1 | grep "Note: this machine has no /run/berth/guest.lock"'
