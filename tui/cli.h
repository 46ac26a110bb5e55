/* The command line: `berth NOUN VERB ...`. Data goes to standard output, messages and progress to
 * standard error. One thread; the process does one verb and ends. */
#ifndef BERTH_TUI_CLI_H
#define BERTH_TUI_CLI_H

#include "core/base/err.h"
#include "tui/cli_args.h"
#include "tui/cli_exit.h"
#include "tui/cli_rpc.h"

/* Does what the arguments say. Returns the exit code of the process. */
int cli_main(int argc, char **argv);

/* What a verb works with. */
struct cli {
    const struct cli_args *args;
    struct cli_rpc *rpc; /* made by the first cli_call() */
    uint64_t timeout_ms; /* how long to wait for a job; 0: for ever */
};

/* Asks the engine, starting it where none runs. *RET_RESULT (may be NULL) is the caller's to free.
 */
int cli_call(struct cli *cli, const char *method, cJSON *take_params, cJSON **ret_result,
             struct err *err);

/* The connection, for events; starts connecting where there is none yet. */
struct cli_rpc *cli_connect(struct cli *cli, bool start_engine);

/* Shows ERR and gives the exit code for it. */
enum cli_exit cli_fail(const struct cli *cli, const struct err *err);

/* The name of the VM that is meant: the argument INDEX, else --vm where the verb has it, else the
 * only VM. Heap string. */
int cli_vm_name(struct cli *cli, size_t index, char **ret_name, struct err *err);

/* Starts METHOD, which gives a job, and waits for its end unless --no-wait. Returns the exit code.
 */
enum cli_exit cli_job_run(struct cli *cli, const char *method, cJSON *take_params);

/* The whole of a file ("-": standard input), at most MAX bytes, appended to OUT. */
int cli_read(const char *path, size_t max, struct buf *out, struct err *err);

/* The same as JSON. */
int cli_read_json(const char *path, size_t max, cJSON **ret_json, struct err *err);

#endif
