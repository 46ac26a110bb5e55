/* The edge hub beside mosquitto: messages from one module to the input of another, QoS 1 over TLS,
 * with the same client program and bytes, in turns. What the hub acknowledges is in its database:
 * once with that in memory, once on a disk, where it means an fdatasync for each turn. mosquitto
 * writes nothing in either: its persistence saves now and then what it has, and so has no such
 * promise to measure; the bare fdatasync stands beside it. Then its memory: with few modules, with
 * many and a long queue, and after a million messages.
 *
 *   bench_edge [SCALE]    how many times as many messages */
#include "core/base/mem.h"
#include "tests/edge_runtime.h"
#include "tests/support/mosquitto.h"

#include <time.h>

#define ROUNDS  5
#define PAIRS   20 /* that relay */
#define MODULES 50
#define QUEUED  100000
#define MILLION 1000000
#define PAYLOAD                                                                               \
    "{\"temperature\":21.4,\"humidity\":48,\"at\":\"2026-11-21T14:31:02.118Z\",\"sequence\":" \
    "1234567}"
#define BAG         "%24.on=out&%24.ct=application%2Fjson&%24.ce=utf-8&alert=false"
#define PUBACK_SIZE 4

static struct test_hub cloud, theirs;
static struct test_edge ours = {.max_clients = 100};

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

static void make_config(struct buf *to)
{
    buf_puts(to, "{\"schemaVersion\":\"1.1\",\"routes\":{\"up\":\"FROM /messages/* WHERE "
                 "keep = 'yes' INTO $upstream\"");
    for (int i = 0; i < PAIRS; i++)
        buf_printf(to,
                   ",\"r%d\":\"FROM /messages/modules/s%d/outputs/out INTO "
                   "BrokeredEndpoint(\\\"/modules/t%d/inputs/in\\\")\"",
                   i, i, i);
    buf_puts(to, "},\"storeAndForwardConfiguration\":{\"timeToLiveSecs\":7200}}");
}

/* Its database in a new folder below UNDER. */
static void start_ours(const char *under)
{
    auto_buf struct buf config = {0};
    char data[100], link[100];

    (void)snprintf(data, sizeof(data), "%s/berth-bench-XXXXXX", under);
    (void)snprintf(link, sizeof(link), "%s/data", ours.link.dir);
    make_config(&config);
    if (!mkdtemp(data) || symlink(data, link) < 0 || !edge_keep_config(&ours, config.data) ||
        !edge_start(&ours))
        die("the edge hub does not start");
}

static void end_ours(void)
{
    char data[100] = "", link[100];

    (void)hub_end(&ours.link, SIGTERM);
    (void)snprintf(link, sizeof(link), "%s/data", ours.link.dir);
    if (readlink(link, data, sizeof(data) - 1) > 0)
        (void)file_remove_tree(data, NULL);
    (void)unlink(link);
}

/* ---- load ---- */

struct pair {
    struct link from, to;
    struct buf batch;
};

static void module_name(char to[16], const char *kind, int i)
{
    (void)snprintf(to, 16, "%s%d", kind, i);
}

static void log_in(struct link *l, const struct test_hub *h, const char *kind, int i)
{
    char module[16];

    module_name(module, kind, i);
    if (mqtt_login(l, h,
                   &(struct mqtt_login){.device = EDGE_DEVICE,
                                        .module = module,
                                        .key = edge_key(&ours, module),
                                        .keep_alive_s = 600},
                   NULL) != 0)
        die("a login was refused");
}

/* COUNT publishes of module s I as they go over the wire. */
static void make_batch(struct buf *batch, int i, unsigned count, const char *bag)
{
    char topic[160];

    (void)snprintf(topic, sizeof(topic), "devices/%s/modules/s%d/messages/events/%s", EDGE_DEVICE,
                   i, bag);

    size_t size = 2 + strlen(topic) + 2 + strlen(PAYLOAD);

    for (unsigned id = 1; id <= count; id++) {
        buf_putc(batch, 0x32);
        buf_putc(batch, (char)(size % 128 | 128));
        buf_putc(batch, (char)(size / 128));
        put_text(batch, topic);
        put16(batch, id);
        buf_puts(batch, PAYLOAD);
    }
}

static void open_pair(struct pair *p, const struct test_hub *h, int i, unsigned window,
                      const char *bag)
{
    char filter[80];
    bool mine = h == &ours.link;

    log_in(&p->from, h, "s", i);
    log_in(&p->to, h, "t", i);
    (void)snprintf(filter, sizeof(filter), "devices/%s/modules/%s%d/%s/#", EDGE_DEVICE,
                   mine ? "t" : "s", i, mine ? "inputs" : "messages");
    if (mqtt_subscribe(&p->to, filter, 1) != 1)
        die("a subscription was refused");

    make_batch(&p->batch, i, window, bag);
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
        open_pair(&pairs[i], h, i, window, BAG);
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
        a[i] = relay(&ours.link, n, window, messages);
        b[i] = relay(&theirs, n, window, messages);
    }
    qsort(a, ROUNDS, sizeof(a[0]), by_size);
    qsort(b, ROUNDS, sizeof(b[0]), by_size);
    printf(
        "routing, %-34s %6.0f msg/s (%.0f-%.0f), mosquitto %6.0f (%.0f-%.0f): %.2fx  (goal %s)\n",
        what, a[ROUNDS / 2], a[0], a[ROUNDS - 1], b[ROUNDS / 2], b[0], b[ROUNDS - 1],
        a[ROUNDS / 2] / b[ROUNDS / 2], goal);
}

