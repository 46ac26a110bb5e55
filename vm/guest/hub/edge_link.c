/* See edge_upstream_private.h: the life of one identity's connection to the cloud. Its client
 * exists from an attempt to the end of what came of it. */
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/percent.h"
#include "core/base/random.h"
#include "core/base/str.h"
#include "vm/guest/hub/edge_upstream_private.h"

#include <malloc.h>
#include <string.h>

#define API_VERSION          "2021-04-12"
#define KEEP_ALIVE_S         240
#define PAUSE_MIN_MS         1000U
#define PAUSE_MAX_MS         (5 * 60000U)
#define PAUSE_OWN_MAX_MS     60000U /* of the edge hub itself, whose success wakes all others */
#define PAUSE_REFUSED_MIN_MS 30000U
#define PAUSE_REFUSED_MAX_MS (30 * 60000U)
#define AGAIN_MS             5000U  /* somebody came: then at least this after the last attempt */
#define STABLE_MS            60000U /* what holds this long was no failure */
#define IDLE_MS              60000U
#define PUBACK_MS            60000U
#define DRAIN_MS             10000U
#define RENEW_AGAIN_MS       60000U

static void on_timer(uv_timer_t *timer);

static void wait_ms(struct edge_link *l, uint64_t ms)
{
    (void)uv_timer_start(&l->timer, on_timer, ms, 0);
}

static bool needed(const struct edge_link *l)
{
    return l->present || l->owed || l->n_calls > 0 || l->n_flight > 0 || l->n_taken > 0 ||
           edge_link_queued(l);
}

/* ---- known to others ---- */

static void tell_online(struct edge_link *l)
{
    const struct edge_upstream *u = l->upstream;
    const char *const label[] = {l->id};
    uint64_t now = clock_mono_ms();

    if (l->offline_ms)
        meter_observe(edge_metrics_series(u->edge->metrics, EDGE_OFFLINE_DURATION, label),
                      (double)(now - l->offline_ms) / 1000, now);
    l->offline_ms = 0;
    l->owed = false;
    if (l->online)
        return;
    l->online = true;
    log_info("upstream", "%s is connected", l->id);
    if (u->events->on_online)
        u->events->on_online(u->arg, l->device, l->module);
}

static void tell_offline(struct edge_link *l)
{
    const struct edge_upstream *u = l->upstream;

    if (!l->online)
        return;
    l->online = false;
    if (u->events->on_offline)
        u->events->on_offline(u->arg, l->device, l->module);
}

static void count_lost(struct edge_link *l)
{
    const char *const label[] = {l->id};

    if (!l->online)
        return;
    l->offline_ms = clock_mono_ms();
    meter_add(edge_metrics_series(l->upstream->edge->metrics, EDGE_OFFLINE_COUNT, label), 1);
}

/* A failure that goes on is said once. */
static void log_failure(struct edge_link *l, const struct err *why)
{
    char text[sizeof(l->error)];

    (void)str_format(text, sizeof(text), "%s%s%s%s", why->msg, *why->hint ? " (" : "", why->hint,
                     *why->hint ? ")" : "");
    if (str_eq(text, l->error) && !l->online)
        log_debug("upstream", "%s: %s", l->id, text);
    else
        log_warn("upstream", "%s: %s", l->id, text);
    STR_SET(l->error, text);
}

/* ---- ends ---- */

/* Nothing of a connection is left. */
static void clear(struct edge_link *l, bool by_peer)
{
    edge_workload_cancel(steal(l->asking));
    mqtt_client_free(steal(l->mqtt));
    edge_link_unsend(l, by_peer);
    l->subscribed = 0;
    l->ready = false;
    l->n_taken = 0;
    l->idle_ms = l->drain_ms = 0;
}

/* Grows with each failure in a row; a random part of it, so that many do not come at once. */
static uint64_t pause_ms(const struct edge_link *l)
{
    bool own =
        str_eq(l->module, EDGE_HUB_ID) && str_eq(l->device, l->upstream->edge->settings->device);
    uint64_t limit = l->refused ? PAUSE_REFUSED_MAX_MS : own ? PAUSE_OWN_MAX_MS : PAUSE_MAX_MS;
    uint64_t pause = l->refused ? PAUSE_REFUSED_MIN_MS : PAUSE_MIN_MS;

    for (unsigned i = 0; i < l->failures && pause < limit; i++)
        pause *= 2;
    pause = pause < limit ? pause : limit;
    return pause / 2 + random_below(pause / 2);
}

