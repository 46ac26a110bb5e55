/* The port where the runtime's metrics are read: whose they are by the request's host, and an edge
 * hub that is away, slow or wrong. Engine, hub, port and clients share this process. */
#include "vm/guest/edged/exporter.h"

#include "core/base/file.h"
#include "core/base/str.h"
#include "core/io/http_server.h"
#include "tests/support/peer.h"

static char dir[] = "/tmp/berth-exporter-XXXXXX";
static char engine_path[64], hub_path[64];
static bool off; /* the agent's are turned off */

/* ------------------------------------------------------------------------------- the others */

static struct http_server *engine, *hub;
static bool no_network;
static unsigned asked;             /* the hub */
static struct http_exchange *held; /* a request that the hub does not answer yet */
static bool hub_holds;
static int hub_status = 200;

static void on_engine(struct http_exchange *x, void *arg)
{
    static const char network[] =
        "{\"IPAM\":{\"Config\":[{\"Subnet\":\"127.0.0.0/8\",\"Gateway\":\"127.0.0.2\"}]}}";
    (void)arg;
    if (no_network || strcmp(http_exchange_path(x), "/v1.41/networks/azure-iot-edge") != 0)
        http_reply_message(x, 404, "no such network");
    else
        http_reply(x, 200, "application/json", network, strlen(network));
}

static void hub_answer(struct http_exchange *x)
{
    http_reply(x, hub_status, "text/plain", "hub 2\n", 6);
}

static void on_hub(struct http_exchange *x, void *arg)
{
    (void)arg;
    asked++;
    if (hub_holds)
        held = x;
    else
        hub_answer(x);
}

static struct http_server *serve(const char *path, http_handler_fn handler)
{
    struct err err;
    struct http_server *s = http_server_new(&loop, NULL, handler, NULL);
    if (http_server_listen_unix(s, path, 0600, (uid_t)-1, (gid_t)-1, &err) < 0) {
        fprintf(stderr, "%s\n", err.msg);
        exit(1);
    }
    return s;
}

static bool render(void *arg, struct buf *out)
{
    (void)arg;
    buf_puts(out, off ? "" : "agent 1\n");
    return !off;
}

/* ------------------------------------------------------------------------------- clients */

static struct peer ask(const char *address, const char *request, const char *host)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(EXPORTER_PORT)};
    struct peer p = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    char text[200];
    uint64_t end = clock_mono_ms() + PEER_WAIT_MS;
    (void)inet_pton(AF_INET, address, &to.sin_addr);
    while (connect(p.fd, (struct sockaddr *)&to, sizeof(to)) < 0 && clock_mono_ms() < end)
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    snprintf(text, sizeof(text), "%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", request,
             host);
    peer_puts(&p, text);
    return p;
}

#define METRICS "GET /metrics"

static void expect(const char *name, struct peer p, const char *head, const char *body)
{
    bool ended = peer_ends(&p);
    const char *text = buf_str(&p.in);
    const char *at = strstr(text, "\r\n\r\n");
    report(name, ended && strstr(text, head) && at && strcmp(at + 4, body) == 0, text);
    peer_close(&p);
}

static void until_asked(unsigned n)
{
    uint64_t end = clock_mono_ms() + PEER_WAIT_MS;
    while (asked < n && clock_mono_ms() < end)
        (void)uv_run(&loop, UV_RUN_NOWAIT);
}

/* ------------------------------------------------------------------------------- tests */

static void test_hosts(void)
{
    expect("the agent's, by its name", ask("127.0.0.1", METRICS, "edgeAgent:9600"),
           "Content-Type: text/plain; version=0.0.4", "agent 1\n");
    expect("no edge hub: that is said", ask("127.0.0.1", METRICS, "edgeHub:9600"), " 503 ",
           "the edge hub is not running\n");
    expect("no edge hub: the agent's are there", ask("127.0.0.1", METRICS, "localhost"), " 200 ",
           "agent 1\n");
    hub = serve(hub_path, on_hub);
    expect("the edge hub's, by its name", ask("127.0.0.1", METRICS, "EDGEHUB"), " 200 ", "hub 2\n");
    expect("any other host: both", ask("127.0.0.1", METRICS, "10.0.0.1:9600"), " 200 ",
           "agent 1\nhub 2\n");
    expect("a name that only begins so is another", ask("127.0.0.1", METRICS, "edgeHubs"), " 200 ",
           "agent 1\nhub 2\n");
    expect("elsewhere there is nothing", ask("127.0.0.1", "GET /", "edgeAgent"), " 404 ",
           "the metrics are at /metrics\n");
    expect("and nothing is taken", ask("127.0.0.1", "POST /metrics", "edgeAgent"), " 405 ",
           "only GET\n");
    hub_status = 500;
    expect("a hub that fails does not answer", ask("127.0.0.1", METRICS, "edgeHub"), " 503 ",
           "the edge hub is not running\n");
    hub_status = 200;
    off = true;
    expect("turned off: that is said", ask("127.0.0.1", METRICS, "edgeAgent"), " 404 ",
           "the agent's metrics are turned off (MetricsEnabled)\n");
    expect("turned off: the hub's are there", ask("127.0.0.1", METRICS, "x"), " 200 ", "hub 2\n");
    off = false;
}

static void test_slow_hub(void)
{
    hub_holds = true;
    asked = 0;
    auto_peer struct peer first = ask("127.0.0.1", METRICS, "edgeHub");
    until_asked(1);
    auto_peer struct peer second = ask("127.0.0.1", METRICS, "both");
    struct peer leaves = ask("127.0.0.1", METRICS, "both");
    expect("a slow hub holds nobody up", ask("127.0.0.1", METRICS, "edgeAgent"), " 200 ",
           "agent 1\n");
    peer_close(&leaves);
    expect("who leaves is not waited for", ask("127.0.0.1", METRICS, "edgeAgent"), " 200 ",
           "agent 1\n");
    if (held)
        hub_answer(held);
    hub_holds = false;
    report("all who wait get the hub's in the end",
           peer_hears(&first, "hub 2\n") && peer_hears(&second, "agent 1\nhub 2\n"),
           buf_str(&second.in));
    report("for whom it was asked once", asked == 1, NULL);
}

static void test_network(struct exporter *e)
{
    no_network = false;
    exporter_look(e);
    expect("modules reach it in their network", ask("127.0.0.2", METRICS, "edgeAgent:9600"),
           " 200 ", "agent 1\n");
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!mkdtemp(dir))
        return 1;
    snprintf(engine_path, sizeof(engine_path), "%s/engine", dir);
    snprintf(hub_path, sizeof(hub_path), "%s/hub", dir);
    (void)uv_loop_init(&loop);
    no_network = true;
    engine = serve(engine_path, on_engine);
    struct docker *docker = docker_new(&loop, engine_path);
    const struct exporter_context context = {.loop = &loop,
                                             .docker = docker,
                                             .network = "azure-iot-edge",
                                             .hub_socket = hub_path,
                                             .render = render};
    struct exporter *e = exporter_new(&context);
    test_hosts();
    test_slow_hub();
    test_network(e);

    /* It ends while somebody waits. */
    hub_holds = true;
    asked = 0;
    struct peer waits = ask("127.0.0.1", METRICS, "edgeHub");
    until_asked(1);
    exporter_free(e);
    http_server_free(engine);
    http_server_free(hub);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    docker_free(docker);
    peer_close(&waits);
    report("its end leaves nothing on the loop", uv_loop_close(&loop) == 0, NULL);
    (void)file_remove_tree(dir, NULL);
    return failures ? 1 : 0;
}
