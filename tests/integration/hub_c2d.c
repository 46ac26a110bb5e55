/* Messages from the cloud to devices: how they arrive, when they are done with, and that none is
 * lost when the hub is killed. */
#include "tests/hub_client.h"

#include "vm/guest/hub/c2d.h"

#define DEVICEBOUND "devices/dev1/messages/devicebound/#"
#define SEND        "/sandbox/devices/dev1/messages/devicebound"

static struct test_hub hub;
static char key[128];
static struct mqtt_login login = {.device = "dev1", .key = key, .keep_session = true};

static int send_message(const char *body)
{
    return rest(&hub, NULL, "POST", SEND, NULL, body, NULL);
}

static uint64_t purge(void)
{
    auto_json cJSON *out = NULL;

    (void)rest(&hub, NULL, "DELETE", "/devices/dev1/commands", NULL, NULL, &out);
    return out ? json_u64(out, "totalMessagesPurged", 999) : 999;
}

/* What became of the message with this id, or "". */
static void feedback_of(const char *id, char *to, size_t size)
{
    auto_json cJSON *out = NULL;

    to[0] = '\0';
    (void)rest(&hub, NULL, "GET", "/sandbox/feedback", NULL, NULL, &out);
    for (const cJSON *f = out ? out->child : NULL; f; f = f->next)
        if (strcmp(json_str(f, "originalMessageId", ""), id) == 0)
            snprintf(to, size, "%s", json_str(f, "statusCode", ""));
}

/* ---- form ---- */

static void test_form(void)
{
    struct link l;
    auto_buf struct buf topic = {0};
    auto_buf struct buf payload = {0};
    auto_json cJSON *out = NULL;
    unsigned id;
    int status;

    (void)mqtt_login(&l, &hub, &login, NULL);
    report("the messages to a device can be subscribed to", mqtt_subscribe(&l, DEVICEBOUND, 1) == 1,
           NULL);
    status = rest(&hub, NULL, "POST", SEND, NULL,
                  "{\"messageId\":\"m-1\",\"correlationId\":\"c 1\",\"userId\":\"me\","
                  "\"contentType\":\"text/plain\",\"contentEncoding\":\"utf-8\",\"ack\":\"full\","
                  "\"properties\":{\"a b\":\"c/d\",\"e\":\"\"},\"body\":\"hello\"}",
                  &out);
    report("a message is taken and its id said",
           status == 200 && out && strcmp(json_str(out, "messageId", ""), "m-1") == 0, NULL);
    report("it arrives with QoS 1", mqtt_receive_qos(&l, &topic, &payload, &id, NULL) && id > 0,
           NULL);
    report("its topic has all that it says of itself, as IoT Hub writes it",
           strcmp(buf_str(&topic), "devices/dev1/messages/devicebound/%24.mid=m-1"
                                   "&%24.to=%2Fdevices%2Fdev1%2Fmessages%2Fdevicebound"
                                   "&%24.cid=c%201&%24.uid=me&%24.ct=text%2Fplain&%24.ce=utf-8"
                                   "&iothub-ack=full&a%20b=c%2Fd&e=") == 0 &&
               strcmp(buf_str(&payload), "hello") == 0,
           buf_str(&topic));
    (void)mqtt_puback(&l, id);
    (void)mqtt_ping(&l);

    char done[40];

    feedback_of("m-1", done, sizeof(done));
    report("its PUBACK is success for its sender", strcmp(done, "Success") == 0, done);
    cJSON_Delete(steal(out));
    (void)rest(&hub, NULL, "POST", SEND, NULL, "{\"bodyBase64\":\"AP8=\"}", &out);
    (void)mqtt_receive_qos(&l, &topic, &payload, &id, NULL);
    report("bytes arrive as they are; an id is made",
           payload.len == 2 && memcmp(payload.data, "\0\xff", 2) == 0 && out &&
               strlen(json_str(out, "messageId", "")) == 36 &&
               strstr(buf_str(&topic), json_str(out, "messageId", "?")),
           buf_str(&topic));
    (void)mqtt_puback(&l, id);
    (void)mqtt_ping(&l);
    link_close(&l);
    report("nothing is left of them", purge() == 0, NULL);
}

