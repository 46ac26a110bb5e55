/* What the files of the direct methods share: agent_methods.c answers, method_logs.c and
 * method_bundle.c fetch logs, method_task.c remembers what goes on in the background. Nobody else
 * includes this. */
#ifndef BERTH_EDGED_METHOD_PRIVATE_H
#define BERTH_EDGED_METHOD_PRIVATE_H

#include "core/base/json.h"
#include "vm/guest/edged/agent_methods.h"
#include "vm/guest/edged/method_task.h"

#define METHOD_AGENT "edgeAgent"

struct agent_methods {
    struct agent_methods_context c;
    struct method_job *jobs; /* logs being fetched */
    unsigned n_jobs;
    struct method_restart *restarts;
    struct method_bundle *bundle; /* one that is made or sent; NULL: none */
    struct method_tasks tasks;
};

/* RESULT NULL: no payload. */
void method_answer(struct agent_methods *m, const char *rid, int status, const cJSON *result);
/* ERR_INVALID is the caller's fault: 400; everything else 500. */
void method_refuse(struct agent_methods *m, const char *rid, const struct err *err);
/* A task's state, as an upload begins and as GetTaskStatus tells it. */
void method_answer_task(struct agent_methods *m, const char *rid, const char *id);

/* method_logs.c */
void method_get_logs(struct agent_methods *m, const char *rid, const cJSON *payload);
void method_upload_logs(struct agent_methods *m, const char *rid, const cJSON *payload);
void method_jobs_done(struct agent_methods *m);

/* method_bundle.c */
void method_upload_bundle(struct agent_methods *m, const char *rid, const cJSON *payload);
void method_bundle_begin(struct agent_methods *m); /* what one that was cut off left goes */
void method_bundle_done(struct agent_methods *m);

#endif
