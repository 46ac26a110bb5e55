/* See edge_inputs.h: which flows there are, and time. All that is in flight, to whomever, stands in
 * one line, oldest first, so that one timer does. */
#include "vm/guest/hub/edge_inputs_private.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <assert.h>
#include <string.h>

#define WAIT_MS   30000
#define AGAIN_MAX 2 /* so often a message is sent again */

/* ---- flows ---- */

static struct edge_flow **bucket_of(struct edge_inputs *i, const char *device, const char *module)
{
    uint32_t hash = str_hash(str_hash(STR_HASH, device), module);

    return &i->buckets[hash % ARRAY_LEN(i->buckets)];
}

static struct edge_flow *find(struct edge_inputs *i, const char *device, const char *module)
{
    struct edge_flow *flow = *bucket_of(i, device, module);

    while (flow && !(str_eq(flow->device, device) && str_eq(flow->module, module)))
        flow = flow->chain;
    return flow;
}

struct edge_flow *edge_inputs_open(struct edge_inputs *i, struct mqtt_conn *conn,
                                   const char *device, const char *module)
{
    size_t device_size = strlen(device) + 1, module_size = strlen(module) + 1;
    struct edge_flow *flow = xcalloc(1, sizeof(*flow) + device_size + module_size);
    struct edge_flow **at = bucket_of(i, device, module);

    assert(!find(i, device, module));
    flow->device = memcpy(flow->names, device, device_size);
    flow->module = memcpy(flow->names + device_size, module, module_size);
    flow->inputs = i;
    flow->conn = conn;
    flow->chain = *at;
    *at = flow;
    i->n++;
    return flow;
}

void edge_flow_close(struct edge_flow *flow)
{
    struct edge_flow **at = bucket_of(flow->inputs, flow->device, flow->module);

    flow_take_back(flow);
    while (*at != flow)
        at = &(*at)->chain;
    *at = flow->chain;
    flow->inputs->n--;
    free(flow->sources);
    free(flow);
}

void edge_inputs_queued(struct edge_inputs *i, const struct edge_endpoint *e)
{
    struct edge_flow *flow = find(i, e->device, e->module);

    if (flow)
        flow_feed(flow, e);
}

void edge_inputs_dropped(struct edge_inputs *i, const struct edge_endpoint *e)
{
    for (struct flight *f = i->first; f; f = f->next)
        if (f->endpoint == e)
            f->endpoint = NULL;
}

/* ---- time ---- */

static void on_timer(uv_timer_t *timer)
{
    struct edge_inputs *i = timer->data;

    while (i->first && i->first->until_ms <= uv_now(i->edge->loop))
        if (i->first->again < AGAIN_MAX)
            flight_again(i->first);
        else
            mqtt_conn_end(i->first->flow->conn, "does not acknowledge what it gets");
    inputs_schedule(i);
}

void inputs_schedule(struct edge_inputs *i)
{
    if (i->first && !uv_is_active((const uv_handle_t *)&i->timer))
        (void)uv_timer_start(&i->timer, on_timer, i->first->until_ms - uv_now(i->edge->loop), 0);
}

/* ---- life ---- */

void edge_inputs_set_wait(struct edge_inputs *i, uint64_t ms)
{
    i->wait_ms = ms;
    (void)uv_timer_stop(&i->timer);
    inputs_schedule(i);
}

struct edge_inputs *edge_inputs_new(struct edge *edge)
{
    struct edge_inputs *i = xcalloc(1, sizeof(*i));

    i->edge = edge;
    i->wait_ms = WAIT_MS;
    (void)uv_timer_init(edge->loop, &i->timer);
    i->timer.data = i;
    return i;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void edge_inputs_free(struct edge_inputs *i)
{
    if (!i)
        return;
    assert(i->n == 0);
    buf_done(&i->topic);
    uv_close((uv_handle_t *)&i->timer, on_closed);
}
