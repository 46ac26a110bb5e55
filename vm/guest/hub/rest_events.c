/* See rest_events.h. A message wakes nobody by itself: after each turn of the loop that brought
 * some, all of them go to those who wait, in one answer. */
#include "vm/guest/hub/rest_events.h"

#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/hub/event_json.h"
#include "vm/guest/hub/events.h"
#include "vm/guest/hub/rest.h"

#include <string.h>

#define EVENTS_A_REPLY 200
#define BYTES_A_REPLY  (1U << 20)
#define WAIT_MAX_S     60
#define FOLLOWERS_MAX  64 /* more are answered at once, with what there is */

/* What a request asks for. */
struct wish {
    char device[IDENTITY_ID_MAX]; /* "": all */
    uint64_t after;
};

struct follower {
    struct followers *owner;
    struct follower *next;
    struct http_exchange *x;
    struct wish wish;
    uint64_t until_ms; /* loop time */
};

struct followers {
    struct hub *hub;
    struct follower *list;
    unsigned n;
    uint64_t seen; /* the newest message that was looked at for them */
    uv_check_t check;
    uv_timer_t timer;
    unsigned handles_open;
};

/* ---- answers ---- */

struct answer {
    const struct wish *wish;
    cJSON *events;
    uint64_t next; /* what to ask for after this answer */
    size_t n, bytes;
};

static bool is_wanted(const struct wish *w, const struct event *event)
{
    return !w->device[0] || str_eq(w->device, event->device);
}

static bool answer_add(void *arg, const struct event *event)
{
    struct answer *a = arg;

    a->next = event->seq;
    if (!is_wanted(a->wish, event))
        return true;
    json_push(a->events, event_json(event));
    a->bytes += event->len + event->bag_len;
    return ++a->n < EVENTS_A_REPLY && a->bytes < BYTES_A_REPLY;
}

static void reply(const struct hub *hub, struct http_exchange *x, const struct wish *w)
{
    auto_json cJSON *out = cJSON_CreateObject();
    struct answer a = {.wish = w, .events = cJSON_CreateArray(), .next = w->after};
    uint64_t first = events_first(hub->events), last = events_last(hub->events);

    events_each(hub->events, w->after, answer_add, &a);
    if (a.next > last)
        a.next = last;
    json_add_u64(out, "last", last);
    json_add_u64(out, "next", a.next);
    json_add_u64(out, "missed", first > w->after + 1 ? first - w->after - 1 : 0);
    json_add(out, "events", a.events);
    rest_reply_json(x, 200, out);
}

static bool find_one(void *arg, const struct event *event)
{
    struct answer *a = arg;

    a->n += is_wanted(a->wish, event);
    return a->n == 0;
}

static bool anything_for(const struct hub *hub, const struct wish *w, uint64_t after)
{
    struct answer a = {.wish = w};

    events_each(hub->events, after, find_one, &a);
    return a.n > 0;
}

/* ---- those who wait ---- */

static void on_timer(uv_timer_t *timer);

/* The timer goes off when the first of them has waited long enough. */
static void schedule(struct followers *f)
{
    uint64_t due = UINT64_MAX, now = uv_now(f->hub->loop);

    for (const struct follower *w = f->list; w; w = w->next)
        if (w->until_ms < due)
            due = w->until_ms;
    if (f->list)
        (void)uv_timer_start(&f->timer, on_timer, due > now ? due - now : 0, 0);
    else
        (void)uv_timer_stop(&f->timer);
}

/* Takes it off the list and frees it; the exchange is the caller's. */
static struct http_exchange *dismiss(struct follower **at, struct wish *ret_wish)
{
    struct follower *w = *at;
    struct http_exchange *x = w->x;

    *ret_wish = w->wish;
    *at = w->next;
    w->owner->n--;
    free(w);
    return x;
}

static void answer_where(struct followers *f,
                         bool (*due)(const struct followers *f, const struct follower *w))
{
    struct follower **at = &f->list;

    while (*at) {
        struct wish wish;

        if (due(f, *at))
            reply(f->hub, dismiss(at, &wish), &wish);
        else
            at = &(*at)->next;
    }
    schedule(f);
}

