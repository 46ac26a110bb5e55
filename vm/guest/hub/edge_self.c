/* See edge_self.h. One call to the cloud at a time: the twin is asked for first, then told what
 * differs from it. */
#include "vm/guest/hub/edge_self.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/hub/edge_clients.h"
#include "vm/guest/hub/edge_report.h"
#include "vm/guest/hub/edge_router.h"
#include "vm/guest/hub/edge_twin.h"
#include "vm/guest/hub/edge_upstream.h"
#include "vm/guest/hub/topic.h"
#include "vm/guest/hub/twin_json.h"

#include <inttypes.h>
#include <string.h>

#define REPORT_MS 1000 /* from one report to the next */
#define PAUSE_MS  10000

struct edge_self {
    struct edge *edge;
    uv_timer_t timer;
    struct edge_upstream_call *call; /* NULL: none */
    uint64_t retry_ms;               /* no call sooner */
    bool anew;                       /* the twin is to be asked for */
    bool changed;                    /* there is something to report */

    struct edge_twin_row twin; /* desired as the cloud has it; reported counts once only */
    cJSON *known;              /* reported as the cloud has it; NULL: not known yet */
    cJSON *under_way;          /* the patch of CALL; NULL: it asks for the twin */
    uint64_t seen;             /* version of a desired change that came while it was asked for */
    uint64_t applied;          /* the version of what was put in force, or refused */
    unsigned code;
    char description[sizeof(((struct err *)NULL)->msg)];
};

static void go_on(struct edge_self *s);

/* ---- desired ---- */

/* What was put in force stays where the new one makes no sense. */
static void configure(struct edge_self *s)
{
    auto_json cJSON *desired = edge_twin_show_desired(&s->twin);
    struct edge_config *config = NULL;
    auto_buf struct buf text = {0};
    struct err err = {0};

    s->applied = s->twin.desired_version;
    s->changed = true;
    s->code = 200;
    s->description[0] = '\0';
    if (str_eq(buf_str(&s->twin.desired), "{}")) {
        STR_SET(s->description, "nothing was deployed to the edge hub yet");
        return;
    }
    if (edge_config_parse(desired, &config, &err) < 0) {
        log_error("self",
                  "the desired properties of $edgeHub, version %" PRIu64
                  ", are refused: %s; the routes stay as they were",
                  s->applied, err.msg);
        s->code = 400;
        STR_SET(s->description, err.msg);
        return;
    }
    json_print(&text, desired);
    edge_router_configure(s->edge->router, config, text.data, text.len);
}

/* ---- the twin ---- */

static int take_twin(struct edge_self *s, const char *text, size_t len, struct err *err)
{
    auto_buf struct buf change = {0};

    buf_clear(&s->twin.reported); /* so that it is taken as it comes */
    if (edge_twin_set(&s->twin, text, len, &change, err) < 0)
        return -1;
    s->anew = s->twin.desired_version < s->seen; /* older than what came by itself */
    if (s->anew)
        return 0;
    cJSON_Delete(s->known);
    s->known = json_parse(buf_str(&s->twin.reported), s->twin.reported.len, NULL);
    if (change.len > 0 || s->applied != s->twin.desired_version)
        configure(s);
    s->changed = true;
    return 0;
}

static void fail(struct edge_self *s, const char *what, const struct err *err)
{
    /* Perhaps a report came nevertheless: what the cloud knows is asked for again, here or by
     * edge_self_online(). */
    s->anew = edge_upstream_online(s->edge->upstream, s->edge->settings->device, EDGE_HUB_ID);
    s->retry_ms = clock_mono_ms() + PAUSE_MS;
    if (s->anew)
        log_warn("self", "%s of $edgeHub: %s", what, err->msg);
}

static void on_twin(void *arg, int status, uint64_t version, const char *body, size_t len,
                    const struct err *err)
{
    struct edge_self *s = arg;
    struct err why = {0};

    (void)status, (void)version;
    s->call = NULL;
    if (!err && take_twin(s, body, len, &why) < 0)
        err = &why;
    if (err)
        fail(s, "the twin", err);
    go_on(s);
}

static void ask(struct edge_self *s)
{
    s->seen = 0;
    s->call = edge_upstream_get_twin(s->edge->upstream, s->edge->settings->device, EDGE_HUB_ID,
                                     on_twin, s);
}

/* ---- reported ---- */

struct list {
    struct edge_report_client *clients;
    size_t n, cap;
    bool closing;
};

