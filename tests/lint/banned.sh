#!/bin/bash
# Calls that this project does not use, and what to use instead.
set -u
cd "$(dirname "$0")/../.." || exit 1
bad=0
ban() { # PATTERN ADVICE [EXCEPT-FILE]
    if git grep -nE "(^|[^A-Za-z0-9_>.])($1)\(" -- '*.c' '*.h' ':!tests/' ":!${3:-LICENSE}" ':!vm/guest/image/' | grep -vE '^[^:]*:[0-9]+:\s*(/?\*|//)'; then
        echo "^ banned: $2"
        bad=1
    fi
}
ban 'strcpy|strcat|strncpy|strncat|sprintf|vsprintf|gets' 'bounded copies of core/base/str.h or buf.h'
ban 'strtok|asctime|ctime|localtime|gmtime|rand|strerror' 'the re-entrant form'
ban 'atoi|atol|atoll|atof|scanf|sscanf|fscanf' 'str_to_u64 or a parser that reports errors'
ban 'system|popen' 'core/io/child.h'
ban 'alloca' 'the heap or a fixed buffer'
ban 'sleep|usleep|nanosleep' 'an event with a deadline'
ban 'signal' 'sigaction or uv_signal'
ban 'malloc|calloc|realloc|strdup|strndup|asprintf' 'core/base/mem.h' core/base/mem.c
if git grep -nE '\b(TODO|FIXME|XXX|HACK)\b' -- '*.c' '*.h' '*.sh' Makefile ':!tests/lint/'; then
    echo '^ open ends belong into an issue'
    bad=1
fi
exit $bad
