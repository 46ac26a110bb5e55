/* The sandbox's model as JSON: see model_json.h. */
#ifndef BERTH_RPC_MODEL_SANDBOX_H
#define BERTH_RPC_MODEL_SANDBOX_H

#include "core/base/json.h"
#include "core/base/model_sandbox.h"

cJSON *model_json_device(const struct sandbox_device *v);
cJSON *model_json_enrolment(const struct sandbox_enrolment *v);
cJSON *model_json_authority(const struct sandbox_authority *v);
cJSON *model_json_configuration(const struct sandbox_configuration *v);

void model_parse_device(const cJSON *json, struct sandbox_device *ret);
void model_parse_enrolment(const cJSON *json, struct sandbox_enrolment *ret);
void model_parse_authority(const cJSON *json, struct sandbox_authority *ret);
void model_parse_configuration(const cJSON *json, struct sandbox_configuration *ret);

#endif
