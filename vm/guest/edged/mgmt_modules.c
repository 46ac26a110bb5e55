/* GET /modules, GET /modules/NAME, POST /modules/NAME/start|stop|restart. */
#include "vm/guest/edged/mgmt_private.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/base/version.h"
#include "vm/guest/edged/report.h"

#include <string.h>

/* ------------------------------------------------------------------------------- shapes */

static void add_time(cJSON *to, const char *key, uint64_t ms)
{
    char text[CLOCK_TEXT_MAX];
    clock_format(text, sizeof(text), ms);
    json_add_str(to, key, text);
}

static cJSON *details(const char *name, const char *image, const char *image_hash,
                      const char *labels)
{
    cJSON *json = cJSON_CreateObject();
    json_add_str(json, "id", "id");
    json_add_str(json, "name", name);
    json_add_str(json, "type", "docker");
    cJSON *config = json_add_obj(json, "config");
    cJSON *settings = json_add_obj(config, "settings");
    json_add_str(settings, "image", image);
    if (*image_hash)
        json_add_str(settings, "imageHash", image_hash);
    cJSON *options = json_add_obj(settings, "createOptions");
    cJSON *parsed = *labels ? json_parse(labels, strlen(labels), NULL) : NULL;
    if (parsed)
        json_add(options, "Labels", parsed);
    (void)json_add_array(config, "env");
    return json;
}

static void add_status(cJSON *json, const struct container *c, const char *word,
                       const char *description)
{
    cJSON *status = json_add_obj(json, "status");
    if (c && c->started_ms)
        add_time(status, "startTime", c->started_ms);
    if (c && c->ended) {
        char code[16];
        cJSON *exit_status = json_add_obj(status, "exitStatus");
        (void)str_format(code, sizeof(code), "%d", c->exit_code);
        add_time(exit_status, "exitTime", c->finished_ms);
        json_add_str(exit_status, "statusCode", code);
    }
    cJSON *runtime = json_add_obj(status, "runtimeStatus");
    json_add_str(runtime, "status", word);
    if (*description)
        json_add_str(runtime, "description", description);
}

static void add_berth(cJSON *json, const char *state, uint32_t restarts, uint64_t next_ms)
{
    cJSON *berth = json_add_obj(json, "berth");
    json_add_str(berth, "state", state);
    json_add_u64(berth, "restartCount", restarts);
    if (next_ms)
        add_time(berth, "nextAttempt", next_ms);
}

static cJSON *module_details(const struct module_view *v)
{
    char text[400];
    const struct container *c = v->container;
    cJSON *json =
        details(v->name, c ? c->image : v->spec->image, c ? c->image_hash : "", c ? c->labels : "");
    report_describe(v, text, sizeof(text));
    add_status(json, c, module_status_name(v->raw), text);
    bool pulling = str_starts(v->activity, "pulling") && v->raw != STATUS_RUNNING;
    add_berth(json, pulling ? "pulling" : module_status_name(v->status), v->restarts, v->next_ms);
    return json;
}

/* This process. The image that the deployment names for it is not used. */
static cJSON *own_details(const struct mgmt *m)
{
    char image[48];
    (void)str_format(image, sizeof(image), REPORT_AGENT_IMAGE_FMT, BERTH_VERSION);
    cJSON *json = details(MGMT_AGENT, image, "", "");
    const struct container self = {.started_ms = m->c.started_ms};
    add_status(json, &self, "running", "");
    add_berth(json, "running", 0, 0);
    return json;
}

void mgmt_modules_list(struct mgmt *m, struct http_exchange *x, const char *name)
{
    (void)name;
    mgmt_reply_list(m, x);
}

void mgmt_reply_list(struct mgmt *m, struct http_exchange *x)
{
    struct module_view views[PLAN_TRACKS_MAX];
    auto_json cJSON *json = cJSON_CreateObject();
    cJSON *list = json_add_array(json, "modules");
    json_push(list, own_details(m));
    if (edge_hub_view(m->c.hub, &views[0]))
        json_push(list, module_details(&views[0]));
    size_t n = agent_modules(m->c.agent, views, ARRAY_LEN(views));
    for (size_t i = 0; i < n; i++)
        json_push(list, module_details(&views[i]));
    api_reply(x, 200, json);
}

/* A module that is deployed or has a container. */
static bool find(const struct mgmt *m, const char *name, struct module_view *ret_view)
{
    if (str_eq(name, EDGE_HUB_NAME))
        return edge_hub_view(m->c.hub, ret_view);
    return agent_module(m->c.agent, name, ret_view);
}

static void no_such(struct http_exchange *x, const char *name)
{
    char shown[160];
    str_sanitise_to(shown, sizeof(shown), name);
    http_reply_message(x, 404, "No such container: %s", shown);
}

void mgmt_modules_get(struct mgmt *m, struct http_exchange *x, const char *name)
{
    struct module_view view;
    auto_json cJSON *json = NULL;
    if (str_eq(name, MGMT_AGENT))
        json = own_details(m);
    else if (find(m, name, &view))
        json = module_details(&view);
    if (json)
        api_reply(x, 200, json);
    else
        no_such(x, name);
}

