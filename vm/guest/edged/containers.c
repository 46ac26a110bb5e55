/* See containers.h. */
#include "vm/guest/edged/containers.h"

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/edged/create_options.h"

#include <string.h>

#define CONTAINERS_MAX   256
#define RESYNC_MS        60000
#define RETRY_MS         1000
#define EVENT_LINE_MAX   (64U << 10)
#define CONTAINER_ID_HEX 64
#define BROKEN_SEEN_MIN  3
#define BROKEN_AGAIN_MS  5000
#define FILTER_OWNED                                                                               \
    "%7B%22label%22%3A%5B%22net.azure-devices.edge.owner%3DMicrosoft.Azure.Devices.Edge.Agent%22%" \
    "5D%7D"
#define FILTER_EVENTS "%7B%22type%22%3A%5B%22container%22%5D%7D"

/* One look at one container. */
struct look {
    struct containers *cs;
    struct docker_call *call;
    struct look *next;
    bool again; /* something happened while it was under way */
    char name[DEPLOYMENT_NAME_MAX];
};

struct containers {
    uv_loop_t *loop;
    struct docker *docker;
    uv_timer_t *timer; /* next resync, or retry */
    void (*changed)(void *arg);
    void *arg;
    struct container *list;
    size_t n;
    struct look *looks;
    struct docker_call *listing;
    struct docker_call *removal; /* of the container that is broken */
    char broken[CONTAINER_ID_HEX + 1];
    unsigned broken_seen; /* so often in a row */
    struct http_call *events;
    struct buf line;
    bool fresh;  /* the list was read since the engine was last lost */
    bool listed; /* and each of it was looked at */
    struct err problem;
};

static void resync(struct containers *cs);
static void follow_events(struct containers *cs);

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

static void on_timer(uv_timer_t *timer)
{
    struct containers *cs = timer->data;
    resync(cs);
    follow_events(cs);
}

static void wake_after(struct containers *cs, uint64_t ms)
{
    (void)uv_timer_start(cs->timer, on_timer, ms, 0);
}

/* The engine does not answer: what was known is not trusted any more. */
static void engine_lost(struct containers *cs, const struct err *why)
{
    if (cs->listed || !str_eq(cs->problem.msg, why->msg))
        log_warn("engine", "%s", why->msg);
    cs->problem = *why;
    cs->listed = cs->fresh = false;
    wake_after(cs, RETRY_MS);
    cs->changed(cs->arg);
}

/* ------------------------------------------------------------------------------- the list */

static void drop(struct containers *cs, const char *name)
{
    for (size_t i = 0; i < cs->n; i++) {
        if (!str_eq(cs->list[i].name, name))
            continue;
        container_done(&cs->list[i]);
        cs->list[i] = cs->list[--cs->n];
        return;
    }
}

static void keep(struct containers *cs, struct container *take)
{
    drop(cs, take->name);
    if (!take->owned || cs->n == CONTAINERS_MAX) {
        container_done(take);
        return;
    }
    cs->list = xreallocarray(cs->list, cs->n + 1, sizeof(*cs->list));
    cs->list[cs->n++] = *take;
}

static void look_end(struct look *look)
{
    struct look **at = &look->cs->looks;
    while (*at != look)
        at = &(*at)->next;
    *at = look->next;
    free(look);
}

/* Something was read; with the last of it the list is whole. */
static void settle(struct containers *cs)
{
    if (cs->fresh && !cs->listed && !cs->looks) {
        cs->listed = true;
        cs->problem = (struct err){0};
    }
    cs->changed(cs->arg);
}

static void look_start(struct look *look);

static void on_inspected(void *arg, int status, const cJSON *json, const struct err *err)
{
    struct look *look = arg;
    struct containers *cs = look->cs;
    struct container c = {0};
    if (look->again) {
        look_start(look);
        return;
    }
    if (status == 404)
        drop(cs, look->name);
    else if (!err && container_parse(json, &c, NULL) == 0)
        keep(cs, &c);
    look_end(look);
    if (err && status == 0)
        engine_lost(cs, err);
    else
        settle(cs);
}

