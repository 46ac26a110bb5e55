/* See docker.h. */
#include "vm/guest/edged/docker.h"

#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/io/base64.h"

#include <ctype.h>
#include <string.h>

#define API               "/v1.41"
#define CALL_TIMEOUT_MS   120000  /* stopping takes its time under emulation */
#define PULL_TIMEOUT_MS   1800000 /* a slow link and a large image */
#define STREAM_TIMEOUT_MS 30000
#define ANSWER_MAX        (4U << 20)
#define PULL_LINE_MAX     (64U << 10)

struct docker {
    uv_loop_t *loop;
    struct dialer *dialer;
    char *socket_path;
};

struct docker_call {
    struct http_call *http;
    docker_fn fn;
    void *arg;
    struct buf line;      /* pull: the progress line that is not whole yet */
    char pull_error[300]; /* pull: what a progress line said */
};

struct docker *docker_new(uv_loop_t *loop, const char *socket_path)
{
    struct docker *d = xcalloc(1, sizeof(*d));
    d->loop = loop;
    d->dialer = dialer_local_new(loop);
    d->socket_path = xstrdup(socket_path);
    return d;
}

void docker_free(struct docker *d)
{
    if (!d)
        return;
    dialer_local_free(d->dialer);
    free(d->socket_path);
    free(d);
}

void docker_encode(struct buf *out, const char *text)
{
    for (const char *c = text; *c; c++) {
        if (isalnum((unsigned char)*c) || strchr("-_.~/", *c))
            buf_putc(out, *c);
        else
            buf_printf(out, "%%%02X", (unsigned)(unsigned char)*c);
    }
}

/* ------------------------------------------------------------------------------- answers */

static void call_free(struct docker_call *call)
{
    buf_done(&call->line);
    free(call);
}

void docker_cancel(struct docker_call *call)
{
    if (!call)
        return;
    http_call_cancel(call->http);
    call_free(call);
}

static enum err_kind kind_of(int status)
{
    switch (status) {
    case 404:
        return ERR_NOT_FOUND;
    case 409:
        return ERR_EXISTS;
    case 400:
        return ERR_INVALID;
    default:
        return ERR_REMOTE;
    }
}

/* {"message": "..."}, of which podman repeats parts; foreign text is made printable. */
static void set_refusal(struct err *err, int status, const cJSON *json)
{
    char text[300];
    str_sanitise_to(text, sizeof(text), json_str(json, "message", json_str(json, "cause", "")));
    if (text[0])
        err_set(err, kind_of(status), "%s", text);
    else
        err_set(err, kind_of(status), "the container engine answered %d", status);
}

static void on_done(void *arg, int status, const struct buf *body, const struct err *why)
{
    struct docker_call *call = arg;
    struct err err = {0};
    auto_json cJSON *json = NULL;
    if (why) {
        err = *why;
        err_wrap(&err, "the container engine");
    } else {
        if (body->len)
            json = json_parse(body->data, body->len, NULL);
        if (call->pull_error[0])
            err_set(&err, ERR_REMOTE, "%s", call->pull_error);
        else if (status >= 400 || status < 200)
            set_refusal(&err, status, json);
    }
    call->fn(call->arg, why ? 0 : status, json, err.kind == ERR_NONE ? NULL : &err);
    call_free(call);
}

/* ------------------------------------------------------------------------------- calls */

static struct docker_call *start(struct docker *d, const char *method, const char *target,
                                 const cJSON *body, docker_fn fn, void *arg)
{
    auto_wiped_buf struct buf text = {0};
    auto_free char *path = xasprintf(API "%s", target);
    struct docker_call *call = xcalloc(1, sizeof(*call));
    struct http_request request = {
        .method = method, .target = path, .timeout_ms = CALL_TIMEOUT_MS, .body_max = ANSWER_MAX};
    if (body) {
        json_print(&text, body);
        request.content_type = "application/json";
        request.body = text.data;
        request.body_len = text.len;
    }
    call->fn = fn;
    call->arg = arg;
    call->http = http_call_start(d->dialer, d->loop, d->socket_path, &request, NULL, on_done, call);
    return call;
}

