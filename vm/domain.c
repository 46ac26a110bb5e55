/* See domain.h. domain_define.c makes the definition. */
#include "vm/domain.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/domain_state.h"
#include "vm/domain_xml.h"
#include "vm/network.h"
#include "vm/virt.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <pthread.h>
#include <time.h>

#define RUN_MARK_URI    "urn:berth:run" /* metadata of one run: when it began */
#define PRESS_EVERY_MS  5000
#define CANCEL_EVERY_MS 500

/* ------------------------------------------------------------------------------------ state */

static bool domain_is_off(virDomainPtr domain)
{
    int active = virDomainIsActive(domain);
    return active == 0;
}

/* Only in the live definition, so that it is gone with the run. */
static void note_start(virDomainPtr domain)
{
    char mark[64];
    (void)str_format(mark, sizeof(mark), "<run started='%llu'/>",
                     (unsigned long long)clock_wall_ms());
    (void)virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, mark, "berthrun", RUN_MARK_URI,
                               VIR_DOMAIN_AFFECT_LIVE);
}

static uint64_t read_start(virDomainPtr domain)
{
    auto_free char *mark = virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, RUN_MARK_URI,
                                                VIR_DOMAIN_AFFECT_LIVE);
    char text[24];
    uint64_t started;
    if (!mark || !domain_xml_attr(mark, "started", text, sizeof(text)) ||
        !str_to_u64(text, UINT64_MAX, &started))
        return 0;
    return started;
}

int domain_status(struct vm_conn *conn, const char *name, struct domain_status *ret_status,
                  struct err *err)
{
    auto_virt_domain virDomainPtr domain = virt_domain_find(conn, name, err);
    int state, reason;
    if (!domain)
        return -1;
    if (virDomainGetState(domain, &state, &reason, 0) < 0)
        return virt_err(err, "state of VM %s", name);
    struct domain_status s = {.state = domain_state_of(state)};
    STR_SET(s.reason, domain_state_reason(state, reason));
    s.started_ms = s.state == VM_STATE_OFF || s.state == VM_STATE_CRASHED ? 0 : read_start(domain);
    s.persistent = virDomainIsPersistent(domain) == 1;
    *ret_status = s;
    return 0;
}

int domain_check_name_free(struct vm_conn *conn, const char *name, struct err *err)
{
    auto_virt_domain virDomainPtr domain = virDomainLookupByName(vm_conn_virt(conn), name);
    if (domain) {
        err_set(err, ERR_EXISTS, "name: libvirt has a VM \"%s\" already", name);
        return err_hint(err, "Choose another name; `virsh list --all` shows those in use.");
    }
    return virt_code() == VIR_ERR_NO_DOMAIN ? 0 : virt_err(err, "look for VM %s", name);
}

/* ------------------------------------------------------------------------------------- power */

static int check_port(const struct vm_record *r, struct err *err)
{
    if (r->plan.network != VM_NETWORK_USER || network_port_free(r->ssh_port))
        return 0;
    err_set(err, ERR_BUSY, "port %u of 127.0.0.1 is taken by another program", r->ssh_port);
    return err_hint(err, "End that program (ss -ltnp shows it), then start the VM again.");
}

int domain_start(struct vm_conn *conn, const struct vm_record *record, struct err *err)
{
    auto_virt_domain virDomainPtr domain = virt_domain_find(conn, record->name, err);
    if (!domain)
        return -1;
    if (virDomainIsActive(domain) == 1)
        return 0;
    if ((record->plan.network == VM_NETWORK_NAT && network_nat_ready(conn, err) < 0) ||
        check_port(record, err) < 0)
        return err_wrap(err, "start VM %s", record->name);
    if (virDomainCreate(domain) < 0) {
        virt_err(err, "start VM %s", record->name);
        return err_hint(err,
                        "QEMU's own words are in /var/log/libvirt/qemu/%s.log (as a user: "
                        "~/.cache/libvirt/qemu/log/).",
                        record->name);
    }
    note_start(domain);
    return 0;
}

/* NULL where there is none. */
static int find_any(struct vm_conn *conn, const char *name, virDomainPtr *ret, struct err *err)
{
    struct err why = {0};
    *ret = virt_domain_find(conn, name, &why);
    if (*ret || why.kind == ERR_NOT_FOUND)
        return 0;
    if (err)
        *err = why;
    return -1;
}

int domain_force_off(struct vm_conn *conn, const char *name, struct err *err)
{
    struct err why = {0};
    auto_virt_domain virDomainPtr domain = NULL;
    if (find_any(conn, name, &domain, err) < 0)
        return -1;
    if (!domain)
        return 0;
    if (domain_is_off(domain) || virDomainDestroy(domain) == 0)
        return 0;
    /* It may have ended by itself in between. */
    virt_err(&why, "switch off VM %s", name);
    if (domain_is_off(domain))
        return 0;
    if (err)
        *err = why;
    return -1;
}

