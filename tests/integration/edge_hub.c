/* berth-hub --role edge as a whole: a real cloud role above it, a scripted runtime beside it,
 * modules and leaf devices below. What each of them would notice. */
#include "tests/edge_family.h"

#include <sys/stat.h>

static void test_start(void)
{
    auto_buf struct buf seen = {0};
    struct stat st;
    char path[100];

    runtime_start(&edge);
    report("it says ready once it listens", edge_start(&edge), edge.link.line);
    snprintf(path, sizeof(path), "%s/data/server.key", edge.link.dir);
    report("nobody else reads its key", stat(path, &st) == 0 && (st.st_mode & 0777) == 0600, path);
    report("the runtime sees that it is connected",
           edge_comes_to(&edge, "/state", "{\"connected\":true,\"clients\":0,\"queued\":0}", &seen),
           buf_str(&seen));
    expect("the cloud hears that its configuration is in force",
           twin_comes_to("%24edgeHub", "\"lastDesiredStatus\":{\"code\":200"));
}

/* ---- who may connect ---- */

static void test_connect(void)
{
    struct mqtt_login m = module_login("sender");
    struct link l = {0};
    auto_buf struct buf body = {0};

    expect_login(&edge.link, "a module connects with a token that the runtime would sign", &m, 0);
    m.sr = "localhost/devices/" EDGE_DEVICE "/modules/sender";
    expect_login(&edge.link, "a token for the cloud's name is as good", &m, 0);
    m.websocket = true;
    expect_login(&edge.link, "over a WebSocket, too", &m, 0);
    m = module_login("sender");
    m.key = edge_key(&edge, "receiver");
    expect_login(&edge.link, "another module's key does not do", &m, 5);
    m.module = "nobody";
    m.sr = NULL;
    expect_login(&edge.link, "nor does a module that there is not", &m, 5);
    m = module_login("$edgeHub");
    expect_login(&edge.link, "nobody connects as the hub itself", &m, 5);
    m = (struct mqtt_login){.device = "leaf1", .key = leaf_key};
    expect_login(&edge.link, "a leaf device connects with its own key", &m, 0);

    if (!login(&l, module_login("sender"), NULL))
        return;
    report("a filter that a hub does not know is refused, and no more than that",
           mqtt_subscribe(&l, "some/where/#", 1) == 0x80 && mqtt_ping(&l), NULL);
    (void)mqtt_publish(&l, "devices/" EDGE_DEVICE "/modules/receiver/messages/events/", 1, 9, "x",
                       1);
    report("a message in another's name ends the connection",
           recv_packet(&l, &body) == 0 && l.ended, NULL);
    link_close(&l);
}

static void test_certificate(void)
{
    char cert[100], key[100], body[400];
    struct tls_cert_info info = {0};
    auto_buf struct buf pem = {0};
    struct mqtt_login m = {.device = "leaf2", .cert = cert, .cert_key = key};
    auto_buf struct buf seen = {0};
    struct link l = {0};

    snprintf(cert, sizeof(cert), "%s/leaf2.pem", edge.link.dir);
    snprintf(key, sizeof(key), "%s/leaf2.key", edge.link.dir);
    if (tls_cert_make_self_signed(cert, key, "leaf2", 2, NULL) < 0 ||
        file_read(cert, 65536, &pem, NULL) < 0 || tls_cert_read(pem.data, pem.len, &info, NULL) < 0)
        abort();
    snprintf(body, sizeof(body),
             "{\"deviceScope\":\"%s\",\"authentication\":{\"type\":\"selfSigned\","
             "\"x509Thumbprint\":{\"primaryThumbprint\":\"%s\"}}}",
             scope, info.sha256);
    expect_login(&edge.link, "a leaf device that the cloud does not know is refused", &m, 5);
    expect("a leaf device is made", call("PUT", "/devices/leaf3", NULL, body) == 200);
    m.device = "leaf3";
    expect_login(&edge.link, "a new leaf device connects with its certificate", &m, 0);
    if (login(&l, m, NULL))
        report("what it sends gets to the cloud, to which nobody but it could show its certificate",
               publish(&l, "devices/leaf3/messages/events/k=v", 4, "leaf") &&
                   cloud_gets(1, &seen) &&
                   strstr(buf_str(&seen), "\"iothub-connection-device-id\":\"leaf3\""),
               buf_str(&seen));
    link_close(&l);
    m.cert = NULL;
    m.key = leaf_key;
    expect_login(&edge.link, "and with nothing else", &m, 5);
}

