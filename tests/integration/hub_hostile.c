/* berth-hub among hostile clients: each is cut off in time, holds little, and harms nobody else. */
#include "tests/hub_client.h"

#define GROWTH_MAX                                                                 \
    (48L << 20) /* of the hub's memory, whatever they do; the sanitisers' included \
                 */

static struct test_hub hub;
static char key[128];
static struct mqtt_login login = {.device = "dev1", .key = key};

static long memory(void)
{
    char path[40], line[200];
    long kib = 0;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/status", hub.pid);
    f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f))
        if (str_starts(line, "VmRSS:"))
            kib = strtol(line + 6, NULL, 10);
    if (f)
        fclose(f);
    return kib * 1024;
}

/* Whether the hub grew little since BEFORE. */
static void report_growth(const char *name, long before)
{
    char seen[40];
    long grown = memory() - before;

    snprintf(seen, sizeof(seen), "%ld KiB", grown / 1024);
    report(name, grown < GROWTH_MAX, seen);
}

static bool others_are_served(void)
{
    uint64_t start = clock_mono_ms();
    struct link l;
    bool ok = rest(&hub, NULL, "GET", "/devices/dev1", NULL, NULL, NULL) == 200 &&
              mqtt_login(&l, &hub, &(struct mqtt_login){.device = "dev2", .key = key}, NULL) == 5;

    link_close(&l);
    return ok && clock_mono_ms() - start < 2000;
}

/* ---- what is no CONNECT ---- */

static void expect_end(const char *name, const void *data, size_t len)
{
    struct link l;

    (void)link_open(&l, &hub, hub.mqtt_port);
    (void)link_send(&l, data, len);
    report(name, link_ends(&l) && l.in.len == 0, NULL);
    link_close(&l);
}

static void expect_code(const char *name, const char *packet, size_t len, unsigned code)
{
    struct link l;
    auto_buf struct buf body = {0};

    (void)link_open(&l, &hub, hub.mqtt_port);
    (void)link_send(&l, packet, len);
    report(name,
           recv_packet(&l, &body) == 0x20 && body.len == 2 && (unsigned char)body.data[1] == code &&
               link_ends(&l),
           NULL);
    link_close(&l);
}

static void test_connects(void)
{
    auto_buf struct buf junk = {0};
    struct link l;
    auto_buf struct buf body = {0};

    for (int i = 0; i < 100000; i++)
        buf_putc(&junk, '[');
    expect_end("a packet of endless length ends the connection", "\x10\xff\xff\xff\xff\xff", 6);
    expect_end("a packet before CONNECT ends the connection", "\x30\x00", 2);
    expect_end("so does what only a server sends", "\x20\x02\x00\x00", 4);
    (void)link_open(&l, &hub, hub.mqtt_port);
    (void)send_packet(&l, 0x10, &junk);
    report("a CONNECT that is too large ends the connection", link_ends(&l), NULL);
    link_close(&l);
    expect_code("MQTT 5 is refused with CONNACK 1", "\x10\x10\0\4MQTT\5\x02\0\x3c\0\0\3dev", 18, 1);
    expect_code("MQTT 3.1 is refused with CONNACK 1", "\x10\x11\0\6MQIsdp\3\x02\0\x3c\0\3dev", 19,
                1);
    expect_code("no client id, to be remembered, is CONNACK 2", "\x10\x0c\0\4MQTT\4\x00\0\x3c\0\0",
                14, 2);
    expect_code("no client id and no user name is CONNACK 5", "\x10\x0c\0\4MQTT\4\x02\0\x3c\0\0",
                14, 5);
    (void)mqtt_login(&l, &hub, &login, NULL);
    (void)link_send(&l, "\x10\x0c\0\4MQTT\4\x02\0\x3c\0\0", 14);
    report("a second CONNECT ends the connection", recv_packet(&l, &body) == 0 && link_ends(&l),
           NULL);
    link_close(&l);
}

/* One that sends its packets byte by byte is only slow. */
static void test_pieces(void)
{
    struct link l;
    auto_buf struct buf body = {0};
    const char ping[] = "\xc0\x00\xc0";

    (void)mqtt_login(&l, &hub, &login, NULL);
    for (size_t i = 0; i < 3; i++)
        (void)link_send(&l, ping + i, 1);
    report("half a packet waits for its other half",
           recv_packet(&l, &body) == 0xd0 && link_send(&l, "\0", 1) &&
               recv_packet(&l, &body) == 0xd0,
           NULL);
    link_close(&l);
    login.keep_alive_s = 0;
    (void)mqtt_login(&l, &hub, &login, NULL);
    report("a client without keep-alive is not ended for its silence", !link_ends(&l), NULL);
    link_close(&l);
}

/* ---- those who hold on ---- */

