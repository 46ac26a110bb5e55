/* See edge_tls.h. */
#include "vm/guest/hub/edge_tls.h"

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "vm/guest/hub/edge_workload.h"

#include <string.h>

#define AGAIN_FIRST_MS 1000     /* while nobody can connect */
#define AGAIN_MS       60000    /* while there is an old one */
#define LOOK_MS        60000    /* the wall clock may be set */
#define BACKDATED_MS   86400000 /* how far before its making a certificate is valid */

struct edge_tls {
    struct edge *edge;
    edge_tls_fn fn;
    void *arg;
    struct tls_server *tls; /* NULL before the first */
    struct edge_workload_call *call;
    uv_timer_t timer;
    uint64_t made_ms, renew_ms; /* wall clock */
    bool waits;                 /* for the runtime: that was said */
};

static void on_timer(uv_timer_t *timer);

static void wait_for(struct edge_tls *t, uint64_t ms)
{
    (void)uv_timer_start(&t->timer, on_timer, ms, 0);
}

/* At three quarters of its life. */
static void schedule(struct edge_tls *t, uint64_t until_ms)
{
    uint64_t now = clock_wall_ms();
    uint64_t left = until_ms > now ? (until_ms - now) / 4 * 3 : AGAIN_MS;

    t->made_ms = now;
    t->renew_ms = now + left;
    wait_for(t, left < LOOK_MS ? left : LOOK_MS);
}

static int store(struct edge_tls *t, const char *cert, const char *key, struct err *err)
{
    const char *dir = t->edge->settings->dir;
    auto_free char *cert_file = xasprintf("%s/server.pem", dir);
    auto_free char *key_file = xasprintf("%s/server.key", dir);
    struct tls_server *tls, *old = t->tls;

    if (file_write(key_file, key, strlen(key), 0600, err) < 0 ||
        file_write(cert_file, cert, strlen(cert), 0600, err) < 0 ||
        !(tls = tls_server_new(cert_file, key_file, err)))
        return -1;
    tls_server_ask_client(tls);
    t->tls = tls;
    t->fn(t->arg, tls, NULL);
    tls_server_free(old); /* connections keep what they began with */
    return 0;
}

static void failed(struct edge_tls *t, const struct err *err)
{
    if (t->tls) {
        log_error("tls", "the certificate was not renewed: %s", err->msg);
        wait_for(t, AGAIN_MS);
    } else if (err->kind == ERR_UNREACHABLE || err->kind == ERR_TIMEOUT) {
        if (!t->waits)
            log_warn("tls", "waits for the runtime: %s", err->msg);
        t->waits = true;
        wait_for(t, AGAIN_FIRST_MS);
    } else {
        t->fn(t->arg, NULL, err);
    }
}

static void on_cert(void *arg, const char *cert, const char *key, uint64_t until_ms,
                    const struct err *refusal)
{
    struct edge_tls *t = arg;
    struct err err = {0};
    char until[CLOCK_TEXT_MAX];

    t->call = NULL;
    if (refusal) {
        failed(t, refusal);
        return;
    }
    schedule(t, until_ms);
    clock_format(until, sizeof(until), until_ms);
    log_info("tls", "certificate for %s until %s", t->edge->settings->hostname, until);
    if (store(t, cert, key, &err) < 0)
        failed(t, &err);
}

static void ask(struct edge_tls *t)
{
    t->call = edge_workload_cert(t->edge->workload, t->edge->settings->hostname, on_cert, t);
}

static void on_timer(uv_timer_t *timer)
{
    struct edge_tls *t = timer->data;
    uint64_t now = clock_wall_ms();
    bool valid = now + BACKDATED_MS > t->made_ms; /* else the clock was set back */

    if (t->tls && valid && now < t->renew_ms)
        wait_for(t, t->renew_ms - now < LOOK_MS ? t->renew_ms - now : LOOK_MS);
    else
        ask(t);
}

struct edge_tls *edge_tls_new(struct edge *edge, edge_tls_fn fn, void *arg)
{
    struct edge_tls *t = xcalloc(1, sizeof(*t));

    t->edge = edge;
    t->fn = fn;
    t->arg = arg;
    (void)uv_timer_init(edge->loop, &t->timer);
    t->timer.data = t;
    ask(t);
    return t;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void edge_tls_free(struct edge_tls *t)
{
    if (!t)
        return;
    edge_workload_cancel(t->call);
    tls_server_free(t->tls);
    uv_close((uv_handle_t *)&t->timer, on_closed);
}
