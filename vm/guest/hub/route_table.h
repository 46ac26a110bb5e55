/* All routes of an edge hub, and where a message goes by them: once to each endpoint, however many
 * routes lead there. Pure; any thread. */
#ifndef BERTH_HUB_ROUTE_TABLE_H
#define BERTH_HUB_ROUTE_TABLE_H

#include "vm/guest/hub/route.h"

#define ROUTE_TABLE_MAX 1024

/* 0 goes first. A route that names none goes after those that do. */
#define ROUTE_PRIORITY_LAST 10
#define ROUTE_PRIORITIES    11

struct route_rule {
    char *name;
    char *text;
    struct route *route;
    unsigned priority;
    uint32_t ttl_s;    /* 0: the table's */
    unsigned endpoint; /* its index in the table */
};

struct route_table {
    struct route_rule *rules;
    size_t n_rules;
    const char **endpoints; /* names, borrowed from the routes */
    size_t n_endpoints;
};

/* One endpoint that gets a message. */
struct route_target {
    unsigned endpoint;
    unsigned priority;
    uint32_t ttl_s; /* 0: the default */
};

void route_table_done(struct route_table *t);
/* ERR_INVALID: what is wrong with TEXT. */
int route_table_add(struct route_table *t, const char *name, const char *text, unsigned priority,
                    uint32_t ttl_s, struct err *err);
/* Where the message of IN goes. TARGETS has room for n_endpoints. Returns how many it is; of routes
 * to one endpoint that both match, the one with the lower priority number counts. */
size_t route_table_match(const struct route_table *t, struct route_input *in,
                         struct route_target *targets);

#endif
