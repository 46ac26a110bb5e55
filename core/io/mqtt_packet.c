/* See mqtt_packet.h. A reader walks over the packet's body and remembers whether it ever ran past
 * the end, so that each field is read in one line and checked once. */
#include "core/io/mqtt_packet.h"

#include "core/base/str.h"

#include <assert.h>
#include <string.h>

struct reader {
    const char *at;
    size_t left;
    bool bad;
};

static const char *take(struct reader *r, size_t n)
{
    const char *at = r->at;

    if (r->bad || n > r->left) {
        r->bad = true;
        return "";
    }
    r->at += n;
    r->left -= n;
    return at;
}

static uint8_t take_u8(struct reader *r)
{
    const char *at = take(r, 1);

    return r->bad ? 0 : (uint8_t)at[0];
}

static uint16_t take_u16(struct reader *r)
{
    uint16_t high = take_u8(r);
    uint16_t low = take_u8(r);

    return (uint16_t)(high << 8 | low);
}

static struct mqtt_text take_bytes(struct reader *r)
{
    struct mqtt_text t = {.len = take_u16(r)};

    t.at = take(r, t.len);
    if (r->bad)
        t = (struct mqtt_text){.at = "", .len = 0};
    return t;
}

static struct mqtt_text take_text(struct reader *r)
{
    struct mqtt_text t = take_bytes(r);

    if (memchr(t.at, '\0', t.len) || !str_utf8_valid(t.at, t.len))
        r->bad = true;
    return t;
}

static uint16_t take_id(struct reader *r)
{
    uint16_t id = take_u16(r);

    if (id == 0)
        r->bad = true;
    return id;
}

static void parse_connect(struct reader *r, struct mqtt_packet *p)
{
    struct mqtt_text name = take_text(r);
    uint8_t level = take_u8(r);

    p->known_protocol = !r->bad && name.len == 4 && memcmp(name.at, "MQTT", 4) == 0 && level == 4;
    if (!p->known_protocol) {
        r->left = 0;
        return;
    }

    uint8_t flags = take_u8(r);
    bool has_user = flags & 0x80, has_password = flags & 0x40;
    unsigned will_qos = flags >> 3 & 3;

    p->clean = flags & 0x02;
    p->has_will = flags & 0x04;
    p->will_retain = flags & 0x20;
    if ((flags & 0x01) || will_qos > 2 || (has_password && !has_user) ||
        (!p->has_will && (will_qos || p->will_retain)))
        r->bad = true;
    p->keep_alive_s = take_u16(r);
    p->client_id = take_text(r);
    if (p->has_will) {
        p->will_topic = take_text(r);
        p->will_payload = take_bytes(r);
    }
    if (has_user)
        p->user = take_text(r);
    if (has_password)
        p->password = take_bytes(r);
}

static void parse_publish(struct reader *r, unsigned flags, struct mqtt_packet *p)
{
    p->qos = flags >> 1 & 3;
    p->retain = flags & 1;
    p->topic = take_text(r);
    if (p->qos > 2 || p->topic.len == 0 || memchr(p->topic.at, '#', p->topic.len) ||
        memchr(p->topic.at, '+', p->topic.len))
        r->bad = true;
    if (p->qos > 0)
        p->id = take_id(r);
    p->payload.len = r->left;
    p->payload.at = take(r, r->left);
    if (p->payload.len > MQTT_PAYLOAD_MAX)
        r->bad = true;
}

static struct mqtt_text take_filter(struct reader *r, bool with_qos, unsigned *ret_qos)
{
    struct mqtt_text filter = take_text(r);

    *ret_qos = with_qos ? take_u8(r) : 0;
    if (filter.len == 0 || *ret_qos > 2)
        r->bad = true;
    return filter;
}

static void parse_filters(struct reader *r, struct mqtt_packet *p)
{
    unsigned qos;
    size_t n = 0;

    p->id = take_id(r);
    p->filters = (struct mqtt_text){.at = r->at, .len = r->left};
    while (r->left > 0 && !r->bad && n++ < MQTT_FILTERS_MAX)
        (void)take_filter(r, p->type == MQTT_SUBSCRIBE, &qos);
    if (n == 0)
        r->bad = true;
}

