/* See reporter.h. */
#include "vm/guest/edged/reporter.h"

#include "core/base/mem.h"
#include "vm/guest/edged/report.h"

#define PAUSE_MS 100 /* what changes together is told together */
#define RETRY_MS 10000

struct reporter {
    struct reporter_context c;
    struct cloud *cloud;
    cJSON *sent;  /* what the hub has not answered yet */
    bool changed; /* since the last difference was made */
    bool ending;
    uv_timer_t *timer;
};

static cJSON *difference(const struct reporter *r)
{
    auto_json cJSON *report = report_build(r->c.agent, r->c.hub, r->c.started_ms, !r->ending);
    return twin_diff(r->c.twin->reported, report);
}

static bool connected(const struct reporter *r)
{
    return cloud_state(r->cloud).word == CLOUD_CONNECTED;
}

static void on_timer(uv_timer_t *timer);

static void report_in(struct reporter *r, uint64_t ms)
{
    if (!r->ending)
        (void)uv_timer_start(r->timer, on_timer, ms, 0);
}

/* Without the hub's own view of what was reported there is nothing to compare with: it comes with
 * the twin. */
static void on_timer(uv_timer_t *timer)
{
    struct reporter *r = timer->data;
    auto_buf struct buf text = {0};
    if (!r->changed || !r->c.twin->reported || r->sent || !connected(r))
        return;
    r->changed = false;
    cJSON *patch = difference(r);
    if (!patch)
        return;
    json_print(&text, patch);
    if (cloud_report(r->cloud, text.data, text.len)) {
        r->sent = patch;
        return;
    }
    cJSON_Delete(patch);
    r->changed = true;
    report_in(r, RETRY_MS);
}

void reporter_soon(struct reporter *r)
{
    r->changed = true;
    if (!uv_is_active((uv_handle_t *)r->timer))
        report_in(r, PAUSE_MS);
}

void reporter_renewed(struct reporter *r)
{
    cJSON_Delete(steal(r->sent));
    r->changed = true;
    report_in(r, PAUSE_MS);
}

void reporter_answered(struct reporter *r, bool ok)
{
    struct twin *twin = r->c.twin;
    cJSON *sent = steal(r->sent);
    if (ok && sent && twin->reported)
        twin->reported = twin_merge(twin->reported, sent);
    cJSON_Delete(sent);
    r->changed = r->changed || !ok;
    report_in(r, ok ? PAUSE_MS : RETRY_MS);
}

void reporter_disconnected(struct reporter *r)
{
    cJSON_Delete(steal(r->sent));
}

bool reporter_last(struct reporter *r)
{
    auto_buf struct buf text = {0};
    r->ending = true;
    (void)uv_timer_stop(r->timer);
    auto_json cJSON *patch = r->c.twin->reported && connected(r) ? difference(r) : NULL;
    if (!patch)
        return false;
    json_print(&text, patch);
    cloud_report_last(r->cloud, text.data, text.len);
    return true;
}

struct reporter *reporter_new(const struct reporter_context *context)
{
    struct reporter *r = xcalloc(1, sizeof(*r));
    r->c = *context;
    r->timer = xcalloc(1, sizeof(*r->timer));
    (void)uv_timer_init(context->loop, r->timer);
    r->timer->data = r;
    return r;
}

void reporter_use_cloud(struct reporter *r, struct cloud *cloud)
{
    r->cloud = cloud;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

void reporter_free(struct reporter *r)
{
    if (!r)
        return;
    cJSON_Delete(r->sent);
    uv_close((uv_handle_t *)r->timer, on_closed);
    free(r);
}