static void failed(struct edge_link *l, const struct err *why, bool by_peer)
{
    if (l->opened_ms && clock_mono_ms() - l->opened_ms > STABLE_MS)
        l->failures = 0;
    l->opened_ms = 0;
    l->refused = why->kind == ERR_REMOTE || why->kind == ERR_NOT_FOUND ||
                 why->kind == ERR_UNSUPPORTED || why->kind == ERR_INVALID;
    clear(l, by_peer);
    secret_wipe(&l->token);
    count_lost(l);
    log_failure(l, why);
    l->step = LINK_PAUSE;
    wait_ms(l, pause_ms(l));
    l->failures += l->failures < 32;
    edge_calls_fail(l, false, why);
    tell_offline(l);
}

void edge_link_lost(struct edge_link *l, const struct err *why)
{
    struct err copy = *why;

    if (l->step > LINK_PAUSE)
        failed(l, &copy, false);
}

static void left(struct edge_link *l)
{
    struct err err;

    clear(l, false);
    l->step = LINK_REST;
    (void)uv_timer_stop(&l->timer);
    err_set(&err, ERR_UNREACHABLE, "the connection was closed");
    edge_calls_fail(l, true, &err);
    log_debug("upstream", "%s needs no connection any more", l->id);
    tell_offline(l);
    if (needed(l))
        edge_link_needed(l);
}

/* ---- attempts ---- */

static void count_retry(struct edge_link *l)
{
    const char *const labels[] = {l->id, "connect"};

    if (l->failures > 0)
        meter_add(edge_metrics_series(l->upstream->edge->metrics, EDGE_OPERATION_RETRY, labels), 1);
}

static void attempt(struct edge_link *l)
{
    (void)uv_timer_stop(&l->timer);
    l->step = LINK_TOKEN;
    l->attempt_ms = clock_mono_ms();
    count_retry(l);
    edge_link_ask_token(l);
}

static void on_open(void *arg)
{
    struct edge_link *l = arg;
    uint64_t life_ms = l->upstream->token_s * 1000;

    l->step = LINK_ONLINE;
    l->opened_ms = clock_mono_ms();
    l->renew_ms = l->opened_ms + life_ms * 3 / 4 + random_below(life_ms / 10 + 1);
    l->error[0] = '\0';
    edge_link_subscribe(l);
    edge_link_pump(l);
    edge_link_settle(l);
    edge_upstream_wake(l->upstream, false);
    tell_online(l);
    (void)malloc_trim(0); /* what the key exchange needed is not needed again for most of an hour */
}

static void on_subscribed(void *arg)
{
    struct edge_link *l = arg;

    l->ready = true;
    edge_calls_send(l);
}

static void on_message(void *arg, const char *topic, const char *data, size_t len, uint16_t id)
{
    edge_link_message(arg, topic, data, len, id);
}

static void on_delivered(void *arg, uint16_t token)
{
    edge_link_delivered(arg, token);
}

static void open_now(struct edge_link *l);

static void on_close(void *arg, const struct err *why)
{
    struct edge_link *l = arg;

    if (l->step == LINK_RENEW) {
        clear(l, false);
        open_now(l);
    } else if (l->step == LINK_LEAVE || !why) {
        left(l);
    } else {
        failed(l, why, true);
    }
}

static struct mqtt_client *new_client(struct edge_link *l, struct dialer *dialer)
{
    static const struct mqtt_client_events events = {.on_open = on_open,
                                                     .on_subscribed = on_subscribed,
                                                     .on_message = on_message,
                                                     .on_delivered = on_delivered,
                                                     .on_close = on_close};
    const struct edge_settings *s = l->upstream->edge->settings;
    auto_buf struct buf user = {0};

    buf_printf(&user, "%s/%s/?api-version=" API_VERSION "&DeviceClientType=berth-hub", s->hub,
               l->id);
    if (l->model[0]) {
        buf_puts(&user, "&model-id=");
        percent_encode(l->model, strlen(l->model), &user);
    }

    if (l->on_behalf)
        edge_link_put_chain(l, &user);

    const struct mqtt_client_options options = {
        .dialer = dialer,
        .host = s->hub,
        .port = s->websocket ? s->https_port : s->mqtt_port,
        .client_id = l->id,
        .username = user.data,
        .keep_alive_s = KEEP_ALIVE_S,
    };

    return mqtt_client_new(l->upstream->edge->loop, &options, &events, l);
}

static void open_now(struct edge_link *l)
{
    struct err err;
    struct dialer *dialer = edge_upstream_dialer(l->upstream, &err);
    int status = -1;

    l->step = LINK_CONNECT;
    if (dialer) {
        l->mqtt = new_client(l, dialer);
        status = mqtt_client_open(l->mqtt, &l->token, &err);
    }
    secret_wipe(&l->token);
    if (status < 0)
        failed(l, &err, false);
}

