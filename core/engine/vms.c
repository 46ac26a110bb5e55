/* See vms.h. */
#include "core/engine/vms.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/engine/engine.h"
#include "core/engine/guest.h"
#include "core/engine/host.h"
#include "core/engine/metrics.h"
#include "core/engine/pool.h"
#include "core/engine/reconcile.h"
#include "core/engine/scrape.h"
#include "vm/network.h"

#include <string.h>

#define VMS_LEASE_RETRY_MS \
    1000 /* a guest on the NAT network gets its address some seconds after power-on */
#define GUEST_SSH_PORT 22

struct vm {
    struct vms *vms;
    struct vm_record record;
    struct vm_status status;
    enum vm_state
        power;     /* as libvirt has it: OFF, STARTING (on), STOPPING, CRASHED, PAUSED, UNKNOWN */
    bool stopping; /* a job stops it */
    struct guest *guest;   /* while the power is on */
    struct scrape *scrape; /* as long as the guest */
    char address[64];      /* of the guest on the NAT network */
    uv_timer_t lease;
    bool asking;    /* a thread asks for the lease */
    bool forgotten; /* goes once no thread works for it */
    struct err lease_err;
    struct metrics *metrics;
    void (*await)(void *arg, const struct vm_status *status);
    void *await_arg;
};

struct vms {
    struct engine *engine;
    struct vm **list;
    size_t n;
    bool watched;
};

static void vm_connect(struct vm *vm);
static void vm_show(struct vm *vm);

/* ---- the list ---- */

static struct vm *vm_find(const struct vms *v, const char *name)
{
    for (size_t i = 0; i < v->n; i++)
        if (str_eq(v->list[i]->record.name, name))
            return v->list[i];
    return NULL;
}

static void on_lease_timer(uv_timer_t *timer)
{
    struct vm *vm = timer->data;
    if (!vm->guest && vm->power == VM_STATE_STARTING)
        vm_connect(vm);
}

static struct vm *vm_new(struct vms *v, const struct vm_record *record)
{
    struct vm *vm = xcalloc(1, sizeof(*vm));
    vm->vms = v;
    vm->record = *record;
    vm->metrics = metrics_new();
    (void)uv_timer_init(v->engine->loop, &vm->lease);
    vm->lease.data = vm;
    v->list = xreallocarray(v->list, v->n + 1, sizeof(struct vm *));
    v->list[v->n++] = vm;
    vm_show(vm);
    return vm;
}

static void on_vm_closed(uv_handle_t *handle)
{
    struct vm *vm = handle->data;
    metrics_free(vm->metrics);
    free(vm);
}

static void vm_close_guest(struct vm *vm)
{
    scrape_free(steal(vm->scrape));
    guest_free(steal(vm->guest));
}

/* Out of the list already, or the list goes. */
static void vm_free(struct vm *vm)
{
    vm_close_guest(vm);
    vm->forgotten = true;
    (void)uv_timer_stop(&vm->lease);
    if (!vm->asking)
        uv_close((uv_handle_t *)&vm->lease, on_vm_closed);
}

struct vms *vms_new(struct engine *e)
{
    struct vms *v = xcalloc(1, sizeof(*v));
    char names[MODEL_VMS_MAX][MODEL_NAME_MAX];
    size_t n = record_list(names, ARRAY_LEN(names));
    v->engine = e;
    for (size_t i = 0; i < n; i++) {
        struct vm_record record;
        struct err err = {0};
        if (record_load(names[i], &record, &err) == 0)
            (void)vm_new(v, &record);
        else if (err.kind != ERR_NOT_FOUND)
            log_error("vm", "%s: %s", names[i], err.msg);
    }
    return v;
}

void vms_free(struct vms *v)
{
    if (!v)
        return;
    for (size_t i = 0; i < v->n; i++)
        vm_free(v->list[i]);
    free(v->list);
    free(v);
}

static int not_found(const struct vms *v, const char *name, struct err *err)
{
    char clean[MODEL_NAME_MAX];
    str_sanitise_to(clean, sizeof(clean), name);
    err_set(err, ERR_NOT_FOUND, "there is no VM \"%s\"", clean);
    if (v->n == 0)
        return err_hint(err, "install one with: berth vm create");
    char names[160] = "";
    for (size_t i = 0; i < v->n; i++) {
        size_t len = strlen(names);
        (void)str_format(names + len, sizeof(names) - len, "%s%s", i ? ", " : "",
                         v->list[i]->record.name);
    }
    return err_hint(err, "there is: %s", names);
}

const struct vm_record *vms_find(struct vms *v, const char *name, struct err *err)
{
    const struct vm *vm = vm_find(v, name);
    if (vm)
        return &vm->record;
    (void)not_found(v, name, err);
    return NULL;
}

