/* See availability.h. */
#include "vm/guest/edged/availability.h"

#include "core/base/str.h"
#include "vm/guest/edged/agent_metrics.h"

/* NULL: there are too many, and all are to run. */
static struct availability_module *module_of(struct availability *a, const char *name)
{
    struct availability_module *room = NULL;
    for (size_t i = 0; i < a->n; i++) {
        if (str_eq(a->at[i].name, name))
            return &a->at[i];
        if (!a->at[i].expected)
            room = &a->at[i];
    }
    if (a->n < ARRAY_LEN(a->at))
        room = &a->at[a->n++];
    if (room) {
        *room = (struct availability_module){0};
        STR_SET(room->name, name);
    }
    return room;
}

void availability_look(struct availability *a, const struct module_view *views, size_t n,
                       uint64_t mono_ms, struct meters *meters)
{
    uint64_t passed_ms = a->looked_ms ? mono_ms - a->looked_ms : 0;
    a->looked_ms = mono_ms;
    for (size_t i = 0; i < a->n; i++) {
        struct availability_module *m = &a->at[i];
        m->expected_ms += m->expected ? passed_ms : 0;
        m->running_ms += m->expected && m->running ? passed_ms : 0;
        m->expected = false;
    }
    for (size_t i = 0; i < n; i++) {
        struct availability_module *m =
            views[i].spec && views[i].spec->running ? module_of(a, views[i].name) : NULL;
        if (!m)
            continue;
        m->expected = true;
        m->running = views[i].status == STATUS_RUNNING;
    }
    for (size_t i = 0; i < a->n; i++) {
        const struct availability_module *m = &a->at[i];
        meter_set(agent_metrics_of(meters, AGENT_TIME_EXPECTED, m->name), m->expected_ms / 1000);
        meter_set(agent_metrics_of(meters, AGENT_TIME_RUNNING, m->name), m->running_ms / 1000);
    }
}
