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

    if (outbox_commit(e->outbox, &err) < 0 || edge_store_commit(e->store, &err) < 0) {
        /* Whoever asks second in this turn must hear the same. The loop's time does not tell one
         * turn from another: timers that are set in it bring it up to date. */
        w->failed = true;
        log_error("store", "%s; connections with unconfirmed messages are broken", err.msg);
    }
    if (!w->failed)
        edge_router_committed(e->router);
    edge_upstream_committed(e->upstream, !w->failed);
    return !w->failed;
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct edge_whole *w = prepare->data;

    (void)uv_idle_stop(&w->idle);
    (void)edge_commit(&w->edge);
}

/* All that was promised in the turn before is sent, or its connections are broken. */
static void on_check(uv_check_t *check)
{
    struct edge_whole *w = check->data;

    w->failed = false;
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
    (void)uv_check_init(w->edge.loop, &w->check);
    (void)uv_idle_init(w->edge.loop, &w->idle);
    w->prepare.data = w;
    w->check.data = w;
    w->idle.data = w;
    (void)uv_prepare_start(&w->prepare, on_prepare);
    (void)uv_check_start(&w->check, on_check);
    uv_unref((uv_handle_t *)&w->prepare);
    uv_unref((uv_handle_t *)&w->check);
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
    w->handles = 3;
    uv_close((uv_handle_t *)&w->prepare, on_closed);
    uv_close((uv_handle_t *)&w->check, on_closed);
    uv_close((uv_handle_t *)&w->idle, on_closed);
}
