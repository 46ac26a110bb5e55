/* All hostile clients at once against one hub, on both ports, while a device keeps sending
 * telemetry: each of its messages is acknowledged, the hub's memory stays bounded, and nothing is
 * left once they are gone. (What a single hostile client meets is tested with its layer.) */
#include "tests/hub_client.h"

#include <dirent.h>
#include <poll.h>
#include <sys/resource.h>

#define STAND_MAX   1200        /* connections that only stand there */
#define HUB_FILES   1000        /* that the hub may have open: fewer than that */
#define GROWTH_MAX  (64L << 20) /* with all of them, and the sanitisers' own */
#define REMAINS_MAX (48L << 20) /* when they are gone */
#define STALLED_MS  300         /* a send that waits so long is not read */
#define ROUNDS      40          /* of random bytes on each port */
#define BODY        (2UL << 20)
#define FLOOD_MAX   (64UL << 20) /* sent to a hub that must have stopped reading before */

static struct test_hub hub;
static char witness_key[128], deaf_key[128], greedy_key[128];

/* ---- the hub from outside ---- */

static long memory(void)
{
    auto_buf struct buf text = {0};
    char path[40];

    (void)snprintf(path, sizeof(path), "/proc/%d/status", hub.pid);
    if (file_read(path, 65536, &text, NULL) < 0)
        return -1;

    const char *line = strstr(buf_str(&text), "VmRSS:");

    return line ? strtol(line + 6, NULL, 10) * 1024 : -1;
}

static int open_files(void)
{
    char path[40];
    int n = 0;

    (void)snprintf(path, sizeof(path), "/proc/%d/fd", hub.pid);

    DIR *dir = opendir(path);

    while (dir && readdir(dir))
        n++;
    if (dir)
        (void)closedir(dir);
    return n;
}

/* ---- the device that behaves ---- */

struct witness {
    pid_t pid;
    int stop; /* closed: it ends */
    int told; /* it writes how many were acknowledged, or a line that says what went wrong */
};

static void witness_run(int stop, int told)
{
    struct link l = {0};
    auto_buf struct buf body = {0};
    unsigned long n = 0;
    char none;

    (void)fcntl(stop, F_SETFL, O_NONBLOCK);
    if (mqtt_login(&l, &hub, &(struct mqtt_login){.device = "witness", .key = witness_key}, NULL) !=
        0) {
        (void)dprintf(told, "its login was refused\n");
        _exit(1);
    }
    (void)dprintf(told, "on\n");
    while (read(stop, &none, 1) < 0) {
        unsigned id = (unsigned)(n % 60000) + 1;

        if (!mqtt_publish(&l, "devices/witness/messages/events/", 1, id, "{}", 2) ||
            recv_packet(&l, &body) != 0x40) {
            (void)dprintf(told, "message %lu was not acknowledged\n", n);
            _exit(1);
        }
        n++;
    }
    (void)dprintf(told, "%lu\n", n);
    _exit(0);
}

static void told_line(const struct witness *w, char *line, size_t size)
{
    size_t n = 0;

    while (n < size - 1 && read(w->told, line + n, 1) == 1 && line[n] != '\n')
        n++;
    line[n] = '\0';
}

static bool witness_start(struct witness *w)
{
    int stop[2], told[2];
    char line[80];

    if (pipe2(stop, O_CLOEXEC) < 0 || pipe2(told, O_CLOEXEC) < 0)
        return false;
    w->pid = fork();
    if (w->pid == 0) {
        (void)close(stop[1]);
        (void)close(told[0]);
        witness_run(stop[0], told[1]);
    }
    (void)close(stop[0]);
    (void)close(told[1]);
    w->stop = stop[1];
    w->told = told[0];
    told_line(w, line, sizeof(line));
    return str_eq(line, "on");
}

static void witness_end(struct witness *w, char *line, size_t size)
{
    (void)close(w->stop);
    told_line(w, line, size);
    (void)waitpid(w->pid, NULL, 0);
    (void)close(w->told);
}

/* ---- those who only stand there ---- */

static struct link standing[STAND_MAX];
static size_t n_standing;
static int bare[STAND_MAX];
static size_t n_bare;

/* N connections on PORT that say TEXT after the handshake, and never anything again. */
static size_t stand(uint16_t port, const char *text, size_t len, size_t n)
{
    size_t made = 0;

    for (size_t i = 0; i < n; i++) {
        struct link *l = &standing[n_standing];

        if (!link_open(l, &hub, port))
            continue;
        n_standing++;
        made += link_send(l, text, len);
    }
    return made;
}

