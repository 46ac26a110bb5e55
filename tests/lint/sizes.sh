#!/bin/bash
# A file holds one noun: past 800 lines it certainly holds two, past 500 it is named here.
set -u
cd "$(dirname "$0")/../.." || exit 1
git ls-files '*.c' '*.h' | xargs wc -l | awk '
    $2 != "total" && $1 > 800 { print $2 ": " $1 " lines (limit 800)"; bad = 1 }
    $2 != "total" && $1 > 500 && $1 <= 800 { print "note: " $2 ": " $1 " lines" }
    END { exit bad }'
