/* See edge_scope.h. Two kinds of calls fill the table: the pages of the whole scope, one after the
 * other, after which what no page had is removed; and questions about one identity
 * (edge_scope_ask.c). */
#include "vm/guest/hub/edge_scope.h"

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/random.h"
#include "core/base/str.h"
#include "vm/guest/hub/edge_clients.h"
#include "vm/guest/hub/edge_scope_json.h"
#include "vm/guest/hub/edge_scope_private.h"

#include <string.h>

#define EVERY_MS        (3600ULL * 1000)
#define RECENT_MS       300000 /* what is not older is not asked anew */
#define BACK_OFF_MAX_MS 600000
#define QUIET_MAX_MS    5000 /* nobody's question is tried for so long after the cloud was away */
#define PAGE_MS         60000
#define PAGES_MAX       1000
#define SAVE_MS         5000 /* what is new gathers for so long */

/* ---- the table and its file ---- */

static void on_save(uv_timer_t *timer)
{
    struct edge_scope *s = timer->data;
    bool unsaved = s->unsaved;
    const struct edge_settings *settings = s->edge->settings;
    auto_wiped_buf struct buf text = {0};
    struct err err;

    edge_scope_json_save(settings->hub, settings->device, s->table, &text);
    s->unsaved = file_write(s->path, text.data, text.len, 0600, &err) < 0;
    if (!s->unsaved)
        return;
    if (!unsaved)
        log_warn("scope", "not kept for a time without the cloud: %s", err.msg);
    (void)uv_timer_start(s->save, on_save, SAVE_MS, 0);
}

static void load(struct edge_scope *s)
{
    const struct edge_settings *settings = s->edge->settings;
    auto_wiped_buf struct buf text = {0};
    struct err err;

    if (!file_exists(s->path))
        return;
    if (file_read(s->path, EDGE_SCOPE_FILE_MAX, &text, &err) == 0 &&
        edge_scope_json_load(buf_str(&text), text.len, settings->hub, settings->device, s->table,
                             &err) == 0)
        return;
    log_warn("scope", "%s is not used: %s", s->path, err.msg);
    edge_scope_table_free(s->table);
    s->table = edge_scope_table_new();
}

static void save_soon(struct edge_scope *s)
{
    if (!uv_is_active((uv_handle_t *)s->save))
        (void)uv_timer_start(s->save, on_save, SAVE_MS, 0);
}

/* A device's modules may have come in with its key. Those of this device have the runtime's, and go
 * on. */
static void drop(struct edge_scope *s, const char *device, const char *module, const char *why)
{
    bool whole = !module[0] && !str_eq(device, s->edge->settings->device);

    log_info("scope", "%s%s%s: %s", device, module[0] ? "/" : "", module, why);
    /* At once, with those that go with it: a power cut must not bring it back. */
    (void)uv_timer_start(s->save, on_save, 0, 0);
    if (s->edge->clients)
        edge_clients_drop(s->edge->clients, device, whole ? NULL : module, why);
}

void edge_scope_on_identity(void *arg, const struct edge_identity *id)
{
    struct edge_scope *s = arg;

    switch (edge_scope_table_put(s->table, id, s->round)) {
    case SCOPE_PUT_NEW:
        save_soon(s);
        break;
    case SCOPE_PUT_CHANGED:
        drop(s, id->device, id->module,
             id->enabled ? "its identity was changed" : "its identity was disabled");
        break;
    case SCOPE_PUT_FULL:
        if (!s->told_full)
            log_warn("scope", "more than %d identities: the others cannot connect", EDGE_SCOPE_MAX);
        s->told_full = true;
        break;
    case SCOPE_PUT_SAME:
    default:
        break;
    }
}

static void on_swept(void *arg, const struct edge_identity *id)
{
    drop(arg, id->device, id->module, "its identity was removed");
}

void edge_scope_on_gone(struct edge_scope *s, const char *device, const char *module)
{
    if (edge_scope_table_remove(s->table, device, module))
        drop(s, device, module, "its identity was removed");
}

const struct edge_identity *edge_scope_find(const struct edge_scope *s, const char *device,
                                            const char *module)
{
    return edge_scope_table_find(s->table, device, module);
}

/* ---- all of it ---- */

static void on_next(uv_timer_t *timer);

/* A tenth more or less, so that not all devices of a plant ask at once. */
static void next_after(struct edge_scope *s, uint64_t ms)
{
    (void)uv_timer_start(s->next, on_next, ms - ms / 10 + random_below(ms / 5 + 1), 0);
}

static uint64_t back_off(unsigned failures)
{
    uint64_t ms = 1000ULL << (failures < 10 ? failures - 1 : 9);

    return ms < BACK_OFF_MAX_MS ? ms : BACK_OFF_MAX_MS;
}

