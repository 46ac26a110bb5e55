/* See operation.h. What each kind of operation does is a row of the table `steps`. */
#include "vm/guest/edged/operation.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/edged/network.h"

#include <string.h>

#define PULLS_MAX     4 /* at once from one registry: they share one link */
#define OTHERS_MAX    8 /* at once: some wait for the hub, and the machine is small */
#define STOP_GRACE_S  "10"
#define PULL_LIMIT_MS 1800000 /* a registry that hangs half-way */

enum step {
    STEP_END,
    STEP_PULL,
    STEP_NETWORK,
    STEP_ADMIT,
    STEP_STOP,
    STEP_REMOVE,
    STEP_CREATE,
    STEP_START
};

static const enum step steps[PLAN_KIND_COUNT][8] = {
    [PLAN_REMOVE] = {STEP_STOP, STEP_REMOVE},
    [PLAN_STOP] = {STEP_STOP},
    [PLAN_CREATE] = {STEP_PULL, STEP_NETWORK, STEP_ADMIT, STEP_CREATE, STEP_START},
    [PLAN_UPDATE] = {STEP_PULL, STEP_NETWORK, STEP_ADMIT, STEP_STOP, STEP_REMOVE, STEP_CREATE,
                     STEP_START},
    [PLAN_START] = {STEP_START},
    [PLAN_RESTART] = {STEP_START},
};

/* What a step is among Microsoft's commands. */
static const char *const commands[] = {
    [STEP_PULL] = "prepareUpdate", [STEP_STOP] = "stop",   [STEP_REMOVE] = "remove",
    [STEP_CREATE] = "create",      [STEP_START] = "start",
};

struct operation {
    struct docker *docker;
    struct workload *workload;
    struct workload_wait *admission;
    enum plan_kind kind;
    size_t at;                  /* index into its row */
    uint64_t began_ms, step_ms; /* monotonic; when it and its step began */
    char name[DEPLOYMENT_NAME_MAX];
    char hash[DEPLOYMENT_HASH_SIZE];
    char *image;
    char *hostname;
    char *network;
    char *network_options; /* JSON; may be NULL */
    bool made_network;
    bool pull;
    bool run;
    cJSON *body; /* of the create call */
    struct registry registry;
    bool has_registry;
    struct err pull_problem; /* while it is looked up whether the image is here already */
    struct docker_call *call;
    uv_timer_t *timer; /* first turn, then limit of the pull */
    const struct operation_events *events;
    void *arg;
};

static void run_step(struct operation *op);

/* ------------------------------------------------------------------------------- ends */

static void finish(struct operation *op, const struct err *err, const char *what)
{
    struct err copy;
    op->call = NULL;
    (void)uv_timer_stop(op->timer);
    if (err) {
        copy = *err;
        err_wrap(&copy, "%s", what);
    } else if (op->kind == PLAN_UPDATE) {
        op->events->on_command(op->arg, op->name, "update", clock_mono_ms() - op->began_ms);
    }
    op->events->on_end(op->arg, op, err ? &copy : NULL);
}

/* A step that had nothing to do made no call. */
static void count_step(const struct operation *op)
{
    enum step step = steps[op->kind][op->at];
    bool done = op->call && !(step == STEP_PULL && op->pull_problem.kind != ERR_NONE);
    if (done && commands[step])
        op->events->on_command(op->arg, op->name,
                               op->kind == PLAN_RESTART ? "restart" : commands[step],
                               clock_mono_ms() - op->step_ms);
}

static void next_step(struct operation *op)
{
    count_step(op);
    op->call = NULL;
    op->at++;
    run_step(op);
}

static void tell(struct operation *op, const char *verb, const char *what)
{
    char text[160];
    (void)str_format(text, sizeof(text), "%s%s%s", verb, *what ? " " : "", what);
    op->events->on_step(op->arg, op->name, text);
}

/* ------------------------------------------------------------------------------- pull */

static void on_image(void *arg, int status, const cJSON *json, const struct err *err)
{
    (void)status, (void)json;
    struct operation *op = arg;
    if (err) {
        finish(op, &op->pull_problem, "pull");
        return;
    }
    log_warn("module", "%s: pull: %s; going on with the image that is here", op->name,
             op->pull_problem.msg);
    next_step(op);
}

/* The engine's words are those of its libraries; what a person can act on is only which of these it
 * is. */
static void explain_pull(const char *image, struct err *err)
{
    static const struct {
        const char *seen, *say;
    } reasons[] = {
        {"manifest unknown", "its registry has no image %s; check name and tag in the deployment"},
        {"name unknown", "its registry has no image %s; check name and tag in the deployment"},
        {"unauthorized",
         "the registry refuses %s; check the registry credentials in the deployment"},
        {"authentication required",
         "the registry refuses %s; check the registry credentials in the deployment"},
        {"no such host", "the registry's name of %s cannot be resolved; check the name and DNS"},
        {"connection refused", "the registry of %s does not answer; check that it runs"},
        {"certificate", "the registry of %s shows a certificate that this device does not trust"},
    };
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
        if (!strstr(err->msg, reasons[i].seen))
            continue;
        char text[sizeof(err->msg)];
        const char *at = strstr(reasons[i].say, "%s");
        (void)str_format(text, sizeof(text), "%.*s%s%s", (int)(at - reasons[i].say), reasons[i].say,
                         image, at + 2);
        STR_SET(err->msg, text);
        return;
    }
}

