/* What durable routing costs: messages through the outbox (add, commit, hand out, done) against the
 * bare fdatasync that no durable queue can do without, and routes evaluated against the same
 * look-up in a parsed tree. Both sides of each ratio alternate in the run; medians count. */
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/str.h"
#include "vm/guest/hub/outbox.h"
#include "vm/guest/hub/topic.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS   7
#define BODY     "{\"machine\":{\"temperature\":21.5,\"pressure\":1.01},\"ambient\":{\"t\":21}}"
#define BAG      "alert=false&%24.mid=4711&%24.ct=application%2Fjson&%24.ce=utf-8"
#define EVALS    200000
#define BACKLOG  100000
#define PER_SYNC 400 /* bytes of one message with its entry, about */

static char dir[] = "/var/tmp/berth-bench-XXXXXX";

static double now_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what, const struct err *err)
{
    printf("bench_outbox: %s: %s\n", what, err ? err->msg : "");
    exit(1);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

struct series {
    double values[ROUNDS];
    size_t n;
};

static double median(struct series *s)
{
    qsort(s->values, s->n, sizeof(s->values[0]), by_size);
    return s->values[s->n / 2];
}

static void print(const char *name, struct series *s, const char *unit)
{
    double middle = median(s);

    printf("  %-44s %10.0f / %10.0f / %10.0f %s\n", name, s->values[0], middle, s->values[s->n - 1],
           unit);
}

static const struct edge_message message = {
    .device = "edge-device",
    .module = "temperatureSensor",
    .output = "temperatureOutput",
    .model = "",
    .bag = BAG,
    .bag_len = sizeof(BAG) - 1,
    .body = BODY,
    .len = sizeof(BODY) - 1,
    .created_ms = 1764000000000,
};

/* Messages a second with GROUP of them in each commit: in and out. */
static double durable(struct outbox *o, unsigned endpoint, unsigned group, unsigned commits)
{
    const struct outbox_target target = {.endpoint = endpoint, .priority = 10, .ttl_s = 7200};
    struct outbox_item item;
    struct err err;
    double start = now_s();

    for (unsigned c = 0; c < commits; c++) {
        for (unsigned i = 0; i < group; i++)
            if (outbox_add(o, &message, &target, 1, &err) < 0)
                die("add", &err);
        if (outbox_commit(o, &err) < 0)
            die("commit", &err);
        while (outbox_next(o, endpoint, &item, &err) > 0)
            outbox_done(o, &item.ref);
    }
    return group * commits / (now_s() - start);
}

/* The same number of bytes and of syncs, and nothing else. */
static double bare(int fd, unsigned group, unsigned commits)
{
    static char bytes[PER_SYNC * 1024];
    double start = now_s();

    for (unsigned c = 0; c < commits; c++)
        if (pwrite(fd, bytes, (size_t)PER_SYNC * group, 0) < 0 || fdatasync(fd) < 0)
            die("write", NULL);
    return group * commits / (now_s() - start);
}

static void bench_durable(unsigned group, unsigned commits)
{
    char path[80], name[80];
    struct series ours = {0}, peer = {0};
    struct outbox *o = NULL;
    struct err err;

    (void)str_format(path, sizeof(path), "%s/outbox-%u.db", dir, group);
    if (outbox_open(path, NULL, &o, &err) < 0)
        die("open", &err);
    (void)str_format(path, sizeof(path), "%s/bare-%u", dir, group);

    unsigned endpoint = outbox_endpoint(o, "$upstream");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    (void)durable(o, endpoint, group, 20);
    (void)bare(fd, group, 20);
    for (unsigned i = 0; i < ROUNDS; i++) {
        ours.values[ours.n++] = durable(o, endpoint, group, commits);
        peer.values[peer.n++] = bare(fd, group, commits);
    }
    (void)close(fd);
    outbox_close(o);
    (void)str_format(name, sizeof(name), "outbox, %u to a commit", group);
    print(name, &ours, "msg/s");
    print("bare pwrite + fdatasync", &peer, "msg/s");
    printf("  ratio %.2f\n", median(&ours) / median(&peer));
}

/* ---- memory ---- */

static unsigned long status_kib(const char *field)
{
    char line[200];
    unsigned long kib = 0;
    FILE *f = fopen("/proc/self/smaps_rollup", "re");

    while (f && fgets(line, sizeof(line), f))
        if (str_starts(line, field))
            kib = strtoul(line + strlen(field), NULL, 10);
    if (f)
        (void)fclose(f);
    return kib;
}

static void bench_backlog(void)
{
    char path[80];
    struct outbox *o = NULL;
    struct err err;
    struct outbox_item item;
    unsigned n = 0;

    (void)str_format(path, sizeof(path), "%s/backlog.db", dir);
    if (outbox_open(path, NULL, &o, &err) < 0)
        die("open", &err);

    unsigned endpoint = outbox_endpoint(o, "$upstream");
    const struct outbox_target target = {.endpoint = endpoint, .priority = 10, .ttl_s = 7200};
    unsigned long before = status_kib("Pss:");
    double start = now_s();

    for (unsigned i = 0; i < BACKLOG; i++) {
        if (outbox_add(o, &message, &target, 1, &err) < 0)
            die("add", &err);
        if (i % 100 == 99 && outbox_commit(o, &err) < 0)
            die("commit", &err);
    }

    double in = now_s() - start;
    unsigned long full = status_kib("Pss:");

    outbox_close(o);
    start = now_s();
    if (outbox_open(path, NULL, &o, &err) < 0)
        die("open", &err);

    double opened = now_s() - start;

    start = now_s();
    while (outbox_next(o, endpoint, &item, &err) > 0) {
        outbox_done(o, &item.ref);
        if (++n % 100 == 0 && outbox_commit(o, &err) < 0)
            die("commit", &err);
    }
    if (n != BACKLOG)
        die("some of them are lost", NULL);
    printf("  %u queued: in %.0f msg/s, opened in %.0f ms, out %.0f msg/s\n", BACKLOG, BACKLOG / in,
           opened * 1000, BACKLOG / (now_s() - start));
    printf("  PSS of the process %lu KiB empty, %lu KiB with all of them, %lu KiB after\n", before,
           full, status_kib("Pss:"));
    outbox_close(o);
}

/* ---- routes ---- */

static double evaluate(const char *text, unsigned *ret_matches)
{
    struct route *r;
    struct err err;
    struct route_input *in = route_input_new();
    unsigned matches = 0;

    if (route_compile(text, strlen(text), &r, &err) < 0)
        die(text, &err);

    double start = now_s();

    for (unsigned i = 0; i < EVALS; i++) {
        route_input_set(in, &message);
        matches += route_matches(r, in);
    }

    double rate = EVALS / (now_s() - start);

    *ret_matches = matches;
    route_free(r);
    route_input_free(in);
    return rate;
}

static bool is_json(void *arg, const char *key, const char *value)
{
    bool *ret = arg;

    if (str_eq(key, "$.ct") && str_eq(value, "application/json"))
        *ret = true;
    return true;
}

/* What a hub without a scanner of its own would do for $body: look at the bag, parse, look up,
 * free. */
static double parse_tree(unsigned *ret_matches)
{
    unsigned matches = 0;
    double start = now_s();

    for (unsigned i = 0; i < EVALS; i++) {
        bool json_body = false;

        (void)topic_bag_each(BAG, sizeof(BAG) - 1, is_json, &json_body);

        cJSON *json = json_body ? cJSON_ParseWithLength(BODY, sizeof(BODY) - 1) : NULL;

        matches += json_num(json_get(json, "machine"), "temperature", 0) > 20;
        cJSON_Delete(json);
    }
    *ret_matches = matches;
    return EVALS / (now_s() - start);
}

static void bench_routes(void)
{
    static const char body[] = "FROM /messages/modules/temperatureSensor/* WHERE"
                               " $body.machine.temperature > 20 INTO $upstream";
    static const char property[] =
        "FROM /messages/* WHERE alert = 'false' AND $messageId <> 'x' INTO $upstream";
    static const char plain[] = "FROM /messages/* INTO $upstream";
    struct series by_body = {0}, by_property = {0}, by_source = {0}, tree = {0};
    unsigned a, b;

    for (unsigned i = 0; i < ROUNDS; i++) {
        by_body.values[by_body.n++] = evaluate(body, &a);
        tree.values[tree.n++] = parse_tree(&b);
        if (a != EVALS || b != EVALS)
            die("routes: wrong result", NULL);
        by_property.values[by_property.n++] = evaluate(property, &a);
        by_source.values[by_source.n++] = evaluate(plain, &b);
        if (a != EVALS || b != EVALS)
            die("routes: wrong result", NULL);
    }
    print("source alone", &by_source, "evaluations/s");
    print("two properties", &by_property, "evaluations/s");
    print("$body", &by_body, "evaluations/s");
    print("bag, then a cJSON tree: parse, look up", &tree, "evaluations/s");
    printf("  ratio %.2f ($body against the tree)\n", median(&by_body) / median(&tree));
}

int main(void)
{
    if (!mkdtemp(dir))
        die("temporary folder", NULL);
    printf("durable queue (min / median / max of %d)\n", ROUNDS);
    bench_durable(1, 100);
    bench_durable(10, 100);
    bench_durable(100, 50);
    bench_durable(1000, 10);
    printf("a backlog\n");
    bench_backlog();
    printf("routes (min / median / max of %d)\n", ROUNDS);
    bench_routes();
    (void)file_remove_tree(dir, NULL);
    return 0;
}
