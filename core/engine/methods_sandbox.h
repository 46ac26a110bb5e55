/* The sandbox's methods, an area a file; methods_sandbox.c has the table of all of them. */
#ifndef BERTH_ENGINE_METHODS_SANDBOX_H
#define BERTH_ENGINE_METHODS_SANDBOX_H

#include "core/engine/dispatch.h"

/* methods_sandbox_device.c */
void sandbox_device_list(struct request *req, const cJSON *params);
void sandbox_device_show(struct request *req, const cJSON *params);
void sandbox_device_create(struct request *req, const cJSON *params);
void sandbox_device_set(struct request *req, const cJSON *params);
void sandbox_device_delete(struct request *req, const cJSON *params);

/* methods_sandbox_talk.c */
void sandbox_send(struct request *req, const cJSON *params);
void sandbox_invoke(struct request *req, const cJSON *params);
void sandbox_twin_get(struct request *req, const cJSON *params);
void sandbox_twin_set(struct request *req, const cJSON *params);
void sandbox_query(struct request *req, const cJSON *params);
void sandbox_events_follow(struct request *req, const cJSON *params);
void sandbox_events_stop(struct request *req, const cJSON *params);

/* methods_sandbox_deploy.c */
void sandbox_deploy(struct request *req, const cJSON *params);
void sandbox_configuration_list(struct request *req, const cJSON *params);
void sandbox_configuration_apply(struct request *req, const cJSON *params);
void sandbox_configuration_delete(struct request *req, const cJSON *params);

/* methods_sandbox_enrol.c */
void sandbox_enrol_list(struct request *req, const cJSON *params);
void sandbox_enrol_show(struct request *req, const cJSON *params);
void sandbox_enrol_create(struct request *req, const cJSON *params);
void sandbox_enrol_delete(struct request *req, const cJSON *params);

/* methods_sandbox_ca.c */
void sandbox_ca_list(struct request *req, const cJSON *params);
void sandbox_ca_add(struct request *req, const cJSON *params);
void sandbox_ca_remove(struct request *req, const cJSON *params);

#endif
