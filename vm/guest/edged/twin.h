/* The twin of $edgeAgent as JSON: what the hub wants, and what it has been told. Pure. */
#ifndef BERTH_EDGED_TWIN_H
#define BERTH_EDGED_TWIN_H

#include "core/base/err.h"
#include "core/base/json.h"

#include <stdbool.h>
#include <stdint.h>

struct twin {
    cJSON *desired;  /* with $version; NULL: not known yet */
    cJSON *reported; /* as the hub has it, without $version; NULL: not known */
};

enum twin_change {
    TWIN_APPLIED, /* desired is new */
    TWIN_STALE,   /* an old version: nothing to do */
    TWIN_GAP,     /* a version was missed: get the whole twin */
};

void twin_done(struct twin *t);
/* The whole twin: {"desired":{...},"reported":{...}}. */
int twin_set(struct twin *t, const char *text, size_t len, struct err *err);
/* A change notification. */
int twin_patch(struct twin *t, const char *text, size_t len, enum twin_change *ret_change,
               struct err *err);

/* RFC 7386: PATCH into TARGET (takes and returns it). null deletes. */
cJSON *twin_merge(cJSON *take_target, const cJSON *patch);
/* The smallest patch that turns FROM into TO: changed and new members, null for those gone. NULL
 * where there is none. */
cJSON *twin_diff(const cJSON *from, const cJSON *to);

#endif
