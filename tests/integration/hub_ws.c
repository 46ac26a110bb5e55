/* MQTT over WebSocket on the HTTPS port: the same as over TLS alone, whatever the frames. */
#include "tests/hub_client.h"

#include "core/io/tls_cert.h"
#include "vm/guest/hub/store.h"

#define PATH "/$iothub/websocket"

static struct test_hub hub;
static char key[128], cert[80], cert_key[80];
static struct mqtt_login login = {.device = "dev1", .key = key, .websocket = true};

static void expect_upgrade(const char *name, const char *target, const char *protocol, int status)
{
    struct link l;
    char seen[32];
    int got = 0;

    if (link_open(&l, &hub, hub.https_port))
        got = ws_open(&l, target, protocol);
    snprintf(seen, sizeof(seen), "%d", got);
    report(name, got == status, seen);
    link_close(&l);
}

static void test_upgrade(void)
{
    expect_upgrade("a request for mqtt is upgraded, without compression", PATH, "mqtt", 101);
    expect_upgrade("also with a query", PATH "?iothub-no-client-cert=true", "mqtt", 101);
    expect_upgrade("and with the dollar encoded", "/%24iothub/websocket", "mqtt", 101);
    expect_upgrade("AMQP is refused", PATH, "AMQPWSB10", 400);
    expect_upgrade("elsewhere nothing is upgraded", "/devices/x", "mqtt", 401);
    report("a request that is no upgrade is 400",
           rest(&hub, NULL, "GET", PATH, NULL, NULL, NULL) == 400, NULL);
}

static void test_session(void)
{
    struct link l;
    auto_buf struct buf topic = {0};
    auto_buf struct buf payload = {0};
    auto_buf struct buf body = {0};
    auto_free char *big = calloc(1, 256 * 1024);
    unsigned id;

    report("a device logs in", mqtt_login(&l, &hub, &login, NULL) == 0, NULL);
    (void)mqtt_publish(&l, "devices/dev1/messages/events/", 1, 5, big, 256 * 1024);
    report("256 KB pass and are acknowledged", recv_packet(&l, &body) == 0x40 && body.data[1] == 5,
           NULL);
    (void)mqtt_subscribe(&l, "$iothub/twin/res/#", 0);
    (void)mqtt_publish(&l, "$iothub/twin/GET/?$rid=w", 0, 0, " ", 1);
    report("the twin is read",
           mqtt_receive(&l, &topic, &payload) &&
               strcmp(buf_str(&topic), "$iothub/twin/res/200/?$rid=w") == 0,
           buf_str(&topic));
    (void)mqtt_subscribe(&l, "devices/dev1/messages/devicebound/#", 1);
    (void)rest(&hub, NULL, "POST", "/sandbox/devices/dev1/messages/devicebound", NULL,
               "{\"body\":\"down\"}", NULL);
    report("a message to the device arrives",
           mqtt_receive_qos(&l, &topic, &payload, &id, NULL) && id > 0 &&
               strcmp(buf_str(&payload), "down") == 0,
           buf_str(&payload));
    (void)mqtt_puback(&l, id);
    (void)send_packet(&l, 0xe0, NULL);
    report("DISCONNECT is answered by the end", link_ends(&l), NULL);
    link_close(&l);
    login.key = "MTEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    expect_login(&hub, "a wrong key is refused with CONNACK 5", &login, 5);
    login.key = key;
}

