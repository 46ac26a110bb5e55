/* Who may connect to the edge hub: the real parts (runtime's socket, scope, check) between a
 * scripted runtime and the real cloud role. */
#include "tests/hub_client.h"

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/io/tls.h"
#include "tests/support/edge_runtime.h"
#include "vm/guest/hub/edge_auth.h"
#include "vm/guest/hub/edge_clients.h"
#include "vm/guest/hub/edge_scope_private.h"
#include "vm/guest/hub/edge_workload.h"

#include <poll.h>
#include <sys/stat.h>

#define EDGE    "edge1"
#define GATEWAY "Gateway.Local"
#define LEAVES  60 /* more than a page */
#define WAIT_MS 20000

static struct test_hub cloud;
static uv_loop_t loop;
static struct edge_runtime runtime = {.modules = {"$edgeHub", "mod", "mod2"}};
static char dir[40], ca_file[100], no_files[1];
static struct edge_settings settings = {.dir = dir,
                                        .hub = (char[]){"localhost"},
                                        .device = (char[]){EDGE},
                                        .hostname = (char[]){GATEWAY},
                                        .proxy = no_files,
                                        .ca_file = ca_file};
static struct edge edge = {.loop = &loop, .settings = &settings};
static char edge_key[128], leaf_key[128];

/* ------------------------------------------------------------------------------- the edge */

static char dropped[400]; /* "DEVICE/MODULE " each; "*": with all of its modules */

void edge_clients_drop(struct edge_clients *c, const char *device, const char *module,
                       const char *why)
{
    size_t at = strlen(dropped);

    (void)c;
    (void)why;
    (void)snprintf(dropped + at, sizeof(dropped) - at, "%s/%s ", device, module ? module : "*");
}

static void open_edge(void)
{
    struct err err = {0};

    edge.clients = (struct edge_clients *)&edge; /* never looked at */
    edge.workload = edge_workload_new(&loop, runtime.path);
    edge.scope = edge_scope_new(&edge, &err);
    if (!edge.scope) {
        printf("not ok open: %s\n", err.msg);
        exit(1);
    }
    edge.auth = edge_auth_new(&edge);
    dropped[0] = '\0';
}

static void close_edge(void)
{
    edge_auth_free(edge.auth);
    edge_scope_free(edge.scope);
    edge_workload_free(edge.workload);
}

/* Lets the loop turn until *FLAG, for at most WAIT_MS. */
static bool run_until(const bool *flag)
{
    uint64_t end = clock_mono_ms() + WAIT_MS;

    while (!*flag && clock_mono_ms() < end)
        if (uv_run(&loop, UV_RUN_NOWAIT) == 0 || !*flag)
            (void)poll(NULL, 0, 1);
    return *flag;
}

/* Until DEVICE/MODULE is in the scope (or not). */
static bool wait_known(const char *device, const char *module, bool known)
{
    uint64_t end = clock_mono_ms() + WAIT_MS;

    while ((edge_scope_find(edge.scope, device, module) != NULL) != known && clock_mono_ms() < end)
        if (uv_run(&loop, UV_RUN_NOWAIT))
            (void)poll(NULL, 0, 1);
    return (edge_scope_find(edge.scope, device, module) != NULL) == known;
}

/* ------------------------------------------------------------------------------- checks */

static struct {
    bool done;
    uint64_t expiry_s;
    struct err err;
    unsigned times;
} seen;

static void on_checked(void *arg, uint64_t expiry_s, const struct err *err)
{
    (void)arg;
    seen.done = true;
    seen.times++;
    seen.expiry_s = expiry_s;
    seen.err = err ? *err : (struct err){0};
}

static void check(const char *device, const char *module, const char *token, const struct tls *tls)
{
    const struct edge_claim claim = {.hub = "localhost",
                                     .device = device,
                                     .module = module,
                                     .token = token,
                                     .len = token ? strlen(token) : 0,
                                     .tls = tls};

    memset(&seen, 0, sizeof(seen));
    (void)edge_auth_check(edge.auth, &claim, on_checked, NULL);
    if (seen.done)
        seen.times = 100; /* from inside */
    (void)run_until(&seen.done);
}

