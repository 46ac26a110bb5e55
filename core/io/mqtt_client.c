/* See mqtt_client.h. One timer: until it is open, the attempt's end; then, when to ask the server
 * for a sign of life, and by when it must have come. */
#include "core/io/mqtt_client.h"

#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/io/mqtt_packet.h"

#include <string.h>

#define CONNECT_MS 30000
#define ANSWER_MS  30000 /* to a PINGREQ */
#define CLOSE_MS   2000

enum step { STEP_CLOSED, STEP_CONNECT, STEP_OPEN, STEP_CLOSING };

struct mqtt_client {
    struct dialer *dialer;
    const struct mqtt_client_events *events;
    void *arg;
    char *target; /* "host:port" */
    char *client_id;
    char *username;
    uint16_t keep_alive_s;

    enum step step;
    bool asked; /* for a sign of life */
    struct stream *stream;
    uv_timer_t timer;
    struct buf in;      /* the beginning of a packet */
    uint16_t last_id;   /* of what was published or subscribed */
    uint16_t subscribe; /* the last SUBSCRIBE that is not answered; 0 none */
    uint16_t in_flight[MQTT_CLIENT_IN_FLIGHT];
    unsigned n_in_flight;
};

static void on_timer(uv_timer_t *timer);

/* ------------------------------------------------------------------------------- ends */

static void reset(struct mqtt_client *m)
{
    stream_close(steal(m->stream));
    (void)uv_timer_stop(&m->timer);
    buf_wipe(&m->in);
    m->n_in_flight = 0;
    m->subscribe = 0;
    m->asked = false;
    m->step = STEP_CLOSED;
}

/* Never from inside a call of the owner's. */
static void end(struct mqtt_client *m, const struct err *why)
{
    bool wanted = m->step == STEP_CLOSING;

    reset(m);
    m->events->on_close(m->arg, wanted ? NULL : why);
}

static void lost(struct mqtt_client *m, enum err_kind kind, const char *what)
{
    struct err err;

    err_set(&err, kind, "%s: %s", m->target, what);
    end(m, &err);
}

/* ------------------------------------------------------------------------------- out */

static int send_packet(struct mqtt_client *m, const struct buf *packet, struct err *err)
{
    if (m->step != STEP_OPEN)
        return err_set(err, ERR_UNREACHABLE, "%s: not connected", m->target);
    return stream_write(m->stream, packet->data, packet->len, err);
}

static bool is_in_flight(const struct mqtt_client *m, uint16_t id)
{
    for (unsigned i = 0; i < m->n_in_flight; i++)
        if (m->in_flight[i] == id)
            return true;
    return false;
}

static uint16_t next_id(struct mqtt_client *m)
{
    do
        m->last_id++;
    while (m->last_id == 0 || m->last_id == m->subscribe || is_in_flight(m, m->last_id));
    return m->last_id;
}

int mqtt_client_subscribe(struct mqtt_client *m, const char *const *filters, size_t n, unsigned qos,
                          struct err *err)
{
    auto_buf struct buf packet = {0};
    uint16_t id = next_id(m);

    mqtt_put_subscribe(&packet, id, filters, n, qos);
    if (send_packet(m, &packet, err) < 0)
        return -1;
    m->subscribe = id;
    return 0;
}

int mqtt_client_unsubscribe(struct mqtt_client *m, const char *const *filters, size_t n,
                            struct err *err)
{
    auto_buf struct buf packet = {0};

    mqtt_put_unsubscribe(&packet, next_id(m), filters, n);
    return send_packet(m, &packet, err);
}

int mqtt_client_publish(struct mqtt_client *m, const char *topic, const void *data, size_t len,
                        unsigned qos, uint16_t *ret_token, struct err *err)
{
    auto_wiped_buf struct buf packet = {0};
    uint16_t id = 0;

    if (strlen(topic) > MQTT_TEXT_MAX || len > MQTT_PAYLOAD_MAX)
        return err_set(err, ERR_INVALID, "the message is too large");
    if (qos > 0 && m->n_in_flight == MQTT_CLIENT_IN_FLIGHT)
        return err_set(err, ERR_BUSY, "%s: too many messages are under way", m->target);
    if (qos > 0)
        id = next_id(m);
    mqtt_put_publish(&packet, topic, len, id, false);
    buf_append(&packet, data, len);
    if (send_packet(m, &packet, err) < 0)
        return -1;
    if (id)
        m->in_flight[m->n_in_flight++] = id;
    if (ret_token)
        *ret_token = id;
    return 0;
}

