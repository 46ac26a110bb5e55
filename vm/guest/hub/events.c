/* See events.h. A slot's memory is used again by the message that takes its place: a steady stream
 * of messages allocates nothing. */
#include "vm/guest/hub/events.h"

#include "core/base/clock.h"
#include "core/base/mem.h"

#include <string.h>

#define SLOT_SPARE 4 /* a slot's memory may be so many times what its message needs */

struct slot {
    struct event event; /* its texts are in room */
    char *room;
    size_t size;
};

struct events {
    struct slot ring[EVENTS_KEPT];
    uint64_t first, last; /* seq; none where first > last */
    size_t bytes;         /* in all slots */
};

struct events *events_new(void)
{
    struct events *e = xcalloc(1, sizeof(*e));

    e->first = 1;
    return e;
}

static struct slot *slot_of(struct events *e, uint64_t seq)
{
    return &e->ring[seq % EVENTS_KEPT];
}

static void slot_clear(struct events *e, struct slot *slot)
{
    e->bytes -= slot->size;
    free(slot->room);
    *slot = (struct slot){0};
}

void events_free(struct events *e)
{
    if (!e)
        return;
    for (size_t i = 0; i < EVENTS_KEPT; i++)
        slot_clear(e, &e->ring[i]);
    free(e);
}

/* The slot for the next message, with SIZE bytes of room; older ones make place. */
static struct slot *slot_take(struct events *e, size_t size)
{
    struct slot *slot = slot_of(e, e->last + 1);

    if (e->last + 1 - e->first == EVENTS_KEPT)
        e->first++;
    if (slot->size < size || slot->size / SLOT_SPARE > size) {
        slot_clear(e, slot);
        while (e->first <= e->last && e->bytes + size > EVENTS_BYTES_MAX)
            slot_clear(e, slot_of(e, e->first++));
        slot->room = xmalloc(size);
        slot->size = size;
        e->bytes += size;
    }
    return slot;
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
    size_t device = strlen(event->device), module = strlen(event->module);
    size_t generation = strlen(event->generation), model = strlen(event->model_id);
    struct slot *slot =
        slot_take(e, device + module + generation + model + event->bag_len + event->len + 6);
    struct event *copy = &slot->event;
    char *room = slot->room;

    *copy = *event;
    copy->device = put(&room, event->device, device);
    copy->module = put(&room, event->module, module);
    copy->generation = put(&room, event->generation, generation);
    copy->model_id = put(&room, event->model_id, model);
    copy->bag = put(&room, event->bag, event->bag_len);
    copy->payload = put(&room, event->payload, event->len);
    copy->at_ms = clock_wall_ms();
    copy->seq = ++e->last;
}

void events_each(const struct events *e, uint64_t after,
                 bool (*fn)(void *arg, const struct event *event), void *arg)
{
    for (uint64_t seq = after < e->first ? e->first : after + 1; seq <= e->last; seq++)
        if (!fn(arg, &e->ring[seq % EVENTS_KEPT].event))
            return;
}

uint64_t events_first(const struct events *e)
{
    return e->first;
}

uint64_t events_last(const struct events *e)
{
    return e->last;
}