static void good(const char *name)
{
    report(name, seen.times == 1 && seen.err.kind == ERR_NONE, seen.err.msg);
}

/* Refused, and the log would say WHY. */
static void bad(const char *name, enum err_kind kind, const char *why)
{
    report(name, seen.times == 1 && seen.err.kind == kind && strstr(seen.err.msg, why),
           seen.err.msg);
}

static uint64_t in_an_hour(void)
{
    return clock_wall_ms() / 1000 + 3600;
}

/* Shows a token for RESOURCE, signed with KEY. */
static void show(const char *device, const char *module, const char *resource, const char *key,
                 uint64_t expiry_s)
{
    auto_secret struct secret token = {0};

    if (sas_make(resource, key, expiry_s, NULL, &token, NULL) < 0)
        abort();
    check(device, module, token.data, NULL);
}

/* ------------------------------------------------------------------------------- modules */

#define MOD "localhost/devices/" EDGE "/modules/mod"

static void test_modules(void)
{
    char first[64], second[64], other[64];
    uint64_t expiry_s = in_an_hour();

    edge_runtime_key("mod", false, first);
    edge_runtime_key("mod", true, second);
    edge_runtime_key("mod2", false, other);
    show(EDGE, "mod", MOD, first, expiry_s);
    good("a module is let in with the key that only the runtime has");
    report("until its token ends, and a little longer", seen.expiry_s == expiry_s + SAS_SKEW_S,
           NULL);
    show(EDGE, "mod", MOD, second, expiry_s);
    good("also with the secondary key");
    show(EDGE, "mod", "gateway.local/devices/" EDGE "/modules/mod", first, expiry_s);
    good("also where the token names the gateway");
    show(EDGE, "mod", "LOCALHOST/devices/" EDGE, first, expiry_s);
    good("also where it names the device only");
    show(EDGE, "mod", MOD, edge_key, expiry_s);
    good("also with the device's key");
    show(EDGE, "mod", MOD, other, expiry_s);
    bad("not with another module's", ERR_AUTH, "not signed with a key");
    show(EDGE, "mod", MOD, first, clock_wall_ms() / 1000 - SAS_SKEW_S - 5);
    bad("not when it has expired", ERR_AUTH, "expired");
    show(EDGE, "mod", "other.hub/devices/" EDGE "/modules/mod", first, expiry_s);
    bad("not for another hub", ERR_AUTH, "another resource");
    show(EDGE, "mod", MOD "2", first, expiry_s);
    bad("not for another module", ERR_AUTH, "another resource");
    show(EDGE, "unknown", MOD, first, expiry_s);
    bad("not as somebody else", ERR_AUTH, "another resource");
    show(EDGE, "unknown", "localhost/devices/" EDGE "/modules/unknown", first, expiry_s);
    bad("not as a module that does not exist", ERR_AUTH, "not in the scope");
    check(EDGE, "mod", "SharedAccessSignature sr=x", NULL);
    bad("not with half a token", ERR_AUTH, "malformed");
    check(EDGE, "mod", NULL, NULL);
    bad("not with nothing", ERR_AUTH, "neither");
}

/* A module whose keys somebody set in the cloud: the runtime does not know it. */
static void test_foreign_module(void)
{
    char key[64];

    edge_runtime_key("foreign", false, key);
    show(EDGE, "foreign", "localhost/devices/" EDGE "/modules/foreign", key, in_an_hour());
    good("a module that the runtime does not know is let in with the cloud's key");
}

/* ------------------------------------------------------------------------------- leaf devices */

