/* See edge_twin_talk.h. The store knows the twins; edge_twin.h says what becomes of them. */
#include "vm/guest/hub/edge_twin_talk.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/hub/edge_clients.h"
#include "vm/guest/hub/edge_twin.h"
#include "vm/guest/hub/edge_upstream.h"
#include "vm/guest/hub/rest.h"

#include <string.h>

#define PAUSE_MIN 2000
#define PAUSE_MAX 60000

/* ---- who has something going on ---- */

/* Where it is in its bucket, or would be. */
static struct twin_talk **find(struct edge_twins *all, const char *device, const char *module)
{
    uint32_t hash = str_hash(str_hash(STR_HASH, device), module);
    struct twin_talk **at = &all->buckets[hash % TWIN_TALK_BUCKETS];

    while (*at && !(str_eq((*at)->device, device) && str_eq((*at)->module, module)))
        at = &(*at)->chain;
    return at;
}

struct twin_talk *twin_talk_need(struct edge_twins *all, const char *device, const char *module)
{
    struct twin_talk **at = find(all, device, module), *t = *at;

    if (t)
        return t;
    if (all->n == all->cap) {
        all->cap = all->cap ? 2 * all->cap : 16;
        all->twins = xreallocarray(all->twins, all->cap, sizeof(struct twin_talk *));
    }
    t = xcalloc(1, sizeof(*t));
    t->owner = all;
    t->device = xstrdup(device);
    t->module = xstrdup(module);
    t->place = all->n;
    all->twins[all->n++] = t;
    *at = t;
    return t;
}

void twin_talk_free(struct twin_talk *t)
{
    edge_upstream_cancel(t->call);
    free(t->device);
    free(t->module);
    free(t->waiting);
    buf_done(&t->sent);
    free(t);
}

static void forget(struct twin_talk *t)
{
    struct edge_twins *all = t->owner;

    *find(all, t->device, t->module) = t->chain;
    all->twins[t->place] = all->twins[--all->n];
    all->twins[t->place]->place = t->place;
    twin_talk_free(t);
}

void twin_talk_say(const struct twin_talk *t, enum log_level level, const char *what,
                   const char *why)
{
    log_line(level, "twin", "%s%s%s: %s%s", t->device, t->module[0] ? "/" : "", t->module, what,
             why);
}

/* ---- metrics ---- */

void twin_talk_count(const struct twin_talk *t, enum edge_metric number, enum edge_metric duration,
                     const char *place, uint64_t began_ms)
{
    struct meters *m = t->owner->edge->metrics;
    uint64_t now = clock_mono_ms();
    char id[EDGE_METRICS_ID_MAX];
    const char *labels[] = {place, id};

    edge_metrics_id(id, t->device, t->module);
    meter_add(edge_metrics_series(m, number, labels), 1);
    meter_observe(edge_metrics_series(m, duration, labels), (double)(now - began_ms) / 1000, now);
}

/* ---- the store ---- */

int twin_talk_load(const struct twin_talk *t, struct edge_twin_row *row, struct err *err)
{
    struct err why = {0};

    if (edge_store_twin_get(t->owner->edge->store, t->device, t->module, row, &why) == 0 ||
        why.kind == ERR_NOT_FOUND)
        return 0;
    if (err)
        *err = why;
    return -1;
}

int twin_talk_keep(const struct twin_talk *t, const struct edge_twin_row *row, struct err *err)
{
    return edge_store_twin_put(t->owner->edge->store, t->device, t->module, row, err);
}

/* ---- answers ---- */

void twin_talk_reply(const struct twin_talk *t, const char *rid, int status,
                     const uint64_t *version, const struct buf *body)
{
    edge_clients_twin_reply(t->owner->edge->clients, t->device, t->module, rid, status, version,
                            buf_str(body), body->len);
}

void twin_talk_refuse(const struct twin_talk *t, const char *rid, bool too_many,
                      const struct err *err)
{
    auto_buf struct buf body = {0};
    int status = rest_error_text(err, too_many, &body);

    twin_talk_reply(t, rid, status, NULL, &body);
}

