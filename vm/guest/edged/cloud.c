/* See cloud.h. Steps: key (REST) -> name look-up -> MQTT connect -> twin. Paho resolves names under
 * a lock that would hold up the loop; so a name is only handed to it when it was just found to
 * resolve. */
#include "vm/guest/edged/cloud.h"

#include "core/azure/sas.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/edged/identity.h"
#include "vm/guest/edged/mqtt.h"

#include <malloc.h>
#include <string.h>
#include <sys/random.h>

#define MODULE           "$edgeAgent"
#define MQTT_PORT        8883
#define API_VERSION      "2021-04-12"
#define KEEP_ALIVE_S     240
#define TOKEN_S          3600
#define RENEW_MS         (TOKEN_S * 800ULL) /* at four fifths of its life */
#define PAUSE_MIN_MS     1000
#define PAUSE_MAX_MS     60000
#define PAUSE_REFUSED_MS 300000
#define ANSWER_MS        60000
#define TWIN_RETRY_MS    5000

enum step { STEP_PAUSE, STEP_IDENTITY, STEP_RESOLVE, STEP_CONNECT, STEP_ONLINE, STEP_RENEW };

struct cloud {
    uv_loop_t *loop;
    const struct config *config;
    struct identity *identity;
    struct mqtt *mqtt;
    uv_timer_t *timer;  /* pause, or renewal */
    uv_timer_t *answer; /* the hub owes a twin or the answer to a report */
    uv_getaddrinfo_t *resolving;
    struct secret key;
    const struct cloud_events *events;
    void *arg;

    enum step step;
    unsigned failures;
    unsigned rid;        /* of the last request */
    unsigned twin_rid;   /* waited for; 0 none */
    unsigned report_rid; /* waited for; 0 none */

    enum cloud_word word;
    uint64_t since_ms;
    char error[400];
};

static const char *const word_names[] = {
    [CLOUD_CONNECTING] = "connecting",
    [CLOUD_CONNECTED] = "connected",
    [CLOUD_DISCONNECTED] = "disconnected",
    [CLOUD_REFUSED] = "refused",
};
_Static_assert(ARRAY_LEN(word_names) == CLOUD_WORD_COUNT, "a name for each word");

static const char *const topics[] = {"$iothub/twin/res/#",
                                     "$iothub/twin/PATCH/properties/desired/#"};

static void on_timer(uv_timer_t *timer);
static void on_answer_late(uv_timer_t *timer);

const char *cloud_word_name(enum cloud_word word)
{
    return (unsigned)word < CLOUD_WORD_COUNT ? word_names[word] : "disconnected";
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
    uint32_t random = 0;
    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
        random = (uint32_t)clock_mono_ms();
    return pause / 2 + random % (pause / 2 + 1);
}

static void attempt_failed(struct cloud *c, const struct err *why)
{
    struct err copy = *why;
    if (why->kind == ERR_AUTH && !*why->hint)
        err_hint(&copy, "is trust_bundle_cert set to the CA of this hub?");
    why = &copy;
    bool was_refused = why->kind == ERR_REMOTE || why->kind == ERR_NOT_FOUND;
    uint64_t pause = pause_ms(c, was_refused);
    c->failures += c->failures < 16;
    c->step = STEP_PAUSE;
    c->twin_rid = c->report_rid = 0;
    (void)uv_timer_stop(c->answer);
    (void)uv_timer_start(c->timer, on_timer, pause, 0);
    set_word(c, was_refused ? CLOUD_REFUSED : CLOUD_DISCONNECTED, why);
}

static void begin(struct cloud *c)
{
    c->step = STEP_IDENTITY;
    identity_get(c->identity);
}

/* ------------------------------------------------------------------------------- connecting */

static int open_mqtt(struct cloud *c, struct err *err)
{
    auto_secret struct secret token = {0};
    auto_free char *resource =
        xasprintf("%s/devices/%s/modules/" MODULE, c->config->hub.host, c->config->hub.device_id);
    if (sas_make(resource, c->key.data, clock_wall_ms() / 1000 + TOKEN_S, NULL, &token, err) < 0)
        return -1;
    return mqtt_open(c->mqtt, &token, err);
}

