/* Asking the engine from a program that does one thing after the other: the loop runs inside the
 * calls, and only there. One thread. */
#ifndef BERTH_TUI_CLI_RPC_H
#define BERTH_TUI_CLI_RPC_H

#include "core/base/err.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

struct cli_rpc;

/* Begins to connect. START_ENGINE: starts one where none runs. */
struct cli_rpc *cli_rpc_new(bool start_engine);
void cli_rpc_free(struct cli_rpc *r);

/* Waits for the answer. *RET_RESULT (may be NULL) is the caller's to free. */
int cli_rpc_call(struct cli_rpc *r, const char *method, cJSON *take_params, uint64_t timeout_ms,
                 cJSON **ret_result, struct err *err);

/* Events go to FN, during calls too. It must not call; false ends cli_rpc_wait(). */
typedef bool (*cli_rpc_event_fn)(void *arg, const char *method, const cJSON *params);
void cli_rpc_on_event(struct cli_rpc *r, cli_rpc_event_fn fn, void *arg);

enum cli_wait {
    CLI_WAIT_ENOUGH,  /* FN said so */
    CLI_WAIT_TIMEOUT, /* TIMEOUT_MS is over */
    CLI_WAIT_SIGNAL,  /* SIGINT or SIGTERM came */
    CLI_WAIT_UNREAD,  /* nobody reads our standard output any more (cli_rpc_watch_output) */
    CLI_WAIT_LOST,    /* the engine is gone: ERR says why */
};

/* Waits end when the reader of a pipe behind standard output goes away. */
void cli_rpc_watch_output(struct cli_rpc *r);

/* Waits for events. TIMEOUT_MS 0: for ever. *RET_SIGNAL is set for CLI_WAIT_SIGNAL. */
enum cli_wait cli_rpc_wait(struct cli_rpc *r, uint64_t timeout_ms, int *ret_signal,
                           struct err *err);

/* Whether the connection failed, and whether it ever stood: then a failure is not about what was
 * asked. */
bool cli_rpc_lost(const struct cli_rpc *r, bool *ret_was_ready);

#endif
