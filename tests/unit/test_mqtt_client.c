#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/io/mqtt_client.h"
#include "core/io/mqtt_packet.h"
#include "core/io/websocket_stream.h"

#include <criterion/criterion.h>
#include <string.h>

/* ---- a server at the other end of a stream, played by the test ---- */

static struct {
    struct dialer dialer;
    struct stream stream;
    struct buf heard;
    bool closed, shut, full;
    char target[40];
} far;

static int far_write(struct stream *s, const void *data, size_t len, struct err *err)
{
    (void)s;
    if (far.full)
        return err_set(err, ERR_BUSY, "full");
    buf_append(&far.heard, data, len);
    return 0;
}

static void far_shutdown(struct stream *s)
{
    (void)s;
    far.shut = true;
}

static void far_pause(struct stream *s, bool paused)
{
    (void)s, (void)paused;
}

static void far_close(struct stream *s)
{
    (void)s;
    far.closed = true;
}

static struct stream *far_open(struct dialer *d, const char *path,
                               const struct stream_events *events, void *arg)
{
    static const struct stream_ops ops = {far_write, far_shutdown, far_pause, far_close};

    (void)d;
    STR_SET(far.target, path);
    far.closed = far.shut = false;
    buf_clear(&far.heard);
    far.stream = (struct stream){.ops = &ops, .events = events, .arg = arg};
    return &far.stream;
}

static void far_says(const void *data, size_t len)
{
    far.stream.events->on_data(far.stream.arg, data, len);
}

static void far_says_packets(const struct buf *b)
{
    far_says(b->data, b->len);
}

/* The next packet that the client sent. */
static struct mqtt_packet far_hears(void)
{
    static char kept[1000];
    struct mqtt_packet p = {0};
    long n = mqtt_packet_parse(buf_str(&far.heard), far.heard.len, &p, NULL);

    cr_assert(n > 0 && (size_t)n <= sizeof(kept));
    memcpy(kept, far.heard.data, (size_t)n);
    (void)mqtt_packet_parse(kept, (size_t)n, &p, NULL);
    buf_consume(&far.heard, (size_t)n);
    return p;
}

/* ---- the client ---- */

static uv_loop_t loop;
static struct mqtt_client *m;
static struct {
    unsigned opens, subscribed, messages, closes;
    uint16_t delivered, id;
    char topic[40], data[40];
    enum err_kind why;
    bool free_in_message;
} seen;

static void on_open(void *arg)
{
    (void)arg;
    seen.opens++;
}

static void on_subscribed(void *arg)
{
    (void)arg;
    seen.subscribed++;
}

static void on_message(void *arg, const char *topic, const char *data, size_t len, uint16_t id)
{
    (void)arg;
    seen.messages++;
    seen.id = id;
    STR_SET(seen.topic, topic);
    (void)str_format(seen.data, sizeof(seen.data), "%.*s", (int)len, data);
    if (seen.free_in_message)
        mqtt_client_free(steal(m));
}

static void on_delivered(void *arg, uint16_t token)
{
    (void)arg;
    seen.delivered = token;
}

static void on_close(void *arg, const struct err *why)
{
    (void)arg;
    seen.closes++;
    seen.why = why ? why->kind : ERR_NONE;
}

static void begin(void)
{
    static const struct mqtt_client_events events = {on_open, on_subscribed, on_message,
                                                     on_delivered, on_close};
    const struct mqtt_client_options options = {.dialer = &far.dialer,
                                                .host = "hub",
                                                .port = 8883,
                                                .client_id = "d/m",
                                                .username = "hub/d/m",
                                                .keep_alive_s = 240};
    struct secret password = {0};

    far.dialer.open_unix = far_open;
    (void)uv_loop_init(&loop);
    m = mqtt_client_new(&loop, &options, &events, NULL);
    secret_set(&password, "token", 5);
    cr_assert_eq(mqtt_client_open(m, &password, NULL), 0);
    secret_wipe(&password);
}

static void finish(void)
{
    mqtt_client_free(steal(m));
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    cr_assert_eq(uv_loop_close(&loop), 0);
    buf_done(&far.heard);
}

static void accept_it(void)
{
    (void)far_hears();
    far_says("\x20\2\0\0", 4);
    cr_assert_eq(seen.opens, 1);
}

TestSuite(mqtt_client, .init = begin, .fini = finish);

