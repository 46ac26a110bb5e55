/* See edge_auth.h. What a client shows is read at once; whether it fits is asked of the runtime for
 * a module of this device (with its primary key, then with the other one), then of the scope as it
 * is known, then of the scope anew. */
#include "vm/guest/hub/edge_auth.h"

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/queue.h"
#include "core/base/str.h"
#include "vm/guest/hub/edge_proof.h"
#include "vm/guest/hub/edge_workload.h"

#include <string.h>

#define TRUST_EVERY_MS (3600ULL * 1000)
#define TRUST_AGAIN_MS 5000
/* Whom nobody knows waits for the cloud, and anybody can make names up: these must not take all the
 * places of edge_connect.c. */
#define ASKED_MAX 48

struct edge_auth_wait {
    struct queue_link link; /* first */
    struct edge_auth *a;
    char *device, *module;
    struct edge_proof proof;
    struct edge_workload_call *signing;
    bool secondary;
    bool by_scope; /* it is the scope that has its key */
    struct edge_scope_wait *refresh;
    struct err runtime; /* why the runtime did not answer; ERR_NONE: it did */
    struct err err;     /* what was decided */
    edge_auth_fn fn;
    void *arg;
};

struct edge_auth {
    struct edge *edge;
    struct queue waits;
    unsigned n_asked;     /* of them wait for the scope */
    struct queue decided; /* told on the loop's next turn */
    uv_timer_t *turn;

    /* The authorities of leaf devices' certificates. */
    char *trust; /* "" not known yet */
    struct edge_workload_call *asking;
    uv_timer_t *again;
};

/* ---- the end of a check ---- */

static void wait_free(struct edge_auth_wait *w)
{
    free(w->device);
    free(w->module);
    explicit_bzero(&w->proof, sizeof(w->proof));
    free(w);
}

static int fits_scope(const struct edge_auth_wait *w, struct err *err)
{
    const struct edge_scope *scope = w->a->edge->scope;

    return edge_proof_fits(&w->proof, edge_scope_find(scope, w->device, ""),
                           w->proof.module ? edge_scope_find(scope, w->device, w->module) : NULL,
                           err);
}

static void on_turn(uv_timer_t *timer)
{
    struct edge_auth *a = timer->data;
    struct edge_auth_wait *w;

    while ((w = (struct edge_auth_wait *)queue_take(&a->decided))) {
        uint64_t expiry_s =
            w->proof.token ? w->proof.sas.expiry_s + SAS_SKEW_S : w->proof.cert.not_after_ms / 1000;
        /* Who was removed since is not connected yet, and nobody would end its session. */
        bool good = w->err.kind == ERR_NONE && !(w->by_scope && fits_scope(w, &w->err) < 0);

        w->fn(w->arg, good ? expiry_s : 0, good ? NULL : &w->err);
        wait_free(w);
    }
}

static void decide(struct edge_auth_wait *w, const struct err *err)
{
    w->err = err ? *err : (struct err){0};
    queue_remove(&w->link);
    queue_append(&w->a->decided, &w->link);
    (void)uv_timer_start(w->a->turn, on_turn, 0, 0);
}

/* ---- by the scope ---- */

static bool let_in(struct edge_auth_wait *w, struct err *err)
{
    w->by_scope = fits_scope(w, err) == 0;
    if (w->by_scope)
        decide(w, NULL);
    return w->by_scope;
}

static void on_refreshed(void *arg, const struct err *why)
{
    struct edge_auth_wait *w = arg;
    struct err err = {0};

    w->refresh = NULL;
    w->a->n_asked--;
    if (let_in(w, &err))
        return;
    if (w->runtime.kind != ERR_NONE) {
        decide(w, &w->runtime);
    } else {
        /* What was known may be old. */
        if (why && why->kind != ERR_NOT_FOUND)
            (void)err_set(&err, ERR_AUTH, "%.200s (not asked anew: %.200s)", err.msg, why->msg);
        decide(w, &err);
    }
}

