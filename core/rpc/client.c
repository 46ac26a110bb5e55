/* See client.h.
 *
 * States: CONNECTING -> HELLO -> READY, and from each of them to LOST. Calls made before READY
 * wait, with their time-out running. One timer serves every deadline; it also delivers what must
 * not come from inside a call of the user. Connecting to an engine that runs is done at once;
 * starting one happens in the thread pool. */
#include "core/rpc/client.h"

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/path.h"
#include "core/base/str.h"
#include "core/base/version.h"
#include "core/rpc/launch.h"
#include "core/rpc/message.h"
#include "core/rpc/wire.h"

#include <string.h>
#include <sys/eventfd.h>

#define CLIENT_CALL_MS      10000
#define CLIENT_HELLO_MS     5000
#define CLIENT_RECONNECT_MS 1000
#define CLIENT_RETRIES \
    3 /* an engine that ends just when we connect: try again at once this often */

enum client_state { CLIENT_CONNECTING, CLIENT_HELLO, CLIENT_READY, CLIENT_LOST };

struct call {
    uint64_t id;
    uint64_t deadline_ms;
    rpc_reply_fn fn;
    void *arg;
    cJSON *held; /* the message, while the connection is not ready */
};

/* A start of the engine in the thread pool. It outlives the client if need be. */
struct launch {
    uv_work_t req;
    struct rpc_client *client; /* NULL: nobody wants the result */
    char *path;
    int cancel_fd;
    int fd;
    struct err err;
};

struct rpc_client {
    uv_loop_t *loop;
    struct rpc_client_options options;
    const struct rpc_client_events *events;
    void *arg;
    char *path;
    enum client_state state;
    struct wire *wire;
    struct launch *launch;
    uv_timer_t timer;
    uint64_t retry_ms; /* LOST: when to connect again; 0 never */
    struct err lost;   /* why; to be told while lost_untold */
    bool lost_untold;
    bool closing;
    unsigned retries;
    uint64_t next_id;
    struct call *calls;
    size_t n_calls, cap_calls;
};

static void client_connect(struct rpc_client *c);
static void client_schedule(struct rpc_client *c);
static void client_fail(struct rpc_client *c, const struct err *why);
static void on_timer(uv_timer_t *timer);
static void on_line(void *arg, const char *line, size_t len);
static void on_end(void *arg, const struct err *why);

static const struct wire_events wire_events = {.on_line = on_line, .on_end = on_end};

struct rpc_client *rpc_client_new(uv_loop_t *loop, const struct rpc_client_options *options,
                                  const struct rpc_client_events *events, void *arg)
{
    struct rpc_client *c = xcalloc(1, sizeof(*c));
    c->loop = loop;
    c->options = *options;
    c->events = events;
    c->arg = arg;
    c->next_id = 1;
    c->path = path_engine_socket();
    (void)uv_timer_init(loop, &c->timer);
    c->timer.data = c;
    client_connect(c);
    client_schedule(c);
    return c;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct rpc_client *c = handle->data;
    free(c->calls);
    free(c->path);
    free(c);
}

void rpc_client_free(struct rpc_client *c)
{
    if (!c || c->closing)
        return;
    c->closing = true;
    if (c->launch) {
        c->launch->client = NULL;
        (void)eventfd_write(c->launch->cancel_fd, 1);
    }
    for (size_t i = 0; i < c->n_calls; i++)
        message_free(c->calls[i].held);
    wire_free(c->wire);
    uv_close((uv_handle_t *)&c->timer, on_timer_closed);
}

/* ---- calls ---- */

/* Takes call I out of the list. */
static struct call call_take(struct rpc_client *c, size_t i)
{
    struct call call = c->calls[i];
    c->calls[i] = c->calls[--c->n_calls];
    return call;
}

static void call_end(struct call *call, const cJSON *result, const struct err *err)
{
    message_free(call->held);
    call->held = NULL;
    if (call->fn)
        call->fn(call->arg, result, err);
}

static void call_send(struct rpc_client *c, struct call *call)
{
    struct err err = {0};
    if (wire_send(c->wire, call->held, &err) < 0)
        call->deadline_ms = 0; /* the timer ends it */
    message_free(call->held);
    call->held = NULL;
}