static void test_refusals(void)
{
    static const struct {
        const char *name, *body;
    } bad[] = {
        {"an ack that nobody knows is 400", "{\"ack\":\"maybe\"}"},
        {"two bodies are 400", "{\"body\":\"x\",\"bodyBase64\":\"eA==\"}"},
        {"a body that is no base64 is 400", "{\"bodyBase64\":\"***\"}"},
        {"an expiry in the past is 400", "{\"expiryTimeUtc\":\"2020-01-01T00:00:00Z\"}"},
        {"an expiry beyond two days is 400", "{\"expiryTimeUtc\":\"2999-01-01T00:00:00Z\"}"},
        {"a property of the hub's own is 400", "{\"properties\":{\"$.mid\":\"x\"}}"},
        {"a property that is no text is 400", "{\"properties\":{\"x\":1}}"},
        {"an id with a space is 400", "{\"messageId\":\"a b\"}"},
    };
    auto_buf struct buf large = {0};

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        report(bad[i].name, send_message(bad[i].body) == 400, bad[i].body);
    buf_puts(&large, "{\"body\":\"");
    for (int i = 0; i < 65536; i++)
        buf_putc(&large, 'x');
    buf_puts(&large, "\"}");
    report("a message of more than 64 KB is 400", send_message(large.data) == 400, NULL);
    report("a device that does not exist is 404",
           rest(&hub, NULL, "POST", "/sandbox/devices/none/messages/devicebound", NULL, "{}",
                NULL) == 404,
           NULL);
}

/* ---- queue ---- */

static void test_queue(void)
{
    struct link l;
    auto_buf struct buf topic = {0};
    auto_buf struct buf payload = {0};
    auto_json cJSON *out = NULL;
    char body[64];
    unsigned id = 0;
    int taken = 0, in_order = 0, flying = 0;

    for (int i = 0; i < C2D_QUEUE_MAX; i++) {
        snprintf(body, sizeof(body), "{\"body\":\"%d\",\"messageId\":\"q%d\"}", i, i);
        taken += send_message(body) == 200;
    }
    report("50 messages wait for a device that is away", taken == C2D_QUEUE_MAX, NULL);
    report("one more is 403", send_message("{}") == 403, NULL);
    (void)mqtt_login(&l, &hub, &login, NULL); /* its subscription was kept */
    while (flying < MQTT_IN_FLIGHT_MAX && mqtt_receive_qos(&l, &topic, &payload, &id, NULL))
        in_order += (int)strtol(buf_str(&payload), NULL, 10) == flying++;
    report("no more come at once than a device can have in hand",
           flying == MQTT_IN_FLIGHT_MAX && mqtt_ping(&l), NULL);
    (void)mqtt_puback(&l, id + 1000); /* never sent: means nothing */
    for (unsigned ack = 1; ack <= (unsigned)C2D_QUEUE_MAX; ack++) {
        (void)mqtt_puback(&l, ack);
        if (flying < C2D_QUEUE_MAX && mqtt_receive_qos(&l, &topic, &payload, &id, NULL))
            in_order += (int)strtol(buf_str(&payload), NULL, 10) == flying++;
    }
    (void)mqtt_ping(&l);
    report("all arrive in order as it acknowledges", in_order == C2D_QUEUE_MAX, NULL);
    link_close(&l);
    report("and are gone then", purge() == 0, NULL);
}

static void test_redelivery(void)
{
    struct link l;
    auto_buf struct buf topic = {0};
    auto_buf struct buf payload = {0};
    char done[40];
    unsigned id;
    bool again = false;
    int came = 0;

    (void)send_message("{\"body\":\"once more\",\"messageId\":\"r1\",\"ack\":\"negative\"}");
    for (int i = 0; i < C2D_DELIVERIES_MAX; i++) {
        (void)mqtt_login(&l, &hub, &login, NULL);
        came += mqtt_receive_qos(&l, &topic, &payload, &id, &again) &&
                strcmp(buf_str(&payload), "once more") == 0;
        link_close(&l);
    }
    report("a message that is not acknowledged comes again after each reconnect",
           came == C2D_DELIVERIES_MAX, NULL);
    (void)mqtt_login(&l, &hub, &login, NULL);
    (void)mqtt_ping(&l);
    feedback_of("r1", done, sizeof(done));
    report("ten times at most; its sender hears of it", strcmp(done, "DeliveryCountExceeded") == 0,
           done);
    link_close(&l);
}

/* Five seconds are what this hub allows for an acknowledgement. */
static void test_lock(void)
{
    struct link l;
    auto_buf struct buf topic = {0};
    auto_buf struct buf payload = {0};
    uint64_t start = clock_mono_ms();
    unsigned first = 0, id = 0;
    bool again = false;

    (void)mqtt_login(&l, &hub, &login, NULL);
    (void)send_message("{\"body\":\"slow\"}");
    (void)mqtt_receive_qos(&l, &topic, &payload, &first, &again);
    report("a message is new at first", first && !again, NULL);
    while (id == 0 && !l.ended && clock_mono_ms() - start < 10000)
        (void)mqtt_receive_qos(&l, &topic, &payload, &id, &again);
    report("one that is not acknowledged in time comes again, marked and with its id",
           id == first && again && clock_mono_ms() - start >= 4900, buf_str(&topic));
    (void)mqtt_puback(&l, id);
    (void)mqtt_ping(&l);
    report("a late acknowledgement still counts", purge() == 0, NULL);
    link_close(&l);
}