/* As many as get through without a handshake. */
static void flood(uint16_t port, size_t n)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    for (size_t i = 0; i < n && n_bare < STAND_MAX; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
            bare[n_bare++] = fd;
        else
            (void)close(fd);
    }
}

static void leave_all(void)
{
    for (size_t i = 0; i < n_standing; i++)
        link_close(&standing[i]);
    for (size_t i = 0; i < n_bare; i++)
        (void)close(bare[i]);
    n_standing = n_bare = 0;
}

static void test_slow(void)
{
    static const char connect_half[] = "\x10\x40\x00\x04MQTT\x04\xc0\x00\x3c\x00";
    static const char publish_half[] = "\x30\xff\xff\x0f\x00\x10"
                                       "devices/";

    report("clients stand on the MQTT port with half a CONNECT",
           stand(hub.mqtt_port, connect_half, sizeof(connect_half) - 1, 100) == 100, NULL);
    report("clients stand on the MQTT port with half a PUBLISH instead",
           stand(hub.mqtt_port, publish_half, sizeof(publish_half) - 1, 20) == 20, NULL);
    report("clients stand on the HTTPS port with half a request",
           stand(hub.https_port, "GET /devices/x HT", 17, 100) == 100, NULL);
}

/* ---- those who send without end ---- */

static void test_headers(void)
{
    struct link l = {0};
    bool sending =
        link_open(&l, &hub, hub.https_port) && link_send(&l, "GET /devices/x HTTP/1.1\r\n", 25);
    size_t n = 0;

    while (sending && n < 200000) {
        sending = link_send(&l, "X-More: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", 50);
        n++;
    }
    report("endless headers end the connection", !sending && n > 0, NULL);
    link_close(&l);
}

static void test_bodies(void)
{
    auto_buf struct buf brackets = {0};
    int status;
    char seen[16];

    memset(buf_reserve(&brackets, BODY), '[', BODY);
    buf_commit(&brackets, BODY);
    status = rest(&hub, NULL, "PATCH", "/twins/witness", NULL, brackets.data, NULL);
    (void)snprintf(seen, sizeof(seen), "%d", status);
    report("2 MiB of [ are refused", status == 400 || status == 413, seen);

    struct link l = {0};
    static const char huge[] = "POST /devices/query?api-version=2021-04-12 HTTP/1.1\r\nHost: h\r\n"
                               "Content-Length: 1073741824\r\n\r\n";

    (void)link_open(&l, &hub, hub.https_port);
    (void)link_send(&l, huge, sizeof(huge) - 1);
    (void)link_more(&l);
    report("a body of 1 GB is refused before it comes", str_starts(buf_str(&l.in), "HTTP/1.1 4"),
           buf_str(&l.in));
    link_close(&l);
}

/* Sends the packet over and over without reading; true where the hub stops taking it, or ends it.
 */
static bool is_stopped(struct link *l, const struct buf *packet)
{
    struct timeval brief = {.tv_usec = STALLED_MS * 1000};
    size_t sent = 0;

    (void)setsockopt(l->fd, SOL_SOCKET, SO_SNDTIMEO, &brief, sizeof(brief));
    while (sent < FLOOD_MAX && link_send(l, packet->data, packet->len))
        sent += packet->len;
    return sent < FLOOD_MAX;
}

static void test_deaf(void)
{
    static const char ask[] = "\x30\x1a\x00\x18$iothub/twin/GET/?$rid=1";
    static const char get[] =
        "GET /devices/witness?api-version=2021-04-12 HTTP/1.1\r\nHost: h\r\n\r\n";
    struct link *l = &standing[n_standing++];
    auto_buf struct buf packet = {0};

    buf_append(&packet, ask, sizeof(ask) - 1);
    report("a device that never reads logs in",
           mqtt_login(l, &hub, &(struct mqtt_login){.device = "deaf", .key = deaf_key}, NULL) ==
                   0 &&
               mqtt_subscribe(l, "$iothub/twin/res/#", 0) == 0,
           NULL);
    report("it is no longer read either", is_stopped(l, &packet), NULL);

    l = &standing[n_standing++];
    buf_clear(&packet);
    for (int i = 0; i < 100; i++)
        buf_append(&packet, get, sizeof(get) - 1);
    report("who asks over HTTPS and never reads is no longer read either",
           link_open(l, &hub, hub.https_port) && is_stopped(l, &packet), NULL);
}

