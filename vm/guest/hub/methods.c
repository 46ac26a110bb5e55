/* See methods.h. */
#include "vm/guest/hub/methods.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/str.h"

#include <inttypes.h>
#include <string.h>

#define PENDING_MAX 1000
#define RID_MAX     24

struct pending {
    struct methods *owner;
    struct pending *next;
    uint64_t id;
    char device[IDENTITY_ID_MAX], module[IDENTITY_ID_MAX];
    char *name; /* kept while waiting for the client, then NULL */
    struct buf payload;
    uint64_t response_ms;
    bool sent;
    uv_timer_t timer;
    method_done_fn done;
    void *arg;
};

struct methods {
    uv_loop_t *loop;
    method_send_fn send;
    void *arg;
    struct pending *pending;
    size_t n;
    uint64_t last_id;
};

struct methods *methods_new(uv_loop_t *loop, method_send_fn send, void *arg)
{
    struct methods *m = xcalloc(1, sizeof(*m));

    m->loop = loop;
    m->send = send;
    m->arg = arg;
    /* An answer to a hub that ended meanwhile must not fit a call of this one. */
    m->last_id = clock_wall_ms() & 0xffffffff;
    return m;
}

static void on_closed(uv_handle_t *handle)
{
    struct pending *p = handle->data;

    free(p->name);
    buf_done(&p->payload);
    free(p);
}

/* Takes it off the list; its memory goes when the timer is closed. */
static void remove_pending(struct pending *p)
{
    struct pending **at = &p->owner->pending;

    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    p->owner->n--;
    uv_close((uv_handle_t *)&p->timer, on_closed);
}

static void finish(struct pending *p, unsigned status, const char *payload, size_t len,
                   const struct err *err)
{
    method_done_fn done = p->done;
    void *arg = p->arg;

    remove_pending(p);
    done(arg, status, payload, len, err);
}

void methods_free(struct methods *m)
{
    if (!m)
        return;
    const struct err err = {.kind = ERR_CANCELLED, .msg = "the hub ends"};

    while (m->pending)
        finish(m->pending, 0, NULL, 0, &err);
    free(m);
}

static void on_timeout(uv_timer_t *timer)
{
    struct pending *p = timer->data;
    struct err err = {0};

    if (p->sent)
        (void)err_set(&err, ERR_TIMEOUT, "the device did not answer in time");
    else
        (void)err_set(&err, ERR_NOT_FOUND, "the device is not connected, or takes no methods");
    finish(p, 0, NULL, 0, &err);
}

static void make_rid(const struct pending *p, char to[RID_MAX])
{
    (void)str_format(to, RID_MAX, "%" PRIx64, p->id);
}

static bool try_send(struct pending *p)
{
    char rid[RID_MAX];

    make_rid(p, rid);
    if (!p->owner->send(p->owner->arg, p->device, p->module, p->name, rid, buf_str(&p->payload),
                        p->payload.len))
        return false;
    p->sent = true;
    (void)uv_timer_start(&p->timer, on_timeout, p->response_ms, 0);
    return true;
}

uint64_t methods_start(struct methods *m, const struct method_call *call, method_done_fn done,
                       void *arg)
{
    struct err err = {0};

    if (m->n >= PENDING_MAX) {
        (void)err_set(&err, ERR_BUSY, "too many methods are pending");
        done(arg, 0, NULL, 0, &err);
        return 0;
    }

    struct pending *p = xcalloc(1, sizeof(*p));

    p->owner = m;
    p->id = ++m->last_id;
    p->next = m->pending;
    m->pending = p;
    m->n++;
    STR_SET(p->device, call->device);
    STR_SET(p->module, call->module);
    p->name = xstrdup(call->name);
    buf_append(&p->payload, call->payload, call->len);
    p->response_ms = call->response_ms;
    p->done = done;
    p->arg = arg;
    (void)uv_timer_init(m->loop, &p->timer);
    p->timer.data = p;
    if (try_send(p))
        return p->id;
    if (call->connect_ms == 0) {
        on_timeout(&p->timer);
        return 0;
    }
    (void)uv_timer_start(&p->timer, on_timeout, call->connect_ms, 0);
    return p->id;
}

void methods_cancel(struct methods *m, uint64_t id)
{
    for (struct pending *p = m->pending; p; p = p->next)
        if (p->id == id) {
            remove_pending(p);
            return;
        }
}

void methods_reply(struct methods *m, const char *device, const char *module, struct topic_span rid,
                   unsigned status, const char *payload, size_t len)
{
    struct err err = {0};
    struct pending *p = m->pending;
    char expected[RID_MAX];

    for (; p; p = p->next) {
        if (!p->sent || !str_eq(p->device, device) || !str_eq(p->module, module))
            continue;
        make_rid(p, expected);
        if (topic_span_is(rid, expected))
            break;
    }
    if (!p)
        return; /* too late, or never asked for */
    if (len > METHOD_PAYLOAD_MAX) {
        (void)err_set(&err, ERR_PROTOCOL, "the device answered with more than %u KB",
                      METHOD_PAYLOAD_MAX / 1024);
        finish(p, 0, NULL, 0, &err);
        return;
    }
    finish(p, status, payload, len, NULL);
}

void methods_ready(struct methods *m, const char *device, const char *module)
{
    for (struct pending *p = m->pending; p; p = p->next)
        if (!p->sent && str_eq(p->device, device) && str_eq(p->module, module))
            (void)try_send(p);
}

bool method_name_valid(const char *name)
{
    size_t len = strlen(name);

    return len > 0 && len <= 100 && !strpbrk(name, "/#+");
}
