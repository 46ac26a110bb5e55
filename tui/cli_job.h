/* Waiting for a job of the engine: what a terminal, a log and a script see of it. One thread. */
#ifndef BERTH_TUI_CLI_JOB_H
#define BERTH_TUI_CLI_JOB_H

#include "tui/cli.h"

/* Shows the steps of job ID until it ends. A signal or --timeout leaves the job running and says
 * how to come back. Returns the exit code. */
enum cli_exit cli_job_wait(struct cli *cli, const char *id);

int cli_job_list(struct cli *cli);
int cli_job_show(struct cli *cli);
int cli_job_attach(struct cli *cli);
int cli_job_cancel(struct cli *cli);

#endif