void edge_link_on_token(struct edge_link *l, const struct secret *token, const struct err *why)
{
    if (l->step == LINK_ONLINE && why) {
        log_warn("upstream", "%s: no new token: %s", l->id, why->msg);
        return; /* it is asked for again in a while */
    }
    if (why) {
        failed(l, why, false);
        return;
    }
    secret_set(&l->token, token->data, token->len);
    if (l->step != LINK_ONLINE) {
        open_now(l);
        return;
    }
    l->step = LINK_DRAIN;
    l->drain_ms = clock_mono_ms() + DRAIN_MS;
    edge_link_settle(l);
}

void edge_link_needed(struct edge_link *l)
{
    uint64_t since = clock_mono_ms() - l->attempt_ms;

    if (l->step == LINK_REST)
        attempt(l);
    else if (l->step == LINK_PAUSE)
        edge_link_retry(l, since < AGAIN_MS ? AGAIN_MS - since : 0);
}

void edge_link_retry(struct edge_link *l, uint64_t pause)
{
    if (l->step == LINK_PAUSE && uv_timer_get_due_in(&l->timer) > pause)
        wait_ms(l, pause);
}

/* ---- while it is open ---- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return b && b < a ? b : a;
}

/* Sets the timer for what comes next. */
static void watch(struct edge_link *l, uint64_t now)
{
    uint64_t next = l->step == LINK_DRAIN ? l->drain_ms : l->renew_ms;

    next = earlier(next, l->idle_ms);
    next = earlier(next, l->n_flight ? l->flight[0].sent_ms + PUBACK_MS : 0);
    wait_ms(l, next > now ? next - now : 0);
}

/* A token that comes later would open a second connection beside this one. */
static void close_for(struct edge_link *l, enum edge_link_step step)
{
    edge_workload_cancel(steal(l->asking));
    (void)uv_timer_stop(&l->timer);
    l->step = step;
    mqtt_client_close(l->mqtt);
}

void edge_link_settle(struct edge_link *l)
{
    uint64_t now = clock_mono_ms();

    if (l->step == LINK_DRAIN &&
        ((!l->n_flight && !l->n_sent && !l->n_taken) || now >= l->drain_ms)) {
        close_for(l, LINK_RENEW);
    } else if (l->step == LINK_ONLINE || l->step == LINK_DRAIN) {
        if (needed(l))
            l->idle_ms = 0;
        else if (!l->idle_ms)
            l->idle_ms = now + IDLE_MS;
        watch(l, now);
    }
}

static void on_online_timer(struct edge_link *l)
{
    uint64_t now = clock_mono_ms();
    struct err err;

    if (l->n_flight && now >= l->flight[0].sent_ms + PUBACK_MS) {
        err_set(&err, ERR_UNREACHABLE, "the cloud does not acknowledge messages");
        failed(l, &err, false);
    } else if (l->idle_ms && now >= l->idle_ms) {
        close_for(l, LINK_LEAVE);
    } else if (now >= l->renew_ms && !l->asking) {
        l->renew_ms = now + RENEW_AGAIN_MS;
        edge_link_settle(l);
        edge_link_ask_token(l);
    } else {
        edge_link_settle(l);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct edge_link *l = timer->data;

    if (l->step == LINK_ONLINE) {
        on_online_timer(l);
    } else if (l->step == LINK_DRAIN) {
        edge_link_settle(l);
    } else if (l->step == LINK_PAUSE && needed(l)) {
        attempt(l);
    } else if (l->step == LINK_PAUSE) {
        l->step = LINK_REST;
    }
}

/* ---- life ---- */

struct edge_link *edge_link_new(struct edge_upstream *u, const char *device, const char *module)
{
    struct edge_link *l = xcalloc(1, sizeof(*l));

    l->upstream = u;
    l->device = xstrdup(device);
    l->module = xstrdup(module);
    l->id = xasprintf("%s%s%s", device, module[0] ? "/" : "", module);
    l->model = xstrdup("");
    (void)uv_timer_init(u->edge->loop, &l->timer);
    l->timer.data = l;
    return l;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct edge_link *l = handle->data;

    free(l->device);
    free(l->module);
    free(l->id);
    free(l->model);
    free(l);
}

void edge_link_free(struct edge_link *l)
{
    edge_workload_cancel(l->asking);
    mqtt_client_free(l->mqtt);
    secret_wipe(&l->token);
    uv_close((uv_handle_t *)&l->timer, on_timer_closed);
}