static void test_leaves(void)
{
    char key[128], second[128];

    edge_runtime_key("second", false, second);
    show("leaf1", "", "localhost/devices/leaf1", leaf_key, in_an_hour());
    good("a leaf device is let in with its key");
    show("leaf2", "", "localhost/devices/leaf2", second, in_an_hour());
    good("also with its second one");
    show("leaf1", "part", "localhost/devices/leaf1/modules/part", leaf_key, in_an_hour());
    good("and its module, with the device's key");
    show("leaf1", "", "localhost/devices/leaf1", second, in_an_hour());
    bad("not with a wrong key", ERR_AUTH, "not signed with a key");
    show("leaf1", "", "localhost/devices/leaf1", second, in_an_hour());
    bad("which is not asked of the cloud time and again", ERR_AUTH, "less than a minute ago");
    show("leaf1", "", "localhost/devices/leaf1", leaf_key, in_an_hour());
    good("and does not lock out who has the right one");
    show("stranger", "", "localhost/devices/stranger", second, in_an_hour());
    bad("not one below another device", ERR_AUTH, "not in the scope");
    leaf_create(&cloud, EDGE, "late", NULL, key);
    show("late", "", "localhost/devices/late", key, in_an_hour());
    good("one that was created a moment ago is let in");
    show("no such", "", "localhost/devices/no such", key, in_an_hour());
    bad("a name that no device can have is refused", ERR_AUTH, "not in the scope");
}

/* As after a power cut: of what this process would still write at its end, nothing counts. */
static bool kept(const char *device)
{
    auto_buf struct buf text = {0};
    auto_free char *path = xasprintf("%s/scope.json", dir);
    auto_free char *name = xasprintf("\"%s\"", device);

    return file_read(path, 1 << 20, &text, NULL) < 0 || strstr(buf_str(&text), name);
}

static void test_disabled(void)
{
    auto_json cJSON *out = NULL;
    char key[128];

    leaf_create(&cloud, EDGE, "leaving", NULL, key);
    show("leaving", "", "localhost/devices/leaving", key, in_an_hour());
    good("a device that will be disabled is let in before");
    (void)rest(&cloud, NULL, "PUT", "/devices/leaf3", "If-Match: *\r\n",
               "{\"deviceId\":\"leaf3\",\"status\":\"disabled\"}", &out);
    report("(disable)", str_eq(json_str(out, "status", ""), "disabled"), NULL);
    show("leaf3", "", "localhost/devices/leaf3", edge_key, in_an_hour());
    bad("where it is disabled, that is said", ERR_AUTH, "disabled");
    report("and its connections end, with its modules'", str_eq(dropped, "leaf3/* "), dropped);
    (void)rest(&cloud, NULL, "DELETE", "/devices/leaving", "If-Match: *\r\n", NULL, NULL);
    close_edge();
    open_edge();
    show("leaving", "", "localhost/devices/leaving", key, in_an_hour());
    good("what was known at the last start is known at this one");
    report("until the cloud says otherwise", wait_known("leaving", "", false), NULL);
    report("and its connections end", str_eq(dropped, "leaving/* "), dropped);
    (void)uv_run(&loop, UV_RUN_NOWAIT);
    report("and a power cut does not bring it back", !kept("leaving"), NULL);
}

/* ------------------------------------------------------------------------------- certificates */

struct files {
    char cert[80], key[80];
};

static void name_files(struct files *f, const char *name)
{
    (void)snprintf(f->cert, sizeof(f->cert), "%s/%s.pem", dir, name);
    (void)snprintf(f->key, sizeof(f->key), "%s/%s.key", dir, name);
}

/* The server's side of a connection to which a client with this certificate has come. */
static struct tls *shown(const struct files *f)
{
    char server_cert[80], server_key[80];
    auto_buf struct buf in = {0}, out = {0}, plain = {0};

    (void)snprintf(server_cert, sizeof(server_cert), "%s/server.pem", cloud.dir);
    (void)snprintf(server_key, sizeof(server_key), "%s/server.key", cloud.dir);

    struct tls_server *server = tls_server_new(server_cert, server_key, NULL);
    struct tls_client *client = tls_client_new(ca_file, NULL);

    tls_server_ask_client(server);
    if (tls_client_show(client, f->cert, f->key, NULL) < 0)
        abort();

    struct tls *here = tls_new(server), *there = tls_open(client, "localhost");