/* What the disk takes for one, in ms. */
static double bare_fdatasync(const char *under)
{
    char path[100], bytes[4096] = "";
    double start;
    int fd;

    (void)snprintf(path, sizeof(path), "%s/berth-bench-floor-XXXXXX", under);
    fd = mkostemp(path, O_CLOEXEC);
    start = now_s();
    for (int i = 0; i < 200; i++)
        if (pwrite(fd, bytes, sizeof(bytes), 0) < 0 || fdatasync(fd) < 0)
            die("write");
    (void)close(fd);
    (void)unlink(path);
    return (now_s() - start) / 200 * 1000;
}

static void bench_routing(unsigned scale)
{
    if (!mosquitto_start(&theirs, &cloud))
        die("mosquitto does not start; apt-get install mosquitto");
    start_ours("/dev/shm");
    compare("in memory, 1 pair, window 1", ">= 0.8x", 1, 1, 5000 * scale);
    compare("in memory, 1 pair, window 16", ">= 0.8x", 1, 16, 40000 * scale);
    compare("in memory, 20 pairs, window 16", ">= 0.8x", PAIRS, 16, 80000 * scale);
    end_ours();
    printf("on a disk that takes %.2f ms for an fdatasync:\n", bare_fdatasync("/var/tmp"));
    start_ours("/var/tmp");
    compare("durable, 1 pair, window 16", ">= 0.4x", 1, 16, 10000 * scale);
    compare("durable, 1 pair, window 100", ">= 0.4x", 1, 100, 20000 * scale);
    compare("durable, 20 pairs, window 16", ">= 0.4x", PAIRS, 16, 40000 * scale);
    end_ours();
    (void)hub_end(&theirs, SIGTERM);
}

/* ---- memory ---- */

static unsigned long memory_kib(const char *field)
{
    char path[60], line[200];
    unsigned long kib = 0;
    FILE *f;

    (void)snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", ours.link.pid);
    f = fopen(path, "re");
    while (f && fgets(line, sizeof(line), f))
        if (str_starts(line, field))
            kib = strtoul(line + strlen(field), NULL, 10);
    if (f)
        (void)fclose(f);
    return kib;
}

static void say_memory(const char *what, const char *goal)
{
    printf("memory, %-35s PSS %5.1f MiB, RSS %5.1f MiB%s\n", what,
           (double)memory_kib("Pss:") / 1024, (double)memory_kib("Rss:") / 1024, goal);
}

/* Messages that wait for the cloud, which is away. */
static void queue_many(struct pair *pairs, int n)
{
    unsigned window = 100;

    for (int i = 0; i < n; i++) {
        buf_clear(&pairs[i].batch);
        make_batch(&pairs[i].batch, i, window, "keep=yes&%24.ct=application%2Fjson");
    }
    for (unsigned sent = 0; sent < QUEUED; sent += window) {
        struct pair *p = &pairs[sent / window % (unsigned)n];

        if (!link_send(&p->from, p->batch.data, p->batch.len))
            die("the server ended a connection");
        await_acks(&p->from, window);
    }
}

static void bench_growth(struct pair *pairs, int n, unsigned messages)
{
    unsigned window = 16;
    unsigned turns = messages / ((unsigned)n * window);
    unsigned long before = 0;

    for (int i = 0; i < n; i++) {
        buf_clear(&pairs[i].batch);
        make_batch(&pairs[i].batch, i, window, BAG);
    }
    for (unsigned i = 0; i < turns + turns / 10; i++) {
        if (i == turns / 10)
            before = memory_kib("Rss:");
        turn(pairs, n, window);
    }
    printf("memory, growth over %u messages      RSS %+ld KiB\n", messages,
           (long)memory_kib("Rss:") - (long)before);
}

static void bench_memory(unsigned scale)
{
    struct pair *pairs = xcalloc(MODULES / 2, sizeof(*pairs));
    struct link third;

    start_ours("/dev/shm");
    (void)hub_end(&cloud, SIGKILL); /* its pages are not to be shared, and the queue is to grow */
    open_pair(&pairs[0], &ours.link, 0, 1, BAG);
    log_in(&third, &ours.link, "s", 1);
    say_memory("3 modules", "  (goal 12 MiB with edged)");
    link_close(&third);
    for (int i = 1; i < MODULES / 2; i++)
        open_pair(&pairs[i], &ours.link, i, 1, BAG);
    say_memory("50 modules", "");
    queue_many(pairs, PAIRS);
    say_memory("50 modules, 100,000 messages queued", "  (goal 24 MiB with edged)");
    bench_growth(pairs, PAIRS, MILLION * scale);
    for (int i = 0; i < MODULES / 2; i++)
        close_pair(&pairs[i]);
    free(pairs);
    end_ours();
}

/* ---- main ---- */

static void prepare(void)
{
    static char names[MODULES][16];
    char key[128];

    hub_prepare(&cloud);
    if (!hub_start(&cloud))
        die(cloud.line);
    device_create(&cloud, EDGE_DEVICE, true, key);
    edge_new(&ours, &cloud);
    for (int i = 0; i < MODULES; i++) {
        module_name(names[i], i % 2 ? "t" : "s", i / 2);
        edge_add_module(&ours, &cloud, names[i]);
    }
    edge_write_settings(&ours, &cloud);
    runtime_start(&ours);
}

int main(int argc, char **argv)
{
    unsigned scale = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1;

    prepare();
    bench_routing(scale);
    bench_memory(scale);
    runtime_end(&ours);
    hub_remove(&ours.link);
    hub_remove(&cloud);
    return 0;
}
