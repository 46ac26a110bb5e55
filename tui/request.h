/* What screens ask of the engine. Each call returns at once; the answer comes to the asking
 * screen's on_reply, or, where that screen is closed or does not care, as a box (errors), the job's
 * screen (jobs) or a word on the screen's rule. */
#ifndef BERTH_TUI_REQUEST_H
#define BERTH_TUI_REQUEST_H

#include "tui/ui.h"

void request_host_check(struct ui *ui, const struct vm_plan *plan_or_null);
void request_plan_default(struct ui *ui);
void request_vm_create(struct ui *ui, const struct vm_plan *plan);
void request_vm(struct ui *ui, const char *verb, const char *vm,
                bool force); /* "start", "stop", "restart", "delete" */
void request_tpm(struct ui *ui, const char *vm);
void request_module(struct ui *ui, const char *verb, const char *vm, const char *module);
/* The secret goes into the message to the engine and nowhere else. */
void request_connection_string(struct ui *ui, const char *vm, const char *secret);
/* As the device that is named, with what is deployed to it; NULL: as one of the VM's own name, with
 * the sample modules. */
void request_provision_sandbox(struct ui *ui, const char *vm, const char *device_or_null);
void request_job_cancel(struct ui *ui, const char *id);
void request_logs_follow(struct ui *ui, const char *vm, const char *module, unsigned tail);
void request_logs_stop(struct ui *ui, const char *stream);
void request_metrics(struct ui *ui, const char *vm, uint64_t since_ms);

/* The sandbox. MODULE "": the device itself. */
void request_sandbox(struct ui *ui, const char *verb); /* "start", "stop", "reset" */
void request_devices(struct ui *ui);
void request_device(struct ui *ui, const char *device);
/* Its id, kind and way; THUMBPRINT as a person gave it, NULL: none. */
void request_device_create(struct ui *ui, const struct sandbox_device *device,
                           const char *thumbprint);
void request_device_set(struct ui *ui, const char *device, bool enabled);
void request_device_delete(struct ui *ui, const char *device);
void request_twin(struct ui *ui, const char *device, const char *module);
/* PAYLOAD: JSON text, "": none. False with ERR where it is not JSON. */
bool request_invoke(struct ui *ui, const char *device, const char *module, const char *method,
                    const char *payload, struct err *err);
void request_events_follow(struct ui *ui, const char *device, unsigned tail);
void request_events_stop(struct ui *ui, const char *stream);

/* Forgets all calls under way; their answers must not come any more. */
void request_drop(struct ui *ui);

/* A notification of the engine; updates the view or hands lines to the screens. */
void request_event(struct ui *ui, const char *method, const cJSON *params);
/* Asks for snapshots from now on. Called whenever the connection is new. */
void request_watch(struct ui *ui);

#endif