    for (int i = 0; i < 10; i++) {
        (void)tls_feed(there, buf_str(&in), in.len, &plain, &out, NULL);
        buf_clear(&in);
        (void)tls_feed(here, buf_str(&out), out.len, &plain, &in, NULL);
        buf_clear(&out);
    }
    tls_free(there);
    tls_client_free(client);
    tls_server_free(server);
    return here;
}

static void check_shown(const char *device, const char *module, const struct files *f)
{
    struct tls *tls = shown(f);

    check(device, module, NULL, tls);
    tls_free(tls);
}

static struct files plant_ca, stranger_ca, self, other, by_ca, misnamed, by_stranger;

static void make_certificates(void)
{
    struct err err = {0};

    name_files(&plant_ca, "plant");
    name_files(&stranger_ca, "stranger");
    name_files(&self, "self");
    name_files(&other, "other");
    name_files(&by_ca, "byca");
    name_files(&misnamed, "misnamed");
    name_files(&by_stranger, "bystranger");
    if (tls_cert_make_ca(plant_ca.cert, plant_ca.key, "Plant", 30, &err) < 0 ||
        tls_cert_make_ca(stranger_ca.cert, stranger_ca.key, "Plant", 30, &err) < 0 ||
        tls_cert_make_self_signed(self.cert, self.key, "self", 30, &err) < 0 ||
        tls_cert_make_self_signed(other.cert, other.key, "self", 30, &err) < 0 ||
        tls_cert_make_device(plant_ca.cert, plant_ca.key, by_ca.cert, by_ca.key, "byca", 30, &err) <
            0 ||
        tls_cert_make_device(plant_ca.cert, plant_ca.key, misnamed.cert, misnamed.key, "byca2", 30,
                             &err) < 0 ||
        tls_cert_make_device(stranger_ca.cert, stranger_ca.key, by_stranger.cert, by_stranger.key,
                             "byca", 30, &err) < 0) {
        printf("not ok certificates: %s\n", err.msg);
        exit(1);
    }
}

static void thumbprint_of(const struct files *f, char to[65])
{
    auto_buf struct buf pem = {0};
    struct tls_cert_info info;

    if (file_read(f->cert, 65536, &pem, NULL) < 0 ||
        tls_cert_read(pem.data, pem.len, &info, NULL) < 0)
        abort();
    (void)snprintf(to, 65, "%s", info.sha256);
}

static void test_certificates(void)
{
    check_shown("self", "", &self);
    good("a leaf device is let in with the certificate whose thumbprint the cloud has");
    report("until it ends", seen.expiry_s > clock_wall_ms() / 1000 && seen.expiry_s != UINT64_MAX,
           NULL);
    check_shown("self", "", &other);
    bad("not with another one of the same name", ERR_AUTH, "another thumbprint");
    check_shown("byca", "", &by_ca);
    good("one is let in with a certificate that leads to the trust bundle");
    check_shown("byca", "", &by_stranger);
    bad("not where it leads elsewhere", ERR_AUTH, "not accepted");
    check_shown("byca", "", &misnamed);
    bad("not where it is for another device", ERR_AUTH, "another common name");
    check_shown("leaf1", "", &by_ca);
    bad("not where the device has keys", ERR_AUTH, "does not use a certificate");
    check_shown("byca", "part", &by_ca);
    bad("modules show tokens", ERR_AUTH, "modules show a token");
    show("self", "", "localhost/devices/self", leaf_key, in_an_hour());
    bad("a device with a certificate needs it", ERR_AUTH, "not signed with a key");
}

/* ------------------------------------------------------------------------------- offline */

static void damage(const char *path)
{
    if (file_write(path, "{\"hub\":\"localhost\"", 18, 0600, NULL) < 0)
        abort();
}