Test(mqtt_client, logs_in)
{
    struct mqtt_packet p = far_hears();

    cr_assert_str_eq(far.target, "hub:8883");
    cr_assert(p.type == MQTT_CONNECT && p.clean && p.keep_alive_s == 240);
    cr_assert(p.password.len == 5 && memcmp(p.password.at, "token", 5) == 0);
    far_says("\x20", 1); /* in pieces */
    cr_assert_eq(seen.opens, 0);
    far_says("\2\0\0", 3);
    cr_assert_eq(seen.opens, 1);
}

Test(mqtt_client, tells_a_refusal_from_a_failure)
{
    far_says("\x20\2\0\5", 4);
    cr_assert(seen.closes == 1 && seen.why == ERR_REMOTE && far.closed);
    cr_assert_eq(mqtt_client_open(m, NULL, NULL), 0, "it can be opened again");
    far_says("\x20\2\0\3", 4);
    cr_assert(seen.closes == 2 && seen.why == ERR_UNREACHABLE);
    (void)mqtt_client_open(m, NULL, NULL);
    far_says("\xd0\0", 2);
    cr_assert(seen.closes == 3 && seen.why == ERR_PROTOCOL, "CONNACK must come first");
    cr_assert_eq(seen.opens, 0);
}

Test(mqtt_client, gives_each_message_back_by_its_token)
{
    auto_buf struct buf reply = {0};
    uint16_t a = 0, b = 0, none = 1;

    accept_it();
    cr_assert_eq(mqtt_client_publish(m, "t", "0", 1, 0, &none, NULL), 0);
    cr_assert_eq(none, 0);
    cr_assert_eq(mqtt_client_publish(m, "t", "1", 1, 1, &a, NULL), 0);
    cr_assert_eq(mqtt_client_publish(m, "t", "2", 1, 1, &b, NULL), 0);
    cr_assert_eq(far_hears().qos, 0);
    cr_assert(far_hears().id == a && far_hears().id == b && a != b);
    mqtt_put_puback(&reply, b);
    far_says_packets(&reply);
    cr_assert_eq(seen.delivered, b);
    seen.delivered = 0;
    far_says_packets(&reply);
    cr_assert_eq(seen.delivered, 0, "once");
}

Test(mqtt_client, has_a_bound_for_what_is_in_flight)
{
    struct err err = {0};
    uint16_t token = 0;

    accept_it();
    for (unsigned i = 0; i < MQTT_CLIENT_IN_FLIGHT; i++)
        cr_assert_eq(mqtt_client_publish(m, "t", "x", 1, 1, &token, NULL), 0);
    cr_assert_eq(mqtt_client_publish(m, "t", "x", 1, 1, &token, &err), -1);
    cr_assert_eq(err.kind, ERR_BUSY);
    cr_assert_eq(mqtt_client_publish(m, "t", "x", MQTT_PAYLOAD_MAX + 1, 0, NULL, &err), -1);
    cr_assert_eq(err.kind, ERR_INVALID);
}

Test(mqtt_client, acknowledges_when_its_owner_says_so)
{
    auto_buf struct buf message = {0};

    accept_it();
    mqtt_put_publish(&message, "c2d", 2, 9, false);
    buf_puts(&message, "hi");
    far_says_packets(&message);
    cr_assert(seen.messages == 1 && seen.id == 9);
    cr_assert(str_eq(seen.topic, "c2d") && str_eq(seen.data, "hi"));
    cr_assert_eq(far.heard.len, 0, "not yet");
    mqtt_client_took(m, 9);
    cr_assert_eq(far_hears().type, MQTT_PUBACK);
}

Test(mqtt_client, knows_when_subscriptions_are_in_force)
{
    static const char *const filters[] = {"a/#", "b"};
    static const unsigned char granted[] = {0, 0}, refused[] = {0, 0x80};
    auto_buf struct buf reply = {0};

    accept_it();
    cr_assert_eq(mqtt_client_subscribe(m, filters, 2, 0, NULL), 0);
    cr_assert_eq(mqtt_client_subscribe(m, filters, 1, 1, NULL), 0);
    mqtt_put_suback(&reply, far_hears().id, granted, 2);
    far_says_packets(&reply);
    cr_assert_eq(seen.subscribed, 0, "the second is not answered");
    buf_clear(&reply);
    mqtt_put_suback(&reply, far_hears().id, granted, 1);
    far_says_packets(&reply);
    cr_assert_eq(seen.subscribed, 1);
    cr_assert_eq(mqtt_client_unsubscribe(m, filters, 2, NULL), 0);
    cr_assert_eq(far_hears().type, MQTT_UNSUBSCRIBE);
    buf_clear(&reply);
    mqtt_put_suback(&reply, 1, refused, 2);
    far_says_packets(&reply);
    cr_assert(seen.closes == 1 && seen.why == ERR_REMOTE);
}

