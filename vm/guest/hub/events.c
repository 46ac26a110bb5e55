/* See events.h. */
#include "vm/guest/hub/events.h"

#include "core/base/clock.h"
#include "core/base/mem.h"

#include <string.h>

struct events {
    struct event *ring[EVENTS_KEPT]; /* each one block: the struct, then its texts */
    uint64_t first, last;            /* seq; none where first > last */
    size_t bytes;
};

static size_t size_of(const struct event *e)
{
    return sizeof(*e) + strlen(e->device) + 1 + strlen(e->module) + 1 + e->bag_len + 1 + e->len + 1;
}

struct events *events_new(void)
{
    struct events *e = xcalloc(1, sizeof(*e));

    e->first = 1;
    return e;
}

static void drop_first(struct events *e)
{
    struct event **slot = &e->ring[e->first % EVENTS_KEPT];

    e->bytes -= size_of(*slot);
    free(*slot);
    *slot = NULL;
    e->first++;
}

void events_free(struct events *e)
{
    if (!e)
        return;
    while (e->first <= e->last)
        drop_first(e);
    free(e);
}

/* Puts a terminated copy at *ROOM and moves it on. */
static const char *put(char **room, const char *data, size_t len)
{
    char *at = *room;

    if (len > 0)
        memcpy(at, data, len);
    at[len] = '\0';
    *room += len + 1;
    return at;
}

void events_add(struct events *e, const struct event *event)
{
    size_t size = size_of(event);
    struct event *copy = xmalloc(size);
    char *room = (char *)(copy + 1);

    *copy = *event;
    copy->device = put(&room, event->device, strlen(event->device));
    copy->module = put(&room, event->module, strlen(event->module));
    copy->bag = put(&room, event->bag, event->bag_len);
    copy->payload = put(&room, event->payload, event->len);
    copy->at_ms = clock_wall_ms();
    copy->seq = e->last + 1;
    while (e->first <= e->last &&
           (e->last - e->first + 1 >= EVENTS_KEPT || e->bytes + size > EVENTS_BYTES_MAX))
        drop_first(e);
    e->last++;
    e->ring[e->last % EVENTS_KEPT] = copy;
    e->bytes += size;
}

void events_each(const struct events *e, uint64_t after,
                 bool (*fn)(void *arg, const struct event *event), void *arg)
{
    for (uint64_t seq = after < e->first ? e->first : after + 1; seq <= e->last; seq++)
        if (!fn(arg, e->ring[seq % EVENTS_KEPT]))
            return;
}

uint64_t events_last(const struct events *e)
{
    return e->last;
}
