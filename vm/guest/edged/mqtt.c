/* See mqtt.h. The queue between Paho's threads and the loop is the only thing that both touch. */
#include "vm/guest/edged/mqtt.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <MQTTAsync.h>
#include <pthread.h>
#include <string.h>

#define CONNECT_TIMEOUT_S 30
#define QUEUE_MAX                                                                                 \
    (4U << 20) /* bytes of messages that wait for the loop; more are dropped, which twin versions \
                  show */
#define CLOSE_MS 2000

enum event_kind { EVENT_OPEN, EVENT_MESSAGE, EVENT_CLOSE, EVENT_STALE };

struct event {
    struct event *next;
    enum event_kind kind;
    unsigned attempt; /* that it belongs to */
    struct err why;   /* CLOSE; kind ERR_NONE: orderly */
    char *topic;
    size_t len;
    char data[];
};

struct mqtt {
    MQTTAsync client;
    uv_async_t *wake;
    const struct mqtt_events *events;
    void *arg;
    char *target; /* "host:port" */
    char *username;
    char *ca_file;
    char *proxy;
    int keep_alive_s;

    pthread_mutex_t lock; /* for what follows */
    struct event *first, **last;
    size_t queued;
    unsigned attempt;
    char tls_error[200]; /* what OpenSSL said in this attempt */
};

/* ------------------------------------------------------------------------------- Paho's threads */

static void push(struct mqtt *m, struct event *take)
{
    pthread_mutex_lock(&m->lock);
    take->attempt = m->attempt;
    take->next = NULL;
    *m->last = take;
    m->last = &take->next;
    m->queued += take->len;
    pthread_mutex_unlock(&m->lock);
    (void)uv_async_send(m->wake);
}

static struct event *event_new(enum event_kind kind, size_t len)
{
    struct event *e = xcalloc(1, sizeof(*e) + len + 1);
    e->kind = kind;
    e->len = len;
    return e;
}

static int on_message(void *arg, char *topic, int topic_len, MQTTAsync_message *message)
{
    struct mqtt *m = arg;
    pthread_mutex_lock(&m->lock);
    bool room = m->queued < QUEUE_MAX;
    pthread_mutex_unlock(&m->lock);
    if (room && message->payloadlen >= 0) {
        struct event *e = event_new(EVENT_MESSAGE, (size_t)message->payloadlen);
        e->topic = topic_len ? xstrndup(topic, (size_t)topic_len) : xstrdup(topic);
        if (e->len)
            memcpy(e->data, message->payload, e->len);
        push(m, e);
    }
    MQTTAsync_freeMessage(&message);
    MQTTAsync_free(topic);
    return 1;
}

static void on_connected(void *arg, MQTTAsync_successData *data)
{
    (void)data;
    push(arg, event_new(EVENT_OPEN, 0));
}

static int on_tls_error(const char *text, size_t len, void *arg)
{
    struct mqtt *m = arg;
    pthread_mutex_lock(&m->lock);
    if (!m->tls_error[0])
        (void)str_format(m->tls_error, sizeof(m->tls_error), "%.*s", (int)strcspn(text, "\n"),
                         text);
    pthread_mutex_unlock(&m->lock);
    return (int)len;
}

/* CONNACK's return codes. */
static const char *refusal(int code)
{
    switch (code) {
    case 1:
        return "wrong protocol version";
    case 2:
        return "client id rejected";
    case 3:
        return NULL; /* server unavailable: not a refusal */
    case 4:
        return "bad user name or password";
    case 5:
        return "not authorised";
    default:
        return NULL;
    }
}

static void explain(struct mqtt *m, int code, const char *message, struct err *why)
{
    const char *text = refusal(code);
    pthread_mutex_lock(&m->lock);
    if (text)
        err_set(why, ERR_REMOTE, "the hub refused the connection: %s", text);
    else if (code == 3)
        err_set(why, ERR_UNREACHABLE, "the hub is not available at the moment");
    else if (strstr(m->tls_error, "certificate verify failed"))
        err_set(why, ERR_AUTH, "the hub's certificate is not trusted");
    else if (m->tls_error[0])
        err_set(why, ERR_UNREACHABLE, "TLS with %s: %s", m->target, m->tls_error);
    else
        err_set(why, ERR_UNREACHABLE, "no MQTT connection to %s: %s", m->target,
                message ? message : "it failed");
    pthread_mutex_unlock(&m->lock);
}

static void on_failed(void *arg, MQTTAsync_failureData *data)
{
    struct event *e = event_new(EVENT_CLOSE, 0);
    explain(arg, data ? data->code : 0, data ? data->message : NULL, &e->why);
    push(arg, e);
}

static void on_lost(void *arg, char *cause)
{
    struct event *e = event_new(EVENT_CLOSE, 0);
    err_set(&e->why, ERR_UNREACHABLE, "the connection was lost%s%s", cause ? ": " : "",
            cause ? cause : "");
    push(arg, e);
}

static void on_disconnected(void *arg, MQTTAsync_successData *data)
{
    (void)data;
    push(arg, event_new(EVENT_CLOSE, 0));
}

static void on_disconnect_failed(void *arg, MQTTAsync_failureData *data)
{
    (void)data;
    push(arg, event_new(EVENT_CLOSE, 0));
}

/* ------------------------------------------------------------------------------- loop */

static struct event *pop(struct mqtt *m)
{
    pthread_mutex_lock(&m->lock);
    struct event *e = m->first;
    if (e) {
        m->first = e->next;
        m->queued -= e->len;
        if (!m->first)
            m->last = &m->first;
        if (e->attempt != m->attempt)
            e->kind = EVENT_STALE; /* of an attempt that is over */
    }
    pthread_mutex_unlock(&m->lock);
    return e;
}

