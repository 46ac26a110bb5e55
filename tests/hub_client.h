/* For tests: REST and raw MQTT to a hub of one's own. */
#ifndef BERTH_TESTS_HUB_CLIENT_H
#define BERTH_TESTS_HUB_CLIENT_H

#include "core/azure/sas.h"
#include "tests/hub_link.h"

/* ------------------------------------------------------------------------------------------ REST
 */

/* Sends a request. AUTH NULL: the owner's token; "": none. */
static inline void rest_ask(struct link *l, const struct test_hub *h, const char *auth,
                            const char *method, const char *target, const char *headers,
                            const char *body)
{
    auto_secret struct secret token = {0};
    auto_buf struct buf request = {0};

    if (!auth)
        (void)sas_make(HUB_HOST, h->service_key, clock_wall_ms() / 1000 + 3600, "iothubowner",
                       &token, NULL);
    buf_printf(&request,
               "%s %s%sapi-version=2021-04-12 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n", method,
               target, strchr(target, '?') ? "&" : "?");
    if (!auth || auth[0])
        buf_printf(&request, "Authorization: %s\r\n", auth ? auth : token.data);
    buf_printf(&request, "%sContent-Length: %zu\r\n\r\n%s", headers ? headers : "",
               body ? strlen(body) : 0, body ? body : "");
    (void)link_send(l, request.data, request.len);
}

/* The status of the answer, 0 where none came, and all of it. Closes L. */
static inline int rest_answer_text(struct link *l, struct buf *ret)
{
    int status = 0;

    (void)link_ends(l);
    if (str_starts(buf_str(&l->in), "HTTP/1.1 "))
        status = (int)strtol(l->in.data + 9, NULL, 10);
    buf_append(ret, buf_str(&l->in), l->in.len);
    link_close(l);
    return status;
}

/* The same; the body is parsed into RET (may be NULL). */
static inline int rest_answer(struct link *l, cJSON **ret)
{
    auto_buf struct buf text = {0};
    int status = rest_answer_text(l, &text);
    const char *data = strstr(buf_str(&text), "\r\n\r\n");

    if (ret && data && data[4])
        *ret = json_parse(data + 4, strlen(data + 4), NULL);
    return status;
}

/* Sends a request and gives all that came back. AUTH as above. */
static inline int rest_text(const struct test_hub *h, const char *auth, const char *method,
                            const char *target, const char *headers, const char *body,
                            struct buf *ret)
{
    struct link l;

    buf_clear(ret);
    if (!link_open(&l, h, h->https_port))
        return 0;
    rest_ask(&l, h, auth, method, target, headers, body);
    return rest_answer_text(&l, ret);
}

static inline int rest(const struct test_hub *h, const char *auth, const char *method,
                       const char *target, const char *headers, const char *body, cJSON **ret)
{
    struct link l;

    if (ret)
        *ret = NULL;
    if (!link_open(&l, h, h->https_port))
        return 0;
    rest_ask(&l, h, auth, method, target, headers, body);
    return rest_answer(&l, ret);
}

/* Creates a device and gives its primary key. */
static inline void device_create(const struct test_hub *h, const char *device, bool edge,
                                 char key[128])
{
    char target[200], body[200];
    auto_json cJSON *out = NULL;

    snprintf(target, sizeof(target), "/devices/%s", device);
    snprintf(body, sizeof(body), "{\"deviceId\":\"%s\",\"capabilities\":{\"iotEdge\":%s}}", device,
             edge ? "true" : "false");
    (void)rest(h, NULL, "PUT", target, NULL, body, &out);

    const cJSON *auth = out ? json_get(out, "authentication") : NULL;
    const cJSON *keys = auth ? json_get(auth, "symmetricKey") : NULL;

    snprintf(key, 128, "%s", keys ? json_str(keys, "primaryKey", "") : "");
}

/* Creates DEVICE as a child of the IoT Edge device EDGE and gives its primary key. AUTHENTICATION
 * is the JSON member's value; NULL: keys. */
static inline void leaf_create(const struct test_hub *h, const char *edge, const char *device,
                               const char *authentication, char key[128])
{
    char target[200];
    auto_json cJSON *parent = NULL, *out = NULL;
    auto_buf struct buf body = {0};

    snprintf(target, sizeof(target), "/devices/%s", edge);
    (void)rest(h, NULL, "GET", target, NULL, NULL, &parent);
    buf_printf(&body, "{\"deviceId\":\"%s\",\"deviceScope\":\"%s\"%s%s}", device,
               json_str(parent, "deviceScope", ""), authentication ? ",\"authentication\":" : "",
               authentication ? authentication : "");
    snprintf(target, sizeof(target), "/devices/%s", device);
    (void)rest(h, NULL, "PUT", target, NULL, body.data, &out);
    snprintf(key, 128, "%s",
             json_str(json_get(json_get(out, "authentication"), "symmetricKey"), "primaryKey", ""));
}

/* Gives a module (or, MODULE NULL, a device) these keys. True where the hub took them. */
static inline bool keys_set(const struct test_hub *h, const char *device, const char *module,
                            const char *primary, const char *secondary)
{
    char target[400];
    auto_buf struct buf body = {0};

    snprintf(target, sizeof(target), "/devices/%s%s%s", device, module ? "/modules/" : "",
             module ? module : "");
    buf_printf(&body, "{\"deviceId\":\"%s\",", device);
    if (module)
        buf_printf(&body, "\"moduleId\":\"%s\",", module);
    buf_printf(&body,
               "\"authentication\":{\"type\":\"sas\",\"symmetricKey\":{\"primaryKey\":\"%s\","
               "\"secondaryKey\":\"%s\"}}}",
               primary, secondary);
    return rest(h, NULL, "PUT", target, "If-Match: *\r\n", body.data, NULL) == 200;
}

/* ------------------------------------------------------------------------------------------ MQTT
 */

static inline void put16(struct buf *b, size_t n)
{
    buf_putc(b, (char)(n >> 8));
    buf_putc(b, (char)n);
}

static inline void put_text(struct buf *b, const char *text)
{
    put16(b, strlen(text));
    buf_puts(b, text);
}

static inline bool send_packet(struct link *l, unsigned char first, const struct buf *body)
{
    auto_buf struct buf packet = {0};
    size_t n = body ? body->len : 0;

    buf_putc(&packet, (char)first);
    do {
        buf_putc(&packet, (char)((n & 127) | (n > 127 ? 128 : 0)));
        n >>= 7;
    } while (n);
    if (body)
        buf_append(&packet, body->data, body->len);
    return link_send(l, packet.data, packet.len);
}

/* The next packet: its first byte (0: none came), its body in BODY. */
static inline unsigned recv_packet(struct link *l, struct buf *body)
{
    buf_clear(body);
    for (;;) {
        size_t at = 1, len = 0, shift = 0;
        bool whole = false;

        while (at < l->in.len && !whole) {
            len |= (size_t)(l->in.data[at] & 127) << shift;
            shift += 7;
            whole = !(l->in.data[at++] & 128);
        }
        if (whole && l->in.len >= at + len) {
            unsigned first = (unsigned char)l->in.data[0];

            buf_append(body, l->in.data + at, len);
            buf_consume(&l->in, at + len);
            return first;
        }
        if (!link_more(l))
            return 0;
    }
}

struct mqtt_login {
    const char *client_id, *user, *password; /* NULL: made from device, module and key */
    const char *device, *module, *key;
    const char *sr; /* audience; NULL: the right one */
    const char *will_topic, *will;
    const char *cert, *cert_key; /* PEM files; then no token is sent */
    uint64_t expiry_s;           /* 0: in an hour */
    unsigned keep_alive_s;
    bool keep_session;
    bool will_retain;
    bool websocket;
};

static inline bool mqtt_open(struct link *l, const struct test_hub *h, const struct mqtt_login *m)
{
    return link_open_as(l, h, m->websocket ? h->https_port : h->mqtt_port, m->cert, m->cert_key) &&
           (!m->websocket || ws_open(l, "/$iothub/websocket", "mqtt") == 101);
}

