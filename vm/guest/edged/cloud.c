/* See cloud.h. Steps: device (provisioning) -> its agent's identity (REST) -> MQTT connect -> twin.
 */
#include "vm/guest/edged/cloud_private.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/random.h"
#include "core/base/str.h"
#include "core/io/tls_stream.h"
#include "core/io/websocket_stream.h"

#include <malloc.h>
#include <string.h>

#define MODULE           IDENTITY_AGENT
#define MQTT_PORT        8883
#define WEBSOCKET_PATH   "/$iothub/websocket"
#define API_VERSION      "2021-04-12"
#define KEEP_ALIVE_S     240
#define TOKEN_S          3600
#define RENEW_MS         (TOKEN_S * 800ULL) /* at four fifths of its life */
#define PAUSE_MIN_MS     1000
#define PAUSE_MAX_MS     60000
#define PAUSE_REFUSED_MS 300000

static const char *const word_names[] = {
    [CLOUD_CONNECTING] = "connecting",
    [CLOUD_CONNECTED] = "connected",
    [CLOUD_DISCONNECTED] = "disconnected",
    [CLOUD_REFUSED] = "refused",
};
_Static_assert(ARRAY_LEN(word_names) == CLOUD_WORD_COUNT, "a name for each word");

static void on_timer(uv_timer_t *timer);

const char *cloud_word_name(enum cloud_word word)
{
    return (unsigned)word < CLOUD_WORD_COUNT ? word_names[word] : "disconnected";
}

const struct device *cloud_device(const struct cloud *c)
{
    return device_known(&c->device) ? &c->device : NULL;
}

struct identity *cloud_identity(const struct cloud *c)
{
    return c ? c->identity : NULL;
}

struct cloud_state cloud_state(const struct cloud *c)
{
    return (struct cloud_state){.word = c->word, .since_ms = c->since_ms, .error = c->error};
}

/* ------------------------------------------------------------------------------- states */

static void set_word(struct cloud *c, enum cloud_word word, const struct err *why)
{
    char text[sizeof(c->error)] = "";
    if (why)
        (void)str_format(text, sizeof(text), "%s%s%s%s", why->msg, *why->hint ? " (" : "",
                         why->hint, *why->hint ? ")" : "");
    if (word == c->word && str_eq(text, c->error))
        return;
    if (word != c->word)
        c->since_ms = clock_wall_ms();
    c->word = word;
    STR_SET(c->error, text);
    if (why)
        log_warn("cloud", "%s: %s", cloud_word_name(word), text);
    else
        log_info("cloud", "%s", cloud_word_name(word));
    c->events->on_state(c->arg);
}

/* Doubles from 1 s; the actual pause is a random part of its upper half, so that a thousand devices
 * do not come back at once. */
static uint64_t pause_ms(const struct cloud *c, bool was_refused)
{
    uint64_t limit = was_refused ? PAUSE_REFUSED_MS : PAUSE_MAX_MS;
    uint64_t pause = was_refused ? 5 * PAUSE_MIN_MS : PAUSE_MIN_MS;
    for (unsigned i = 0; i < c->failures && pause < limit; i++)
        pause *= 2;
    pause = pause < limit ? pause : limit;
    return pause / 2 + random_below(pause / 2 + 1);
}

/* What was known of the device may not hold any more. */
static void doubt(struct cloud *c, const struct err *why)
{
    if (why->kind != ERR_REMOTE && why->kind != ERR_NOT_FOUND)
        return;
    if (c->step == STEP_IDENTITY)
        provisioning_doubt(c->provisioning, PROVISIONING_IDENTITY_REFUSED);
    else if (c->step == STEP_CONNECT)
        provisioning_doubt(c->provisioning, PROVISIONING_CONNECTION_REFUSED);
}

