/* See cli_rpc.h. Each wait runs the loop until a callback stops it; waits do not nest, since
 * callbacks may not call. */
#include "tui/cli_rpc.h"

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/rpc/client.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct cli_rpc {
    uv_loop_t loop;
    struct rpc_client *client;
    bool ready;
    bool lost;
    struct err why;
    cli_rpc_event_fn on_event;
    void *arg;
    bool enough; /* on_event wants no more */
    bool watch_output;
};

/* One call, on the stack of cli_rpc_call(). */
struct call {
    struct cli_rpc *rpc;
    bool ended;
    cJSON *result;
    struct err err;
};

/* One wait, on the stack of cli_rpc_wait(). */
struct wait {
    struct cli_rpc *rpc;
    uv_timer_t timer;
    uv_signal_t interrupt, terminate;
    uv_poll_t output;
    int output_fd; /* -1: not watched */
    bool late;
    bool unread; /* nobody reads our output any more */
    int signal;
    unsigned closed;
};

static void on_ready(void *arg)
{
    ((struct cli_rpc *)arg)->ready = true;
}

static void on_lost(void *arg, const struct err *why)
{
    struct cli_rpc *r = arg;
    r->lost = true;
    r->why = *why;
    uv_stop(&r->loop);
}

static void on_event(void *arg, const char *method, const cJSON *params)
{
    struct cli_rpc *r = arg;
    if (r->on_event && !r->enough && !r->on_event(r->arg, method, params)) {
        r->enough = true;
        uv_stop(&r->loop);
    }
}

static const struct rpc_client_events client_events = {
    .on_ready = on_ready,
    .on_event = on_event,
    .on_lost = on_lost,
};

struct cli_rpc *cli_rpc_new(bool start_engine)
{
    struct cli_rpc *r = xcalloc(1, sizeof(*r));
    struct rpc_client_options options = {.start_engine = start_engine};
    if (uv_loop_init(&r->loop) < 0)
        abort();
    r->client = rpc_client_new(&r->loop, &options, &client_events, r);
    return r;
}

void cli_rpc_free(struct cli_rpc *r)
{
    if (!r)
        return;
    rpc_client_free(r->client);
    (void)uv_run(&r->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&r->loop);
    free(r);
}

static void on_reply(void *arg, const cJSON *result, const struct err *err)
{
    struct call *call = arg;
    call->ended = true;
    if (err)
        call->err = *err;
    else
        call->result = cJSON_Duplicate(result, true);
    uv_stop(&call->rpc->loop);
}

int cli_rpc_call(struct cli_rpc *r, const char *method, cJSON *take_params, uint64_t timeout_ms,
                 cJSON **ret_result, struct err *err)
{
    struct call call = {.rpc = r};
    rpc_call(r->client, method, take_params, timeout_ms, on_reply, &call);
    while (!call.ended)
        (void)uv_run(&r->loop, UV_RUN_DEFAULT);

    if (call.err.kind != ERR_NONE) {
        if (err)
            *err = call.err;
        return -1;
    }
    if (ret_result)
        *ret_result = call.result;
    else
        cJSON_Delete(call.result);
    return 0;
}

void cli_rpc_on_event(struct cli_rpc *r, cli_rpc_event_fn fn, void *arg)
{
    r->on_event = fn;
    r->arg = arg;
    r->enough = false;
}

static void on_late(uv_timer_t *timer)
{
    struct wait *wait = timer->data;
    wait->late = true;
    uv_stop(&wait->rpc->loop);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct wait *wait = handle->data;
    wait->signal = number;
    uv_stop(&wait->rpc->loop);
}

static void watch_signal(struct wait *wait, uv_signal_t *handle, int number)
{
    (void)uv_signal_init(&wait->rpc->loop, handle);
    handle->data = wait;
    (void)uv_signal_start(handle, on_signal, number);
}

static void on_output(uv_poll_t *handle, int status, int events)
{
    struct wait *wait = handle->data;
    (void)status;
    (void)events;
    wait->unread = true;
    uv_stop(&wait->rpc->loop);
}

/* A pipe whose reader went away must not keep us waiting for lines that nobody will see. It is
 * opened once more, since polling makes a descriptor non-blocking, and ours is not only ours. */
static void watch_output(struct wait *wait)
{
    struct stat st;
    wait->output_fd = -1;
    if (!wait->rpc->watch_output || fstat(STDOUT_FILENO, &st) < 0 || !S_ISFIFO(st.st_mode))
        return;
    wait->output_fd = open("/proc/self/fd/1", O_WRONLY | O_CLOEXEC | O_NONBLOCK);
    if (wait->output_fd < 0)
        return;
    if (uv_poll_init(&wait->rpc->loop, &wait->output, wait->output_fd) < 0) {
        (void)close(wait->output_fd);
        wait->output_fd = -1;
        return;
    }
    wait->output.data = wait;
    (void)uv_poll_start(&wait->output, UV_DISCONNECT, on_output);
}

static void wait_begin(struct wait *wait, uint64_t timeout_ms)
{
    (void)uv_timer_init(&wait->rpc->loop, &wait->timer);
    wait->timer.data = wait;
    if (timeout_ms)
        (void)uv_timer_start(&wait->timer, on_late, timeout_ms, 0);
    watch_signal(wait, &wait->interrupt, SIGINT);
    watch_signal(wait, &wait->terminate, SIGTERM);
    watch_output(wait);
}

static void on_closed(uv_handle_t *handle)
{
    ((struct wait *)handle->data)->closed++;
}

/* Closing needs turns of the loop; the client's own handles stay open, so the turns are counted by
 * what is closed. */
static void wait_end(struct wait *wait)
{
    unsigned n = 3;
    uv_close((uv_handle_t *)&wait->timer, on_closed);
    uv_close((uv_handle_t *)&wait->interrupt, on_closed);
    uv_close((uv_handle_t *)&wait->terminate, on_closed);
    if (wait->output_fd >= 0) {
        uv_close((uv_handle_t *)&wait->output, on_closed);
        n++;
    }
    while (wait->closed < n)
        (void)uv_run(&wait->rpc->loop, UV_RUN_NOWAIT);
    if (wait->output_fd >= 0)
        (void)close(wait->output_fd);
}

void cli_rpc_watch_output(struct cli_rpc *r)
{
    r->watch_output = true;
}

enum cli_wait cli_rpc_wait(struct cli_rpc *r, uint64_t timeout_ms, int *ret_signal, struct err *err)
{
    struct wait wait = {.rpc = r};
    wait_begin(&wait, timeout_ms);
    while (!r->enough && !r->lost && !wait.late && !wait.signal && !wait.unread)
        (void)uv_run(&r->loop, UV_RUN_DEFAULT);
    wait_end(&wait);

    if (r->enough)
        return CLI_WAIT_ENOUGH;
    if (wait.signal) {
        *ret_signal = wait.signal;
        return CLI_WAIT_SIGNAL;
    }
    if (wait.unread)
        return CLI_WAIT_UNREAD;
    if (wait.late)
        return CLI_WAIT_TIMEOUT;
    if (err)
        *err = r->why;
    return CLI_WAIT_LOST;
}

bool cli_rpc_lost(const struct cli_rpc *r, bool *ret_was_ready)
{
    *ret_was_ready = r->ready;
    return r->lost;
}
