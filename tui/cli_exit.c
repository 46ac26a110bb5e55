/* See cli_exit.h. */
#include "tui/cli_exit.h"

#include "core/base/str.h"

static const enum cli_exit exits[] = {
    [ERR_NONE] = CLI_EXIT_DONE,
    [ERR_INVALID] = CLI_EXIT_INVALID,
    [ERR_NOT_FOUND] = CLI_EXIT_NOT_FOUND,
    [ERR_EXISTS] = CLI_EXIT_INVALID, /* the name must be another */
    [ERR_BUSY] = CLI_EXIT_BUSY,
    [ERR_AUTH] = CLI_EXIT_NOT_PERMITTED,
    [ERR_UNREACHABLE] = CLI_EXIT_UNREACHABLE,
    [ERR_TIMEOUT] = CLI_EXIT_TIMEOUT,
    [ERR_CANCELLED] = CLI_EXIT_FAILED,
    [ERR_UNSUPPORTED] = CLI_EXIT_NOT_ABLE,
    [ERR_NO_SPACE] = CLI_EXIT_NOT_ABLE,
    [ERR_PROTOCOL] = CLI_EXIT_FAILED,
    [ERR_REMOTE] = CLI_EXIT_FAILED,
    [ERR_SYSTEM] = CLI_EXIT_FAILED,
    [ERR_BUG] = CLI_EXIT_FAILED,
};
_Static_assert(ARRAY_LEN(exits) == ERR_KIND_COUNT, "an exit code for each kind");

enum cli_exit cli_exit_of(enum err_kind kind)
{
    return (size_t)kind < ARRAY_LEN(exits) ? exits[kind] : CLI_EXIT_FAILED;
}

enum cli_exit cli_exit_of_job(const struct job_status *job)
{
    if (job->state == JOB_STATE_DONE)
        return CLI_EXIT_DONE;
    enum err_kind kind = job->error.kind;
    if (str_starts(job->kind, "provision") && (kind == ERR_AUTH || kind == ERR_REMOTE))
        return CLI_EXIT_REFUSED;
    return kind == ERR_NONE ? CLI_EXIT_FAILED : cli_exit_of(kind);
}