const struct vm_status *vms_status(struct vms *v, const char *name)
{
    const struct vm *vm = vm_find(v, name);
    return vm ? &vm->status : NULL;
}

struct metrics *vms_metrics(struct vms *v, const char *name)
{
    const struct vm *vm = vm_find(v, name);
    return vm ? vm->metrics : NULL;
}

void vms_put(struct vms *v, const struct vm_record *record)
{
    struct vm *vm = vm_find(v, record->name);
    if (vm)
        vm->record = *record;
    else
        vm = vm_new(v, record);
    vm_show(vm);
}

void vms_forget(struct vms *v, const char *name)
{
    struct vm *vm = vm_find(v, name);
    for (size_t i = 0; vm && i < v->n; i++) {
        if (v->list[i] != vm)
            continue;
        memmove(&v->list[i], &v->list[i + 1], (v->n - i - 1) * sizeof(struct vm *));
        v->n--;
        break;
    }
    if (vm)
        vm_free(vm);
    engine_touch(v->engine);
}

size_t vms_count(const struct vms *v)
{
    return v->n;
}

size_t vms_fill(struct vms *v, struct vm_status *to, size_t max)
{
    size_t n = 0;
    for (; n < v->n && n < max; n++)
        to[n] = v->list[n]->status;
    return n;
}

bool vms_any_running(const struct vms *v)
{
    for (size_t i = 0; i < v->n; i++)
        if (v->list[i]->guest || v->list[i]->power == VM_STATE_STARTING ||
            v->list[i]->power == VM_STATE_STOPPING)
            return true;
    return false;
}

void vms_watched(struct vms *v, bool watched)
{
    v->watched = watched;
    for (size_t i = 0; i < v->n; i++)
        if (v->list[i]->guest)
            guest_watched(v->list[i]->guest, watched);
}

/* ---- what people see ---- */

static bool power_is_on(const struct vm *vm)
{
    return vm->power == VM_STATE_STARTING || vm->power == VM_STATE_STOPPING;
}

static void show_record(const struct vm_record *r, const char *address, struct vm_status *s)
{
    STR_SET(s->name, r->name);
    STR_SET(s->accel, r->accel);
    STR_SET(s->bundle, r->bundle_version);
    s->cpus = r->plan.cpus;
    s->memory_mib = r->plan.memory_mib;
    s->disk_gib = r->plan.disk_gib;
    if (r->ssh_port)
        (void)str_format(s->address, sizeof(s->address), "user network, SSH 127.0.0.1:%u",
                         r->ssh_port);
    else
        (void)str_format(s->address, sizeof(s->address), "NAT network%s%s", *address ? ", " : "",
                         address);
}

/* Composes the status anew from record, power and guest. */
static void vm_show(struct vm *vm)
{
    struct vm_status s = {
        .state = vm->power, .cpu_percent = -1, .started_ms = vm->status.started_ms};
    show_record(&vm->record, vm->address, &s);
    if (vm->guest)
        guest_fill(vm->guest, &s);
    else
        STR_SET(s.reason, vm->status.reason);
    if (power_is_on(vm) && (vm->stopping || vm->power == VM_STATE_STOPPING)) {
        s.state = VM_STATE_STOPPING;
        s.reason[0] = '\0';
    }
    vm->status = s;
    engine_touch(vm->vms->engine);
    if (vm->await)
        vm->await(vm->await_arg, &vm->status);
}

void vms_await(struct vms *v, const char *name,
               void (*fn)(void *arg, const struct vm_status *status), void *arg)
{
    struct vm *vm = vm_find(v, name);
    if (!vm)
        return;
    vm->await = fn;
    vm->await_arg = arg;
}

/* ---- the guest's session ---- */

static void on_guest_change(void *arg)
{
    vm_show(arg);
}

static void on_guest_sample(void *arg)
{
    struct vm *vm = arg;
    vm_show(vm);
    metrics_sample_vm(vm->metrics, &vm->status, clock_wall_ms());
    if (vm->scrape && vm->guest && guest_state(vm->guest) == GUEST_STATE_READY)
        scrape_round(vm->scrape, &vm->status);
}

static const struct guest_events guest_events = {.on_change = on_guest_change,
                                                 .on_sample = on_guest_sample};

static void vm_open_guest(struct vm *vm, const char *host, uint16_t port)
{
    auto_free char *key = record_path(vm->record.name, RECORD_CLIENT_KEY);
    struct guest_target target = {
        .host = host, .port = port, .key_file = key, .host_key = vm->record.host_key};
    vm->guest = guest_new(vm->vms->engine->loop, &target, &guest_events, vm);
    guest_watched(vm->guest, vm->vms->watched);
    vm->scrape = scrape_new(vm->guest, vm->metrics);
    vm_show(vm);
}

