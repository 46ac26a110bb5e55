/* The model on the wire: what goes out comes back, and what a hostile or newer engine sends stays
 * within the structs. */
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/rpc/model_json.h"

#include <criterion/criterion.h>
#include <string.h>

static struct snapshot *sample(void)
{
    struct snapshot *s = xcalloc(1, sizeof(*s));
    s->at_ms = 1795300000123;
    STR_SET(s->host, "edge-07");
    STR_SET(s->engine_version, "0.1.0");
    s->n_vms = 1;
    struct vm_status *vm = &s->vms[0];
    STR_SET(vm->name, "edge-07-vm");
    vm->state = VM_STATE_RUNNING;
    STR_SET(vm->accel, "tcg");
    vm->cpus = 2;
    vm->memory_mib = 1024;
    vm->cpu_percent = 12.5;
    vm->memory_used = 96ULL << 20;
    vm->memory_total = 1ULL << 30;
    vm->runtime = RUNTIME_STATE_RUNNING;
    vm->cloud = CLOUD_STATE_REFUSED;
    STR_SET(vm->cloud_reason, "the key does not fit the device");
    vm->n_modules = 2;
    STR_SET(vm->modules[0].name, "edgeAgent");
    vm->modules[0].system = true;
    vm->modules[0].cpu_percent = -1;
    STR_SET(vm->modules[1].name, "berth-sensor");
    vm->modules[1].state = MODULE_STATE_BACKOFF;
    vm->modules[1].exit_code = -9;
    vm->modules[1].exited_ms = 1795300000001;
    s->n_jobs = 1;
    struct job_status *job = &s->jobs[0];
    STR_SET(job->id, "12");
    STR_SET(job->kind, "vm.create");
    job->state = JOB_STATE_FAILED;
    job->n_steps = 2;
    STR_SET(job->steps[1].name, "Make the data disk");
    job->steps[1].light = LIGHT_BAD;
    job->step = 1;
    job->percent = -1;
    err_set(&job->error, ERR_NO_SPACE, "the disk is full");
    err_hint(&job->error, "free 2 GiB and try again");
    s->sandbox.light = LIGHT_OK;
    s->sandbox.mqtt_port = 8883;
    return s;
}

Test(model_json, snapshot_comes_back_as_it_was_sent)
{
    auto_free struct snapshot *sent = sample();
    auto_json cJSON *json = model_json_snapshot(sent);
    auto_buf struct buf text = {0};
    json_print(&text, json);

    auto_json cJSON *again = json_parse(text.data, text.len, NULL);
    auto_free struct snapshot *got = xcalloc(1, sizeof(*got));
    model_parse_snapshot(again, got);
    cr_assert_eq(got->at_ms, sent->at_ms);
    cr_assert_eq(got->n_vms, 1);
    cr_assert(memcmp(&got->vms[0].name, &sent->vms[0].name, sizeof(got->vms[0].name)) == 0);
    cr_assert_eq(got->vms[0].state, VM_STATE_RUNNING);
    cr_assert_eq(got->vms[0].cloud, CLOUD_STATE_REFUSED);
    cr_assert_eq(got->vms[0].memory_used, 96ULL << 20);
    cr_assert_eq(got->vms[0].n_modules, 2);
    cr_assert(got->vms[0].modules[0].system);
    cr_assert_lt(got->vms[0].modules[0].cpu_percent, 0.0);
    cr_assert_eq(got->vms[0].modules[1].exit_code, -9);
    cr_assert_eq(got->vms[0].modules[1].state, MODULE_STATE_BACKOFF);
    cr_assert_eq(got->jobs[0].percent, -1);
    cr_assert_eq(got->jobs[0].steps[1].light, LIGHT_BAD);
    cr_assert_eq(got->jobs[0].error.kind, ERR_NO_SPACE);
    cr_assert_str_eq(got->jobs[0].error.hint, "free 2 GiB and try again");
    cr_assert_eq(got->sandbox.mqtt_port, 8883);

    auto_json cJSON *second = model_json_snapshot(got);
    cr_assert(cJSON_Compare(json, second, true), "encode, decode, encode gives the same text");
}

Test(model_json, unknown_percentages_and_absent_texts_are_null)
{
    struct module_status module = {.cpu_percent = -1};
    STR_SET(module.name, "m");
    auto_json cJSON *json = model_json_module(&module);
    cr_assert(cJSON_IsNull(json_get(json, "cpuPercent")));
    cr_assert(cJSON_IsNull(json_get(json, "description")));
    struct job_status job = {.percent = -1};
    auto_json cJSON *job_json = model_json_job(&job);
    cr_assert(cJSON_IsNull(json_get(job_json, "percent")));
    cr_assert(cJSON_IsNull(json_get(job_json, "error")));
}