/* A CONNECT and what comes right behind it. */
static void test_pipelined(void)
{
    struct mqtt_login m = module_login("sender");
    auto_secret struct secret token = {0};
    auto_buf struct buf all = {0};
    auto_buf struct buf body = {0};
    struct link l = {0};

    (void)sas_make(HUB_HOST "/devices/" EDGE_DEVICE "/modules/sender", m.key,
                   clock_wall_ms() / 1000 + 3600, NULL, &token, NULL);
    put_text(&body, "MQTT");
    buf_append(&body, "\4\302\0\0", 4);
    put_text(&body, EDGE_DEVICE "/sender");
    put_text(&body, HUB_HOST "/" EDGE_DEVICE "/sender/?api-version=2021-04-12");
    put_text(&body, token.data);
    buf_putc(&all, 0x10);
    buf_putc(&all, (char)((body.len & 127) | 128));
    buf_putc(&all, (char)(body.len >> 7));
    buf_append(&all, body.data, body.len);
    buf_append(&all, "\300\0\300\0", 4);
    report("what a client sends behind its CONNECT is dealt with once that is checked",
           mqtt_open(&l, &edge.link, &m) && link_send(&l, all.data, all.len) &&
               recv_packet(&l, &body) == 0x20 && body.data[1] == 0 &&
               recv_packet(&l, &body) == 0xd0 && recv_packet(&l, &body) == 0xd0,
           NULL);
    link_close(&l);
}

/* ---- messages ---- */

static void test_messages(struct link *sender, struct link *receiver)
{
    auto_buf struct buf topic = {0};
    auto_buf struct buf payload = {0};
    auto_buf struct buf seen = {0};

    report("inputs are subscribed to", mqtt_subscribe(receiver, INPUTS, 1) == 1, NULL);
    report("a message to an output is acknowledged",
           publish(sender, SENDER "%24.on=out1&%24.cmid=forged&a=b/", 1, "one"), NULL);
    report("and comes to the input that the route names, from whom it truly is",
           receive(receiver, &topic, &payload) && str_eq(buf_str(&payload), "one") &&
               str_eq(buf_str(&topic), RECEIVER "inputs/in1/a=b&%24.on=out1&%24.cdid=" EDGE_DEVICE
                                                "&%24.cmid=sender"),
           buf_str(&topic));
    (void)mqtt_publish(sender, SENDER "%24.on=out1", 0, 0, "two", 3);
    report("a message of QoS 0 does as well", receives(receiver, "two"), NULL);
    report("a message for the cloud gets there under its sender's name",
           publish(sender, SENDER "%24.on=up&n=1", 2, "up") && cloud_gets(1, &seen) &&
               strstr(buf_str(&seen), "\"iothub-connection-module-id\":\"sender\"") &&
               strstr(buf_str(&seen), "\"n\":\"1\""),
           buf_str(&seen));
    report("a message that no route wants is acknowledged all the same",
           publish(sender, SENDER "%24.on=none", 3, "x"), NULL);
}

static void test_will(void)
{
    struct mqtt_login m = module_login("third");
    auto_buf struct buf seen = {0};
    struct link l = {0};

    m = module_login("sender");
    m.will_topic = SENDER "%24.on=up";
    m.will = "gone";
    (void)login(&l, m, NULL);
    link_close(&l);
    report("a client that goes without a word leaves its will, which goes the way of its messages",
           cloud_gets(1, &seen) && strstr(buf_str(&seen), "\"iothub-MessageType\":\"Will\""),
           buf_str(&seen));
    (void)login(&l, m, NULL);
    (void)send_packet(&l, 0xe0, NULL);
    (void)link_ends(&l);
    link_close(&l);
}

static void test_leaf(void)
{
    struct mqtt_login m = {.device = "leaf1", .key = leaf_key};
    auto_buf struct buf seen = {0};
    struct link l = {0};

    if (!login(&l, m, NULL))
        return;
    report("a leaf device's message gets to the cloud through the gateway",
           publish(&l, "devices/leaf1/messages/events/k=v", 4, "leaf") && cloud_gets(1, &seen) &&
               strstr(buf_str(&seen), "\"iothub-connection-device-id\":\"leaf1\""),
           buf_str(&seen));
    (void)mqtt_subscribe(&l, "devices/leaf1/messages/devicebound/#", 1);
    (void)call("POST", "/sandbox/devices/leaf1/messages/devicebound", NULL,
               "{\"messageId\":\"m-1\",\"body\":\"down\"}");
    expect("a message from the cloud gets to it", receives(&l, "down"));
    link_close(&l);
}