bool mqtt_packet_filter(const struct mqtt_packet *p, size_t *at, struct mqtt_text *ret_filter,
                        unsigned *ret_qos)
{
    struct reader r = {.at = p->filters.at + *at, .left = p->filters.len - *at};

    if (r.left == 0)
        return false;
    *ret_filter = take_filter(&r, p->type == MQTT_SUBSCRIBE, ret_qos);
    *at = p->filters.len - r.left;
    return true;
}

static void parse_suback(struct reader *r, struct mqtt_packet *p)
{
    p->id = take_id(r);
    if (r->left == 0 || r->left > MQTT_FILTERS_MAX)
        r->bad = true;
    while (r->left > 0 && !r->bad)
        p->refused |= take_u8(r) == MQTT_SUBACK_FAILURE;
}

/* What a server sends. */
static void parse_reply(struct reader *r, unsigned flags, struct mqtt_packet *p)
{
    unsigned wanted_flags = 0;

    switch ((unsigned)p->type) {
    case MQTT_CONNACK:
        if (take_u8(r) > 1) /* 1: a session was kept */
            r->bad = true;
        p->code = take_u8(r);
        break;
    case MQTT_PUBLISH:
        wanted_flags = flags;
        parse_publish(r, flags, p);
        break;
    case MQTT_PUBACK:
    case MQTT_UNSUBACK:
        p->id = take_id(r);
        break;
    case MQTT_SUBACK:
        parse_suback(r, p);
        break;
    case MQTT_PINGRESP:
        break;
    default:
        /* What only a client sends, and QoS 2, which nobody here speaks. */
        r->bad = true;
    }
    if (r->left > 0 || flags != wanted_flags)
        r->bad = true;
}

/* What a client sends. */
static void parse_request(struct reader *r, unsigned flags, struct mqtt_packet *p)
{
    unsigned wanted_flags = 0;

    switch ((unsigned)p->type) {
    case MQTT_CONNECT:
        parse_connect(r, p);
        break;
    case MQTT_PUBLISH:
        wanted_flags = flags;
        parse_publish(r, flags, p);
        break;
    case MQTT_PUBACK:
        p->id = take_id(r);
        break;
    case MQTT_SUBSCRIBE:
    case MQTT_UNSUBSCRIBE:
        wanted_flags = 2;
        parse_filters(r, p);
        break;
    case MQTT_PINGREQ:
    case MQTT_DISCONNECT:
        break;
    default:
        /* What only a server sends, and QoS 2, which a hub does not know. */
        r->bad = true;
    }
    if (r->left > 0 || flags != wanted_flags)
        r->bad = true;
}

/* The remaining length: 1 to 4 bytes of 7 bits. Returns the bytes it took, 0 for more, -1 where it
 * never ends. */
static int parse_length(const char *data, size_t len, size_t *ret)
{
    size_t value = 0;

    for (int i = 0; i < 4; i++) {
        if ((size_t)i >= len)
            return 0;
        value |= (size_t)(data[i] & 0x7f) << (7 * i);
        if (!(data[i] & 0x80)) {
            *ret = value;
            return i + 1;
        }
    }
    return -1;
}

static long parse(const char *data, size_t len,
                  void (*parse_body)(struct reader *r, unsigned flags, struct mqtt_packet *p),
                  struct mqtt_packet *ret, struct err *err)
{
    size_t body = 0;
    int length_bytes = len > 0 ? parse_length(data + 1, len - 1, &body) : 0;

    if (length_bytes < 0 || body > MQTT_PACKET_MAX)
        return err_set(err, ERR_PROTOCOL, "MQTT packet larger than %u bytes", MQTT_PACKET_MAX);
    if (length_bytes == 0 || len < 1 + (size_t)length_bytes + body)
        return 0;

    struct mqtt_packet p = {.type = (enum mqtt_type)((unsigned char)data[0] >> 4)};
    struct reader r = {.at = data + 1 + length_bytes, .left = body};

    parse_body(&r, (unsigned char)data[0] & 15, &p);
    if (r.bad)
        return err_set(err, ERR_PROTOCOL, "malformed MQTT packet of type %d", (int)p.type);
    *ret = p;
    return (long)(1 + (size_t)length_bytes + body);
}

long mqtt_packet_parse(const char *data, size_t len, struct mqtt_packet *ret, struct err *err)
{
    return parse(data, len, parse_request, ret, err);
}