static struct call *call_add(struct rpc_client *c, const char *method, cJSON *take_params,
                             rpc_reply_fn fn, void *arg)
{
    if (c->n_calls == c->cap_calls) {
        c->cap_calls = c->cap_calls ? 2 * c->cap_calls : 16;
        c->calls = xreallocarray(c->calls, c->cap_calls, sizeof(*c->calls));
    }
    struct call *call = &c->calls[c->n_calls++];
    *call = (struct call){.id = c->next_id++, .fn = fn, .arg = arg};
    call->held = message_call(call->id, method, take_params);
    return call;
}

void rpc_call(struct rpc_client *c, const char *method, cJSON *take_params, uint64_t timeout_ms,
              rpc_reply_fn fn, void *arg)
{
    if (c->closing) {
        message_free(take_params);
        return;
    }
    struct call *call = call_add(c, method, take_params, fn, arg);
    call->deadline_ms = clock_mono_ms() + (timeout_ms ? timeout_ms : CLIENT_CALL_MS);
    if (c->state == CLIENT_READY)
        call_send(c, call);
    else if (c->state == CLIENT_LOST && !c->options.reconnect)
        call->deadline_ms = 0;
    client_schedule(c);
}

/* Ends every call that was made up to now. Callbacks may make new ones, and may free the client. */
static void calls_fail(struct rpc_client *c, const struct err *why)
{
    uint64_t last = c->next_id;
    for (size_t i = 0; i < c->n_calls && !c->closing;) {
        if (c->calls[i].id >= last) {
            i++;
            continue;
        }
        struct call call = call_take(c, i);
        call_end(&call, NULL, why);
        i = 0;
    }
}

/* ---- timer ---- */

static void client_schedule(struct rpc_client *c)
{
    if (c->closing)
        return;
    uint64_t at = c->lost_untold ? 0 : UINT64_MAX;
    if (c->state == CLIENT_LOST && c->retry_ms && c->retry_ms < at)
        at = c->retry_ms;
    for (size_t i = 0; i < c->n_calls; i++)
        if (c->calls[i].deadline_ms < at)
            at = c->calls[i].deadline_ms;
    if (at == UINT64_MAX) {
        (void)uv_timer_stop(&c->timer);
        return;
    }
    uint64_t now = clock_mono_ms();
    (void)uv_timer_start(&c->timer, on_timer, at > now ? at - now : 0, 0);
}

