/* See container.h. */
#include "vm/guest/edged/container.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/edged/create_options.h"

#include <string.h>

static const char *const state_names[] = {
    [CONTAINER_UNKNOWN] = "",
    [CONTAINER_CREATED] = "created",
    [CONTAINER_RUNNING] = "running",
    [CONTAINER_PAUSED] = "paused",
    [CONTAINER_RESTARTING] = "restarting",
    [CONTAINER_REMOVING] = "removing",
    [CONTAINER_EXITED] = "exited",
    [CONTAINER_DEAD] = "dead",
};
_Static_assert(ARRAY_LEN(state_names) == CONTAINER_STATE_COUNT, "a name for each state");

static const char *const status_names[] = {
    [STATUS_UNKNOWN] = "unknown", [STATUS_RUNNING] = "running", [STATUS_STOPPED] = "stopped",
    [STATUS_FAILED] = "failed",   [STATUS_DEAD] = "dead",       [STATUS_BACKOFF] = "backoff",
};
_Static_assert(ARRAY_LEN(status_names) == STATUS_COUNT, "a name for each status");

const char *module_status_name(enum module_status status)
{
    return (unsigned)status < STATUS_COUNT ? status_names[status] : "unknown";
}

enum module_status container_status(const struct container *c)
{
    switch (c->state) {
    case CONTAINER_CREATED:
    case CONTAINER_PAUSED:
    case CONTAINER_RESTARTING:
        return STATUS_STOPPED;
    case CONTAINER_REMOVING:
    case CONTAINER_EXITED:
        return c->exit_code == 0 ? STATUS_STOPPED : STATUS_FAILED;
    case CONTAINER_DEAD:
        return STATUS_DEAD;
    case CONTAINER_RUNNING:
        return STATUS_RUNNING;
    case CONTAINER_UNKNOWN:
    case CONTAINER_STATE_COUNT:
        break;
    }
    return STATUS_UNKNOWN;
}

static enum container_state parse_state(const char *name)
{
    for (size_t i = 1; i < CONTAINER_STATE_COUNT; i++)
        if (str_eq(name, state_names[i]))
            return (enum container_state)i;
    /* podman's own words, which its Docker side lets through */
    if (str_eq(name, "configured") || str_eq(name, "initialized"))
        return CONTAINER_CREATED;
    if (str_eq(name, "stopped") || str_eq(name, "stopping"))
        return CONTAINER_EXITED;
    return CONTAINER_UNKNOWN;
}

/* Engines write "never" as a time in the year 1. */
static uint64_t parse_time(const cJSON *state, const char *key)
{
    uint64_t ms = 0;
    const char *text = json_str(state, key, "");
    if (str_starts(text, "0001-01-01") || !clock_parse(text, &ms))
        return 0;
    return ms;
}

int container_parse(const cJSON *inspect, struct container *ret, struct err *err)
{
    const char *name = NULL;
    const cJSON *state = NULL;
    if (json_need_str(inspect, "Name", &name, err) < 0 ||
        json_need_obj(inspect, "State", &state, err) < 0)
        return err_wrap(err, "the engine's answer about a container");
    name += name[0] == '/';

    const cJSON *labels = json_get(json_get(inspect, "Config"), "Labels");
    auto_buf struct buf text = {0};
    struct container c = {.state = parse_state(json_str(state, "Status", ""))};
    STR_SET(c.name, name);
    JSON_COPY(c.id, inspect, "Id");
    JSON_COPY(c.image_hash, inspect, "Image");
    JSON_COPY(c.hash, labels, CREATE_LABEL_HASH);
    c.owned = str_eq(json_str(labels, CREATE_LABEL_OWNER, ""), CREATE_OWNER);
    c.image = xstrdup(json_str(labels, CREATE_LABEL_IMAGE, name));
    if (cJSON_IsObject(labels))
        json_print(&text, labels);
    c.labels = buf_steal(&text);

    c.started_ms = parse_time(state, "StartedAt");
    c.finished_ms = parse_time(state, "FinishedAt");
    c.pid = (pid_t)json_u64(state, "Pid", 0);
    double code = json_num(state, "ExitCode", -2);
    c.ended = c.finished_ms != 0 && code >= -1 && code < 65536;
    c.exit_code = c.ended ? (int)code : 0;
    *ret = c;
    return 0;
}

void container_done(struct container *c)
{
    free(c->image);
    free(c->labels);
    *c = (struct container){0};
}