void edge_scope_pause(struct edge_scope *s, uint64_t ms)
{
    uint64_t until = clock_mono_ms() + ms;

    if (until > s->quiet_ms)
        s->quiet_ms = until;
}

static void page_failed(struct edge_scope *s, uint64_t pause_ms, const struct err *err)
{
    uint64_t wait_ms = back_off(++s->failures);

    if (s->failures == 1)
        log_warn("scope", "the cloud cannot say who may connect: %s%s%s", err->msg,
                 err->hint[0] ? "; " : "", err->hint);
    edge_scope_pause(s, pause_ms ? pause_ms : wait_ms < QUIET_MAX_MS ? wait_ms : QUIET_MAX_MS);
    /* Never sooner than it asks for. */
    next_after(s, pause_ms > wait_ms ? pause_ms + pause_ms / 8 : wait_ms);
    s->first = false;
    edge_scope_settle_all(s, true, err);
}

static void pages_done(struct edge_scope *s)
{
    edge_scope_table_sweep(s->table, s->round, on_swept, s);
    log_info("scope", "%zu identities may connect here", edge_scope_table_count(s->table));
    s->failures = 0;
    s->well_ms = clock_mono_ms();
    s->told_full = false;
    next_after(s, EVERY_MS);
    s->first = false;
    edge_scope_settle_all(s, true, NULL);
}

static void on_page(void *arg, const struct buf *body, uint64_t pause_ms, const struct err *error);

static void ask_page(struct edge_scope *s)
{
    auto_buf struct buf body = {0};

    edge_scope_json_ask_page(s->edge->settings->device, buf_str(&s->page_link), &body);
    s->page = edge_scope_link_call(s->link, "devicesAndModulesInTargetDeviceScope", &body, PAGE_MS,
                                   on_page, s);
}

static void on_page(void *arg, const struct buf *body, uint64_t pause_ms, const struct err *error)
{
    struct edge_scope *s = arg;
    struct err err;

    s->page = NULL;
    if (error) {
        page_failed(s, pause_ms, error);
        return;
    }
    if (edge_scope_json_answer(buf_str(body), body->len, edge_scope_on_identity, s, &s->page_link,
                               &err) < 0) {
        (void)err_wrap(&err, "the cloud's answer");
        page_failed(s, 0, &err);
    } else if (!s->page_link.len) {
        pages_done(s);
    } else if (++s->pages == PAGES_MAX) {
        (void)err_set(&err, ERR_PROTOCOL, "the cloud's answer does not end");
        page_failed(s, 0, &err);
    } else {
        edge_scope_settle_all(s, false, NULL);
        ask_page(s);
    }
}

static void on_next(uv_timer_t *timer)
{
    struct edge_scope *s = timer->data;

    if (s->page)
        return;
    s->first = edge_scope_table_count(s->table) == 0;
    s->round++;
    s->pages = 0;
    buf_clear(&s->page_link);
    ask_page(s);
}

void edge_scope_refresh_all(struct edge_scope *s)
{
    uint64_t now = clock_mono_ms();

    if (s->page || (!s->failures && s->well_ms && now - s->well_ms < RECENT_MS))
        return;
    (void)uv_timer_start(s->next, on_next, s->quiet_ms > now ? s->quiet_ms - now : 0, 0);
}

/* ---- life ---- */

static uv_timer_t *timer_new(struct edge_scope *s)
{
    uv_timer_t *timer = xcalloc(1, sizeof(*timer));

    (void)uv_timer_init(s->edge->loop, timer);
    timer->data = s;
    return timer;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

struct edge_scope *edge_scope_new(struct edge *edge, struct err *err)
{
    struct edge_scope_link *link = edge_scope_link_new(edge, err);

    if (!link)
        return NULL;

    struct edge_scope *s = xcalloc(1, sizeof(*s));

    s->edge = edge;
    s->link = link;
    s->path = xasprintf("%s/scope.json", edge->settings->dir);
    s->table = edge_scope_table_new();
    s->next = timer_new(s);
    s->turn = timer_new(s);
    s->save = timer_new(s);
    load(s);
    s->first = edge_scope_table_count(s->table) == 0;
    (void)uv_timer_start(s->next, on_next, 0, 0);
    return s;
}

void edge_scope_free(struct edge_scope *s)
{
    if (!s)
        return;
    if (uv_is_active((uv_handle_t *)s->save))
        on_save(s->save);
    edge_scope_link_cancel(s->page);
    edge_scope_asks_close(s);
    uv_close((uv_handle_t *)s->next, on_closed);
    uv_close((uv_handle_t *)s->turn, on_closed);
    uv_close((uv_handle_t *)s->save, on_closed);
    edge_scope_link_free(s->link);
    edge_scope_table_free(s->table);
    buf_done(&s->page_link);
    free(s->path);
    free(s);
}
