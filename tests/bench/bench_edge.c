/* The way of messages from one module to the input of another, QoS 1 over TLS, through the parts of
 * the edge hub that they pass, beside mosquitto: the same client program, certificate and bytes, in
 * turns. The hub answers what is in its database: once with that in memory, once on a disk, where
 * each PUBACK means an fdatasync that it shares with its turn. mosquitto writes nothing in either:
 * its persistence saves now and then what it has, and so has no such promise to measure. */
#include "tests/edge_parts.h"

#include <poll.h>

#define ROUNDS 5
#define PAIRS  20
#define PAYLOAD                                                                               \
    "{\"temperature\":21.4,\"humidity\":48,\"at\":\"2026-11-21T14:31:02.118Z\",\"sequence\":" \
    "1234567}"
#define BAG         "%24.on=out&%24.ct=application%2Fjson&%24.ce=utf-8&alert=false"
#define PUBACK_SIZE 4

static struct edge_parts ours = {.control = -1};
static struct test_hub theirs;

static void die(const char *what)
{
    (void)fprintf(stderr, "bench_edge: %s\n", what);
    exit(1);
}

static double now_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- the two servers ---- */

static void start_ours(const char *under)
{
    static const char *const names[] = {HUB_HOST, NULL};
    auto_buf struct buf text = {0};
    auto_buf struct buf reply = {0};

    hub_new(&ours.hub);
    (void)rmdir(ours.hub.dir);
    (void)snprintf(ours.hub.dir, sizeof(ours.hub.dir), "%s/berth-bench-XXXXXX", under);
    if (!mkdtemp(ours.hub.dir) || certs_prepare(ours.hub.dir, names, NULL, NULL) < 0 ||
        !parts_start(&ours))
        die("the edge hub does not start");
    buf_puts(&text, "configure {\"schemaVersion\":\"1.1\",\"routes\":{");
    for (int i = 0; i < PAIRS; i++)
        buf_printf(&text,
                   "%s\"r%d\":\"FROM /messages/modules/s%d/outputs/out INTO "
                   "BrokeredEndpoint(\\\"/modules/t%d/inputs/in\\\")\"",
                   i ? "," : "", i, i, i);
    buf_puts(&text, "},\"storeAndForwardConfiguration\":{\"timeToLiveSecs\":7200}}");
    if (!str_eq(parts_ask(&ours, &reply, "%s", text.data), "ok"))
        die(buf_str(&reply));
}

static void end_ours(void)
{
    (void)parts_end(&ours, 0);
    hub_remove(&ours.hub);
}

/* With the certificate of ours, which stays until the end. */
static void start_theirs(void)
{
    char path[100];
    FILE *f;

    theirs = ours.hub;
    theirs.mqtt_port = free_port();
    (void)snprintf(path, sizeof(path), "%s/mosquitto.conf", theirs.dir);
    f = fopen(path, "we");
    if (!f)
        die(path);
    (void)fprintf(f,
                  "listener %u 127.0.0.1\ncafile %s/ca.pem\ncertfile %s/server.pem\n"
                  "keyfile %s/server.key\nallow_anonymous true\npersistence false\n"
                  "set_tcp_nodelay true\nuser root\nlog_type error\n",
                  theirs.mqtt_port, theirs.dir, theirs.dir, theirs.dir);
    (void)fclose(f);
    theirs.pid = fork();
    if (theirs.pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl("/usr/sbin/mosquitto", "mosquitto", "-c", path, NULL);
        _exit(127);
    }
    for (int i = 0; i < 200; i++) {
        struct link l;

        if (link_open(&l, &theirs, theirs.mqtt_port)) {
            link_close(&l);
            return;
        }
        (void)poll(NULL, 0, 20);
    }
    die("mosquitto does not start; apt-get install mosquitto");
}

/* ---- load ---- */

struct pair {
    struct link from, to;
    struct buf batch;
    bool awaited;
};

static void log_in(struct link *l, const struct test_hub *h, const char *kind, int i)
{
    char module[16];

    (void)snprintf(module, sizeof(module), "%s%d", kind, i);
    if (mqtt_login(
            l, h,
            &(struct mqtt_login){
                .device = PARTS_DEVICE, .module = module, .password = "any", .keep_alive_s = 600},
            NULL) != 0)
        die("a login was refused");
}

static void open_pair(struct pair *p, const struct test_hub *h, int i, unsigned window)
{
    char topic[160], filter[80];
    bool mine = h == &ours.hub;

    log_in(&p->from, h, "s", i);
    log_in(&p->to, h, "t", i);
    (void)snprintf(topic, sizeof(topic), "devices/%s/modules/s%d/messages/events/%s", PARTS_DEVICE,
                   i, BAG);
    (void)snprintf(filter, sizeof(filter), "devices/%s/modules/%s%d/%s/#", PARTS_DEVICE,
                   mine ? "t" : "s", i, mine ? "inputs" : "messages");
    if (mqtt_subscribe(&p->to, filter, 1) != 1)
        die("a subscription was refused");

    size_t size = 2 + strlen(topic) + 2 + strlen(PAYLOAD);

    for (unsigned id = 1; id <= window; id++) {
        buf_putc(&p->batch, 0x32);
        buf_putc(&p->batch, (char)(size % 128 | 128));
        buf_putc(&p->batch, (char)(size / 128));
        put_text(&p->batch, topic);
        put16(&p->batch, id);
        buf_puts(&p->batch, PAYLOAD);
    }
}

