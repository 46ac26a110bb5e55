/* See edge_scope.h: questions about one identity, a few at a time, for somebody who waits at the
 * door. While the whole scope is asked for the first time, who waits takes part in that instead. A
 * wrong password that is tried again and again does not reach the cloud each time. */
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/hub/edge_scope_json.h"
#include "vm/guest/hub/edge_scope_private.h"
#include "vm/guest/hub/topic.h"

#include <string.h>

#define ONE_MS         20000
#define AWAY_MS        1000 /* nobody else is asked for so long after the cloud was away */
#define ASKS_AT_A_TIME 4
#define MINUTE_MS      60000

enum wait_state { WAIT_ASK, WAIT_ALL, WAIT_DONE };

struct edge_scope_wait {
    struct edge_scope_wait *next, **link;
    enum wait_state state;
    char *device, *module;
    edge_scope_fn fn;
    void *arg;
    struct err err; /* once it is done */
};

struct ask {
    struct ask *next;
    struct edge_scope *s;
    char *device, *module;
    struct edge_scope_call *call; /* NULL: it waits for its turn */
    bool seen;                    /* the answer has it */
};

static void start_asks(struct edge_scope *s);

static bool same_name(const char *device, const char *module, const char *other_device,
                      const char *other_module)
{
    return str_eq(device, other_device) && str_eq(module, other_module);
}

/* ---- who waits ---- */

static void wait_free(struct edge_scope_wait *w)
{
    *w->link = w->next;
    if (w->next)
        w->next->link = w->link;
    free(w->device);
    free(w->module);
    free(w);
}

/* FN may add and cancel others: each time from the start. */
static void on_turn(uv_timer_t *timer)
{
    struct edge_scope *s = timer->data;
    struct edge_scope_wait *w;

    do {
        for (w = s->waits; w && w->state != WAIT_DONE;)
            w = w->next;
        if (w) {
            edge_scope_fn fn = w->fn;
            void *arg = w->arg;
            struct err err = w->err;

            wait_free(w);
            fn(arg, err.kind == ERR_NONE ? NULL : &err);
        }
    } while (w);
}

static void settle(struct edge_scope *s, struct edge_scope_wait *w, const struct err *err)
{
    w->state = WAIT_DONE;
    w->err = err ? *err : (struct err){0};
    (void)uv_timer_start(s->turn, on_turn, 0, 0);
}

static void settle_ask(struct edge_scope *s, const struct ask *a, const struct err *err)
{
    for (struct edge_scope_wait *w = s->waits; w; w = w->next)
        if (w->state == WAIT_ASK && same_name(w->device, w->module, a->device, a->module))
            settle(s, w, err);
}

void edge_scope_settle_all(struct edge_scope *s, bool end, const struct err *err)
{
    struct err unknown;

    (void)err_set(&unknown, ERR_NOT_FOUND, "it is not in the scope of this device");
    for (struct edge_scope_wait *w = s->waits; w; w = w->next) {
        if (w->state != WAIT_ALL)
            continue;
        if (edge_scope_find(s, w->device, w->module))
            settle(s, w, NULL);
        else if (end)
            settle(s, w, err ? err : &unknown);
    }
}

/* ---- one of them ---- */

static void ask_free(struct ask *a)
{
    struct ask **link = &a->s->asks;

    while (*link != a)
        link = &(*link)->next;
    *link = a->next;
    free(a->device);
    free(a->module);
    free(a);
}

static void on_part(void *arg, const struct edge_identity *id)
{
    struct ask *a = arg;

    a->seen = a->seen || same_name(id->device, id->module, a->device, a->module);
    edge_scope_on_identity(a->s, id);
}

static void on_one(void *arg, const struct buf *body, uint64_t pause_ms, const struct err *error)
{
    struct ask *a = arg;
    struct edge_scope *s = a->s;
    auto_buf struct buf link = {0};
    struct err err = error ? *error : (struct err){0};

    a->call = NULL;
    if (!error && edge_scope_json_answer(buf_str(body), body->len, on_part, a, &link, &err) < 0)
        (void)err_wrap(&err, "the cloud's answer");
    else if (!error && !a->seen)
        (void)err_set(&err, ERR_NOT_FOUND, "it is not in the scope of this device");
    if (err.kind == ERR_NOT_FOUND)
        edge_scope_on_gone(s, a->device, a->module);
    if (err.kind == ERR_UNREACHABLE)
        edge_scope_pause(s, pause_ms ? pause_ms : AWAY_MS);
    else if (s->failures)
        edge_scope_refresh_all(s); /* the cloud is back */
    settle_ask(s, a, err.kind == ERR_NONE ? NULL : &err);
    ask_free(a);
    start_asks(s);
}