static void look_start(struct look *look)
{
    auto_buf struct buf target = {0};
    buf_puts(&target, "/containers/");
    docker_encode(&target, look->name);
    buf_puts(&target, "/json");
    look->again = false;
    look->call = docker_get(look->cs->docker, buf_str(&target), on_inspected, look);
}

void containers_look(struct containers *cs, const char *name)
{
    for (struct look *l = cs->looks; l; l = l->next) {
        if (str_eq(l->name, name)) {
            l->again = true;
            return;
        }
    }
    struct look *look = xcalloc(1, sizeof(*look));
    look->cs = cs;
    STR_SET(look->name, name);
    look->next = cs->looks;
    cs->looks = look;
    look_start(look);
}

bool containers_looking(const struct containers *cs, const char *name)
{
    for (const struct look *l = cs->looks; l; l = l->next)
        if (str_eq(l->name, name))
            return true;
    return false;
}

/* ------------------------------------------------------------------------------- resync */

static const char *listed_name(const cJSON *item)
{
    const cJSON *first = cJSON_GetArrayItem(json_get(item, "Names"), 0);
    const char *name = cJSON_IsString(first) ? first->valuestring : "";
    return name + (name[0] == '/');
}

static bool still_there(const cJSON *json, const char *name)
{
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, json) if (str_eq(listed_name(item), name)) return true;
    return false;
}

static void on_removed(void *arg, int status, const cJSON *json, const struct err *err)
{
    (void)status, (void)json;
    struct containers *cs = arg;
    cs->removal = NULL;
    cs->broken_seen = 0;
    if (err)
        log_warn("engine", "container %.12s stays: %s", cs->broken, err->msg);
    wake_after(cs, err ? BROKEN_AGAIN_MS : 0);
}

/* The id in what podman says of a container without its files; NULL: it says something else. */
static const char *broken_id(const char *said)
{
    static const char words[] = "getting graph driver info \"";
    const char *id = strstr(said, words);
    if (!id)
        return NULL;
    id += sizeof(words) - 1;
    return strspn(id, "0123456789abcdef") == CONTAINER_ID_HEX ? id : NULL;
}

/* A power cut while a container is made can leave one without its files. podman then lists none at
 * all, and names that one. What it says again and again will not pass, and there is nothing left in
 * the container to be kept, be it ours or not: whose it is cannot be asked any more. */
static void remove_broken(struct containers *cs, const char *said)
{
    const char *id = broken_id(said);
    char target[CONTAINER_ID_HEX + 32];
    if (!id || strncmp(id, cs->broken, CONTAINER_ID_HEX) != 0)
        cs->broken_seen = 0;
    if (!id || cs->removal)
        return;
    (void)str_format(cs->broken, sizeof(cs->broken), "%.*s", CONTAINER_ID_HEX, id);
    if (++cs->broken_seen < BROKEN_SEEN_MIN)
        return;
    log_warn("engine", "container %.12s has lost its files, and is removed", cs->broken);
    (void)str_format(target, sizeof(target), "/containers/%s?force=true", cs->broken);
    cs->removal = docker_delete(cs->docker, target, on_removed, cs);
}

static void on_listed(void *arg, int status, const cJSON *json, const struct err *err)
{
    struct containers *cs = arg;
    const cJSON *item = NULL;
    cs->listing = NULL;
    if (err) {
        engine_lost(cs, err);
        if (status >= 500)
            remove_broken(cs, err->msg);
        return;
    }
    if (cJSON_GetArraySize(json) > CONTAINERS_MAX) {
        struct err many;
        err_set(&many, ERR_UNSUPPORTED, "the container engine has more than %d of our containers",
                CONTAINERS_MAX);
        engine_lost(cs, &many);
        return;
    }
    cs->broken_seen = 0;
    for (size_t i = cs->n; i-- > 0;)
        if (!still_there(json, cs->list[i].name))
            drop(cs, cs->list[i].name);
    cJSON_ArrayForEach(item, json) if (*listed_name(item)) containers_look(cs, listed_name(item));
    cs->fresh = true;
    wake_after(cs, RESYNC_MS);
    settle(cs);
}

