/* Installing a VM. Everything it makes is in the VM's own folder or in libvirt, so that undoing
 * means: plug, definition, folder. */
#include "core/engine/job_kinds.h"

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/engine/engine.h"
#include "core/engine/host.h"
#include "core/engine/vm_steps.h"
#include "core/engine/vms.h"
#include "core/rpc/model_json.h"
#include "vm/accel.h"
#include "vm/bundle.h"
#include "vm/conn.h"
#include "vm/disk.h"
#include "vm/domain.h"
#include "vm/host.h"
#include "vm/network.h"
#include "vm/plan.h"
#include "vm/seed.h"

/* {"plan": {...}, "by"?: NAME} */
static void *ctx_new(void *owner, const cJSON *params, struct err *err)
{
    struct engine *e = owner;
    struct vm_plan plan;
    const cJSON *json = NULL;
    if (json_need_obj(params, "plan", &json, err) < 0 || model_parse_plan(json, &plan, err) < 0 ||
        plan_check_name(plan.name, err) < 0)
        return NULL;
    struct vm_ctx *c = xcalloc(1, sizeof(*c));
    c->engine = e;
    c->host = e->host;
    c->plan = plan;
    STR_SET(c->name, plan.name);
    str_sanitise_to(c->by, sizeof(c->by), json_str(params, "by", ""));
    (void)record_load(plan.name, &c->record, NULL); /* after a kill there may be one */
    return c;
}

/* ---- check ---- */

static int check_host(struct job_work *work, void *ctx, struct err *err)
{
    struct vm_ctx *c = ctx;
    struct host_report report = {0};
    (void)work;
    /* First the connection, which starts libvirt where that is needed: the check itself starts
     * nothing. */
    struct vm_conn *conn = host_conn(c->host, err);
    if (!conn || (!*c->record.name && domain_check_name_free(conn, c->name, err) < 0) ||
        host_check(&c->plan, &report, err) < 0)
        return -1;
    for (size_t i = 0; i < report.n; i++) {
        if (report.checks[i].light != LIGHT_BAD)
            continue;
        err_set(err, ERR_UNSUPPORTED, "%s: %s", report.checks[i].label, report.checks[i].text);
        return err_hint(err, "%s", report.checks[i].hint);
    }
    return 0;
}

static void apply_check(struct job *job, void *ctx)
{
    (void)ctx;
    job_work(job, check_host);
}

/* ---- identity ---- */

static int prepare(struct job_work *work, void *ctx, struct err *err)
{
    struct vm_ctx *c = ctx;
    struct accel_sources sources = accel_sources();
    struct accel_choice accel;
    (void)work;
    struct vm_conn *conn = host_conn(c->host, err);
    if (!conn || accel_choose(c->plan.accel, &sources, &accel, err) < 0)
        return -1;
    struct vm_record *r = &c->record;
    if (!*r->name)
        record_init(r, &c->plan);
    if (record_make_dir(c->name, err) < 0 || seed_prepare(r, err) < 0)
        return -1;
    if (c->plan.network == VM_NETWORK_USER && !r->ssh_port) {
        r->ssh_port = network_pick_port(err);
        if (!r->ssh_port)
            return -1;
    }
    STR_SET(r->accel, accel_name(accel.kind));
    STR_SET(r->uri, vm_conn_uri(conn));
    STR_SET(r->by, c->by);
    return record_save(r, err);
}

static void prepared(struct job *job, void *ctx, const struct err *err)
{
    struct vm_ctx *c = ctx;
    if (!err) {
        vms_put(c->engine->vms, &c->record);
        vms_power(c->engine->vms, c->name, VM_STATE_OFF, "being installed", 0);
    }
    job_step_done(job, err);
}

static void apply_prepare(struct job *job, void *ctx)
{
    (void)ctx;
    job_work_then(job, prepare, prepared);
}

static int remove_files(struct job_work *work, void *ctx, struct err *err)
{
    struct vm_ctx *c = ctx;
    (void)work;
    return record_remove(c->name, err);
}

static void undo_prepare(struct job *job, void *ctx)
{
    struct vm_ctx *c = ctx;
    vms_forget(c->engine->vms, c->name);
    job_work(job, remove_files);
}

/* ---- image and disk ---- */

static void on_copied(void *arg, uint64_t done, uint64_t total)
{
    char text[2][32];
    str_bytes(text[0], sizeof(text[0]), done);
    str_bytes(text[1], sizeof(text[1]), total);
    job_work_progress(arg, total ? (int)(done * 100 / total) : -1, "%s of %s", text[0], text[1]);
}

static int copy_image(struct job_work *work, void *ctx, struct err *err)
{
    struct vm_ctx *c = ctx;
    struct bundle bundle;
    auto_free char *slot = record_path(c->name, c->record.slot);
    struct bundle_watch watch = {
        .progress = on_copied, .arg = work, .cancel = job_work_cancel(work)};
    if (bundle_find(c->plan.bundle, &bundle, err) < 0 ||
        bundle_install(&bundle, slot, &watch, err) < 0)
        return -1;
    STR_SET(c->record.bundle_version, bundle.version);
    return record_save(&c->record, err);
}

static void image_copied(struct job *job, void *ctx, const struct err *err)
{
    struct vm_ctx *c = ctx;
    if (!err)
        vms_put(c->engine->vms, &c->record);
    job_step_done(job, err);
}

static void apply_copy(struct job *job, void *ctx)
{
    (void)ctx;
    job_work_then(job, copy_image, image_copied);
}

static bool has_disk(struct job *job, void *ctx)
{
    struct vm_ctx *c = ctx;
    auto_free char *path = record_path(c->name, RECORD_DISK);
    (void)job;
    return file_exists(path); /* it appears whole or not at all */
}

static int make_disk(struct job_work *work, void *ctx, struct err *err)
{
    struct vm_ctx *c = ctx;
    auto_free char *path = record_path(c->name, RECORD_DISK);
    (void)work;
    return disk_create(path, c->plan.disk_gib, err);
}

static void apply_disk(struct job *job, void *ctx)
{
    (void)ctx;
    job_work(job, make_disk);
}

static const struct job_step_def steps[] = {
    {"Check this host again", .limit_ms = 60000, .usual_ms = 1000, .apply = apply_check},
    {"Make keys and identity", .limit_ms = 30000, .usual_ms = 200, .apply = apply_prepare,
     .undo = undo_prepare},
    {"Verify and copy the image", .limit_ms = 600000, .usual_ms = 3000, .apply = apply_copy},
    {"Make the data disk", .limit_ms = 60000, .usual_ms = 300, .check = has_disk,
     .apply = apply_disk},
    {"Define the VM", .limit_ms = 60000, .usual_ms = 200, .apply = step_define,
     .undo = step_undefine, .again = true},
    {"Start the VM", .limit_ms = 120000, .usual_ms = 1500, .apply = step_start,
     .undo = step_power_off, .again = true},
    {"Wait until the guest answers", .limit_ms = VM_BOOT_LIMIT_MS, .usual_ms = VM_BOOT_USUAL_MS,
     .apply = step_wait_ready, .again = true},
    {"Test the guest", .limit_ms = 60000, .usual_ms = 500, .apply = step_self_test},
};

const struct job_kind job_vm_create = {"vm.create", steps,       ARRAY_LEN(steps),
                                       ctx_new,     vm_ctx_free, .resumes = true};
