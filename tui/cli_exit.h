/* Exit codes: a promise to scripts. Pure. */
#ifndef BERTH_TUI_CLI_EXIT_H
#define BERTH_TUI_CLI_EXIT_H

#include "core/base/err.h"
#include "core/base/model.h"

enum cli_exit {
    CLI_EXIT_DONE = 0,          /* or already so */
    CLI_EXIT_FAILED = 1,        /* any other failure */
    CLI_EXIT_USAGE = 2,         /* wrong usage */
    CLI_EXIT_NOT_FOUND = 3,     /* no such VM, module, device, job */
    CLI_EXIT_NOT_PERMITTED = 4, /* rights do not suffice */
    CLI_EXIT_BUSY = 5,          /* another job runs */
    CLI_EXIT_INVALID = 6,       /* input invalid; the message names the field */
    CLI_EXIT_NOT_ABLE = 7,      /* the host cannot do it */
    CLI_EXIT_TIMEOUT = 8,       /* the job may go on; its ID was printed */
    CLI_EXIT_REFUSED = 9,       /* the cloud said no */
    CLI_EXIT_UNREACHABLE = 10,  /* cloud or network do not answer */
    CLI_EXIT_CHECK = 11,        /* a check failed */
    CLI_EXIT_CONFIRM = 13,      /* needs --yes: no terminal to ask on */
    CLI_EXIT_AGAIN = 75,        /* try again later */
    CLI_EXIT_INTERRUPTED = 130,
    CLI_EXIT_PIPE = 141, /* nobody reads our output any more */
    CLI_EXIT_TERMINATED = 143,
};

enum cli_exit cli_exit_of(enum err_kind kind);

/* For an ended job: what the cloud said counts as such where the job provisions. */
enum cli_exit cli_exit_of_job(const struct job_status *job);

#endif