static void try_scope(struct edge_auth_wait *w)
{
    struct err err;

    if (let_in(w, NULL))
        return;
    if (w->a->n_asked == ASKED_MAX) {
        (void)err_set(&err, ERR_BUSY, "too many others wait for the cloud");
        decide(w, &err);
        return;
    }
    w->a->n_asked++;
    w->refresh = edge_scope_refresh(w->a->edge->scope, w->device, w->module, on_refreshed, w);
}

/* ---- by the runtime ---- */

static void try_runtime(struct edge_auth_wait *w);

static void on_signed(void *arg, const unsigned char *digest, const struct err *err)
{
    struct edge_auth_wait *w = arg;

    w->signing = NULL;
    if (digest && sas_has_signature(&w->proof.sas, digest)) {
        decide(w, NULL);
    } else if (digest && !w->secondary) {
        w->secondary = true;
        try_runtime(w);
    } else {
        if (err && err->kind != ERR_NOT_FOUND)
            w->runtime = *err;
        try_scope(w);
    }
}

static void try_runtime(struct edge_auth_wait *w)
{
    auto_buf struct buf text = {0};

    sas_signed_text(&w->proof.sas, &text);
    w->signing = edge_workload_sign(w->a->edge->workload, w->module, w->secondary, text.data,
                                    text.len, on_signed, w);
}

/* ---- checks ---- */

struct edge_auth_wait *edge_auth_check(struct edge_auth *a, const struct edge_claim *claim,
                                       edge_auth_fn fn, void *arg)
{
    struct edge_auth_wait *w = xcalloc(1, sizeof(*w));
    const struct edge_settings *settings = a->edge->settings;
    struct err err;

    w->a = a;
    w->device = xstrdup(claim->device);
    w->module = xstrdup(claim->module);
    w->fn = fn;
    w->arg = arg;
    queue_append(&a->waits, &w->link);
    if (edge_proof_read(claim, settings, a->trust, &w->proof, &err) < 0)
        decide(w, &err);
    else if (w->proof.module && str_eq(claim->device, settings->device))
        try_runtime(w);
    else
        try_scope(w);
    return w;
}

void edge_auth_cancel(struct edge_auth_wait *w)
{
    if (!w)
        return;
    edge_workload_cancel(w->signing);
    w->a->n_asked -= w->refresh != NULL;
    edge_scope_cancel(w->refresh);
    queue_remove(&w->link);
    wait_free(w);
}

/* ---- the trust bundle ---- */

static void on_again(uv_timer_t *timer);

static void on_trust(void *arg, const char *pem, const struct err *err)
{
    struct edge_auth *a = arg;

    a->asking = NULL;
    if (pem) {
        free(a->trust);
        a->trust = xstrdup(pem);
    } else {
        log_debug("auth", "the trust bundle: %s", err->msg);
    }
    (void)uv_timer_start(a->again, on_again, pem ? TRUST_EVERY_MS : TRUST_AGAIN_MS, 0);
}

static void on_again(uv_timer_t *timer)
{
    struct edge_auth *a = timer->data;

    a->asking = edge_workload_trust(a->edge->workload, on_trust, a);
}

/* ---- life ---- */

static uv_timer_t *timer_new(struct edge_auth *a)
{
    uv_timer_t *timer = xcalloc(1, sizeof(*timer));

    (void)uv_timer_init(a->edge->loop, timer);
    timer->data = a;
    return timer;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

struct edge_auth *edge_auth_new(struct edge *edge)
{
    struct edge_auth *a = xcalloc(1, sizeof(*a));

    a->edge = edge;
    a->trust = xstrdup("");
    a->turn = timer_new(a);
    a->again = timer_new(a);
    a->asking = edge_workload_trust(edge->workload, on_trust, a);
    return a;
}

void edge_auth_free(struct edge_auth *a)
{
    struct edge_auth_wait *w;

    if (!a)
        return;
    while ((w = (struct edge_auth_wait *)queue_take(&a->waits)) ||
           (w = (struct edge_auth_wait *)queue_take(&a->decided)))
        edge_auth_cancel(w);
    edge_workload_cancel(a->asking);
    uv_close((uv_handle_t *)a->turn, on_closed);
    uv_close((uv_handle_t *)a->again, on_closed);
    free(a->trust);
    free(a);
}