/* ---- twin, methods ---- */

static void test_twin(struct link *l)
{
    auto_buf struct buf payload = {0};

    (void)call("PATCH", "/twins/" EDGE_DEVICE "/modules/receiver", NULL,
               "{\"properties\":{\"desired\":{\"colour\":\"red\"}}}");
    (void)mqtt_subscribe(l, "$iothub/twin/res/#", 0);
    (void)mqtt_publish(l, "$iothub/twin/GET/?$rid=1", 0, 0, " ", 1);
    report("a module reads its twin",
           twin_reply(l, "$iothub/twin/res/200/?$rid=1", &payload) &&
               strstr(buf_str(&payload), "\"colour\":\"red\""),
           buf_str(&payload));
    (void)mqtt_publish(l, "$iothub/twin/PATCH/properties/reported/?$rid=2", 0, 0,
                       "{\"mood\":\"good\"}", 15);
    report("and reports to it", twin_reply(l, "$iothub/twin/res/204/?$rid=2&$version=", &payload),
           buf_str(&payload));
    expect("the cloud hears of that", twin_comes_to("receiver", "\"mood\":\"good\""));
    (void)mqtt_subscribe(l, "$iothub/twin/PATCH/properties/desired/#", 0);
    (void)mqtt_ping(l);
    (void)call("PATCH", "/twins/" EDGE_DEVICE "/modules/receiver", NULL,
               "{\"properties\":{\"desired\":{\"colour\":\"blue\"}}}");
    report("what is wanted of it comes by itself",
           twin_reply(l, "$iothub/twin/PATCH/properties/desired/?$version=", &payload) &&
               strstr(buf_str(&payload), "\"colour\":\"blue\""),
           buf_str(&payload));
}

/* The module answers the method NAME that comes next with STATUS. */
static bool answer_method(struct link *l, const char *name, int status, const char *payload)
{
    auto_buf struct buf topic = {0};
    auto_buf struct buf asked = {0};
    char expected[80], to[200];
    const char *rid;

    snprintf(expected, sizeof(expected), "$iothub/methods/POST/%s/?", name);
    if (!mqtt_receive(l, &topic, &asked) || !str_starts(buf_str(&topic), expected) ||
        !(rid = strchr(topic.data, '?')))
        return report("method", false, buf_str(&topic));
    snprintf(to, sizeof(to), "$iothub/methods/res/%d/%s", status, rid);
    return mqtt_publish(l, to, 0, 0, payload, strlen(payload)) &&
           str_eq(buf_str(&asked), "{\"n\":1}");
}

static void test_cloud_method(struct link *l)
{
    struct link service = {0};
    bool ok;

    (void)mqtt_subscribe(l, "$iothub/methods/POST/#", 0);
    (void)mqtt_ping(l);
    ok = link_open(&service, &hub, hub.https_port);
    rest_ask(&service, &hub, NULL, "POST", "/twins/" EDGE_DEVICE "/modules/receiver/methods", NULL,
             "{\"methodName\":\"blink\",\"payload\":{\"n\":1},\"connectTimeoutInSeconds\":10}");
    ok = ok && answer_method(l, "blink", 201, "{\"done\":true}");
    buf_clear(&answer);
    ok = rest_answer_text(&service, &answer) == 200 && ok;
    expect("the cloud calls a method of a module",
           ok && says("{\"status\":201,\"payload\":{\"done\":true}}"));
}

#define FROM_SENDER        "x-ms-edge-moduleId: " EDGE_DEVICE "/sender\r\n"
#define METHODS_OF(module) "/twins/" EDGE_DEVICE "/modules/" module "/methods"

/* The session of one that comes back has it subscribed before it listens. */
static void test_method_held(void)
{
    struct mqtt_login m = module_login("receiver");
    struct link service = {0}, l = {0};
    bool ok;

    m.keep_session = true;
    if (!login(&l, m, NULL))
        return;
    (void)mqtt_subscribe(&l, "$iothub/methods/POST/#", 0);
    (void)mqtt_ping(&l);
    link_close(&l);
    if (!login(&l, m, NULL))
        return;
    ok = link_open(&service, &hub, hub.https_port);
    rest_ask(&service, &hub, NULL, "POST", METHODS_OF("receiver"), NULL,
             "{\"methodName\":\"wait\",\"payload\":{\"n\":1}}");
    ok = ok && mqtt_ping(&l) && mqtt_subscribe(&l, "$iothub/methods/POST/#", 0) == 0 &&
         answer_method(&l, "wait", 200, "1");
    buf_clear(&answer);
    ok = rest_answer_text(&service, &answer) == 200 && ok;
    report("a method waits until a client that came back listens", ok, buf_str(&answer));
    link_close(&l);
    m.keep_session = false;
    expect_login(&edge.link, "(its session ends)", &m, 0);
}

