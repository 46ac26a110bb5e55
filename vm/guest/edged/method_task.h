/* What direct methods began in the background: a table of the last ones with their ends. Pure. */
#ifndef BERTH_EDGED_METHOD_TASK_H
#define BERTH_EDGED_METHOD_TASK_H

#include "core/base/json.h"
#include "core/base/uuid.h"

#include <stddef.h>

#define METHOD_TASKS_MAX 32

enum method_task_state {
    TASK_UNKNOWN,
    TASK_RUNNING,
    TASK_COMPLETED,
    TASK_FAILED,
    TASK_STATE_COUNT
};

struct method_task {
    char id[UUID_SIZE]; /* correlation id */
    enum method_task_state state;
    char message[400];
};

struct method_tasks {
    struct method_task at[METHOD_TASKS_MAX];
    size_t next; /* the oldest: it is overwritten */
};

/* A new one that runs. Borrowed until the next begins. */
const struct method_task *method_task_begin(struct method_tasks *t);
/* PROBLEM "": it did what it should. No-op where it was forgotten meanwhile. */
void method_task_end(struct method_tasks *t, const char *id, const char *problem);
const struct method_task *method_task_find(const struct method_tasks *t, const char *id);
/* {"status","message","correlationId"}; "Unknown" where TASK is NULL. */
cJSON *method_task_json(const struct method_task *task, const char *id);

#endif
