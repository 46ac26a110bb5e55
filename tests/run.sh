#!/bin/bash
# Runs one kind of tests and adds up what passed and failed, or, as `check`, all of them in the order in which mistakes show soonest.
#
#   tests/run.sh unit|integration|sdk|e2e|bench BUILD-DIR
#   tests/run.sh fuzz BUILD-DIR SECONDS-EACH
#   tests/run.sh check
#
# A test program prints `ok NAME` or `not ok NAME: why` for each case. Its whole output goes to build/test-logs; what failed is shown.
set -u
cd "$(dirname "$0")/.." || exit 1
umask 022
tally=build/tally
logs=build/test-logs
mkdir -p "$logs"

# Adds PASSED FAILED to the tally and returns whether nothing failed.
count() { # KIND PASSED FAILED
    echo "$2 $3" >>"$tally"
    printf '%s: %d passed, %d failed\n' "$1" "$2" "$3"
    [ "$3" -eq 0 ]
}

run_unit() { # BUILD
    local log=$logs/unit-${1##*/}.log status=0 line passed failed crashed
    rm -f "$1"/san-unit.*
    ASAN_OPTIONS=log_path=$PWD/$1/san-unit:handle_segv=0 UBSAN_OPTIONS=log_path=$PWD/$1/san-unit:print_stacktrace=1 \
        timeout 600 "$1/test-unit" --timeout 60 >"$log" 2>&1 || status=$?
    line=$(grep -a 'Synthesis' "$log" | tail -n 1)
    passed=$(sed -n 's/.*Passing: \([0-9]*\).*/\1/p' <<<"$line")
    failed=$(sed -n 's/.*Failing: \([0-9]*\).*/\1/p' <<<"$line")
    crashed=$(sed -n 's/.*Crashing: \([0-9]*\).*/\1/p' <<<"$line")
    failed=$((${failed:-0} + ${crashed:-0}))
    # A leak or an overflow in a forked test does not fail it: the sanitiser's own reports do.
    if compgen -G "$1/san-unit.*" >/dev/null; then
        head -n 40 "$1"/san-unit.*
        failed=$((failed + 1))
    fi
    if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then failed=1; fi
    [ "$failed" -eq 0 ] || tail -n 60 "$log"
    count "unit (${1##*/})" "${passed:-0}" "$failed"
}

# Runs one program of ok / not ok lines. Its line of the overview and its counts go to files beside its log, since others run meanwhile.
run_program() { # NAME LOG LIMIT COMMAND...
    local name=$1 log=$2 limit=$3 status=0 ok bad start=$SECONDS
    shift 3
    timeout --kill-after=10 "$limit" "${alone[@]}" "$@" >"$log" 2>&1 </dev/null || status=$?
    ok=$(grep -ac '^ok ' "$log")
    bad=$(grep -ac '^not ok ' "$log")
    if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then
        echo "not ok $name: ended with status $status" >>"$log"
        bad=1
    fi
    if [ "$status" -eq 0 ] && [ "$ok" -eq 0 ] && [ "$bad" -eq 0 ]; then
        echo "not ok $name: ran no case" >>"$log"
        bad=1
    fi
    {
        printf '  %-28s %3d ok %3d not ok  %4d s\n' "$name" "$ok" "$bad" $((SECONDS - start))
        if [ "$bad" -ne 0 ]; then
            grep -a '^not ok ' "$log"
            tail -n 30 "$log" | sed 's/^/    | /'
        fi
    } >"$log.part"
    cat "$log.part"
    echo "$ok $bad" >"$log.part"
}

# Each in a network of its own, where that can be: no two want the same port, and several can run at once.
alone=()
if unshare --net true 2>/dev/null; then
    # shellcheck disable=SC2016 # for the shell inside
    alone=(unshare --net sh -c 'ip link set lo up && exec "$0" "$@"')
fi

run_programs() { # KIND BUILD LIMIT
    local lanes=1 passed failed=0 source name command
    # Integration tests mostly wait. A test with a VM has the machine for itself.
    [ "$1" = integration ] && [ ${#alone[@]} -gt 0 ] && lanes=$(($(nproc) + 1))
    [ "$1" = e2e ] && alone=()
    export BERTH_BUILD=$PWD/$2
    rm -f "$2/san-$1".* "$logs/$1"-*.part
    export ASAN_OPTIONS=log_path=$PWD/$2/san-$1 UBSAN_OPTIONS=log_path=$PWD/$2/san-$1:print_stacktrace=1
    for source in tests/"$1"/*.sh tests/"$1"/*.c tests/"$1"/test_*.js; do
        [ -e "$source" ] || continue
        name=$(basename "${source%.*}")
        [ -z "${ONLY:-}" ] || [ "$name" = "$ONLY" ] || continue
        case ${source##*.} in
        sh) command=("$source") ;;
        c) command=("$2/tests/$1/$name") ;;
        js) command=(tests/support/sdk.sh "$source") ;;
        esac
        [ "$(jobs -rp | wc -l)" -lt "$lanes" ] || wait -n
        run_program "$name" "$logs/$1-$name.log" "$3" "${command[@]}" &
    done
    wait
    read -r passed failed < <(cat "$logs/$1"-*.part | awk '{ p += $1; f += $2 } END { print p + 0, f + 0 }')
    if compgen -G "$2/san-$1.*" >/dev/null; then
        head -n 60 "$2/san-$1".*
        failed=$((failed + 1))
    fi
    count "$1 (${2##*/})" "$passed" "$failed"
}

fuzz_one() { # SECONDS TARGET
    local name=${2##*/fuzz_}
    mkdir -p "build/corpus/$name" "tests/fuzz/corpus/$name"
    if timeout $(($1 + 60)) "$2" -max_total_time="$1" -timeout=5 -rss_limit_mb=512 -print_final_stats=1 -seed="${FUZZ_SEED:-0}" \
        -artifact_prefix="build/fuzz/crash-$name-" "build/corpus/$name" "tests/fuzz/corpus/$name" \
        >"$logs/fuzz-$name.log" 2>&1; then
        echo "ok fuzz_$name"
    else
        echo "not ok fuzz_$name"
        tail -n 40 "$logs/fuzz-$name.log"
    fi
}

run_fuzz() { # BUILD SECONDS
    local log=$logs/fuzz.log
    export logs
    export -f fuzz_one
    # shellcheck disable=SC2016 # for the shells that xargs starts
    find "$1" -maxdepth 1 -name 'fuzz_*' -type f -perm -u+x -print0 | sort -z |
        xargs -0 -P "$(nproc)" -I{} bash -c 'fuzz_one "$0" "$1"' "$2" {} >"$log" 2>&1
    grep -av '^ok ' "$log"
    count fuzz "$(grep -ac '^ok ' "$log")" "$(grep -ac '^not ok ' "$log")"
}

# A static check or a build counts as one test.
stage() { # NAME COMMAND...
    local name=$1 start=$SECONDS
    shift
    if "$@"; then
        echo "1 0" >>"$tally"
        printf '%s: ok (%d s)\n' "$name" $((SECONDS - start))
    else
        echo "0 1" >>"$tally"
        printf '%s: FAILED (%d s)\n' "$name" $((SECONDS - start))
    fi
}

# A kind of tests that counts for itself. Where it fails and has counted no failure, it could not be built: that is one.
part() { # COMMAND...
    local before after
    before=$(failures_so_far)
    "$@" && return
    after=$(failures_so_far)
    [ "$after" -gt "$before" ] || { echo "FAILED: $*"; echo "0 1" >>"$tally"; }
}
failures_so_far() { awk '{ f += $2 } END { print f + 0 }' "$tally"; }

static_checks() {
    local make=(nice make --no-print-directory)
    stage 'cppcheck' "${make[@]}" cppcheck
    stage 'clang-tidy' "${make[@]}" tidy
}

run_check() {
    local make=(make --no-print-directory "-j$(nproc)")
    rm -f "$tally"
    "${make[@]}" deps-test || return 1
    stage 'lint' "${make[@]}" lint
    stage 'format' "${make[@]}" fmt-check
    stage 'build with gcc' "${make[@]}" MODE=debug WERROR=1 all
    stage 'build with clang' "${make[@]}" MODE=fuzz WERROR=1 CC=clang all fuzz
    part "${make[@]}" asan
    # A guest under emulation leaves most of a second processor idle.
    static_checks >"$logs/static.log" 2>&1 &
    part "${make[@]}" e2e
    wait
    cat "$logs/static.log"
    # As far as time allows, the same tree gets the same verdict: to search further, with other seeds, is what `make fuzz-run` is for.
    FUZZ_SEED=1 part "${make[@]}" fuzz-run T="${FUZZ_SECONDS:-3}"
    awk '{ p += $1; f += $2 } END { printf "%d passed, %d failed\n", p, f; exit f > 0 }' "$tally"
}

case ${1:-} in
unit) run_unit "$2" ;;
integration) run_programs integration "$2" 300 ;;
sdk)
    if tests/support/sdk.sh install >"$logs/sdk-install.log" 2>&1; then
        run_programs sdk "$2" 240
    else
        tail -n 20 "$logs/sdk-install.log"
        count 'sdk packages' 0 1
    fi
    ;;
e2e) run_programs e2e "$2" 1200 ;;
bench)
    export BERTH_BUILD=$PWD/$2
    for b in tests/bench/*.sh; do [ -e "$b" ] && "$b"; done
    for b in tests/bench/*.c; do [ -e "$b" ] && "${alone[@]}" "$2/tests/bench/$(basename "${b%.c}")"; done
    ;;
fuzz) run_fuzz "$2" "$3" ;;
check) run_check ;;
*)
    sed -n '2,9s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac
