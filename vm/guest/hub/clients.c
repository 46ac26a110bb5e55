/* See clients.h. What IoT Hub answers with a disconnect ends the connection here too: an unknown
 * topic, QoS 2, a message that is too large. A session lives from the first byte of a connection;
 * it is in the table once its CONNECT was accepted. */
#include "vm/guest/hub/clients.h"

#include "core/azure/sas.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/hub/events.h"
#include "vm/guest/hub/methods.h"
#include "vm/guest/hub/mqtt_packet.h"
#include "vm/guest/hub/twins.h"

#include <inttypes.h>
#include <string.h>

#define BUCKETS           1024
#define CONNECT_MS        30000   /* for the CONNECT to arrive */
#define CONNECT_MAX       16384   /* nobody known sends more before it */
#define KEEP_ALIVE_MAX_MS 1767000 /* IoT Hub's cap */
#define WILL_MAX          65536

struct session {
    struct clients *clients;
    struct net_conn *conn; /* NULL once it is over */
    struct session *next;  /* in its bucket */
    bool in_table;
    bool in_data; /* the packet loop runs: it frees */
    bool keep;    /* clean session was not asked for */
    char device[IDENTITY_ID_MAX], module[IDENTITY_ID_MAX];
    unsigned subs;
    uint64_t keep_alive_ms; /* 0: none */
    uint64_t seen_ms;       /* monotonic, last packet */
    uint64_t expiry_s;      /* wall clock: the token's end */
    char *will_bag;         /* NULL: no will */
    struct buf will;
};

struct clients {
    struct hub *hub;
    struct net_server *server;
    struct session *table[BUCKETS];
    unsigned n;
};

/* ------------------------------------------------------------------------------------------ table
 */