static void attempt_failed(struct cloud *c, const struct err *why)
{
    struct err copy = *why;
    if (why->kind == ERR_AUTH && !*why->hint)
        err_hint(&copy, "is trust_bundle_cert set to the CA of this hub?");
    why = &copy;
    doubt(c, why);
    bool was_refused = why->kind == ERR_REMOTE || why->kind == ERR_NOT_FOUND;
    uint64_t pause = pause_ms(c, was_refused);
    c->failures += c->failures < 16;
    c->step = STEP_PAUSE;
    cloud_twin_reset(c);
    (void)uv_timer_start(c->timer, on_timer, pause, 0);
    set_word(c, was_refused ? CLOUD_REFUSED : CLOUD_DISCONNECTED, why);
}

static void begin(struct cloud *c)
{
    c->step = STEP_DEVICE;
    provisioning_get(c->provisioning);
}

/* ------------------------------------------------------------------------------- connecting */

static int open_mqtt(struct cloud *c, struct err *err)
{
    auto_secret struct secret token = {0};
    auto_free char *resource =
        xasprintf("%s/devices/%s/modules/" MODULE, c->device.hub, c->device.id);
    const struct keys_signer key = {c->o.keys, &c->key};
    const struct sas_signer signer = {keys_signer_sign, &key};
    if (sas_make_with(&signer, resource, clock_wall_ms() / 1000 + TOKEN_S, NULL, &token, err) < 0)
        return -1;
    return mqtt_client_open(c->mqtt, &token, err);
}

static void connect_now(struct cloud *c)
{
    struct err err;
    c->step = STEP_CONNECT;
    if (open_mqtt(c, &err) < 0)
        attempt_failed(c, &err);
}

static void on_identity(void *arg, const char *generation, const struct err *err)
{
    struct cloud *c = arg;
    struct err too_long;
    if (!err && !keys_module(&c->key, MODULE, generation, "primary")) {
        err_set(&too_long, ERR_PROTOCOL, "the hub's generation of " MODULE " is too long");
        err = &too_long;
    }
    if (err)
        attempt_failed(c, err);
    else
        connect_now(c);
}

static int bind_device(struct cloud *c, const struct device *device, struct err *err);

static void on_device(void *arg, const struct device *device, const struct err *error)
{
    struct cloud *c = arg;
    struct err err;
    if (error) {
        attempt_failed(c, error);
        return;
    }
    if (device_known(&c->device) && !device_same(&c->device, device)) {
        c->events->on_device(c->arg, device);
        return;
    }
    if (!c->identity) {
        if (bind_device(c, device, &err) < 0) {
            attempt_failed(c, &err);
            return;
        }
        c->events->on_device(c->arg, device);
    }
    c->step = STEP_IDENTITY;
    if (identity_ask(c->identity, IDENTITY_GET, MODULE, on_identity, c, &err) < 0)
        attempt_failed(c, &err);
}

static void on_open(void *arg)
{
    struct cloud *c = arg;
    struct err err;
    c->step = STEP_ONLINE;
    c->failures = 0;
    (void)uv_timer_start(c->timer, on_timer, RENEW_MS, 0);
    if (cloud_twin_subscribe(c, &err) < 0) {
        log_warn("cloud", "%s", err.msg);
        mqtt_client_close(c->mqtt);
        return;
    }
    set_word(c, CLOUD_CONNECTED, NULL);
    cloud_get_twin(c);
    (void)malloc_trim(0); /* what the key exchange needed is not needed again for most of an hour */
}

static void on_close(void *arg, const struct err *why)
{
    struct cloud *c = arg;
    struct err err;
    if (c->step == STEP_RENEW && !why) {
        connect_now(c);
        return;
    }
    if (!why) {
        err_set(&err, ERR_UNREACHABLE, "the connection was closed");
        why = &err;
    }
    attempt_failed(c, why);
}

static void on_timer(uv_timer_t *timer)
{
    struct cloud *c = timer->data;
    if (c->step == STEP_PAUSE) {
        begin(c);
    } else if (c->step == STEP_ONLINE) {
        log_info("cloud", "renewing the token");
        c->step = STEP_RENEW;
        cloud_twin_reset(c);
        mqtt_client_close(c->mqtt);
    }
}

