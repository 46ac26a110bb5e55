/* Load for a hub, or for another MQTT server with the same certificate, and what it measured on
 * standard output. The devices are load-0, load-1, ...; all log in with the key of the sandbox's
 * owner policy.
 *
 *   hub_load DIR MQTT-PORT HTTPS-PORT create COUNT
 *   hub_load DIR MQTT-PORT HTTPS-PORT telemetry CONNECTIONS WINDOW MESSAGES    messages/s
 *   hub_load DIR MQTT-PORT HTTPS-PORT hold COUNT       says `held`, keeps COUNT devices until its
 * input ends hub_load DIR MQTT-PORT HTTPS-PORT churn COUNT      connects and leaves COUNT times
 *   hub_load DIR MQTT-PORT HTTPS-PORT twin COUNT       ms from a change to its push: median, 99th
 * percentile hub_load DIR MQTT-PORT HTTPS-PORT register COUNT SCOPE GROUP-KEY    ms to be assigned:
 * the same */
#include "core/azure/derive.h"
#include "core/base/mem.h"
#include "tests/hub_client.h"

#include <math.h>
#include <time.h>

#define PAYLOAD                                                                               \
    "{\"temperature\":21.4,\"humidity\":48,\"at\":\"2026-11-21T14:31:02.118Z\",\"sequence\":" \
    "1234567}"
#define PUBACK_SIZE 4
#define WARM_UP     20

static struct test_hub hub;
static char owner_token[600];

static void fail(const char *what)
{
    (void)fprintf(stderr, "hub_load: %s\n", what);
    exit(1);
}

static double now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void device_name(char to[32], unsigned long i)
{
    (void)snprintf(to, 32, "load-%lu", i);
}

static void log_in(struct link *l, unsigned long i)
{
    char name[32];

    device_name(name, i);
    if (mqtt_login(
            l, &hub,
            &(struct mqtt_login){.device = name, .password = owner_token, .keep_alive_s = 600},
            NULL) != 0)
        fail("a login was refused");
}

static void log_out(struct link *l)
{
    (void)send_packet(l, 0xe0, NULL);
    link_close(l);
}

/* ---- figures ---- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Sorts them. */
static void print_spread(double *ms, size_t n)
{
    qsort(ms, n, sizeof(*ms), compare);
    printf("%.3f %.3f\n", ms[n / 2], ms[(size_t)ceil((double)n * 0.99) - 1]);
}

/* ---- modes ---- */

static void create(unsigned long count)
{
    for (unsigned long i = 0; i < count; i++) {
        char name[32], target[64], body[64];

        device_name(name, i);
        (void)snprintf(target, sizeof(target), "/devices/%s", name);
        (void)snprintf(body, sizeof(body), "{\"deviceId\":\"%s\"}", name);
        if (rest(&hub, NULL, "PUT", target, NULL, body, NULL) != 200)
            fail("a device was not created");
    }
}

/* WINDOW publishes of QoS 1 as they go over the wire. */
static void make_batch(struct buf *batch, unsigned long i, unsigned long window)
{
    char topic[80];

    (void)snprintf(topic, sizeof(topic), "devices/load-%lu/messages/events/", i);

    size_t size = 2 + strlen(topic) + 2 + strlen(PAYLOAD);

    for (unsigned long id = 1; id <= window; id++) {
        buf_putc(batch, 0x32);
        if (size > 127)
            buf_putc(batch, (char)(size % 128 | 128));
        buf_putc(batch, (char)(size > 127 ? size / 128 : size));
        put_text(batch, topic);
        put16(batch, id);
        buf_puts(batch, PAYLOAD);
    }
}

static void await_acks(struct link *l, unsigned long count)
{
    while (l->in.len < count * PUBACK_SIZE)
        if (!link_more(l))
            fail("an acknowledgement did not come");
    buf_consume(&l->in, count * PUBACK_SIZE);
}

