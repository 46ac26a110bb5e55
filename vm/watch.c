/* See watch.h. */
#include "vm/watch.h"

#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/domain_state.h"
#include "vm/virt.h"

#include <pthread.h>

/* libvirt may still run a callback on its thread while we deregister it on ours: `open` is looked
 * at and the caller's function called under the lock, so that none runs after vm_watch_close().
 * Both registrations and the caller hold a reference. */
struct vm_watch {
    pthread_mutex_t lock;
    int refs;
    bool open;
    bool can_break;
    struct vm_conn *conn;
    vm_watch_fn fn;
    void *arg;
    int id;
};

static void watch_unref(void *arg)
{
    struct vm_watch *w = arg;
    pthread_mutex_lock(&w->lock);
    bool last = --w->refs == 0;
    pthread_mutex_unlock(&w->lock);
    if (!last)
        return;
    (void)pthread_mutex_destroy(&w->lock);
    free(w);
}

static void deliver(struct vm_watch *w, const struct vm_event *event)
{
    pthread_mutex_lock(&w->lock);
    if (w->open)
        w->fn(w->arg, event);
    pthread_mutex_unlock(&w->lock);
}

static int on_lifecycle(virConnectPtr virt, virDomainPtr domain, int event, int detail, void *arg)
{
    (void)virt;
    struct vm_event e = {.state = domain_state_of_event(event, detail),
                         .gone = event == VIR_DOMAIN_EVENT_UNDEFINED};
    STR_SET(e.name, virDomainGetName(domain));
    STR_SET(e.reason, domain_state_event_reason(event, detail));
    deliver(arg, &e);
    return 0;
}

static void on_close(virConnectPtr virt, int reason, void *arg)
{
    (void)virt;
    struct vm_event e = {.state = VM_STATE_UNKNOWN};
    STR_SET(e.reason, reason == VIR_CONNECT_CLOSE_REASON_KEEPALIVE ? "libvirt does not answer"
                                                                   : "libvirt's daemon ended");
    deliver(arg, &e);
}

int vm_watch_open(struct vm_conn *conn, vm_watch_fn fn, void *arg, struct vm_watch **ret_watch,
                  struct err *err)
{
    struct vm_watch *w = xcalloc(1, sizeof(*w));
    (void)pthread_mutex_init(&w->lock, NULL);
    w->refs = 3;
    w->open = true;
    w->conn = conn;
    w->fn = fn;
    w->arg = arg;
    /* A driver inside our process cannot be lost: it takes the callback and forgets it, unfreed. */
    w->can_break = !str_starts(vm_conn_uri(conn), "test:");
    if (!w->can_break ||
        virConnectRegisterCloseCallback(vm_conn_virt(conn), on_close, w, watch_unref) < 0)
        w->refs--; /* libvirt took none */
    w->id =
        virConnectDomainEventRegisterAny(vm_conn_virt(conn), NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                         VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle), w, watch_unref);
    if (w->id < 0) {
        virt_err(err, "listen to libvirt");
        pthread_mutex_lock(&w->lock);
        w->refs--;
        pthread_mutex_unlock(&w->lock);
        vm_watch_close(w);
        return -1;
    }
    *ret_watch = w;
    return 0;
}

void vm_watch_close(struct vm_watch *watch)
{
    if (!watch)
        return;
    pthread_mutex_lock(&watch->lock);
    watch->open = false;
    pthread_mutex_unlock(&watch->lock);
    if (watch->id >= 0)
        (void)virConnectDomainEventDeregisterAny(vm_conn_virt(watch->conn), watch->id);
    if (watch->can_break)
        (void)virConnectUnregisterCloseCallback(vm_conn_virt(watch->conn), on_close);
    watch_unref(watch);
}