/* A registry out of reach does not matter where the image is here already. */
static void pull_failed(struct operation *op, const struct err *err)
{
    auto_buf struct buf target = {0};
    (void)uv_timer_stop(op->timer);
    op->pull_problem = *err;
    explain_pull(op->image, &op->pull_problem);
    buf_puts(&target, "/images/");
    docker_encode(&target, op->image);
    buf_puts(&target, "/json");
    op->call = docker_get(op->docker, buf_str(&target), on_image, op);
}

static void on_pulled(void *arg, int status, const cJSON *json, const struct err *err)
{
    (void)status, (void)json;
    struct operation *op = arg;
    (void)uv_timer_stop(op->timer);
    if (err)
        pull_failed(op, err);
    else
        next_step(op);
}

static void on_pull_limit(uv_timer_t *timer)
{
    struct operation *op = timer->data;
    struct err err;
    docker_cancel(steal(op->call));
    err_set(&err, ERR_TIMEOUT, "%s: the registry did not deliver within %d minutes", op->image,
            PULL_LIMIT_MS / 60000);
    pull_failed(op, &err);
}

static void pull(struct operation *op)
{
    if (!op->pull) {
        next_step(op);
        return;
    }
    tell(op, "pulling", op->image);
    (void)uv_timer_start(op->timer, on_pull_limit, PULL_LIMIT_MS, 0);
    op->call =
        docker_pull(op->docker, op->image, op->has_registry ? &op->registry : NULL, on_pulled, op);
}

/* ------------------------------------------------------------------------------- network */

static void network(struct operation *op);

static void on_network_made(void *arg, int status, const cJSON *json, const struct err *err)
{
    (void)json;
    struct operation *op = arg;
    op->call = NULL;
    op->made_network = true;
    /* Another operation may have made it meanwhile; podman says so with 500 where Docker has 409.
     */
    if (err && status != 409 && !strstr(err->msg, "already"))
        finish(op, err, "make the network");
    else
        network(op); /* for its addresses */
}

static void make_network(struct operation *op)
{
    const char *options = op->network_options ? op->network_options : "{}";
    auto_json cJSON *body = json_parse(options, strlen(options), NULL);
    json_add_str(body, "Name", op->network);
    json_add_str(body, "Driver", "bridge");
    json_add_bool(body, "CheckDuplicate", true);
    op->call = docker_post(op->docker, "/networks/create", body, on_network_made, op);
}

/* This machine's address on the network is where containers find the edge hub. */
static void take_network(struct operation *op, const cJSON *json)
{
    char gateway[NETWORK_ADDRESS_MAX];
    if (network_gateway(json, gateway))
        create_options_add_hosts(op->body, op->hostname, gateway);
    else
        log_warn("module", "%s: network %s has no gateway by which the edge hub can be reached",
                 op->name, op->network);
}

static void on_network(void *arg, int status, const cJSON *json, const struct err *err)
{
    struct operation *op = arg;
    if (!err) {
        take_network(op, json);
        next_step(op);
    } else if (status != 404 || op->made_network) {
        finish(op, err, "look for the network");
    } else {
        make_network(op);
    }
}

static void network(struct operation *op)
{
    auto_buf struct buf target = {0};
    buf_puts(&target, "/networks/");
    docker_encode(&target, op->network);
    op->call = docker_get(op->docker, buf_str(&target), on_network, op);
}

/* ------------------------------------------------------------------------------- admission */

static void on_admitted(void *arg, const char *generation, const struct err *err)
{
    struct operation *op = arg;
    op->admission = NULL;
    if (err) {
        finish(op, err, "its identity");
        return;
    }
    create_options_add_generation(op->body, generation);
    next_step(op);
}

/* Its socket must be there before the container, its identity before its environment. */
static void admit(struct operation *op)
{
    struct err err;
    if (workload_open(op->workload, op->name, &err) < 0) {
        finish(op, &err, "its socket");
        return;
    }
    const char *known = workload_generation(op->workload, op->name);
    if (known) {
        on_admitted(op, known, NULL);
        return;
    }
    op->admission = workload_identify(op->workload, op->name, on_admitted, op, &err);
    if (!op->admission)
        finish(op, &err, "its identity");
}

/* ------------------------------------------------------------------------------- container */

static void on_gone(void *arg, int status, const cJSON *json, const struct err *err)
{
    (void)json;
    struct operation *op = arg;
    if (err && status != 404)
        finish(op, err, steps[op->kind][op->at] == STEP_STOP ? "stop" : "remove");
    else
        next_step(op);
}