static void start_asks(struct edge_scope *s)
{
    size_t running = 0;

    for (const struct ask *a = s->asks; a; a = a->next)
        running += a->call != NULL;
    for (struct ask *a = s->asks; a && running < ASKS_AT_A_TIME; a = a->next) {
        auto_buf struct buf body = {0};

        if (a->call)
            continue;
        edge_scope_json_ask_one(s->edge->settings->device, a->device, a->module, &body);
        a->call =
            edge_scope_link_call(s->link, "getDeviceAndModuleOnBehalfOf", &body, ONE_MS, on_one, a);
        running++;
    }
}

static void ask(struct edge_scope *s, const char *device, const char *module)
{
    struct ask *a = xcalloc(1, sizeof(*a)), **last = &s->asks;
    size_t at = s->asked_next++ % EDGE_SCOPE_ASKS_A_MINUTE;

    free(s->asked[at].device);
    free(s->asked[at].module);
    s->asked[at].device = xstrdup(device);
    s->asked[at].module = xstrdup(module);
    s->asked[at].at_ms = clock_mono_ms();
    *a = (struct ask){.s = s, .device = xstrdup(device), .module = xstrdup(module)};
    while (*last)
        last = &(*last)->next;
    *last = a;
    start_asks(s);
}

/* A wrong password, tried again and again, is not to reach the cloud each time. */
static int may_ask(const struct edge_scope *s, const char *device, const char *module,
                   struct err *err)
{
    uint64_t now = clock_mono_ms();
    size_t oldest = s->asked_next % EDGE_SCOPE_ASKS_A_MINUTE;

    if (!identity_id_valid(device) || (module[0] && !identity_id_valid(module)))
        return err_set(err, ERR_NOT_FOUND, "no identity can have that name");
    for (size_t i = 0; i < EDGE_SCOPE_ASKS_A_MINUTE; i++)
        if (s->asked[i].device && now - s->asked[i].at_ms < MINUTE_MS &&
            same_name(s->asked[i].device, s->asked[i].module, device, module))
            return err_set(err, ERR_BUSY, "the cloud was asked less than a minute ago");
    if (s->asked[oldest].device && now - s->asked[oldest].at_ms < MINUTE_MS)
        return err_set(err, ERR_BUSY, "the cloud was asked for too many in this minute");
    if (now < s->quiet_ms)
        return err_set(err, ERR_UNREACHABLE, "the cloud could not be asked a moment ago");
    return 0;
}

struct edge_scope_wait *edge_scope_refresh(struct edge_scope *s, const char *device,
                                           const char *module, edge_scope_fn fn, void *arg)
{
    struct edge_scope_wait *w = xcalloc(1, sizeof(*w));
    const struct ask *a = s->asks;
    struct err err;

    *w = (struct edge_scope_wait){.next = s->waits,
                                  .link = &s->waits,
                                  .device = xstrdup(device),
                                  .module = xstrdup(module),
                                  .fn = fn,
                                  .arg = arg};
    if (s->waits)
        s->waits->link = &w->next;
    s->waits = w;
    while (a && !same_name(a->device, a->module, device, module))
        a = a->next;
    if (a)
        w->state = WAIT_ASK;
    else if (s->first && s->page)
        w->state = WAIT_ALL;
    else if (may_ask(s, device, module, &err) < 0)
        settle(s, w, &err);
    else
        ask(s, device, module);
    return w;
}

void edge_scope_cancel(struct edge_scope_wait *w)
{
    if (w)
        wait_free(w);
}

/* ---- life ---- */

void edge_scope_asks_close(struct edge_scope *s)
{
    while (s->asks) {
        edge_scope_link_cancel(s->asks->call);
        ask_free(s->asks);
    }
    while (s->waits)
        wait_free(s->waits);
    for (size_t i = 0; i < EDGE_SCOPE_ASKS_A_MINUTE; i++) {
        free(s->asked[i].device);
        free(s->asked[i].module);
    }
}
