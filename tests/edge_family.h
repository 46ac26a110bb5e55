/* For tests: a cloud, an edge device in it with its hub, three modules and a leaf device, and the
 * routes between them: of the sender's outputs, "out1" leads to the receiver's input "in1" and "up"
 * to the cloud, as all does that the leaf says. */
#ifndef BERTH_TESTS_EDGE_FAMILY_H
#define BERTH_TESTS_EDGE_FAMILY_H

#include "tests/edge_runtime.h"
#include "tests/hub_rest.h"

#define SENDER   "devices/" EDGE_DEVICE "/modules/sender/messages/events/"
#define RECEIVER "devices/" EDGE_DEVICE "/modules/receiver/"
#define INPUTS   RECEIVER "inputs/#"

static struct test_edge edge = {.max_clients = 4};
static char leaf_key[128], scope[200];
static uint64_t events_seen; /* in the cloud */

/* ---- helpers ---- */

static inline struct mqtt_login module_login(const char *module)
{
    return (struct mqtt_login){
        .device = EDGE_DEVICE, .module = module, .key = edge_key(&edge, module)};
}

/* Connects, or says why the case NAME cannot be. */
static inline bool login(struct link *l, struct mqtt_login m, bool *present)
{
    int code = mqtt_login(l, &edge.link, &m, present);
    char seen[40];

    snprintf(seen, sizeof(seen), "CONNACK %d", code);
    return code == 0 || report(m.module ? m.module : m.device, false, seen);
}

/* Publishes with QoS 1 and waits for the PUBACK. */
static inline bool publish(struct link *l, const char *topic, unsigned id, const char *text)
{
    auto_buf struct buf body = {0};

    return mqtt_publish(l, topic, 1, id, text, strlen(text)) && recv_packet(l, &body) == 0x40 &&
           (unsigned char)body.data[1] == id;
}

/* Receives and acknowledges. */
static inline bool receive(struct link *l, struct buf *topic, struct buf *payload)
{
    unsigned id;

    return mqtt_receive_qos(l, topic, payload, &id, NULL) && (id == 0 || mqtt_puback(l, id));
}

static inline bool receives(struct link *l, const char *text)
{
    auto_buf struct buf topic = {0};
    auto_buf struct buf payload = {0};

    return receive(l, &topic, &payload) && str_eq(buf_str(&payload), text);
}

/* Waits until the cloud has N more events; their text is in SEEN. */
static inline bool cloud_gets(int n, struct buf *seen)
{
    uint64_t end = clock_mono_ms() + HUB_WAIT_S * 1000, after = events_seen;
    int got = 0;

    buf_clear(seen);
    while (got < n && clock_mono_ms() < end) {
        auto_json cJSON *out = NULL;
        char target[100];

        snprintf(target, sizeof(target), "/sandbox/events?after=%" PRIu64 "&wait=5", after);
        if (rest(&hub, NULL, "GET", target, NULL, NULL, &out) != 200)
            return false;
        got += cJSON_GetArraySize(json_get(out, "events"));
        after = json_u64(out, "last", after);
        json_print(seen, out);
    }
    events_seen = after;
    return got == n;
}

/* Waits until the twin of MODULE in the cloud has TEXT in it. */
static inline bool twin_comes_to(const char *module, const char *text)
{
    uint64_t end = clock_mono_ms() + HUB_WAIT_S * 1000;
    char target[100];

    snprintf(target, sizeof(target), "/twins/" EDGE_DEVICE "/modules/%s", module);
    do {
        (void)call("GET", target, NULL, NULL);
        if (says(text))
            return true;
        (void)poll(NULL, 0, 20);
    } while (clock_mono_ms() < end);
    return false;
}

/* The next message is a reply of the twin whose topic begins so. */
static inline bool twin_reply(struct link *l, const char *start, struct buf *payload)
{
    auto_buf struct buf topic = {0};

    return mqtt_receive(l, &topic, payload) && str_starts(buf_str(&topic), start);
}

/* ---- set-up ---- */

static inline bool make_family(void)
{
    auto_json cJSON *out = NULL;
    auto_json cJSON *leaf = NULL;
    char body[400], key[128];

    device_create(&hub, EDGE_DEVICE, true, key);
    edge_new(&edge, &hub);
    edge_add_module(&edge, &hub, "sender");
    edge_add_module(&edge, &hub, "receiver");
    edge_add_module(&edge, &hub, "third");
    (void)rest(&hub, NULL, "GET", "/devices/" EDGE_DEVICE, NULL, NULL, &out);
    snprintf(scope, sizeof(scope), "%s", json_str(out, "deviceScope", ""));
    snprintf(body, sizeof(body), "{\"deviceScope\":\"%s\"}", scope);
    (void)rest(&hub, NULL, "PUT", "/devices/leaf1", NULL, body, &leaf);
    snprintf(
        leaf_key, sizeof(leaf_key), "%s",
        json_str(json_get(json_get(leaf, "authentication"), "symmetricKey"), "primaryKey", ""));
    return leaf_key[0] && edge_key(&edge, "sender")[0];
}

static inline bool deploy(void)
{
    return call("POST", "/devices/" EDGE_DEVICE "/applyConfigurationContent", NULL,
                "{\"modulesContent\":{\"$edgeAgent\":{\"properties.desired\":{"
                "\"schemaVersion\":\"1.1\",\"runtime\":{\"type\":\"docker\",\"settings\":{}},"
                "\"modules\":{},\"systemModules\":{"
                "\"edgeAgent\":{\"type\":\"docker\",\"settings\":{\"image\":\"a:1\"}},"
                "\"edgeHub\":{\"type\":\"docker\",\"status\":\"running\","
                "\"restartPolicy\":\"always\",\"settings\":{\"image\":\"h:1\"}}}}},"
                "\"$edgeHub\":{\"properties.desired\":{\"schemaVersion\":\"1.1\",\"routes\":{"
                "\"in\":\"FROM /messages/modules/sender/outputs/out1 INTO "
                "BrokeredEndpoint(\\\"/modules/receiver/inputs/in1\\\")\","
                "\"up\":\"FROM /messages/modules/sender/outputs/up INTO $upstream\","
                "\"leaf\":\"FROM /messages/* WHERE NOT is_defined($connectionModuleId) INTO "
                "$upstream\"},"
                "\"storeAndForwardConfiguration\":{\"timeToLiveSecs\":7200}}}}}") == 204;
}

/* Everything but the edge hub itself; TEST ends where that cannot be. */
static inline void family_begin(void)
{
    if (!hub_begin(&hub) || !report("an edge device with modules and a leaf", make_family(), NULL))
        exit(1);
    expect("routes are deployed", deploy());
    edge_write_settings(&edge, &hub);
}

static inline int family_end(void)
{
    char path[100];

    snprintf(path, sizeof(path), "%s/hub.sock", edge.link.dir);
    report("SIGTERM ends the edge hub cleanly",
           hub_end(&edge.link, SIGTERM) == 0 && access(path, F_OK) < 0, NULL);
    runtime_end(&edge);
    hub_remove(&edge.link);
    buf_done(&answer);
    return hub_finish(&hub);
}

#endif
