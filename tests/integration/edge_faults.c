/* Messages through the edge hub while it, the cloud and the modules are killed again and again: to
 * two inputs of a module and upstream. None is lost, the order of each holds, and what comes twice
 * had been under way when something was killed. Who sends and who receives are processes that write
 * into shared memory what they did. The cloud that messages go to is a script: it writes down what
 * it gets before it acknowledges it; the real one, which knows the identities, is only asked for
 * these.
 *
 * BERTH_FAULT_MESSAGES: how many, instead of 10,000. */
#include "core/base/log.h"
#include "core/base/mem.h"
#include "tests/edge_runtime.h"
#include "vm/guest/hub/mqtt_conn.h"

#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/random.h>

#define MESSAGES    10000
#define WINDOW      20  /* of the sender */
#define UNWRITTEN   256 /* so many deliveries may not be on disk yet in an edge hub */
#define CLOUD_AHEAD 64  /* messages that it sends to the cloud without waiting */
#define THIRD       3   /* each third message also goes to the second input */
#define PER_KILL    400 /* messages: it may take long until a killed hub is there again */
#define END_S       120

/* Where messages arrive. */
struct sink {
    atomic_uint next;  /* the number that is new to it */
    atomic_uint again; /* those that came again */
    atomic_uint wrong; /* one more than a number that came too early; 0: none did */
};

static struct shared {
    unsigned total;
    atomic_uint acked; /* the sender has PUBACKs for so many */
    struct sink inputs[2], cloud;
} * shared;

static struct test_hub real, scripted;
static struct test_edge edge = {.max_clients = 10};

static uint64_t dice(uint64_t sides)
{
    static uint64_t x;

    while (x == 0)
        if (getrandom(&x, sizeof(x), 0) != (ssize_t)sizeof(x))
            abort();
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return x % sides;
}

/* STEP: from one of its messages to the next. */
static void arrive(struct sink *s, const char *data, size_t len, unsigned step)
{
    char text[16];
    unsigned number, next = atomic_load(&s->next);

    (void)snprintf(text, sizeof(text), "%.*s", (int)(len < 15 ? len : 15), data);
    number = (unsigned)strtoul(text, NULL, 10);
    if (number < next)
        atomic_fetch_add(&s->again, 1);
    else if (number == next)
        atomic_store(&s->next, next + step);
    else
        atomic_store(&s->wrong, number + 1);
}

/* ---- the cloud ---- */

static bool cloud_wants(void *owner, const struct mqtt_packet *connect)
{
    (void)owner, (void)connect;
    return true;
}

static void *cloud_connect(void *owner, struct mqtt_conn *c, const struct mqtt_packet *p,
                           bool *ret_present, struct err *err)
{
    (void)c, (void)p, (void)err;
    *ret_present = false;
    return owner;
}

static bool cloud_publish(void *x, const struct mqtt_packet *p, struct err *err)
{
    (void)x, (void)err;
    if (p->qos > 0) /* else it is about twins */
        arrive(&shared->cloud, p->payload.at, p->payload.len, 1);
    return true;
}

static unsigned char cloud_subscribe(void *x, struct mqtt_text filter, unsigned qos)
{
    (void)x, (void)filter;
    return (unsigned char)qos;
}

static bool cloud_keeps(void *arg)
{
    (void)arg;
    return true;
}

static const struct mqtt_head cloud_head = {
    .wants = cloud_wants,
    .connect = cloud_connect,
    .publish = cloud_publish,
    .subscribe = cloud_subscribe,
};

static void cloud_live(void)
{
    static const struct mqtt_head *const heads[] = {&cloud_head, NULL};
    static void *const owners[] = {&scripted};
    uv_loop_t *loop = uv_default_loop();
    auto_free char *cert = xasprintf("%s/server.pem", scripted.dir);
    auto_free char *key = xasprintf("%s/server.key", scripted.dir);
    struct tls_server *tls = tls_server_new(cert, key, NULL);
    struct mqtt_server *s = mqtt_server_new(loop, 100, heads, owners, cloud_keeps, NULL);

    log_set_level(LOG_LEVEL_ERROR);
    if (!tls || mqtt_server_listen(s, "127.0.0.1", scripted.mqtt_port, tls, NULL) < 0)
        _exit(1);
    (void)uv_run(loop, UV_RUN_DEFAULT);
}

