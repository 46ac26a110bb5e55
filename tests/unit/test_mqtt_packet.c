#include "core/io/mqtt_packet.h"

#include <criterion/criterion.h>
#include <string.h>

static bool text_is(struct mqtt_text t, const char *expected)
{
    return t.at && t.len == strlen(expected) && memcmp(t.at, expected, t.len) == 0;
}

static const char connect_packet[] = "\x10\x25\0\4MQTT\4\xc6\0\x3c"
                                     "\0\2id\0\5will/\0\3bye\0\4user\0\3pwd";

Test(mqtt_packet, reads_a_connect_with_everything)
{
    struct mqtt_packet p;

    cr_assert_eq(mqtt_packet_parse(connect_packet, sizeof(connect_packet) - 1, &p, NULL),
                 (long)sizeof(connect_packet) - 1);
    cr_assert(p.known_protocol && p.clean && p.has_will);
    cr_assert_eq(p.keep_alive_s, 60);
    cr_assert(text_is(p.client_id, "id") && text_is(p.will_topic, "will/"));
    cr_assert(text_is(p.will_payload, "bye"));
    cr_assert(text_is(p.user, "user") && text_is(p.password, "pwd"));
}

Test(mqtt_packet, asks_for_more_until_a_packet_is_whole)
{
    struct mqtt_packet p;

    for (size_t n = 0; n < sizeof(connect_packet) - 1; n++)
        cr_assert_eq(mqtt_packet_parse(connect_packet, n, &p, NULL), 0, "at %zu", n);
}

Test(mqtt_packet, knows_another_protocol_when_it_sees_one)
{
    struct mqtt_packet p;
    const char v5[] = "\x10\x0c\0\4MQTT\5\x02\0\x3c\0\0";
    const char v31[] = "\x10\x0e\0\6MQIsdp\3\x02\0\x3c\0\0";

    cr_assert_eq(mqtt_packet_parse(v5, sizeof(v5) - 1, &p, NULL), (long)sizeof(v5) - 1);
    cr_assert_not(p.known_protocol);
    cr_assert_eq(mqtt_packet_parse(v31, sizeof(v31) - 1, &p, NULL), (long)sizeof(v31) - 1);
    cr_assert_not(p.known_protocol);
}

Test(mqtt_packet, reads_publish_with_and_without_an_id)
{
    struct mqtt_packet p;
    const char qos1[] = "\x33\x09\0\3a/b\1\2hi";

    cr_assert_eq(mqtt_packet_parse("\x30\x07\0\3a/bhi", 9, &p, NULL), 9);
    cr_assert(text_is(p.topic, "a/b") && text_is(p.payload, "hi") && p.qos == 0 && !p.retain);
    cr_assert_eq(mqtt_packet_parse(qos1, 11, &p, NULL), 11);
    cr_assert(p.qos == 1 && p.retain && p.id == 258 && text_is(p.payload, "hi"));
}

Test(mqtt_packet, reads_subscriptions)
{
    struct mqtt_packet p;
    struct mqtt_text filter;
    unsigned qos;
    size_t at = 0;
    const char packet[] = "\x82\x0c\0\1\0\1#\0\0\3a/+\2";

    cr_assert_eq(mqtt_packet_parse(packet, sizeof(packet) - 1, &p, NULL), (long)sizeof(packet) - 1);
    cr_assert(mqtt_packet_filter(&p, &at, &filter, &qos) && text_is(filter, "#") && qos == 0);
    cr_assert(mqtt_packet_filter(&p, &at, &filter, &qos) && text_is(filter, "a/+") && qos == 2);
    cr_assert_not(mqtt_packet_filter(&p, &at, &filter, &qos));
}

