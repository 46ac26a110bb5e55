/* See edge.h: the end of a turn of the loop. What clients and cloud are told becomes durable first,
 * in one go for all of them. Most turns have output, and their servers ask for it; others have
 * none, such as one in which only the cloud said something. */
#include "vm/guest/hub/edge_private.h"

#include "core/base/log.h"
#include "vm/guest/hub/edge_router.h"
#include "vm/guest/hub/edge_store.h"
#include "vm/guest/hub/edge_upstream.h"
#include "vm/guest/hub/outbox.h"

bool edge_commit(void *arg)
{
    struct edge *e = arg;
    struct edge_whole *w = arg;
    struct err err = {0};
    uint64_t now = uv_now(e->loop);

    if (outbox_commit(e->outbox, &err) < 0 || edge_store_commit(e->store, &err) < 0) {
        /* Whoever asks second in this turn must hear the same. */
        w->failed_turn_ms = now;
        log_error("store", "%s; connections with unconfirmed messages are broken", err.msg);
    }

    bool ok = w->failed_turn_ms != now;

    if (ok)
        edge_router_committed(e->router);
    edge_upstream_committed(e->upstream, ok);
    return ok;
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct edge_whole *w = prepare->data;

    (void)uv_idle_stop(&w->idle);
    (void)edge_commit(&w->edge);
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle; /* it is only there so that the loop does not wait */
}

void edge_wake(struct edge *e)
{
    struct edge_whole *w = (struct edge_whole *)e;

    (void)uv_idle_start(&w->idle, on_idle);
}

/* It runs before those of the servers, since it was started after them: what a commit lets go on
 * towards clients is sent in the same turn. */
void edge_turn_begin(struct edge_whole *w)
{
    (void)uv_prepare_init(w->edge.loop, &w->prepare);
    (void)uv_idle_init(w->edge.loop, &w->idle);
    w->prepare.data = w;
    w->idle.data = w;
    (void)uv_prepare_start(&w->prepare, on_prepare);
    uv_unref((uv_handle_t *)&w->prepare);
    w->turning = true;
}

static void on_closed(uv_handle_t *handle)
{
    struct edge_whole *w = handle->data;

    if (--w->handles == 0)
        free(w);
}

void edge_turn_end(struct edge_whole *w)
{
    if (!w->turning) {
        free(w);
        return;
    }
    w->handles = 2;
    uv_close((uv_handle_t *)&w->prepare, on_closed);
    uv_close((uv_handle_t *)&w->idle, on_closed);
}
