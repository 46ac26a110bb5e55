/* See agent_methods.h. */
#include "vm/guest/edged/agent_methods.h"

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/edged/agent_metrics.h"
#include "vm/guest/edged/method_private.h"
#include "vm/guest/edged/method_request.h"

#include <string.h>
#include <strings.h>

#define PAYLOAD_MAX (128U << 10)

/* ------------------------------------------------------------------------------- answers */

void method_answer(struct agent_methods *m, const char *rid, int status, const cJSON *result)
{
    auto_buf struct buf body = {0};
    if (result)
        json_print(&body, result);
    m->c.answer(m->c.arg, rid, status, buf_str(&body), body.len);
}

void method_refuse(struct agent_methods *m, const char *rid, const struct err *err)
{
    auto_json cJSON *json = cJSON_CreateObject();
    json_add_str(json, "message", err->msg);
    method_answer(m, rid, err->kind == ERR_INVALID ? 400 : 500, json);
}

void method_answer_task(struct agent_methods *m, const char *rid, const char *id)
{
    auto_json cJSON *json = method_task_json(method_task_find(&m->tasks, id), id);
    method_answer(m, rid, 200, json);
}

/* ------------------------------------------------------------------------------- methods */

static void ping(struct agent_methods *m, const char *rid, const cJSON *payload)
{
    (void)payload;
    method_answer(m, rid, 200, NULL);
}

/* An engine call, or the edge hub's part, that goes on after the methods' end: half a restart helps
 * nobody. */
struct method_restart {
    struct agent_methods *m; /* NULL: ended */
    struct method_restart *next;
    char name[DEPLOYMENT_NAME_MAX];
    char *rid;
};

static void on_restarted(void *arg, int status, const cJSON *json, const struct err *err)
{
    (void)status, (void)json;
    struct method_restart *r = arg;
    struct agent_methods *m = r->m;
    if (m) {
        struct method_restart **at = &m->restarts;
        while (*at != r)
            at = &(*at)->next;
        *at = r->next;
        if (!str_eq(r->name, EDGE_HUB_NAME))
            agent_release(m->c.agent, r->name);
        struct err why;
        if (err) { /* whatever the engine found: not the caller's fault */
            err_set(&why, ERR_REMOTE, "%s: %s", r->name, err->msg);
            method_refuse(m, r->rid, &why);
        } else {
            method_answer(m, r->rid, 200, NULL);
        }
    }
    if (err)
        log_warn("method", "RestartModule: %s: %s", r->name, err->msg);
    free(r->rid);
    free(r);
}

static void on_hub_restarted(void *arg, const struct err *err)
{
    on_restarted(arg, 0, NULL, err);
}

static struct method_restart *restart_new(struct agent_methods *m, const char *rid,
                                          const char *name)
{
    struct method_restart *r = xcalloc(1, sizeof(*r));
    *r = (struct method_restart){.m = m, .next = m->restarts, .rid = xstrdup(rid)};
    STR_SET(r->name, name);
    m->restarts = r;
    return r;
}

static void restart_container(struct agent_methods *m, const char *rid, const char *name)
{
    auto_buf struct buf target = {0};
    struct method_restart *r = restart_new(m, rid, name);
    agent_hold(m->c.agent, name);
    buf_printf(&target, "/containers/%s/restart", name);
    (void)docker_post(m->c.docker, buf_str(&target), NULL, on_restarted, r);
}

static void restart_module(struct agent_methods *m, const char *rid, const cJSON *payload)
{
    struct err err;
    struct module_view view;
    const char *id = NULL;
    if (method_check_schema(payload, &err) < 0 || method_need_text(payload, "id", &id, &err) < 0) {
        method_refuse(m, rid, &err);
    } else if (str_eq(id, METHOD_AGENT)) {
        method_answer(m, rid, 200, NULL);
        m->c.restart(m->c.arg);
    } else if (str_eq(id, EDGE_HUB_NAME) && edge_hub_view(m->c.hub, &view)) {
        (void)edge_hub_act(m->c.hub, EDGE_HUB_RESTART, on_hub_restarted,
                           restart_new(m, rid, EDGE_HUB_NAME));
    } else if (!agent_module(m->c.agent, id, &view) || !view.container) {
        char shown[160];
        str_sanitise_to(shown, sizeof(shown), id);
        err_set(&err, ERR_NOT_FOUND, "there is no module \"%s\"", shown);
        method_refuse(m, rid, &err);
    } else {
        restart_container(m, rid, view.name);
    }
}

static void get_task_status(struct agent_methods *m, const char *rid, const cJSON *payload)
{
    struct err err;
    const char *id = NULL;
    if (method_check_schema(payload, &err) < 0 ||
        method_need_text(payload, "correlationId", &id, &err) < 0)
        method_refuse(m, rid, &err);
    else
        method_answer_task(m, rid, id);
}

/* ------------------------------------------------------------------------------- dispatch */

static const struct {
    const char *name;
    void (*fn)(struct agent_methods *m, const char *rid, const cJSON *payload);
} methods[] = {
    {"ping", ping},
    {"RestartModule", restart_module},
    {"GetModuleLogs", method_get_logs},
    {"UploadModuleLogs", method_upload_logs},
    {"GetTaskStatus", get_task_status},
    {"UploadSupportBundle", method_upload_bundle},
};

static void refuse_unknown(struct agent_methods *m, const char *rid, const char *name)
{
    struct err err;
    char shown[80];
    auto_buf struct buf known = {0};
    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        buf_printf(&known, "%s%s", i ? ", " : "", methods[i].name);
    str_sanitise_to(shown, sizeof(shown), name);
    err_set(&err, ERR_INVALID, "there is no method \"%s\"; supported are %s", shown,
            buf_str(&known));
    method_refuse(m, rid, &err);
}

void agent_methods_call(struct agent_methods *m, const char *name, const char *rid,
                        const char *payload, size_t len)
{
    struct err err;
    if (len > PAYLOAD_MAX) {
        err_set(&err, ERR_INVALID, "a payload of more than %u KB", PAYLOAD_MAX >> 10);
        method_refuse(m, rid, &err);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        if (strcasecmp(methods[i].name, name) != 0)
            continue;
        log_info("method", "%s", methods[i].name);
        meter_add(agent_metrics_of(m->c.meters, AGENT_METHODS, methods[i].name), 1);
        auto_json cJSON *json = len ? json_parse(payload, len, NULL) : NULL;
        methods[i].fn(m, rid, json);
        return;
    }
    refuse_unknown(m, rid, name);
}

/* ------------------------------------------------------------------------------- life */

struct agent_methods *agent_methods_new(const struct agent_methods_context *context)
{
    struct agent_methods *m = xcalloc(1, sizeof(*m));
    m->c = *context;
    method_bundle_begin(m);
    return m;
}

void agent_methods_free(struct agent_methods *m)
{
    if (!m)
        return;
    method_jobs_done(m);
    method_bundle_done(m);
    for (struct method_restart *r = m->restarts; r; r = r->next)
        r->m = NULL;
    free(m);
}
