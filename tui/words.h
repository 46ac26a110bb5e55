/* The words that screens use for states: the model's own, made readable where they are terms of
 * ours. Static strings. */
#ifndef BERTH_TUI_WORDS_H
#define BERTH_TUI_WORDS_H

#include "core/base/model_sandbox.h"

const char *words_vm(enum vm_state state);
const char *words_runtime(enum runtime_state state);
const char *words_cloud(enum cloud_state state);
const char *words_module(enum module_state state);
const char *words_job(enum job_state state);
/* "running, 3 devices", "stopping", or why it does not run. */
void words_sandbox(const struct snapshot *snap, char *to, size_t size);
const char *words_auth(enum sandbox_auth auth);
const char *words_source(const char *module); /* whose log: "@serial" and such made readable */
/* Light of a job: the model has a state, screens show a light. */
enum light words_job_light(enum job_state state);

#endif
