/* See method_task.h. */
#include "vm/guest/edged/method_task.h"

#include "core/azure/derive.h"
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

/* A random GUID (version 4). */
static void make_id(char id[METHOD_TASK_ID])
{
    unsigned char b[DERIVE_BYTES];
    derive_random_bytes(b);
    (void)str_format(id, METHOD_TASK_ID,
                     "%02x%02x%02x%02x-%02x%02x-4%x%02x-%x%x%02x-%02x%02x%02x%02x%02x%02x", b[0],
                     b[1], b[2], b[3], b[4], b[5], b[6] & 15U, b[7], 8U | (b[8] & 3U), b[9] & 15U,
                     b[10], b[11], b[12], b[13], b[14], b[15], b[16]);
}

const struct method_task *method_task_begin(struct method_tasks *t)
{
    struct method_task *task = &t->at[t->next];
    t->next = (t->next + 1) % METHOD_TASKS_MAX;
    *task = (struct method_task){.state = TASK_RUNNING};
    make_id(task->id);
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
