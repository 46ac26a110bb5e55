/* berth-hub --role edge where something fails: its runtime is late, its certificate ends, its disk
 * is full, it is killed, the cloud is away. What was acknowledged is delivered. */
#include "tests/edge_family.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define REPORT   "$iothub/twin/PATCH/properties/reported/?$rid="
#define REPORTED "$iothub/twin/res/204/?$rid="

static char first_serial[80];

static void *start(void *arg)
{
    return edge_start(arg) ? arg : NULL;
}

/* The runtime comes a little later than its hub. */
static void test_start(void)
{
    auto_buf struct buf seen = {0};
    pthread_t starter;
    void *ready = NULL;

    (void)pthread_create(&starter, NULL, start, &edge);
    report("it is there for the runtime before it can serve",
           edge_comes_to(&edge, "/state", "{\"connected\":false", &seen) &&
               pthread_tryjoin_np(starter, &ready) == EBUSY,
           buf_str(&seen));
    runtime_start(&edge);
    (void)pthread_join(starter, &ready);
    report("it says ready once it listens", ready != NULL, edge.link.line);
    report("the runtime sees that it is connected",
           edge_comes_to(&edge, "/state", "{\"connected\":true,\"clients\":0,\"queued\":0}", &seen),
           buf_str(&seen));
    (void)twin_comes_to("%24edgeHub", "\"lastDesiredStatus\":{\"code\":200");
}

/* The serial number of its certificate. */
static bool serial_of(char to[80])
{
    struct link l;
    bool ok = link_open(&l, &edge.link, edge.link.mqtt_port);
    X509 *cert = ok ? SSL_get1_peer_certificate(l.ssl) : NULL;
    BIGNUM *number = cert ? ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL) : NULL;
    char *text = number ? BN_bn2hex(number) : NULL;

    snprintf(to, 80, "%s", text ? text : "");
    OPENSSL_free(text);
    BN_free(number);
    X509_free(cert);
    link_close(&l);
    return to[0] != '\0';
}

static void test_renewal(void)
{
    uint64_t end = clock_mono_ms() + HUB_WAIT_S * 1000;
    char serial[80];
    bool renewed;

    do {
        renewed = serial_of(serial) && !str_eq(serial, first_serial);
        (void)poll(NULL, 0, renewed ? 0 : 20);
    } while (!renewed && clock_mono_ms() < end);
    report("its certificate is renewed before its end", first_serial[0] && renewed, serial);
}

/* ---- places ---- */