/* All who wait get what is known by now. SOURCE: the label of the metrics. */
static void answer(struct twin_talk *t, const struct edge_twin_row *row, const char *source)
{
    const struct err none = {.kind = ERR_NOT_FOUND,
                             .msg = "the cloud cannot be reached, and it never said anything of"
                                    " this twin"};
    auto_buf struct buf body = {0};

    if (t->n_waiting > 0 && edge_twin_known(row))
        edge_twin_show(row, &body);
    for (size_t i = 0; i < t->n_waiting; i++) {
        if (body.len == 0) {
            twin_talk_refuse(t, t->waiting[i], false, &none);
            continue;
        }
        twin_talk_reply(t, t->waiting[i], 200, NULL, &body);
        twin_talk_count(t, EDGE_GETTWIN, EDGE_GETTWIN_DURATION, source, t->began_ms);
    }
    t->n_waiting = 0;
}

static void refuse_all(struct twin_talk *t, const struct err *err)
{
    for (size_t i = 0; i < t->n_waiting; i++)
        twin_talk_refuse(t, t->waiting[i], false, err);
    t->n_waiting = 0;
}

/* ---- asking the cloud ---- */

static void pause_calls(struct twin_talk *t)
{
    t->pause_ms = t->pause_ms == 0              ? PAUSE_MIN
                  : t->pause_ms < PAUSE_MAX / 2 ? 2 * t->pause_ms
                                                : PAUSE_MAX;
    t->retry_ms = clock_mono_ms() + t->pause_ms;
}

void twin_talk_resume(struct twin_talk *t)
{
    t->pause_ms = t->retry_ms = 0;
}

/* The whole twin came. Who asked for it gets it; who did not is told what of the desired properties
 * changed since. */
static int take_twin(struct twin_talk *t, const char *text, size_t len, struct err *err)
{
    struct edge *edge = t->owner->edge;
    ATTR_CLEANUP(edge_twin_row_done) struct edge_twin_row row = {0};
    auto_buf struct buf change = {0};

    if (twin_talk_load(t, &row, err) < 0 || edge_twin_set(&row, text, len, &change, err) < 0)
        return -1;
    if (row.desired_version < t->seen) { /* it is older than what we know */
        t->anew = true;
        return 0;
    }
    if (twin_talk_keep(t, &row, err) < 0)
        return -1;
    t->anew = false;
    if (t->n_waiting == 0 && change.len > 0)
        edge_clients_push_desired(edge->clients, t->device, t->module, row.desired_version,
                                  change.data, change.len);
    answer(t, &row, "upstream");
    return 0;
}

static bool is_online(const struct twin_talk *t)
{
    return edge_upstream_online(t->owner->edge->upstream, t->device, t->module);
}

static void answer_from_store(struct twin_talk *t)
{
    ATTR_CLEANUP(edge_twin_row_done) struct edge_twin_row row = {0};
    struct err err = {0};

    if (twin_talk_load(t, &row, &err) < 0)
        refuse_all(t, &err);
    else
        answer(t, &row, "edge_hub");
}

/* The identity was deleted. */
static void take_end(struct twin_talk *t)
{
    const struct err gone = {.kind = ERR_NOT_FOUND, .msg = "the cloud knows no such twin"};
    struct err err = {0};

    if (edge_store_twin_delete(t->owner->edge->store, t->device, t->module, &err) < 0)
        twin_talk_say(t, LOG_LEVEL_ERROR, "cannot forget its twin: ", err.msg);
    t->anew = t->pending = false;
    refuse_all(t, &gone);
}

/* Who waits gets what is in the store. */
static void take_failure(struct twin_talk *t, const struct err *why)
{
    if (!is_online(t))
        t->anew = false; /* edge_twins_online() will come */
    else
        twin_talk_say(t, LOG_LEVEL_WARN, "the cloud does not give its twin: ", why->msg);
    pause_calls(t);
    answer_from_store(t);
}

static void on_twin(void *arg, int status, uint64_t version, const char *body, size_t len,
                    const struct err *err)
{
    struct twin_talk *t = arg;
    struct err why = {0};

    (void)version;
    t->call = NULL;
    if (err && err->kind == ERR_REMOTE && status == 404)
        take_end(t);
    else if (err)
        take_failure(t, err);
    else if (take_twin(t, body, len, &why) < 0)
        take_failure(t, &why);
    else
        twin_talk_resume(t);
    twin_talk_go_on(t);
}

