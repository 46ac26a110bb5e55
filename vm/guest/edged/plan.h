/* What has to be done so that the containers become what the deployment says. Pure: the agent
 * carries it out. */
#ifndef BERTH_EDGED_PLAN_H
#define BERTH_EDGED_PLAN_H

#include "vm/guest/edged/container.h"
#include "vm/guest/edged/deployment.h"
#include "vm/guest/edged/restart.h"

#include <stddef.h>
#include <stdint.h>

#define PLAN_TRACKS_MAX 100U /* the modules of two deployments: one comes, one goes */

/* What the agent remembers of a module, deployed or about to go. */
struct module_track {
    char name[DEPLOYMENT_NAME_MAX];
    struct restart_track restart;
    bool busy;          /* an operation on it is under way */
    uint32_t holds;     /* others who act on it just now */
    uint32_t failures;  /* of operations in a row */
    uint64_t retry_ms;  /* not before this; 0: any time */
    char problem[240];  /* why the last operation failed; empty: it did not */
    char activity[160]; /* what the operation under way is doing */
};

enum plan_kind {
    PLAN_REMOVE, /* stop and remove */
    PLAN_STOP,
    PLAN_CREATE, /* pull, create, start when it is to run */
    PLAN_UPDATE, /* pull, stop, remove, create, start */
    PLAN_START,
    PLAN_RESTART, /* start, and count it */
    PLAN_KIND_COUNT
};
const char *plan_kind_name(enum plan_kind kind);

struct plan_item {
    enum plan_kind kind;
    char name[DEPLOYMENT_NAME_MAX];
    uint32_t order; /* lower ones are to be attempted first */
};

struct plan {
    struct plan_item items[PLAN_TRACKS_MAX];
    size_t n;
    uint64_t wake_ms; /* look again then at the latest; 0: no need */
};

struct module_track *plan_track(struct module_track *tracks, size_t n,
                                const char *name); /* NULL where there is none */

/* Modules that are busy or held, or wait for their retry, are left out; restart counters of modules
 * that ran long enough are cleared in TRACKS. */
void plan_make(const struct deployment *d, const struct container *containers, size_t n_containers,
               struct module_track *tracks, size_t n_tracks, uint64_t now_ms, struct plan *ret);

#endif
