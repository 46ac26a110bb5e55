/* The arguments of a command, taken apart by the table of verbs. Pure. */
#ifndef BERTH_TUI_CLI_ARGS_H
#define BERTH_TUI_CLI_ARGS_H

#include "core/base/buf.h"
#include "core/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLI_TABLES_MAX 3 /* option tables of a verb */
#define CLI_PLACES_MAX 4
#define CLI_GIVEN_MAX  64 /* options in one command */

struct cli;

struct cli_option {
    const char *name;
    char letter;       /* 0: none */
    const char *value; /* what is given, "FILE"; NULL: a switch */
    const char *help;
};

struct cli_verb {
    const char *words;  /* "vm create" */
    const char *places; /* "[NAME]" for the usage line; NULL: takes none */
    size_t min_places, max_places;
    const struct cli_option
        *options[CLI_TABLES_MAX]; /* besides the common ones; each ends with a NULL name */
    const char *help;             /* one line */
    int (*run)(struct cli *cli);  /* gives the exit code */
};

/* The table; ends with NULL words. In the order in which help shows it. */
extern const struct cli_verb cli_verbs[];
/* What every verb takes; ends with a NULL name. */
extern const struct cli_option cli_common_options[];

/* An option as it was given, in the order of the command. */
struct cli_given {
    const struct cli_option *option;
    const char *value; /* "" for a switch */
};

struct cli_args {
    const struct cli_verb *verb;
    char about[64]; /* where there is no verb: the words of those that help is wanted for */
    struct cli_given given[CLI_GIVEN_MAX];
    size_t n_given;
    const char *places[CLI_PLACES_MAX];
    size_t n_places;
    bool json, quiet, help;
};

/* Strings are borrowed from ARGV. ERR_INVALID says what is wrong, the hint how to ask for help:
 * exit code 2. --help stops the check for what is missing. */
int cli_args_parse(int argc, char *const *argv, struct cli_args *ret, struct err *err);

/* The value of an option of the verb, the last one where it was given several times; NULL where it
 * was not given. The verb must have it. */
const char *cli_args_value(const struct cli_args *args, const char *option);
/* The values of an option that may be given several times: 0, 1, ... NULL behind the last. */
const char *cli_args_nth(const struct cli_args *args, const char *option, size_t n);
/* Whether it was given. */
bool cli_args_has(const struct cli_args *args, const char *option);
/* Whether the verb takes it at all. */
bool cli_args_takes(const struct cli_args *args, const char *option);

/* A whole number from MIN to MAX; *VALUE stays where the option was not given. ERR_INVALID names
 * the option. */
int cli_args_number(const struct cli_args *args, const char *option, uint64_t min, uint64_t max,
                    uint64_t *value, struct err *err);

/* "30s", "10m", "2h", "3d" before NOW_MS, or an RFC 3339 time, as ms since 1970. */
int cli_args_since(const char *text, uint64_t now_ms, uint64_t *ret_ms, struct err *err);

/* Help texts, made from the table (cli_help.c). */
void cli_help_all(struct buf *out);
void cli_help_verb(const struct cli_verb *verb, struct buf *out);
/* All verbs, or those that begin with the words of PREFIX ("": all). False where there are none. */
bool cli_help_list(const char *prefix, struct buf *out);

#endif