static void expire_calls(struct rpc_client *c)
{
    uint64_t now = clock_mono_ms();
    for (size_t i = 0; i < c->n_calls && !c->closing;) {
        if (c->calls[i].deadline_ms > now) {
            i++;
            continue;
        }
        struct err err = c->lost;
        struct call call = call_take(c, i);
        if (c->state != CLIENT_LOST) {
            err_set(&err, ERR_TIMEOUT, "the engine did not answer in time");
            err_hint(&err, "if it stays so, stop it with: berth engine stop");
        }
        call_end(&call, NULL, &err);
        i = 0;
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct rpc_client *c = timer->data;
    if (c->lost_untold) {
        struct err why = c->lost;
        c->lost_untold = false;
        calls_fail(c, &why);
        if (!c->closing && c->events->on_lost)
            c->events->on_lost(c->arg, &why);
    }
    expire_calls(c);
    if (!c->closing && c->state == CLIENT_LOST && c->retry_ms && clock_mono_ms() >= c->retry_ms)
        client_connect(c);
    client_schedule(c);
}

/* ---- connection ---- */

/* The connection is not there (any more): the timer tells, and comes back where that is wanted. */
static void client_fail(struct rpc_client *c, const struct err *why)
{
    wire_free(c->wire);
    c->wire = NULL;
    c->state = CLIENT_LOST;
    c->lost = *why;
    c->lost_untold = true;
    c->retry_ms = c->options.reconnect ? clock_mono_ms() + CLIENT_RECONNECT_MS : 0;
    client_schedule(c);
}

static void on_hello(void *arg, const cJSON *result, const struct err *err)
{
    struct rpc_client *c = arg;
    (void)result;
    if (err) {
        if (c->state == CLIENT_HELLO)
            client_fail(c, err);
        return;
    }
    c->state = CLIENT_READY;
    c->retries = 0;
    for (size_t i = 0; i < c->n_calls; i++)
        if (c->calls[i].held)
            call_send(c, &c->calls[i]);
    if (c->events->on_ready)
        c->events->on_ready(c->arg);
}

static void client_opened(struct rpc_client *c, int take_fd)
{
    struct err err = {0};
    c->wire = wire_new(c->loop, take_fd, &wire_events, c, &err);
    if (!c->wire) {
        client_fail(c, &err);
        return;
    }
    cJSON *params = cJSON_CreateObject();
    json_add_u64(params, "protocol", BERTH_PROTOCOL);
    json_add_str(params, "client", "berth " BERTH_VERSION);
    c->state = CLIENT_HELLO;
    struct call *call = call_add(c, "hello", params, on_hello, c);
    call->deadline_ms = clock_mono_ms() + CLIENT_HELLO_MS;
    call_send(c, call);
}

static void launch_work(uv_work_t *req)
{
    struct launch *l = req->data;
    l->fd = launch_engine(l->path, l->cancel_fd, &l->err);
}

static void launch_after(uv_work_t *req, int status)
{
    struct launch *l = req->data;
    struct rpc_client *c = l->client;
    (void)status;
    if (c) {
        c->launch = NULL;
        if (l->fd < 0) {
            client_fail(c, &l->err);
        } else {
            client_opened(c, l->fd);
            client_schedule(c);
        }
    } else if (l->fd >= 0) {
        (void)close(l->fd);
    }
    (void)close(l->cancel_fd);
    free(l->path);
    free(l);
}

static void client_launch(struct rpc_client *c)
{
    struct launch *l = xcalloc(1, sizeof(*l));
    l->req.data = l;
    l->client = c;
    l->path = xstrdup(c->path);
    l->fd = -1;
    l->cancel_fd = eventfd(0, EFD_CLOEXEC);
    c->launch = l;
    (void)uv_queue_work(c->loop, &l->req, launch_work, launch_after);
}

static void client_connect(struct rpc_client *c)
{
    struct err err = {0};
    c->state = CLIENT_CONNECTING;
    int fd = launch_connect(c->path, &err);
    if (fd >= 0) {
        client_opened(c, fd);
    } else if (err.kind == ERR_NOT_FOUND && c->options.start_engine) {
        client_launch(c);
    } else {
        if (err.kind == ERR_NOT_FOUND)
            err_hint(&err, "it starts with the next command that needs it");
        client_fail(c, &err);
    }
}

/* The hello of a connection that is gone gets no answer. */
static void drop_hello(struct rpc_client *c)
{
    for (size_t i = 0; i < c->n_calls;) {
        if (c->calls[i].fn == on_hello)
            (void)call_take(c, i);
        else
            i++;
    }
}

static void on_end(void *arg, const struct err *why)
{
    struct rpc_client *c = arg;
    wire_free(c->wire);
    c->wire = NULL;
    if (c->state == CLIENT_HELLO && c->options.start_engine && c->retries < CLIENT_RETRIES) {
        /* It ended as idle between our connect and our hello: the calls wait for the next one. */
        c->retries++;
        drop_hello(c);
        client_connect(c);
        client_schedule(c);
        return;
    }
    struct err err = *why;
    err_wrap(&err, "the engine is gone");
    err_hint(&err,
             "start berth again: running jobs go on in the engine, and it starts when needed");
    client_fail(c, &err);
}

static void answer(struct rpc_client *c, const struct message *m)
{
    for (size_t i = 0; i < c->n_calls; i++) {
        if (c->calls[i].id != m->id || c->calls[i].held)
            continue;
        struct call call = call_take(c, i);
        call_end(&call, m->type == MESSAGE_RESULT ? m->result : NULL,
                 m->type == MESSAGE_RESULT ? NULL : &m->error);
        return;
    }
}

static void on_line(void *arg, const char *line, size_t len)
{
    struct rpc_client *c = arg;
    struct err err = {0};
    auto_message struct message m = {0};
    if (message_parse(line, len, &m, NULL, &err) < 0) {
        err_wrap(&err, "the engine sent something else than an answer");
        client_fail(c, &err);
    } else if (m.type == MESSAGE_EVENT) {
        if (c->state == CLIENT_READY && c->events->on_event)
            c->events->on_event(c->arg, m.method, m.params);
    } else if (m.type == MESSAGE_ERROR && m.id == 0) {
        client_fail(c, &m.error); /* it refuses us as a whole */
    } else {
        answer(c, &m);
    }
    client_schedule(c);
}
