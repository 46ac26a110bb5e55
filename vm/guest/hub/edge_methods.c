/* See edge_methods.h. */
#include "vm/guest/hub/edge_methods.h"

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/hub/edge_clients.h"
#include "vm/guest/hub/edge_upstream.h"
#include "vm/guest/hub/methods.h"

#define RESPONSE_MS 300000 /* the cloud has its caller's own limit, which is at most this */

/* One from the cloud. */
struct edge_call {
    struct edge *edge;
    uint64_t began_ms;
    char device[IDENTITY_ID_MAX], module[IDENTITY_ID_MAX];
    char rid[TOPIC_RID_MAX];
};

void edge_methods_count(struct edge *edge, const char *from, const char *device, const char *module,
                        uint64_t began_ms)
{
    uint64_t now = clock_mono_ms();
    char to[EDGE_METRICS_ID_MAX];
    const char *const labels[] = {from, to};

    edge_metrics_id(to, device, module);
    meter_add(edge_metrics_series(edge->metrics, EDGE_DIRECT_METHODS, labels), 1);
    meter_observe(edge_metrics_series(edge->metrics, EDGE_DIRECT_METHOD_DURATION, labels),
                  (double)(now - began_ms) / 1000, now);
}

/* What the caller in the cloud gets as the client's answer, where there was none. */
static unsigned status_of(const struct err *err)
{
    switch ((unsigned)err->kind) {
    case ERR_NOT_FOUND:
        return 404;
    case ERR_TIMEOUT:
        return 504;
    case ERR_BUSY:
        return 429;
    case ERR_CANCELLED:
        return 503;
    default:
        return 502;
    }
}

static void answer(const struct edge_call *c, unsigned status, const char *payload, size_t len)
{
    edge_upstream_answer(c->edge->upstream, c->device, c->module, c->rid, status, payload, len);
}

static void refuse(const struct edge_call *c, unsigned status, const char *why)
{
    auto_json cJSON *body = cJSON_CreateObject();
    auto_buf struct buf text = {0};

    json_add_str(body, "message", why);
    json_print(&text, body);
    answer(c, status, text.data, text.len);
}

static void on_done(void *arg, unsigned status, const char *payload, size_t len,
                    const struct err *err)
{
    auto_free struct edge_call *c = arg;

    if (err) {
        refuse(c, status_of(err), err->msg);
        return;
    }
    edge_methods_count(c->edge, "upstream", c->device, c->module, c->began_ms);
    answer(c, status, payload, len);
}

void edge_methods_call(struct edge *edge, const char *device, const char *module, const char *name,
                       const char *rid, const char *payload, size_t len)
{
    const struct method_call call = {.device = device,
                                     .module = module,
                                     .name = name,
                                     .payload = payload,
                                     .len = len,
                                     .connect_ms =
                                         edge_clients_hold_ms(edge->clients, device, module),
                                     .response_ms = RESPONSE_MS};
    struct edge_call *c = xcalloc(1, sizeof(*c));

    c->edge = edge;
    c->began_ms = clock_mono_ms();
    STR_SET(c->device, device);
    STR_SET(c->module, module);
    STR_SET(c->rid, rid);
    if (method_name_valid(name)) {
        (void)methods_start(edge->methods, &call, on_done, c);
        return;
    }
    refuse(c, 400, "no method can have such a name");
    free(c);
}
