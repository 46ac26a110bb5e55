/* See edge_rest.h: what the runtime asks. */
#include "vm/guest/hub/edge_rest.h"

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/str.h"
#include "vm/guest/hub/edge_clients.h"
#include "vm/guest/hub/edge_router.h"
#include "vm/guest/hub/edge_upstream.h"
#include "vm/guest/hub/outbox.h"

static void get_metrics(struct edge *edge, struct http_exchange *x)
{
    auto_buf struct buf text = {0};

    edge_router_measure(edge->router);
    meters_render(edge->metrics, clock_mono_ms(), &text);
    http_reply(x, 200, "text/plain; version=0.0.4; charset=utf-8", buf_str(&text), text.len);
}

static void add_client(void *arg, const char *device, const char *module, bool connected,
                       uint64_t connected_ms, uint64_t disconnected_ms)
{
    (void)device, (void)module, (void)connected_ms, (void)disconnected_ms;
    *(uint64_t *)arg += connected;
}

static void add_queue(void *arg, const char *endpoint, unsigned priority, uint64_t count)
{
    (void)endpoint, (void)priority;
    *(uint64_t *)arg += count;
}

static void get_state(struct edge *edge, struct http_exchange *x)
{
    auto_json cJSON *out = cJSON_CreateObject();
    auto_buf struct buf text = {0};
    uint64_t clients = 0, queued = 0;

    edge_clients_each(edge->clients, add_client, &clients);
    outbox_each(edge->outbox, add_queue, &queued);
    json_add_bool(out, "connected",
                  edge_upstream_online(edge->upstream, edge->settings->device, EDGE_HUB_ID));
    json_add_u64(out, "clients", clients);
    json_add_u64(out, "queued", queued);
    json_print(&text, out);
    http_reply(x, 200, "application/json", text.data, text.len);
}

void edge_local_handle(struct http_exchange *x, void *arg)
{
    static const struct {
        const char *path;
        void (*get)(struct edge *edge, struct http_exchange *x);
    } routes[] = {{"/metrics", get_metrics}, {"/state", get_state}};

    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        if (!str_eq(http_exchange_path(x), routes[i].path))
            continue;
        if (str_eq(http_exchange_method(x), "GET"))
            routes[i].get(arg, x);
        else
            http_reply_message(x, 405, "only GET is possible here");
        return;
    }
    http_reply_message(x, 404, "there is /metrics and /state");
}
