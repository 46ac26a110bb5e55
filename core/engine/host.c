/* See host.h. Connections that broke are kept until the end: a thread may still be inside a call on
 * one, and libvirt seldom restarts. */
#include "core/engine/host.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <pthread.h>
#include <string.h>

#define HOST_EVENTS_MAX                                                                            \
    256 /* that wait for the loop; beyond it they are dropped, and the loop is told to look itself \
         */

struct host {
    uv_async_t wake;
    void (*on_event)(void *arg, const struct vm_event *event);
    void *arg;
    bool freed;

    pthread_mutex_t open_lock; /* one thread opens, the others wait for it */
    struct vm_conn *conn;
    struct vm_watch *watch;
    struct vm_conn **broken;
    size_t n_broken;

    pthread_mutex_t events_lock;
    struct vm_event events[HOST_EVENTS_MAX];
    size_t n_events;
};

static void on_wake(uv_async_t *async)
{
    struct host *h = async->data;
    while (!h->freed) {
        struct vm_event event;
        (void)pthread_mutex_lock(&h->events_lock);
        bool any = h->n_events > 0;
        if (any) {
            event = h->events[0];
            memmove(&h->events[0], &h->events[1], --h->n_events * sizeof(event));
        }
        (void)pthread_mutex_unlock(&h->events_lock);
        if (!any)
            return;
        h->on_event(h->arg, &event);
    }
}

/* On libvirt's event thread. */
static void on_vm_event(void *arg, const struct vm_event *event)
{
    struct host *h = arg;
    (void)pthread_mutex_lock(&h->events_lock);
    if (h->n_events < HOST_EVENTS_MAX)
        h->events[h->n_events++] = *event;
    else
        h->events[HOST_EVENTS_MAX - 1] = (struct vm_event){0};
    (void)pthread_mutex_unlock(&h->events_lock);
    (void)uv_async_send(&h->wake);
}

struct host *host_new(uv_loop_t *loop, void (*on_event)(void *arg, const struct vm_event *event),
                      void *arg)
{
    struct host *h = xcalloc(1, sizeof(*h));
    h->on_event = on_event;
    h->arg = arg;
    (void)pthread_mutex_init(&h->open_lock, NULL);
    (void)pthread_mutex_init(&h->events_lock, NULL);
    (void)uv_async_init(loop, &h->wake, on_wake);
    h->wake.data = h;
    uv_unref((uv_handle_t *)&h->wake);
    return h;
}

static void on_wake_closed(uv_handle_t *handle)
{
    struct host *h = handle->data;
    (void)pthread_mutex_destroy(&h->open_lock);
    (void)pthread_mutex_destroy(&h->events_lock);
    free(h->broken);
    free(h);
}

void host_free(struct host *h)
{
    if (!h)
        return;
    h->freed = true;
    vm_watch_close(h->watch);
    vm_conn_free(h->conn);
    for (size_t i = 0; i < h->n_broken; i++)
        vm_conn_free(h->broken[i]);
    uv_close((uv_handle_t *)&h->wake, on_wake_closed);
}

static void retire(struct host *h)
{
    vm_watch_close(steal(h->watch));
    h->broken = xreallocarray(h->broken, h->n_broken + 1, sizeof(struct vm_conn *));
    h->broken[h->n_broken++] = steal(h->conn);
}

struct vm_conn *host_conn(struct host *h, struct err *err)
{
    (void)pthread_mutex_lock(&h->open_lock);
    if (h->conn && !vm_conn_alive(h->conn))
        retire(h);
    if (!h->conn && vm_conn_open(NULL, VM_CONN_START, &h->conn, err) == 0 &&
        vm_watch_open(h->conn, on_vm_event, h, &h->watch, err) < 0) {
        vm_conn_free(h->conn);
        h->conn = NULL;
    }
    struct vm_conn *conn = h->conn;
    (void)pthread_mutex_unlock(&h->open_lock);
    return conn;
}
