/* What the edge hub reports of itself in $edgeHub's twin. Pure; any thread. */
#ifndef BERTH_HUB_EDGE_REPORT_H
#define BERTH_HUB_EDGE_REPORT_H

#include "core/base/json.h"

struct edge_report {
    uint64_t desired_version; /* 0: the cloud never said what it wants */
    unsigned code;            /* of lastDesiredStatus */
    const char *description;
};
cJSON *edge_report_new(const struct edge_report *report);

/* A client that was here since the start. Times are wall clock, 0: never. */
struct edge_report_client {
    char *key; /* see edge_report_key() */
    bool connected;
    uint64_t connected_ms, disconnected_ms;
};
/* The name of a client in the twin, for the caller: DEVICE or DEVICE/MODULE, with what twins do not
 * allow in names escaped. */
char *edge_report_key(const char *device, const char *module);
/* Adds "clients", as many as a twin has room for: those that are here, then those that left last.
 * CLIENTS are put into that order. */
void edge_report_clients(cJSON *report, struct edge_report_client *clients, size_t n);

#endif
