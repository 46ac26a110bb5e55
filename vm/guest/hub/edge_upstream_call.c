/* See edge_upstream.h: what is asked of the cloud's twins, and answers to its direct methods. Each
 * call has the same limit, so that the list is in the order of their deadlines. */
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/hub/edge_upstream_private.h"

#include <string.h>

#define CALL_MS 20000

static void watch_deadline(struct edge_upstream *u)
{
    uint64_t now = clock_mono_ms();
    uint64_t at = u->n_calls ? u->calls[0]->deadline_ms : 0;

    if (!u->n_calls)
        (void)uv_timer_stop(&u->deadline);
    else
        (void)uv_timer_start(&u->deadline, edge_calls_on_deadline, at > now ? at - now : 0, 0);
}

static void call_free(struct edge_upstream_call *c)
{
    free(c->patch);
    free(c);
}

/* It is not its link's any more. */
static void let_go(struct edge_upstream_call *c)
{
    if (c->over)
        return;
    c->over = true;
    c->link->n_calls--;
    c->link->n_sent -= c->rid != 0;
}

/* Takes the I-th off the list. */
static struct edge_upstream_call *take(struct edge_upstream *u, size_t i)
{
    struct edge_upstream_call *c = u->calls[i];

    u->n_calls--;
    memmove(&u->calls[i], &u->calls[i + 1], (u->n_calls - i) * sizeof(struct edge_upstream_call *));
    let_go(c);
    return c;
}

/* It will be told so, from the loop. */
static void fail(struct edge_upstream_call *c, const struct err *why)
{
    if (c->over)
        return;
    c->link->owed |= c->patch != NULL;
    let_go(c);
    c->why = *why;
    edge_upstream_turn(c->link->upstream);
}

static bool send_call(struct edge_upstream_call *c, struct err *err)
{
    struct edge_link *l = c->link;
    uint32_t rid = l->rid == UINT32_MAX ? 1 : l->rid + 1;
    char topic[96];

    (void)str_format(topic, sizeof(topic),
                     c->patch ? "$iothub/twin/PATCH/properties/reported/?$rid=%u"
                              : "$iothub/twin/GET/?$rid=%u",
                     rid);
    if (mqtt_client_publish(l->mqtt, topic, c->patch ? c->patch : " ", c->patch ? c->len : 1, 0,
                            NULL, err) < 0)
        return false;
    l->rid = c->rid = rid;
    l->n_sent++;
    return true;
}

void edge_calls_send(struct edge_link *l)
{
    const struct edge_upstream *u = l->upstream;
    struct err err;

    if (l->step != LINK_ONLINE || !l->ready)
        return;
    for (size_t i = 0; i < u->n_calls; i++) {
        struct edge_upstream_call *c = u->calls[i];

        if (c->link == l && !c->over && !c->rid && !send_call(c, &err))
            fail(c, &err);
    }
}

void edge_calls_fail(struct edge_link *l, bool only_sent, const struct err *why)
{
    const struct edge_upstream *u = l->upstream;
    struct err err;

    err_set(&err, ERR_UNREACHABLE, "the cloud cannot be reached for %s: %s", l->id, why->msg);
    for (size_t i = 0; i < u->n_calls; i++)
        if (u->calls[i]->link == l && (u->calls[i]->rid || !only_sent))
            fail(u->calls[i], &err);
}

void edge_calls_answered(struct edge_link *l, uint32_t rid, unsigned status, uint64_t version,
                         const char *body, size_t len)
{
    struct edge_upstream *u = l->upstream;
    struct err err;
    size_t i = 0;

    while (i < u->n_calls &&
           !(u->calls[i]->link == l && u->calls[i]->rid == rid && !u->calls[i]->over))
        i++;
    if (i == u->n_calls)
        return; /* nobody waits for it any more */

    struct edge_upstream_call *c = take(u, i);

    if (status >= 300)
        err_set(&err, ERR_REMOTE, "the cloud answered %u for %s", status, l->id);
    c->fn(c->arg, (int)status, version, body, len, status >= 300 ? &err : NULL);
    call_free(c);
    edge_link_settle(l);
}