/* In a thread of the pool; the record does not change while the power is on, but for the loop's own
 * copy. */
struct lease_question {
    struct vm *vm;
    struct host *host;
    char mac[RECORD_MAC_MAX];
    char address[NETWORK_ADDRESS_MAX];
};

static int ask_lease(void *arg, struct err *err)
{
    struct lease_question *q = arg;
    struct vm_conn *conn = host_conn(q->host, err);
    return conn ? network_nat_address(conn, q->mac, q->address, err) : -1;
}

static void lease_asked(void *arg, const struct err *err)
{
    struct lease_question *q = arg;
    struct vm *vm = q->vm;
    vm->asking = false;
    if (vm->forgotten) {
        uv_close((uv_handle_t *)&vm->lease, on_vm_closed);
    } else if (err) {
        (void)uv_timer_start(&vm->lease, on_lease_timer, VMS_LEASE_RETRY_MS, 0);
    } else if (!vm->guest && power_is_on(vm)) {
        STR_SET(vm->address, q->address);
        vm_open_guest(vm, q->address, GUEST_SSH_PORT);
    }
    free(q);
}

static void vm_connect(struct vm *vm)
{
    if (vm->record.ssh_port) {
        vm_open_guest(vm, "127.0.0.1", vm->record.ssh_port);
        return;
    }
    if (vm->asking)
        return;
    struct lease_question *q = xcalloc(1, sizeof(*q));
    q->vm = vm;
    q->host = vm->vms->engine->host;
    STR_SET(q->mac, vm->record.mac);
    vm->asking = true;
    pool_run(vm->vms->engine->loop, ask_lease, lease_asked, q);
}

struct guest *vms_guest(struct vms *v, const char *name, struct err *err)
{
    struct vm *vm = vm_find(v, name);
    if (!vm) {
        (void)not_found(v, name, err);
        return NULL;
    }
    if (vm->guest && guest_state(vm->guest) == GUEST_STATE_READY)
        return vm->guest;
    err_set(err, ERR_UNREACHABLE, "VM %s is %s", name, vm_state_name(vm->status.state));
    if (!power_is_on(vm))
        err_hint(err, "start it with: berth vm start %s", name);
    else
        err_hint(err, "wait until it is running, or look at its console: berth logs @serial");
    return NULL;
}

/* ---- power ---- */

static void power_on(struct vm *vm, uint64_t started_ms)
{
    vm->status.started_ms = started_ms ? started_ms : clock_wall_ms();
    vm->status.reason[0] = '\0';
    if (!vm->guest && *vm->record.host_key)
        vm_connect(vm);
}

static void power_off(struct vm *vm, const char *reason)
{
    vm_close_guest(vm);
    (void)uv_timer_stop(&vm->lease);
    vm->address[0] = '\0';
    vm->status.started_ms = 0;
    STR_SET(vm->status.reason, vm->stopping ? "" : reason);
    vm->stopping = false;
}

void vms_power(struct vms *v, const char *name, enum vm_state state, const char *reason,
               uint64_t started_ms)
{
    struct vm *vm = vm_find(v, name);
    if (!vm)
        return;
    bool was_on = power_is_on(vm);
    vm->power = state;
    if (power_is_on(vm) && !was_on)
        power_on(vm, started_ms);
    else if (!power_is_on(vm))
        power_off(vm, reason);
    if (was_on != power_is_on(vm))
        log_info("vm", "%s is %s%s%s", name, vm_state_name(state), *reason ? ": " : "", reason);
    vm_show(vm);
}

void vms_expect(struct vms *v, const char *name, enum vm_state state)
{
    struct vm *vm = vm_find(v, name);
    if (!vm)
        return;
    vm->stopping = state == VM_STATE_STOPPING;
    vm_show(vm);
}

void vms_unknown(struct vms *v, const struct err *why)
{
    for (size_t i = 0; i < v->n; i++) {
        struct vm *vm = v->list[i];
        if (vm->guest)
            continue; /* a guest that answers is known well enough */
        vm->power = VM_STATE_UNKNOWN;
        STR_SET(vm->status.reason, why->msg);
        vm_show(vm);
    }
}

void vms_on_event(struct vms *v, const struct vm_event *event)
{
    if (!*event->name) {
        log_warn("vm", "libvirt's connection was lost: %s", event->reason);
        reconcile_start(v->engine, NULL);
    } else if (event->gone) {
        vms_power(v, event->name, VM_STATE_OFF,
                  "somebody removed it from libvirt; a start defines it again", 0);
    } else {
        vms_power(v, event->name, event->state, event->reason, 0);
    }
}
