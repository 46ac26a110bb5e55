/* See exporter.h. */
#include "vm/guest/edged/exporter.h"

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/io/http_server.h"
#include "vm/guest/edged/network.h"

#include <string.h>
#include <strings.h>

#define LOOK_MS         60000 /* a port that was taken; a network that was made anew */
#define HUB_MS          5000
#define HUB_MAX         (4U << 20)
#define CONNECTIONS_MAX 16
#define IDLE_MS         5000 /* no module keeps the others out */
#define TEXT_TYPE       "text/plain; version=0.0.4; charset=utf-8"

/* A request that waits for the edge hub's part. */
struct wait {
    struct exporter *e;
    struct http_exchange *x;
    struct wait *next;
    bool both;
};

struct exporter {
    struct exporter_context c;
    char *hub_socket;
    struct http_server *local;   /* on this machine's own address; NULL: not yet */
    struct http_server *modules; /* on the one in their network; NULL: not yet */
    char address[NETWORK_ADDRESS_MAX];
    bool complained[2]; /* of a taken port: the machine's own, the modules' */
    uv_timer_t *timer;
    struct docker_call *looking;
    struct dialer *dialer;
    struct http_call *hub; /* asked once for all that wait */
    struct wait *waits;
};

/* ------------------------------------------------------------------------------- answers */

static void reply_text(struct http_exchange *x, int status, const char *text)
{
    http_reply(x, status, "text/plain", text, strlen(text));
}

static void reply_agent(struct exporter *e, struct http_exchange *x)
{
    auto_buf struct buf text = {0};
    if (e->c.render(e->c.arg, &text))
        http_reply(x, 200, TEXT_TYPE, text.data, text.len);
    else
        reply_text(x, 404, "the agent's metrics are turned off (MetricsEnabled)\n");
}

/* HUB is NULL where the edge hub did not answer. */
static void reply_wait(const struct wait *wait, const struct buf *hub)
{
    auto_buf struct buf text = {0};
    if (!wait->both && !hub) {
        reply_text(wait->x, 503, "the edge hub is not running\n");
        return;
    }
    if (wait->both)
        (void)wait->e->c.render(wait->e->c.arg, &text);
    if (hub)
        buf_append(&text, hub->data, hub->len);
    http_reply(wait->x, 200, TEXT_TYPE, text.data, text.len);
}

static void on_hub(void *arg, int status, const struct buf *body, const struct err *err)
{
    struct exporter *e = arg;
    e->hub = NULL;
    if (err)
        log_debug("metrics", "the edge hub: %s", err->msg);
    while (e->waits) {
        struct wait *wait = e->waits;
        e->waits = wait->next;
        reply_wait(wait, !err && status == 200 ? body : NULL);
        free(wait);
    }
}

static void on_client_gone(void *arg)
{
    struct wait *wait = arg;
    struct wait **at = &wait->e->waits;
    while (*at != wait)
        at = &(*at)->next;
    *at = wait->next;
    free(wait);
}

static void ask_hub(struct exporter *e, struct http_exchange *x, bool both)
{
    static const struct http_request request = {
        .method = "GET", .target = "/metrics", .timeout_ms = HUB_MS, .body_max = HUB_MAX};
    struct wait *wait = xcalloc(1, sizeof(*wait));
    *wait = (struct wait){.e = e, .x = x, .next = e->waits, .both = both};
    e->waits = wait;
    http_exchange_on_close(x, on_client_gone, wait);
    if (!e->hub)
        e->hub = http_call_start(e->dialer, e->c.loop, e->hub_socket, &request, NULL, on_hub, e);
}

/* ------------------------------------------------------------------------------- requests */

static bool host_is(const struct http_exchange *x, const char *name)
{
    const char *host = http_exchange_header(x, "host");
    size_t len = strlen(name);
    return host && strncasecmp(host, name, len) == 0 && (host[len] == '\0' || host[len] == ':');
}

static void on_request(struct http_exchange *x, void *arg)
{
    struct exporter *e = arg;
    const char *path = http_exchange_path(x);
    if (!str_eq(path, "/metrics") && !str_eq(path, "/metrics/"))
        reply_text(x, 404, "the metrics are at /metrics\n");
    else if (!str_eq(http_exchange_method(x), "GET"))
        reply_text(x, 405, "only GET\n");
    else if (host_is(x, "edgeAgent"))
        reply_agent(e, x);
    else
        ask_hub(e, x, !host_is(x, "edgeHub"));
}

/* ------------------------------------------------------------------------------- listening */

static struct http_server *listen_on(struct exporter *e, const char *address, bool *complained)
{
    static const struct http_limits limits = {
        .header_max = 8192, .body_max = 1, .connections_max = CONNECTIONS_MAX, .idle_ms = IDLE_MS};
    struct http_server *server = http_server_new(e->c.loop, &limits, on_request, e);
    struct err err;
    http_server_set_free_bind(server);
    if (http_server_listen_tcp(server, address, EXPORTER_PORT, &err) == 0) {
        log_info("metrics", "serving on %s port %d", address, EXPORTER_PORT);
        *complained = false;
        return server;
    }
    if (!*complained)
        log_warn("metrics", "not served on %s: %s", address, err.msg);
    *complained = true;
    http_server_free(server);
    return NULL;
}

/* No network, or one without an address: what there was is kept. */
static void on_network(void *arg, int status, const cJSON *json, const struct err *err)
{
    (void)status;
    struct exporter *e = arg;
    char address[NETWORK_ADDRESS_MAX];
    e->looking = NULL;
    if (err || !network_gateway(json, address) || (e->modules && str_eq(address, e->address)))
        return;
    http_server_free(e->modules);
    STR_SET(e->address, address);
    e->modules = listen_on(e, address, &e->complained[1]);
}

static void look(struct exporter *e)
{
    auto_buf struct buf target = {0};
    if (!e->local)
        e->local = listen_on(e, "127.0.0.1", &e->complained[0]);
    if (e->looking)
        return;
    buf_puts(&target, "/networks/");
    docker_encode(&target, e->c.network);
    e->looking = docker_get(e->c.docker, buf_str(&target), on_network, e);
}

void exporter_look(struct exporter *e)
{
    if (!e->modules)
        look(e);
}

static void on_timer(uv_timer_t *timer)
{
    look(timer->data);
}

/* ------------------------------------------------------------------------------- life */

struct exporter *exporter_new(const struct exporter_context *context)
{
    struct exporter *e = xcalloc(1, sizeof(*e));
    e->c = *context;
    e->hub_socket = xstrdup(context->hub_socket);
    e->dialer = dialer_local_new(e->c.loop);
    e->timer = xcalloc(1, sizeof(*e->timer));
    (void)uv_timer_init(e->c.loop, e->timer);
    e->timer->data = e;
    (void)uv_timer_start(e->timer, on_timer, 0, LOOK_MS);
    return e;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

void exporter_free(struct exporter *e)
{
    if (!e)
        return;
    docker_cancel(e->looking);
    if (e->hub)
        http_call_cancel(e->hub);
    http_server_free(e->local);
    http_server_free(e->modules);
    uv_close((uv_handle_t *)e->timer, on_closed);
    dialer_local_free(e->dialer);
    free(e->hub_socket);
    free(e);
}
