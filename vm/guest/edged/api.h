/* What management and workload API have in common: versions, paths with names in them, bodies and
 * answers in JSON. Loop thread only. */
#ifndef BERTH_EDGED_API_H
#define BERTH_EDGED_API_H

#include "core/base/json.h"
#include "core/io/http_server.h"
#include "vm/guest/edged/deployment.h"

#include <stddef.h>

/* The versions that daemons accept; an endpoint has one from which on it is there. */
enum api_version {
    API_2018_06_28,
    API_2019_01_30,
    API_2019_10_22,
    API_2019_11_05,
    API_2020_07_07,
    API_2021_12_07,
    API_2022_08_03,
    API_VERSION_COUNT
};
#define API_VERSION_TEXT "2022-08-03" /* the one that modules are told */

struct api_route {
    const char *method;
    const char *path; /* "*" stands for a name; a last part in capitals matches in any case */
    enum api_version version;
};

#define API_NAMES_MAX 2
struct api_names {
    char at[API_NAMES_MAX][DEPLOYMENT_NAME_MAX]; /* decoded; "" where there is none */
};

/* The row of TABLE that X asks for: N rows of SIZE bytes, each beginning with its route. NULL: X is
 * answered. */
const void *api_find(struct http_exchange *x, const void *table, size_t n, size_t size,
                     struct api_names *ret_names);

/* X's body. RET gets NULL where there is none, or where it is not JSON by its content type. False:
 * X is answered. */
bool api_body(struct http_exchange *x, cJSON **ret);
void api_reply(struct http_exchange *x, int status, const cJSON *json);

#endif
