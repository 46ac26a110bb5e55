/* See edge_upstream_private.h: what the cloud is asked for in an identity's name, and what it says.
 * Answers to twin calls are always asked for: the hub itself makes some. */
#include "core/base/log.h"
#include "core/base/percent.h"
#include "core/base/str.h"
#include "vm/guest/hub/edge_upstream_private.h"
#include "vm/guest/hub/topic.h"

#include <string.h>

#define FILTERS_MAX 4
#define METHOD_MAX  256

struct filters {
    const char *at[FILTERS_MAX];
    size_t n;
};

/* Those of QoS 0. */
static void collect(unsigned subs, struct filters *ret)
{
    static const struct {
        unsigned sub;
        const char *filter;
    } all[] = {
        {SUB_TWIN_REPLY, "$iothub/twin/res/#"},
        {SUB_TWIN_DESIRED, "$iothub/twin/PATCH/properties/desired/#"},
        {SUB_METHODS, "$iothub/methods/POST/#"},
    };

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (subs & all[i].sub)
            ret->at[ret->n++] = all[i].filter;
}

static int change(struct edge_link *l, unsigned add, unsigned drop, struct err *err)
{
    struct filters added = {0}, dropped = {0};
    auto_buf struct buf devicebound = {0};

    buf_printf(&devicebound, "devices/%s/messages/devicebound/#", l->device);

    const char *of_qos_1 = buf_str(&devicebound);

    collect(add, &added);
    collect(drop, &dropped);
    if (drop & SUB_DEVICEBOUND)
        dropped.at[dropped.n++] = of_qos_1;
    if (dropped.n && mqtt_client_unsubscribe(l->mqtt, dropped.at, dropped.n, err) < 0)
        return -1;
    if (added.n && mqtt_client_subscribe(l->mqtt, added.at, added.n, 0, err) < 0)
        return -1;
    return add & SUB_DEVICEBOUND ? mqtt_client_subscribe(l->mqtt, &of_qos_1, 1, 1, err) : 0;
}

void edge_link_subscribe(struct edge_link *l)
{
    unsigned possible = SUB_TWIN_DESIRED | SUB_METHODS | (l->module[0] ? 0 : SUB_DEVICEBOUND);
    unsigned wanted = SUB_TWIN_REPLY | (l->subs & possible);
    struct err err;

    if (l->step != LINK_ONLINE || wanted == l->subscribed)
        return;
    /* Where it fails, the connection is at its end, and all of this begins anew. */
    if (change(l, wanted & ~l->subscribed, l->subscribed & ~wanted, &err) < 0)
        log_warn("upstream", "%s: %s", l->id, err.msg);
    l->subscribed = wanted;
}

/* ---- what it says ---- */

static bool copy_span(struct topic_span s, char *to, size_t size)
{
    if (s.len >= size)
        return false;
    memcpy(to, s.at, s.len);
    to[s.len] = '\0';
    return true;
}

static void on_method(struct edge_link *l, const struct topic_reply *t, const char *data,
                      size_t len)
{
    const struct edge_upstream *u = l->upstream;
    char name[METHOD_MAX], rid[TOPIC_RID_MAX];

    if (!percent_decode(t->method.at, t->method.len, name, sizeof(name)) ||
        !copy_span(t->rid, rid, sizeof(rid)))
        log_warn("upstream", "%s: a method with an impossible name was called", l->id);
    else if (u->events->on_method)
        u->events->on_method(u->arg, l->device, l->module, name, rid, data, len);
}

static void on_devicebound(struct edge_link *l, const struct topic_reply *t, const char *data,
                           size_t len, uint16_t id)
{
    struct edge_upstream *u = l->upstream;

    if (!u->events->on_message || !topic_span_is(t->device, l->device) ||
        l->n_taken == EDGE_LINK_TAKEN_MAX)
        return;
    if (!u->events->on_message(u->arg, l->device, l->module, t->bag.at, t->bag.len, data, len))
        return;
    if (id)
        l->taken[l->n_taken++] = id;
    u->taken = true;
    edge_upstream_turn(u);
}

static void on_reply(struct edge_link *l, const struct topic_reply *t, const char *data, size_t len)
{
    char rid[TOPIC_RID_MAX];
    uint64_t number;

    if (copy_span(t->rid, rid, sizeof(rid)) && str_to_u64(rid, UINT32_MAX, &number) && number > 0)
        edge_calls_answered(l, (uint32_t)number, t->status, t->version, data, len);
}

void edge_link_message(struct edge_link *l, const char *topic, const char *data, size_t len,
                       uint16_t id)
{
    const struct edge_upstream *u = l->upstream;
    struct topic_reply t;
    struct err err;

    if (topic_parse_reply(topic, strlen(topic), &t, &err) < 0) {
        log_warn("upstream", "%s: %s: %.100s", l->id, err.msg, topic);
        return;
    }
    switch (t.kind) {
    case TOPIC_TWIN_REPLY:
        on_reply(l, &t, data, len);
        break;
    case TOPIC_TWIN_DESIRED:
        if (u->events->on_desired)
            u->events->on_desired(u->arg, l->device, l->module, t.version, data, len);
        break;
    case TOPIC_METHOD:
        on_method(l, &t, data, len);
        break;
    case TOPIC_DEVICEBOUND:
    default:
        on_devicebound(l, &t, data, len, id);
    }
}
