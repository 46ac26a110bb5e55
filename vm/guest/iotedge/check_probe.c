/* See check.h: services outside are tried, all at once, over TLS as the runtime does it, and
 * through the proxy where one is set. */
#include "vm/guest/iotedge/check.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/io/http_client.h"
#include "core/io/tls_stream.h"

#include <string.h>

#define PROBE_MS 10000

struct attempt {
    struct check_probe *probe;
    struct attempts *all;
    struct http_call *call;
    struct stream *stream;
    bool over;
};

struct attempts {
    uv_loop_t loop;
    uv_timer_t timer;
    struct dialer *dialer;
    struct attempt each[CHECK_PROBES];
    uint64_t began_ms;
    unsigned left;
};

static void end(struct attempt *a, const struct err *err)
{
    if (a->over)
        return;
    a->over = true;
    if (err)
        a->probe->err = *err;
    a->probe->took_ms = clock_mono_ms() - a->all->began_ms;
    a->probe->answered_ms = clock_wall_ms();
    stream_close(steal(a->stream));
    if (--a->all->left == 0)
        uv_close((uv_handle_t *)&a->all->timer, NULL);
}

static void on_answer(void *arg, int status, const struct buf *body, const struct err *err)
{
    struct attempt *a = arg;
    (void)status, (void)body; /* whatever it is: somebody answered */
    struct err why;
    if (err) {
        const char *text = strstr(err->msg, ": "); /* without what was asked for */
        why = *err;
        STR_SET(why.msg, text ? text + 2 : err->msg);
    } else {
        (void)http_call_header(a->call, "date", a->probe->date, sizeof(a->probe->date));
    }
    a->call = NULL;
    end(a, err ? &why : NULL);
}

static void on_open(void *arg)
{
    end(arg, NULL);
}

static void on_data(void *arg, const char *data, size_t len)
{
    (void)arg, (void)data, (void)len;
}

static void on_eof(void *arg)
{
    (void)arg;
}

static void on_close(void *arg, const struct err *why)
{
    struct err err;
    err_set(&err, ERR_UNREACHABLE, "the connection was closed at once");
    end(arg, why ? why : &err);
}

static void on_late(uv_timer_t *timer)
{
    struct attempts *all = timer->data;
    for (size_t i = 0; i < CHECK_PROBES; i++) {
        struct attempt *a = &all->each[i];
        struct err err;
        if (a->over)
            continue;
        err_set(&err, ERR_TIMEOUT, "%s does not answer within %d s", a->probe->host_port,
                PROBE_MS / 1000);
        http_call_cancel(steal(a->call));
        end(a, &err);
    }
}

static void begin(struct attempts *all, struct attempt *a)
{
    static const struct stream_events events = {on_open, on_data, on_eof, on_close};
    if (!a->probe->https) {
        a->stream = all->dialer->open_unix(all->dialer, a->probe->host_port, &events, a);
        return;
    }
    auto_free char *host = xasprintf("Host: %s", a->probe->host_port);
    const char *const headers[] = {host, NULL};
    const struct http_request request = {
        .method = "GET", .target = "/", .headers = headers, .timeout_ms = PROBE_MS};
    a->call =
        http_call_start(all->dialer, &all->loop, a->probe->host_port, &request, NULL, on_answer, a);
}

static void fail_all(struct check_probe *probes, const struct err *err)
{
    for (size_t i = 0; i < CHECK_PROBES; i++)
        probes[i].err = *err;
}

void check_probe_run(const struct check_facts *facts, struct check_probe *probes)
{
    struct err err;
    struct attempts all = {.began_ms = clock_mono_ms()};
    const char *proxy = facts->options->proxy ? facts->options->proxy : facts->config.proxy;
    (void)uv_loop_init(&all.loop);
    all.dialer = dialer_tls_new(&all.loop, facts->config.trust_bundle, proxy, &err);
    if (!all.dialer) {
        fail_all(probes, &err);
        (void)uv_loop_close(&all.loop);
        return;
    }
    (void)uv_timer_init(&all.loop, &all.timer);
    all.timer.data = &all;
    for (size_t i = 0; i < CHECK_PROBES; i++) {
        all.each[i] =
            (struct attempt){.probe = &probes[i], .all = &all, .over = !*probes[i].host_port};
        all.left += !all.each[i].over;
    }
    for (size_t i = 0; i < CHECK_PROBES; i++)
        if (!all.each[i].over)
            begin(&all, &all.each[i]);
    if (all.left)
        (void)uv_timer_start(&all.timer, on_late, PROBE_MS, 0);
    else
        uv_close((uv_handle_t *)&all.timer, NULL);
    (void)uv_run(&all.loop, UV_RUN_DEFAULT);
    dialer_tls_free(all.dialer);
    (void)uv_run(&all.loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&all.loop);
}
