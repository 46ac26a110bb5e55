/* What the commands about the sandbox share. */
#ifndef BERTH_TUI_CLI_SANDBOX_H
#define BERTH_TUI_CLI_SANDBOX_H

#include "tui/cli.h"

/* {hub?} from --hub, where the verb takes it: the parameters of a call. */
cJSON *cli_sandbox_params(const struct cli *cli);
/* The same with {deviceId, moduleId?} from TARGET, "DEVICE" or "DEVICE/MODULE". */
cJSON *cli_sandbox_target(const struct cli *cli, const char *target);

/* Asks, and prints the answer as KIND where --json is set. The answer is the caller's to free; NULL
 * where it failed: then *RET_EXIT says how to end. */
cJSON *cli_sandbox_call(struct cli *cli, const char *method, cJSON *take_params,
                        enum cli_exit *ret_exit);

/* For what answers nothing: a line of JSON {KIND, KEY: VALUE}, or the words as a note. */
void cli_sandbox_did(const struct cli *cli, const char *kind, const char *key, const char *value,
                     const char *words);

/* A whole JSON document for people: a member a line. */
void cli_sandbox_print(const cJSON *document);

#endif
