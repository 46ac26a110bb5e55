/* Any JSON as a model: what is parsed is within bounds, terminated, and comes back the same from
 * its own encoding. */
#include "core/base/mem.h"
#include "core/rpc/model_json.h"
#include "core/rpc/model_sandbox.h"

#include <stdlib.h>
#include <string.h>

static void check_snapshot(const cJSON *json)
{
    struct snapshot *s = xcalloc(1, sizeof(*s));
    model_parse_snapshot(json, s);
    if (s->n_vms > MODEL_VMS_MAX || s->n_jobs > MODEL_JOBS_MAX)
        abort();
    for (size_t i = 0; i < s->n_vms; i++)
        if (s->vms[i].n_modules > MODEL_MODULES_MAX ||
            !memchr(s->vms[i].name, '\0', sizeof(s->vms[i].name)))
            abort();
    cJSON *first = model_json_snapshot(s);
    model_parse_snapshot(first, s);
    cJSON *second = model_json_snapshot(s);
    if (!cJSON_Compare(first, second, true))
        abort();
    cJSON_Delete(first);
    cJSON_Delete(second);
    free(s);
}

static void check_sandbox(const cJSON *json)
{
    struct sandbox_device d, same;
    model_parse_device(json, &d);
    cJSON *first = model_json_device(&d);
    model_parse_device(first, &same);
    if (memcmp(&d, &same, sizeof(d)) != 0 || d.auth >= SANDBOX_AUTH_COUNT || d.modules < -1)
        abort();
    cJSON_Delete(first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cJSON *json = json_parse((const char *)data, size, NULL);
    struct vm_plan plan = {0};
    struct err err = {0};
    struct host_report report;
    if (!json)
        return 0;
    check_snapshot(json);
    check_sandbox(json);
    model_parse_host_report(json, &report);
    model_parse_error(json, &err);
    if (model_parse_plan(json, &plan, &err) == 0) {
        cJSON *again = model_json_plan(&plan);
        struct vm_plan same = {0};
        if (model_parse_plan(again, &same, NULL) < 0 || memcmp(&plan, &same, sizeof(plan)) != 0)
            abort();
        cJSON_Delete(again);
    }
    cJSON_Delete(json);
    return 0;
}
