/* The telemetry that came last, for who watches: a stand-in for an Event Hubs consumer. It is kept
 * in memory, bounded, and gone with the process; a message is numbered for good, so that a reader
 * sees what it missed. Loop thread only. */
#ifndef BERTH_HUB_EVENTS_H
#define BERTH_HUB_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVENTS_KEPT      1000
#define EVENTS_BYTES_MAX (8U << 20)

struct events;

struct event {
    uint64_t seq; /* 1, 2, 3 ... */
    uint64_t at_ms;
    const char *device, *module; /* "" for a device */
    const char *generation;      /* of the identity */
    const char *method;          /* how it proved who it is; static */
    const char *model_id;        /* "" where it named none */
    const char *bag;             /* property bag as it came, encoded */
    size_t bag_len;
    const char *payload;
    size_t len;
    bool retain; /* asked for what a hub does not do */
    bool will;   /* sent for a client that went without a word */
};

struct events *events_new(void);
void events_free(struct events *e);
/* Copies what E points to; seq and at_ms are set here. */
void events_add(struct events *e, const struct event *event);
/* Calls FN for the kept ones with seq > AFTER, oldest first, until it returns false. */
void events_each(const struct events *e, uint64_t after,
                 bool (*fn)(void *arg, const struct event *event), void *arg);
uint64_t events_first(const struct events *e); /* number of the oldest kept; 1 before the first */
uint64_t events_last(const struct events *e);  /* number of the newest = how many ever came */

#endif