/* ------------------------------------------------------------------------------- life */

static uv_timer_t *timer_new(struct cloud *c)
{
    uv_timer_t *timer = xcalloc(1, sizeof(*timer));
    (void)uv_timer_init(c->loop, timer);
    timer->data = c;
    return timer;
}

static int make_mqtt(struct cloud *c, struct err *err)
{
    static const struct mqtt_client_events events = {
        .on_open = on_open, .on_message = cloud_twin_message, .on_close = on_close};
    const struct device *d = &c->device;
    auto_free char *client_id = xasprintf("%s/" MODULE, d->id);
    auto_free char *username =
        xasprintf("%s/%s/" MODULE "/?api-version=" API_VERSION, d->hub, d->id);
    c->dialer = dialer_tls_new(c->loop, c->o.config->trust_bundle, c->o.config->proxy, err);
    if (!c->dialer)
        return -1;
    if (c->o.config->websocket)
        c->websocket = dialer_websocket_new(c->dialer, WEBSOCKET_PATH, "mqtt");
    const struct mqtt_client_options options = {
        .dialer = c->websocket ? c->websocket : c->dialer,
        .host = d->hub,
        .port = c->websocket ? c->o.https_port
                : d->port    ? d->port
                             : MQTT_PORT,
        .client_id = client_id,
        .username = username,
        .keep_alive_s = KEEP_ALIVE_S,
    };
    c->mqtt = mqtt_client_new(c->loop, &options, &events, c);
    return 0;
}

/* From now on the device stays the same until the end of this process. */
static int bind_device(struct cloud *c, const struct device *device, struct err *err)
{
    c->device = *device;
    const struct identity_options options = {
        .config = c->o.config,
        .credential = c->o.credential,
        .keys = c->o.keys,
        .device = &c->device,
        .https_port = c->o.https_port,
        .state_dir = c->o.state_dir,
    };
    if (make_mqtt(c, err) == 0)
        c->identity = identity_new(c->loop, &options, err);
    if (c->identity)
        return 0;
    mqtt_client_free(steal(c->mqtt));
    dialer_websocket_free(steal(c->websocket));
    dialer_tls_free(steal(c->dialer));
    c->device = (struct device){0};
    return -1;
}

/* What was refused for a token with the wrong time is tried again. */
static void on_clock_set(void *arg)
{
    struct cloud *c = arg;
    if (c->step == STEP_PAUSE && uv_timer_get_due_in(c->timer) > PAUSE_MIN_MS)
        (void)uv_timer_start(c->timer, on_timer, PAUSE_MIN_MS, 0);
}

struct cloud *cloud_new(uv_loop_t *loop, const struct cloud_options *options,
                        const struct cloud_events *events, void *arg, struct err *err)
{
    struct cloud *c = xcalloc(1, sizeof(*c));
    c->loop = loop;
    c->o = *options;
    c->events = events;
    c->arg = arg;
    c->word = CLOUD_CONNECTING;
    c->since_ms = clock_wall_ms();
    c->timer = timer_new(c);
    c->answer = timer_new(c);
    c->clock = clock_watch_new(loop, on_clock_set, c);
    c->provisioning = provisioning_new(loop, options->config, options->credential,
                                       options->state_dir, on_device, c);
    const struct device *known = provisioning_known(c->provisioning);
    if (known && bind_device(c, known, err) < 0) {
        cloud_free(c);
        return NULL;
    }
    c->step = STEP_PAUSE;
    (void)uv_timer_start(c->timer, on_timer, 0, 0);
    return c;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

void cloud_free(struct cloud *c)
{
    if (!c)
        return;
    mqtt_client_free(c->mqtt);
    dialer_websocket_free(c->websocket);
    dialer_tls_free(c->dialer);
    clock_watch_free(c->clock);
    identity_free(c->identity);
    provisioning_free(c->provisioning);
    uv_close((uv_handle_t *)c->timer, on_closed);
    uv_close((uv_handle_t *)c->answer, on_closed);
    free(c);
}