/* ---- modules ---- */

static void log_in(struct link *l, const char *module)
{
    const struct mqtt_login login = {
        .device = EDGE_DEVICE, .module = module, .key = edge_key(&edge, module)};

    while (mqtt_login(l, &edge.link, &login, NULL) != 0) {
        link_close(l);
        (void)poll(NULL, 0, 20);
    }
}

static bool send_number(struct link *l, unsigned number)
{
    char topic[100], body[12];

    (void)snprintf(topic, sizeof(topic),
                   "devices/" EDGE_DEVICE "/modules/sender/messages/events/third=%s",
                   number % THIRD ? "no" : "yes");
    (void)snprintf(body, sizeof(body), "%u", number);
    return mqtt_publish(l, topic, 1, number % 60000 + 1, body, strlen(body));
}

/* One connection: begins with what is not acknowledged. */
static void send_on(struct link *l)
{
    auto_buf struct buf body = {0};
    unsigned sent = atomic_load(&shared->acked);

    for (;;) {
        unsigned acked = atomic_load(&shared->acked);

        if (acked == shared->total)
            return;
        for (; sent < shared->total && sent < acked + WINDOW; sent++)
            if (!send_number(l, sent))
                return;
        if (recv_packet(l, &body) != 0x40 || body.len != 2)
            return;
        if ((unsigned)((unsigned char)body.data[0] << 8 | (unsigned char)body.data[1]) !=
            acked % 60000 + 1)
            abort(); /* PUBACKs come in order */
        atomic_store(&shared->acked, acked + 1);
    }
}

static void sender_live(void)
{
    while (atomic_load(&shared->acked) < shared->total) {
        struct link l;

        log_in(&l, "sender");
        send_on(&l);
        link_close(&l);
    }
}

static void receive_on(struct link *l)
{
    auto_buf struct buf topic = {0};
    auto_buf struct buf payload = {0};
    unsigned id;

    if (mqtt_subscribe(l, "devices/" EDGE_DEVICE "/modules/receiver/inputs/#", 1) != 1)
        return;
    while (mqtt_receive_qos(l, &topic, &payload, &id, NULL)) {
        bool first = strstr(topic.data, "/inputs/one/") != NULL;

        arrive(&shared->inputs[first ? 0 : 1], payload.data, payload.len, first ? 1 : THIRD);
        if (!mqtt_puback(l, id))
            return;
    }
}

static void receiver_live(void)
{
    for (;;) {
        struct link l;

        log_in(&l, "receiver");
        receive_on(&l);
        link_close(&l);
    }
}

/* ---- killing ---- */

static struct process {
    const char *name;
    void (*live)(void);
    pid_t pid;
    unsigned kills;
} processes[] = {
    {.name = "edge hub"}, /* the program itself */
    {.name = "cloud", .live = cloud_live},
    {.name = "sender", .live = sender_live},
    {.name = "receiver", .live = receiver_live},
};

enum { EDGE, CLOUD, SENDER, RECEIVER };

static void start(struct process *p)
{
    (void)fflush(stdout);
    p->pid = fork();
    if (p->pid != 0)
        return;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    p->live();
    _exit(0);
}

static void end(struct process *p)
{
    (void)kill(p->pid, SIGKILL);
    (void)waitpid(p->pid, NULL, 0);
    p->kills++;
}

static bool restart_edge(void)
{
    (void)hub_end(&edge.link, SIGKILL);
    processes[EDGE].kills++;
    return edge_start(&edge);
}

static bool all_arrived(void)
{
    return atomic_load(&shared->inputs[0].next) >= shared->total &&
           atomic_load(&shared->inputs[1].next) >= shared->total &&
           atomic_load(&shared->cloud.next) >= shared->total;
}

static bool is_wrong(void)
{
    return shared->inputs[0].wrong || shared->inputs[1].wrong || shared->cloud.wrong;
}

/* While messages are sent, something is killed at a random moment. Then the rest arrives in peace.
 */
static bool run(void)
{
    unsigned kills = shared->total / PER_KILL;
    uint64_t end_ms;

    while (kills-- > 0 && atomic_load(&shared->acked) < shared->total && !is_wrong()) {
        uint64_t which = dice(ARRAY_LEN(processes));

        (void)poll(NULL, 0, 20 + (int)dice(dice(4) ? 150 : 600));
        if (which == EDGE) {
            if (!restart_edge())
                return report("it starts again whenever it was killed", false, edge.link.line);
            continue;
        }
        end(&processes[which]);
        start(&processes[which]);
    }
    end_ms = clock_mono_ms() + END_S * 1000ULL;
    while (!all_arrived() && !is_wrong() && clock_mono_ms() < end_ms)
        (void)poll(NULL, 0, 20);
    return true;
}