static void test_offline(void)
{
    char path[80];
    struct stat st = {0};

    (void)snprintf(path, sizeof(path), "%s/scope.json", dir);
    close_edge();
    report("the scope is kept where nobody else reads it",
           stat(path, &st) == 0 && (st.st_mode & 0777) == 0600, NULL);
    (void)hub_end(&cloud, SIGKILL);
    open_edge();
    show("leaf1", "", "localhost/devices/leaf1", leaf_key, in_an_hour());
    good("without the cloud a leaf device is let in");
    check_shown("self", "", &self);
    good("and one with a certificate");
    show("leaf2", "", "localhost/devices/leaf2", edge_key, in_an_hour());
    bad("not with a wrong key", ERR_AUTH, "not asked anew");
    close_edge();
    damage(path);
    open_edge();
    show("leaf1", "", "localhost/devices/leaf1", leaf_key, in_an_hour());
    bad("a damaged file counts as none", ERR_AUTH, "not in the scope");

    char first[64];

    edge_runtime_key("mod", false, first);
    show(EDGE, "mod", MOD, first, in_an_hour());
    good("modules are let in all the same");
    if (!hub_start(&cloud))
        abort();
    edge_scope_refresh_all(edge.scope);
    report("once the cloud is back, all is known again", wait_known("leaf1", "", true), NULL);
    show("leaf1", "", "localhost/devices/leaf1", leaf_key, in_an_hour());
    good("and the leaf device is let in");
}

/* ------------------------------------------------------------------------------- the runtime */

static void on_sign(void *arg, const unsigned char *digest, const struct err *err)
{
    (void)digest;
    on_checked(arg, 0, err);
}

static struct {
    bool done;
    char seen[200];
    char common_name[65];
    bool has_key;
    uint64_t until_ms;
} certificate;

static void on_cert(void *arg, const char *cert, const char *key, uint64_t until_ms,
                    const struct err *err)
{
    struct tls_cert_info info = {0};

    (void)arg;
    certificate.done = true;
    certificate.until_ms = until_ms;
    certificate.has_key = key && str_starts(key, "-----BEGIN PRIVATE KEY-----");
    if (err || tls_cert_read(cert, strlen(cert), &info, NULL) < 0)
        STR_SET(certificate.seen, err ? err->msg : "no certificate");
    STR_SET(certificate.common_name, info.common_name);
}

/* What the runtime said wrongly. */
static void garbled(const char *name, int status, const char *answer, enum err_kind kind,
                    const char *why)
{
    runtime.status = status;
    runtime.answer = answer;
    memset(&seen, 0, sizeof(seen));
    (void)edge_workload_sign(edge.workload, "mod", false, "x", 1, on_sign, NULL);
    (void)run_until(&seen.done);
    bad(name, kind, why);
    runtime.answer = NULL;
}

static void test_runtime(void)
{
    char first[64];

    (void)edge_workload_cert(edge.workload, GATEWAY, on_cert, NULL);
    report("the runtime makes the hub's certificate",
           run_until(&certificate.done) && str_eq(certificate.common_name, GATEWAY) &&
               certificate.has_key && certificate.until_ms > clock_wall_ms(),
           certificate.seen);
    garbled("a digest of the wrong size", 200, "{\"digest\":\"AAAA\"}", ERR_PROTOCOL, "3 bytes");
    garbled("no digest", 200, "{}", ERR_INVALID, "digest");
    garbled("no JSON", 200, "hello", ERR_PROTOCOL, "JSON");
    garbled("no module of this device", 404, "{\"message\":\"no\"}", ERR_NOT_FOUND, "no such");
    garbled("an error", 500, "{\"message\":\"the key\\nstore\"}", ERR_REMOTE, "500 the key");
    edge_runtime_key("mod", false, first);
    edge_runtime_stop(&runtime);
    (void)unlink(runtime.path);
    show(EDGE, "mod", MOD, first, in_an_hour());
    bad("without the runtime, that is what is said of a module", ERR_UNREACHABLE, "the runtime");
    show("leaf1", "", "localhost/devices/leaf1", leaf_key, in_an_hour());
    good("and leaf devices are let in all the same");
    edge_runtime_start(&runtime, &loop, dir, "runtime.sock");
}

