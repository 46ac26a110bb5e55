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

#define ONE_MS         10000
#define AWAY_MS        1000 /* nobody else is asked for so long after the cloud was away */
#define ASKS_AT_A_TIME 4
#define MINUTE_MS      60000

struct edge_scope_wait {
    struct queue_link link; /* first */
    char *device, *module;
    edge_scope_fn fn;
    void *arg;
    struct err err; /* what was the end of it */
};

struct ask {
    struct queue_link link; /* first */
    struct edge_scope *s;
    struct queue waits; /* whom it is asked for */
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
    queue_remove(&w->link);
    free(w->device);
    free(w->module);
    free(w);
}

static void on_turn(uv_timer_t *timer)
{
    struct edge_scope *s = timer->data;
    struct edge_scope_wait *w;

    while ((w = (struct edge_scope_wait *)queue_take(&s->settled))) {
        w->fn(w->arg, w->err.kind == ERR_NONE ? NULL : &w->err);
        wait_free(w);
    }
}

static void settle(struct edge_scope *s, struct edge_scope_wait *w, const struct err *err)
{
    w->err = err ? *err : (struct err){0};
    queue_remove(&w->link);
    queue_append(&s->settled, &w->link);
    (void)uv_timer_start(s->turn, on_turn, 0, 0);
}

void edge_scope_settle_all(struct edge_scope *s, bool end, const struct err *err)
{
    struct err unknown;

    (void)err_set(&unknown, ERR_NOT_FOUND, "it is not in the scope of this device");
    for (struct queue_link *at = s->waits.first, *next; at; at = next) {
        struct edge_scope_wait *w = (struct edge_scope_wait *)at;

        next = at->next;
        if (edge_scope_find(s, w->device, w->module))
            settle(s, w, NULL);
        else if (end)
            settle(s, w, err ? err : &unknown);
    }
}

/* ---- one of them ---- */

static void ask_free(struct ask *a)
{
    struct edge_scope_wait *w;

    while ((w = (struct edge_scope_wait *)queue_take(&a->waits)))
        wait_free(w);
    queue_remove(&a->link);
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
    while (a->waits.first)
        settle(s, (struct edge_scope_wait *)a->waits.first, err.kind == ERR_NONE ? NULL : &err);
    ask_free(a);
    start_asks(s);
}

static void start_asks(struct edge_scope *s)
{
    size_t running = 0;

    for (const struct queue_link *at = s->asks.first; at; at = at->next)
        running += ((const struct ask *)at)->call != NULL;
    for (struct queue_link *at = s->asks.first; at && running < ASKS_AT_A_TIME; at = at->next) {
        struct ask *a = (struct ask *)at;
        auto_buf struct buf body = {0};

        if (a->call)
            continue;
        edge_scope_json_ask_one(s->edge->settings->device, a->device, a->module, &body);
        a->call =
            edge_scope_link_call(s->link, "getDeviceAndModuleOnBehalfOf", &body, ONE_MS, on_one, a);
        running++;
    }
}

static struct ask *ask(struct edge_scope *s, const char *device, const char *module)
{
    struct ask *a = xcalloc(1, sizeof(*a));
    size_t at = s->asked_next++ % EDGE_SCOPE_ASKS_A_MINUTE;

    free(s->asked[at].device);
    free(s->asked[at].module);
    s->asked[at].device = xstrdup(device);
    s->asked[at].module = xstrdup(module);
    s->asked[at].at_ms = clock_mono_ms();
    *a = (struct ask){.s = s, .device = xstrdup(device), .module = xstrdup(module)};
    queue_append(&s->asks, &a->link);
    start_asks(s);
    return a;
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

static struct ask *find_ask(const struct edge_scope *s, const char *device, const char *module)
{
    for (struct queue_link *at = s->asks.first; at; at = at->next) {
        struct ask *a = (struct ask *)at;

        if (same_name(a->device, a->module, device, module))
            return a;
    }
    return NULL;
}

struct edge_scope_wait *edge_scope_refresh(struct edge_scope *s, const char *device,
                                           const char *module, edge_scope_fn fn, void *arg)
{
    struct edge_scope_wait *w = xcalloc(1, sizeof(*w));
    struct ask *a = find_ask(s, device, module);
    struct err err;

    *w = (struct edge_scope_wait){
        .device = xstrdup(device), .module = xstrdup(module), .fn = fn, .arg = arg};
    if (!a && s->first) {
        queue_append(&s->waits, &w->link);
    } else if (!a && may_ask(s, device, module, &err) < 0) {
        settle(s, w, &err);
    } else {
        a = a ? a : ask(s, device, module);
        queue_append(&a->waits, &w->link);
    }
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
    struct edge_scope_wait *w;
    struct ask *a;

    while ((a = (struct ask *)queue_take(&s->asks))) {
        edge_scope_link_cancel(a->call);
        ask_free(a);
    }
    while ((w = (struct edge_scope_wait *)queue_take(&s->waits)) ||
           (w = (struct edge_scope_wait *)queue_take(&s->settled)))
        wait_free(w);
    for (size_t i = 0; i < EDGE_SCOPE_ASKS_A_MINUTE; i++) {
        free(s->asked[i].device);
        free(s->asked[i].module);
    }
}
