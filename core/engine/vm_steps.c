/* See vm_steps.h. */
#include "core/engine/vm_steps.h"

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/engine/engine.h"
#include "core/engine/guest.h"
#include "core/engine/host.h"
#include "core/engine/vms.h"
#include "vm/bundle.h"
#include "vm/domain.h"
#include "vm/plan.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>

#define LIFE_LIMIT_MS 30000 /* a kernel under KVM says its first words within a second or two */
#define LIFE_POLL_MS  100
#define CONSOLE_TAIL  4096

void *vm_ctx_new(void *owner, const cJSON *params, struct err *err)
{
    struct engine *e = owner;
    const char *name = NULL;
    if (json_need_str(params, "vm", &name, err) < 0 || plan_check_name(name, err) < 0)
        return NULL;
    struct vm_ctx *c = xcalloc(1, sizeof(*c));
    c->engine = e;
    c->host = e->host;
    c->force = json_bool(params, "force", false);
    STR_SET(c->name, name);
    (void)record_load(name, &c->record, NULL); /* a step that needs it says so */
    return c;
}

void vm_ctx_free(void *ctx)
{
    free(ctx);
}

/* ---- image and definition ---- */

static void on_verify_progress(void *arg, uint64_t done, uint64_t total)
{
    char text[2][32];
    str_bytes(text[0], sizeof(text[0]), done);
    str_bytes(text[1], sizeof(text[1]), total);
    job_work_progress(arg, total ? (int)(done * 100 / total) : -1, "%s of %s", text[0], text[1]);
}

static int verify_image(struct job_work *work, void *ctx, struct err *err)
{
    struct vm_ctx *c = ctx;
    auto_free char *slot = record_path(c->name, c->record.slot);
    struct bundle_watch watch = {
        .progress = on_verify_progress, .arg = work, .cancel = job_work_cancel(work)};
    struct bundle bundle;
    if (bundle_verify(slot, &watch, &bundle, err) == 0)
        return 0;
    err_wrap(err, "the image of %s is damaged", c->name);
    return err_hint(err, "delete the VM and install it again; its data disk is not to blame");
}

void step_verify_image(struct job *job, void *ctx)
{
    (void)ctx;
    job_work(job, verify_image);
}

static int define(struct job_work *work, void *ctx, struct err *err)
{
    struct vm_ctx *c = ctx;
    (void)work;
    struct vm_conn *conn = host_conn(c->host, err);
    return conn ? domain_define(conn, &c->record, err) : -1;
}

void step_define(struct job *job, void *ctx)
{
    (void)ctx;
    job_work(job, define);
}

static int undefine(struct job_work *work, void *ctx, struct err *err)
{
    struct vm_ctx *c = ctx;
    (void)work;
    struct vm_conn *conn = host_conn(c->host, err);
    if (!conn || domain_force_off(conn, c->name, err) < 0)
        return -1;
    return domain_undefine(conn, c->name, err);
}

void step_undefine(struct job *job, void *ctx)
{
    struct vm_ctx *c = ctx;
    vms_expect(c->engine->vms, c->name, VM_STATE_STOPPING);
    job_work(job, undefine);
}

/* ---- power on ---- */

static off_t console_size(const char *name)
{
    auto_free char *path = record_path(name, RECORD_CONSOLE);
    struct stat st;
    return stat(path, &st) == 0 ? st.st_size : 0;
}

/* True once something was written to the serial console, which was FROM bytes long. */
static bool shows_life(struct job_work *work, const char *name, off_t from)
{
    uint64_t deadline = clock_mono_ms() + LIFE_LIMIT_MS;
    while (clock_mono_ms() < deadline && !job_work_cancelled(work)) {
        if (console_size(name) != from) /* smaller: it was rotated */
            return true;
        (void)poll(NULL, 0, LIFE_POLL_MS);
    }
    return false;
}

/* /dev/kvm that opens, runs and yet hangs real guests exists: such a guest goes on under emulation.
 */
static int fall_back(struct vm_ctx *c, struct vm_conn *conn, struct err *err)
{
    STR_SET(c->record.accel, "tcg");
    STR_SET(c->note, "KVM shows no sign of life on this host: the VM runs with software emulation "
                     "(TCG) from now on");
    if (domain_force_off(conn, c->name, err) < 0 || record_save(&c->record, err) < 0 ||
        domain_define(conn, &c->record, err) < 0)
        return -1;
    return domain_start(conn, &c->record, err);
}

/* What this host offers may be other than when the VM was made. A TPM that does not work keeps no
 * VM off: few need it. */