/* More at once than are asked at a time or may wait. */
static void test_many(void)
{
    enum { MANY = 600 };
    static struct edge_workload_call *calls[MANY];
    unsigned before = runtime.signed_for;

    memset(&seen, 0, sizeof(seen));
    for (size_t i = 0; i < MANY; i++)
        calls[i] = edge_workload_sign(edge.workload, "mod", false, "x", 1, on_sign, NULL);
    for (size_t i = 0; i < MANY; i += 2)
        edge_workload_cancel(calls[i]);

    uint64_t end = clock_mono_ms() + WAIT_MS;

    while (seen.times < MANY / 2 && clock_mono_ms() < end)
        if (uv_run(&loop, UV_RUN_NOWAIT))
            (void)poll(NULL, 0, 1);
    report("who asks is answered, who left is not",
           seen.times == MANY / 2 && runtime.signed_for - before > MANY / 4, seen.err.msg);
}

/* ------------------------------------------------------------------------------- crowds */

static unsigned n_checked, n_turned_away;

static void on_stranger(void *arg, uint64_t expiry_s, const struct err *err)
{
    (void)arg, (void)expiry_s;
    n_checked++;
    n_turned_away += err && err->kind == ERR_BUSY;
}

/* Anybody on the network can make names up. */
static void test_strangers(void)
{
    enum { STRANGERS = 64 };
    uint64_t end = clock_mono_ms() + WAIT_MS;

    for (unsigned i = 0; i < STRANGERS; i++) {
        auto_free char *name = xasprintf("nobody%u", i);
        auto_free char *resource = xasprintf("localhost/devices/%s", name);
        auto_secret struct secret token = {0};
        struct edge_claim claim = {.hub = "localhost", .device = name, .module = ""};

        if (sas_make(resource, leaf_key, in_an_hour(), NULL, &token, NULL) < 0)
            abort();
        claim.token = token.data;
        claim.len = token.len;
        (void)edge_auth_check(edge.auth, &claim, on_stranger, NULL);
    }
    show("leaf1", "", "localhost/devices/leaf1", leaf_key, in_an_hour());
    good("many whom nobody knows do not keep one out whom the hub knows");
    while (n_checked < STRANGERS && clock_mono_ms() < end)
        if (uv_run(&loop, UV_RUN_NOWAIT))
            (void)poll(NULL, 0, 1);
    report("and wait for the cloud, but not all of them",
           n_checked == STRANGERS && n_turned_away >= STRANGERS / 8 &&
               n_turned_away < STRANGERS / 2,
           NULL);
}

/* The cloud says so when it is decided already, but the client is not told yet. */
static void test_removed_meanwhile(void)
{
    auto_secret struct secret token = {0};
    struct edge_claim claim = {.hub = "localhost", .device = "leaf1", .module = ""};

    if (sas_make("localhost/devices/leaf1", leaf_key, in_an_hour(), NULL, &token, NULL) < 0)
        abort();
    claim.token = token.data;
    claim.len = token.len;
    memset(&seen, 0, sizeof(seen));
    (void)edge_auth_check(edge.auth, &claim, on_checked, NULL);
    edge_scope_on_gone(edge.scope, "leaf1", "");
    (void)run_until(&seen.done);
    bad("who is removed while it is let in is not let in", ERR_AUTH, "not in the scope");
}

/* ------------------------------------------------------------------------------- leaving */

static void never(void *arg, uint64_t expiry_s, const struct err *err)
{
    (void)arg;
    (void)expiry_s;
    (void)err;
    failures++;
    printf("not ok somebody who left is answered\n");
}

/* Leaves at each stage: undecided, asking the runtime, decided. */
static void test_leaving(void)
{
    auto_secret struct secret token = {0};
    struct edge_claim claim = {.hub = "localhost", .device = EDGE, .module = "mod"};

    if (sas_make(MOD, edge_key, in_an_hour(), NULL, &token, NULL) < 0)
        abort();
    claim.token = token.data;
    claim.len = token.len;

    unsigned before = runtime.asked;
    int failed = failures;

    for (unsigned turns = 0; turns < 12; turns++) {
        struct edge_auth_wait *wait = edge_auth_check(edge.auth, &claim, never, NULL);
        unsigned asked = runtime.asked;

        for (unsigned i = 0; i < turns && runtime.asked < asked + 2; i++)
            (void)uv_run(&loop, UV_RUN_NOWAIT);
        edge_auth_cancel(wait);
    }
    report("some leave while the runtime is asked", runtime.asked > before, NULL);
    check(EDGE, "mod", token.data, NULL);
    good("who stays is let in");
    runtime.hangs = true;
    before = runtime.asked;
    (void)edge_auth_check(edge.auth, &claim, never, NULL);
    for (unsigned i = 0; i < WAIT_MS && runtime.asked == before; i++)
        if (uv_run(&loop, UV_RUN_NOWAIT) == 0 || runtime.asked == before)
            (void)poll(NULL, 0, 1);
    report("one waits for a runtime that hangs", runtime.asked == before + 1, NULL);
    close_edge();
    report("nobody who left is answered", failures == failed, NULL);
}