/* Opens and sends CONNECT. Returns the CONNACK code, -1 where none came. PRESENT may be NULL. */
static inline int mqtt_login(struct link *l, const struct test_hub *h, const struct mqtt_login *m,
                             bool *present)
{
    const char *module = m->module ? m->module : "";
    const char *slash = module[0] ? "/" : "";
    char id[300], user[600], sr[600];
    auto_secret struct secret token = {0};
    auto_buf struct buf body = {0};

    snprintf(id, sizeof(id), "%s%s%s", m->device, slash, module);
    snprintf(user, sizeof(user), HUB_HOST "/%s/?api-version=2021-04-12&DeviceClientType=test", id);
    snprintf(sr, sizeof(sr), HUB_HOST "/devices/%s%s%s", m->device, module[0] ? "/modules/" : "",
             module);
    if (!m->password && !m->cert &&
        sas_make(m->sr ? m->sr : sr, m->key,
                 m->expiry_s ? m->expiry_s : clock_wall_ms() / 1000 + 3600, NULL, &token, NULL) < 0)
        return -1;
    if (!mqtt_open(l, h, m))
        return -1;
    put_text(&body, "MQTT");
    buf_putc(&body, 4);
    buf_putc(&body, (char)(0x80 | (m->cert ? 0 : 0x40) | (m->keep_session ? 0 : 2) |
                           (m->will ? 4 : 0) | (m->will_retain ? 0x20 : 0)));
    put16(&body, m->keep_alive_s);
    put_text(&body, m->client_id ? m->client_id : id);
    if (m->will) {
        put_text(&body, m->will_topic);
        put_text(&body, m->will);
    }
    put_text(&body, m->user ? m->user : user);
    if (!m->cert)
        put_text(&body, m->password ? m->password : token.data);
    (void)send_packet(l, 0x10, &body);
    if (recv_packet(l, &body) != 0x20 || body.len != 2)
        return -1;
    if (present)
        *present = body.data[0] & 1;
    return (unsigned char)body.data[1];
}

/* Logs in and is refused, or logs in and leaves. */
static inline void expect_login(const struct test_hub *h, const char *name,
                                const struct mqtt_login *m, int code)
{
    struct link l = {0};
    char seen[64];
    int got = mqtt_login(&l, h, m, NULL);
    bool ended = got == code && (got == 0 || link_ends(&l));

    snprintf(seen, sizeof(seen), "CONNACK %d%s", got, ended ? "" : ", or still open");
    report(name, ended, seen);
    link_close(&l);
}

static inline bool mqtt_publish(struct link *l, const char *topic, unsigned qos, unsigned id,
                                const void *payload, size_t len)
{
    auto_buf struct buf body = {0};

    put_text(&body, topic);
    if (qos)
        put16(&body, id);
    buf_append(&body, payload, len);
    return send_packet(l, (unsigned char)(0x30 | qos << 1), &body);
}

/* The SUBACK's code for one filter; -1 where none came. */
static inline int mqtt_subscribe(struct link *l, const char *filter, unsigned qos)
{
    auto_buf struct buf body = {0};

    put16(&body, 7);
    put_text(&body, filter);
    buf_putc(&body, (char)qos);
    (void)send_packet(l, 0x82, &body);
    return recv_packet(l, &body) == 0x90 && body.len == 3 ? (unsigned char)body.data[2] : -1;
}

static inline bool mqtt_puback(struct link *l, unsigned id)
{
    auto_buf struct buf body = {0};

    put16(&body, id);
    return send_packet(l, 0x40, &body);
}

/* The next PUBLISH: topic and payload as text, its id (0: QoS 0) and whether it is marked as sent
 * before (NULL: not wanted). */
static inline bool mqtt_receive_qos(struct link *l, struct buf *topic, struct buf *payload,
                                    unsigned *id, bool *again)
{
    auto_buf struct buf body = {0};
    unsigned first;

    buf_clear(topic);
    buf_clear(payload);
    *id = 0;
    first = recv_packet(l, &body);
    if ((first & 0xf0) != 0x30 || body.len < 2)
        return false;

    const unsigned char *data = (const unsigned char *)body.data;
    size_t n = (size_t)(data[0] << 8 | data[1]) + 2;

    buf_append(topic, body.data + 2, n - 2);
    if (first & 6) {
        *id = (unsigned)(data[n] << 8 | data[n + 1]);
        n += 2;
    }
    if (again)
        *again = first & 8;
    buf_append(payload, body.data + n, body.len - n);
    return true;
}

/* The same for one of QoS 0. */
static inline bool mqtt_receive(struct link *l, struct buf *topic, struct buf *payload)
{
    unsigned id;

    return mqtt_receive_qos(l, topic, payload, &id, NULL) && id == 0;
}

/* Waits until the hub has worked off all that was sent before. */
static inline bool mqtt_ping(struct link *l)
{
    auto_buf struct buf body = {0};

    return send_packet(l, 0xc0, NULL) && recv_packet(l, &body) == 0xd0;
}

#endif
