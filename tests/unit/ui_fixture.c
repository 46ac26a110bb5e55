/* See ui_fixture.h. */
#include "tests/unit/ui_fixture.h"

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/str.h"

#include <criterion/criterion.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MINUTE 60000ULL
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define MIB    (1024ULL * 1024)

static struct buf picture; /* each test is a process of its own */

static void record_call(void *arg, const char *method, cJSON *take_params, uint64_t timeout_ms,
                        rpc_reply_fn fn, void *fn_arg)
{
    struct ui_fixture *f = arg;
    (void)timeout_ms;
    STR_SET(f->method, method);
    buf_clear(&f->params);
    if (take_params)
        json_print(&f->params, take_params);
    cJSON_Delete(take_params);
    f->fn = fn;
    f->fn_arg = fn_arg;
    struct ui_fixture_call *call = &f->recent[f->calls++ % ARRAY_LEN(f->recent)];
    STR_SET(call->method, method);
    call->fn = fn;
    call->fn_arg = fn_arg;
}

static uint64_t now(void)
{
    uint64_t ms = 0;
    cr_assert(clock_parse("2026-11-21T14:31:00Z", &ms));
    return ms;
}

void ui_fixture_init(struct ui_fixture *f, int h, int w)
{
    const struct ui_ops ops = {.call = record_call, .arg = f};
    memset(f, 0, sizeof(*f));
    (void)setenv("TZ", "UTC", 1);
    tzset();
    cr_assert_not_null(setlocale(LC_CTYPE, "C.UTF-8"));
    f->ui = ui_new(&ops);
    f->s = surface_new(h, w);
    ui_view(f->ui)->now_ms = now();
}

void ui_fixture_done(struct ui_fixture *f)
{
    ui_free(f->ui);
    surface_free(f->s);
    buf_done(&f->params);
    buf_done(&picture);
}

static void begin(struct ui_fixture *f)
{
    struct view *view = ui_view(f->ui);
    view->snap.at_ms = view->now_ms;
    STR_SET(view->snap.host, "edge-07");
    STR_SET(view->snap.engine_version, "0.1.0");
    view->snap.sandbox.light = LIGHT_OFF;
    ui_ready(f->ui, false);
}

void ui_fixture_empty(struct ui_fixture *f)
{
    begin(f);
    ui_snapshot(f->ui);
}

static void add_module(struct vm_status *vm, const char *name, enum module_state state, double cpu,
                       uint64_t memory, uint32_t restarts, uint64_t since_ms)
{
    struct module_status *m = &vm->modules[vm->n_modules++];
    STR_SET(m->name, name);
    (void)str_format(m->image, sizeof(m->image), "contoso.azurecr.io/%s:2.4", name);
    m->state = state;
    m->system = str_starts(name, "edge");
    m->cpu_percent = cpu;
    m->memory = memory;
    m->restarts = restarts;
    if (state == MODULE_STATE_RUNNING)
        m->started_ms = since_ms;
    else
        m->exited_ms = since_ms;
}

static void make_vm(struct vm_status *vm, uint64_t t)
{
    STR_SET(vm->name, "edge-07-vm");
    vm->state = VM_STATE_RUNNING;
    STR_SET(vm->accel, "tcg");
    STR_SET(vm->address, "user network, SSH 127.0.0.1:41022");
    STR_SET(vm->bundle, "12.8-3");
    vm->cpus = 2;
    vm->memory_mib = 2048;
    vm->disk_gib = 32;
    vm->started_ms = t - 3 * DAY - 4 * HOUR;
    vm->seen_ms = t;
    vm->cpu_percent = 18;
    vm->memory_used = 1249 * MIB;
    vm->memory_total = 2048 * MIB;
    vm->disk_used = 10486 * MIB;
    vm->disk_total = 32768 * MIB;
    vm->runtime = RUNTIME_STATE_RUNNING;
    STR_SET(vm->runtime_version, "0.1.0");
    STR_SET(vm->device_id, "pump-station-07");
    STR_SET(vm->hub, "contoso-hub.azure-devices.net");
    vm->cloud = CLOUD_STATE_CONNECTED;
    vm->cloud_since_ms = t - 26 * HOUR;
}

void ui_fixture_site(struct ui_fixture *f)
{
    struct view *view = ui_view(f->ui);
    struct vm_status *vm = &view->snap.vms[0];
    uint64_t t = view->now_ms;
    begin(f);
    view->snap.n_vms = 1;
    make_vm(vm, t);
    add_module(vm, "edgeAgent", MODULE_STATE_RUNNING, 1, 92 * MIB, 0, t - 3 * DAY - 4 * HOUR);
    add_module(vm, "edgeHub", MODULE_STATE_RUNNING, 6, 188 * MIB, 0, t - 3 * DAY - 4 * HOUR);
    add_module(vm, "modbus", MODULE_STATE_RUNNING, 3, 41 * MIB, 0, t - 3 * DAY - 4 * HOUR);
    add_module(vm, "vision-ai", MODULE_STATE_FAILED, -1, 0, 12, t - 4 * MINUTE);
    add_module(vm, "historian", MODULE_STATE_RUNNING, 2, 110 * MIB, 1, t - 26 * HOUR);
    vm->modules[3].exit_code = 137;
    STR_SET(vm->modules[3].description, "stopped by the kernel: memory ran out (limit 256 MiB)");
    ui_snapshot(f->ui);
}

