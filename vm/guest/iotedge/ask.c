/* See ask.h. */
#include "vm/guest/iotedge/ask.h"

#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/io/http_client.h"
#include "vm/guest/edged/config.h"

#include <string.h>

#define ANSWER_MS  120000 /* stopping a container takes its time under emulation */
#define ANSWER_MAX (8U << 20)

struct ask {
    uv_loop_t loop;
    struct dialer *dialer;
    char *socket;
    const char *who, *hint; /* for messages */
    uint64_t limit_ms;
};

struct answer {
    bool done;
    int status;
    struct buf body;
    struct err err; /* kind ERR_NONE: an answer came */
    bool (*fn)(void *arg, const char *data, size_t len);
    void *arg;
    bool enough;
};

/* ------------------------------------------------------------------------------- life */

static struct ask *ask_new(const char *socket, const char *who, const char *hint)
{
    struct ask *a = xcalloc(1, sizeof(*a));
    (void)uv_loop_init(&a->loop);
    a->dialer = dialer_local_new(&a->loop);
    a->socket = xstrdup(socket);
    a->who = who;
    a->hint = hint;
    a->limit_ms = ANSWER_MS;
    return a;
}

struct ask *ask_runtime(const struct iotedge *o)
{
    return ask_new(o->host, "the runtime",
                   "look at `iotedge system status`; without a configuration the runtime does not "
                   "start: `iotedge config apply`");
}

struct ask *ask_engine(const struct iotedge *o)
{
    auto_config struct config config = {0};
    const char *socket = "/var/run/docker.sock";
    if (o->engine)
        socket = o->engine;
    else if (config_load(o->config, &config, NULL) == 0 && *config.engine_socket)
        socket = config.engine_socket;
    return ask_new(socket, "the container engine", "look at `iotedge system logs`");
}

void ask_free(struct ask *a)
{
    if (!a)
        return;
    (void)uv_run(&a->loop, UV_RUN_DEFAULT); /* what was closed ends */
    dialer_local_free(a->dialer);
    (void)uv_run(&a->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&a->loop);
    free(a->socket);
    free(a);
}

void ask_limit(struct ask *a, uint64_t ms)
{
    a->limit_ms = ms;
}

/* ------------------------------------------------------------------------------- one call */

static bool on_data(void *arg, const char *data, size_t len)
{
    struct answer *answer = arg;
    answer->enough = answer->enough || !answer->fn(answer->arg, data, len);
    return !answer->enough;
}

static void on_done(void *arg, int status, const struct buf *body, const struct err *err)
{
    struct answer *answer = arg;
    answer->done = true;
    answer->status = status;
    if (err)
        answer->err = *err;
    else
        buf_append(&answer->body, buf_str(body), body->len);
}

static int unreachable(const struct ask *a, const struct err *why, struct err *err)
{
    bool rights = why->kind == ERR_AUTH;
    const char *text = strstr(why->msg, ": "); /* without what was asked for */
    err_set(err, why->kind == ERR_NOT_FOUND ? ERR_UNREACHABLE : why->kind, "%s does not answer: %s",
            a->who, text ? text + 2 : why->msg);
    return err_hint(err, "%s",
                    rights ? "run it as root, or as a member of the group iotedge" : a->hint);
}

/* An answer that is no success: {"message": ...} of both services. */
static int refused(const struct ask *a, const struct answer *answer, struct err *err)
{
    char said[300];
    auto_json cJSON *json = json_parse(buf_str(&answer->body), answer->body.len, NULL);
    str_sanitise_to(said, sizeof(said), json_str(json, "message", ""));
    enum err_kind kind = answer->status == 404   ? ERR_NOT_FOUND
                         : answer->status == 400 ? ERR_INVALID
                                                 : ERR_REMOTE;
    if (said[0])
        return err_set(err, kind, "%s says: %s", a->who, said);
    return err_set(err, kind, "%s answered with status %d", a->who, answer->status);
}

static int call(struct ask *a, const char *method, const char *target, struct answer *answer,
                struct err *err)
{
    const struct http_request request = {
        .method = method,
        .target = target,
        .timeout_ms = a->limit_ms,
        .body_max = ANSWER_MAX,
    };
    struct http_call *http = http_call_start(a->dialer, &a->loop, a->socket, &request,
                                             answer->fn ? on_data : NULL, on_done, answer);
    while (!answer->done && !answer->enough)
        (void)uv_run(&a->loop, UV_RUN_ONCE);
    if (answer->enough && !answer->done) {
        http_call_cancel(http);
        return 0;
    }
    if (answer->err.kind != ERR_NONE)
        return unreachable(a, &answer->err, err);
    bool good = answer->status / 100 == 2 || answer->status == 304;
    return good ? 0 : refused(a, answer, err);
}

int ask_json(struct ask *a, const char *method, const char *target, cJSON **ret, struct err *err)
{
    struct answer answer = {0};
    cJSON *json = NULL;
    int status = call(a, method, target, &answer, err);
    if (status == 0 && ret && answer.body.len) {
        json = json_parse(buf_str(&answer.body), answer.body.len, err);
        status = json ? 0 : err_wrap(err, "%s", a->who);
    }
    if (status == 0 && ret)
        *ret = json;
    buf_done(&answer.body);
    return status;
}

int ask_stream(struct ask *a, const char *target,
               bool (*fn)(void *arg, const char *data, size_t len), void *arg, struct err *err)
{
    struct answer answer = {.fn = fn, .arg = arg};
    int status = call(a, "GET", target, &answer, err);
    buf_done(&answer.body);
    return status;
}