static void test_places(void)
{
    struct link l[4] = {0};
    struct link again = {0};
    auto_buf struct buf body = {0};
    struct mqtt_login leaf = {.device = "leaf1", .key = leaf_key};
    struct mqtt_login device = {.device = EDGE_DEVICE, .key = "AAAA"};
    const char *const names[] = {"sender", "receiver", "third"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        (void)login(&l[i], module_login(names[i]), NULL);
    (void)login(&l[3], leaf, NULL);
    expect_login(&edge.link, "one too many is told to try again", &device, 3);
    (void)login(&again, module_login("third"), NULL);
    report("another connection takes the place of the one before",
           recv_packet(&l[2], &body) == 0 && l[2].ended && mqtt_ping(&again), NULL);
    for (size_t i = 0; i < ARRAY_LEN(l); i++)
        link_close(&l[i]);
    link_close(&again);
}

/* ---- full disk ---- */

/* The hub's folder on a small file system of its own; false where we may not make one. */
static bool make_small_disk(void)
{
    char path[100];

    snprintf(path, sizeof(path), "%s/data", edge.link.dir);
    return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mkdir(path, 0700) == 0 && mount("none", path, "tmpfs", 0, "size=24m,mode=700") == 0;
}

static void test_full_disk(void)
{
    static char large[200000];
    struct link sender = {0}, receiver = {0};
    auto_buf struct buf body = {0};
    auto_buf struct buf payload = {0};
    unsigned taken = 0, got = 0;
    uint64_t end;
    bool ok;

    memset(large, 'x', sizeof(large));
    ok = login(&sender, module_login("sender"), NULL);
    while (ok && taken < 200 &&
           mqtt_publish(&sender, SENDER "%24.on=out1", 1, 7, large, sizeof(large)) &&
           recv_packet(&sender, &body) == 0x40)
        taken++;
    report("what finds no room is not acknowledged", taken > 10 && taken < 200 && sender.ended,
           NULL);
    link_close(&sender);
    (void)login(&receiver, module_login("receiver"), NULL);
    (void)mqtt_subscribe(&receiver, INPUTS, 1);
    end = clock_mono_ms() + HUB_WAIT_S * 1000;
    while (got < taken && receive(&receiver, &body, &payload) && payload.len == sizeof(large))
        got++;
    report("all that was acknowledged is delivered", got == taken, NULL);
    ok = false;
    while (!ok && clock_mono_ms() < end) {
        ok = login(&sender, module_login("sender"), NULL) &&
             publish(&sender, SENDER "%24.on=out1", 8, "more");
        link_close(&sender);
        (void)poll(NULL, 0, 50);
    }
    report("then there is room again", ok && receives(&receiver, "more"), NULL);
    link_close(&receiver);
}

/* ---- faults ---- */

/* The receiver is away, and the hub dies with what waits for it. */
static void test_restart(void)
{
    struct mqtt_login m = module_login("receiver");
    struct link sender = {0}, receiver = {0};
    bool present = false, ok;
    uint64_t begun;

    m.keep_session = true;
    (void)login(&receiver, m, NULL);
    (void)mqtt_subscribe(&receiver, INPUTS, 1);
    (void)mqtt_ping(&receiver);
    link_close(&receiver);
    (void)login(&sender, module_login("sender"), NULL);
    ok = publish(&sender, SENDER "%24.on=out1", 1, "a") &&
         publish(&sender, SENDER "%24.on=out1", 2, "b") &&
         publish(&sender, SENDER "%24.on=out1", 3, "c");
    link_close(&sender);
    (void)hub_end(&edge.link, SIGKILL);
    report("it starts after it was killed", edge_start(&edge), edge.link.line);
    ok = ok && login(&receiver, m, &present);
    report("a session outlives the hub", present, NULL);
    report("nothing comes before the client had a moment to listen", mqtt_ping(&receiver), NULL);
    report("and what was acknowledged comes, in order",
           ok && receives(&receiver, "a") && receives(&receiver, "b") && receives(&receiver, "c"),
           NULL);
    link_close(&receiver);
    (void)login(&sender, module_login("sender"), NULL);
    (void)publish(&sender, SENDER "%24.on=out1", 1, "d");
    link_close(&sender);
    (void)login(&receiver, m, NULL);
    begun = clock_mono_ms();
    report("it comes at once when the client subscribes again",
           mqtt_subscribe(&receiver, INPUTS, 1) == 1 && receives(&receiver, "d") &&
               clock_mono_ms() - begun < 900,
           NULL);
    link_close(&receiver);
}

/* As the receiver, which is wanted to be blue. */
static bool read_twin(struct buf *seen)
{
    struct link l = {0};
    bool ok = login(&l, module_login("receiver"), NULL);

    (void)mqtt_subscribe(&l, "$iothub/twin/res/#", 0);
    (void)mqtt_publish(&l, "$iothub/twin/GET/?$rid=3", 0, 0, "", 0);
    ok = ok && twin_reply(&l, "$iothub/twin/res/200/", seen) &&
         strstr(buf_str(seen), "\"colour\":\"blue\"");
    link_close(&l);
    return ok;
}

/* The cloud goes and comes back. */
static void test_offline(void)
{
    struct link l = {0};
    auto_buf struct buf seen = {0};
    const char *a, *b, *c;
    bool ok;

    (void)call("PATCH", "/twins/" EDGE_DEVICE "/modules/receiver", NULL,
               "{\"properties\":{\"desired\":{\"colour\":\"blue\"}}}");
    report("a twin is read while the cloud is there", read_twin(&seen), buf_str(&seen));
    (void)edge_comes_to(&edge, "/state", "\"connected\":true", &seen);
    (void)hub_end(&hub, SIGKILL);
    report("that the cloud is away is seen",
           edge_comes_to(&edge, "/state", "\"connected\":false", &seen), buf_str(&seen));
    ok = login(&l, module_login("sender"), NULL);
    report("modules connect without the cloud, and are acknowledged",
           ok && publish(&l, SENDER "%24.on=up", 1, "offline-a") &&
               publish(&l, SENDER "%24.on=up", 2, "offline-b") &&
               publish(&l, SENDER "%24.on=up", 3, "offline-c"),
           NULL);
    link_close(&l);
    report("a twin is read as it was known", read_twin(&seen), buf_str(&seen));
    report("what waits is counted", edge_comes_to(&edge, "/state", "\"queued\":3", &seen),
           buf_str(&seen));
    report("the cloud comes back", hub_start(&hub), hub.line);
    events_seen = 0;
    ok = cloud_gets(3, &seen);
    a = strstr(buf_str(&seen), "b2ZmbGluZS1h");
    b = strstr(buf_str(&seen), "b2ZmbGluZS1i");
    c = strstr(buf_str(&seen), "b2ZmbGluZS1j");
    report("all of it gets there, in order", ok && a && a < b && b < c, buf_str(&seen));
    report("nothing waits any more", edge_comes_to(&edge, "/state", "\"queued\":0", &seen),
           buf_str(&seen));
}

/* What a module reports without the cloud outlives the hub; what the cloud wants meanwhile comes
 * when both are back. */
static void test_offline_twin(void)
{
    static const char first[] = "{\"mood\":null,\"trips\":1}", second[] = "{\"trips\":2}";
    struct link l = {0};
    auto_buf struct buf payload = {0};

    (void)hub_end(&hub, SIGKILL);
    (void)login(&l, module_login("receiver"), NULL);
    (void)mqtt_subscribe(&l, "$iothub/twin/res/#", 0);
    (void)mqtt_publish(&l, REPORT "4", 0, 0, first, strlen(first));
    report("a module reports without the cloud", twin_reply(&l, REPORTED "4", &payload), NULL);
    (void)mqtt_publish(&l, REPORT "5", 0, 0, second, strlen(second));
    report("and again", twin_reply(&l, REPORTED "5", &payload), NULL);
    link_close(&l);
    (void)hub_end(&edge.link, SIGKILL);
    report("the hub is killed and starts", edge_start(&edge), edge.link.line);
    (void)login(&l, module_login("receiver"), NULL);
    (void)mqtt_subscribe(&l, "$iothub/twin/PATCH/properties/desired/#", 0);
    (void)mqtt_ping(&l);
    report("the cloud is there again", hub_start(&hub), hub.line);
    (void)call("PATCH", "/twins/" EDGE_DEVICE "/modules/receiver", NULL,
               "{\"properties\":{\"desired\":{\"colour\":\"green\"}}}");
    report("the module is told what it missed",
           twin_reply(&l, "$iothub/twin/PATCH/properties/desired/?$version=", &payload) &&
               strstr(buf_str(&payload), "\"colour\":\"green\""),
           buf_str(&payload));
    expect("and the cloud what was reported",
           twin_comes_to("receiver", "\"trips\":2") && !says("\"mood\""));
    link_close(&l);
}

int main(void)
{
    bool small;

    family_begin();
    small = make_small_disk();
    test_start();
    (void)serial_of(first_serial);
    test_renewal();
    test_places();
    if (small)
        test_full_disk();
    else
        printf("# no small file system could be mounted: nothing fills up\n");
    test_restart();
    test_offline();
    test_offline_twin();
    return family_end();
}