long mqtt_reply_parse(const char *data, size_t len, struct mqtt_packet *ret, struct err *err)
{
    return parse(data, len, parse_reply, ret, err);
}

static void put_u16(struct buf *to, size_t value)
{
    buf_putc(to, (char)(value >> 8));
    buf_putc(to, (char)(value & 255));
}

static void put_header(struct buf *to, enum mqtt_type type, unsigned flags, size_t body)
{
    buf_putc(to, (char)((unsigned)type << 4 | flags));
    do {
        size_t low = body & 0x7f;

        body >>= 7;
        buf_putc(to, (char)(low | (body ? 0x80 : 0)));
    } while (body);
}

void mqtt_put_connack(struct buf *to, bool session_present, enum mqtt_connack code)
{
    put_header(to, MQTT_CONNACK, 0, 2);
    buf_putc(to, session_present ? 1 : 0);
    buf_putc(to, (char)code);
}

void mqtt_put_publish(struct buf *to, const char *topic, size_t len, uint16_t id, bool again)
{
    size_t topic_len = strlen(topic);

    assert(topic_len <= UINT16_MAX);
    put_header(to, MQTT_PUBLISH, (again ? 8U : 0U) | (id ? 2U : 0U),
               2 + topic_len + (id ? 2 : 0) + len);
    put_u16(to, topic_len);
    buf_append(to, topic, topic_len);
    if (id)
        put_u16(to, id);
}

void mqtt_put_puback(struct buf *to, uint16_t id)
{
    put_header(to, MQTT_PUBACK, 0, 2);
    put_u16(to, id);
}

void mqtt_put_suback(struct buf *to, uint16_t id, const unsigned char *codes, size_t n)
{
    put_header(to, MQTT_SUBACK, 0, 2 + n);
    put_u16(to, id);
    buf_append(to, codes, n);
}

void mqtt_put_unsuback(struct buf *to, uint16_t id)
{
    put_header(to, MQTT_UNSUBACK, 0, 2);
    put_u16(to, id);
}

void mqtt_put_pingresp(struct buf *to)
{
    put_header(to, MQTT_PINGRESP, 0, 0);
}

static void put_text(struct buf *to, const char *text)
{
    size_t len = strlen(text);

    assert(len <= MQTT_TEXT_MAX);
    put_u16(to, len);
    buf_append(to, text, len);
}

void mqtt_put_connect(struct buf *to, const char *client_id, const char *user, const char *password,
                      uint16_t keep_alive_s)
{
    size_t texts = 2 + strlen(client_id) + 2 + strlen(user) + (password ? 2 + strlen(password) : 0);

    put_header(to, MQTT_CONNECT, 0, 10 + texts);
    put_text(to, "MQTT");
    buf_putc(to, 4);
    buf_putc(to, (char)(0x80 | (password ? 0x40 : 0) | 0x02));
    put_u16(to, keep_alive_s);
    put_text(to, client_id);
    put_text(to, user);
    if (password)
        put_text(to, password);
}

static size_t filters_size(const char *const *filters, size_t n)
{
    size_t size = 0;

    assert(n > 0 && n <= MQTT_FILTERS_MAX);
    for (size_t i = 0; i < n; i++)
        size += 2 + strlen(filters[i]);
    return size;
}

void mqtt_put_subscribe(struct buf *to, uint16_t id, const char *const *filters, size_t n,
                        unsigned qos)
{
    put_header(to, MQTT_SUBSCRIBE, 2, 2 + filters_size(filters, n) + n);
    put_u16(to, id);
    for (size_t i = 0; i < n; i++) {
        put_text(to, filters[i]);
        buf_putc(to, (char)qos);
    }
}

void mqtt_put_unsubscribe(struct buf *to, uint16_t id, const char *const *filters, size_t n)
{
    put_header(to, MQTT_UNSUBSCRIBE, 2, 2 + filters_size(filters, n));
    put_u16(to, id);
    for (size_t i = 0; i < n; i++)
        put_text(to, filters[i]);
}

void mqtt_put_pingreq(struct buf *to)
{
    put_header(to, MQTT_PINGREQ, 0, 0);
}

void mqtt_put_disconnect(struct buf *to)
{
    put_header(to, MQTT_DISCONNECT, 0, 0);
}