/* ------------------------------------------------------------------------------- actions */

/* An engine call, or the edge hub's part, that a request started, or the runtime itself (X is NULL
 * then). It outlives the request, whose client may go, and even the management API when the daemon
 * ends. */
struct mgmt_action {
    struct mgmt *m;          /* NULL: the API has ended */
    struct http_exchange *x; /* NULL: the client has gone */
    struct mgmt_action *next;
    char name[DEPLOYMENT_NAME_MAX]; /* the agent leaves it alone meanwhile; "": not its */
};

static void on_client_gone(void *arg)
{
    struct mgmt_action *action = arg;
    action->x = NULL; /* the engine's call goes on: half a stop helps nobody */
}

static void action_end(struct mgmt_action *action)
{
    struct mgmt *m = action->m;
    if (m) {
        struct mgmt_action **at = &m->actions;
        while (*at != action)
            at = &(*at)->next;
        *at = action->next;
        if (*action->name)
            agent_release(m->c.agent, action->name);
    }
    free(action);
}

static void on_action_done(void *arg, int status, const cJSON *json, const struct err *err)
{
    (void)json;
    struct mgmt_action *action = arg;
    if (action->x && err)
        mgmt_reply_engine(action->x, status, err);
    else if (action->x)
        http_reply(action->x, status == 304 ? 304 : 204, NULL, NULL, 0);
    action_end(action);
}

void mgmt_actions_done(struct mgmt *m)
{
    for (struct mgmt_action *action = m->actions; action; action = action->next) {
        action->m = NULL;
        action->x = NULL;
    }
    m->actions = NULL;
}

static struct mgmt_action *action_new(struct mgmt *m, struct http_exchange *x)
{
    struct mgmt_action *action = xcalloc(1, sizeof(*action));
    *action = (struct mgmt_action){.m = m, .x = x, .next = m->actions};
    m->actions = action;
    if (x)
        http_exchange_on_close(x, on_client_gone, action);
    return action;
}

static void on_hub_done(void *arg, const struct err *err)
{
    on_action_done(arg, 0, NULL, err);
}

static void act_on_hub(struct mgmt *m, struct http_exchange *x, enum edge_hub_act act)
{
    struct mgmt_action *action = action_new(m, x);
    if (!edge_hub_act(m->c.hub, act, on_hub_done, action))
        on_action_done(action, 304, NULL, NULL);
}

static void act_on(struct mgmt *m, struct http_exchange *x, const char *name, const char *verb)
{
    auto_buf struct buf target = {0};
    struct mgmt_action *action = action_new(m, x);
    STR_SET(action->name, name);
    agent_hold(m->c.agent, action->name);
    buf_printf(&target, "/containers/%s/%s", action->name, verb);
    (void)docker_post(m->c.docker, buf_str(&target), NULL, on_action_done, action);
}

static void act(struct mgmt *m, struct http_exchange *x, const char *name, enum edge_hub_act act)
{
    static const char *const verbs[] = {
        [EDGE_HUB_START] = "start", [EDGE_HUB_STOP] = "stop", [EDGE_HUB_RESTART] = "restart"};
    struct module_view view;
    bool hub = str_eq(name, EDGE_HUB_NAME);
    if (!find(m, name, &view) || (!hub && !view.container)) {
        no_such(x, name);
        return;
    }
    log_info("mgmt", "%s: %s was asked for", view.name, verbs[act]);
    if (hub)
        act_on_hub(m, x, act);
    else
        act_on(m, x, view.name, verbs[act]);
}

void mgmt_restart_modules(struct mgmt *m)
{
    struct module_view views[PLAN_TRACKS_MAX];
    if (edge_hub_running(m->c.hub))
        act_on_hub(m, NULL, EDGE_HUB_RESTART);
    size_t n = agent_modules(m->c.agent, views, ARRAY_LEN(views));
    for (size_t i = 0; i < n; i++)
        if (views[i].raw == STATUS_RUNNING)
            act_on(m, NULL, views[i].name, "restart");
}

void mgmt_modules_start(struct mgmt *m, struct http_exchange *x, const char *name)
{
    if (str_eq(name, MGMT_AGENT))
        http_reply(x, 304, NULL, NULL, 0);
    else
        act(m, x, name, EDGE_HUB_START);
}

void mgmt_modules_stop(struct mgmt *m, struct http_exchange *x, const char *name)
{
    if (str_eq(name, MGMT_AGENT))
        http_reply_message(x, 409,
                           "edgeAgent is the runtime itself: it can be restarted, not stopped");
    else
        act(m, x, name, EDGE_HUB_STOP);
}

void mgmt_modules_restart(struct mgmt *m, struct http_exchange *x, const char *name)
{
    if (!str_eq(name, MGMT_AGENT)) {
        act(m, x, name, EDGE_HUB_RESTART);
        return;
    }
    log_info("mgmt", "a restart of the runtime was asked for");
    http_reply(x, 204, NULL, NULL, 0);
    m->c.restart(m->c.arg);
}