static void close_pair(struct pair *p)
{
    (void)send_packet(&p->from, 0xe0, NULL);
    (void)send_packet(&p->to, 0xe0, NULL);
    link_close(&p->from);
    link_close(&p->to);
    buf_done(&p->batch);
}

static void await_acks(struct link *l, unsigned count)
{
    while (l->in.len < (size_t)count * PUBACK_SIZE)
        if (!link_more(l))
            die("an acknowledgement did not come");
    buf_consume(&l->in, (size_t)count * PUBACK_SIZE);
}

static void send_acks(struct link *l, struct buf *acks)
{
    if (acks->len > 0 && !link_send(l, acks->data, acks->len))
        die("the server ended a connection");
    buf_clear(acks);
}

/* Takes COUNT messages and acknowledges them. */
static void receive(struct link *l, unsigned count)
{
    auto_buf struct buf acks = {0};
    size_t at = 0;

    for (unsigned n = 0; n < count;) {
        const unsigned char *d = (const unsigned char *)buf_str(&l->in) + at;
        size_t left = l->in.len - at;
        size_t len = left < 3 ? 0 : d[1] & 128 ? (d[1] & 127U) + d[2] * 128U : d[1];
        size_t head = left < 3 || d[1] & 128 ? 3 : 2;

        if (left < 3 || left < head + len) {
            buf_consume(&l->in, at);
            at = 0;
            send_acks(l, &acks);
            if (!link_more(l))
                die("a message did not arrive");
            continue;
        }

        size_t id = head + 2 + ((size_t)d[head] << 8) + d[head + 1];

        buf_append(&acks, "\x40\x02", 2);
        buf_append(&acks, d + id, 2);
        at += head + len;
        n++;
    }
    buf_consume(&l->in, at);
    send_acks(l, &acks);
}

static void turn(struct pair *pairs, int n, unsigned window)
{
    for (int i = 0; i < n; i++)
        if (!link_send(&pairs[i].from, pairs[i].batch.data, pairs[i].batch.len))
            die("the server ended a connection");
    for (int i = 0; i < n; i++) {
        await_acks(&pairs[i].from, window);
        receive(&pairs[i].to, window);
    }
}

/* Messages a second. */
static double relay(const struct test_hub *h, int n, unsigned window, unsigned messages)
{
    struct pair *pairs = xcalloc((size_t)n, sizeof(*pairs));
    unsigned turns = messages / ((unsigned)n * window);
    double start, rate;

    for (int i = 0; i < n; i++)
        open_pair(&pairs[i], h, i, window);
    for (unsigned i = 0; i < 20; i++)
        turn(pairs, n, window);
    start = now_s();
    for (unsigned i = 0; i < turns; i++)
        turn(pairs, n, window);
    rate = turns * (unsigned)n * window / (now_s() - start);
    for (int i = 0; i < n; i++)
        close_pair(&pairs[i]);
    free(pairs);
    return rate;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void compare(const char *what, const char *goal, int n, unsigned window, unsigned messages)
{
    double a[ROUNDS], b[ROUNDS];

    for (int i = 0; i < ROUNDS; i++) {
        a[i] = relay(&ours.hub, n, window, messages);
        b[i] = relay(&theirs, n, window, messages);
    }
    qsort(a, ROUNDS, sizeof(a[0]), by_size);
    qsort(b, ROUNDS, sizeof(b[0]), by_size);
    printf(
        "routing, %-34s %6.0f msg/s (%.0f-%.0f), mosquitto %6.0f (%.0f-%.0f): %.2fx  (goal %s)\n",
        what, a[ROUNDS / 2], a[0], a[ROUNDS - 1], b[ROUNDS / 2], b[0], b[ROUNDS - 1],
        a[ROUNDS / 2] / b[ROUNDS / 2], goal);
}

int main(int argc, char **argv)
{
    unsigned scale = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1;

    setvbuf(stdout, NULL, _IOLBF, 0);
    (void)sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    start_ours("/dev/shm");
    start_theirs();
    compare("in memory, 1 pair, window 1", ">= 0.8x", 1, 1, 5000 * scale);
    compare("in memory, 1 pair, window 16", ">= 0.8x", 1, 16, 40000 * scale);
    compare("in memory, 20 pairs, window 16", ">= 0.8x", PAIRS, 16, 80000 * scale);
    (void)hub_end(&theirs, SIGTERM);
    end_ours();
    start_ours("/var/tmp");
    start_theirs();
    compare("durable, 1 pair, window 16", ">= 0.4x", 1, 16, 10000 * scale);
    compare("durable, 20 pairs, window 16", ">= 0.4x", PAIRS, 16, 40000 * scale);
    (void)hub_end(&theirs, SIGTERM);
    end_ours();
    return 0;
}