struct job_status *ui_fixture_job(struct ui_fixture *f, const char *kind, const char *title)
{
    static const char *const steps[] = {"Check the host", "Verify the image",
                                        "Make the disks", "Define the VM",
                                        "First boot",     "Wait for the runtime"};
    struct snapshot *snap = &ui_view(f->ui)->snap;
    struct job_status *job = &snap->jobs[snap->n_jobs++];
    memset(job, 0, sizeof(*job));
    STR_SET(job->id, "7c1e");
    STR_SET(job->kind, kind);
    STR_SET(job->title, title);
    STR_SET(job->vm, "edge-07-vm");
    STR_SET(job->by, "anna");
    job->state = JOB_STATE_RUNNING;
    job->n_steps = ARRAY_LEN(steps);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        STR_SET(job->steps[i].name, steps[i]);
        job->steps[i].light = i < 2 ? LIGHT_OK : i == 2 ? LIGHT_BUSY : LIGHT_TODO;
        job->steps[i].took_ms = i < 2 ? 3000 * (i + 1) : 0;
    }
    job->step = 2;
    job->percent = 61;
    STR_SET(job->message, "412 of 676 MiB");
    job->started_ms = ui_view(f->ui)->now_ms - 161000;
    job->limit_ms = 600000;
    job->left_ms = 198000;
    return job;
}

void ui_fixture_key(struct ui_fixture *f, uint32_t sym)
{
    const struct key key = {.sym = sym};
    ui_key(f->ui, &key);
}

void ui_fixture_type(struct ui_fixture *f, const char *text)
{
    for (; *text; text++)
        ui_fixture_key(f, (uint32_t)(unsigned char)*text);
}

void ui_fixture_paste(struct ui_fixture *f, const char *text)
{
    const struct key key = {.sym = KEYSYM_PASTE, .paste = text, .paste_len = strlen(text)};
    ui_key(f->ui, &key);
}

void ui_fixture_answer(struct ui_fixture *f, const char *json)
{
    struct err err = {0};
    cJSON *result = json_parse(json, strlen(json), &err);
    rpc_reply_fn fn = f->fn;
    cr_assert_not_null(result, "%s", err.msg);
    cr_assert_not_null(fn, "nothing was asked");
    f->fn = NULL;
    fn(f->fn_arg, result, NULL);
    cJSON_Delete(result);
}

void ui_fixture_answer_to(struct ui_fixture *f, const char *method, const char *json)
{
    for (size_t i = f->calls; i-- > 0 && f->calls - i <= ARRAY_LEN(f->recent);) {
        struct ui_fixture_call *call = &f->recent[i % ARRAY_LEN(f->recent)];
        if (!call->fn || !str_eq(call->method, method))
            continue;
        f->fn = call->fn;
        f->fn_arg = call->fn_arg;
        call->fn = NULL;
        ui_fixture_answer(f, json);
        return;
    }
    cr_assert_fail("%s was not asked", method);
}

void ui_fixture_refuse(struct ui_fixture *f, enum err_kind kind, const char *msg, const char *hint)
{
    struct err err;
    rpc_reply_fn fn = f->fn;
    err_set(&err, kind, "%s", msg);
    err_hint(&err, "%s", hint);
    cr_assert_not_null(fn, "nothing was asked");
    f->fn = NULL;
    fn(f->fn_arg, NULL, &err);
}

const char *ui_fixture_picture(struct ui_fixture *f)
{
    ui_draw(f->ui, f->s);
    buf_clear(&picture);
    surface_to_text(f->s, &picture);
    return buf_str(&picture);
}

bool ui_fixture_shows(struct ui_fixture *f, const char *text)
{
    return strstr(ui_fixture_picture(f), text) != NULL;
}

static void golden_at(struct ui_fixture *f, const char *name, int h, int w)
{
    char path[256];
    auto_buf struct buf want = {0};
    struct err err = {0};
    const char *mode = getenv("BERTH_GOLDEN");
    surface_resize(f->s, h, w);
    const char *got = ui_fixture_picture(f);
    (void)str_format(path, sizeof(path), "tests/golden/%s-%dx%d.txt", name, w, h);
    if (str_eq(mode, "write")) {
        cr_assert_eq(file_write(path, got, strlen(got), 0644, &err), 0, "%s", err.msg);
        return;
    }
    cr_assert_eq(file_read(path, 1 << 20, &want, &err), 0, "%s", err.msg);
    cr_expect(str_eq(buf_str(&want), got), "%s differs. It is now:\n%s", path, got);
}

void ui_fixture_golden(struct ui_fixture *f, const char *name)
{
    golden_at(f, name, 24, 80);
    golden_at(f, name, 43, 132);
}
