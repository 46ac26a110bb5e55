/* What a person or a script sees of a job at work: each step told once, on a terminal as one line
 * that is rewritten, for scripts as events. One thread. */
#ifndef BERTH_TUI_CLI_PROGRESS_H
#define BERTH_TUI_CLI_PROGRESS_H

#include "core/base/model.h"

#include <stdbool.h>

/* `{.json = ..., .quiet = ..., .live = ..., .shown = {.percent = -1}}` is a fresh one. */
struct cli_progress {
    bool json;  /* events on standard output instead of text on standard error */
    bool quiet; /* no text */
    bool live;  /* standard error is a terminal */
    bool live_shown;
    struct job_status shown; /* what was told already */
};

/* Tells what changed since the last call. */
void cli_progress_show(struct cli_progress *p, const struct job_status *job);

/* Takes the live line away, before anything else is written. */
void cli_progress_clear(struct cli_progress *p);

/* "running", "done", ...: the state of a step. */
const char *cli_progress_word(enum light light);

#endif
