#!/bin/sh
# clang-tidy over the given files with the flags of the Makefile's layers; its summary lines are dropped.
set -u
clang-tidy --quiet --warnings-as-errors='*' "$@" -- -std=gnu17 -D_GNU_SOURCE -DNCURSES_NOMACROS -I. \
    -isystem /usr/share/include/llhttp 2>/dev/null