static void connect_now(struct cloud *c)
{
    struct err err;
    c->step = STEP_CONNECT;
    if (open_mqtt(c, &err) < 0)
        attempt_failed(c, &err);
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *addresses)
{
    struct cloud *c = req->data;
    free(req);
    if (addresses)
        uv_freeaddrinfo(addresses);
    if (!c)
        return; /* freed meanwhile */
    c->resolving = NULL;
    if (status == 0) {
        connect_now(c);
        return;
    }
    struct err err;
    err_set(&err, ERR_UNREACHABLE, "the name %s cannot be resolved: %s", c->config->hub.host,
            uv_strerror(status));
    err_hint(&err, "check DNS and the network");
    attempt_failed(c, &err);
}

static void resolve(struct cloud *c)
{
    c->step = STEP_RESOLVE;
    if (*c->config->proxy) { /* names are the proxy's business */
        connect_now(c);
        return;
    }
    c->resolving = xcalloc(1, sizeof(*c->resolving));
    c->resolving->data = c;
    int status =
        uv_getaddrinfo(c->loop, c->resolving, on_resolved, c->config->hub.host, NULL, NULL);
    if (status < 0)
        on_resolved(c->resolving, status, NULL);
}

static void on_identity(void *arg, const struct secret *key, const struct err *err)
{
    struct cloud *c = arg;
    if (err) {
        attempt_failed(c, err);
        return;
    }
    secret_set(&c->key, key->data, key->len);
    resolve(c);
}

static void on_open(void *arg)
{
    struct cloud *c = arg;
    struct err err;
    c->step = STEP_ONLINE;
    c->failures = 0;
    (void)uv_timer_start(c->timer, on_timer, RENEW_MS, 0);
    if (mqtt_subscribe(c->mqtt, topics, (int)ARRAY_LEN(topics), &err) < 0) {
        log_warn("cloud", "%s", err.msg);
        mqtt_close(c->mqtt);
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
        c->twin_rid = c->report_rid = 0;
        (void)uv_timer_stop(c->answer);
        mqtt_close(c->mqtt);
    }
}

/* ------------------------------------------------------------------------------- twin */

static void on_answer_late(uv_timer_t *timer)
{
    struct cloud *c = timer->data;
    bool report = c->report_rid != 0, twin = c->twin_rid != 0;
    c->report_rid = c->twin_rid = 0;
    if (report)
        c->events->on_reported(c->arg, false);
    if (twin)
        cloud_get_twin(c);
}

static unsigned next_rid(struct cloud *c)
{
    c->rid = c->rid == 0xffffff ? 1 : c->rid + 1;
    return c->rid;
}

static bool send_message(struct cloud *c, const char *topic, const void *data, size_t len)
{
    struct err err;
    if (mqtt_publish(c->mqtt, topic, data, len, &err) == 0)
        return true;
    log_warn("cloud", "%s", err.msg);
    return false;
}

void cloud_get_twin(struct cloud *c)
{
    char topic[64];
    if (c->step != STEP_ONLINE)
        return;
    c->twin_rid = next_rid(c);
    (void)str_format(topic, sizeof(topic), "$iothub/twin/GET/?$rid=%u", c->twin_rid);
    (void)send_message(c, topic, " ", 1);
    (void)uv_timer_start(c->answer, on_answer_late, ANSWER_MS, 0);
}

bool cloud_report(struct cloud *c, const char *text, size_t len)
{
    char topic[96];
    if (c->step != STEP_ONLINE || c->report_rid)
        return false;
    unsigned rid = next_rid(c);
    (void)str_format(topic, sizeof(topic), "$iothub/twin/PATCH/properties/reported/?$rid=%u", rid);
    if (!send_message(c, topic, text, len))
        return false;
    c->report_rid = rid;
    (void)uv_timer_start(c->answer, on_answer_late, ANSWER_MS, 0);
    return true;
}

void cloud_report_last(struct cloud *c, const char *text, size_t len)
{
    c->report_rid = 0;
    (void)cloud_report(c, text, len);
}