static void resync(struct containers *cs)
{
    if (!cs->listing)
        cs->listing = docker_get(cs->docker, "/containers/json?all=true&filters=" FILTER_OWNED,
                                 on_listed, cs);
}

/* ------------------------------------------------------------------------------- events */

static void on_event(struct containers *cs, const char *line, size_t len)
{
    auto_json cJSON *json = len ? json_parse(line, len, NULL) : NULL;
    const cJSON *attributes = json_get(json_get(json, "Actor"), "Attributes");
    const char *name = json_str(attributes, "name", "");
    /* an exec or a health check says nothing about its state */
    if (!*name || str_starts(json_str(json, "Action", ""), "exec"))
        return;
    if (containers_find(cs, name) ||
        str_eq(json_str(attributes, CREATE_LABEL_OWNER, ""), CREATE_OWNER))
        containers_look(cs, name);
}

static bool on_event_data(void *arg, const char *data, size_t len)
{
    struct containers *cs = arg;
    while (len) {
        const char *end = memchr(data, '\n', len);
        size_t n = end ? (size_t)(end - data) : len;
        if (cs->line.len + n <= EVENT_LINE_MAX)
            buf_append(&cs->line, data, n);
        if (end) {
            on_event(cs, buf_str(&cs->line), cs->line.len);
            buf_clear(&cs->line);
            n++;
        }
        data += n;
        len -= n;
    }
    return true;
}

/* Events were missed: read everything again. */
static void on_events_end(void *arg, int status, const struct buf *body, const struct err *why)
{
    (void)body;
    struct containers *cs = arg;
    cs->events = NULL;
    buf_clear(&cs->line);
    if (why)
        log_debug("engine", "event stream: %s", why->msg);
    else if (status >= 400)
        log_warn("engine", "event stream: the engine answered %d", status);
    wake_after(cs, RETRY_MS);
}

static void follow_events(struct containers *cs)
{
    if (!cs->events)
        cs->events = docker_stream(cs->docker, "/events?filters=" FILTER_EVENTS, on_event_data,
                                   on_events_end, cs);
}

/* ------------------------------------------------------------------------------- life */

struct containers *containers_new(uv_loop_t *loop, struct docker *docker,
                                  void (*changed)(void *arg), void *arg)
{
    struct containers *cs = xcalloc(1, sizeof(*cs));
    cs->loop = loop;
    cs->docker = docker;
    cs->changed = changed;
    cs->arg = arg;
    cs->timer = xcalloc(1, sizeof(*cs->timer));
    (void)uv_timer_init(loop, cs->timer);
    cs->timer->data = cs;
    wake_after(cs, 0);
    return cs;
}

void containers_free(struct containers *cs)
{
    if (!cs)
        return;
    for (struct look *look = cs->looks, *next; look; look = next) {
        next = look->next;
        docker_cancel(look->call);
        free(look);
    }
    docker_cancel(cs->listing);
    docker_cancel(cs->removal);
    http_call_cancel(cs->events);
    for (size_t i = 0; i < cs->n; i++)
        container_done(&cs->list[i]);
    free(cs->list);
    buf_done(&cs->line);
    uv_close((uv_handle_t *)cs->timer, on_closed);
    free(cs);
}

bool containers_ready(const struct containers *cs)
{
    return cs->listed;
}

const struct container *containers_list(const struct containers *cs, size_t *ret_n)
{
    *ret_n = cs->n;
    return cs->list;
}

const struct container *containers_find(const struct containers *cs, const char *name)
{
    for (size_t i = 0; i < cs->n; i++)
        if (str_eq(cs->list[i].name, name))
            return &cs->list[i];
    return NULL;
}
