/* The JSON of twins: merging, differences, metadata and limits. Pure; any thread. Objects are only
 * read unless the function says so. */
#ifndef BERTH_HUB_TWIN_JSON_H
#define BERTH_HUB_TWIN_JSON_H

#include "core/base/err.h"
#include "core/base/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TWIN_SECTION_MAX ((size_t)32 << 10) /* desired, reported */
#define TWIN_TAGS_MAX    ((size_t)8 << 10)
#define TWIN_TEXT_MAX    4096 /* one text in them */

/* What a twin shows besides its identity, as bits. */
enum twin_part {
    TWIN_TAGS = 1,
    TWIN_DESIRED = 2,
    TWIN_REPORTED = 4,
    TWIN_CONFIGURATIONS = 8,
    TWIN_METADATA = 16, /* of the sections that are shown */
    TWIN_ALL = 31,
};

/* Checks what a twin section or a patch to one may hold: an object, at most 10 levels, keys,
 * strings and integers within IoT Hub's limits. Of names with '$' only those that come back from
 * who read the twin may be there, on the top level: $version, $metadata, $etag. The error names the
 * JSON path, beginning with ROOT. */
int twin_json_check(const cJSON *section, const char *root, struct err *err);

/* The same of what is put into a section of at most MAX bytes, before it is merged: it may take
 * away as much as it brings. */
int twin_json_check_patch(const cJSON *patch, size_t max, const char *root, struct err *err);
int twin_json_check_size(const cJSON *section, size_t max, const char *name, struct err *err);

/* What a section counts against its limit, as IoT Hub counts: names and texts without control
 * characters, 8 bytes a number, 4 a truth value. */
size_t twin_json_size(const cJSON *section);

/* Whether "a.b.c" leads to a place that a twin section can have. */
bool twin_json_path(const char *path);

/* Puts PATCH into TARGET (changed in place): null deletes, objects merge, everything else replaces.
 * Members of PATCH whose names begin with '$' on the top level are left out. */
void twin_json_merge(cJSON *target, const cJSON *patch);

/* A patch that turns OLD into NEW: what is gone appears as null. For the caller. */
cJSON *twin_json_diff(const cJSON *old, const cJSON *new);

/* Brings METADATA (changed in place) up to date for PATCH: "$lastUpdated" and, unless VERSION is 0,
 * "$lastUpdatedVersion" on each member of it and on the way there. */
void twin_json_stamp(cJSON *metadata, const cJSON *patch, const char *when, uint64_t version);

#endif