struct docker_call *docker_get(struct docker *d, const char *target, docker_fn fn, void *arg)
{
    return start(d, "GET", target, NULL, fn, arg);
}

struct docker_call *docker_post(struct docker *d, const char *target, const cJSON *body,
                                docker_fn fn, void *arg)
{
    return start(d, "POST", target, body, fn, arg);
}

struct docker_call *docker_delete(struct docker *d, const char *target, docker_fn fn, void *arg)
{
    return start(d, "DELETE", target, NULL, fn, arg);
}

struct http_call *docker_stream(struct docker *d, const char *target, http_data_fn data,
                                http_done_fn done, void *arg)
{
    auto_free char *path = xasprintf(API "%s", target);
    struct http_request request = {
        .method = "GET", .target = path, .timeout_ms = STREAM_TIMEOUT_MS};
    return http_call_start(d->dialer, d->loop, d->socket_path, &request, data, done, arg);
}

/* ------------------------------------------------------------------------------- pull */

static void read_progress(struct docker_call *call, const char *line, size_t len)
{
    auto_json cJSON *json = len ? json_parse(line, len, NULL) : NULL;
    const char *error = json_str(json, "error", "");
    if (!*error)
        error = json_str(json_get(json, "errorDetail"), "message", "");
    if (*error && !call->pull_error[0])
        str_sanitise_to(call->pull_error, sizeof(call->pull_error), error);
}

static bool on_pull_data(void *arg, const char *data, size_t len)
{
    struct docker_call *call = arg;
    while (len) {
        const char *end = memchr(data, '\n', len);
        size_t n = end ? (size_t)(end - data) : len;
        if (call->line.len + n <= PULL_LINE_MAX)
            buf_append(&call->line, data, n);
        if (end) {
            read_progress(call, buf_str(&call->line), call->line.len);
            buf_clear(&call->line);
            n++;
        }
        data += n;
        len -= n;
    }
    return true;
}

static void on_pull_done(void *arg, int status, const struct buf *body, const struct err *why)
{
    struct docker_call *call = arg;
    read_progress(call, buf_str(&call->line), call->line.len);
    on_done(arg, status, body, why);
}

/* X-Registry-Auth: base64url of the credentials as JSON. */
static char *auth_header(const struct registry *registry)
{
    auto_json cJSON *auth = cJSON_CreateObject();
    auto_wiped_buf struct buf json = {0}, text = {0};
    json_add_str(auth, "username", registry->username);
    json_add_str(auth, "password", registry->password.data);
    json_add_str(auth, "serveraddress", registry->address);
    json_print(&json, auth);
    buf_puts(&text, "X-Registry-Auth: ");
    base64_encode(json.data, json.len, &text);
    for (char *c = text.data; *c; c++)
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
    text.data[0] = 'X'; /* the header's name has neither */
    return buf_steal(&text);
}

struct docker_call *docker_pull(struct docker *d, const char *image,
                                const struct registry *registry, docker_fn fn, void *arg)
{
    auto_buf struct buf target = {0};
    const char *colon = strrchr(image, ':');
    auto_free char *name = xstrndup(image, (size_t)(colon - image)); /* the parser saw to a tag */
    buf_puts(&target, API "/images/create?fromImage=");
    docker_encode(&target, name);
    buf_puts(&target, "&tag=");
    docker_encode(&target, colon + 1);

    char *auth = registry ? auth_header(registry) : NULL;
    const char *const headers[] = {auth, NULL};
    struct http_request request = {.method = "POST",
                                   .target = buf_str(&target),
                                   .headers = headers,
                                   .timeout_ms = PULL_TIMEOUT_MS,
                                   .body_max = ANSWER_MAX};
    struct docker_call *call = xcalloc(1, sizeof(*call));
    call->fn = fn;
    call->arg = arg;
    call->http = http_call_start(d->dialer, d->loop, d->socket_path, &request, on_pull_data,
                                 on_pull_done, call);
    secret_free(auth);
    return call;
}