Test(model_json, arrays_stop_at_the_capacity_of_the_struct)
{
    auto_json cJSON *json = cJSON_CreateObject();
    cJSON *vms = json_add_array(json, "vms");
    for (int i = 0; i < 1000; i++) {
        cJSON *vm = cJSON_CreateObject();
        cJSON *modules = json_add_array(vm, "modules");
        for (int k = 0; k < 100; k++)
            json_push(modules, cJSON_CreateObject());
        json_push(vms, vm);
    }
    auto_free struct snapshot *got = xcalloc(1, sizeof(*got));
    model_parse_snapshot(json, got);
    cr_assert_eq(got->n_vms, MODEL_VMS_MAX);
    cr_assert_eq(got->vms[7].n_modules, MODEL_MODULES_MAX);
}

Test(model_json, members_of_another_type_become_unknown)
{
    static const char text[] =
        "{\"name\":[1],\"state\":\"flying\",\"cpus\":-3,\"memoryMib\":1e300,\"cpuPercent\":"
        "\"much\","
        "\"modules\":{\"a\":1},\"startedMs\":1.5,\"cloud\":7,\"futureMember\":{}}";
    auto_json cJSON *json = json_parse(text, sizeof(text) - 1, NULL);
    struct vm_status vm;
    model_parse_vm(json, &vm);
    cr_assert_str_eq(vm.name, "");
    cr_assert_eq(vm.state, VM_STATE_UNKNOWN);
    cr_assert_eq(vm.cpus, 0);
    cr_assert_eq(vm.memory_mib, 0);
    cr_assert_lt(vm.cpu_percent, 0.0);
    cr_assert_eq(vm.n_modules, 0);
    cr_assert_eq(vm.started_ms, 0);
    cr_assert_eq(vm.cloud, CLOUD_STATE_UNKNOWN);
    model_parse_vm(NULL, &vm);
    cr_assert_eq(vm.n_modules, 0);
}

Test(model_json, texts_are_cut_and_sanitised)
{
    auto_json cJSON *json = cJSON_CreateObject();
    json_add_str(json, "name", "\033[2Jevil\x07");
    auto_buf struct buf lengthy = {0};
    for (int i = 0; i < 5000; i++)
        buf_puts(&lengthy, "\xc3\xa4");
    json_add_str(json, "reason", buf_str(&lengthy));
    struct vm_status vm;
    model_parse_vm(json, &vm);
    cr_assert_str_eq(vm.name, "^[[2Jevil^G");
    cr_assert_lt(strlen(vm.reason), sizeof(vm.reason));
    uint32_t point = 0;
    size_t len = strlen(vm.reason);
    cr_assert_gt(len, 100);
    for (size_t i = 0; i < len; i += 2)
        cr_assert_eq(str_utf8_decode(vm.reason + i, len - i, &point), 2,
                     "never cut inside a character");
}

static int parse_plan(const char *text, struct vm_plan *plan, struct err *err)
{
    auto_json cJSON *json = json_parse(text, strlen(text), err);
    return json ? model_parse_plan(json, plan, err) : -1;
}

Test(model_plan, takes_what_was_written_and_fills_the_rest)
{
    struct vm_plan plan = {0};
    cr_assert_eq(
        parse_plan("{\"name\":\"edge-07-vm\",\"cpus\":4,\"network\":\"nat\"}", &plan, NULL), 0);
    cr_assert_eq(plan.cpus, 4);
    cr_assert_eq(plan.memory_mib, 1024);
    cr_assert_eq(plan.network, VM_NETWORK_NAT);
    cr_assert_str_eq(plan.accel, "auto");

    auto_json cJSON *json = model_json_plan(&plan);
    struct vm_plan again = {0};
    cr_assert_eq(model_parse_plan(json, &again, NULL), 0);
    cr_assert_eq(memcmp(&plan, &again, sizeof(plan)), 0);
}

Test(model_plan, names_the_member_that_is_wrong)
{
    static const struct {
        const char *text;
        const char *names;
    } cases[] = {
        {"[]", "object"},
        {"{}", "\"name\""},
        {"{\"name\":\"\"}", "\"name\""},
        {"{\"name\":\"a\",\"cpu\":2}", "\"cpu\""},
        {"{\"name\":\"a\",\"cpus\":0}", "\"cpus\""},
        {"{\"name\":\"a\",\"cpus\":\"2\"}", "\"cpus\""},
        {"{\"name\":\"a\",\"memoryMib\":99999999999}", "\"memoryMib\""},
        {"{\"name\":\"a\",\"diskGib\":1.5}", "\"diskGib\""},
        {"{\"name\":\"a\",\"accel\":\"xen\"}", "\"accel\""},
        {"{\"name\":\"a\",\"network\":\"bridge\"}", "network"},
        {"{\"name\":\"a\\u001b[2J\"}", "\"name\""},
        {"{\"name\":\"0123456789012345678901234567890123456789012345678901234567890123456789\"}",
         "\"name\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct vm_plan plan = {0};
        struct err err = {0};
        cr_assert_eq(parse_plan(cases[i].text, &plan, &err), -1, "%s", cases[i].text);
        cr_assert_eq(err.kind, ERR_INVALID);
        cr_assert_not_null(strstr(err.msg, cases[i].names), "%s: %s", cases[i].text, err.msg);
    }
}
