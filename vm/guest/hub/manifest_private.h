/* What the files that check manifests share: a place in the JSON, and what must be there. */
#ifndef BERTH_HUB_MANIFEST_PRIVATE_H
#define BERTH_HUB_MANIFEST_PRIVATE_H

#include "vm/guest/hub/manifest.h"

#include <stdint.h>

#define MANIFEST_PATH_MAX 400

/* Where in the manifest we are, for the error. */
struct at {
    const cJSON *json; /* NULL where the member is missing */
    char path[MANIFEST_PATH_MAX];
};

struct at at_member(const struct at *up, const char *name);
/* NAME in any case, as IoT Edge reads some members. */
struct at at_member_any_case(const struct at *up, const char *name);

/* All -1 with ERR_INVALID: the path and what is wrong. */
int at_wrong(const struct at *a, const char *why, struct err *err);
int at_need_object(const struct at *a, struct err *err);
int at_need_text(const struct at *a, struct err *err); /* not empty */
int at_may_be_text(const struct at *a, struct err *err);
/* One of WORDS (NULL-terminated); OPTIONAL allows it to be missing. */
int at_need_word(const struct at *a, const char *const *words, bool optional, struct err *err);
/* A whole number of 0 to MAX, where it is there. */
int at_whole_within(const struct at *a, double max, struct err *err);
/* "schemaVersion": "1.MINOR" with MINOR at most MAX. */
int at_need_schema(const struct at *desired, unsigned max, unsigned *ret_minor, struct err *err);

/* The whole desired section, and one entry of it. */
int manifest_check_agent(const struct at *desired, struct err *err);
int manifest_check_agent_module(const struct at *module, const char *name, struct err *err);
int manifest_check_hub(const struct at *desired, struct err *err);
int manifest_check_hub_route(const struct at *route, const char *name, bool objects,
                             struct err *err);

#endif
