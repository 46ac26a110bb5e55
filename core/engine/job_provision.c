/* Provisioning as jobs. The steps are those of provision/'s methods; here they get the job's
 * journal, limits, cancel and undo. The secret lives in the run (struct provision) only: not in the
 * parameters, not in the journal. */
#include "core/engine/job_provision.h"
#include "core/engine/job_kinds.h"

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/engine/engine.h"
#include "core/engine/guest_provision.h"
#include "core/engine/sandbox_steps.h"
#include "core/engine/vms.h"
#include "provision/provision.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#define SENSOR_ARCHIVE "berth-sensor-amd64.tar"

struct provision_ctx {
    struct sandbox_ctx sandbox; /* first: the shared step takes it */
    char vm[MODEL_NAME_MAX];
    char device[130];
    char sample[PATH_MAX];
    size_t first; /* index of the run's first step in the job's table */
    struct job *job;
    struct guest_provision source;
    struct provision_guest guest;
    struct provision *run;
};

static void on_progress(void *arg, int percent, const char *text)
{
    struct provision_ctx *c = arg;
    if (c->job)
        job_progress(c->job, percent, "%s", text);
}

static void on_step(void *arg, const struct err *err)
{
    struct provision_ctx *c = arg;
    job_step_done(c->job, err);
}

static const struct provision_events events = {.on_progress = on_progress, .on_step = on_step};

static struct guest *find_guest(void *arg, struct err *err)
{
    struct provision_ctx *c = arg;
    return vms_guest(c->sandbox.engine->vms, c->vm, err);
}

/* ---- context ---- */

static void *ctx_new_of(struct engine *e, const cJSON *params,
                        const struct provision_method *method, struct err *err)
{
    const char *vm = NULL;
    if (json_need_str(params, "vm", &vm, err) < 0)
        return NULL;
    struct provision_ctx *c = xcalloc(1, sizeof(*c));
    STR_SET(c->vm, vm);
    STR_SET(c->device, json_str(params, "deviceId", vm));
    if (sandbox_ctx_init(&c->sandbox, e, NULL, err) < 0) {
        free(c);
        return NULL;
    }
    c->source = (struct guest_provision){.find = find_guest, .arg = c};
    guest_provision_init(&c->guest, &c->source);
    c->run = provision_new(e->loop, method, &c->guest, &events, c);
    return c;
}

static void ctx_free(void *ctx)
{
    struct provision_ctx *c = ctx;
    provision_free(c->run);
    free(c);
}

static void *string_ctx_new(void *owner, const cJSON *params, struct err *err)
{
    return ctx_new_of(owner, params, &provision_connection_string, err);
}

/* The archive of the sample module: in the build tree beside our own program, else where it is
 * installed. "" where it is not. */
static void find_sample(char *to, size_t size)
{
    char self[PATH_MAX - 64];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(self, '/');
    if (slash)
        *slash = '\0';
    (void)str_format(to, size, "%s/../bundle/%s", self, SENSOR_ARCHIVE);
    if (access(to, R_OK) == 0)
        return;
    (void)str_format(to, size, "/usr/share/berth/bundle/%s", SENSOR_ARCHIVE);
    if (access(to, R_OK) != 0)
        *to = '\0';
}

static void *sandbox_ctx_new(void *owner, const cJSON *params, struct err *err)
{
    struct provision_ctx *c = ctx_new_of(owner, params, &provision_sandbox, err);
    if (!c)
        return NULL;
    c->first = 1;
    if (json_bool(params, "sample", true)) /* else the device has a deployment of its own */
        find_sample(c->sample, sizeof(c->sample));
    return c;
}

int job_provision_set_string(struct job *job, const char *text, size_t len, struct err *err)
{
    struct provision_ctx *c = job_ctx(job);
    return provision_set_string(c->run, text, len, err);
}

/* ---- steps ---- */

static size_t run_step(const struct job *job, const struct provision_ctx *c)
{
    return job_status(job)->step - c->first;
}

static void cancel_step(struct job *job, void *ctx)
{
    struct provision_ctx *c = ctx;
    (void)job;
    provision_cancel(c->run);
}

/* What the run has to know of the host is only known once the sandbox runs. */
static void apply_step(struct job *job, void *ctx)
{
    struct provision_ctx *c = ctx;
    c->job = job;
    if (c->first && run_step(job, c) == 0) {
        const struct vm_record *record = vms_find(c->sandbox.engine->vms, c->vm, NULL);
        bool nat = record && record->plan.network == VM_NETWORK_NAT;
        provision_set_sandbox(c->run, &(struct provision_sandbox_options){
                                          .device_id = c->device,
                                          .host_ip = nat ? c->sandbox.gateway : NETWORK_USER_HOST,
                                          .sample = *c->sample ? c->sample : NULL,
                                      });
    }
    job_on_cancel(job, cancel_step);
    provision_apply(c->run, run_step(job, c));
}

static void undo_step(struct job *job, void *ctx)
{
    struct provision_ctx *c = ctx;
    c->job = job;
    provision_undo(c->run, run_step(job, c));
}

/* ---- tables ---- */

static struct job_step_def string_steps[MODEL_STEPS_MAX];
static struct job_step_def sandbox_steps[MODEL_STEPS_MAX] = {
    {"Start the sandbox", .usual_ms = 1500, .apply = step_sandbox_start, .again = true},
};

/* The run keeps in memory what one step finds for the next: after a kill they are all applied
 * again, which they are made for. */
static size_t adopt(struct job_step_def *to, size_t n, const struct provision_method *method)
{
    for (size_t i = 0; i < method->n_steps && n < MODEL_STEPS_MAX; i++) {
        const struct provision_step *from = &method->steps[i];
        to[n++] = (struct job_step_def){
            .name = from->name,
            .limit_ms = from->limit_ms,
            .usual_ms = from->usual_ms,
            .apply = apply_step,
            .undo = from->undo ? undo_step : NULL,
            .again = true,
        };
    }
    return n;
}

struct job_kind job_provision_connection_string = {
    "provision.connection_string", string_steps, 0, string_ctx_new, ctx_free, .resumes = false};
struct job_kind job_provision_sandbox = {"provision.sandbox", sandbox_steps, 0,
                                         sandbox_ctx_new,     ctx_free,      .resumes = true};

void job_provision_init(void)
{
    job_provision_connection_string.n_steps = adopt(string_steps, 0, &provision_connection_string);
    job_provision_sandbox.n_steps = adopt(sandbox_steps, 1, &provision_sandbox);
}