/* Where a frame ends says nothing of where a packet does. */
static void test_frames(void)
{
    struct link l;
    auto_buf struct buf body = {0};
    auto_buf struct buf seen = {0};

    (void)mqtt_login(&l, &hub, &login, NULL);
    (void)ws_send(&l, WS_BINARY, "\xc0", 1);
    (void)ws_send(&l, WS_BINARY, "\0\xc0\0\xc0", 4);
    (void)ws_send(&l, WS_BINARY, "\0", 1);
    for (int i = 0; i < 3; i++)
        if (recv_packet(&l, &body) == 0xd0)
            buf_putc(&seen, '+');
    report("packets cross frames, and frames hold several", seen.len == 3, buf_str(&seen));
    (void)ws_send(&l, WS_PING, "hello", 5);
    while (ws_take(&l, &body) == 0 && link_read_raw(&l, &l.frames))
        ;
    report("a ping is answered with its payload", strcmp(buf_str(&body), "hello") == 0,
           buf_str(&body));
    (void)ws_send(&l, WS_TEXT, "\xc0\0", 2);
    report("a text frame ends the connection", link_ends(&l), NULL);
    link_close(&l);
    (void)mqtt_login(&l, &hub, &login, NULL);
    (void)ws_send(&l, WS_CLOSE, "\x03\xe8", 2);
    report("a close is answered by the end", link_ends(&l), NULL);
    link_close(&l);
}

static void test_takeover(void)
{
    struct link over_tls, over_ws;
    struct mqtt_login plain = {.device = "dev1", .key = key};

    (void)mqtt_login(&over_tls, &hub, &plain, NULL);
    report("a WebSocket takes the place of a connection over TLS",
           mqtt_login(&over_ws, &hub, &login, NULL) == 0 && link_ends(&over_tls), NULL);
    link_close(&over_tls);
    report("and the other way round",
           mqtt_login(&over_tls, &hub, &plain, NULL) == 0 && link_ends(&over_ws), NULL);
    link_close(&over_tls);
    link_close(&over_ws);
}

static void test_time(void)
{
    struct link l;
    uint64_t start = clock_mono_ms();
    struct mqtt_login m = login;
    bool ok;

    m.keep_alive_s = 1;
    ok = mqtt_login(&l, &hub, &m, NULL) == 0 && link_ends(&l);
    report("silence ends the connection as it does without WebSocket",
           ok && clock_mono_ms() - start >= 1400 && clock_mono_ms() - start < 4000, NULL);
    link_close(&l);
    m.keep_alive_s = 0;
    m.expiry_s = clock_wall_ms() / 1000 - SAS_SKEW_S + 1;
    start = clock_mono_ms();
    ok = mqtt_login(&l, &hub, &m, NULL) == 0 && link_ends(&l);
    report("so does the token's end", ok && clock_mono_ms() - start < 4500, NULL);
    link_close(&l);
}

/* Makes a device with a certificate, before the hub starts. */
static void make_certificate(void)
{
    struct identity id = {.version = 1, .auth = IDENTITY_SELF_SIGNED};
    struct tls_cert_info info;
    struct store *s = NULL;
    auto_buf struct buf pem = {0};
    char path[100];

    snprintf(cert, sizeof(cert), "%s/device.pem", hub.dir);
    snprintf(cert_key, sizeof(cert_key), "%s/device.key", hub.dir);
    snprintf(path, sizeof(path), "%s/hub.db", hub.dir);
    if (tls_cert_make_self_signed(cert, cert_key, "x1", 30, NULL) < 0 ||
        file_read(cert, 65536, &pem, NULL) < 0 ||
        tls_cert_read(pem.data, pem.len, &info, NULL) < 0 || store_open(path, &s, NULL) < 0)
        abort();
    STR_SET(id.device, "x1");
    STR_SET(id.primary_thumbprint, info.sha256);
    if (store_identity_put(s, &id, NULL) < 0)
        abort();
    store_close(s);
}

int main(void)
{
    hub_prepare(&hub);
    make_certificate();
    if (!report("it starts", hub_start(&hub), hub.line))
        return 1;
    device_create(&hub, "dev1", false, key);
    test_upgrade();
    test_session();
    test_frames();
    test_takeover();
    test_time();
    /* The certificate is that of the TLS below the WebSocket. */
    expect_login(
        &hub, "a device logs in with its certificate",
        &(struct mqtt_login){.device = "x1", .cert = cert, .cert_key = cert_key, .websocket = true},
        0);
    return hub_finish(&hub);
}