/* Asks the edge hub as MODULE, whose key signs. */
static int edge_call(const char *module, const char *method, const char *target,
                     const char *headers, const char *body)
{
    auto_secret struct secret token = {0};
    char resource[200];

    snprintf(resource, sizeof(resource), HUB_HOST "/devices/" EDGE_DEVICE "/modules/%s", module);
    (void)sas_make(resource, edge_key(&edge, module), clock_wall_ms() / 1000 + 600, NULL, &token,
                   NULL);
    return rest_text(&edge.link, token.data, method, target, headers, body, &answer);
}

static void test_edge_method(struct link *l)
{
    static const struct {
        const char *name, *module, *method, *target, *headers, *body;
        int status;
    } cases[] = {
        {"a method without its caller's name is malformed", "sender", "POST",
         METHODS_OF("receiver"), NULL, "{\"methodName\":\"m\"}", 400},
        {"a method without a name as well", "sender", "POST", METHODS_OF("receiver"), FROM_SENDER,
         "{}", 400},
        {"so is one that is no JSON", "sender", "POST", METHODS_OF("receiver"), FROM_SENDER, "{",
         400},
        {"nobody calls under another's name", "receiver", "POST", METHODS_OF("receiver"),
         FROM_SENDER, "{\"methodName\":\"m\"}", 401},
        {"nor from another device", "sender", "POST", METHODS_OF("receiver"),
         "x-ms-edge-moduleId: other/sender\r\n", "{\"methodName\":\"m\"}", 401},
        {"who is not there is not found", "sender", "POST", METHODS_OF("third"), FROM_SENDER,
         "{\"methodName\":\"m\"}", 404},
        {"there is nothing else at such an address", "sender", "GET", METHODS_OF("third"),
         FROM_SENDER, NULL, 405},
        {"nor elsewhere", "sender", "GET", "/devices", NULL, NULL, 404},
    };
    struct link caller = {0};
    auto_secret struct secret token = {0};
    bool ok;

    (void)sas_make(HUB_HOST "/devices/" EDGE_DEVICE "/modules/sender", edge_key(&edge, "sender"),
                   clock_wall_ms() / 1000 + 600, NULL, &token, NULL);
    ok = link_open(&caller, &edge.link, edge.link.https_port);
    rest_ask(&caller, &edge.link, token.data, "POST", METHODS_OF("receiver"), FROM_SENDER,
             "{\"methodName\":\"turn\",\"payload\":{\"n\":1}}");
    ok = ok && answer_method(l, "turn", 200, "7");
    buf_clear(&answer);
    ok = rest_answer_text(&caller, &answer) == 200 && ok;
    expect("a module calls a method of another over HTTPS",
           ok && says("{\"status\":200,\"payload\":7}"));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int status = edge_call(cases[i].module, cases[i].method, cases[i].target, cases[i].headers,
                               cases[i].body);

        expect(cases[i].name, status == cases[i].status && says("{\"message\":\""));
    }
}

static void test_metrics(void)
{
    auto_buf struct buf seen = {0};

    report("the runtime reads the hub's metrics",
           edge_comes_to(&edge, "/metrics", "edgehub_messages_received_total{", &seen) &&
               strstr(buf_str(&seen), "edgehub_connected_clients{") &&
               strstr(buf_str(&seen), "edgehub_direct_methods_total{") &&
               strstr(buf_str(&seen), "id=\"" EDGE_DEVICE "/sender\""),
           buf_str(&seen));
}

int main(void)
{
    struct link sender = {0}, receiver = {0};

    family_begin();
    test_start();
    test_connect();
    test_certificate();
    test_pipelined();
    if (login(&sender, module_login("sender"), NULL) &&
        login(&receiver, module_login("receiver"), NULL)) {
        test_messages(&sender, &receiver);
        test_twin(&receiver);
        test_cloud_method(&receiver);
        test_edge_method(&receiver);
    }
    link_close(&sender);
    link_close(&receiver);
    test_method_held();
    test_will();
    test_leaf();
    test_metrics();
    return family_end();
}
