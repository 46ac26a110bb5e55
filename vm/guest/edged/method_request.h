/* What the direct methods about logs ask for. Member names and words in any case, as Microsoft's
 * agent reads them. Pure. */
#ifndef BERTH_EDGED_METHOD_REQUEST_H
#define BERTH_EDGED_METHOD_REQUEST_H

#include "core/base/err.h"
#include "core/base/json.h"
#include "logs/filter.h"
#include "vm/guest/edged/log_query.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define METHOD_ITEMS_MAX   64
#define METHOD_LEVEL_ANY   (-1)
#define METHOD_URL_MAX     2048
#define METHOD_SAS_EXAMPLE "https://ACCOUNT.blob.core.windows.net/CONTAINER?sv=...&sig=..."

struct method_item {
    struct filter *id;      /* of the modules it is about; NULL: all */
    struct filter *pattern; /* of the lines wanted; NULL: all */
    int level;              /* of the lines wanted, 0..7 as syslog counts; METHOD_LEVEL_ANY */
    struct log_query query;
};

struct method_request {
    struct method_item items[METHOD_ITEMS_MAX];
    size_t n;
    bool gzip;
    bool json;
    char *url; /* of an upload; a secret is in it */
};

/* The version that every payload but ping's carries: major 1. */
int method_check_schema(const cJSON *payload, struct err *err);
/* A required string that is not empty; borrowed from PAYLOAD. */
int method_need_text(const cJSON *payload, const char *key, const char **ret, struct err *err);
/* sasUrl: https, no longer than METHOD_URL_MAX, with a query. */
int method_need_url(const cJSON *payload, const char **ret, struct err *err);

/* ERR_INVALID names the member. NOW_S: what durations in `since` and `until` count from. */
int method_request_parse(const cJSON *payload, bool upload, uint64_t now_s,
                         struct method_request *ret, struct err *err);
void method_request_done(struct method_request *r);

/* The first item that is about MODULE; NULL where none is. */
const struct method_item *method_request_find(const struct method_request *r, const char *module);

#endif