static unsigned bucket_of(const char *device, const char *module)
{
    uint32_t hash = 2166136261U; /* FNV-1a */

    for (const char *c = device; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619U;
    hash = (hash ^ '/') * 16777619U;
    for (const char *c = module; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619U;
    return hash % BUCKETS;
}

static struct session *find(const struct clients *c, const char *device, const char *module)
{
    struct session *s = c->table[bucket_of(device, module)];

    while (s && !(str_eq(s->device, device) && str_eq(s->module, module)))
        s = s->next;
    return s;
}

static void table_add(struct session *s)
{
    struct session **at = &s->clients->table[bucket_of(s->device, s->module)];

    s->next = *at;
    *at = s;
    s->in_table = true;
    s->clients->n++;
}

static void table_remove(struct session *s)
{
    struct session **at = &s->clients->table[bucket_of(s->device, s->module)];

    if (!s->in_table)
        return;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    s->in_table = false;
    s->clients->n--;
}

/* ------------------------------------------------------------------------------------------ end of
 * a session */

static void session_free(struct session *s)
{
    free(s->will_bag);
    buf_done(&s->will);
    free(s);
}

static void send_will(struct session *s)
{
    if (!s->will_bag)
        return;
    events_add(s->clients->hub->events, &(struct event){
                                            .device = s->device,
                                            .module = s->module,
                                            .bag = s->will_bag,
                                            .bag_len = strlen(s->will_bag),
                                            .payload = buf_str(&s->will),
                                            .len = s->will.len,
                                            .will = true,
                                        });
}

/* The one way out. WHY: a word for the log; NULL where the client said goodbye. */
static void session_end(struct session *s, const char *why)
{
    struct net_conn *conn = s->conn;

    if (!conn)
        return;
    if (s->in_table) {
        log_info("mqtt", "%s%s%s disconnected%s%s", s->device, s->module[0] ? "/" : "", s->module,
                 why ? ": " : "", why ? why : "");
        table_remove(s);
        if (why)
            send_will(s);
    } else if (why) {
        log_info("mqtt", "%s: %s", net_conn_peer_text(conn), why);
    }
    s->conn = NULL;
    net_conn_close(conn);
    if (!s->in_data)
        session_free(s);
}

/* The connection is gone already. */
static void on_close(void *arg)
{
    struct session *s = arg;

    if (s->in_table) {
        log_info("mqtt", "%s%s%s disconnected: connection lost", s->device, s->module[0] ? "/" : "",
                 s->module);
        table_remove(s);
        send_will(s);
    }
    s->conn = NULL;
    session_free(s);
}

static void on_eof(void *arg)
{
    session_end(arg, "connection closed without a word");
}

/* ------------------------------------------------------------------------------------------ time
 */

/* One timer serves keep-alive and the token's end: it looks what is due and sets itself anew. */
static void watch(struct session *s)
{
    uint64_t now = clock_mono_ms(), wall_s = clock_wall_ms() / 1000;
    uint64_t wait = 60000; /* the wall clock may be set: look now and then */

    if (wall_s > s->expiry_s + SAS_SKEW_S) {
        session_end(s, "its token expired");
        return;
    }
    if ((s->expiry_s + SAS_SKEW_S - wall_s + 1) * 1000 < wait)
        wait = (s->expiry_s + SAS_SKEW_S - wall_s + 1) * 1000;
    if (s->keep_alive_ms) {
        uint64_t silent = now - s->seen_ms;

        if (silent >= s->keep_alive_ms) {
            session_end(s, "nothing heard within 1.5 x keep-alive");
            return;
        }
        if (s->keep_alive_ms - silent < wait)
            wait = s->keep_alive_ms - silent;
    }
    net_conn_deadline(s->conn, wait);
}

static void on_deadline(void *arg)
{
    struct session *s = arg;

    if (s->in_table)
        watch(s);
    else
        session_end(s, "sent no CONNECT");
}

/* ------------------------------------------------------------------------------------------
 * sending */

static void send_packet(struct session *s, const struct buf *packet)
{
    (void)net_conn_write(s->conn, packet->data, packet->len);
}

static void publish(struct session *s, const char *topic, const void *payload, size_t len)
{
    auto_buf struct buf packet = {0};

    mqtt_put_publish(&packet, topic, payload, len);
    send_packet(s, &packet);
}

static void twin_reply(struct session *s, const char *rid, int status, const uint64_t *version,
                       const struct buf *body)
{
    char topic[200];

    if (!(s->subs & SUB_TWIN_REPLY))
        return;
    if (version)
        (void)str_format(topic, sizeof(topic), "$iothub/twin/res/%d/?$rid=%s&$version=%" PRIu64,
                         status, rid, *version);
    else
        (void)str_format(topic, sizeof(topic), "$iothub/twin/res/%d/?$rid=%s", status, rid);
    publish(s, topic, body ? buf_str(body) : "", body ? body->len : 0);
}

/* ------------------------------------------------------------------------------------------
 * CONNECT */

static void connack(struct session *s, bool present, enum mqtt_connack code)
{
    auto_buf struct buf packet = {0};

    mqtt_put_connack(&packet, present, code);
    send_packet(s, &packet);
}

/* Who it says it is: user name and client id must agree to the letter. */
static int connect_identity(struct session *s, const struct mqtt_packet *p, struct err *err)
{
    struct topic_user user;
    char expected[2 * IDENTITY_ID_MAX];

    if (topic_parse_user(p->user.at, p->user.len, &user, err) < 0)
        return -1;
    (void)str_format(expected, sizeof(expected), "%s%s%s", user.device, user.module[0] ? "/" : "",
                     user.module);
    if (p->client_id.len != strlen(expected) ||
        memcmp(p->client_id.at, expected, p->client_id.len) != 0)
        return err_set(err, ERR_AUTH, "the client id does not fit the user name");
    STR_SET(s->device, user.device);
    STR_SET(s->module, user.module);
    return 0;
}

/* A will goes to the own telemetry topic, or nowhere. */
static int connect_will(struct session *s, const struct mqtt_packet *p, struct err *err)
{
    struct topic topic;

    if (!p->has_will)
        return 0;
    if (topic_parse(p->will_topic.at, p->will_topic.len, &topic, err) < 0 ||
        topic.kind != TOPIC_TELEMETRY || !str_eq(topic.device, s->device) ||
        !str_eq(topic.module, s->module) || p->will_payload.len > WILL_MAX)
        return err_set(err, ERR_INVALID, "its will is not for its telemetry topic");
    s->will_bag = xstrndup(topic.bag, topic.bag_len);
    buf_append(&s->will, p->will_payload.at, p->will_payload.len);
    return 0;
}

static int connect_check(struct session *s, const struct mqtt_packet *p, struct err *err)
{
    struct hub *hub = s->clients->hub;

    if (!p->user.at)
        return err_set(err, ERR_AUTH, "no user name");
    if (connect_identity(s, p, err) < 0 || connect_will(s, p, err) < 0)
        return -1;
    const struct auth_proof proof = {.token = p->password.at, .len = p->password.len};

    return auth_client(&hub->auth, &proof, hub->host, s->device, s->module, &s->expiry_s, err);
}

/* What was subscribed before, for a client that asked to be remembered; forgets it for one that did
 * not. */
static int connect_session(struct session *s, const struct mqtt_packet *p, bool *ret_present,
                           struct err *err)
{
    struct store *store = s->clients->hub->store;
    bool present = store_session_get(store, s->device, s->module, &s->subs);

    s->keep = !p->clean;
    if (!s->keep)
        s->subs = 0;
    *ret_present = present && s->keep;
    if (present == s->keep)
        return 0;
    return store_session_put(store, s->device, s->module, s->keep, 0, err);
}

static void on_connect(struct session *s, const struct mqtt_packet *p)
{
    struct err err = {0};
    bool present = false;

    if (!p->known_protocol) {
        connack(s, false, MQTT_BAD_PROTOCOL);
        session_end(s, "speaks another protocol than MQTT 3.1.1");
        return;
    }
    if (connect_check(s, p, &err) < 0 || connect_session(s, p, &present, &err) < 0) {
        auto_buf struct buf why = {0};
        auto_buf struct buf id = {0};

        str_sanitise(&id, p->client_id.at, p->client_id.len < 260 ? p->client_id.len : 260);
        buf_printf(&why, "refused %s: %s", buf_str(&id), err.msg);
        connack(s, false, MQTT_NOT_AUTHORIZED);
        session_end(s, why.data);
        return;
    }

    struct session *old = find(s->clients, s->device, s->module);

    if (old)
        session_end(old, "another connection took its place");
    s->keep_alive_ms = (uint64_t)p->keep_alive_s * 1500;
    if (s->keep_alive_ms > KEEP_ALIVE_MAX_MS)
        s->keep_alive_ms = KEEP_ALIVE_MAX_MS;
    table_add(s);
    log_info("mqtt", "%s%s%s connected from %s", s->device, s->module[0] ? "/" : "", s->module,
             net_conn_peer_text(s->conn));
    connack(s, present, MQTT_ACCEPTED);
    watch(s);
    if (s->conn && (s->subs & SUB_METHODS))
        methods_ready(s->clients->hub->methods, s->device, s->module);
}

/* ------------------------------------------------------------------------------------------
 * PUBLISH */

static void on_twin_get(struct session *s, const struct topic *topic)
{
    auto_buf struct buf body = {0};
    struct err err = {0};

    if (twins_read(s->clients->hub, s->device, s->module, &body, &err) < 0)
        twin_reply(s, topic->rid, err.kind == ERR_NOT_FOUND ? 404 : 500, NULL, NULL);
    else
        twin_reply(s, topic->rid, 200, NULL, &body);
}

static void on_twin_report(struct session *s, const struct topic *topic,
                           const struct mqtt_packet *p)
{
    struct err err = {0};
    uint64_t version = 0;

    if (twins_report(s->clients->hub, s->device, s->module, p->payload.at, p->payload.len,
                     topic->has_version ? &topic->version : NULL, &version, &err) == 0) {
        twin_reply(s, topic->rid, 204, &version, NULL);
        return;
    }
    log_info("mqtt", "%s%s%s: report refused: %s", s->device, s->module[0] ? "/" : "", s->module,
             err.msg);
    twin_reply(s, topic->rid,
               err.kind == ERR_INVALID     ? 400
               : err.kind == ERR_EXISTS    ? 412
               : err.kind == ERR_NOT_FOUND ? 404
                                           : 500,
               NULL, NULL);
}

static bool on_telemetry(struct session *s, const struct topic *topic, const struct mqtt_packet *p)
{
    if (!str_eq(topic->device, s->device) || !str_eq(topic->module, s->module))
        return false;
    events_add(s->clients->hub->events, &(struct event){
                                            .device = s->device,
                                            .module = s->module,
                                            .bag = topic->bag,
                                            .bag_len = topic->bag_len,
                                            .payload = p->payload.at,
                                            .len = p->payload.len,
                                        });
    return true;
}

static void on_publish(struct session *s, const struct mqtt_packet *p)
{
    struct topic topic;
    bool ok = true;

    if (p->qos == 2) {
        session_end(s, "published with QoS 2");
        return;
    }
    if (topic_parse(p->topic.at, p->topic.len, &topic, NULL) < 0) {
        session_end(s, "published to a topic that a hub does not have");
        return;
    }
    switch (topic.kind) {
    case TOPIC_TELEMETRY:
        ok = on_telemetry(s, &topic, p);
        break;
    case TOPIC_TWIN_GET:
        on_twin_get(s, &topic);
        break;
    case TOPIC_TWIN_REPORT:
        on_twin_report(s, &topic, p);
        break;
    case TOPIC_METHOD_REPLY:
        if (p->payload.len <= METHOD_PAYLOAD_MAX)
            methods_reply(s->clients->hub->methods, s->device, s->module, topic.rid, topic.status,
                          p->payload.at, p->payload.len);
        break;
    }
    if (!ok) {
        session_end(s, "published for another identity");
    } else if (p->qos == 1 && s->conn) {
        auto_buf struct buf packet = {0};

        mqtt_put_puback(&packet, p->id);
        send_packet(s, &packet);
    }
}

/* ------------------------------------------------------------------------------------------ other
 * packets */

static void change_subs(struct session *s, unsigned subs)
{
    struct err err = {0};

    if (s->keep && subs != s->subs &&
        store_session_put(s->clients->hub->store, s->device, s->module, true, subs, &err) < 0)
        log_error("mqtt", "subscriptions of %s: %s", s->device, err.msg);
    s->subs = subs;
}

static void on_subscribe(struct session *s, const struct mqtt_packet *p)
{
    unsigned char codes[MQTT_FILTERS_MAX];
    auto_buf struct buf packet = {0};
    unsigned subs = s->subs;
    bool new_methods;

    for (size_t i = 0; i < p->n_filters; i++) {
        unsigned sub = topic_filter(p->filters[i].at, p->filters[i].len, s->device, s->module);

        codes[i] = sub ? (unsigned char)(p->filter_qos[i] ? 1 : 0) : MQTT_SUBACK_FAILURE;
        subs |= sub;
    }
    new_methods = (subs & SUB_METHODS) && !(s->subs & SUB_METHODS);
    change_subs(s, subs);
    mqtt_put_suback(&packet, p->id, codes, p->n_filters);
    send_packet(s, &packet);
    if (new_methods)
        methods_ready(s->clients->hub->methods, s->device, s->module);
}

static void on_unsubscribe(struct session *s, const struct mqtt_packet *p)
{
    auto_buf struct buf packet = {0};
    unsigned subs = s->subs;

    for (size_t i = 0; i < p->n_filters; i++)
        subs &= ~topic_filter(p->filters[i].at, p->filters[i].len, s->device, s->module);
    change_subs(s, subs);
    mqtt_put_unsuback(&packet, p->id);
    send_packet(s, &packet);
}

static void on_ping(struct session *s)
{
    auto_buf struct buf packet = {0};

    mqtt_put_pingresp(&packet);
    send_packet(s, &packet);
}

static void on_packet(struct session *s, const struct mqtt_packet *p)
{
    if (!s->in_table) {
        if (p->type == MQTT_CONNECT)
            on_connect(s, p);
        else
            session_end(s, "did not begin with CONNECT");
        return;
    }
    s->seen_ms = clock_mono_ms();
    switch ((unsigned)p->type) {
    case MQTT_PUBLISH:
        on_publish(s, p);
        break;
    case MQTT_SUBSCRIBE:
        on_subscribe(s, p);
        break;
    case MQTT_UNSUBSCRIBE:
        on_unsubscribe(s, p);
        break;
    case MQTT_PINGREQ:
        on_ping(s);
        break;
    case MQTT_PUBACK: /* nothing goes out with QoS 1 yet that could be acknowledged: ignored */
        break;
    case MQTT_DISCONNECT:
        session_end(s, NULL);
        break;
    default:
        session_end(s, "sent CONNECT twice");
    }
}

static size_t on_data(void *arg, const char *data, size_t len)
{
    struct session *s = arg;
    size_t used = 0;

    s->in_data = true;
    while (s->conn && used < len) {
        struct mqtt_packet packet;
        struct err err = {0};
        long n = mqtt_packet_parse(data + used, len - used, &packet, &err);

        if (n == 0)
            break;
        if (n < 0) {
            session_end(s, err.msg);
            break;
        }
        on_packet(s, &packet);
        used += (size_t)n;
    }
    if (s->conn && !s->in_table && len - used > CONNECT_MAX)
        session_end(s, "its CONNECT is too large");
    s->in_data = false;
    if (!s->conn)
        session_free(s);
    return used;
}

/* ------------------------------------------------------------------------------------------ server
 */

static void *on_open(struct net_conn *conn, void *arg)
{
    struct session *s = xcalloc(1, sizeof(*s));

    s->clients = arg;
    s->conn = conn;
    s->seen_ms = clock_mono_ms();
    net_conn_deadline(conn, CONNECT_MS);
    return s;
}

/* Replies are small against what is read for them, and reading stops by itself while a client does
 * not take them. */
static void on_drain(void *arg)
{
    (void)arg;
}

static bool before_flush(void *arg)
{
    struct clients *c = arg;

    return hub_commit(c->hub);
}

static const struct net_server_events session_events = {
    .on_open = on_open,
    .on_data = on_data,
    .on_eof = on_eof,
    .on_drain = on_drain,
    .on_deadline = on_deadline,
    .on_close = on_close,
    .before_flush = before_flush,
};

struct clients *clients_new(struct hub *hub)
{
    static const struct net_server_limits limits = {
        .connections_max = 12000,
        .in_max = MQTT_PACKET_MAX + 8,
        .out_high = 512U << 10,
        .out_max = 2U << 20,
        .handshake_ms = 10000,
        .stall_ms = 30000,
    };
    struct clients *c = xcalloc(1, sizeof(*c));

    c->hub = hub;
    c->server = net_server_new(hub->loop, &limits, &session_events, c);
    return c;
}

void clients_free(struct clients *c)
{
    if (!c)
        return;
    net_server_free(c->server);
    free(c);
}

int clients_listen(struct clients *c, const char *address, uint16_t port, struct tls_server *tls,
                   struct err *err)
{
    return net_server_listen_tls(c->server, address, port, tls, err);
}

void clients_set_tls(struct clients *c, struct tls_server *tls)
{
    net_server_set_tls(c->server, tls);
}

bool clients_connected(const struct clients *c, const char *device, const char *module)
{
    return find(c, device, module) != NULL;
}

unsigned clients_count(const struct clients *c)
{
    return c->n;
}

void clients_push_desired(struct clients *c, const char *device, const char *module,
                          uint64_t version, const char *patch, size_t len)
{
    struct session *s = find(c, device, module);
    char topic[120];

    if (!s || !(s->subs & SUB_TWIN_DESIRED))
        return;
    (void)str_format(topic, sizeof(topic),
                     "$iothub/twin/PATCH/properties/desired/?$version=%" PRIu64, version);
    publish(s, topic, patch, len);
}

bool clients_call(struct clients *c, const char *device, const char *module, const char *method,
                  const char *rid, const char *payload, size_t len)
{
    struct session *s = find(c, device, module);
    char topic[400];

    if (!s || !(s->subs & SUB_METHODS))
        return false;
    (void)str_format(topic, sizeof(topic), "$iothub/methods/POST/%s/?$rid=%s", method, rid);
    publish(s, topic, payload, len);
    return true;
}

void clients_drop(struct clients *c, const char *device, const char *module)
{
    if (module) {
        struct session *s = find(c, device, module);

        if (s)
            session_end(s, "its identity was changed or removed");
        return;
    }
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct session *s = c->table[i], *next; s; s = next) {
            next = s->next;
            if (str_eq(s->device, device))
                session_end(s, "its device was changed or removed");
        }
}