void mqtt_client_took(struct mqtt_client *m, uint16_t id)
{
    auto_buf struct buf packet = {0};

    mqtt_put_puback(&packet, id);
    (void)send_packet(m, &packet, NULL); /* else the connection is at its end: it comes again */
}

/* ------------------------------------------------------------------------------- keep-alive */

/* A sign of life is asked for in time for the server, which counts from our last packet. */
static void rest(struct mqtt_client *m)
{
    m->asked = false;
    if (m->keep_alive_s)
        (void)uv_timer_start(&m->timer, on_timer, m->keep_alive_s * 750ULL, 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct mqtt_client *m = timer->data;
    auto_buf struct buf packet = {0};

    if (m->step != STEP_OPEN) {
        lost(m, ERR_UNREACHABLE, "no MQTT connection in time");
    } else if (m->asked) {
        lost(m, ERR_UNREACHABLE, "the connection was lost: no answer");
    } else {
        mqtt_put_pingreq(&packet);
        (void)send_packet(m, &packet, NULL);
        m->asked = true;
        (void)uv_timer_start(timer, on_timer, ANSWER_MS, 0);
    }
}

/* ------------------------------------------------------------------------------- in */

static const char *refusal(unsigned code)
{
    switch (code) {
    case MQTT_BAD_PROTOCOL:
        return "wrong protocol version";
    case MQTT_BAD_CLIENT_ID:
        return "client id rejected";
    case MQTT_BAD_LOGIN:
        return "bad user name or password";
    case MQTT_NOT_AUTHORIZED:
        return "not authorised";
    default:
        return "for no reason that MQTT knows";
    }
}

static void on_connack(struct mqtt_client *m, unsigned code)
{
    struct err err;

    if (m->step != STEP_CONNECT) {
        lost(m, ERR_PROTOCOL, "a second CONNACK");
    } else if (code == MQTT_UNAVAILABLE) {
        lost(m, ERR_UNREACHABLE, "the hub is not available at the moment");
    } else if (code != MQTT_ACCEPTED) {
        err_set(&err, ERR_REMOTE, "the hub refused the connection: %s", refusal(code));
        end(m, &err);
    } else {
        m->step = STEP_OPEN;
        rest(m);
        if (m->events->on_open)
            m->events->on_open(m->arg);
    }
}

static void on_publish(struct mqtt_client *m, const struct mqtt_packet *p)
{
    auto_free char *topic = xstrndup(p->topic.at, p->topic.len);

    if (m->events->on_message)
        m->events->on_message(m->arg, topic, p->payload.at, p->payload.len, p->id);
}

static void on_puback(struct mqtt_client *m, uint16_t id)
{
    for (unsigned i = 0; i < m->n_in_flight; i++) {
        if (m->in_flight[i] != id)
            continue;
        m->in_flight[i] = m->in_flight[--m->n_in_flight];
        if (m->events->on_delivered)
            m->events->on_delivered(m->arg, id);
        return;
    }
}

static void on_suback(struct mqtt_client *m, const struct mqtt_packet *p)
{
    if (p->refused) {
        lost(m, ERR_REMOTE, "the hub refused a subscription");
    } else if (p->id == m->subscribe) {
        m->subscribe = 0;
        if (m->events->on_subscribed)
            m->events->on_subscribed(m->arg);
    }
}

static void on_packet(struct mqtt_client *m, const struct mqtt_packet *p)
{
    if (p->type == MQTT_CONNACK)
        on_connack(m, p->code);
    else if (m->step == STEP_CONNECT)
        lost(m, ERR_PROTOCOL, "no CONNACK came first");
    else if (m->step == STEP_CLOSING)
        return;
    else if (p->type == MQTT_PUBLISH && p->qos > 1)
        lost(m, ERR_PROTOCOL, "a message of QoS 2");
    else if (p->type == MQTT_PUBLISH)
        on_publish(m, p);
    else if (p->type == MQTT_PUBACK)
        on_puback(m, p->id);
    else if (p->type == MQTT_SUBACK)
        on_suback(m, p);
}

/* Takes all whole packets; returns how many bytes they were. An event may end this connection. */
static size_t take_packets(struct mqtt_client *m, const struct stream *stream, const char *data,
                           size_t len)
{
    struct mqtt_packet p;
    struct err err;
    size_t at = 0;

    while (m->stream == stream) {
        long n = mqtt_reply_parse(data + at, len - at, &p, &err);

        if (n < 0)
            end(m, &err);
        if (n <= 0)
            break;
        on_packet(m, &p);
        at += (size_t)n;
    }
    return at;
}

static void on_data(void *arg, const char *data, size_t len)
{
    struct mqtt_client *m = arg;
    const struct stream *stream = m->stream;
    auto_wiped_buf struct buf in = m->in;

    m->in = (struct buf){0};
    if (m->asked && m->step == STEP_OPEN)
        rest(m);
    if (in.len) {
        buf_append(&in, data, len);
        data = in.data;
        len = in.len;
    }

    size_t taken = take_packets(m, stream, data, len);

    if (m->stream == stream && taken < len)
        buf_append(&m->in, data + taken, len - taken);
}

static void on_eof(void *arg)
{
    lost(arg, ERR_UNREACHABLE, "the hub ended the connection");
}

static void on_stream_close(void *arg, const struct err *why)
{
    if (why)
        end(arg, why);
    else
        on_eof(arg);
}

/* ------------------------------------------------------------------------------- life */

int mqtt_client_open(struct mqtt_client *m, const struct secret *password, struct err *err)
{
    static const struct stream_events events = {
        .on_data = on_data, .on_eof = on_eof, .on_close = on_stream_close};
    auto_wiped_buf struct buf packet = {0};

    if (strlen(m->client_id) > MQTT_TEXT_MAX || strlen(m->username) > MQTT_TEXT_MAX ||
        (password && password->len > MQTT_TEXT_MAX))
        return err_set(err, ERR_INVALID, "the login for %s is too long", m->target);
    mqtt_put_connect(&packet, m->client_id, m->username, password ? password->data : NULL,
                     m->keep_alive_s);
    m->stream = m->dialer->open_unix(m->dialer, m->target, &events, m);
    m->step = STEP_CONNECT;
    if (stream_write(m->stream, packet.data, packet.len, err) < 0) {
        reset(m);
        return -1;
    }
    (void)uv_timer_start(&m->timer, on_timer, CONNECT_MS, 0);
    return 0;
}

static void say_goodbye(struct mqtt_client *m)
{
    auto_buf struct buf packet = {0};

    mqtt_put_disconnect(&packet);
    if (send_packet(m, &packet, NULL) == 0)
        stream_shutdown(m->stream);
}

void mqtt_client_close(struct mqtt_client *m)
{
    bool open = m->step == STEP_OPEN;

    if (m->step == STEP_CLOSED || m->step == STEP_CLOSING)
        return;
    say_goodbye(m);
    m->step = STEP_CLOSING;
    (void)uv_timer_start(&m->timer, on_timer, open ? CLOSE_MS : 0, 0);
}

struct mqtt_client *mqtt_client_new(uv_loop_t *loop, const struct mqtt_client_options *options,
                                    const struct mqtt_client_events *events, void *arg)
{
    struct mqtt_client *m = xcalloc(1, sizeof(*m));

    m->dialer = options->dialer;
    m->target = xasprintf("%s:%u", options->host, options->port);
    m->client_id = xstrdup(options->client_id);
    m->username = xstrdup(options->username);
    m->keep_alive_s = options->keep_alive_s;
    m->events = events;
    m->arg = arg;
    (void)uv_timer_init(loop, &m->timer);
    m->timer.data = m;
    return m;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct mqtt_client *m = handle->data;

    free(m->target);
    free(m->client_id);
    free(m->username);
    free(m);
}

void mqtt_client_free(struct mqtt_client *m)
{
    if (!m)
        return;
    say_goodbye(m);
    reset(m);
    uv_close((uv_handle_t *)&m->timer, on_timer_closed);
}
