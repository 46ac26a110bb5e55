/* A stream of the engine's that a command prints as it comes. */
#ifndef BERTH_TUI_CLI_STREAM_H
#define BERTH_TUI_CLI_STREAM_H

#include "tui/cli.h"

struct cli_stream {
    bool ended;
    struct err err;       /* why it ended; ERR_NONE: that was all */
    enum cli_exit broken; /* our own output failed */
};

/* After the entries of an event were printed: sends them on, and reads whether the stream is over.
 * False: it is, or nobody reads us. For a cli_rpc_event_fn. */
bool cli_stream_step(struct cli_stream *s, const cJSON *params);

/* Calls METHOD and prints, through the connection's cli_rpc_event_fn, until the end. */
enum cli_exit cli_stream_follow(struct cli *cli, struct cli_stream *s, const char *method,
                                cJSON *take_params);

#endif
