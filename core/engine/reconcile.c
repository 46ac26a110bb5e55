/* See reconcile.h. */
#include "core/engine/reconcile.h"

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/engine/engine.h"
#include "core/engine/host.h"
#include "core/engine/jobs.h"
#include "core/engine/pool.h"
#include "core/engine/vms.h"
#include "vm/domain.h"
#include "vm/inventory.h"

struct reconcile {
    struct engine *engine;
    struct host *host;
    void (*done)(struct engine *e);
    char held[INVENTORY_MAX][MODEL_NAME_MAX]; /* VMs of unfinished jobs: theirs to clean up */
    size_t n_held;
    struct inventory inventory;
    struct domain_status status[INVENTORY_MAX];
};

static bool is_held(const struct reconcile *r, const char *name)
{
    for (size_t i = 0; i < r->n_held; i++)
        if (str_eq(r->held[i], name))
            return true;
    return false;
}

/* In a thread of the pool. */
static int look(void *arg, struct err *err)
{
    struct reconcile *r = arg;
    struct vm_conn *conn = host_conn(r->host, err);
    if (!conn || inventory_read(conn, &r->inventory, err) < 0)
        return -1;
    for (size_t i = 0; i < r->inventory.n; i++) {
        struct inventory_vm *vm = &r->inventory.vms[i];
        struct err why = {0};
        if (!vm->record && !is_held(r, vm->name)) {
            int rc = inventory_purge(conn, vm->name, &why);
            log_warn("vm", "%s was left behind by an engine that was killed: %s", vm->name,
                     rc == 0 ? "removed" : why.msg);
        } else if (vm->domain && domain_status(conn, vm->name, &r->status[i], &why) < 0) {
            log_warn("vm", "%s: %s", vm->name, why.msg);
        }
    }
    return 0;
}

/* Nothing of ours can be there. */
static int look_nowhere(void *arg, struct err *err)
{
    (void)arg;
    (void)err;
    return 0;
}

static void looked(void *arg, const struct err *err)
{
    struct reconcile *r = arg;
    struct engine *e = r->engine;
    if (err)
        log_warn("vm", "%s", err->msg);
    for (size_t i = 0; !err && !e->ending && i < r->inventory.n; i++) {
        const struct inventory_vm *vm = &r->inventory.vms[i];
        const struct domain_status *status = &r->status[i];
        if (vm->domain)
            vms_power(e->vms, vm->name, status->state, status->reason, status->started_ms);
        else if (vm->record)
            vms_power(e->vms, vm->name, VM_STATE_OFF,
                      "libvirt no longer knows it; a start defines it again", 0);
    }
    if (err && !e->ending)
        vms_unknown(e->vms, err);
    if (r->done)
        r->done(e);
    free(r);
}

void reconcile_start(struct engine *e, void (*done)(struct engine *e))
{
    struct reconcile *r = xcalloc(1, sizeof(*r));
    char names[1][MODEL_NAME_MAX];
    struct job_status jobs[MODEL_JOBS_MAX];
    size_t n = jobs_list(e->jobs, jobs, ARRAY_LEN(jobs));
    r->engine = e;
    r->host = e->host;
    r->done = done;
    for (size_t i = 0; i < n; i++)
        if (!job_state_ended(jobs[i].state) && *jobs[i].vm)
            (void)str_copy(r->held[r->n_held++], MODEL_NAME_MAX, jobs[i].vm);
    bool any = r->n_held > 0 || record_list(names, 1) > 0;
    pool_run(e->loop, any ? look : look_nowhere, looked, r);
}