int domain_undefine(struct vm_conn *conn, const char *name, struct err *err)
{
    auto_virt_domain virDomainPtr domain = NULL;
    if (find_any(conn, name, &domain, err) < 0)
        return -1;
    if (!domain)
        return 0;
    if (!domain_is_off(domain))
        return err_set(err, ERR_BUSY, "VM %s is on: switch it off first", name);
    if (virDomainUndefineFlags(domain, VIR_DOMAIN_UNDEFINE_MANAGED_SAVE |
                                           VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA) == 0 ||
        virDomainUndefine(domain) == 0)
        return 0;
    return virt_err(err, "forget VM %s", name);
}

/* --------------------------------------------------------------------------------- shut down */

/* Wakes a waiting thread when the domain ends. libvirt's event thread holds a reference until the
 * callback is gone. */
struct end_waiter {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    int refs;
    bool ended;
};

static struct end_waiter *waiter_new(void)
{
    struct end_waiter *w = xcalloc(1, sizeof(*w));
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&w->cond, &attr);
    (void)pthread_condattr_destroy(&attr);
    (void)pthread_mutex_init(&w->lock, NULL);
    w->refs = 1;
    return w;
}

static void waiter_unref(void *arg)
{
    struct end_waiter *w = arg;
    pthread_mutex_lock(&w->lock);
    bool last = --w->refs == 0;
    pthread_mutex_unlock(&w->lock);
    if (!last)
        return;
    (void)pthread_cond_destroy(&w->cond);
    (void)pthread_mutex_destroy(&w->lock);
    free(w);
}

static int on_lifecycle(virConnectPtr virt, virDomainPtr domain, int event, int detail, void *arg)
{
    (void)virt;
    (void)domain;
    (void)detail;
    struct end_waiter *w = arg;
    if (event != VIR_DOMAIN_EVENT_STOPPED && event != VIR_DOMAIN_EVENT_CRASHED)
        return 0;
    pthread_mutex_lock(&w->lock);
    w->ended = true;
    (void)pthread_cond_signal(&w->cond);
    pthread_mutex_unlock(&w->lock);
    return 0;
}

static void waiter_wait(struct end_waiter *w, uint64_t until_ms)
{
    struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
                             .tv_nsec = (long)(until_ms % 1000) * 1000000};
    pthread_mutex_lock(&w->lock);
    while (!w->ended && pthread_cond_timedwait(&w->cond, &w->lock, &until) != ETIMEDOUT)
        continue;
    pthread_mutex_unlock(&w->lock);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* True when it is off, false at the deadline. */
static int press_until_off(virDomainPtr domain, struct end_waiter *w, uint64_t deadline,
                           const atomic_bool *cancel, bool *ret_off, struct err *err)
{
    uint64_t press_at = 0;
    for (;;) {
        uint64_t now = clock_mono_ms();
        *ret_off = domain_is_off(domain);
        if (*ret_off || now >= deadline)
            return 0;
        if (cancel && atomic_load(cancel))
            return err_set(err, ERR_CANCELLED, "cancelled; the VM may still switch itself off");
        if (now >= press_at) {
            if (virDomainShutdownFlags(domain, VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN) < 0 &&
                virDomainShutdown(domain) < 0 && !domain_is_off(domain))
                return virt_err(err, "press the power button");
            press_at = now + PRESS_EVERY_MS;
        }
        waiter_wait(w, earlier(deadline, cancel ? now + CANCEL_EVERY_MS : press_at));
    }
}

static int shutdown_gently(struct vm_conn *conn, virDomainPtr domain, uint64_t deadline,
                           const atomic_bool *cancel, bool *ret_off, struct err *err)
{
    struct end_waiter *w = waiter_new();
    w->refs++;
    int id =
        virConnectDomainEventRegisterAny(vm_conn_virt(conn), domain, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                         VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle), w, waiter_unref);
    int result;
    if (id < 0) {
        result = virt_err(err, "listen to libvirt");
        w->refs--; /* libvirt took none */
    } else {
        result = press_until_off(domain, w, deadline, cancel, ret_off, err);
        (void)virConnectDomainEventDeregisterAny(vm_conn_virt(conn), id);
    }
    waiter_unref(w);
    return result;
}

int domain_shutdown(struct vm_conn *conn, const char *name, uint64_t limit_ms,
                    const atomic_bool *cancel, bool *ret_forced, struct err *err)
{
    auto_virt_domain virDomainPtr domain = virt_domain_find(conn, name, err);
    if (!domain)
        return -1;
    bool off = domain_is_off(domain);
    if (!off && shutdown_gently(conn, domain, clock_mono_ms() + limit_ms, cancel, &off, err) < 0)
        return err_wrap(err, "shut down VM %s", name);
    if (!off && domain_force_off(conn, name, err) < 0)
        return err_wrap(err, "shut down VM %s", name);
    *ret_forced = !off;
    return 0;
}