static void test_subscriptions(void)
{
    struct link l = {0};
    int granted = 0, refused = 0;
    bool ended = false;

    (void)mqtt_login(&l, &hub, &(struct mqtt_login){.device = "greedy", .key = greedy_key}, NULL);
    for (int i = 0; i < 5000 && !ended; i++) {
        char filter[64];

        (void)snprintf(filter, sizeof(filter), "devices/greedy/made/up/%d/#", i);

        int code = mqtt_subscribe(&l, filter, 0);

        granted += code == 0 || code == 1;
        refused += code == 0x80;
        ended = code < 0;
    }
    report("thousands of subscriptions to what does not exist are not granted",
           granted == 0 && refused > 0, NULL);
    link_close(&l);
}

/* ---- those who make no sense ---- */

static void test_random(void)
{
    static const size_t sizes[] = {1, 2, 17, 200, 4000};
    unsigned seed = 20261121;
    char bytes[4000];

    for (int i = 0; i < ROUNDS * 2; i++) {
        struct link l = {0};

        for (size_t k = 0; k < sizeof(bytes); k++)
            bytes[k] = (char)(rand_r(&seed) >> 7);
        if (link_open(&l, &hub, i % 2 ? hub.mqtt_port : hub.https_port))
            (void)link_send(&l, bytes, sizes[(size_t)i % ARRAY_LEN(sizes)]);
        link_close(&l);
    }
    report("random bytes behind the handshake do no harm",
           rest(&hub, NULL, "GET", "/devices/witness", NULL, NULL, NULL) == 200, NULL);
}

/* More connections than the hub has descriptors for: what is connected stays so, and when the flood
 * is over there is room again. */
static void test_flood(void)
{
    struct rlimit few = {HUB_FILES, HUB_FILES};

    (void)prlimit(hub.pid, RLIMIT_NOFILE, &few, NULL);
    flood(hub.mqtt_port, STAND_MAX / 2);
    flood(hub.https_port, STAND_MAX / 2);
    report("the flood is larger than what the hub may open", n_bare + n_standing > HUB_FILES, NULL);
}

static bool is_served_again(void)
{
    for (int i = 0; i < 50; i++) {
        if (rest(&hub, NULL, "GET", "/devices/witness", NULL, NULL, NULL) == 200)
            return true;
        (void)poll(NULL, 0, 100);
    }
    return false;
}

static void test_calm(int files_before, long before)
{
    char seen[80];
    int files = 0;

    leave_all();
    report("when they are gone, who comes is served", is_served_again(), NULL);
    for (int i = 0; i < 50; i++) {
        files = open_files();
        if (files <= files_before)
            break;
        (void)poll(NULL, 0, 100);
    }
    (void)snprintf(seen, sizeof(seen), "%d before, %d now", files_before, files);
    report("no descriptor is left open", files <= files_before, seen);

    long growth = memory() - before;

    (void)snprintf(seen, sizeof(seen), "%ld KiB", growth / 1024);
    report("little memory remains taken", growth < REMAINS_MAX, seen);
}

/* What AddressSanitizer keeps back for a while is not the hub's. */
static void keep_little_back(void)
{
    const char *options = getenv("ASAN_OPTIONS");
    char more[400];

    (void)snprintf(more, sizeof(more), "%s:quarantine_size_mb=8", options ? options : "");
    (void)setenv("ASAN_OPTIONS", more, 1);
}

int main(void)
{
    struct witness witness;
    char told[80];

    setvbuf(stdout, NULL, _IOLBF, 0);
    (void)sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    keep_little_back();
    hub_new(&hub);
    if (!report("it starts", hub_start(&hub), hub.line))
        return 1;
    device_create(&hub, "witness", false, witness_key);
    device_create(&hub, "deaf", false, deaf_key);
    device_create(&hub, "greedy", false, greedy_key);
    report("a device sends telemetry all the while", witness_start(&witness), NULL);

    int files = open_files();
    long before = memory();

    test_slow();
    test_deaf();
    test_headers();
    test_bodies();
    test_subscriptions();
    test_random();
    test_flood();
    (void)snprintf(told, sizeof(told), "%ld KiB", (memory() - before) / 1024);
    report("all of them together take bounded memory", memory() - before < GROWTH_MAX, told);
    test_calm(files, before);
    witness_end(&witness, told, sizeof(told));
    report("each message of the device was acknowledged", strtoul(told, NULL, 10) > 100, told);
    report("SIGTERM ends it cleanly", hub_end(&hub, SIGTERM) == 0, NULL);
    hub_remove(&hub);
    return failures ? 1 : 0;
}