/* ------------------------------------------------------------------------------- life */

static void module_create(const char *device, const char *module)
{
    char target[200], body[200];

    (void)snprintf(target, sizeof(target), "/devices/%s/modules/%s", device, module);
    (void)snprintf(body, sizeof(body), "{\"deviceId\":\"%s\",\"moduleId\":\"%s\"}", device, module);
    if (rest(&cloud, NULL, "PUT", target, NULL, body, NULL) / 100 != 2)
        abort();
}

static void prepare(void)
{
    char first[64], second[64], thumb[65], authentication[200], key[128], name[20];

    if (!hub_begin(&cloud))
        exit(1);
    STR_SET(dir, "/tmp/berth-identity-XXXXXX");
    if (!mkdtemp(dir))
        abort();
    (void)snprintf(ca_file, sizeof(ca_file), "%s/ca.pem", cloud.dir);
    settings.https_port = cloud.https_port;
    (void)uv_loop_init(&loop);
    make_certificates();
    runtime.ca_cert = plant_ca.cert;
    runtime.ca_key = plant_ca.key;
    edge_runtime_start(&runtime, &loop, dir, "runtime.sock");

    device_create(&cloud, EDGE, true, edge_key);
    device_create(&cloud, "edge2", true, key);
    edge_runtime_key("$edgeHub", false, first);
    edge_runtime_key("$edgeHub", true, second);
    report("(keys)", keys_set(&cloud, EDGE, "$edgeHub", first, second), NULL);
    module_create(EDGE, "mod");
    module_create(EDGE, "mod2");
    module_create(EDGE, "foreign");
    edge_runtime_key("foreign", false, first);
    report("(keys)", keys_set(&cloud, EDGE, "foreign", first, second), NULL);
    leaf_create(&cloud, EDGE, "leaf1", NULL, leaf_key);
    module_create("leaf1", "part");
    for (unsigned i = 2; i < LEAVES; i++) {
        (void)snprintf(name, sizeof(name), "leaf%u", i);
        leaf_create(&cloud, EDGE, name, NULL, key);
    }
    edge_runtime_key("second", false, second);
    report("(keys)", keys_set(&cloud, "leaf2", NULL, key, second), NULL);
    leaf_create(&cloud, "edge2", "stranger", NULL, key);
    thumbprint_of(&self, thumb);
    (void)snprintf(authentication, sizeof(authentication),
                   "{\"type\":\"selfSigned\",\"x509Thumbprint\":{\"primaryThumbprint\":\"%s\"}}",
                   thumb);
    leaf_create(&cloud, EDGE, "self", authentication, key);
    leaf_create(&cloud, EDGE, "byca", "{\"type\":\"certificateAuthority\"}", key);
}

int main(void)
{
    json_init();
    log_set_level(LOG_LEVEL_ERROR);
    prepare();
    open_edge();
    test_modules();
    report("all pages come", wait_known("leaf1", "part", true) && wait_known("leaf59", "", true),
           NULL);
    test_foreign_module();
    test_leaves();
    test_certificates();
    test_disabled();
    test_offline();
    test_runtime();
    test_many();
    test_strangers();
    test_removed_meanwhile();
    test_leaving();
    edge_runtime_stop(&runtime);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    report("nothing is left in the loop", uv_loop_close(&loop) == 0, NULL);
    (void)file_remove_tree(dir, NULL);
    return hub_finish(&cloud);
}