static void test_loris(void)
{
    static struct link mqtt[200], https[100];
    long before = memory();

    for (size_t i = 0; i < ARRAY_LEN(mqtt); i++) {
        (void)link_open(&mqtt[i], &hub, hub.mqtt_port);
        (void)link_send(&mqtt[i], "\x10\xff\x7f\0\4MQ", 7);
    }
    for (size_t i = 0; i < ARRAY_LEN(https); i++) {
        (void)link_open(&https[i], &hub, hub.https_port);
        (void)link_send(&https[i], "PUT /devices/x HTTP/1.1\r\nContent-Length: 1000000000\r\nX-",
                        55);
    }
    report_growth("300 clients that begin and never go on are held cheaply", before);
    report("and others are served meanwhile", others_are_served(), NULL);
    for (size_t i = 0; i < ARRAY_LEN(mqtt); i++)
        link_close(&mqtt[i]);
    for (size_t i = 0; i < ARRAY_LEN(https); i++)
        link_close(&https[i]);
}

/* ---- those who never read ---- */

static void give_up_soon(struct link *l)
{
    struct timeval brief = {.tv_usec = 200000};

    setsockopt(l->fd, SOL_SOCKET, SO_SNDTIMEO, &brief, sizeof(brief));
}

/* Asks for its twin without end. */
static void test_asks_and_never_reads(void)
{
    struct link l;
    size_t sent = 0;
    long before = memory();

    (void)mqtt_login(&l, &hub, &login, NULL);
    (void)mqtt_subscribe(&l, "$iothub/twin/res/#", 0);
    give_up_soon(&l);
    while (sent < 1000000 && mqtt_publish(&l, "$iothub/twin/GET/?$rid=1", 0, 0, "", 0))
        sent++;
    report("a client that never reads is no longer read either", sent < 1000000, NULL);
    report_growth("it holds little", before);
    report("and others are served meanwhile", others_are_served(), NULL);
    link_close(&l);
}

/* Is told of changes without end. */
static void test_is_told_and_never_reads(void)
{
    struct link l;
    auto_buf struct buf patch = {0};
    long before = memory();
    int told = 0;
    bool connected = true;

    buf_puts(&patch, "{\"properties\":{\"desired\":{");
    for (int i = 0; i < 7; i++)
        buf_printf(&patch, "%s\"k%d\":\"%04000d\"", i ? "," : "", i, i);
    buf_puts(&patch, "}}}");
    (void)mqtt_login(&l, &hub, &login, NULL);
    (void)mqtt_subscribe(&l, "$iothub/twin/PATCH/properties/desired/#", 0);
    for (; told < 1000 && connected; told++) {
        auto_json cJSON *out = NULL;

        (void)rest(&hub, NULL, "PATCH", "/twins/dev1", NULL, patch.data, &out);
        if (told % 10 == 9) {
            auto_json cJSON *shown = NULL;

            (void)rest(&hub, NULL, "GET", "/statistics/service", NULL, NULL, &shown);
            connected = shown && json_u64(shown, "connectedDeviceCount", 0) > 0;
        }
    }
    report("one that does not read what it is told is cut off in the end", !connected, NULL);
    report_growth("before it holds much", before);
    link_close(&l);
}

/* ---- noise ---- */

/* A CONNECT and what follows with bytes changed at random: the hub must outlive all of them. */
static void test_noise(void)
{
    static const char packets[] = "\x10\x10\0\4MQTT\4\xc2\0\x3c\0\4dev1\0\2u/\0\1p"
                                  "\x82\x0e\0\1\0\x09$iothub/#\0\xc0\0\x30\x09\0\3a/bhello!";
    unsigned seed = 7;

    for (int round = 0; round < 300; round++) {
        struct link l;
        char bytes[sizeof(packets)];

        memcpy(bytes, packets, sizeof(packets));
        for (int i = 0; i < 5; i++) {
            seed = seed * 1103515245U + 12345U;
            bytes[(seed >> 8) % sizeof(packets)] = (char)(seed >> 16);
        }
        if (!link_open(&l, &hub, hub.mqtt_port))
            continue;
        (void)link_send(&l, bytes, sizeof(bytes));
        link_close(&l);
    }
    report("300 mutilated beginnings do no harm", others_are_served(), NULL);
}

int main(void)
{
    auto_buf struct buf deep = {0};
    const char *options = getenv("ASAN_OPTIONS");
    char small[300];

    /* What the address sanitiser keeps of freed memory is not the hub's. */
    snprintf(small, sizeof(small), "%s:quarantine_size_mb=1", options ? options : "");
    setenv("ASAN_OPTIONS", small, 1);
    if (!hub_begin(&hub))
        return 1;
    device_create(&hub, "dev1", false, key);
    test_connects();
    test_pieces();
    for (int i = 0; i < 500000; i++)
        buf_putc(&deep, '[');
    report("2 levels too deep is 400",
           rest(&hub, NULL, "PATCH", "/twins/dev1", NULL, deep.data, NULL) == 400, NULL);
    test_loris();
    test_asks_and_never_reads();
    test_is_told_and_never_reads();
    test_noise();
    return hub_finish(&hub);
}