Test(mqtt_packet, refuses_what_breaks_the_protocol)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *why;
    } bad[] = {
        {"\x00\x00", 2, "type 0"},
        {"\x20\x02\0\0", 4, "CONNACK from a client"},
        {"\xf0\x00", 2, "type 15"},
        {"\x30\x00", 2, "no topic"},
        {"\x30\x02\0\0", 4, "empty topic"},
        {"\x30\x03\0\2a", 5, "topic past the end"},
        {"\x30\x05\0\3a/#", 7, "wildcard in a topic"},
        {"\x30\x04\0\2a\0", 6, "NUL in a topic"},
        {"\x30\x04\0\2\xff\xfe", 6, "not UTF-8"},
        {"\x32\x05\0\1a\0\0", 7, "id 0"},
        {"\x36\x05\0\1a\0\1", 7, "QoS 3"},
        {"\x82\x02\0\1", 4, "no filter"},
        {"\x80\x06\0\1\0\1#\0", 8, "wrong flags"},
        {"\x82\x06\0\1\0\1#\3", 8, "QoS 3 asked for"},
        {"\xc0\x01\0", 3, "PINGREQ with a body"},
        {"\xc1\x00", 2, "PINGREQ with flags"},
        {"\x30\xff\xff\xff\x7f", 5, "256 MB"},
        {"\x30\xff\xff\xff\xff\x01", 6, "endless length"},
        {"\x10\x0c\0\4MQTT\4\x40\0\0\0\0", 14, "password without a user"},
        {"\x10\x0c\0\4MQTT\4\x03\0\0\0\0", 14, "reserved flag"},
    };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct mqtt_packet p;
        struct err err = {0};

        cr_assert_eq(mqtt_packet_parse(bad[i].bytes, bad[i].len, &p, &err), -1, "%s", bad[i].why);
        cr_assert_eq(err.kind, ERR_PROTOCOL);
    }
}

Test(mqtt_packet, writes_lengths_of_several_bytes)
{
    auto_buf struct buf b = {0};
    char payload[200] = {0};
    struct mqtt_packet p;

    mqtt_put_publish(&b, "t", sizeof(payload), 0, false);
    buf_append(&b, payload, sizeof(payload));
    cr_assert_eq(b.len, 3 + 2 + 1 + sizeof(payload));
    cr_assert_eq(mqtt_packet_parse(b.data, b.len, &p, NULL), (long)b.len);
    cr_assert_eq(p.payload.len, sizeof(payload));
}

Test(mqtt_packet, writes_what_it_reads_with_an_id)
{
    auto_buf struct buf b = {0};
    struct mqtt_packet p;

    mqtt_put_publish(&b, "a/b", 2, 258, true);
    buf_puts(&b, "hi");
    cr_assert_eq((unsigned char)b.data[0], 0x3a, "DUP and QoS 1");
    cr_assert_eq(mqtt_packet_parse(b.data, b.len, &p, NULL), (long)b.len);
    cr_assert(p.qos == 1 && p.id == 258 && text_is(p.topic, "a/b") && text_is(p.payload, "hi"));
}

Test(mqtt_packet, takes_50_filters_and_no_more)
{
    for (size_t n = 50; n <= 51; n++) {
        auto_buf struct buf b = {0};
        struct mqtt_packet p;
        struct mqtt_text filter;
        unsigned qos;
        size_t at = 0, seen = 0;

        buf_append(&b, "\x82", 1);
        buf_putc(&b, (char)(0x80 | ((2 + 4 * n) & 127)));
        buf_putc(&b, (char)((2 + 4 * n) >> 7));
        buf_append(&b, "\0\1", 2);
        for (size_t i = 0; i < n; i++)
            buf_append(&b, "\0\1#\0", 4);
        if (n > 50) {
            cr_assert_eq(mqtt_packet_parse(b.data, b.len, &p, NULL), -1);
            continue;
        }
        cr_assert_eq(mqtt_packet_parse(b.data, b.len, &p, NULL), (long)b.len);
        while (mqtt_packet_filter(&p, &at, &filter, &qos))
            seen++;
        cr_assert_eq(seen, n);
    }
}