/* "$iothub/twin/res/STATUS/?$rid=N..." */
static bool parse_answer(const char *topic, unsigned *ret_status, unsigned *ret_rid)
{
    static const char prefix[] = "$iothub/twin/res/";
    char number[16];
    uint64_t status = 0, rid = 0;
    if (!str_starts(topic, prefix))
        return false;
    const char *at = topic + strlen(prefix);
    (void)str_format(number, sizeof(number), "%.*s", (int)strcspn(at, "/"), at);
    const char *query = strstr(at, "$rid=");
    if (!query || !str_to_u64(number, 999, &status))
        return false;
    query += strlen("$rid=");
    (void)str_format(number, sizeof(number), "%.*s", (int)strcspn(query, "&"), query);
    if (!str_to_u64(number, 0xffffff, &rid))
        return false;
    *ret_status = (unsigned)status;
    *ret_rid = (unsigned)rid;
    return true;
}

static void on_twin_answer(struct cloud *c, unsigned status, const char *data, size_t len)
{
    if (status == 200) {
        c->twin_rid = 0;
        c->events->on_twin(c->arg, data, len);
    } else { /* throttled or in trouble: on_answer_late asks again */
        log_warn("cloud", "the hub answered %u to the request for the twin", status);
        (void)uv_timer_start(c->answer, on_answer_late, TWIN_RETRY_MS, 0);
    }
}

static void on_report_answer(struct cloud *c, unsigned status, const char *data, size_t len)
{
    c->report_rid = 0;
    if (status >= 300) {
        char text[200];
        (void)str_format(text, sizeof(text), "%.*s", (int)(len < 190 ? len : 190), data);
        log_warn("cloud", "the hub answered %u to the report: %s", status, text);
    }
    c->events->on_reported(c->arg, status < 300);
}

static void on_message(void *arg, const char *topic, const char *data, size_t len)
{
    struct cloud *c = arg;
    unsigned status = 0, rid = 0;
    if (str_starts(topic, "$iothub/twin/PATCH/properties/desired/")) {
        c->events->on_patch(c->arg, data, len);
        return;
    }
    if (!parse_answer(topic, &status, &rid))
        return;
    if (rid == c->twin_rid)
        on_twin_answer(c, status, data, len);
    else if (rid == c->report_rid)
        on_report_answer(c, status, data, len);
    if (!c->twin_rid && !c->report_rid)
        (void)uv_timer_stop(c->answer);
}

/* ------------------------------------------------------------------------------- life */

static uv_timer_t *timer_new(struct cloud *c)
{
    uv_timer_t *timer = xcalloc(1, sizeof(*timer));
    (void)uv_timer_init(c->loop, timer);
    timer->data = c;
    return timer;
}

static struct mqtt *make_mqtt(struct cloud *c, struct err *err)
{
    static const struct mqtt_events events = {on_open, on_message, on_close};
    const struct connstr *hub = &c->config->hub;
    auto_free char *client_id = xasprintf("%s/" MODULE, hub->device_id);
    auto_free char *username =
        xasprintf("%s/%s/" MODULE "/?api-version=" API_VERSION, hub->host, hub->device_id);
    const struct mqtt_options options = {
        .host = hub->host,
        .port = hub->port ? hub->port : MQTT_PORT,
        .client_id = client_id,
        .username = username,
        .ca_file = c->config->trust_bundle,
        .proxy = c->config->proxy,
        .keep_alive_s = KEEP_ALIVE_S,
    };
    return mqtt_new(c->loop, &options, &events, c, err);
}

struct cloud *cloud_new(uv_loop_t *loop, const struct config *config, uint16_t https_port,
                        const char *state_dir, const struct cloud_events *events, void *arg,
                        struct err *err)
{
    struct cloud *c = xcalloc(1, sizeof(*c));
    c->loop = loop;
    c->config = config;
    c->events = events;
    c->arg = arg;
    c->word = CLOUD_CONNECTING;
    c->since_ms = clock_wall_ms();
    c->timer = timer_new(c);
    c->answer = timer_new(c);
    c->mqtt = make_mqtt(c, err);
    if (c->mqtt)
        c->identity = identity_new(loop, config, https_port, state_dir, on_identity, c, err);
    if (!c->identity) {
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
    if (c->resolving) {
        c->resolving->data = NULL;
        (void)uv_cancel((uv_req_t *)c->resolving);
    }
    mqtt_free(c->mqtt);
    identity_free(c->identity);
    uv_close((uv_handle_t *)c->timer, on_closed);
    uv_close((uv_handle_t *)c->answer, on_closed);
    secret_wipe(&c->key);
    free(c);
}