/* Not those that end while others are told: they may go on so for ever. */
void edge_calls_turn(struct edge_upstream *u)
{
    size_t left = 0, i = 0;

    for (size_t n = 0; n < u->n_calls; n++)
        left += u->calls[n]->over;
    while (left > 0 && i < u->n_calls) {
        if (!u->calls[i]->over) {
            i++;
            continue;
        }

        struct edge_upstream_call *c = take(u, i);

        c->fn(c->arg, 0, 0, "", 0, &c->why);
        edge_link_settle(c->link);
        call_free(c);
        left--;
        i = 0; /* it may have cancelled others */
    }
    watch_deadline(u);
}

void edge_calls_on_deadline(uv_timer_t *timer)
{
    struct edge_upstream *u = timer->data;
    uint64_t now = clock_mono_ms();
    struct err err;

    for (size_t i = 0; i < u->n_calls && u->calls[i]->deadline_ms <= now; i++) {
        err_set(&err, ERR_UNREACHABLE, "the cloud did not answer for %s in time",
                u->calls[i]->link->id);
        fail(u->calls[i], &err);
    }
}

void edge_calls_free(struct edge_upstream *u)
{
    while (u->n_calls > 0)
        call_free(u->calls[--u->n_calls]);
    free(u->calls);
}

/* ---- for others ---- */

static struct edge_upstream_call *begin(struct edge_upstream *u, const char *device,
                                        const char *module, edge_upstream_fn fn, void *arg)
{
    struct edge_upstream_call *c = xcalloc(1, sizeof(*c));

    c->link = edge_upstream_link(u, device, module);
    c->fn = fn;
    c->arg = arg;
    c->deadline_ms = clock_mono_ms() + CALL_MS;
    if (u->n_calls == u->cap_calls) {
        u->cap_calls = u->cap_calls ? u->cap_calls * 2 : 16;
        u->calls = xreallocarray(u->calls, u->cap_calls, sizeof(*u->calls));
    }
    u->calls[u->n_calls++] = c;
    c->link->n_calls++;
    watch_deadline(u);
    return c;
}

static struct edge_upstream_call *go(struct edge_upstream_call *c)
{
    struct edge_link *l = c->link;
    struct err err;

    if (l->step == LINK_PAUSE) {
        err_set(&err, ERR_UNREACHABLE, "%s", l->error);
        edge_calls_fail(l, false, &err);
        return c;
    }
    if (l->step == LINK_REST)
        edge_link_needed(l);
    edge_calls_send(l);
    return c;
}

struct edge_upstream_call *edge_upstream_get_twin(struct edge_upstream *u, const char *device,
                                                  const char *module, edge_upstream_fn fn,
                                                  void *arg)
{
    return go(begin(u, device, module, fn, arg));
}

struct edge_upstream_call *edge_upstream_report(struct edge_upstream *u, const char *device,
                                                const char *module, const char *patch, size_t len,
                                                edge_upstream_fn fn, void *arg)
{
    struct edge_upstream_call *c = begin(u, device, module, fn, arg);

    c->patch = xmalloc(len + 1);
    memcpy(c->patch, patch, len);
    c->len = len;
    return go(c);
}

void edge_upstream_cancel(struct edge_upstream_call *call)
{
    if (!call)
        return;

    struct edge_upstream *u = call->link->upstream;
    size_t i = 0;

    while (u->calls[i] != call)
        i++;
    (void)take(u, i);
    watch_deadline(u);
    edge_link_settle(call->link);
    call_free(call);
}

void edge_upstream_answer(struct edge_upstream *u, const char *device, const char *module,
                          const char *rid, unsigned status, const char *payload, size_t len)
{
    const struct edge_link *l = edge_upstream_link(u, device, module);
    auto_buf struct buf topic = {0};
    struct err err;

    buf_printf(&topic, "$iothub/methods/res/%u/?$rid=%s", status, rid);
    if (!l->mqtt)
        return; /* nobody waits for it any more */
    if (mqtt_client_publish(l->mqtt, topic.data, payload, len, 0, NULL, &err) < 0)
        log_warn("upstream", "%s: the answer to a method is lost: %s", l->id, err.msg);
}