Test(mqtt_packet, reads_what_a_server_writes)
{
    auto_buf struct buf b = {0};
    struct mqtt_packet p;

    mqtt_put_connack(&b, true, MQTT_NOT_AUTHORIZED);
    cr_assert_eq(mqtt_reply_parse(b.data, b.len, &p, NULL), (long)b.len);
    cr_assert(p.type == MQTT_CONNACK && p.code == MQTT_NOT_AUTHORIZED);
    buf_clear(&b);
    mqtt_put_suback(&b, 7, (const unsigned char *)"\0\1", 2);
    cr_assert_eq(mqtt_reply_parse(b.data, b.len, &p, NULL), (long)b.len);
    cr_assert(p.type == MQTT_SUBACK && p.id == 7 && !p.refused);
    buf_clear(&b);
    mqtt_put_suback(&b, 7, (const unsigned char *)"\0\x80", 2);
    cr_assert_eq(mqtt_reply_parse(b.data, b.len, &p, NULL), (long)b.len);
    cr_assert(p.refused);
    cr_assert_eq(mqtt_reply_parse(b.data, b.len - 1, &p, NULL), 0, "half of it");
    cr_assert_eq(mqtt_packet_parse(b.data, b.len, &p, NULL), -1, "no client sends it");
}

Test(mqtt_packet, refuses_what_no_server_writes)
{
    static const struct {
        const char *what, *data;
        size_t len;
    } bad[] = {
        {"CONNECT", "\x10\0", 2},
        {"SUBSCRIBE", "\x82\5\0\1\0\0\0", 7},
        {"PUBREC", "\x50\2\0\1", 4},
        {"a CONNACK with unknown flags", "\x20\2\2\0", 4},
        {"a long CONNACK", "\x20\3\0\0\0", 5},
        {"a SUBACK of nothing", "\x90\2\0\1", 4},
        {"a SUBACK without id", "\x90\3\0\0\0", 5},
        {"a PUBACK without id", "\x40\2\0\0", 4},
        {"no end of the length", "\x30\xff\xff\xff\xff", 5},
    };
    struct mqtt_packet p;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        cr_assert_eq(mqtt_reply_parse(bad[i].data, bad[i].len, &p, NULL), -1, "%s", bad[i].what);
}

Test(mqtt_packet, writes_what_a_client_says)
{
    static const char *const filters[] = {"a/#", "b"};
    auto_buf struct buf b = {0};
    struct mqtt_packet p;
    struct mqtt_text filter;
    unsigned qos;
    size_t at = 0;

    mqtt_put_connect(&b, "d/m", "hub/d/m", "secret", 240);
    cr_assert_eq(mqtt_packet_parse(b.data, b.len, &p, NULL), (long)b.len);
    cr_assert(p.known_protocol && p.clean && p.keep_alive_s == 240 && !p.has_will);
    cr_assert(text_is(p.client_id, "d/m") && text_is(p.user, "hub/d/m"));
    cr_assert(text_is(p.password, "secret"));
    buf_clear(&b);
    mqtt_put_connect(&b, "d", "hub/d", NULL, 0);
    cr_assert_eq(mqtt_packet_parse(b.data, b.len, &p, NULL), (long)b.len);
    cr_assert_null(p.password.at);
    buf_clear(&b);
    mqtt_put_subscribe(&b, 9, filters, 2, 1);
    cr_assert_eq(mqtt_packet_parse(b.data, b.len, &p, NULL), (long)b.len);
    cr_assert(p.type == MQTT_SUBSCRIBE && p.id == 9);
    cr_assert(mqtt_packet_filter(&p, &at, &filter, &qos) && text_is(filter, "a/#") && qos == 1);
    cr_assert(mqtt_packet_filter(&p, &at, &filter, &qos) && text_is(filter, "b"));
    buf_clear(&b);
    mqtt_put_unsubscribe(&b, 9, filters, 2);
    cr_assert_eq(mqtt_packet_parse(b.data, b.len, &p, NULL), (long)b.len);
    cr_assert(p.type == MQTT_UNSUBSCRIBE);
    buf_clear(&b);
    mqtt_put_pingreq(&b);
    mqtt_put_disconnect(&b);
    cr_assert_eq(mqtt_packet_parse(b.data, b.len, &p, NULL), 2);
    cr_assert(p.type == MQTT_PINGREQ);
    cr_assert_eq(mqtt_packet_parse(b.data + 2, b.len - 2, &p, NULL), 2);
    cr_assert(p.type == MQTT_DISCONNECT);
}