static void ask(struct twin_talk *t)
{
    t->asking = true;
    t->seen = 0;
    t->began_ms = clock_mono_ms();
    t->call = edge_upstream_get_twin(t->owner->edge->upstream, t->device, t->module, on_twin, t);
}

/* ---- telling the cloud ---- */

/* The first patch that waits is done with. */
static int settle(struct twin_talk *t, struct err *err)
{
    ATTR_CLEANUP(edge_twin_row_done) struct edge_twin_row row = {0};

    if (twin_talk_load(t, &row, err) < 0)
        return -1;
    edge_twin_settle(&row, &t->sent);
    if (twin_talk_keep(t, &row, err) < 0)
        return -1;
    t->pending = row.pending.len > 0;
    return 0;
}

/* What would be refused again, whenever it comes. */
static bool is_refusal(int status)
{
    static const int passing[] = {401, 403, 408, 429};

    for (size_t i = 0; i < ARRAY_LEN(passing); i++)
        if (status == passing[i])
            return false;
    return status >= 400 && status < 500;
}

static void on_reported(void *arg, int status, uint64_t version, const char *body, size_t len,
                        const struct err *err)
{
    struct twin_talk *t = arg;
    bool refused = err && err->kind == ERR_REMOTE && is_refusal(status);
    struct err why = {0};

    (void)version, (void)body, (void)len;
    t->call = NULL;
    if (err && !refused) {
        twin_talk_say(t, LOG_LEVEL_DEBUG, "its report waits: ", err->msg);
        pause_calls(t);
        if (!is_online(t))
            answer_from_store(t); /* to ask would only take as long again */
    } else if (settle(t, &why) < 0) {
        twin_talk_say(t, LOG_LEVEL_ERROR, "its report will be sent again: ", why.msg);
        pause_calls(t);
    } else if (refused) {
        twin_talk_say(t, LOG_LEVEL_WARN,
                      "the cloud refuses what it reported, which is lost: ", err->msg);
        t->anew = true;
        twin_talk_resume(t);
    } else {
        twin_talk_count(t, EDGE_REPORTED_PROPERTIES, EDGE_REPORTED_DURATION, "upstream",
                        t->began_ms);
        twin_talk_resume(t);
    }
    twin_talk_go_on(t);
}

static void tell(struct twin_talk *t)
{
    ATTR_CLEANUP(edge_twin_row_done) struct edge_twin_row row = {0};
    struct err err = {0};

    if (twin_talk_load(t, &row, &err) < 0) {
        twin_talk_say(t, LOG_LEVEL_ERROR, "cannot read what it reported: ", err.msg);
        pause_calls(t);
        return;
    }
    buf_clear(&t->sent);
    t->pending = edge_twin_pending(&row, &t->sent);
    if (!t->pending)
        return;
    t->asking = false;
    t->began_ms = clock_mono_ms();
    t->call = edge_upstream_report(t->owner->edge->upstream, t->device, t->module, t->sent.data,
                                   t->sent.len, on_reported, t);
}

/* ---- what comes next ---- */

static void on_timer(uv_timer_t *timer)
{
    struct edge_twins *all = timer->data;

    /* From the end: who has nothing left to do goes, and the last one takes its place. */
    for (size_t i = all->n; i-- > 0;)
        twin_talk_go_on(all->twins[i]);
}

void twin_talk_wait(struct edge_twins *all, uint64_t pause_ms)
{
    if (!uv_is_active((uv_handle_t *)&all->timer) || uv_timer_get_due_in(&all->timer) > pause_ms)
        (void)uv_timer_start(&all->timer, on_timer, pause_ms, 0);
}

/* Reports and questions take turns, so that neither waits for ever. */
void twin_talk_go_on(struct twin_talk *t)
{
    uint64_t now = clock_mono_ms();
    bool may = now >= t->retry_ms;

    if (!t->call && may && t->pending && (t->asking || (t->n_waiting == 0 && !t->anew)))
        tell(t);
    if (!t->call && (t->n_waiting > 0 || (may && t->anew)))
        ask(t);
    if (!t->call && may && t->pending)
        tell(t);
    if (t->call)
        return;
    if (t->anew || t->pending)
        twin_talk_wait(t->owner, t->retry_ms > now ? t->retry_ms - now : PAUSE_MIN);
    else
        forget(t);
}