static void add_client(void *arg, const char *device, const char *module, bool connected,
                       uint64_t connected_ms, uint64_t disconnected_ms)
{
    struct list *list = arg;

    if (list->n == list->cap) {
        list->cap = list->cap ? 2 * list->cap : 32;
        list->clients = xreallocarray(list->clients, list->cap, sizeof(*list->clients));
    }
    list->clients[list->n++] = (struct edge_report_client){
        .key = edge_report_key(device, module),
        .connected = connected && !list->closing,
        .connected_ms = connected_ms,
        .disconnected_ms = connected && list->closing ? clock_wall_ms() : disconnected_ms,
    };
}

/* The patch that makes the cloud's reported properties ours; NULL: they are. */
static cJSON *make_patch(struct edge_self *s, bool closing)
{
    struct list list = {.closing = closing};
    auto_json cJSON *report =
        edge_report_new(&(struct edge_report){s->applied, s->code, s->description});
    cJSON *patch;

    edge_clients_each(s->edge->clients, add_client, &list);
    edge_report_clients(report, list.clients, list.n);
    for (size_t i = 0; i < list.n; i++)
        free(list.clients[i].key);
    free(list.clients);
    patch = twin_json_diff(s->known, report);
    if (patch->child)
        return patch;
    cJSON_Delete(patch);
    return NULL;
}

static void on_reported(void *arg, int status, uint64_t version, const char *body, size_t len,
                        const struct err *err)
{
    struct edge_self *s = arg;
    auto_json cJSON *patch = steal(s->under_way);

    (void)status, (void)version, (void)body, (void)len;
    s->call = NULL;
    if (err)
        fail(s, "the report", err);
    else
        twin_json_merge(s->known, patch);
    go_on(s);
}

static struct edge_upstream_call *send_patch(struct edge_self *s, const cJSON *patch,
                                             edge_upstream_fn fn, void *arg)
{
    auto_buf struct buf text = {0};

    json_print(&text, patch);
    return edge_upstream_report(s->edge->upstream, s->edge->settings->device, EDGE_HUB_ID,
                                text.data, text.len, fn, arg);
}

static void report(struct edge_self *s)
{
    s->changed = false;
    s->under_way = make_patch(s, false);
    if (!s->under_way)
        return;
    s->retry_ms = clock_mono_ms() + REPORT_MS;
    s->call = send_patch(s, s->under_way, on_reported, s);
}

/* ---- what comes next ---- */

static void on_timer(uv_timer_t *timer)
{
    go_on(timer->data);
}

static void go_on(struct edge_self *s)
{
    uint64_t now = clock_mono_ms();

    if (s->call || !(s->anew || (s->known && s->changed)))
        return;
    if (now < s->retry_ms)
        (void)uv_timer_start(&s->timer, on_timer, s->retry_ms - now, 0);
    else if (s->anew)
        ask(s);
    else
        report(s);
}

void edge_self_online(struct edge_self *s)
{
    s->anew = true;
    s->retry_ms = 0;
    go_on(s);
}

void edge_self_desired(struct edge_self *s, uint64_t version, const char *patch, size_t len)
{
    enum edge_twin_news news = edge_twin_desired(&s->twin, version, patch, len);

    if (s->call && !s->under_way && version > s->seen)
        s->seen = version;
    if (news == EDGE_TWIN_MERGED)
        configure(s);
    else if (news == EDGE_TWIN_GAP)
        s->anew = true;
    go_on(s);
}

void edge_self_clients_changed(struct edge_self *s)
{
    s->changed = true;
    go_on(s);
}

/* ---- from start to end ---- */

struct edge_self *edge_self_new(struct edge *edge)
{
    struct edge_self *s = xcalloc(1, sizeof(*s));

    s->edge = edge;
    (void)uv_timer_init(edge->loop, &s->timer);
    s->timer.data = s;
    edge_upstream_client(edge->upstream, edge->settings->device, EDGE_HUB_ID, true,
                         SUB_TWIN_DESIRED | SUB_TWIN_REPLY, "");
    return s;
}

static void on_unwaited(void *arg, int status, uint64_t version, const char *body, size_t len,
                        const struct err *err)
{
    (void)arg, (void)status, (void)version, (void)body, (void)len, (void)err;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void edge_self_free(struct edge_self *s)
{
    struct edge *edge = s ? s->edge : NULL;
    auto_json cJSON *patch = NULL;

    if (!s)
        return;
    edge_upstream_cancel(s->call);
    if (s->known && edge_upstream_online(edge->upstream, edge->settings->device, EDGE_HUB_ID))
        patch = make_patch(s, true);
    if (patch)
        (void)send_patch(s, patch, on_unwaited, NULL);
    cJSON_Delete(s->known);
    cJSON_Delete(s->under_way);
    edge_twin_row_done(&s->twin);
    uv_close((uv_handle_t *)&s->timer, on_closed);
}