static void on_created(void *arg, int status, const cJSON *json, const struct err *err)
{
    (void)status, (void)json;
    struct operation *op = arg;
    if (err)
        finish(op, err, "create the container");
    else
        next_step(op);
}

static void on_started(void *arg, int status, const cJSON *json, const struct err *err)
{
    (void)status, (void)json;
    struct operation *op = arg;
    if (err)
        finish(op, err, "start");
    else
        next_step(op);
}

static void container_target(const struct operation *op, const char *rest, struct buf *out)
{
    buf_puts(out, "/containers/");
    docker_encode(out, op->name);
    buf_puts(out, rest);
}

static void run_step(struct operation *op)
{
    auto_buf struct buf target = {0};
    op->step_ms = clock_mono_ms();
    switch (steps[op->kind][op->at]) {
    case STEP_END:
        finish(op, NULL, "");
        return;
    case STEP_PULL:
        pull(op);
        return;
    case STEP_NETWORK:
        network(op);
        return;
    case STEP_ADMIT:
        admit(op);
        return;
    case STEP_STOP:
        tell(op, "stopping", "");
        container_target(op, "/stop?t=" STOP_GRACE_S, &target);
        op->call = docker_post(op->docker, buf_str(&target), NULL, on_gone, op);
        return;
    case STEP_REMOVE:
        tell(op, "removing", "");
        container_target(op, "?force=true", &target);
        op->call = docker_delete(op->docker, buf_str(&target), on_gone, op);
        return;
    case STEP_CREATE:
        tell(op, "creating", "");
        buf_puts(&target, "/containers/create?name=");
        docker_encode(&target, op->name);
        op->call = docker_post(op->docker, buf_str(&target), op->body, on_created, op);
        return;
    case STEP_START:
        if (!op->run) {
            next_step(op);
            return;
        }
        tell(op, "starting", "");
        container_target(op, "/start", &target);
        op->call = docker_post(op->docker, buf_str(&target), NULL, on_started, op);
        return;
    }
}

/* ------------------------------------------------------------------------------- life */

static void on_first_turn(uv_timer_t *timer)
{
    run_step(timer->data);
}

static void copy_registry(struct operation *op, const struct registry *r)
{
    if (!r)
        return;
    op->has_registry = true;
    op->registry.address = xstrdup(r->address);
    op->registry.username = xstrdup(r->username);
    secret_set(&op->registry.password, r->password.data, r->password.len);
}

struct operation *operation_start(const struct operation_tools *tools, const struct plan_item *item,
                                  const struct module_spec *spec,
                                  const struct deployment *deployment,
                                  const struct create_context *context,
                                  const struct operation_events *events, void *arg)
{
    struct operation *op = xcalloc(1, sizeof(*op));
    op->docker = tools->docker;
    op->workload = tools->workload;
    op->kind = item->kind;
    op->began_ms = clock_mono_ms();
    op->events = events;
    op->arg = arg;
    STR_SET(op->name, item->name);
    op->hostname = xstrdup(context->hostname);
    op->network = xstrdup(context->network);
    op->network_options = context->network_options ? xstrdup(context->network_options) : NULL;
    if (spec) {
        STR_SET(op->hash, spec->hash);
        op->image = xstrdup(spec->image);
        op->pull = spec->pull;
        op->run = spec->running;
        op->body = create_options_body(spec, context);
        copy_registry(op, deployment_registry(deployment, spec->image));
    }
    op->timer = xcalloc(1, sizeof(*op->timer));
    (void)uv_timer_init(tools->loop, op->timer);
    op->timer->data = op;
    (void)uv_timer_start(op->timer, on_first_turn, 0, 0);
    return op;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

void operation_free(struct operation *op)
{
    if (!op)
        return;
    docker_cancel(op->call);
    workload_cancel(op->admission);
    uv_close((uv_handle_t *)op->timer, on_closed);
    cJSON_Delete(op->body);
    free(op->image);
    free(op->hostname);
    free(op->network);
    free(op->network_options);
    free(op->registry.address);
    free(op->registry.username);
    secret_wipe(&op->registry.password);
    free(op);
}

const char *operation_name(const struct operation *op)
{
    return op->name;
}

enum plan_kind operation_kind(const struct operation *op)
{
    return op->kind;
}

const char *operation_hash(const struct operation *op)
{
    return op->hash;
}

const char *operation_pulling(const struct operation *op)
{
    return op->pull && steps[op->kind][op->at] == STEP_PULL ? op->image : NULL;
}

bool operation_room(struct operation *const *ops, size_t n, enum plan_kind kind,
                    const struct module_spec *spec)
{
    bool pulls = spec && spec->pull && steps[kind][0] == STEP_PULL;
    size_t same = 0;
    for (size_t i = 0; i < n; i++) {
        const char *image = operation_pulling(ops[i]);
        same += pulls ? image && deployment_same_registry(image, spec->image) : !image;
    }
    return same < (pulls ? PULLS_MAX : OTHERS_MAX);
}
