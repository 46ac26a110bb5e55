/* struct <-> JSON: the only place that knows how the model looks on the wire and in `--json`
 * output. The member names are a promise to scripts: members are only ever added. Parsers take
 * anything a newer engine may send: unknown members are ignored, missing ones are zero. */
#ifndef BERTH_RPC_MODEL_JSON_H
#define BERTH_RPC_MODEL_JSON_H

#include "core/base/json.h"
#include "core/base/model.h"

cJSON *model_json_host_report(const struct host_report *v);
cJSON *model_json_plan(const struct vm_plan *v);
cJSON *model_json_module(const struct module_status *v);
cJSON *model_json_job(const struct job_status *v);
cJSON *model_json_sandbox(const struct sandbox_status *v);
cJSON *model_json_snapshot(const struct snapshot *v);
cJSON *model_json_error(const struct err *v); /* {"code":"not_found","message":..,"hint":..} */

void model_parse_host_report(const cJSON *json, struct host_report *ret);
/* A plan comes from people: strict, the error names the member. */
int model_parse_plan(const cJSON *json, struct vm_plan *ret, struct err *err);
void model_parse_vm(const cJSON *json, struct vm_status *ret);
void model_parse_job(const cJSON *json, struct job_status *ret);
void model_parse_snapshot(const cJSON *json, struct snapshot *ret);
void model_parse_error(const cJSON *json, struct err *ret);

#endif
