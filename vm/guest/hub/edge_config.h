/* What $edgeHub's desired properties ask for: routes, and how long messages are kept. A twin with
 * one bad route is refused as a whole, so that what runs is always what somebody wrote. Pure; any
 * thread. */
#ifndef BERTH_HUB_EDGE_CONFIG_H
#define BERTH_HUB_EDGE_CONFIG_H

#include "core/base/json.h"
#include "vm/guest/hub/route_table.h"

#define EDGE_CONFIG_NEVER (-1) /* no time to live */

struct edge_config {
    char schema_version[16];
    struct route_table routes;
    int64_t ttl_s;      /* of messages whose route has none; EDGE_CONFIG_NEVER */
    uint64_t max_bytes; /* of the outbox; 0: not limited here */
};

/* What holds until a twin was received: everything goes upstream and is kept until it is there. */
struct edge_config *edge_config_default(void);
/* DESIRED is the whole section, with "$version" or without. ERR_INVALID: the text for
 * lastDesiredStatus. */
int edge_config_parse(const cJSON *desired, struct edge_config **ret, struct err *err);
void edge_config_free(struct edge_config *c); /* NULL is fine */
DEFINE_AUTO(edge_config, struct edge_config, edge_config_free)
#define auto_edge_config ATTR_CLEANUP(edge_config_freep)

/* The time to live of a message that took a route to TARGET, or EDGE_CONFIG_NEVER. */
int64_t edge_config_ttl(const struct edge_config *c, const struct route_target *target);

enum edge_change {
    EDGE_ROUTE_ADDED,
    EDGE_ROUTE_CHANGED,
    EDGE_ROUTE_REMOVED,
    EDGE_ENDPOINT_ADDED,
    EDGE_ENDPOINT_REMOVED, /* no route leads there any more */
    EDGE_TTL_CHANGED,
    EDGE_MAX_BYTES_CHANGED,
};

/* Calls FN for each difference. NAME is the route's or the endpoint's, else "". */
void edge_config_diff(const struct edge_config *old, const struct edge_config *new,
                      void (*fn)(void *arg, enum edge_change change, const char *name), void *arg);

#endif
