/* GET /modules/NAME/logs: the engine's frames, passed through as they come; a slow reader slows the
 * engine down. */
#include "vm/guest/edged/mgmt_private.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/edged/log_query.h"

/* One answer under way. */
struct pipe {
    struct http_exchange *x;
    struct http_call *call;
};

static bool parse_query(struct http_exchange *x, struct log_query *q, struct err *err)
{
    static const char *const names[] = {"follow", "tail", "since", "until", "timestamps"};
    *q = (struct log_query){.tail = LOG_QUERY_ALL};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char value[64];
        if (http_exchange_query(x, names[i], value, sizeof(value)) &&
            log_query_set(q, names[i], value, clock_wall_ms() / 1000, err) < 0)
            return false;
    }
    return true;
}

static bool on_data(void *arg, const char *data, size_t len)
{
    struct pipe *p = arg;
    return http_reply_chunk(p->x, data, len);
}

static void on_done(void *arg, int status, const struct buf *body, const struct err *err)
{
    (void)body;
    struct pipe *p = arg;
    if (err)
        log_debug("mgmt", "logs: %s", err->msg);
    else if (status >= 300)
        log_debug("mgmt", "logs: the engine answered %d", status);
    http_reply_end(p->x);
    free(p);
}

static void on_drain(void *arg)
{
    struct pipe *p = arg;
    http_call_resume(p->call);
}

static void on_client_gone(void *arg)
{
    struct pipe *p = arg;
    http_call_cancel(p->call);
    free(p);
}

void mgmt_logs(struct mgmt *m, struct http_exchange *x, const char *name)
{
    struct err err;
    struct log_query q;
    struct module_view view;
    auto_buf struct buf target = {0};
    if (!parse_query(x, &q, &err)) {
        http_reply_message(x, 400, "%s", err.msg);
        return;
    }
    bool hub = str_eq(name, EDGE_HUB_NAME) && edge_hub_view(m->c.hub, &view);
    if (hub || str_eq(name, MGMT_AGENT)) {
        mgmt_own_log(m, x, hub ? AGENT_LOG_HUB : AGENT_LOG_OWN, &q);
        return;
    }
    if (!agent_module(m->c.agent, name, &view) || !view.container) {
        char shown[160];
        str_sanitise_to(shown, sizeof(shown), name);
        http_reply_message(x, 404, "No such container: %s", shown);
        return;
    }
    log_query_target(&q, view.name, &target);
    struct pipe *p = xcalloc(1, sizeof(*p));
    p->x = x;
    http_exchange_on_close(x, on_client_gone, p);
    /* At once: a silent module's log must not look like a runtime that does not answer. */
    http_reply_start(x, 200, "text/plain", on_drain, p);
    p->call = docker_stream(m->c.docker, buf_str(&target), on_data, on_done, p);
}
