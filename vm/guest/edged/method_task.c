/* See method_task.h. */
#include "vm/guest/edged/method_task.h"

#include "core/base/str.h"

#include <strings.h>
#include <sys/types.h>

static const char *const state_names[] = {
    [TASK_UNKNOWN] = "Unknown",
    [TASK_RUNNING] = "Running",
    [TASK_COMPLETED] = "Completed",
    [TASK_FAILED] = "Failed",
};
_Static_assert(ARRAY_LEN(state_names) == TASK_STATE_COUNT, "a name for each state");

const struct method_task *method_task_begin(struct method_tasks *t)
{
    struct method_task *task = &t->at[t->next];
    t->next = (t->next + 1) % METHOD_TASKS_MAX;
    *task = (struct method_task){.state = TASK_RUNNING};
    uuid_make(task->id);
    return task;
}

static ssize_t index_of(const struct method_tasks *t, const char *id)
{
    for (size_t i = 0; i < METHOD_TASKS_MAX; i++)
        if (t->at[i].id[0] && strcasecmp(t->at[i].id, id) == 0)
            return (ssize_t)i;
    return -1;
}

const struct method_task *method_task_find(const struct method_tasks *t, const char *id)
{
    ssize_t at = index_of(t, id);
    return at < 0 ? NULL : &t->at[at];
}

void method_task_end(struct method_tasks *t, const char *id, const char *problem)
{
    ssize_t at = index_of(t, id);
    if (at < 0)
        return;
    t->at[at].state = *problem ? TASK_FAILED : TASK_COMPLETED;
    STR_SET(t->at[at].message, problem);
}

cJSON *method_task_json(const struct method_task *task, const char *id)
{
    cJSON *json = cJSON_CreateObject();
    json_add_str(json, "status", state_names[task ? task->state : TASK_UNKNOWN]);
    json_add_str(json, "message", task ? task->message : "");
    json_add_str(json, "correlationId", task ? task->id : id);
    return json;
}