static void event_free(struct event *e)
{
    free(e->topic);
    free(e);
}

static void end_attempt(struct mqtt *m)
{
    pthread_mutex_lock(&m->lock);
    m->attempt++;
    pthread_mutex_unlock(&m->lock);
}

static void deliver(struct mqtt *m, const struct event *e)
{
    if (e->kind == EVENT_OPEN) {
        m->events->on_open(m->arg);
    } else if (e->kind == EVENT_MESSAGE) {
        m->events->on_message(m->arg, e->topic, e->data, e->len);
    } else if (e->kind == EVENT_CLOSE) {
        end_attempt(m);
        m->events->on_close(m->arg, e->why.kind == ERR_NONE ? NULL : &e->why);
    }
}

static void on_wake(uv_async_t *wake)
{
    struct mqtt *m = wake->data;
    for (struct event *e; (e = pop(m));) {
        deliver(m, e);
        event_free(e);
    }
}

static int paho_err(struct err *err, int code, const char *what)
{
    return err_set(err, ERR_UNREACHABLE, "%s: %s", what, MQTTAsync_strerror(code));
}

int mqtt_open(struct mqtt *m, const struct secret *password, struct err *err)
{
    MQTTAsync_SSLOptions tls = MQTTAsync_SSLOptions_initializer;
    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
    tls.trustStore = *m->ca_file ? m->ca_file : NULL;
    tls.CApath = *m->ca_file ? "/etc/ssl/certs" : NULL; /* else: the system's store by default */
    tls.enableServerCertAuth = 1;
    tls.verify = 1;
    tls.sslVersion = MQTT_SSL_VERSION_DEFAULT;
    tls.ssl_error_cb = on_tls_error;
    tls.ssl_error_context = m;

    options.keepAliveInterval = m->keep_alive_s;
    options.cleansession = 1;
    options.MQTTVersion = MQTTVERSION_3_1_1;
    options.connectTimeout = CONNECT_TIMEOUT_S;
    options.username = m->username;
    options.password = password->data;
    options.ssl = &tls;
    options.onSuccess = on_connected;
    options.onFailure = on_failed;
    options.context = m;
    options.httpsProxy = *m->proxy ? m->proxy : NULL;

    pthread_mutex_lock(&m->lock);
    m->attempt++;
    m->tls_error[0] = '\0';
    pthread_mutex_unlock(&m->lock);
    int code = MQTTAsync_connect(m->client, &options);
    return code == MQTTASYNC_SUCCESS ? 0 : paho_err(err, code, "connect");
}

void mqtt_close(struct mqtt *m)
{
    MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer;
    options.timeout = CLOSE_MS;
    options.onSuccess = on_disconnected;
    options.onFailure = on_disconnect_failed;
    options.context = m;
    if (MQTTAsync_disconnect(m->client, &options) != MQTTASYNC_SUCCESS)
        push(m, event_new(EVENT_CLOSE, 0));
}

int mqtt_subscribe(struct mqtt *m, const char *const *topics, int n, struct err *err)
{
    for (int i = 0; i < n; i++) {
        int code = MQTTAsync_subscribe(m->client, topics[i], 0, NULL);
        if (code != MQTTASYNC_SUCCESS)
            return paho_err(err, code, "subscribe");
    }
    return 0;
}

int mqtt_publish(struct mqtt *m, const char *topic, const void *data, size_t len, struct err *err)
{
    int code = MQTTAsync_send(m->client, topic, (int)len, data, 0, 0, NULL);
    return code == MQTTASYNC_SUCCESS ? 0 : paho_err(err, code, "publish");
}

/* ------------------------------------------------------------------------------- life */

struct mqtt *mqtt_new(uv_loop_t *loop, const struct mqtt_options *options,
                      const struct mqtt_events *events, void *arg, struct err *err)
{
    struct mqtt *m = xcalloc(1, sizeof(*m));
    auto_free char *uri = xasprintf("ssl://%s:%u", options->host, options->port);
    int code =
        MQTTAsync_create(&m->client, uri, options->client_id, MQTTCLIENT_PERSISTENCE_NONE, NULL);
    if (code != MQTTASYNC_SUCCESS) {
        free(m);
        paho_err(err, code, uri);
        return NULL;
    }
    const char *proxy = options->proxy; /* Paho wants it without a scheme */
    m->target = xasprintf("%s:%u", options->host, options->port);
    m->proxy = xstrdup(proxy + (str_starts(proxy, "http://") ? strlen("http://") : 0));
    m->username = xstrdup(options->username);
    m->ca_file = xstrdup(options->ca_file);
    m->keep_alive_s = (int)options->keep_alive_s;
    m->events = events;
    m->arg = arg;
    m->last = &m->first;
    (void)pthread_mutex_init(&m->lock, NULL);
    m->wake = xcalloc(1, sizeof(*m->wake));
    (void)uv_async_init(loop, m->wake, on_wake);
    m->wake->data = m;
    (void)MQTTAsync_setCallbacks(m->client, m, on_lost, on_message, NULL);
    return m;
}

static void on_wake_closed(uv_handle_t *handle)
{
    free(handle);
}

void mqtt_free(struct mqtt *m)
{
    if (!m)
        return;
    MQTTAsync_destroy(&m->client); /* no callback after this */
    for (struct event *e; (e = pop(m));)
        event_free(e);
    uv_close((uv_handle_t *)m->wake, on_wake_closed);
    (void)pthread_mutex_destroy(&m->lock);
    free(m->target);
    free(m->username);
    free(m->ca_file);
    secret_free(m->proxy);
    free(m);
}
