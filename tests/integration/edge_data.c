/* The way of a message through the edge hub: from a client by the routes into the outbox, and out
 * of it to module inputs and devices. */
#include "tests/edge_parts.h"

#define ROUTES(routes)                                         \
    "configure {\"schemaVersion\":\"1.1\",\"routes\":{" routes \
    "},\"storeAndForwardConfiguration\":{\"timeToLiveSecs\":7200}}"
#define INTO(input) "BrokeredEndpoint(\\\"/modules/b/inputs/" input "\\\")"

static struct edge_parts parts_of;
static struct link a, b, leaf;
static struct buf reply, topic, payload;

static const char *ask_metrics(void)
{
    return parts_ask(&parts_of, &reply, "metrics");
}

/* The value of a line of the metrics, "" where there is none. */
static const char *metric(const char *name, const char *labels)
{
    static char value[40];
    const char *at = ask_metrics();

    value[0] = '\0';
    for (; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
        if (str_starts(at, name) && at[strlen(name)] == '{') {
            const char *found = strstr(at, labels), *end = strchr(at, '\n');

            if (found && end && found < end)
                (void)sscanf(strchr(found, '}') + 1, "%39s", value);
        }
    return value;
}

static bool is_empty(const char *endpoint)
{
    char labels[80];
    const char *value;

    (void)snprintf(labels, sizeof(labels), "endpoint=\"%s\"", endpoint);
    value = metric("edgehub_queue_length", labels);
    return !*value || str_eq(value, "0");
}

/* From module a; waits for the PUBACK. */
static bool say(const char *bag, const char *body)
{
    char to[300];
    auto_buf struct buf packet = {0};

    (void)snprintf(to, sizeof(to), "devices/edge/modules/a/messages/events/%s", bag);
    return mqtt_publish(&a, to, 1, 1, body, strlen(body)) && recv_packet(&a, &packet) == 0x40;
}

/* The next message at L; its packet id, or -1. */
static int hear(struct link *l, bool *again)
{
    unsigned id;

    return mqtt_receive_qos(l, &topic, &payload, &id, again) ? (int)id : -1;
}

static bool hears(struct link *l, const char *body)
{
    int id = hear(l, NULL);

    if (id > 0)
        (void)mqtt_puback(l, (unsigned)id);
    return id >= 0 && str_eq(buf_str(&payload), body);
}

static bool subscribe_b(void)
{
    return mqtt_subscribe(&b, "devices/edge/modules/b/#", 1) == 1;
}

static void log_in_again(struct link *l, const char *device, const char *module)
{
    link_close(l);
    parts_log_in(&parts_of, l, device, module);
}

/* ------------------------------------------------------------------------------------------ router
 */

static void test_default_route(void)
{
    auto_buf struct buf packet = {0};

    report("a message is acknowledged", say("", "one"), NULL);
    report("without a configuration it goes upstream",
           str_eq(parts_ask(&parts_of, &reply, "drain edge a"), "one "), buf_str(&reply));
    report("its sender's endpoint was told",
           str_eq(parts_ask(&parts_of, &reply, "told"), "edge/a "), buf_str(&reply));
    (void)mqtt_publish(&leaf, "devices/leaf/messages/events/", 1, 1, "two", 3);
    (void)recv_packet(&leaf, &packet);
    (void)say("", "three");
    report("each sender has an endpoint of its own",
           str_eq(parts_ask(&parts_of, &reply, "drain leaf -"), "two ") &&
               str_eq(parts_ask(&parts_of, &reply, "drain edge a"), "three "),
           buf_str(&reply));
    report(
        "received messages are counted by sender and output",
        str_eq(metric("edgehub_messages_received_total", "id=\"edge/a\",route_output=\"\""), "2") &&
            str_eq(metric("edgehub_messages_received_total", "id=\"leaf\""), "1") &&
            str_eq(metric("edgehub_message_size_bytes_sum", "id=\"leaf\""), "3"),
        buf_str(&reply));
}

static void test_routes(void)
{
    report(
        "routes come into force",
        str_eq(
            parts_ask(
                &parts_of, &reply,
                ROUTES("\"in\":\"FROM /messages/modules/a/outputs/o INTO " INTO(
                    "in") "\",\"both\":\"FROM /messages/* WHERE k = 'v' INTO " INTO("in") "\","
                                                                                          "\"up\":"
                                                                                          "\"FROM "
                                                                                          "/message"
                                                                                          "s/* "
                                                                                          "WHERE "
                                                                                          "up = "
                                                                                          "'y' "
                                                                                          "INTO "
                                                                                          "$upstrea"
                                                                                          "m\"")),
            "ok"),
        buf_str(&reply));
    (void)say("%24.on=o&k=v&%24.mid=1&%24.cdid=liar", "once");
    report("two routes to an input are one message", subscribe_b() && hears(&b, "once"),
           buf_str(&payload));
    report("its topic has the properties, and who sent it",
           str_eq(buf_str(&topic), "devices/edge/modules/b/inputs/in/k=v&%24.mid=1&%24.on=o"
                                   "&%24.cdid=edge&%24.cmid=a"),
           buf_str(&topic));
    (void)say("up=y&k=v", "twice");
    report("a message goes to each endpoint",
           hears(&b, "twice") && str_eq(parts_ask(&parts_of, &reply, "drain edge a"), "twice "),
           buf_str(&reply));
    report("what no route takes is acknowledged and counted",
           say("", "nowhere") && str_eq(metric("edgehub_messages_dropped_total",
                                               "reason=\"no_route\",from=\"edge/a\""),
                                        "1"),
           buf_str(&reply));
    (void)mqtt_ping(&b);
    report(
        "what was delivered is counted",
        str_eq(metric("edgehub_messages_sent_total",
                      "from=\"edge/a\",to=\"edge/b\",from_route_output=\"o\",to_route_input="
                      "\"in\",priority=\"2000000000\""),
               "1") &&
            str_eq(metric("edgehub_message_send_duration_seconds_count",
                          "from_route_output=\"o\",to_route_input=\"in\""),
                   "1") &&
            str_eq(metric("edgehub_message_process_duration_seconds_count", "to=\"edge/b\""), "2"),
        buf_str(&reply));
}

static void test_bare_topic(void)
{
    auto_buf struct buf packet = {0};

    (void)parts_ask(&parts_of, &reply,
                    ROUTES("\"r\":\"FROM /messages/modules/b/* INTO " INTO("in") "\""));
    (void)mqtt_publish(&b, "devices/edge/modules/b/messages/events/", 1, 1, "x", 1);
    (void)recv_packet(&b, &packet);
    report("an input's topic names the sender behind a '/'",
           hears(&b, "x") && str_eq(buf_str(&topic), "devices/edge/modules/b/inputs/in/"
                                                     "%24.cdid=edge&%24.cmid=b"),
           buf_str(&topic));
}

static void test_queue_length(void)
{
    link_close(&b);
    (void)parts_ask(&parts_of, &reply,
                    ROUTES("\"r\":{\"route\":\"FROM /messages/* INTO " INTO(
                        "q") "\",\"priority\":3},\"u\":\"FROM /messages/* INTO $upstream\""));
    (void)say("", "1");
    (void)say("", "2");
    report("the length of each queue is shown",
           str_eq(metric("edgehub_queue_length", "endpoint=\"edge/b/q\",priority=\"3\""), "2") &&
               str_eq(metric("edgehub_queue_length", "endpoint=\"iothub\",priority=\"2000000000\""),
                      "2"),
           buf_str(&reply));
    (void)parts_ask(&parts_of, &reply, "drain edge a");
    report("an empty queue is shown as such",
           str_eq(metric("edgehub_queue_length", "endpoint=\"iothub\""), "0"), buf_str(&reply));
}

static void test_restart(void)
{
    link_close(&a);
    link_close(&leaf);
    (void)parts_end(&parts_of, SIGKILL);
    if (!report("it starts again after it was killed", parts_start(&parts_of), NULL))
        exit(1);
    parts_log_in(&parts_of, &a, "edge", "a");
    parts_log_in(&parts_of, &b, "edge", "b");
    report("endpoints are found again for which something waits",
           strstr(parts_ask(&parts_of, &reply, "endpoints"), "in:edge/b/q ") &&
               !strstr(buf_str(&reply), "leaf"),
           buf_str(&reply));
    report("what was acknowledged is still delivered, in order",
           subscribe_b() && hears(&b, "1") && hears(&b, "2"), buf_str(&payload));
    (void)say("", "3");
    report("the routes are still in force", hears(&b, "3"), buf_str(&payload));
}

/* What is in flight to an input as its route goes. */
static void test_dropped(void)
{
    bool waiting;
    int id;

    (void)say("", "flying");
    id = hear(&b, NULL);
    for (int i = 0; i < 40; i++)
        (void)say("", "dropped");
    waiting = !is_empty("edge/b/q");
    (void)parts_ask(&parts_of, &reply, ROUTES("\"r\":\"FROM /messages/* INTO " INTO("r") "\""));
    report("what waits for an input without a route is dropped", waiting && is_empty("edge/b/q"),
           buf_str(&reply));
    (void)mqtt_puback(&b, (unsigned)id);
    for (int i = 1; i < 16; i++) {
        id = hear(&b, NULL);
        (void)mqtt_puback(&b, (unsigned)id);
    }
    (void)say("", "goes on");
    report("the input that is left gets its messages", hears(&b, "goes on"), buf_str(&payload));
    (void)mqtt_ping(&b);
    report("nothing is counted as there that was dropped", is_empty("edge/b/r"), buf_str(&reply));
}

/* ------------------------------------------------------------------------------------------ inputs
 */

static void test_window(void)
{
    int ids[17], n = 0;
    bool in_order = true;

    for (int i = 0; i < 40; i++) {
        char body[8];

        (void)snprintf(body, sizeof(body), "%d", i);
        (void)say("", body);
    }
    for (; n < MQTT_IN_FLIGHT_MAX; n++) {
        ids[n] = hear(&b, NULL);
        in_order = in_order && strtol(buf_str(&payload), NULL, 10) == n;
    }
    report("a window of messages is sent, in order, and no more",
           in_order && ids[n - 1] > 0 && mqtt_ping(&b), buf_str(&payload));
    (void)mqtt_puback(&b, (unsigned)ids[5]);
    report("an acknowledgement, in whatever order, makes room for one",
           hear(&b, NULL) > 0 && str_eq(buf_str(&payload), "16") && mqtt_ping(&b),
           buf_str(&payload));
    log_in_again(&b, "edge", "b");
    (void)subscribe_b();
    for (int i = 0; i < 40; i++) {
        char body[8];

        (void)snprintf(body, sizeof(body), "%d", i);
        if (i != 5)
            in_order = in_order && hears(&b, body);
    }
    report("after a new connection comes what was not acknowledged, in order", in_order,
           buf_str(&payload));
    (void)mqtt_ping(&b);
}

static void test_priorities(void)
{
    (void)parts_ask(
        &parts_of, &reply,
        ROUTES("\"low\":{\"route\":\"FROM /messages/* WHERE p = 'low' INTO " INTO(
            "r") "\",\"priority\":8},\"high\":{\"route\":\"FROM /messages/* WHERE p = 'high' "
                 "INTO " INTO("r") "\",\"priority\":0}"));
    link_close(&b);
    (void)say("p=low", "1");
    (void)say("p=high", "2");
    (void)say("p=low", "3");
    parts_log_in(&parts_of, &b, "edge", "b");
    (void)subscribe_b();
    report("the lowest priority number goes first",
           hears(&b, "2") && hears(&b, "1") && hears(&b, "3"), buf_str(&payload));
}

static void test_fair(void)
{
    unsigned first = 0;

    (void)parts_ask(&parts_of, &reply,
                    ROUTES("\"x\":\"FROM /messages/* WHERE i = 'x' INTO " INTO(
                        "x") "\",\"y\":\"FROM /messages/* WHERE i = 'y' INTO " INTO("y") "\""));
    link_close(&b);
    for (int i = 0; i < 50; i++)
        (void)say("i=x", "x");
    for (int i = 0; i < 5; i++)
        (void)say("i=y", "y");
    parts_log_in(&parts_of, &b, "edge", "b");
    (void)subscribe_b();
    for (int i = 0; i < 10; i++) {
        int id = hear(&b, NULL);

        first += str_eq(buf_str(&payload), "y");
        (void)mqtt_puback(&b, (unsigned)id);
    }
    report("a long queue does not keep the others waiting", first == 5, NULL);
    for (int i = 0; i < 45; i++)
        (void)hears(&b, "x");
}

static void test_again(void)
{
    bool again = false;
    int id, second, third;
    char seen[60];

    log_in_again(&b, "edge", "b");
    (void)parts_ask(&parts_of, &reply, "wait 300");
    (void)subscribe_b();
    (void)say("i=x", "again");
    id = hear(&b, NULL);
    second = hear(&b, &again);
    (void)snprintf(seen, sizeof(seen), "ids %d, %d, marked %d", id, second, again);
    report("a message without an acknowledgement comes again, marked so",
           id > 0 && second == id && again && str_eq(buf_str(&payload), "again"), seen);
    third = hear(&b, &again);
    report("the second time the connection ends", third == id && again && link_ends(&b), NULL);
    (void)parts_ask(&parts_of, &reply, "wait 30000");
    log_in_again(&b, "edge", "b");
    (void)subscribe_b();
    report("then it comes at the next", hears(&b, "again"), buf_str(&payload));
}

static void test_qos0(void)
{
    log_in_again(&b, "edge", "b");
    report("a subscription with QoS 0 is granted as such",
           mqtt_subscribe(&b, "devices/edge/modules/b/inputs/#", 0) == 0, NULL);
    (void)say("i=x", "loose");
    report("it gets messages that need no acknowledgement",
           hear(&b, NULL) == 0 && str_eq(buf_str(&payload), "loose"), buf_str(&payload));
    (void)mqtt_ping(&b);
    report("they are done with", is_empty("edge/b/x"), buf_str(&reply));
}

/* A client that does not read: more waits for it than the connection takes. */
static void test_slow(void)
{
    static char big[200000];
    bool all = true;

    memset(big, 'z', sizeof(big) - 1);
    log_in_again(&b, "edge", "b");
    (void)subscribe_b();
    for (int i = 0; i < 12; i++)
        (void)say("i=x", big);
    for (int i = 0; i < 12; i++)
        all = all && hears(&b, big);
    report("a slow client gets all in the end", all && mqtt_ping(&b), NULL);
}

/* Properties that fit into the sender's topic, but not into the input's. */
static void test_long(void)
{
    static char to[MQTT_TEXT_MAX + 1];
    auto_buf struct buf packet = {0};
    size_t n = (size_t)snprintf(to, sizeof(to), "devices/edge/modules/a/messages/events/i=x");

    while (n < sizeof(to) - 1)
        n += (size_t)snprintf(to + n, sizeof(to) - n, "&k%04zu=%0900d", n, 7);
    (void)mqtt_publish(&a, to, 1, 1, "long", 4);
    (void)recv_packet(&a, &packet);
    (void)say("i=x", "short");
    report("a message whose properties are too long is passed over, not sent broken",
           hears(&b, "short") &&
               str_eq(metric("edgehub_messages_dropped_total", "reason=\"not_accepted\""), "1"),
           buf_str(&reply));
}

/* ------------------------------------------------------------------------------------------- cloud
 */

static void test_from_cloud(void)
{
    (void)parts_ask(&parts_of, &reply,
                    "cloud leaf - %%24.mid=7&%%24.to=%%2Fx&iothub-ack=full hello");
    report("a message from the cloud waits for its device", mqtt_ping(&leaf), NULL);
    report("the device subscribes",
           mqtt_subscribe(&leaf, "devices/leaf/messages/devicebound/#", 1) == 1, NULL);
    report("it arrives with what the cloud wrote",
           hears(&leaf, "hello") &&
               str_eq(buf_str(&topic), "devices/leaf/messages/devicebound/%24.mid=7&%24.to="
                                       "%2Fx&iothub-ack=full"),
           buf_str(&topic));
    (void)mqtt_ping(&leaf);
    report("it counts as sent by the cloud",
           str_eq(metric("edgehub_messages_sent_total", "from=\"upstream\",to=\"leaf\""), "1"),
           buf_str(&reply));
    log_in_again(&leaf, "leaf", NULL);
    (void)mqtt_subscribe(&leaf, "devices/leaf/messages/devicebound/#", 0);
    (void)parts_ask(&parts_of, &reply, "cloud leaf - %%24.mid=8 loose");
    report("with QoS 0 where that was asked for",
           hear(&leaf, NULL) == 0 && str_eq(buf_str(&payload), "loose"), buf_str(&payload));
}

int main(void)
{
    if (!report("it starts", parts_new(&parts_of), NULL))
        return 1;
    parts_log_in(&parts_of, &a, "edge", "a");
    parts_log_in(&parts_of, &b, "edge", "b");
    parts_log_in(&parts_of, &leaf, "leaf", NULL);
    test_default_route();
    test_routes();
    test_bare_topic();
    test_queue_length();
    test_restart();
    test_dropped();
    test_window();
    test_priorities();
    test_fair();
    test_again();
    test_qos0();
    test_slow();
    test_long();
    parts_log_in(&parts_of, &leaf, "leaf", NULL);
    test_from_cloud();
    link_close(&a);
    link_close(&b);
    link_close(&leaf);
    report("it ends in order", parts_end(&parts_of, 0) == 0, NULL);
    hub_remove(&parts_of.hub);
    buf_done(&reply);
    buf_done(&topic);
    buf_done(&payload);
    return failures ? 1 : 0;
}