/* ---- set-up ---- */

static const char config[] =
    "{\"schemaVersion\":\"1.1\",\"routes\":{"
    "\"one\":\"FROM /messages/* INTO BrokeredEndpoint(\\\"/modules/receiver/inputs/one\\\")\","
    "\"two\":\"FROM /messages/* WHERE third = 'yes' INTO "
    "BrokeredEndpoint(\\\"/modules/receiver/inputs/two\\\")\","
    "\"up\":\"FROM /messages/* INTO $upstream\"},"
    "\"storeAndForwardConfiguration\":{\"timeToLiveSecs\":7200}}";

static bool prepare(void)
{
    const char *total = getenv("BERTH_FAULT_MESSAGES");
    auto_buf struct buf seen = {0};
    char key[128];

    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return false;
    shared->total = total ? (unsigned)strtoul(total, NULL, 10) : MESSAGES;
    device_create(&real, EDGE_DEVICE, true, key);
    edge_new(&edge, &real);
    edge_add_module(&edge, &real, "sender");
    edge_add_module(&edge, &real, "receiver");
    scripted = real;
    scripted.mqtt_port = free_port();
    edge_write_settings(&edge, &scripted);
    runtime_start(&edge);
    start(&processes[CLOUD]);
    if (!edge_keep_config(&edge, config) || !edge_start(&edge))
        return false;
    start(&processes[SENDER]);
    start(&processes[RECEIVER]);
    return true;
}

/* ---- judging ---- */

static void judge(const char *what, const struct sink *s, unsigned allowed)
{
    char name[100], seen[100];

    (void)snprintf(seen, sizeof(seen), "%u came where %u was next", s->wrong - 1, s->next);
    (void)snprintf(name, sizeof(name), "%s: in order, and none passed over", what);
    report(name, !s->wrong, seen);
    (void)snprintf(seen, sizeof(seen), "%u of %u", s->next, shared->total);
    (void)snprintf(name, sizeof(name), "%s: all arrived", what);
    report(name, s->next >= shared->total, seen);
    (void)snprintf(seen, sizeof(seen), "%u came again, %u may", s->again, allowed);
    (void)snprintf(name, sizeof(name), "%s: no more came again than was under way", what);
    report(name, s->again <= allowed, seen);
    printf("# %s: %u came again\n", what, s->again);
}

static void judge_all(void)
{
    unsigned edges = processes[EDGE].kills, clouds = processes[CLOUD].kills;
    unsigned receivers = processes[RECEIVER].kills;
    /* What a sender sends again are new messages to the hub. */
    unsigned resent = (edges + processes[SENDER].kills) * WINDOW;
    unsigned at_input = resent + edges * UNWRITTEN + (edges + receivers) * MQTT_IN_FLIGHT_MAX;
    auto_buf struct buf seen = {0};

    for (size_t i = 0; i < ARRAY_LEN(processes); i++)
        printf("# killed: %s %u times\n", processes[i].name, processes[i].kills);
    judge("an input", &shared->inputs[0], at_input);
    judge("another input", &shared->inputs[1], at_input);
    judge("the cloud", &shared->cloud, resent + edges * UNWRITTEN + (edges + clouds) * CLOUD_AHEAD);
    report("nothing is left in the queues", edge_comes_to(&edge, "/state", "\"queued\":0", &seen),
           buf_str(&seen));
}

int main(void)
{
    uint64_t begun = clock_mono_ms();

    if (!hub_begin(&real) || !report("all are there", prepare(), edge.link.line))
        return 1;
    if (run())
        judge_all();
    printf("# %u messages in %" PRIu64 " ms\n", shared->total, clock_mono_ms() - begun);
    for (size_t i = CLOUD; i < ARRAY_LEN(processes); i++)
        end(&processes[i]);
    report("it ends in order", hub_end(&edge.link, SIGTERM) == 0, NULL);
    runtime_end(&edge);
    hub_remove(&edge.link);
    return hub_finish(&real);
}