/* One thread serves all connections in turn: what it costs is the same for every server. */
static void telemetry(unsigned long connections, unsigned long window, unsigned long messages)
{
    struct link *links = xcalloc(connections, sizeof(*links));
    struct buf *batches = xcalloc(connections, sizeof(*batches));
    unsigned long rounds = messages / (connections * window);
    double start = 0;

    for (unsigned long i = 0; i < connections; i++) {
        log_in(&links[i], i);
        make_batch(&batches[i], i, window);
    }
    for (unsigned long round = 0; round < rounds + WARM_UP; round++) {
        if (round == WARM_UP)
            start = now_ms();
        for (unsigned long i = 0; i < connections; i++)
            if (!link_send(&links[i], batches[i].data, batches[i].len))
                fail("the server ended a connection");
        for (unsigned long i = 0; i < connections; i++)
            await_acks(&links[i], window);
    }
    printf("%.0f\n", (double)(rounds * connections * window) * 1e3 / (now_ms() - start));
    for (unsigned long i = 0; i < connections; i++) {
        log_out(&links[i]);
        buf_done(&batches[i]);
    }
    free(links);
    free(batches);
}

/* As an SDK that uses twins and methods. */
static void subscribe_all(struct link *l)
{
    static const char *const filters[] = {"$iothub/twin/res/#", "$iothub/methods/POST/#",
                                          "$iothub/twin/PATCH/properties/desired/#"};

    for (size_t i = 0; i < ARRAY_LEN(filters); i++)
        if (mqtt_subscribe(l, filters[i], 0) != 0)
            fail("a subscription was refused");
}

static void hold(unsigned long count)
{
    struct link *links = xcalloc(count, sizeof(*links));

    for (unsigned long i = 0; i < count; i++) {
        log_in(&links[i], i);
        subscribe_all(&links[i]);
    }
    (void)puts("held");
    (void)fflush(stdout);
    (void)getchar();
    for (unsigned long i = 0; i < count; i++)
        link_close(&links[i]);
    free(links);
}

static void churn(unsigned long count)
{
    for (unsigned long i = 0; i < count; i++) {
        struct link l;

        log_in(&l, i % 100);
        /* Half of them go without a word. */
        if (i % 2)
            link_close(&l);
        else
            log_out(&l);
    }
}

/* A connection for many REST calls. */
static void patch_twin(struct link *l, unsigned long i)
{
    auto_buf struct buf request = {0};
    char body[80];

    (void)snprintf(body, sizeof(body), "{\"properties\":{\"desired\":{\"n\":%lu}}}", i);
    buf_printf(
        &request,
        "PATCH /twins/load-0?api-version=2021-04-12 HTTP/1.1\r\nHost: h\r\nAuthorization: %s\r\n"
        "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
        owner_token, strlen(body), body);
    if (!link_send(l, request.data, request.len))
        fail("the service's connection ended");
}

static void drop_reply(struct link *l)
{
    for (;;) {
        const char *end = strstr(buf_str(&l->in), "\r\n\r\n");
        const char *length = strcasestr(buf_str(&l->in), "content-length:");

        if (end && length && length < end) {
            size_t size = (size_t)(end + 4 - l->in.data) + strtoul(length + 15, NULL, 10);

            if (l->in.len >= size) {
                buf_consume(&l->in, size);
                return;
            }
        }
        if (!link_more(l))
            fail("a change was not answered");
    }
}

static void twin(unsigned long count)
{
    struct link device, service;
    double *ms = xcalloc(count, sizeof(*ms));
    auto_buf struct buf topic = {0};
    auto_buf struct buf payload = {0};

    log_in(&device, 0);
    subscribe_all(&device);
    if (!link_open(&service, &hub, hub.https_port))
        fail("no connection for the service");
    for (unsigned long i = 0; i < count + WARM_UP; i++) {
        double start = now_ms();

        patch_twin(&service, i);
        if (!mqtt_receive(&device, &topic, &payload))
            fail("a change was not pushed");
        if (i >= WARM_UP)
            ms[i - WARM_UP] = now_ms() - start;
        drop_reply(&service);
    }
    print_spread(ms, count);
    link_close(&device);
    link_close(&service);
    free(ms);
}

