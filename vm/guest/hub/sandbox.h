/* The sandbox as a process: takes its folder, opens everything, says ready, and closes it again.
 * Loop thread only. */
#ifndef BERTH_HUB_SANDBOX_H
#define BERTH_HUB_SANDBOX_H

#include "core/base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define SANDBOX_ADDRESSES_MAX 8
#define SANDBOX_HUBS_MAX      8 /* besides the first */

struct sandbox_options {
    const char *dir;
    const char *host;                                 /* the name of the first hub */
    const char *hubs[SANDBOX_HUBS_MAX + 1];           /* names of further ones, NULL-terminated */
    const char *addresses[SANDBOX_ADDRESSES_MAX + 1]; /* to listen on, numeric, NULL-terminated */
    uint16_t mqtt_port, https_port;
    uint16_t registry_port; /* 0: none */
    uint64_t c2d_lock_ms;   /* as in struct hub */
};

struct sandbox;

/* Once: ERR NULL when all listeners are up and sandbox.json is written. */
typedef void (*sandbox_ready_fn)(void *arg, const struct err *err);

/* Options are borrowed for the sandbox's life. On failure nothing stays behind and READY does not
 * come. */
int sandbox_open(uv_loop_t *loop, const struct sandbox_options *options, sandbox_ready_fn ready,
                 void *arg, struct sandbox **ret, struct err *err);
/* Ends connections and children, writes what is open. The loop must run out afterwards. NULL is
 * fine. */
void sandbox_close(struct sandbox *s);

#endif