static int power_on(struct vm_ctx *c, struct vm_conn *conn, struct err *err)
{
    struct err why = {0};
    c->record.without_tpm = false;
    if (domain_define(conn, &c->record, err) < 0)
        return -1;
    if (domain_start(conn, &c->record, &why) == 0)
        return 0;
    if (!strcasestr(why.msg, "tpm")) {
        *err = why;
        return -1;
    }
    (void)str_format(c->note, sizeof(c->note), "started without its TPM: %s", why.msg);
    c->record.without_tpm = true;
    if (domain_define(conn, &c->record, err) < 0)
        return -1;
    return domain_start(conn, &c->record, err);
}

static int start(struct job_work *work, void *ctx, struct err *err)
{
    struct vm_ctx *c = ctx;
    struct vm_conn *conn = host_conn(c->host, err);
    off_t size = console_size(c->name);
    struct domain_status before;
    if (!conn || domain_status(conn, c->name, &before, err) < 0)
        return -1;
    if (before.state != VM_STATE_OFF && before.state != VM_STATE_CRASHED)
        return 0; /* it runs, and an idle guest writes nothing to its console */
    if (power_on(c, conn, err) < 0)
        return -1;
    job_work_progress(work, -1, "Waiting for a sign of life");
    bool kvm = str_eq(c->record.accel, "kvm");
    if (kvm && !shows_life(work, c->name, size) && !job_work_cancelled(work) &&
        fall_back(c, conn, err) < 0)
        return -1;
    c->record.started_ms = clock_wall_ms();
    return record_save(&c->record, err);
}

static void started(struct job *job, void *ctx, const struct err *err)
{
    struct vm_ctx *c = ctx;
    if (!err) {
        if (*c->note)
            log_warn("vm", "%s: %s", c->name, c->note);
        vms_put(c->engine->vms, &c->record);
        vms_power(c->engine->vms, c->name, VM_STATE_STARTING, "", c->record.started_ms);
    }
    job_step_done(job, err);
}

void step_start(struct job *job, void *ctx)
{
    struct vm_ctx *c = ctx;
    vms_expect(c->engine->vms, c->name, VM_STATE_STARTING);
    job_work_then(job, start, started);
}

/* ---- power off ---- */

static int power_off(struct job_work *work, void *ctx, struct err *err)
{
    struct vm_ctx *c = ctx;
    (void)work;
    struct vm_conn *conn = host_conn(c->host, err);
    if (!conn)
        return -1;
    return domain_force_off(conn, c->name, err);
}

static int shut_down(struct job_work *work, void *ctx, struct err *err)
{
    struct vm_ctx *c = ctx;
    bool forced = false;
    struct vm_conn *conn = host_conn(c->host, err);
    if (!conn)
        return -1;
    if (domain_shutdown(conn, c->name, VM_SHUTDOWN_MS, job_work_cancel(work), &forced, err) < 0)
        return -1;
    if (forced)
        STR_SET(c->note, "the guest did not shut down in time: its plug was pulled");
    return 0;
}

static void is_off(struct job *job, void *ctx, const struct err *err)
{
    struct vm_ctx *c = ctx;
    /* A VM that libvirt does not know is off. */
    const struct err *why = err && err->kind == ERR_NOT_FOUND ? NULL : err;
    if (!why)
        vms_power(c->engine->vms, c->name, VM_STATE_OFF, "", 0);
    else
        vms_expect(c->engine->vms, c->name, VM_STATE_UNKNOWN);
    if (*c->note)
        log_warn("vm", "%s: %s", c->name, c->note);
    job_step_done(job, why);
}

void step_power_off(struct job *job, void *ctx)
{
    struct vm_ctx *c = ctx;
    vms_expect(c->engine->vms, c->name, VM_STATE_STOPPING);
    job_work_then(job, power_off, is_off);
}

void step_shut_down(struct job *job, void *ctx)
{
    struct vm_ctx *c = ctx;
    vms_expect(c->engine->vms, c->name, VM_STATE_STOPPING);
    job_work_then(job, c->force ? power_off : shut_down, is_off);
}

/* ---- wait for the guest ---- */

/* The last line that the guest printed on its serial console, for people; "" where there is none.
 */
static void console_last_line(const char *name, char *to, size_t size)
{
    auto_free char *path = record_path(name, RECORD_CONSOLE);
    char text[CONSOLE_TAIL + 1];
    *to = '\0';
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    off_t end = fd >= 0 ? lseek(fd, 0, SEEK_END) : -1;
    if (end <= 0)
        return;
    off_t from = end > CONSOLE_TAIL ? end - CONSOLE_TAIL : 0;
    ssize_t n = pread(fd, text, CONSOLE_TAIL, from);
    text[n > 0 ? n : 0] = '\0';
    char *line = str_trim(text);
    char *last = strrchr(line, '\n');
    str_sanitise_to(to, size, last ? last + 1 : line);
}

