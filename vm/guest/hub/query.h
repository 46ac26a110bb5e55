/* IoT Hub's query language over twins, and target conditions, which are its WHERE clause alone.
 * Pure; any thread. A query is at most QUERY_TEXT_MAX long and nested QUERY_DEPTH_MAX deep, so that
 * what strangers send costs little. */
#ifndef BERTH_HUB_QUERY_H
#define BERTH_HUB_QUERY_H

#include "core/base/err.h"
#include "core/base/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUERY_TEXT_MAX         8192
#define QUERY_DEPTH_MAX        24
#define QUERY_GROUPS_MAX       1000
#define QUERY_GROUPS_BYTES_MAX (4U << 20)

struct query;

/* "SELECT ... FROM devices|devices.modules [WHERE ...] [GROUP BY ...]". ERR_INVALID names the
 * character at which the text makes no sense. */
int query_parse(const char *text, struct query **ret, struct err *err);
/* A target condition: "*", "" (nothing) or a condition on what the hub watches: ids, tags, reported
 * properties and the like. MODULES: on modules' twins; such a text may begin with "FROM
 * devices.modules WHERE". */
int query_parse_condition(const char *text, bool modules, struct query **ret, struct err *err);
void query_free(struct query *q);
DEFINE_AUTO(query, struct query, query_free)
#define auto_query ATTR_CLEANUP(query_freep)

bool query_over_modules(const struct query *q);
/* Rows made of twins; else twins as they are ("SELECT *"). */
bool query_is_raw(const struct query *q);
/* Rows are made of all twins together: query_groups_*(), else query_row(). */
bool query_is_grouped(const struct query *q);
uint64_t query_top(const struct query *q); /* UINT64_MAX where it says nothing */
/* Parts of a twin that its condition and its rows look at: bits of enum twin_part. */
unsigned query_condition_parts(const struct query *q);
unsigned query_row_parts(const struct query *q);

/* TWIN is the JSON that the service API shows; parts that the query does not look at may be
 * missing. */
bool query_matches(const struct query *q, const cJSON *twin);
/* The row for a twin that matches, for the caller. */
cJSON *query_row(const struct query *q, const cJSON *twin);

struct query_groups;
struct query_groups *query_groups_new(const struct query *q);
void query_groups_free(struct query_groups *g);
DEFINE_AUTO(query_groups, struct query_groups, query_groups_free)
#define auto_query_groups ATTR_CLEANUP(query_groups_freep)
/* A twin that matches. ERR_INVALID: more groups than QUERY_GROUPS_MAX, or larger ones. */
int query_groups_add(struct query_groups *g, const cJSON *twin, struct err *err);
/* At most MAX rows from row AT on, for the caller; rows are in the order of their first twins. */
cJSON *query_groups_rows(const struct query_groups *g, size_t at, size_t max);
size_t query_groups_count(const struct query_groups *g);

#endif