/* Each device on connections of its own, as at its first start; the pause between the two calls is
 * left out. */
static void register_one(const char *scope, const char *group_key, unsigned long i)
{
    auto_secret struct secret key = {0};
    auto_secret struct secret token = {0};
    auto_json cJSON *begun = NULL;
    auto_json cJSON *ended = NULL;
    char name[32], resource[200], target[300], body[80];

    device_name(name, i);
    (void)snprintf(resource, sizeof(resource), "%s/registrations/%s", scope, name);
    (void)snprintf(target, sizeof(target), "/%s/register", resource);
    (void)snprintf(body, sizeof(body), "{\"registrationId\":\"%s\"}", name);
    if (derive_key(group_key, name, &key, NULL) < 0 ||
        sas_make(resource, key.data, clock_wall_ms() / 1000 + 3600, "registration", &token, NULL) <
            0)
        fail("no token for a registration");
    if (rest(&hub, token.data, "PUT", target, "Content-Type: application/json\r\n", body, &begun) !=
        202)
        fail("a registration was refused");
    (void)snprintf(target, sizeof(target), "/%s/operations/%s", resource,
                   json_str(begun, "operationId", ""));
    if (rest(&hub, token.data, "GET", target, NULL, NULL, &ended) != 200 ||
        !str_eq(json_str(ended, "status", ""), "assigned"))
        fail("a registration did not end");
}

static void register_all(unsigned long count, const char *scope, const char *group_key)
{
    double *ms = xcalloc(count, sizeof(*ms));

    for (unsigned long i = 0; i < count; i++) {
        double start = now_ms();

        register_one(scope, group_key, i);
        ms[i] = now_ms() - start;
    }
    print_spread(ms, count);
    free(ms);
}

/* ---- main ---- */

static void read_hub(const char *dir, const char *mqtt_port, const char *https_port)
{
    auto_free char *path = xasprintf("%s/sandbox.json", dir);
    auto_buf struct buf text = {0};
    auto_secret struct secret token = {0};

    (void)snprintf(hub.dir, sizeof(hub.dir), "%s", dir);
    hub.mqtt_port = (uint16_t)strtoul(mqtt_port, NULL, 10);
    hub.https_port = (uint16_t)strtoul(https_port, NULL, 10);
    if (file_read(path, 65536, &text, NULL) < 0)
        fail("no sandbox.json");

    auto_json cJSON *record = json_parse(text.data, text.len, NULL);
    const char *key = strstr(json_str(record, "serviceConnectionString", ""), "SharedAccessKey=");

    if (!key)
        fail("no key in sandbox.json");
    (void)snprintf(hub.service_key, sizeof(hub.service_key), "%s", key + 16);
    if (sas_make(HUB_HOST, hub.service_key, clock_wall_ms() / 1000 + 3600, "iothubowner", &token,
                 NULL) < 0)
        fail("no token");
    (void)snprintf(owner_token, sizeof(owner_token), "%s", token.data);
}

int main(int argc, char **argv)
{
    if (argc < 6) {
        (void)fprintf(stderr, "usage: hub_load DIR MQTT-PORT HTTPS-PORT MODE COUNT ...\n");
        return 2;
    }
    (void)sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    read_hub(argv[1], argv[2], argv[3]);

    const char *mode = argv[4];
    unsigned long count = strtoul(argv[5], NULL, 10);

    if (str_eq(mode, "create"))
        create(count);
    else if (str_eq(mode, "telemetry") && argc == 8)
        telemetry(count, strtoul(argv[6], NULL, 10), strtoul(argv[7], NULL, 10));
    else if (str_eq(mode, "hold"))
        hold(count);
    else if (str_eq(mode, "churn"))
        churn(count);
    else if (str_eq(mode, "twin"))
        twin(count);
    else if (str_eq(mode, "register") && argc == 8)
        register_all(count, argv[6], argv[7]);
    else
        fail("no such mode");
    return 0;
}