static void wait_failed(struct job *job, struct vm_ctx *c, enum err_kind kind, const char *what)
{
    struct err err = {0};
    char line[160];
    console_last_line(c->name, line, sizeof(line));
    vms_await(c->engine->vms, c->name, NULL, NULL);
    err_set(&err, kind, "%s%s%s%s", what, *line ? "; the last line of its console is \"" : "", line,
            *line ? "\"" : "");
    err_hint(&err, "look at the whole console with: berth logs @serial");
    job_step_done(job, &err);
}

static void refused(struct job *job, struct vm_ctx *c, const char *reason)
{
    struct err err = {0};
    vms_await(c->engine->vms, c->name, NULL, NULL);
    err_set(&err, ERR_AUTH, "%s", reason);
    err_hint(&err,
             "if the VM's files were replaced or restored, delete the VM and install it again; "
             "otherwise something else answers in its place");
    job_step_done(job, &err);
}

/* False while it is still to be waited. */
static bool check_ready(struct job *job, struct vm_ctx *c, const struct vm_status *status)
{
    char text[300];
    if (status->state == VM_STATE_RUNNING) {
        vms_await(c->engine->vms, c->name, NULL, NULL);
        job_step_done(job, NULL);
        return true;
    }
    if (status->state == VM_STATE_OFF || status->state == VM_STATE_CRASHED) {
        (void)str_format(text, sizeof(text), "the VM went off before it answered%s%s",
                         *status->reason ? ": " : "", status->reason);
        wait_failed(job, c, ERR_REMOTE, text);
        return true;
    }
    if (status->state == VM_STATE_STARTING && *status->reason) {
        /* It answers, but it is not the one that was installed, or it refuses our key: waiting does
         * not help. */
        refused(job, c, status->reason);
        return true;
    }
    job_progress(job, -1, "Waiting for the guest to answer");
    return false;
}

static void on_vm_changed(void *arg, const struct vm_status *status)
{
    struct job *job = arg;
    (void)check_ready(job, job_ctx(job), status);
}

static void wait_cancelled(struct job *job, void *ctx)
{
    struct vm_ctx *c = ctx;
    const struct vm_status *status = vms_status(c->engine->vms, c->name);
    char text[300];
    (void)str_format(text, sizeof(text), "the guest does not answer over SSH%s%s",
                     status && *status->reason ? ": " : "", status ? status->reason : "");
    wait_failed(job, c, ERR_TIMEOUT, text);
}

void step_wait_ready(struct job *job, void *ctx)
{
    struct vm_ctx *c = ctx;
    const struct vm_status *status = vms_status(c->engine->vms, c->name);
    struct err err = {0};
    if (!status) {
        (void)vms_find(c->engine->vms, c->name, &err);
        job_step_done(job, &err);
        return;
    }
    job_on_cancel(job, wait_cancelled);
    if (!check_ready(job, c, status))
        vms_await(c->engine->vms, c->name, on_vm_changed, job);
}

/* ---- self test ---- */

static void test_cancelled(struct job *job, void *ctx)
{
    struct vm_ctx *c = ctx;
    struct err err = {0};
    guest_call_cancel(c->call);
    c->call = NULL;
    err_set(&err, ERR_TIMEOUT, "the guest's helper does not answer");
    job_step_done(job, &err);
}

static void clock_was_set(void *arg, const char *text, const struct buf *body,
                          const struct err *err)
{
    struct job *job = arg;
    struct vm_ctx *c = job_ctx(job);
    (void)text;
    (void)body;
    c->call = NULL;
    job_step_done(job, err);
}

/* The image says which version it is, and its clock follows the host's: without the right time TLS
 * fails with a misleading error. */
static void info_came(void *arg, const char *text, const struct buf *body, const struct err *err)
{
    struct job *job = arg;
    struct vm_ctx *c = job_ctx(job);
    struct err why = {0};
    char line[64];
    (void)text;
    c->call = NULL;
    struct guest *guest = err ? NULL : vms_guest(c->engine->vms, c->name, &why);
    if (guest) {
        log_info("vm", "%s answers: %zu bytes of facts", c->name, body->len);
        (void)str_format(line, sizeof(line), "clock-set %llu",
                         (unsigned long long)(clock_wall_ms() / 1000));
        c->call = guest_admin(guest, line, NULL, 0, 0, clock_was_set, job, &why);
    }
    if (!c->call)
        job_step_done(job, err ? err : &why);
}

void step_self_test(struct job *job, void *ctx)
{
    struct vm_ctx *c = ctx;
    struct err err = {0};
    struct guest *guest = vms_guest(c->engine->vms, c->name, &err);
    job_on_cancel(job, test_cancelled);
    if (guest)
        c->call = guest_admin(guest, "info", NULL, 0, 0, info_came, job, &err);
    if (!c->call)
        job_step_done(job, &err);
}
