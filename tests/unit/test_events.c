#include "core/base/mem.h"
#include "vm/guest/hub/events.h"

#include <criterion/criterion.h>
#include <string.h>

static struct events *events;

static void setup(void)
{
    events = events_new();
}

static void teardown(void)
{
    events_free(events);
}

TestSuite(events, .init = setup, .fini = teardown);

static void add(const char *payload, size_t len)
{
    events_add(events, &(struct event){.device = "d",
                                       .module = "",
                                       .generation = "",
                                       .method = "",
                                       .model_id = "",
                                       .bag = "",
                                       .payload = payload,
                                       .len = len});
}

struct seen {
    size_t n;
    uint64_t first, last;
    char payload[64];
};

static bool look(void *arg, const struct event *event)
{
    struct seen *s = arg;

    if (s->n++ == 0)
        s->first = event->seq;
    s->last = event->seq;
    strncpy(s->payload, event->payload, sizeof(s->payload) - 1);
    return true;
}

Test(events, are_kept_with_their_numbers)
{
    struct seen s = {0};

    add("one", 3);
    add("", 0);
    add("three", 5);
    events_each(events, 0, look, &s);
    cr_assert(s.n == 3 && s.first == 1 && s.last == 3);
    cr_assert_str_eq(s.payload, "three");
    s = (struct seen){0};
    events_each(events, 2, look, &s);
    cr_assert(s.n == 1 && s.first == 3);
    s = (struct seen){0};
    events_each(events, 3, look, &s);
    cr_assert_eq(s.n, 0);
}

Test(events, leave_the_oldest_behind)
{
    struct seen s = {0};

    for (int i = 0; i < EVENTS_KEPT + 5; i++)
        add("x", 1);
    events_each(events, 0, look, &s);
    cr_assert(s.n == EVENTS_KEPT && s.first == 6 && s.last == EVENTS_KEPT + 5);
    cr_assert_eq(events_first(events), 6);
    cr_assert_eq(events_last(events), EVENTS_KEPT + 5);
}

Test(events, never_take_more_memory_than_they_may)
{
    auto_free char *big = xcalloc(1, 256 << 10);
    struct seen s = {0};

    for (int i = 0; i < 100; i++) {
        add("small", 5);
        add(big, 256 << 10);
    }
    events_each(events, 0, look, &s);
    cr_assert(s.n >= 60 && s.n <= 64, "%zu", s.n);
    cr_assert_eq(s.last, 200);
    for (int i = 0; i < 2 * EVENTS_KEPT; i++)
        add("small again", 11);
    s = (struct seen){0};
    events_each(events, 0, look, &s);
    cr_assert_eq(s.n, EVENTS_KEPT);
    cr_assert_str_eq(s.payload, "small again");
}
