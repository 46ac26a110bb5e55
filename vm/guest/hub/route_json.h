/* One value out of a JSON text, without building anything: a body of any shape costs no memory. (A
 * tree of cJSON would be forty times the size of a hostile body.) Pure; any thread. */
#ifndef BERTH_HUB_ROUTE_JSON_H
#define BERTH_HUB_ROUTE_JSON_H

#include <stdbool.h>
#include <stddef.h>

#define ROUTE_JSON_DEPTH_MAX 64

enum route_json_kind {
    ROUTE_JSON_NULL,
    ROUTE_JSON_FALSE,
    ROUTE_JSON_TRUE,
    ROUTE_JSON_NUMBER,
    ROUTE_JSON_TEXT, /* AT points behind the opening quote */
    ROUTE_JSON_ARRAY,
    ROUTE_JSON_OBJECT,
};

struct route_json {
    enum route_json_kind kind;
    const char *at; /* raw, in the text */
    size_t len;
};

/* Whether TEXT is one JSON object and nothing else, not deeper than ROUTE_JSON_DEPTH_MAX. */
bool route_json_valid(const char *text, size_t len);
/* Finds "a.b[3].c" in a valid text. Of members of one name the last counts. False where there is no
 * such value. PATH must be valid. */
bool route_json_find(const char *text, size_t len, const char *path, struct route_json *ret);
/* NULL, or what is wrong with a path: names set off by dots, each with one [number] at most. */
const char *route_json_path_error(const char *path, bool indices);
/* Decodes a text value's escapes into TO, which has room for LEN bytes. Returns how many came. */
size_t route_json_decode(const struct route_json *text, char *to);

#endif
