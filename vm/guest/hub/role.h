/* The roles that berth-hub can play: each has its part of the command line and of the usage, and
 * its life on the loop. */
#ifndef BERTH_HUB_ROLE_H
#define BERTH_HUB_ROLE_H

#include "core/base/err.h"

#include <getopt.h>
#include <uv.h>

typedef void (*role_ready_fn)(void *arg, const struct err *err);

struct role {
    const char *name;
    const char *usage;
    const struct option *options; /* besides those of main.c; the last is {0} */
    void *(*new)(void);           /* what the calls below get as X */
    int (*take)(void *x, int option, const char *value, struct err *err);
    int (*check)(void *x, struct err *err); /* the command line is read */
    /* READY comes once, ERR NULL when everything listens; not where this fails. */
    int (*open)(void *x, uv_loop_t *loop, role_ready_fn ready, void *arg, struct err *err);
    void (*close)(void *x); /* the loop must run out; also where nothing was opened */
    void (*free)(void *x);
};

extern const struct role role_cloud; /* the sandbox: role_cloud.c */
extern const struct role role_edge;  /* role_edge.c */

#endif
