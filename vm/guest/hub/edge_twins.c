/* See edge_twins.h. What clients ask and report, and what the cloud says by itself; the calls to
 * the cloud are in edge_twin_talk.c. */
#include "vm/guest/hub/edge_twins.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/hub/edge_clients.h"
#include "vm/guest/hub/edge_router.h"
#include "vm/guest/hub/edge_twin.h"
#include "vm/guest/hub/edge_twin_talk.h"

#include <string.h>

/* ---- from the client ---- */

void edge_twins_get(struct edge_twins *all, const char *device, const char *module, const char *rid)
{
    const struct err many = {.kind = ERR_BUSY, .msg = "too many questions for the twin at once"};
    struct twin_talk *t = twin_talk_need(all, device, module);

    if (t->n_waiting == TWIN_TALK_WAITING_MAX) {
        twin_talk_refuse(t, rid, true, &many);
        return;
    }
    if (!t->waiting)
        t->waiting = xcalloc(TWIN_TALK_WAITING_MAX, sizeof(*t->waiting));
    STR_SET(t->waiting[t->n_waiting], rid);
    t->n_waiting++;
    twin_talk_go_on(t);
}

/* What routes FROM /twinChangeNotifications get. */
static int notify(const struct twin_talk *t, const char *patch, size_t len, struct err *err)
{
    static const char bag[] = "%24.ct=application%2Fjson&%24.ce=utf-8"
                              "&%24.schema=twinChangeNotification";
    auto_buf struct buf body = {0};

    buf_puts(&body, "{\"properties\":{\"reported\":");
    buf_append(&body, patch, len);
    buf_puts(&body, "}}");
    return edge_router_take(t->owner->edge->router,
                            &(struct edge_message){.kind = EDGE_TWIN_CHANGE,
                                                   .device = t->device,
                                                   .module = t->module,
                                                   .output = "",
                                                   .model = "",
                                                   .bag = bag,
                                                   .bag_len = strlen(bag),
                                                   .body = body.data,
                                                   .len = body.len,
                                                   .created_ms = clock_wall_ms()},
                            err);
}

/* RET_TOO_MANY: the client is to try again later. */
static int take_report(struct twin_talk *t, const char *patch, size_t len, const uint64_t *base,
                       uint64_t *ret_version, bool *ret_too_many, struct err *err)
{
    ATTR_CLEANUP(edge_twin_row_done) struct edge_twin_row row = {0};

    if (twin_talk_load(t, &row, err) < 0)
        return -1;
    if (edge_twin_report(&row, patch, len, base, t->call && !t->asking, err) < 0) {
        *ret_too_many = err->kind == ERR_NO_SPACE;
        return -1;
    }
    if (notify(t, patch, len, err) < 0 || twin_talk_keep(t, &row, err) < 0) {
        err->kind = ERR_SYSTEM; /* whatever it was, it is not the client's fault */
        return -1;
    }
    t->pending = row.pending.len > 0;
    *ret_version = row.reported_version;
    return 0;
}

void edge_twins_report(struct edge_twins *all, const char *device, const char *module,
                       const char *rid, const char *patch, size_t len, const uint64_t *base)
{
    const struct buf nothing = {0};
    struct twin_talk *t = twin_talk_need(all, device, module);
    uint64_t version = 0, began_ms = clock_mono_ms();
    bool too_many = false;
    struct err err = {0};

    if (take_report(t, patch, len, base, &version, &too_many, &err) < 0) {
        twin_talk_say(t, LOG_LEVEL_WARN, "report refused: ", err.msg);
        twin_talk_refuse(t, rid, too_many, &err);
    } else {
        twin_talk_reply(t, rid, 204, &version, &nothing);
        twin_talk_count(t, EDGE_REPORTED_PROPERTIES, EDGE_REPORTED_DURATION, "edge_hub", began_ms);
    }
    twin_talk_go_on(t);
}

/* ---- from the cloud ---- */

void edge_twins_online(struct edge_twins *all, const char *device, const char *module)
{
    struct twin_talk *t = twin_talk_need(all, device, module);

    twin_talk_resume(t);
    /* A question that is under way goes out now: its answer is new. */
    if (!(t->call && t->asking) && edge_clients_connected(all->edge->clients, device, module))
        t->anew = true;
    twin_talk_go_on(t);
}

void edge_twins_desired(struct edge_twins *all, const char *device, const char *module,
                        uint64_t version, const char *patch, size_t len)
{
    ATTR_CLEANUP(edge_twin_row_done) struct edge_twin_row row = {0};
    struct twin_talk *t = twin_talk_need(all, device, module);
    enum edge_twin_news news = EDGE_TWIN_GAP;
    struct err err = {0};

    if (t->call && t->asking && version > t->seen)
        t->seen = version;
    if (twin_talk_load(t, &row, &err) == 0)
        news = edge_twin_desired(&row, version, patch, len);
    if (news == EDGE_TWIN_MERGED && twin_talk_keep(t, &row, &err) < 0)
        news = EDGE_TWIN_GAP;
    if (err.msg[0])
        twin_talk_say(t, LOG_LEVEL_ERROR, "cannot keep its desired properties: ", err.msg);
    if (news == EDGE_TWIN_MERGED)
        edge_clients_push_desired(all->edge->clients, device, module, version, patch, len);
    else if (news == EDGE_TWIN_GAP)
        t->anew = true;
    twin_talk_go_on(t);
}

/* ---- from start to end ---- */

static void add_pending(void *arg, const char *device, const char *module)
{
    twin_talk_need(arg, device, module)->pending = true;
}

struct edge_twins *edge_twins_new(struct edge *edge)
{
    struct edge_twins *all = xcalloc(1, sizeof(*all));
    struct err err = {0};

    all->edge = edge;
    (void)uv_timer_init(edge->loop, &all->timer);
    all->timer.data = all;
    if (edge_store_twin_pending(edge->store, add_pending, all, &err) < 0)
        log_error("twin", "cannot read what the cloud is to be told: %s", err.msg);
    if (all->n > 0)
        twin_talk_wait(all, 0);
    return all;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void edge_twins_free(struct edge_twins *all)
{
    if (!all)
        return;
    for (size_t i = 0; i < all->n; i++)
        twin_talk_free(all->twins[i]);
    free(all->twins);
    uv_close((uv_handle_t *)&all->timer, on_closed);
}