static bool time_is_up(const struct followers *f, const struct follower *w)
{
    return w->until_ms <= uv_now(f->hub->loop);
}

static bool has_news(const struct followers *f, const struct follower *w)
{
    return anything_for(f->hub, &w->wish, w->wish.after > f->seen ? w->wish.after : f->seen);
}

static void on_timer(uv_timer_t *timer)
{
    answer_where(timer->data, time_is_up);
}

static void on_check(uv_check_t *check)
{
    struct followers *f = check->data;
    uint64_t last = events_last(f->hub->events);

    if (f->list && last > f->seen)
        answer_where(f, has_news);
    f->seen = last;
}

static void on_caller_gone(void *arg)
{
    struct follower *w = arg;
    struct followers *f = w->owner;
    struct follower **at = &f->list;
    struct wish wish;

    while (*at != w)
        at = &(*at)->next;
    (void)dismiss(at, &wish);
    schedule(f);
}

static void wait_for_news(struct followers *f, struct http_exchange *x, const struct wish *wish,
                          uint64_t wait_s)
{
    struct follower *w = xcalloc(1, sizeof(*w));

    *w = (struct follower){.owner = f, .next = f->list, .x = x, .wish = *wish};
    w->until_ms = uv_now(f->hub->loop) + wait_s * 1000;
    f->list = w;
    f->n++;
    http_exchange_on_close(x, on_caller_gone, w);
    schedule(f);
}

struct followers *followers_new(struct hub *hub)
{
    struct followers *f = xcalloc(1, sizeof(*f));

    f->hub = hub;
    (void)uv_check_init(hub->loop, &f->check);
    (void)uv_timer_init(hub->loop, &f->timer);
    f->check.data = f;
    f->timer.data = f;
    (void)uv_check_start(&f->check, on_check);
    uv_unref((uv_handle_t *)&f->check);
    f->handles_open = 2;
    return f;
}

static void on_closed(uv_handle_t *handle)
{
    struct followers *f = handle->data;

    if (--f->handles_open == 0)
        free(f);
}

void followers_free(struct followers *f)
{
    if (!f)
        return;
    uv_close((uv_handle_t *)&f->check, on_closed);
    uv_close((uv_handle_t *)&f->timer, on_closed);
}

/* ---- route ---- */

static int read_wish(struct rest *r, struct wish *ret, uint64_t *ret_wait_s, struct err *err)
{
    char text[24];

    *ret = (struct wish){0};
    if (http_exchange_query(r->x, "after", text, sizeof(text)) &&
        !str_to_u64(text, UINT64_MAX / 2, &ret->after))
        return err_set(err, ERR_INVALID, "after: must be a sequence number");
    if (http_exchange_query(r->x, "wait", text, sizeof(text)) &&
        !str_to_u64(text, WAIT_MAX_S, ret_wait_s))
        return err_set(err, ERR_INVALID, "wait: must be 0 to %d seconds", WAIT_MAX_S);
    (void)http_exchange_query(r->x, "device", ret->device, sizeof(ret->device));
    return 0;
}

static void fail(struct rest *r, const struct err *err)
{
    rest_reply_err(r->x, false, err);
}

static void events_get(struct rest *r)
{
    struct followers *f = r->hub->followers;
    uint64_t wait_s = 0, last = events_last(r->hub->events);
    struct wish wish;
    struct err err = {0};

    if (read_wish(r, &wish, &wait_s, &err) < 0)
        fail(r, &err);
    else if (wait_s == 0 || f->n == FOLLOWERS_MAX || anything_for(r->hub, &wish, wish.after) ||
             wish.after > last) /* numbers begin anew with the process: "last" says so */
        reply(r->hub, r->x, &wish);
    else
        wait_for_news(f, r->x, &wish, wait_s);
}

static const struct rest_route routes[] = {
    {"GET", "sandbox/events", RIGHT_SERVICE, false, events_get},
};

const struct rest_table event_routes = {.routes = routes, .n = ARRAY_LEN(routes), .fail = fail};