Test(mqtt_client, may_be_freed_by_what_it_tells)
{
    auto_buf struct buf messages = {0};

    accept_it();
    seen.free_in_message = true;
    mqtt_put_publish(&messages, "a", 1, 0, false);
    buf_puts(&messages, "1");
    mqtt_put_publish(&messages, "a", 1, 0, false);
    buf_puts(&messages, "2");
    far_says_packets(&messages);
    cr_assert(seen.messages == 1 && seen.closes == 0 && far.closed);
    cr_assert_eq(far_hears().type, MQTT_DISCONNECT, "it says goodbye");
}

Test(mqtt_client, closes_with_a_goodbye)
{
    accept_it();
    mqtt_client_close(m);
    cr_assert_eq(far_hears().type, MQTT_DISCONNECT);
    cr_assert(far.shut && seen.closes == 0);
    far.stream.events->on_eof(far.stream.arg);
    cr_assert(seen.closes == 1 && seen.why == ERR_NONE);
}

Test(mqtt_client, ends_with_its_stream)
{
    struct err err;

    accept_it();
    err_set(&err, ERR_AUTH, "the server's certificate is not trusted");
    far.stream.events->on_close(far.stream.arg, &err);
    cr_assert(seen.closes == 1 && seen.why == ERR_AUTH);
    cr_assert_eq(mqtt_client_publish(m, "t", "x", 1, 0, NULL, &err), -1);
    cr_assert_eq(err.kind, ERR_UNREACHABLE);
}

/* ---- a WebSocket below ---- */

static struct {
    unsigned opens, closes;
    struct buf data;
    struct err why;
} above;

static void above_open(void *arg)
{
    (void)arg;
    above.opens++;
}

static void above_data(void *arg, const char *data, size_t len)
{
    (void)arg;
    buf_append(&above.data, data, len);
}

static void above_close(void *arg, const struct err *why)
{
    (void)arg;
    above.closes++;
    above.why = why ? *why : (struct err){0};
}

/* Opens one; the server answers with HEAD, in which %s is what the key asks for. */
static struct stream *websocket(struct dialer *d, const char *head, const char *accept)
{
    static const struct stream_events events = {
        .on_open = above_open, .on_data = above_data, .on_close = above_close};
    auto_buf struct buf answer = {0};

    memset(&above, 0, sizeof(above));

    struct stream *s = d->open_unix(d, "hub:443", &events, NULL);

    cr_assert(str_starts(buf_str(&far.heard), "GET /path HTTP/1.1\r\nHost: hub:443\r\n"));
    cr_assert_eq(stream_write(s, "early", 5, NULL), 0);
    buf_puts(&answer, head);
    buf_puts(&answer, accept);
    buf_puts(&answer, "\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n");
    buf_clear(&far.heard);
    far_says_packets(&answer);
    return s;
}

Test(websocket_stream, refuses_an_answer_that_is_not_to_its_question)
{
    static const struct {
        const char *head, *accept;
        enum err_kind kind;
    } bad[] = {
        {"HTTP/1.1 404 Not Found\r\nX: ", "y", ERR_UNREACHABLE},
        {"HTTP/1.1 101 Switching\r\nSec-WebSocket-Accept: ", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
         ERR_PROTOCOL},
        {"SSH-2.0-x\r\n", "", ERR_PROTOCOL},
    };

    far.dialer.open_unix = far_open;

    struct dialer *d = dialer_websocket_new(&far.dialer, "/path", "mqtt");

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct stream *s = websocket(d, bad[i].head, bad[i].accept);

        cr_assert(above.opens == 0 && above.closes == 1 && above.why.kind == bad[i].kind, "%zu: %s",
                  i, above.why.msg);
        cr_assert(far.closed && far.heard.len == 0, "nothing is said to such a server");
        stream_close(s);
    }
    dialer_websocket_free(d);
    buf_done(&far.heard);
}