static void test_expiry(void)
{
    struct link l;
    auto_buf struct buf topic = {0};
    auto_buf struct buf payload = {0};
    char body[200], when[CLOCK_TEXT_MAX], done[40] = "";
    uint64_t end = clock_mono_ms() + 5000;
    unsigned id;

    clock_format(when, sizeof(when), clock_wall_ms() + 1000);
    snprintf(body, sizeof(body),
             "{\"messageId\":\"x1\",\"ack\":\"full\",\"body\":\"late\",\"expiryTimeUtc\":\"%s\"}",
             when);
    (void)send_message(body);
    (void)send_message("{\"body\":\"in time\"}");
    while (!done[0] && clock_mono_ms() < end)
        feedback_of("x1", done, sizeof(done));
    report("a message that nobody fetches in time expires by itself", strcmp(done, "Expired") == 0,
           done);
    (void)mqtt_login(&l, &hub, &login, NULL);
    (void)mqtt_receive_qos(&l, &topic, &payload, &id, NULL);
    report("and does not come late", strcmp(buf_str(&payload), "in time") == 0, buf_str(&payload));
    link_close(&l);
    (void)send_message("{\"messageId\":\"p1\",\"ack\":\"full\"}");
    report("a queue is emptied when its owner wants", purge() == 2, NULL);
    feedback_of("p1", done, sizeof(done));
    report("which the senders hear, too", strcmp(done, "Purged") == 0, done);
}

/* Without an acknowledgement there is nothing to wait for. */
static void test_qos0(void)
{
    struct link l;
    auto_buf struct buf topic = {0};
    auto_buf struct buf payload = {0};

    (void)mqtt_login(&l, &hub, &login, NULL);
    (void)mqtt_subscribe(&l, "devices/+/messages/devicebound/#", 0);
    (void)send_message("{\"body\":\"light\"}");
    report("a subscription of QoS 0 gets it with QoS 0",
           mqtt_receive(&l, &topic, &payload) && strcmp(buf_str(&payload), "light") == 0,
           buf_str(&topic));
    report("and it is done with", purge() == 0, NULL);
    (void)mqtt_subscribe(&l, DEVICEBOUND, 1); /* for those who come after */
    link_close(&l);
}

/* ---- kill ---- */

/* Sends until the hub dies under it; says on FD what was taken, a byte each. */
static void send_until_killed(int fd)
{
    for (int i = 0; i < 40; i++) {
        char body[64];

        snprintf(body, sizeof(body), "{\"body\":\"%d\"}", i);
        if (send_message(body) == 200 && write(fd, "+", 1) != 1)
            break;
    }
    _exit(0);
}

/* Whatever was taken must arrive, whenever the hub is killed. */
static void test_kill(int after)
{
    struct link l;
    auto_buf struct buf topic = {0};
    auto_buf struct buf payload = {0};
    char name[100], byte;
    bool seen[64] = {false};
    int fds[2], taken = 0, arrived = 0;
    unsigned id;

    if (pipe(fds) < 0)
        abort();

    pid_t sender = fork();

    if (sender == 0)
        send_until_killed(fds[1]);
    close(fds[1]);
    while (taken < after && read(fds[0], &byte, 1) == 1)
        taken++;
    (void)hub_end(&hub, SIGKILL);
    while (read(fds[0], &byte, 1) == 1)
        taken++;
    close(fds[0]);
    waitpid(sender, NULL, 0);
    (void)hub_start(&hub);
    (void)mqtt_login(&l, &hub, &login, NULL);
    while (arrived < taken && mqtt_receive_qos(&l, &topic, &payload, &id, NULL)) {
        long n = strtol(buf_str(&payload), NULL, 10);

        if (n >= 0 && n < 64 && !seen[n])
            arrived++;
        seen[n & 63] = true;
        (void)mqtt_puback(&l, id);
    }
    (void)mqtt_ping(&l);
    link_close(&l);
    snprintf(name, sizeof(name), "all messages that were taken before SIGKILL arrive (%d)", after);
    report(name, arrived == taken && taken >= after, hub.line);
    (void)purge();
}

int main(void)
{
    hub_prepare(&hub);
    hub.args[0] = "--c2d-lock=5";
    if (!report("it starts", hub_start(&hub), hub.line))
        return 1;
    device_create(&hub, "dev1", false, key);
    test_form();
    test_refusals();
    test_queue();
    test_redelivery();
    test_lock();
    test_expiry();
    test_qos0();
    for (int after = 1; after <= 13; after += 4)
        test_kill(after);
    return hub_finish(&hub);
}
